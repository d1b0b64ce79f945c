"""The checks: records in, findings out. Nothing here trains, and nothing here types in a tolerance.

`comparison` holds two arrays against an allowance; `same_point`, `step` and `free_run` are the
three checks of a run; `kinks` resolves units on a point without a derivative; `referee` is the
third witness; `control` shows the judge what it must reject.
"""
