"""Targets that a loop makes of the class number of each row: whether they are that row's.

    targets = np.zeros(3) + 0.01
    targets[label] = 0.99
    net.train(image, targets)

The row is known again by its numbers, its class by the class numbers that lie beside the rows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice, pairwise

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.training.program import Program
from compare.examine.starter.training.trained import runs
from compare.examine.starter.training.watch import Snapshot

SECONDS = 2.0
SUPPLIES, TURNS, MOST = 2, 3, 4
"""So many kinds of rows are tried; so many turns at least, of so many arrays, tell anything."""
Turn = tuple[Snapshot, Snapshot]


def shifted_targets(program: Program) -> tuple[int, str] | None:
    """The loop whose targets are those of the class before or after that of their rows, and the
    name of the class numbers; None where none is."""
    until = time.process_time() + SECONDS
    for _, recorder in islice(runs(program, until), SUPPLIES):
        for loop, several in recorder.runs.items():
            turns = [pair for run in several for pair in pairwise(run)]
            if len(turns) >= TURNS and (named := shifted_in(turns)):
                return loop, named
    return None


def shifted_in(turns: list[Turn]) -> str:
    """The class numbers to which all targets of some turns are shifted by one; empty if none."""
    found: dict[str, set[int]] = {}
    for rows_way, labels_way in islice(beside(turns[0][0]), MOST):
        for row_way in singles(turns[0][0], turns[0][0][rows_way].shape[1]):
            for target_way in made_in(turns, int(turns[0][0][labels_way].max()) + 1):
                ways = rows_way, labels_way, row_way, target_way
                shifts = {shift_of(turn, *ways) for turn in turns}
                if len(shifts) == 1 and None not in shifts:
                    found.setdefault(labels_way, set()).update(one or 0 for one in shifts)
    right = any(0 in shifts for shifts in found.values())
    return "" if right else next((way for way, one in found.items() if one <= {1, -1}), "")


def beside(seen: Snapshot) -> Iterator[tuple[str, str]]:
    """The matrices of rows, no two alike, with class numbers from 0 for each."""
    for way, array in seen.items():
        if array.ndim == 2 and array.dtype.kind == "f" and len(np.unique(array, axis=0)) > TURNS:
            for other, labels in seen.items():
                whole = labels.ndim == 1 and labels.dtype.kind in "iu"
                if whole and len(labels) == len(array) and labels.min() == 0 < labels.max():
                    if len(np.unique(labels)) == labels.max() + 1 < len(labels):
                        yield way, other


def singles(seen: Snapshot, width: int) -> list[str]:
    """The vectors of one width."""
    return [way for way, array in seen.items() if array.dtype.kind == "f" and array.size == width]


def made_in(turns: list[Turn], classes: int) -> list[str]:
    """The vectors of as many entries as there are classes that every turn leaves."""
    ways = singles(turns[0][1], classes)
    return [way for way in ways if all(way in after and is_one_hot(after[way])
                                       for _, after in turns)]  # fmt: skip


def is_one_hot(array: Array) -> bool:
    """Whether one entry is larger than the others, which are equal."""
    ordered = np.sort(array.ravel())
    return bool(ordered[0] == ordered[-2] < ordered[-1])


def shift_of(turn: Turn, rows: str, labels: str, row: str, target: str) -> int | None:
    """How far the class of a target is from that of its row, around the classes."""
    before, after = turn
    if not {rows, labels, row} <= set(before):
        return None
    at = np.flatnonzero((before[rows] == before[row].ravel()).all(axis=1))
    if len(at) != 1:
        return None
    classes = int(before[labels].max()) + 1
    shift = (int(after[target].argmax()) - int(before[labels][at[0]])) % classes
    return shift if shift < classes - 1 else -1
