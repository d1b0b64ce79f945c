"""Running statistics: what a side carries along beside its parameters, update by update.

    mean <- (1 - 0.1) mean + 0.1 mu        variance <- (1 - 0.1) variance + 0.1 v N / (N - 1)

They start where the side's own record had them, so only rounding can differ: that of the batch's
statistics, and of the sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from compare.allowance import Arithmetic
from compare.allowance.dense import Dense
from compare.checks.comparison import Comparison, compare_entries
from compare.checks.examined import Expected
from compare.contracts.arrays import Array, Float
from compare.contracts.between import running
from compare.contracts.records import Record

AnyRecord = TypeVar("AnyRecord", bound=Record)
MOMENTUM = 0.1
"""torch's: the share of the new batch."""


def compare_running(
    expected: Expected, state: Mapping[str, Array], arithmetic: Arithmetic
) -> dict[str, Comparison]:
    """Compare the running statistics that follow an evaluation with the reference's."""
    found: dict[str, Comparison] = {}
    for name, theirs in running(expected.point.values).items():
        if name in state:
            allowance = allowed(expected, name, theirs, arithmetic)
            found[name] = compare_entries(name, state[name], theirs, allowance)
    return found


def over_rows(expected: Expected, state: Mapping[str, Array], arithmetic: Arithmetic) -> bool:
    """Return whether the running statistics are right with a variance of the batch over N."""
    for name, theirs in running(expected.point.values).items():
        inside = expected.point.inside[int(name.lstrip("_abcdefghijklmnopqrstuvwxyz"))]
        due = theirs.astype(np.float64)
        if name.startswith("running_var"):
            due = due - MOMENTUM * inside.z.var(axis=0) / (inside.count - 1)
        allowance = allowed(expected, name, theirs, arithmetic)
        if name not in state or not (np.abs(state[name] - due) <= allowance).all():
            return False
    return True


def allowed(expected: Expected, name: str, after: Array, arithmetic: Arithmetic) -> Float:
    """Return the allowance of one of them, (H,); `after` is the reference's."""
    kind, layer = name.rstrip("0123456789"), int(name.lstrip("_abcdefghijklmnopqrstuvwxyz"))
    inside = expected.point.inside[layer]
    spread = expected.point.allowances.forward.shown[f"z{layer}"]
    assert isinstance(spread, Dense)
    of_mu, of_v = inside.statistics(spread.square, arithmetic)
    rows = inside.count
    new = of_mu if kind == "running_mean" else of_v * (rows / (rows - 1)) ** 2
    size = np.abs(after.astype(np.float64)) + np.abs(inside.mu if kind == "running_mean" else 0.0)
    found = MOMENTUM * np.sqrt(new) + 3 * arithmetic.unit * size + arithmetic.floor()
    return np.ravel(found)


def without_running(record: AnyRecord) -> AnyRecord:
    """Return a record whose state is the optimiser's alone."""
    state = {k: v for k, v in record.state.items() if k not in running(record.state)}
    return replace(record, state=state)  # type: ignore[type-var]  # both record classes are dataclasses
