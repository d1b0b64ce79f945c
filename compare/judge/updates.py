"""The updates that a diagnosis looks at: the first wrong ones, and the last right one before them.

In a training a right one is kept at every update, for the case that the next one is wrong. Of its
large arrays some rows are enough: an update moves each entry by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from compare.contracts.arrays import Arrays
from compare.contracts.records import Record

KEPT = 4
"""So many wrong updates are kept for the diagnosis."""
SOME = 1 << 14
"""Of larger arrays of a right update about so many entries are kept."""


@dataclass(frozen=True, slots=True)
class SomeOf:
    """What a record shows of an update, of large arrays some rows, spread evenly."""

    update: int
    parameters: Arrays
    gradients: Arrays
    state: Arrays


Transition = tuple[Record, Record]


@dataclass
class Updates:
    """The first wrong updates, as records before and after; how many right ones came before.

    `right`: the last of these. `right_since`: right ones came after a wrong one.
    """

    wrong: list[Transition] = field(default_factory=list)
    right: list[tuple[Record | SomeOf, Record | SomeOf]] = field(default_factory=list)
    right_before: int = 0
    right_since: bool = False

    def see(self, before: Record, after: Record, *, right: bool, some: bool = False) -> None:
        """Count a right update, keep a wrong one; of a right one only `some`, or all of it."""
        if right and self.wrong:
            self.right_since = True
        elif right:
            self.right_before += 1
            self.right = [(some_of(before), some_of(after)) if some else (before, after)]
        elif len(self.wrong) < KEPT:
            self.wrong.append((before, after))


def some_of(record: Record) -> SomeOf:
    """Return some rows of a record, in memory of their own."""
    shown = (record.parameters, record.gradients, record.state)
    return SomeOf(record.update, *({k: some_rows(a) for k, a in one.items()} for one in shown))


def some_rows(array: np.ndarray) -> np.ndarray:
    """Return an array that is not large; of a large one every so many rows, copied."""
    if array.size <= SOME:
        return array
    return array[:: -(-array.size // SOME)].copy()
