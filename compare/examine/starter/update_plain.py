"""An update without a velocity as a step along the gradient and one along the weight.

    w' = w - a g - c w

The rate a may be divided by a batch size and the decay c by the number of samples: two unknown
numbers, where the search for mistakes fits one. Both are read off a few updates, and at twice the
rate a is twice as large: `rate * rate` is none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from compare.examine.starter.update_lines import keys_in
from compare.examine.starter.update_reading import Update
from compare.examine.starter.update_running import GIVEN, NAME, run

CLOSE = 1e-9
"""Relative: far above the rounding of one update, far below what is told apart."""


@dataclass(frozen=True)
class PlainStep:
    """What an update takes off a weight: so much of the gradient, and of the weight itself."""

    of_gradient: float
    of_weight: float


def plain_step(update: Update) -> PlainStep | None:
    """Read an update as such a step, None where it is none, not proportional to its rate, or
    made of several lines, which may take the same gradient twice."""
    own = [line for line in update.lines if line.key == update.weight]
    if keeps_something(update) or not update.gradient or len(own) != 1:
        return None
    once, twice = fitted(update, 1.0), fitted(update, 2.0)
    if once is None or twice is None:
        return None
    rated = {"rate", "-rate"} & set(update.scalars.values())
    grows = near(twice.of_gradient, once.of_gradient * (2.0 if rated else 1.0))
    decay = any(near(twice.of_weight, once.of_weight * share) for share in (1.0, 2.0))
    return once if grows and decay else None


def keeps_something(update: Update) -> bool:
    """Whether an update hands something on to the next one, as a velocity, or is meant to."""
    if update.carried or "momentum" in update.scalars.values():
        return True
    given: set[str] = set()
    for line in update.lines:
        if line.value is None or set(keys_in(line.value)) & (set(update.states) - given):
            return True
        given.add(line.key)
    return False


def fitted(update: Update, faster: float) -> PlainStep | None:
    """Fit the two numbers to a few updates at so many times the learning rate."""
    signs = {"rate": 1.0, "-rate": -1.0}
    scalars: dict[str, float | str] = {
        key: GIVEN["rate"] * faster * signs[said] if isinstance(said, str) and said in signs
        else said for key, said in update.scalars.items()
    }  # fmt: skip
    records = run(replace(update, scalars=scalars))
    w = np.stack([one.parameters[NAME] for one in records])
    g = np.stack([one.gradients[NAME] for one in records])
    seen = (w[:-1] - w[1:]).ravel()
    towards = np.stack([g[:-1].ravel(), w[:-1].ravel()], axis=1)
    found, *_ = np.linalg.lstsq(towards, seen)
    exact = np.abs(towards @ found - seen).max() <= CLOSE * np.abs(seen).max()
    a, c = (0.0 if abs(one) <= CLOSE else float(one) for one in found)
    return PlainStep(a, c) if exact else None


def near(one: float, other: float) -> bool:
    """Whether two numbers are the same to rounding."""
    return abs(one - other) <= CLOSE * max(abs(one), abs(other))
