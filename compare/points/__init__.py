"""Points at which implementations are evaluated: the start of a run, and probes with power.

inputs.py        data, batch order, initial weights: drawn once, handed to both sides
probe.py         points at which a wrong gradient cannot look right
diagnostic.py    points at which two mistakes cannot look alike
"""
