"""The version, read by the build and by the handshake with the daemon."""

__version__ = "0.1.0"
PROTOCOL = 1
