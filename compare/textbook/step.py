"""One update of one parameter, on pairs: the plain step's own lines, or a mistake's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from compare.textbook import plain_step
from compare.textbook.pair import Pair

Stepped = tuple[Pair, Pair]
"""The parameter and its velocity after the update."""
Update = Callable[..., Stepped]
"""`plain_step.update`, as it is or with a mistake in it."""


@dataclass(frozen=True)
class Moment:
    """Everything an update of one parameter may look at.

    `earlier` is the gradient of the update before, `first` tells the first update of all.
    """

    name: str
    w: Pair
    dw: Pair
    v: Pair
    earlier: Pair
    learning_rate: float
    momentum: float
    form: str = "velocity"
    first: bool = False

    def after(self, update: Update) -> Stepped:
        """Return parameter and velocity after this update."""
        return update(
            self.name, self.w, self.dw, self.v, learning_rate=self.learning_rate,
            momentum=self.momentum, form=self.form, earlier=self.earlier, first=self.first,
        )  # fmt: skip


def right_step(now: Moment) -> Stepped:
    """Return the next parameter and the next velocity."""
    return now.after(plain_step.update)
