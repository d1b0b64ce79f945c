"""Family: an intermediate in a coarser format than the computation around it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from compare.mistakes.conditions import hidden
from compare.mistakes.lines import (
    DW_LINE,
    DZ_LINE,
    ERROR_LINE,
    GRADIENTS_LINE,
    H_LINE,
    INPUT_LINE,
    P_LINE,
)
from compare.mistakes.mistake import NetworkMistake, Seen
from compare.textbook import RIGHT, Pair, Pass, Point
from compare.textbook.functions import activate, cast, trunc

FAMILY = "dtype"
CAST_GRADIENTS = GRADIENTS_LINE + "\n    gradients = {k: g{rounded} for k, g in gradients.items()}"
PLACES = {
    "inputs": ("inputs", ("x",), INPUT_LINE, "x = x{rounded}\n    z, h = {}, {0: x}"),
    "hidden": ("hidden values", ("h",), H_LINE, "h[i] = f(z[i]){rounded}"),
    "probabilities": (
        "probabilities",
        ("p",),
        P_LINE,
        "p = softmax(logits){rounded}\n    log_p = np.log(p)",
    ),
    "errors": ("errors p - y", ("error",), ERROR_LINE, "error = (p - y){rounded}"),
    "deltas": (
        "deltas dz of the hidden layers",
        ("dz",),
        DZ_LINE,
        "dz[i - 1] = (dh[i - 1] * slope(h[i - 1])){rounded}",
    ),
    "weight-gradients": (
        "weight gradients",
        ("dw",),
        DW_LINE,
        "dw[i] = (h[i - 1].T @ dz[i]){rounded}",
    ),
    "gradients": ("finished gradients", ("dw", "db"), GRADIENTS_LINE, CAST_GRADIENTS),
    "results": (
        "finished loss and gradients",
        ("loss", "dw", "db"),
        GRADIENTS_LINE,
        CAST_GRADIENTS + "\n    loss = loss{rounded}",
    ),
}
"""Where a format slips in: its name for the reader, stages, line of the plain program, slip."""
EVERY_STAGE = ("z", "h", "p", "loss", "dlogits", "dw", "db", "dh", "dz")


def finer_than(bits: int) -> Callable[[Point], bool]:
    """Return whether the compared format is finer than floatNN."""
    return lambda point: np.dtype(point.dtype).itemsize * 8 > bits


def coarse(bits: int, place: str) -> NetworkMistake:
    """Return the mistake of keeping `place` in float16 or float32."""
    noun, stages, line, slip = PLACES[place]
    dtype = f"float{bits}"
    return NetworkMistake(
        name=f"{dtype}-{place}",
        family=FAMILY,
        sentence=f"The {noun} pass through {dtype} in a computation of a finer format.",
        right=f"{', '.join(stages)} in the dtype of the parameters",
        wrong=f"{', '.join(stages)} rounded to {dtype}",
        line=line,
        slip=slip.replace("{rounded}", f".astype(np.{dtype}).astype(w[1].dtype)"),
        stages={stage: partial(rounded, stage, dtype) for stage in stages},
        applies=finer_than(bits),
        trigger=f"a computation finer than {dtype}",
    )


def rounded(stage: str, dtype: str, net: Pass, i: int) -> Pair:
    """Return the right value cast to a coarser format and back."""
    return cast(RIGHT[stage](net, i), dtype)


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
