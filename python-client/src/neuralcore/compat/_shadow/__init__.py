"""Old and new side by side; ``neuralcore.compat.shadow`` is what applications use."""
