"""The ways in: each takes what somebody handed over and ends in a Result.

training.py           two whole trainings, side by side
point.py              one gradient at a few points
dump/                 recorded numbers
starter/              a student's file, function by function
sides.py              an implementation with its trainer
threads.py            how many threads a network of this size is worth
environment.py        where it was computed
"""
