"""What would tell two explanations apart that gave the same numbers on every probe."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from compare.diagnosis.explanation import Explanation
from compare.diagnosis.match import Case, Overrides, ratios
from compare.diagnosis.places import versions
from compare.points.diagnostic import (
    CONFIDENT,
    ORDINARY,
    SOFT,
    beyond_exp,
    probe,
    reduced,
    rows_apart,
)
from compare.points.drawing import batch_sizes
from compare.textbook import Pair, Pass, Point

NEVER = "they give the same numbers everywhere: look at the code"
ANOTHER_BATCH = "a batch of another size"


def separating(one: Explanation, other: Explanation, cases: Sequence[Case]) -> str:
    """Return in words the first kind of probe on which the two compute different numbers.

    `cases` are those that both reproduce, the one they were found in first.
    """
    point = cases[0].point
    asked = {len(case.point.targets) for case in cases}
    with np.errstate(all="ignore"):
        for words, scene in scenes(point, asked):
            usable = all(part.mistake.applies(scene) for e in (one, other) for part in e.parts)
            if usable and any(
                differ(left.overrides, right.overrides, scene)
                for left in versions(one, cases, scene)
                for right in versions(other, cases, scene)
            ):
                return f"{words} would tell them apart"
    return NEVER


def scenes(point: Point, asked: Collection[int]) -> Iterator[tuple[str, Point]]:
    """Yield probes of other kinds than the ones a diagnosis begins with, the simplest first.

    `asked`: the batch sizes that told nothing; after several of them another one is no new kind.
    """
    layers = range(1, point.depth + 1)
    widths_of = (point.parameters[f"w{layer}"].shape[1] for layer in layers)
    own = reduced((point.x.shape[1], *widths_of))
    widths = {} if len(asked) > 1 else {ANOTHER_BATCH: own}
    widths |= {
        "layers of other widths": (11, 9, 4),
        "three layers of different width": (11, 9, 7, 4),
        "layers of equal width": (8, 8, 8, 8, 4),
    }
    generator = np.random.default_rng(0)
    for activation in dict.fromkeys((point.activation, "relu", "tanh")):
        for words, sizes in widths.items():
            rows = next(n for n in batch_sizes(sizes) if n > 5 and n not in asked)
            for kind in (
                ORDINARY,
                CONFIDENT,
                SOFT,
                beyond_exp(point.dtype),
                rows_apart(point.dtype),
            ):
                scene = probe(
                    sizes,
                    rows,
                    kind,
                    activation=activation,
                    reduction=point.reduction,
                    dtype=point.dtype,
                    generator=generator,
                    objective=point.objective,
                    bias="b1" in point.parameters,
                )
                yield described(words, kind.label, activation, point), scene


def described(words: str, label: str, activation: str, point: Point) -> str:
    """Return the scene in words, naming the activation only if it is another one."""
    other = f", with {activation}" if activation != point.activation else ""
    if label == ORDINARY.label:
        return f"{words}{other}"
    return f"{label}{other}" if words == ANOTHER_BATCH else f"{label} and {words}{other}"


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
