"""Why an answer depends on the order of the rows: rows without effect, targets of other rows.

    another target in row j:  dw_L changes by h_k' d   (H, 1) @ (1, K)

for the one row k of inputs that the code compares with target j. So the changed columns of dw_L
say which row that is, whatever the loss; k = j in all code that keeps inputs and targets together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from compare.contracts.arrays import Arrays
from compare.contracts.records import depth
from compare.points.probe import Probe

Answer = tuple[float, Arrays]
Ask = Callable[[Probe], Answer]
ALONG = 1e-6
"""Sine of the angle up to which a change lies along a row of hidden units, in any format."""


def why_order_counts(ask: Ask, probe: Probe, inputs: NDArray[np.floating] | None) -> str:
    """Say which rows have no effect, or whose targets are those of other rows; "" for neither.

    `inputs` of the last layer, (N, H), by the reference; None where they cannot be told.
    """
    first = ask(probe)
    idle = [i for i, other in with_other_rows(probe) if same(ask(other), first)]
    rows = len(probe.x)
    if idle:
        return f"{len(idle)} of {rows} rows have no effect on loss and gradients: {runs(idle)}"
    met = [] if inputs is None else list(rows_met(ask, probe, first, inputs))
    if sorted(met) != list(range(rows)) or met == list(range(rows)):
        return ""
    j = next(j for j, k in enumerate(met) if j != k)
    return (
        "inputs and targets of different rows are put together: "
        f"the target of row {j} with the inputs of row {met[j]}"
    )


def with_other_rows(probe: Probe) -> Iterator[tuple[int, Probe]]:
    """Yield every row's number and the probe with that row replaced by another one."""
    for i, x in enumerate(probe.x):
        changed = probe.x.copy(), probe.targets.copy()
        changed[0][i] = 2 * probe.x[i - 1] - x
        changed[1][i] = another_target(probe.targets, i)
        yield i, replace(probe, x=changed[0], targets=changed[1])


def another_target(targets: NDArray[np.floating], i: int) -> NDArray[np.floating]:
    """Return the first target that is not that of row i."""
    others = np.flatnonzero((targets != targets[i]).any(axis=1))
    found: NDArray[np.floating] = targets[others[0]] if others.size else 1 - targets[i]
    return found


def rows_met(ask: Ask, probe: Probe, first: Answer, inputs: NDArray[np.floating]) -> Iterator[int]:
    """Yield for every target the row of inputs that it is compared with, -1 where none fits."""
    last = f"w{depth(probe.parameters)}"
    units = inputs / np.maximum(np.linalg.norm(inputs, axis=1, keepdims=True), 1e-300)
    for j in range(len(probe.x)):
        targets = probe.targets.copy()
        targets[j] = another_target(probe.targets, j)
        change = ask(replace(probe, targets=targets))[1][last] - first[1][last]  # (H, K)
        column = change[:, np.abs(change).sum(axis=0).argmax()].astype(np.float64)
        across = np.linalg.norm(column - units * (units @ column)[:, None], axis=1)
        best = int(across.argmin())
        fits = across[best] <= ALONG * np.linalg.norm(column) and bool(column.any())
        yield best if fits else -1


def same(one: Answer, other: Answer) -> bool:
    """Return whether two answers are equal to the last bit."""
    return one[0] == other[0] and all(np.array_equal(one[1][k], other[1][k]) for k in one[1])


def runs(numbers: list[int]) -> str:
    """Return ascending numbers as "0, 3 to 5"."""
    ends = [i for i, n in enumerate(numbers) if n + 1 not in numbers[i + 1 : i + 2]]
    starts = [0, *(i + 1 for i in ends[:-1])]
    pairs = [(numbers[start], numbers[end]) for start, end in zip(starts, ends, strict=True)]
    return ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in pairs)
