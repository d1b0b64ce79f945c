"""A training held against its own loss, whatever its network is: no torch, no textbook.

`leaves` are the numbers that a program keeps, `marked` its loop with our calls in it, `replay` runs
it with some of them moved, `slopes` are the differences of its loss that this gives, `groups` what
of it are weights, `follows` holds its steps against these slopes, and `witness` says the verdict.
"""

OWN = "held against its own loss"
"""What is said of a training that was."""
