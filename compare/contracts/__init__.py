"""What is said between the rooms: the types everything else is written against.

errors.py        what a user handed over that cannot be used
experiment.py    what is computed, declared once
between.py       normalisation and dropout
records.py       implementations, and what they leave behind at every update
moments.py       which update of which epoch is meant
result.py        what a check returns: verdict, findings, diagnosis
"""
