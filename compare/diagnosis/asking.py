"""What an implementation computes at points that are chosen for it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from compare.diagnosis.observation import Observation, observe
from compare.guard.effects import alone
from compare.textbook import Point

Implementation = Callable[..., tuple[Any, ...]]


def observations(
    implementation: Implementation, points: Sequence[tuple[str, Point]]
) -> list[Observation]:
    """Return what the implementation computes at each point where it computes anything."""
    made = []
    for label, point in points:
        # Filters of warnings belong to the process: no other thread's call may see these.
        with alone(), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                loss, gradients, *shown = implementation(*arguments(point), **point.how)
                made.append(observe(point, loss, gradients, shown[0] if shown else None, label))
            except Exception:  # the user's code: a probe it cannot take tells nothing
                continue
    return made


def arguments(point: Point) -> tuple[Any, ...]:
    """Return copies of parameters, x and targets, as contract 1 hands them over."""
    parameters = {name: array.copy() for name, array in point.parameters.items()}
    return parameters, point.x.copy(), point.targets.copy()
