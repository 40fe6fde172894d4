"""The client's half of the message bus: what is the same over the daemon and in the fallback."""
