"""What works without a daemon: exact search, one process, nothing stored.

For trying things and for a missing daemon, not a second product.
"""
