"""Running statistics: what a side carries along beside its parameters, update by update.

    mean <- (1 - 0.1) mean + 0.1 mu        variance <- (1 - 0.1) variance + 0.1 v N / (N - 1)

They start where the side's own record had them, so only rounding can differ: that of the batch's
statistics, and of the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """Compare the running statistics that follow a pass in training with the reference's.

    In evaluation, and of a batch of one row, nothing follows. (1, H) is as good as (H,).
    """
    found: dict[str, Comparison] = {}
    for name, theirs in running(expected.point.values).items():
        follows = expected.point.inside[layer_of(name)].count > 1
        if follows and np.size(state.get(name, ())) == theirs.size:
            allowance = allowed(expected, name, theirs, arithmetic)
            found[name] = compare_entries(
                name, np.reshape(state[name], theirs.shape), theirs, allowance
            )
    return found


def layer_of(name: str) -> int:
    """Return the layer of `running_mean3`."""
    return int(name.lstrip("_abcdefghijklmnopqrstuvwxyz"))


def over_n(kind: str, old: Float, new: Float, rows: int) -> Float:
    """The variance of the batch over N; `new` is that over N - 1."""
    shrunk = new * (rows - 1) / rows if kind == "running_var" else new
    return (1 - MOMENTUM) * old + MOMENTUM * shrunk


def exchanged(kind: str, old: Float, new: Float, rows: int) -> Float:
    """The share of the old where that of the new belongs."""
    return MOMENTUM * old + (1 - MOMENTUM) * new


SLIPS: dict[str, Callable[[str, Float, Float, int], Float]] = {
    "running-variance-over-n": over_n,
    "running-shares-exchanged": exchanged,
}


def slip_of(expected: Expected, state: Mapping[str, Array], arithmetic: Arithmetic) -> str | None:
    """Return which of the slips reproduces all running statistics, None if none does."""
    return next(
        (
            name
            for name, slip in SLIPS.items()
            if all(
                reproduced(slip, expected, state, one, after, arithmetic)
                for one, after in running(expected.point.values).items()
            )
        ),
        None,
    )


def reproduced(
    slip: Callable[[str, Float, Float, int], Float],
    expected: Expected,
    state: Mapping[str, Array],
    name: str,
    after: Array,
    arithmetic: Arithmetic,
) -> bool:
    """Return whether a slip gives the statistic `name` of a state; `after` is the reference's."""
    if np.size(state.get(name, ())) != after.size:
        return False
    kind, inside = name.rstrip("0123456789"), expected.point.inside[layer_of(name)]
    new = inside.mu if kind == "running_mean" else inside.z.var(axis=0, ddof=1)
    new = np.ravel(new).astype(np.float64)
    old = (after.astype(np.float64) - MOMENTUM * new) / (1 - MOMENTUM)
    # With the shares exchanged nine times as much of the batch's rounding comes through.
    allowance = (1 - MOMENTUM) / MOMENTUM * allowed(expected, name, after, arithmetic)
    seen = np.reshape(state[name], after.shape)
    return bool((np.abs(seen - slip(kind, old, new, inside.count)) <= allowance).all())


def allowed(expected: Expected, name: str, after: Array, arithmetic: Arithmetic) -> Float:
    """Return the allowance of one of them, (H,); `after` is the reference's."""
    kind, layer = name.rstrip("0123456789"), layer_of(name)
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
