"""The manual side: a multi-layer perceptron derived by hand, in NumPy and nothing else."""
