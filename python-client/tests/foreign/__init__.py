"""Clients of the Vert.x bridges that are not ours, unchanged, against the daemon."""
