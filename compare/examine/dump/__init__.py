"""Recorded numbers: a folder of steps, read without trusting it, judged like a training.

npy.py, dump_format.py, dump_step.py    files, and what they must hold
dump.py                                 the folder held against torch
recorder.py                             a dump of ours
"""
