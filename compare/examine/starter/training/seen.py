"""The weights, the rows and the targets among the arrays that were seen of a training.

Weights are what a turn of the loop changes: matrices that lead from as many inputs as there are to
as many outputs as the targets have, and beside each a bias of its width, or none. Rows are known
again by their numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.examine.starter.training.supply import Supply, data_role, is_aside
from compare.examine.starter.training.watch import Snapshot

MOST_LAYERS, MOST_MATRICES = 6, 20


@dataclass(frozen=True)
class Data:
    """All rows of a training: inputs `(N, F)`, targets `(N, K)`, their names and whether they are
    kept in `columns`."""

    x: Array
    targets: Array
    names: tuple[str, str]
    columns: bool

    @cached_property
    def by_row(self) -> dict[bytes, int]:
        """The number of each row, by its numbers."""
        return {row.tobytes(): i for i, row in enumerate(self.x)}

    def are_numbers(self, array: Array) -> bool:
        """Whether an array has numbers of rows, each once, and not of all."""
        if array.dtype.kind not in "iu" or array.ndim != 1 or not 1 < array.size < len(self.x):
            return False
        return bool(0 <= array.min() and array.max() < len(self.x)
                    and len(np.unique(array)) == array.size)  # fmt: skip

    def rows(self, batch: Array) -> list[int] | None:
        """Which rows a batch has, in its order; None where it holds anything else."""
        single = batch.ndim == 1  # a loop over single rows
        laid = batch[np.newaxis] if single else batch.T if self.columns else batch
        if laid.ndim != 2 or laid.shape[1] != self.x.shape[1]:
            return None
        found = [self.by_row.get(row.tobytes()) for row in np.ascontiguousarray(laid, float)]
        return None if None in found else [one for one in found if one is not None]


def data_in(seen: Sequence[Snapshot], supply: Supply) -> list[Data]:
    """Return the inputs and targets of a training: those there were first, by their names, or else
    by their numbers."""
    by_name = ({way: data_role(way.rpartition(".")[2]) for way in one} for one in seen)
    by_numbers = ({way: role_of(array, supply) for way, array in one.items()} for one in seen)
    for roles in (by_name, by_numbers):
        for first, named in zip(seen, roles, strict=True):
            if found := list(data_at(first, named)):
                return found
    return []


def role_of(array: Array, supply: Supply) -> str:
    """Return `x` or `y` for rows of ours; else nothing."""
    same = {"x": np.array_equal(array, supply.x), "y": np.array_equal(array, supply.y)}
    return next((role for role, one in same.items() if one), "")


def data_at(first: Snapshot, named: Mapping[str, str]) -> Iterator[Data]:
    """Yield the inputs and targets among some arrays, by their parts and their number of rows."""
    inputs = [way for way, role in named.items() if role == "x" and first[way].ndim == 2]
    outputs = [way for way, role in named.items() if role == "y"]
    pairs = ((one, other) for one in inputs for other in outputs if aside(one) == aside(other))
    for x_way, y_way in sorted(pairs, key=lambda pair: aside(pair[0])):
        x, y = np.asarray(first[x_way], float), first[y_way]
        for columns in (False, True):
            laid = np.ascontiguousarray(x.T) if columns else x
            targets = in_rows(y, len(laid), columns=columns)
            if targets is not None and len({row.tobytes() for row in laid}) == len(laid):
                yield Data(laid, targets, (x_way, y_way), columns)


def aside(way: str) -> bool:
    """Return whether an array is of a set that nobody trains on."""
    return is_aside(way.rpartition(".")[2])


def in_rows(y: Array, count: int, *, columns: bool) -> Array | None:
    """Return targets as rows; class numbers as one column. None where they are not so many."""
    if y.ndim == 1:
        return y.astype(float)[:, None] if len(y) == count else None
    laid = y.T if columns else y
    return (
        np.ascontiguousarray(laid, float) if len(laid) == count and laid.shape != (1, 1) else None
    )


@dataclass(frozen=True)
class Chain:
    """Where the weights of a network are: a way to each matrix, and to its bias or nothing."""

    weights: tuple[str, ...]
    biases: tuple[str, ...]
    transposed: bool

    def parameters(self, seen: Snapshot) -> Arrays:
        """Return them by their names, `(fan_in, fan_out)` and `(fan_out,)`."""
        found: Arrays = {}
        for number, (w, b) in enumerate(zip(self.weights, self.biases, strict=True), 1):
            found[f"w{number}"] = np.array(
                seen[w].T if self.transposed else seen[w], float, order="C"
            )
            if b:
                found[f"b{number}"] = np.array(seen[b], float).ravel()
        return found

    def ways(self) -> dict[str, str]:
        """Return where each parameter is."""
        found = {f"w{number}": way for number, way in enumerate(self.weights, 1)}
        return found | {f"b{number}": way for number, way in enumerate(self.biases, 1) if way}


def chains(
    pairs: Sequence[tuple[Snapshot, Snapshot]], inputs: int, outputs: Sequence[int]
) -> Iterator[Chain]:
    """Yield the networks among the arrays that change in each turn."""
    first = pairs[0][0]
    moved = [way for way in first if all(moves(way, *pair) for pair in pairs)]
    moved = distinct(moved, first, pairs[-1][1])
    still = [way for way in first if first[way].dtype.kind == "f"
             and not any(moves(way, *pair) for pair in pairs)]  # fmt: skip
    matrices = [way for way in moved if first[way].ndim == 2 and first[way].std() > 0]
    for transposed in (False, True):
        shapes = {way: first[way].shape[:: -1 if transposed else 1] for way in matrices}
        for ways in paths(shapes, inputs, set(outputs), ()):
            widths = [shapes[way][1] for way in ways]
            biases = biases_of(ways, widths, moved, first)
            if any(biases) and not all(biases):  # one of them is never moved
                called = [way for way in still if is_bias(way, biases)]
                more = biases_of(ways, widths, [*moved, *called], first)
                biases = tuple(one or other for one, other in zip(biases, more, strict=True))
            yield Chain(ways, biases, transposed)


def is_bias(way: str, others: Sequence[str]) -> bool:
    """Return whether an array is called like a bias, or stands beside others in one list."""
    parent, _, last = way.rpartition(".")
    beside = bool(parent) and any(one.rpartition(".")[0] == parent for one in others if one)
    called = re.fullmatch(r"b|b_?\d+|b_?(out|output|o|y|h|hidden)|.*bias.*", last.lower())
    return bool(called) or (beside and last.isdigit())


def moves(way: str, before: Snapshot, after: Snapshot) -> bool:
    """Return whether an array of numbers is another one of the same shape after a turn."""
    one, other = before.get(way), after.get(way)
    if one is None or other is None or one.shape != other.shape or one.dtype.kind != "f":
        return False
    return bool((one != other).any())


def distinct(ways: Sequence[str], first: Snapshot, last: Snapshot) -> list[str]:
    """Return the ways without those to an array that an earlier one leads to."""
    found: dict[tuple[bytes, bytes], str] = {}
    for way in ways:
        found.setdefault((first[way].tobytes(), last[way].tobytes()), way)
    return list(found.values())


def paths(
    shapes: Mapping[str, tuple[int, ...]], width: int, outputs: set[int], ahead: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    """Yield the ways from the inputs to the outputs, each matrix once."""
    if len(ahead) == MOST_LAYERS or len(shapes) > MOST_MATRICES:
        return
    for way, (fan_in, fan_out) in shapes.items():
        if way not in ahead and fan_in == width:
            if fan_out in outputs and len(ahead):
                yield (*ahead, way)
            yield from paths(shapes, fan_out, outputs, (*ahead, way))


def biases_of(
    weights: Sequence[str], widths: Sequence[int], moved: Sequence[str], first: Snapshot
) -> tuple[str, ...]:
    """Return the bias beside each matrix: of its width, and nearest to it by name."""
    found: list[str] = []
    for way, width in zip(weights, widths, strict=True):
        free = [one for one in moved if one not in (*weights, *found)]
        fitting = [one for one in free if first[one].size == width
                   and 1 in (first[one].ndim, *first[one].shape)]  # fmt: skip
        found.append(max(fitting, key=lambda one: likeness(one, way), default=""))
    return tuple(found)


def likeness(bias: str, weight: str) -> float:
    """Return how well a name of a bias belongs to that of a matrix."""
    last, other = bias.split("."), weight.split(".")
    same = sum(one == two for one, two in zip(last, other, strict=False))
    digits = [one for one in bias if one.isdigit()] == [one for one in weight if one.isdigit()]
    called = "b" in last[-1].lower() or any("b" in one.lower() for one in last)
    velocity = any(one[:1].lower() in "vmdg" for one in last[-1:])
    return same + digits + called - velocity - abs(len(last) - len(other))
