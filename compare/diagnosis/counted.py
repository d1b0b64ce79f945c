"""Which weights of the classes make a consistent pair right, or which class does not count.

Every gradient of a weighted cross-entropy is linear in the weights of the classes,

    D dw = sum_c w_c G_c        G_c the gradient of the sum over the rows of class c

with D = 1 for a sum, N for a mean over the rows, and sum_c w_c N_c for the mean as torch has it:
then sum_c w_c (G_c - N_c dw) = 0, linear as well, and any multiple of the weights says the same. An
ignored class is one of weight 0 beside others that are equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from compare.contracts.arrays import Float
from compare.contracts.objective import REDUCTIONS, Objective, is_penalised
from compare.diagnosis.observation import Observation
from compare.textbook import Pass

CLOSE = {"float64": 1e-9, "float32": 1e-3}
"""What may be left of equations, relative to them, by weights that solve them."""
DIGITS = {"float64": 6, "float32": 3}
"""So many digits of a weight are believed."""
MOST_CLASSES = 64


def counted(seen: Sequence[Observation]) -> Iterator[Objective]:
    """Yield the objectives whose class weights solve the equations of all gradients seen."""
    if not 2 <= seen[0].point.targets.shape[1] <= MOST_CLASSES or not all(map(complete, seen)):
        return
    of_classes = [gradients_of_classes(one) for one in seen]
    dws = [flat(one.seen[f"d{name}"] for name in one.point.parameters) for one in seen]
    dtype = np.dtype(seen[0].point.dtype).name
    for reduction in REDUCTIONS:
        equations = [
            g - np.outer(dw, one.point.targets.sum(axis=0)) if reduction == "mean"
            else g / (len(one.point.x) if reduction == "batch_mean" else 1)
            for g, dw, one in zip(of_classes, dws, seen, strict=True)
        ]  # fmt: skip
        solve = null_vector if reduction == "mean" else solved
        found = solve(np.concatenate(equations), np.concatenate(dws), CLOSE[dtype])
        if found is not None:
            yield from objectives(found, reduction, dtype)
    yield from beside_penalties(seen[0], of_classes[0], dws[0])


def beside_penalties(one: Observation, g: Float, dw: Float) -> Iterator[Objective]:
    """Yield those with a penalty besides: its strengths are two more unknowns, at one point since
    in the mean as torch has it they stand with its D."""
    classes, dtype = g.shape[1], np.dtype(one.point.dtype).name
    counts, rows = one.point.targets.sum(axis=0), len(one.point.x)
    for reduction, penalise in product(REDUCTIONS, ("weights", "all")):
        of = one.point.parameters.items()
        w = flat(w * is_penalised(name, penalise) for name, w in of)
        mean = reduction == "mean"
        own = g - np.outer(dw, counts) if mean else g / (rows if reduction == "batch_mean" else 1)
        table = np.column_stack([own, w, np.sign(w)])
        found = (null_vector if mean else solved)(table, dw, CLOSE[dtype])
        if found is None or not found[:classes].any():
            continue
        divisor = float(found[:classes] @ counts) if mean else 1.0
        l2, l1 = (typed(float(c) / divisor, 1.0, dtype) for c in found[classes:])
        if min(l2, l1) >= 0 < max(l2, l1):
            weights = found[:classes] * (np.sign(divisor) if mean else 1.0)
            for objective in objectives(weights, reduction, dtype):
                yield replace(objective, l2=l2, l1=l1, penalise=penalise)


def complete(one: Observation) -> bool:
    """Return whether every gradient was seen, of its parameter's shape."""
    shapes = {f"d{name}": array.shape for name, array in one.point.parameters.items()}
    return all(name in one.seen and one.seen[name].shape == shapes[name] for name in shapes)


def gradients_of_classes(one: Observation) -> Float:
    """Return the gradients of the sum over the rows of each class, one class a column."""
    classes = one.point.targets.shape[1]
    columns = []
    for row in np.eye(classes):
        alone = Objective(reduction="sum", class_weights=tuple(row.tolist()))
        net = Pass(replace(one.point, objective=alone))
        columns.append(flat(net.named(f"d{name}").value for name in one.point.parameters))
    return np.stack(columns, axis=1)


def flat(arrays: Any) -> Float:
    """Return arrays one after the other."""
    return np.concatenate([np.ravel(array).astype(np.float64) for array in arrays])


def null_vector(table: Float, dw: Float, close: float) -> Float | None:
    """Return the one direction, if there is one, that the table takes to nothing."""
    if not np.isfinite(table).all():
        return None
    _, sizes, directions = np.linalg.svd(table, full_matrices=False)
    if len(sizes) < 2 or not sizes[-1] <= close * sizes[0] < sizes[-2]:
        return None
    found: Float = directions[-1] * np.sign(directions[-1].sum())
    return found


def solved(table: Float, dw: Float, close: float) -> Float | None:
    """Return the weights with which the columns add up to the gradients, if they do."""
    if not np.isfinite(table).all():
        return None
    found = np.linalg.lstsq(table, dw, rcond=None)[0].astype(np.float64)
    return found if np.linalg.norm(table @ found - dw) <= close * np.linalg.norm(dw) else None


def objectives(found: Float, reduction: str, dtype: str) -> Iterator[Objective]:
    """Yield what these weights may have been declared as: an ignored class, or few digits first."""
    free = reduction == "mean"  # any multiple of the weights is the same
    largest = found.max()
    scales = [1.0, *(1 / w for w in found if abs(w) > CLOSE[dtype] * largest), 1 / found.sum()]
    tried = {
        tuple(typed(w * scale, largest * scale, dtype) for w in found)
        for scale in (scales[1:] if free else scales[:1])
    }
    for weights in sorted(tried, key=lambda one: (sum(len(f"{w:g}") for w in one), one)):
        rest = set(weights) - {0.0}
        if min(weights) < 0 or not rest:
            continue
        if len(rest) == 1 and weights.count(0.0) == 1:
            factor = 1.0 if free else rest.pop()
            gone = weights.index(0.0)
            yield Objective(reduction=reduction, ignore_index=gone, loss_factor=factor)
        else:
            yield Objective(reduction=reduction, class_weights=weights)


def typed(weight: float, largest: float, dtype: str) -> float:
    """Return a weight with the digits that are believed; next to nothing is 0."""
    if abs(weight) < CLOSE[dtype] * abs(largest):
        return 0.0
    return float(f"{weight:.{DIGITS[dtype] - 1}e}")
