"""`./neuralcore bench bus`."""
