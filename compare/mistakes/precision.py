"""Family: an intermediate in a coarser format than the computation around it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from compare.mistakes.conditions import hidden
from compare.mistakes.lines import DW_LINE, DZ_LINE, ERROR_LINE, H_LINE, INPUT_LINE, P_LINE
from compare.mistakes.mistake import NetworkMistake, Seen
from compare.textbook import RIGHT, Pair, Pass, Point
from compare.textbook.functions import activate, cast, trunc

FAMILY = "dtype"
PLACES = {
    "inputs": ("inputs", "x", INPUT_LINE, "x = {cast}\n    z, h = {}, {0: x}", "x"),
    "hidden": ("hidden values", "h", H_LINE, "h[i] = {cast}", "f(z[i])"),
    "probabilities": (
        "probabilities",
        "p",
        P_LINE,
        "p = {cast}\n    log_p = np.log(p)",
        "softmax(logits)",
    ),
    "errors": ("errors p - y", "error", ERROR_LINE, "error = {cast}", "(p - y)"),
    "deltas": (
        "deltas dz of the hidden layers",
        "dz",
        DZ_LINE,
        "dz[i - 1] = {cast}",
        "(dh[i - 1] * slope(h[i - 1]))",
    ),
    "weight-gradients": (
        "weight gradients",
        "dw",
        DW_LINE,
        "dw[i] = {cast}",
        "(h[i - 1].T @ dz[i])",
    ),
}
"""Where a format slips in: its name for the reader, stage, line of the plain program, slip, and
what is cast there."""
EVERY_STAGE = ("z", "h", "p", "loss", "dlogits", "dw", "db", "dh", "dz")


def finer_than(bits: int) -> Callable[[Point], bool]:
    """Return whether the compared format is finer than floatNN."""
    return lambda point: np.dtype(point.dtype).itemsize * 8 > bits


def coarse(bits: int, place: str) -> NetworkMistake:
    """Return the mistake of keeping `place` in float16 or float32."""
    noun, stage, line, slip, expression = PLACES[place]
    dtype = f"float{bits}"
    return NetworkMistake(
        name=f"{dtype}-{place}",
        family=FAMILY,
        sentence=f"The {noun} pass through {dtype} in a computation of a finer format.",
        right=f"{stage} in the dtype of the parameters",
        wrong=f"{stage} rounded to {dtype}",
        line=line,
        slip=slip.replace("{cast}", f"{expression}.astype(np.{dtype}).astype(w[1].dtype)"),
        stages={stage: lambda net, i: cast(RIGHT[stage](net, i), dtype)},
        applies=finer_than(bits),
        trigger=f"a computation finer than {dtype}",
    )


def throughout(stage: str, net: Pass, i: int) -> Pair:
    """Return the right value with the allowance it has when everything is computed in float32."""
    pair = net.in_format(np.float32).get(stage, i)
    return Pair(pair.value, pair.allowance, np.dtype(net.point.dtype))


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
        name="integer-truncation",
        family=FAMILY,
        sentence="The hidden values lose their fractions: an integer array (np.vectorize with an "
        "integer first result, zeros of an integer dtype) holds them.",
        right="h = f(z)",
        wrong="h = trunc(f(z))",
        line=H_LINE,
        slip="h[i] = np.trunc(f(z[i]))",
        stages={"h": lambda net, i: trunc(activate(net.z(i), net.activation))},
        applies=hidden,
        seen=1,
    ),
    NetworkMistake(
        name="float32-throughout",
        family=FAMILY,
        sentence="Everything is computed in float32 and handed back as float64.",
        right="the dtype of the parameters throughout",
        wrong="float32 throughout",
        line='w = {i: parameters[f"w{i}"] for i in range(1, L + 1)}',
        slip="parameters = {k: v.astype(np.float32) for k, v in parameters.items()}\n"
        "    x, y = x.astype(np.float32), y.astype(np.float32)\n"
        '    w = {i: parameters[f"w{i}"] for i in range(1, L + 1)}',
        stages={stage: partial(throughout, stage) for stage in EVERY_STAGE},
        applies=finer_than(32),
        proof=holds_float32_only,
        trigger="a computation in float64",
    ),
    *(coarse(bits, place) for bits in (16, 32) for place in PLACES),
)
