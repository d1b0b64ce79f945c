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

from compare.checks.clipping import told_apart
from compare.checks.comparison import HONEST, Comparison, compare_entries
from compare.checks.optimiser_power import ReplayedUpdate
from compare.checks.optimiser_step import (
    CONSTANTS,
    OptimiserStep,
    ReplayedState,
    compare_update,
)
from compare.checks.step_power import StepPower
from compare.contracts.arrays import Arrays
from compare.contracts.records import Record
from compare.textbook.pair import exact

NOTHING = ReplayedState({}, {})


@dataclass
class OptimiserReplay:
    """The step check of one side's records; `compared` tells that its buffers were recorded.

    `forms` are the same step in other forms of clipping by norm, those that made every update so
    far. Where `step` fails an update and one of them does not, the side has that form.
    """

    step: OptimiserStep
    compared: bool = True
    replayed: ReplayedState = field(default=NOTHING)
    forms: list[OptimiserReplay] = field(default_factory=list)

    @classmethod
    def in_any_form(cls, step: OptimiserStep) -> OptimiserReplay:
        """Return the step check of somebody's step, which may clip as torch does or otherwise."""
        others = [replace(step, clipping=one) for one in step.clipping.forms()]
        return cls(step, forms=[cls(one) for one in others])

    def __call__(
        self, before: Record, after: Record, power: StepPower | None = None
    ) -> dict[str, Comparison]:
        """Compare `after` with one reference step from `before`; keys `w1`, `m_w1`, ..., `t`."""
        found = self.judged(before, after, power)
        return self.in_its_form(found, before, after) if self.forms else found

    def in_its_form(
        self, found: dict[str, Comparison], before: Record, after: Record
    ) -> dict[str, Comparison]:
        """Return what was found in the form that the side has, where this update tells it."""
        clippings = [self.step.clipping, *(one.step.clipping for one in self.forms)]
        if not told_apart(clippings, before.gradients):
            for one in self.forms:
                one.replayed = self.replayed
            return found
        judged = [(one, one.judged(before, after)) for one in self.forms]
        fitting = [(one, its) for one, its in judged if furthest(its) <= 1]
        self.forms = [one for one, _ in fitting] or self.forms  # a wrong update tells no form
        if not fitting or furthest(found) <= HONEST:
            return found
        close = [one for one in fitting if furthest(one[1]) <= HONEST]
        chosen, its = (close or fitting)[0]
        if furthest(found) <= 1 and furthest(its) > furthest(found) / 2:
            return found
        self.step, self.replayed = chosen.step, chosen.replayed
        self.forms.remove(chosen)
        return its

    def judged(
        self, before: Record, after: Record, power: StepPower | None = None
    ) -> dict[str, Comparison]:
        """Compare `after` with one step of this form."""
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

    def shown_by(self, before: Record, after: Record) -> bool:
        """Take the velocity from an update of plain momentum; False where it does not show it.

        w - next w is the learning rate times the buffer, up to the rounding of next w.
        """
        step = self.step.at(before.learning_rate)
        rate, name = step.settings.learning_rate, step.name
        if name != "sgd" or not (step.plain and rate):
            return False
        t = np.asarray(updates_before(before))
        _, allowed, _ = step(before.parameters, before.gradients, replace(NOTHING, values={"t": t}))
        values: Arrays = {"t": t + 1}
        allowances = {}
        for key, w in before.parameters.items():
            v = np.subtract(w, after.parameters[key], dtype=np.float64) * (step.scale / rate)
            values[f"v_{key}"] = v.astype(w.dtype)
            carried = CONSTANTS * exact(w, w.dtype).arithmetic.unit * np.abs(v)
            allowances[f"v_{key}"] = allowed[key] * abs(step.scale / rate) + carried
        self.replayed = ReplayedState(values, allowances)
        return True

    def documents(self, record: Record) -> bool:
        """Whether a record has all the buffers that the reference has."""
        return {*record.state, "t"} == {*self.step.keys(record.parameters), "t"}


def updates_before(record: Record) -> int:
    """Return how many updates came before a record: its number, unless it says so itself."""
    return int(record.state.get("t", record.update))


def furthest(found: Mapping[str, Comparison]) -> float:
    """Return the worst ratio of all comparisons; infinite where a number is no number."""
    ratios = [one.ratio if one.agrees else max(one.ratio, np.inf) for one in found.values()]
    return max(ratios, default=0.0)


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
    """Return zeros under the documented keys, for a step that does not start from nothing.

    `t` is a plain number: a NumPy integer makes float64 of what a float32 step multiplies by it.
    """
    zeros: dict[str, Any] = {
        key: np.zeros_like(parameters[key.partition("_")[2]])
        for key in step.keys(parameters)
        if key != "t"
    }
    return zeros | ({"t": 0} if step.counts else {})
