"""What the file shows alone, from whatever start: columns that are one, rows that are no rows."""

from __future__ import annotations

import numpy as np

from compare.contracts.result import Diagnosis
from compare.examine.curves.held import LoggedCurves
from compare.mistakes.catalogue import named

SAME_COLUMN = {
    "test": ("validation", "test-is-validation"),
    "validation": ("train", "validation-is-training"),
}
ENOUGH = 3
"""Two columns are one where all their numbers are equal, and so many of them different."""
UNIT = 2 * float(np.finfo(np.float64).eps)
"""The division of the count, and the product that undoes it, round."""
SURE = 0.25
"""A count of rows known to this much of a row says whether it is whole."""


def doubled(held: LoggedCurves, name: str) -> list[Diagnosis]:
    """Name a curve that is another column of the file over again."""
    which, _, quantity = name.partition("_")
    other, mistake = SAME_COLUMN.get(which, ("", ""))
    twin = f"{other}_{quantity}"
    if twin not in held.seen or not same_column(held, name, twin):
        return []
    known = named(mistake)
    away = held.worst(name).ratio
    return [Diagnosis(known.name, known.sentence, away, 0.0, title=known.title)]


def same_column(held: LoggedCurves, one: str, other: str) -> bool:
    """Whether two columns hold the same numbers, and not only one number over and over."""
    both = held.there[one] & held.there[other]
    left, right = held.seen[one][both], held.seen[other][both]
    return len(np.unique(left)) >= ENOUGH and bool(np.array_equal(left, right))


def no_whole_rows(held: LoggedCurves, name: str) -> str:
    """Say at which epoch an accuracy first is no number of whole rows; empty if all could be."""
    which, _, quantity = name.partition("_")
    if quantity != "accuracy":
        return ""
    rows, there = held.rows[which], held.there[name]
    counted = rows * held.seen[name]
    slack = rows * (np.nan_to_num(held.unit(name)) + UNIT)
    off = there & (np.abs(counted - np.round(counted)) > slack) & (slack < SURE)
    if not off.any():
        return ""
    at = int(np.argmax(off))
    return (
        f"{name.replace('_', ' ')} at epoch {at} is {counted[at]:.2f} of {rows} rows: no accuracy "
        "of all rows is that; a mean over batches may be"
    )
