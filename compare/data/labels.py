"""From stored labels to class numbers 0 to K-1.

Accepted are whole numbers (of any numeric type; one column is as good as one dimension), one-hot
rows, and single capital letters with A as 0, B as 1, ... Numbers are never renumbered: classes
1 to 10, or 3 and 7, are an error, because a guess here would hide a damaged file.
"""

from __future__ import annotations

from string import ascii_uppercase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.errors import BadInput
from compare.data.raw import Raw

Numbers = NDArray[np.int64]

LARGEST_CLASS = 2**31
"""No class number reaches this; below it every number is exact in float64."""


def as_numbers(raw: Raw) -> Numbers:
    """Return labels (n,) int64, each at least 0; raises `BadInput`."""
    values, where = raw.values, raw.where
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim not in (1, 2) or values.size == 0:
        raise BadInput(
            f"{where} has shape {values.shape}: labels need shape (samples,), or"
            " (samples, classes) when they are one-hot"
        )
    if values.dtype.kind in "US" and values.ndim == 1:
        return from_letters(values, where)
    if values.dtype.kind not in "biuf":
        raise BadInput(
            f"{where} has values of type {values.dtype}: labels must be whole numbers,"
            " one-hot rows or single capital letters"
        )
    return from_numbers(values, where) if values.ndim == 1 else from_one_hot(values, where)


def from_letters(values: NDArray[Any], where: str) -> Numbers:
    """Number the letters A, B, C, ... from 0."""
    letters = np.array(list(ascii_uppercase)).astype(f"{values.dtype.kind}1")
    known = np.isin(values, letters)
    if not known.all():
        raise BadInput(
            f"{where} has something else than a single capital letter at row"
            f" {np.argmin(known)}: text labels must be A for class 0, B for class 1 and so on"
        )
    numbers: Numbers = np.searchsorted(letters, values).astype(np.int64)
    return numbers


def from_numbers(values: NDArray[Any], where: str) -> Numbers:
    """Take whole numbers of any numeric type; NaN fails every comparison and so is refused."""
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float64)
    valid = (numbers >= 0) & (numbers < LARGEST_CLASS) & (numbers == np.floor(numbers))
    if not valid.all():
        row = np.argmin(valid)
        raise BadInput(
            f"{where} has the label {values[row]} at row {row}, counted from 0:"
            " labels must be whole numbers from 0 to K-1 for K classes"
        )
    return numbers.astype(np.int64)


def from_one_hot(values: NDArray[Any], where: str) -> Numbers:
    """Take the column of the single 1 in each row."""
    one_hot = ((values == 0) | (values == 1)).all(axis=1) & (np.count_nonzero(values, axis=1) == 1)
    if not one_hot.all():
        raise BadInput(
            f"{where} has shape {values.shape} and is not one-hot at row {np.argmin(one_hot)},"
            " counted from 0: each row needs a single 1 among zeros, or give labels (samples,)"
        )
    numbers: Numbers = values.argmax(axis=1).astype(np.int64)
    return numbers


def count_classes(labels: Numbers, where: str) -> int:
    """Return K; refuse one class only and numbers that no sample has."""
    present = np.unique(labels)
    if len(present) == 1:
        raise BadInput(
            f"{where} has one class only (every label is {present[0]}):"
            " a classifier needs samples of at least two"
        )
    gaps = np.flatnonzero(present != np.arange(len(present)))
    if len(gaps):
        raise BadInput(
            f"{where} has labels up to {present[-1]} but none is {gaps[0]}: number the K classes"
            " from 0 to K-1 without gaps (subtract 1 where they begin at 1)"
        )
    return len(present)
