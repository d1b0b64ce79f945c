"""Whether options that were read off parameters make what was recorded of the velocities as well.

A step is told by its parameters alone, whatever it keeps. An option with which its velocities are
wrong all the same would be bad advice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from compare.allowance.arithmetic import quiet
from compare.checks.optimiser_step import OptimiserStep
from compare.contracts.experiment import Experiment
from compare.diagnosis.identity import Buffered, Identity, worst
from compare.diagnosis.track import Recorded
from compare.textbook.pair import Pair, exact

RATE = "another-learning-rate"


@quiet
def reproduces(
    found: Identity, wanted: Experiment, updates: Sequence[tuple[Recorded, Recorded]]
) -> bool:
    """Return whether plain momentum with these options makes every recorded update; True where
    that is not what was found, or nothing was recorded."""
    told_by_options = found.mistake is None or found.mistake.name == RATE
    if found.optimiser != "sgd" or not (wanted.plain_momentum and told_by_options):
        return True
    step = OptimiserStep.of(replace(wanted, **found.options))
    return all(makes(step, one) for one in updates)


def makes(step: OptimiserStep, update: tuple[Recorded, Recorded]) -> bool:
    """Return whether a step leads from one record to the next, from the velocities it shows."""
    names, before = tuple(update[0].parameters), update[0]
    if any(f"v_{name}" not in before.state for name in names):
        return True
    start: Buffered = {}
    if before.update or any(v.any() for v in before.state.values()):
        start = {name: {"v": velocity(step, before, name)} for name in names}
    return worst(step, update, names, start=start, shown=True) <= 1


def velocity(step: OptimiserStep, record: Recorded, name: str) -> Pair:
    """Return a recorded velocity in torch's form."""
    v = record.state[f"v_{name}"]
    return exact(v, v.dtype) / step.scale
