"""Putting our classes in the place of ATLAS's: in its files, or while it runs."""
