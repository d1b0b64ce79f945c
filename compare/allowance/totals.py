"""The allowance of a plain sum over the batch: of the losses, and of any column of numbers."""

from __future__ import annotations

from math import sqrt

import numpy as np

from compare.allowance.arithmetic import Arithmetic
from compare.allowance.near_duplicates import near_duplicates
from compare.allowance.sums import SHORT, of_alike_terms, over_batch, own_square
from compare.contracts.arrays import Float


def total_allowance(
    terms: Float, allowances: Float, weights: Float, arithmetic: Arithmetic
) -> Float:
    """Return A(sum_n terms_n), over the first axis: rounding of the sum, then the terms' own."""
    squares = (allowances * allowances).reshape(len(terms), -1)
    carried = np.sqrt(weights[None] @ squares).reshape(terms.shape[1:])
    rounding = rounding_of_total(terms, arithmetic)
    total: Float = rounding + carried + len(terms) * arithmetic.floor()
    return total


def rounding_of_total(terms: Float, arithmetic: Arithmetic) -> Float:
    """Return what `sum_n terms_n` over the first axis may lose by rounding, in the worst order."""
    count = len(terms)
    flat = terms.reshape(count, -1)
    size = np.add.reduce(np.abs(flat))
    left = np.divide(np.add.reduce(flat), size, out=np.zeros_like(size), where=size > 0)  # S / T
    left *= left
    square = own_square(roundings(flat, size, arithmetic), 1.0, left)
    rounding: Float = arithmetic.unit * size * np.sqrt(square)
    return rounding.reshape(terms.shape[1:])


def rounding_of_losses(losses: Float, arithmetic: Arithmetic) -> float:
    """Return the same for the losses of a batch, none negative."""
    total = float(np.add.reduce(losses))
    found = roundings(losses[:, None], np.array([total]), arithmetic)
    times = float(found[0]) if isinstance(found, np.ndarray) else found
    return arithmetic.unit * total * sqrt(own_square(times, 1.0, 1.0))


def roundings(columns: Float, sizes: Float, arithmetic: Arithmetic) -> Float | float:
    """Return as how many independent roundings the sum of each column counts; `sizes`: its T."""
    count = len(columns)
    times = over_batch(count)
    near = None if count <= SHORT else near_duplicates(columns, arithmetic.roundoff * sizes)
    return times if near is None else times + of_alike_terms(count, count * near.share)
