"""The parts of :mod:`neuralcore.compat.agent_bus`."""
