"""Whether the targets of a batch are those of its rows: a loss of others is another loss, and its
gradient may be right.

Rows of inputs are found again among all the rows that there were before the first loop. The targets
beside them must then be those of the same rows, where they are known to be targets by being a part
of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.own.groups import Base
from compare.examine.starter.own.replay import data_seen
from compare.examine.starter.training.supply import data_role

LEAST = 4
HELD_OUT = re.compile(r"test|val|dev|hold|held", re.IGNORECASE)


def other_rows(base: Base) -> str:
    """Return in words which targets are not those of their rows; nothing where all are."""
    first, later = data_seen(base.loop, base.supply)
    for inputs, every in first.items():
        if every.ndim < 2 or len(np.unique(every, axis=0)) < len(every) or every.dtype.kind != "f":
            continue
        whole = {name: one for name, one in first.items()
                 if name != inputs and len(one) == len(every) and one.ndim <= 2}  # fmt: skip
        for batch, rows in batches(every, later):
            for name, targets in whole.items():
                for other, one in later.items():
                    if HELD_OUT.search(other):
                        continue  # they go with other inputs
                    if is_of_others(one, targets, rows) or (
                        data_role(other) == "y" and is_drawn_apart(later, one, targets, rows)
                    ):
                        return (
                            f"in its loop the rows of {other} are not those of {batch}: {inputs}"
                            f" and {name} are shuffled or cut in different ways"
                        )
    return ""


def batches(every: Array, later: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """Yield what is made of rows of all, and of which."""
    places = {row.tobytes(): place for place, row in enumerate(every)}
    for name, one in later.items():
        if one.ndim == every.ndim and one.shape[1:] == every.shape[1:] and len(one) >= LEAST:
            found = [places.get(row.tobytes()) for row in one.astype(every.dtype)]
            if None not in found and len(set(found)) > 1:
                yield name, np.array(found)


def is_of_others(one: Array, targets: Array, rows: Array) -> bool:
    """Whether an array is a part of the targets, in order, and of other rows than these."""
    if one.dtype != targets.dtype or one.shape != targets[rows].shape:
        return False
    if np.array_equal(one, targets[rows]) or (one == one[0]).all():
        return False
    count = len(rows)
    return any(np.array_equal(one, targets[start : start + count])
               for start in range(len(targets) - count + 1))  # fmt: skip


def is_drawn_apart(later: Mapping[str, Array], one: Array, targets: Array, rows: Array) -> bool:
    """Whether an array is made of targets, and neither it nor another is that of these rows."""
    due = targets[rows]
    alike = [other for other in later.values()
             if other.dtype == due.dtype and other.shape == due.shape]  # fmt: skip
    if not any(one is other for other in alike) or any(np.array_equal(a, due) for a in alike):
        return False
    return bool(np.isin(one, targets).all()) and not (one == one[0]).all()
