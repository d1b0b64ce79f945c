"""Baselines: does today's run still give yesterday's numbers, up to rounding?

The two sides of a run are compared with each other; when both change together, because the data,
the seed or the common start changed, they still agree. Only an earlier run can tell.
"""

from compare.report.baseline.movement import compare
from compare.report.baseline.numbers import TEST, save
from compare.report.baseline.report import BaselineReport, Change, Moment, Movement

__all__ = ["TEST", "BaselineReport", "Change", "Moment", "Movement", "compare", "save"]
