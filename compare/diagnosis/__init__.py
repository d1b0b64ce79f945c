"""Which known mistake reproduces the numbers: `diagnose` and its siblings.

A mistake is named only if computing with it reproduces what was seen to within its own allowance
and computing rightly does not.
"""

from compare.diagnosis.gradients import diagnose, diagnose_gradients
from compare.diagnosis.observation import Observation, observe

__all__ = ["Observation", "diagnose", "diagnose_gradients", "observe"]
