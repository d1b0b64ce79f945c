"""A step as so much of one array and so much of another: the last step and a gradient, for one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.training.steps import Step

Shares = tuple[float, float]


def shares_in(taken: Array, first: Array, second: Array, near: float) -> Shares | None:
    """Return (a, b) where an array is a × `first` + b × `second`; else None."""
    columns = np.stack([first.ravel(), second.ravel()], axis=1)
    seen = taken.ravel()
    solved, *_ = np.linalg.lstsq(columns, seen, rcond=None)
    if np.abs(seen - columns @ solved).max() > near * np.abs(seen).max():
        return None
    return float(solved[0]), float(solved[1])


def shares_of(
    step: Step, first: Mapping[str, Array], due: Mapping[str, Array]
) -> dict[str, Shares] | None:
    """Return the shares of each weight in what a step takes off it; None where one has none.

    Not all weights need to have the same momentum.
    """
    found: dict[str, Shares] = {}
    for name, one in due.items():
        shares = shares_in(step.taken[name], first[name], one, step.near)
        if shares is None:
            return None
        found[name] = shares
    return found
