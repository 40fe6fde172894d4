"""What stands in for ATLAS's configuration, embedding and vectors is made of."""
