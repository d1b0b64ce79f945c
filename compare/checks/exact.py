"""Units that no rounding moves: z is the same number on every side, however it is summed.

Blank rows, whole numbers, pixels in black and white: where every product of a sum is a multiple of
2**g and their sizes add up to less than 2**(g + digits), every partial sum can be represented, in
any order, and nothing is ever rounded. Such a unit on a kink has no accident of rounding for a
slope but a convention, the same for all of them; away from the kink it has one slope.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from compare.allowance.rules import ACTIVATION_RULES
from compare.allowance.squares import blocks
from compare.contracts.arrays import Float, Mask

Rows = NDArray[np.int64]
Candidates = Mapping[int, tuple[Rows, Rows]]
"""Per layer the `(rows, units)` that may be on a kink."""

TOGETHER = 512
"""Rows that are looked at together: what is made of them takes memory."""
DIGITS = 53
"""Binary digits of float64, in which every entry is looked at."""


def lowest_digit(array: NDArray[np.floating]) -> Float:
    """Return g of each entry, the largest with entry a multiple of 2**g; infinity for zero."""
    fraction, exponent = np.frexp(array.astype(np.float64))
    whole = np.ldexp(np.abs(fraction), DIGITS).astype(np.int64)
    lowest = (whole & -whole).astype(np.float64)  # its lowest bit
    found = np.full(array.shape, np.inf)
    some = whole != 0
    found[some] = np.log2(lowest[some]) + exponent[some] - DIGITS
    return found


def never_rounded(
    h: NDArray[np.floating], w: NDArray[np.floating], b: NDArray[np.floating]
) -> Mask:
    """Return whether `h @ w + b` rounds nothing, in any order of its sums, (R, H)."""
    of_rows = lowest_digit(h).min(axis=1, initial=np.inf)  # (R,)
    of_units = np.full(w.shape[1], np.inf)  # (H,)
    for _, part in blocks(w):
        np.minimum(of_units, lowest_digit(part).min(axis=0), out=of_units)
    g = np.minimum(of_rows[:, None] + of_units, lowest_digit(b))  # (R, H)
    size = np.abs(h).astype(np.float64) @ np.abs(w).astype(np.float64) + np.abs(b)
    kind = np.finfo(h.dtype)
    smallest = np.log2(float(kind.smallest_subnormal))
    with np.errstate(divide="ignore", over="ignore"):
        fits: Mask = (np.log2(size) < g + kind.nmant + 1) & (g >= smallest)
    return fits


class Forward(NamedTuple):
    """A forward pass of the reference: what went in, and its values by their names."""

    parameters: Mapping[str, NDArray[Any]]
    x: NDArray[Any]
    values: Mapping[str, NDArray[Any]]
    activation: str


def the_same_everywhere(forward: Forward, near: Candidates) -> dict[int, Mask]:
    """Return per layer of `near` whether z of each of its units is the same number on every side.

    A sum of inputs that are themselves rounded is not; an input is, where its own z is and f is
    exact, or where it is off on every side.
    """
    found = {layer: np.zeros(len(rows), dtype=bool) for layer, (rows, _) in near.items()}
    every = np.unique(np.concatenate([np.empty(0, np.int64), *(at for at, _ in near.values())]))
    for start in range(0, len(every), TOGETHER):
        first, last = every[start], every[start : start + TOGETHER][-1]
        here = {k: (rows >= first) & (rows <= last) for k, (rows, _) in near.items()}
        some = {k: (near[k][0][mask], near[k][1][mask]) for k, mask in here.items()}
        for layer, same in in_some_rows(forward, some).items():
            found[layer][here[layer]] = same
    return found


def in_some_rows(forward: Forward, near: Candidates) -> dict[int, Mask]:
    """Return the same for candidates that lie in a few rows.

    Of the last layer that has any only their own units are looked at: nothing goes on from there.
    """
    parameters, x, values, activation = forward
    last = max(near, default=0)
    rows = np.unique(np.concatenate([np.empty(0, np.int64), *(at for at, _ in near.values())]))
    exact = ACTIVATION_RULES[activation].value == 0
    h, same = x[rows], np.ones((len(rows), x.shape[1]), dtype=bool)
    found: dict[int, Mask] = {}
    for layer in range(1, last + 1):
        w = parameters[f"w{layer}"]
        b = parameters.get(f"b{layer}", np.zeros(w.shape[1], w.dtype))
        at, units = near.get(layer, (rows[:0], rows[:0]))
        at = np.searchsorted(rows, at)
        if layer == last:
            looked_at, units = np.unique(units, return_inverse=True)
            w, b = w[:, looked_at], b[looked_at]
        rounded_inputs = (~same).astype(np.float32) @ (w != 0).astype(np.float32)  # (R, H)
        fixed = never_rounded(h, w, b) & (rounded_inputs == 0)
        if layer in near:
            found[layer] = fixed[at, units]
        if layer < last:
            h = values[f"h{layer}"][rows]
            same = (fixed & exact) | (h == 0)
            same[at, units] &= fixed[at, units]
    return found
