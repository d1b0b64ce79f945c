"""What would tell two explanations apart that gave the same numbers on every probe."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from compare.diagnosis.explanation import Explanation
from compare.diagnosis.match import Overrides, ratios
from compare.diagnosis.probes import CONFIDENT, ORDINARY, SOFT, beyond_exp, probe, rows_apart
from compare.textbook import Pair, Pass, Point

NEVER = "no numbers tell them apart: look at the code"


def separating(one: Explanation, other: Explanation, point: Point) -> str:
    """Return in words the first kind of probe on which the two compute different numbers."""
    with np.errstate(all="ignore"):
        for words, scene in scenes(point):
            usable = all(part.mistake.applies(scene) for e in (one, other) for part in e.parts)
            if usable and differ(one.overrides, other.overrides, scene):
                return f"{words} would tell them apart"
    return NEVER


def scenes(point: Point) -> Iterator[tuple[str, Point]]:
    """Yield probes of other kinds than the ones a diagnosis begins with, the simplest first."""
    widths = {
        "a batch of another size": (11, 9, 4),
        "three layers of different width": (11, 9, 7, 4),
        "layers of equal width": (8, 8, 8, 8, 4),
    }
    generator = np.random.default_rng(0)
    for activation in dict.fromkeys((point.activation, "relu", "tanh")):
        for words, sizes in widths.items():
            for kind in (
                ORDINARY,
                CONFIDENT,
                SOFT,
                beyond_exp(point.dtype),
                rows_apart(point.dtype),
            ):
                scene = probe(
                    sizes,
                    6,
                    kind,
                    activation=activation,
                    reduction=point.reduction,
                    dtype=point.dtype,
                    generator=generator,
                )
                yield described(words, kind.label, activation, point), scene


def described(words: str, label: str, activation: str, point: Point) -> str:
    """Return the scene in words, naming the activation only if it is another one."""
    other = f", with {activation}" if activation != point.activation else ""
    scene = words if label == ORDINARY.label else f"{label} and {words}"
    return f"{scene}{other}"


def differ(one: Overrides, other: Overrides, point: Point) -> bool:
    """Return whether two passes differ by more than their allowances together."""
    right = Pass(point)
    left, top = right.having(one), right.having(other)
    return any(apart(left.named(name), top.named(name)) for name in point.names)


def apart(one: Pair, other: Pair) -> bool:
    """Return whether two values differ by more than the sum of their allowances."""
    if one.shape != other.shape:
        return True
    both = Pair(other.value, one.allowance + other.allowance, other.dtype)
    return bool((ratios(one.value, both) > 1.0).any())
