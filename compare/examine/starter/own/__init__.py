"""A training held against its own loss, whatever its network is: no torch, no textbook.

`leaves` are the numbers that a program keeps, `marked` its loop with our calls in it, `replay` runs
it with some of them moved, `slopes` are the differences of its loss that this gives, `groups` what
of it are weights. `steps` lays what they move by beside these slopes, `follows` says what the steps
are made of, `chosen` and `led` what in them is meant, `doubts` what they do not show, and `witness`
gives the verdict.
"""

OWN = "held against its own loss"
"""What is said of a training that was."""
