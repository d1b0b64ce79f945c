"""Curves that somebody's program logged, held against a run of the declared settings."""
