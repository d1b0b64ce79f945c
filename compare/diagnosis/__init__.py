"""Which known mistake reproduces the numbers: `diagnose` and its siblings.

A mistake is named only if computing with it reproduces what was seen to within its own allowance
and computing rightly does not. `facts` says what can be said when none does.

    diagnose            a function that can be called            loss, gradient, repeated calls
    diagnosed           the same with habits and facts       loss, gradient, repeated calls
    diagnose_gradients  numbers recorded at a point or several   loss, gradient, intermediates
    diagnose_step       consecutive records                      the update
    diagnose_updates    wrong updates, right ones between    the update
    diagnose_records    records and the training set             batches and order
    diagnose_start      the first record                         initial weights
    diagnose_ranks      what a rank reports, parts of all        sums over ranks
    diagnose_curves     curves                                   what was reported
    prediction          a diagnosis and a point                  a tensor as the mistake computes it
"""

from compare.diagnosis.calls import diagnose_calls
from compare.diagnosis.curves import diagnose_curves
from compare.diagnosis.facts import facts
from compare.diagnosis.gradients import diagnose, diagnose_gradients, diagnosed, explain
from compare.diagnosis.observation import Observation, observe
from compare.diagnosis.prediction import prediction
from compare.diagnosis.ranks import diagnose_ranks
from compare.diagnosis.records import diagnose_records
from compare.diagnosis.start import diagnose_start
from compare.diagnosis.step import diagnose_step
from compare.diagnosis.updates import diagnose_updates

__all__ = [
    "Observation",
    "diagnose",
    "diagnose_calls",
    "diagnose_curves",
    "diagnose_gradients",
    "diagnose_ranks",
    "diagnose_records",
    "diagnose_start",
    "diagnose_step",
    "diagnose_updates",
    "diagnosed",
    "explain",
    "facts",
    "observe",
    "prediction",
]
