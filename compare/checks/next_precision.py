"""The reference once more, in the next precision: for points where it is the one that rounds.

Torch may use up the whole of an allowance, and a right gradient beyond it then looks wrong. Before
anybody is accused, the gradient is computed with some digits more. Where the reference is farther
from that than honest rounding takes it, the gradient in question is held against that instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compare.allowance.rules import ACTIVATION_RULES
from compare.contracts.arrays import Arrays
from compare.contracts.between import NOTHING, Context

if TYPE_CHECKING:
    from torch_reference import Reference


MOST_OPERATIONS = 2e7
"""Multiplications of a forward pass up to which it is made in longdouble, which has no BLAS."""


def in_next_precision(
    reference: Reference, parameters: Mapping[str, NDArray[Any]], x: NDArray[Any],
    targets: NDArray[Any], reduction: str, *, plain: bool, context: Context = NOTHING,
) -> tuple[float, Arrays] | None:  # fmt: skip
    """Return loss and gradients with digits to spare, or None where there are none to be had.

    float32 is evaluated by torch in float64; float64 in longdouble, where that is longer and the
    loss is `plain`: cross-entropy with that reduction and without a penalty.
    """
    if x.dtype == np.float32:
        wide = reference.in_format(np.float64)
        named = {name: array.astype(np.float64) for name, array in parameters.items()}
        at = named, x.astype(np.float64), targets.astype(np.float64)
        return wide.loss_and_gradients(*at, context=context)
    operations = len(x) * sum(w.size for w in parameters.values())
    longer = np.finfo(np.longdouble).eps < np.finfo(np.float64).eps
    if not (longer and plain) or operations > MOST_OPERATIONS:
        return None
    return in_longdouble(
        parameters, x, targets, reference.activation, 1 if reduction == "sum" else len(x)
    )


def in_longdouble(
    parameters: Mapping[str, NDArray[Any]],
    x: NDArray[Any],
    targets: NDArray[Any],
    activation: str,
    divisor: int,
) -> tuple[float, Arrays]:
    """Return softmax cross-entropy over `divisor`, and its gradients: the textbook's equations."""
    rule = ACTIVATION_RULES[activation]
    wide = {name: array.astype(np.longdouble) for name, array in parameters.items()}
    y = targets.astype(np.longdouble)  # (N, K)
    depth = sum(name[0] == "w" for name in wide)
    h, z = [x.astype(np.longdouble)], [x.astype(np.longdouble)]
    for i in range(1, depth + 1):
        z.append(h[-1] @ wide[f"w{i}"] + wide.get(f"b{i}", 0))
        h.append(rule.f(z[-1]))
    shifted = z[-1] - z[-1].max(axis=1, keepdims=True)
    sums = np.exp(shifted).sum(axis=1, keepdims=True)
    loss = float((y * (np.log(sums) - shifted)).sum() / divisor)
    dz = (np.exp(shifted) / sums - y) / divisor
    found: Arrays = {}
    for i in range(depth, 0, -1):
        found |= {f"w{i}": h[i - 1].T @ dz, f"b{i}": dz.sum(axis=0)}
        if i > 1:
            through = (z if rule.of_z else h)[i - 1]
            dz = (dz @ wide[f"w{i}"].T) * rule.slope(through)
    return loss, {name: found[name].astype(np.float64) for name in parameters}
