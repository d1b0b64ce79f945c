"""The mistakes people make, each as words and as code: `python -m compare.mistakes`."""
