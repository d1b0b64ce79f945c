"""Recorded transitions of any optimiser, replayed one after the other.

Where the buffers were recorded each update starts from them. Where a side keeps them in its own way
the reference carries its own along, with what rounding may have made of them so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.checks.comparison import Comparison, compare_entries
from compare.checks.optimiser_power import ReplayedUpdate
from compare.checks.optimiser_step import OptimiserStep, ReplayedState, compare_update
from compare.checks.step_power import StepPower
from compare.contracts.arrays import Arrays
from compare.contracts.records import Record

NOTHING = ReplayedState({}, {})


@dataclass
class OptimiserReplay:
    """The step check of one side's records; `compared` tells that its buffers were recorded."""

    step: OptimiserStep
    compared: bool = True
    replayed: ReplayedState = field(default=NOTHING)

    @property
    def begun(self) -> bool:
        """Whether an update was replayed already."""
        return self.replayed is not NOTHING

    def __call__(
        self, before: Record, after: Record, power: StepPower | None = None
    ) -> dict[str, Comparison]:
        """Compare `after` with one reference step from `before`; keys `w1`, `m_w1`, ..., `t`."""
        step, start = self.step.at(before.learning_rate), self.start(before)
        expected, allowed, self.replayed = step(before.parameters, before.gradients, start)
        whole = ReplayedUpdate(
            step, before.parameters, before.gradients, start, expected, allowed, self.replayed
        )
        documented = self.documents(after)
        found = compared(whole, after.parameters, after.state if documented else None)
        if power is not None:
            for name in before.parameters:
                sizes = whole.smallest_errors(name, documented)
                power.enter(name, sizes, before.epoch, before.update)
        self.compared = self.compared and documented
        if documented and self.step.counts and "t" in after.state:
            t = self.replayed.values["t"]
            found["t"] = compare_entries("t", after.state["t"], t, 0.0)
        return found

    def start(self, before: Record) -> ReplayedState:
        """Return the state to start from: the recorded one, else what the replay before gave."""
        t = {"t": before.state.get("t", np.asarray(before.update))}
        known = before.state.keys() - {"t"} and self.documents(before)
        if before.update == 0 and not any(array.any() for array in before.state.values()):
            return replace(NOTHING, values=t)  # zeros: there was no update yet
        if known:
            return ReplayedState(dict(before.state) | t, {})
        return replace(self.replayed, values=self.replayed.values | t)

    def documents(self, record: Record) -> bool:
        """Whether a record has all the buffers that the reference has."""
        return {*record.state, "t"} == {*self.step.keys(record.parameters), "t"}


def compared(
    whole: ReplayedUpdate, parameters: Arrays, state: Arrays | None
) -> dict[str, Comparison]:
    """Hold an update against the reference's, entry by entry and each tensor as a whole.

    Without a state only the parameters.
    """
    found = compare_update(parameters, whole.expected, whole.allowed)
    if state is not None:
        found |= compare_update(state, whole.after.values, whole.after.allowances)
    after = {**parameters, **(state or {})}
    return found | {one.name: one for one in whole.projections(after)}


def first_zeros(step: OptimiserStep, parameters: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return zeros under the documented keys, for a step that does not start from nothing."""
    zeros: dict[str, Any] = {
        key: np.zeros_like(parameters[key.partition("_")[2]])
        for key in step.keys(parameters)
        if key != "t"
    }
    return zeros | ({"t": np.asarray(0)} if step.counts else {})
