"""Names of mistakes in the update from the state {}, of a step that is right from a given state.

What is wrong there is what stands for a velocity that is not there yet; nothing else is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from compare.contracts.experiment import Experiment
from compare.contracts.records import Record
from compare.contracts.result import Diagnosis

if TYPE_CHECKING:
    from compare.diagnosis.track import Recorded

OF_THE_START = (
    "From a given state the step is right; before the first update the state is {}, and there is "
    "no velocity yet: it counts as zero"
)

FIRST = ("velocity-starts-at-gradient", "first-update-without-rate")
"""Mistakes that only the first update has, besides those of the first velocity itself."""


def of_the_start(
    chains: Sequence[Sequence[Recorded]],
    wanted: Experiment,
    right: Sequence[Sequence[Recorded]] = (),
) -> tuple[Diagnosis, ...]:
    """Return the mistake of the first update that makes these stretches of records, each from the
    first one on, and other ones `right`."""
    from compare.diagnosis.step import diagnose_chains
    from compare.diagnosis.track import Settings
    from compare.mistakes.catalogue import STEP

    settings = Settings(wanted.learning_rate, wanted.momentum, wanted.momentum_form, {})
    starts = {one.name for one in STEP if one.starts or one.name in FIRST}
    found = diagnose_chains(chains, settings, right, pairs=False)
    return tuple(one for one in found if one.mistake in starts)


def without_start(trail: Sequence[Record]) -> Sequence[Record]:
    """Return the records of a training without the zeros that stand for a first state of {}; none
    where they begin later, or with another velocity."""
    first = trail[0]
    if first.update != 0 or any(v.any() for v in first.state.values()):
        return ()
    bare: Any = replace(first, state={})  # type: ignore[type-var]  # both record classes are dataclasses
    return [bare, *trail[1:]]
