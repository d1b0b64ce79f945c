"""The negative control: in every run the judge is shown what it must reject.

The same comparison, three times spoilt: a tensor rolled by one, one entry off by 100 times its
allowance, and one entry NaN. A judge that accepts any of them is broken, and says so with its own
exit code; a tensor that a roll hardly moves shows nothing, which is weak, not broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compare.checks.comparison import compare_entries

Float = NDArray[np.float64]
OFF = 100.0


@dataclass(frozen=True, slots=True)
class Control:
    """`accepted`: what the judge let through; `unrollable`: no tensor was moved by a roll."""

    accepted: tuple[str, ...]
    unrollable: bool


def negative_control(
    gradients: Mapping[str, NDArray[np.floating]],
    reference: Mapping[str, NDArray[np.floating]],
    allowances: Mapping[str, Float],
) -> Control:
    """Spoil `gradients` in three ways and return which of them the comparison accepts."""
    accepted: list[str] = []
    rollable = _movable(reference, allowances)
    if rollable is not None:
        rolled = np.roll(gradients[rollable].ravel(), 1).reshape(gradients[rollable].shape)
        if compare_entries(rollable, rolled, reference[rollable], allowances[rollable]).agrees:
            accepted.append(f"d{rollable} rolled by one entry")
    name = next(iter(reference))
    for what, entry in (("one entry off by 100 x allowance", None), ("one entry NaN", np.nan)):
        spoilt = np.array(reference[name], dtype=np.float64)
        spoilt.flat[0] = spoilt.flat[0] + OFF * allowances[name].flat[0] if entry is None else entry
        if compare_entries(name, spoilt, reference[name], allowances[name]).agrees:
            accepted.append(f"d{name} with {what}")
    return Control(tuple(accepted), rollable is None)


def _movable(
    reference: Mapping[str, NDArray[np.floating]], allowances: Mapping[str, Float]
) -> str | None:
    """A tensor that a roll moves by more than three times the allowance somewhere, or None."""
    for name, tensor in reference.items():
        flat = tensor.ravel().astype(np.float64)
        if (np.abs(np.roll(flat, 1) - flat) > 3 * allowances[name].ravel()).any():
            return name
    return None
