"""Documents of the catalogue: each mistake shown, run live, and found in the course report.

Nothing that reaches a verdict imports from here.
"""
