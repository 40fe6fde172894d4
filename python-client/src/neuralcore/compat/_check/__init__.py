"""Runs ATLAS's own tests without us and with us; ``neuralcore.compat.check`` is the command."""
