"""Normalisation and dropout: honest code in five ways of writing, and every mistake planted."""
