"""What ``neuralcore.compat.atlas_ncb`` is made of."""
