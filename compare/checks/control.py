"""The negative control: in every run the judge is shown what it must reject.

The same check of the same point, three times spoilt: a tensor rolled by one, one entry off by 100
times its allowance, and one entry NaN. A judge that accepts any of them is broken, and says so with
its own exit code; a tensor that a roll hardly moves shows nothing, which is weak, not broken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compare.contracts.arrays import Arrays, Float

OFF = 100.0


@dataclass(frozen=True, slots=True)
class Control:
    """`accepted`: what the judge let through; `unrollable`: no tensor was moved by a roll."""

    accepted: tuple[str, ...]
    unrollable: bool


def negative_control(
    accepts: Callable[[Arrays], bool], right: Arrays, allowances: Mapping[str, Float]
) -> Control:
    """Spoil the `right` gradients in three ways and return which of them the judge `accepts`.

    The last layer is spoilt, where no kink can explain anything.
    """
    last = list(right)[::-1]
    name, rollable = last[0], _movable(last, right, allowances)
    spoilt = {
        f"d{name} with one entry off by {OFF:g} × allowance": _off(right[name], allowances[name]),
        f"d{name} with one entry NaN": _off(right[name], np.full_like(allowances[name], np.nan)),
    }
    accepted = [what for what, wrong in spoilt.items() if accepts(right | {name: wrong})]
    if rollable is not None:
        tensor = right[rollable]
        rolled = np.roll(tensor.ravel(), 1).reshape(tensor.shape)
        if accepts(right | {rollable: rolled}):
            accepted.append(f"d{rollable} rolled by one entry")
    return Control(tuple(accepted), rollable is None)


def _off(tensor: NDArray[np.floating], allowance: Float) -> Float:
    """`tensor` with its first entry off by `OFF` times its allowance."""
    spoilt = tensor.astype(np.float64)
    spoilt.flat[0] += OFF * allowance.flat[0]
    return spoilt


def _movable(names: list[str], right: Arrays, allowances: Mapping[str, Float]) -> str | None:
    """The first tensor that a roll moves by more than three times the allowance, or None."""
    for name in names:
        flat = right[name].ravel().astype(np.float64)
        if (np.abs(np.roll(flat, 1) - flat) > 3 * allowances[name].ravel()).any():
            return name
    return None
