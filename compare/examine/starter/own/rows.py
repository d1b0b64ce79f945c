"""Whether the targets of a batch are those of its rows: a loss of others is another loss, and its
gradient may be right.

Rows of inputs are found again among all the rows that there were before the first loop. The targets
beside them must then be those of the same rows, where they are known to be targets by being a part
of them. Rows that are there twice may have several targets: then a pair must be one of theirs.
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
    first, handed = data_seen(base.loop, base.supply)
    later = {name: one for name, one in handed.items() if "[" not in name}
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
                        return apart(other, batch, inputs, name)
    return other_pairs(first, handed)


def other_pairs(first: Mapping[str, Array], later: Mapping[str, Array]) -> str:
    """Return in words which rows stand beside targets that no row like them has, and beside none of
    their own: rows may be there twice, and be handed on without a name."""
    right: set[str] = set()
    wrong: dict[str, str] = {}
    for inputs, name, every, targets in tables(first):
        pairs = pairs_in(every, targets)
        of_kind = {batch: one for batch, one in later.items() if one.dtype.kind == every.dtype.kind}
        for batch, _ in batches(every, of_kind):
            rows = later[batch].astype(every.dtype)
            beside = {other: one for other, one in later.items()
                      if other != batch and is_like(one, targets, len(rows))}  # fmt: skip
            off = [one for one in beside if not pairs_in(rows, beside[one]) <= pairs]
            if len(off) < len(beside):
                right.add(batch)
            for other in (one for one in off if is_target(one, beside[one], targets)):
                wrong.setdefault(batch, apart(other, batch, inputs, name))
    return next((words for batch, words in wrong.items() if batch not in right), "")


def tables(first: Mapping[str, Array]) -> Iterator[tuple[str, str, Array, Array]]:
    """Yield two arrays of as many rows, by their names: of inputs and of targets, or others."""
    for inputs, every in first.items():
        for name, targets in first.items():
            if name != inputs and every.ndim > 1 and targets.ndim <= 2:
                if len(targets) == len(every):
                    yield inputs, name, every, targets


def is_like(one: Array, targets: Array, count: int) -> bool:
    """Whether an array may be a part of the targets of so many rows."""
    return one.dtype == targets.dtype and one.shape == (count, *targets.shape[1:])


def apart(other: str, batch: str, inputs: str, name: str) -> str:
    """Return in words that targets are not those of their rows."""
    return (
        f"in its loop the rows of {other} are not those of {batch}: {inputs} and {name} are"
        " shuffled or cut in different ways"
    )


def pairs_in(rows: Array, targets: Array) -> set[tuple[bytes, bytes]]:
    """Return which rows are beside which targets."""
    return {(row.tobytes(), one.tobytes()) for row, one in zip(rows, targets, strict=True)}


def is_target(name: str, one: Array, targets: Array) -> bool:
    """Whether an array is made of targets, by its name or as a part of them in order."""
    if (one == one[0]).all() or not np.isin(one, targets).all():
        return False
    return data_role(name.partition("[")[0]) == "y" or is_cut_of(one, targets)


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
    return is_cut_of(one, targets)


def is_cut_of(one: Array, targets: Array) -> bool:
    """Whether an array is a part of the targets, in order."""
    count = len(one)
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
