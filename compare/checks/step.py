"""The step check: a recorded transition is replayed with the reference's optimiser.

From the recorded `(parameters, gradients, state)` one step of `torch.optim.SGD` must give the
recorded next `(parameters, state)`. Whether the gradients are right is not asked here, so a wrong
derivative and a wrong update are never confused. Done for both sides' records.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from compare.allowance import Arithmetic
from compare.checks.comparison import Allowing, Comparison, Float, compare_entries
from compare.contracts.records import Record

Real = NDArray[np.floating]

IN_STATE = 7
"""Roundings of a velocity: two products and a sum on each side, and what is left of the buffer's
detour through the learning rate."""
IN_PARAMETER = 4
"""Roundings of a parameter: a product and a subtraction on each side."""


@dataclass(frozen=True, slots=True)
class StepCheck:
    """Replays transitions at fixed hyper-parameters."""

    arithmetic: Arithmetic
    learning_rate: float
    momentum: float
    form: str
    device: str = "cpu"

    def __call__(self, before: Record, after: Record) -> dict[str, Comparison]:
        """Compare `after` with one reference step from `before`; keys `w1`, `v_w1`, ..."""
        from torch_reference import step

        parameters, state = step(
            before.parameters,
            before.gradients,
            before.state,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            form=self.form,
            device=self.device,
        )
        found: dict[str, Comparison] = {}
        for name, expected in parameters.items():
            v = f"v_{name}"
            state_allowance = partial(
                self._state_allowance,
                before.gradients[name].reshape(-1),
                before.state[v].reshape(-1),
            )
            parameter_allowance = partial(
                self._parameter_allowance,
                expected.reshape(-1),
                state[v].reshape(-1),
                state_allowance,
            )
            entries = expected.size  # each is rounded on its own
            found[name] = compare_entries(
                name, after.parameters[name], expected, parameter_allowance, entries
            )
            found[v] = compare_entries(v, after.state[v], state[v], state_allowance, entries)
        return found

    def _state_allowance(self, dw: Real, before: Real, part: slice) -> Float:
        """A(v) for `v = momentum*v + dw` (or learning_rate*dw): roundings add like a root."""
        rate = self.learning_rate if self.form == "velocity" else 1.0
        unit = sqrt(IN_STATE) * self.arithmetic.unit
        size: Float = np.abs(dw[part], dtype=np.float64) * (abs(rate) * unit)
        size += np.abs(before[part]) * (abs(self.momentum) * unit)
        size += IN_STATE * self.arithmetic.tiny
        return size

    def _parameter_allowance(
        self, expected: Real, v: Real, state_allowance: Allowing, part: slice
    ) -> Float:
        """A(w) for `w -= v` (or learning_rate*v): what v carries, and the subtraction's own."""
        rate = 1.0 if self.form == "velocity" else abs(self.learning_rate)
        unit = sqrt(IN_PARAMETER) * self.arithmetic.unit
        size: Float = np.abs(expected[part], dtype=np.float64) * unit
        size += np.abs(v[part]) * (rate * unit)
        size += state_allowance(part) * rate
        size += self.arithmetic.tiny
        return size
