"""Family: an intermediate in a coarser format than the computation around it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from compare.mistakes.conditions import hidden
from compare.mistakes.mistake import NetworkMistake, Seen
from compare.textbook import Pair, Pass, Point
from compare.textbook.network import BACKWARD, FORWARD

PLACES = {
    "inputs": ("inputs", "x = x{cast}\nz, h = {0: x}, {0: x}"),
    "hidden": ("hidden values", "h[i] = f(z[i]){cast}"),
    "probabilities": ("probabilities", "p = softmax(logits){cast}"),
    "errors": ("errors p - y", "error = (p - y){cast}"),
    "deltas": (
        "deltas dz of the hidden layers",
        "dz[i - 1] = (dh[i - 1] * slope(z[i - 1], h[i - 1])){cast}",
    ),
    "weight-gradients": ("weight gradients", "dw[i] = (h[i - 1].T @ dz[i]){cast}"),
    "gradients": (
        "finished gradients",
        "dw[i] = (h[i - 1].T @ dz[i]){cast}\ndb[i] = dz[i].sum(axis=0){cast}",
    ),
    "results": (
        "finished loss and gradients",
        "loss = (terms.sum() / M){cast}\n"
        "dw[i] = (h[i - 1].T @ dz[i]){cast}\ndb[i] = dz[i].sum(axis=0){cast}",
    ),
}
"""Where a format slips in: its name for the reader, and the slip."""
EVERY_STAGE = (*FORWARD, "logits", "p", "loss", "dlogits", *BACKWARD)


def finer_than(bits: int) -> Callable[[Point], bool]:
    """Return whether the compared format is finer than floatNN."""
    return lambda point: np.dtype(point.dtype).itemsize * 8 > bits


def coarse(bits: int, place: str) -> NetworkMistake:
    """Return the mistake of keeping `place` in float16 or float32."""
    noun, slip = PLACES[place]
    dtype = f"float{bits}"
    return NetworkMistake(
        f"{dtype}-{place}",
        f"{noun} in {dtype}",
        f"The {noun} pass through {dtype} in a computation of a finer format.",
        slip.replace("{cast}", f".astype(np.{dtype}).astype(w[1].dtype)"),
        applies=finer_than(bits),
        trigger=f"a computation finer than {dtype}",
    )


def throughout(stage: str, net: Pass, i: int) -> Pair:
    """Return the right value with the allowance it has when everything is computed in float32."""
    pair = net.in_format(np.float32).get(stage, i)
    return Pair(pair.value, lambda: pair.allowance, np.dtype(net.point.dtype))


def holds_float32_only(seen: Seen) -> bool:
    """Return whether every gradient entry is a number of float32: random errors are not.

    Without any gradient there is nothing to go by.
    """
    gradients = [array for name, array in seen.items() if name.startswith(("dw", "db"))]
    with np.errstate(over="ignore", under="ignore"):
        return bool(gradients) and all(
            np.array_equal(array, array.astype(np.float32), equal_nan=True) for array in gradients
        )


PRECISION = (
    NetworkMistake(
        "integer-truncation",
        "hidden values without their fractions",
        "The hidden values lose their fractions: an integer array (np.vectorize with an "
        "integer first result, zeros of an integer dtype) holds them.",
        "h[i] = np.trunc(f(z[i]))",
        applies=hidden,
        seen=1,
    ),
    NetworkMistake(
        "float32-throughout",
        "a computation in float32 throughout",
        "Everything is computed in float32 and handed back as float64.",
        "parameters = {k: v.astype(np.float32) for k, v in parameters.items()}\n"
        "x, y = x.astype(np.float32), y.astype(np.float32)\n"
        'w = {i: parameters[f"w{i}"] for i in range(1, L + 1)}',
        # Every operation rounds to another format: no single line says that.
        functions={stage: partial(throughout, stage) for stage in EVERY_STAGE},
        applies=finer_than(32),
        proof=holds_float32_only,
        trigger="a computation in float64",
    ),
    *(coarse(bits, place) for bits in (16, 32) for place in PLACES),
)
