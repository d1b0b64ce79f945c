"""One parameter's update by the reference, with what rounding may make of every entry of it.

velocity: v = momentum*v + learning_rate*dw    w -= v
buffer:   v = momentum*v + dw                  w -= learning_rate*v
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from compare.allowance import Arithmetic
from compare.checks.comparison import BLOCK
from compare.contracts.arrays import Float, Real

IN_STATE = 7
"""Roundings of a velocity: two products and a sum on each side, and what is left of the buffer's
detour through the learning rate."""
IN_PARAMETER = 4
"""Roundings of a parameter: a product and a subtraction on each side."""


@dataclass(frozen=True, slots=True)
class Transition:
    """All arrays flattened: `dw`, `v`, `w` before the update, `next_v`, `next_w` after it."""

    arithmetic: Arithmetic
    learning_rate: float
    momentum: float
    form: str
    dw: Real
    v: Real
    w: Real
    next_v: Real
    next_w: Real

    @property
    def into_state(self) -> float:
        """What a gradient is multiplied by on its way into the velocity."""
        return self.learning_rate if self.form == "velocity" else 1.0

    @property
    def into_parameter(self) -> float:
        """What a velocity is multiplied by on its way into the parameter."""
        return 1.0 if self.form == "velocity" else self.learning_rate

    @property
    def parts(self) -> list[slice]:
        """The entries piece by piece."""
        return [slice(start, start + BLOCK) for start in range(0, self.w.size, BLOCK)]

    def change(self, part: slice) -> Float:
        """Return what the update changes the parameter by, as far as its format can hold it."""
        return np.subtract(self.next_w[part], self.w[part], dtype=np.float64)

    def velocity(self, part: slice) -> Float:
        """Return the new velocity."""
        return self.next_v[part].astype(np.float64)

    def state_allowance(self, part: slice) -> Float:
        """A(v) for `v = momentum*v + dw` (or learning_rate*dw): roundings add like a root."""
        unit = sqrt(IN_STATE) * self.arithmetic.unit
        size: Float = np.abs(self.dw[part], dtype=np.float64) * (abs(self.into_state) * unit)
        size += np.abs(self.v[part]) * (abs(self.momentum) * unit)
        size += IN_STATE * self.arithmetic.tiny
        return size

    def parameter_allowance(self, part: slice, state: Float | None = None) -> Float:
        """A(w) for `w -= v` (or learning_rate*v): what v carries, and the subtraction's own.

        `state`: A(v), if it is known already.
        """
        rate = abs(self.into_parameter)
        unit = sqrt(IN_PARAMETER) * self.arithmetic.unit
        size: Float = np.abs(self.next_w[part], dtype=np.float64) * unit
        size += np.abs(self.next_v[part]) * (rate * unit)
        size += (self.state_allowance(part) if state is None else state) * rate
        size += self.arithmetic.tiny
        return size
