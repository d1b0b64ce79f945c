"""One update of one parameter, on pairs: the optimiser's two equations.

v = momentum * v + inside * dw        velocity form: inside = learning rate, outside = 1
w = w - outside * v                   buffer form:   inside = 1, outside = learning rate
"""

from __future__ import annotations

from dataclasses import dataclass

from compare.textbook.pair import Pair

Stepped = tuple[Pair, Pair]
"""The parameter and its velocity after the update."""


@dataclass(frozen=True)
class Moment:
    """Everything an update of one parameter may look at; `earlier` is the gradient before dw."""

    name: str
    w: Pair
    dw: Pair
    v: Pair
    earlier: Pair
    learning_rate: float
    momentum: float
    form: str = "velocity"

    @property
    def inside(self) -> float:
        """Return what multiplies the gradient on its way into the velocity."""
        return self.learning_rate if self.form == "velocity" else 1.0

    @property
    def outside(self) -> float:
        """Return what multiplies the velocity on its way into the parameter."""
        return 1.0 if self.form == "velocity" else self.learning_rate

    def velocity(self) -> Pair:
        """Return the next velocity."""
        return self.velocity_with(self.inside)

    def velocity_with(self, share: float) -> Pair:
        """Return the next velocity with `share` of the gradient in it."""
        return self.v * self.momentum + self.dw * share


def right_step(now: Moment) -> Stepped:
    """Return the next parameter and the next velocity."""
    v = now.velocity()
    return now.w - v * now.outside, v
