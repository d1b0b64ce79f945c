"""Half precision: tensors that are off as a whole, and what float32 shows of the code.

An allowance in bfloat16 has to cover code that rounds after every operation, so that a factor of
1.05 on all entries lies within it. But roundings of many entries average out: how far a tensor as a
whole may be off is the spread of the reference rounded at random, and one rounding that all entries
share. Beyond that the same code is handed the same numbers in float32. If it disagrees there too it
is wrong; if it cannot be asked nobody can tell, for sums kept in few digits shrink as a whole.
What float32 alone shows is wrong where it is several roundings of the short format large and lasts
while the inputs change, undecidable where it is one or more, and noted otherwise: a right kernel
may convert to half precision inside, or use a function that is good to so many digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.arrays import Arrays
from compare.contracts.errors import BadInput, UserCodeError
from compare.layers.analysed import as_tensors
from compare.layers.asking import Question
from compare.layers.calling import Shape
from compare.layers.child import Crashed, in_child
from compare.layers.conclude import findings_of
from compare.layers.excuse import Excuses
from compare.layers.formats import FORMATS, LAMBDA
from compare.layers.judged import Judged, State, judge
from compare.layers.manual import Manual
from compare.layers.points import Point, rounded
from compare.layers.program import Program
from compare.layers.shaken import spread_as_a_whole
from compare.layers.survey import Surveyed, examined
from compare.report.words import listing

HALF = 2.0**-12
"""A format with a larger unit has few digits."""
NUDGES, NUDGE = 4, 2.0**-5
"""Inputs are moved so many times, by so much of themselves: by several roundings of a short format,
so that what is rounded to it on the way is off by something else each time. A mistake is not."""
LASTS = 0.9
"""The least correlation of differences that last."""


@dataclass
class Closer:
    """`points`: those in float32 that disagree, as the tensor of few digits does as a whole."""

    points: list[Judged] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def with_more_digits(
    asked: Question, points: Sequence[Judged], shape: Shape, code: Any, timeout: float | None
) -> Closer:
    """Look at points that agree in a half format; some of them come to be undecided."""
    closer = Closer()
    for one in points:
        if FORMATS[one.point.format].unit <= HALF or one.state is not State.AGREES:
            continue
        off = off_as_a_whole(asked, one, timeout)
        said = (
            listing(
                f"all of {name} is {abs(c):.2%} too {'large' if c > 0 else 'small'}"
                for name, c in off.items()
            )
            + f" in {one.point.format}, more than roundings of single entries give"
        )
        again = in_float32(asked, one, shape, code, timeout)
        if again is None and off:
            one.state, one.why = State.UNDECIDED, f"{said}, and the code cannot be run in float32"
        elif again is not None and again.state is State.DISAGREES:
            if off.keys() & set(again.wrong):
                closer.points.append(again)
                closer.notes.append(said)
            else:
                tell(asked, one, again, Manual(code, timeout), shape, closer)
    return closer


def tell(
    asked: Question, one: Judged, again: Judged, called: Manual, shape: Shape, closer: Closer
) -> None:
    """Say what float32 alone shows: wrong, undecided, or a note, by its size."""
    message = findings_of([again])[0].message
    unit = FORMATS[one.point.format].unit
    size = max((roundings(again, n, unit) for n in lasting(asked, again, called, shape)), default=0)
    if size > LAMBDA:
        closer.points.append(again)
        closer.notes.append(f"in {one.point.format} rounding hides what float32 shows")
    elif size > 1:
        one.state = State.UNDECIDED
        one.why = (
            f"in float32 the same code disagrees, by {size:.2g} roundings of {one.point.format}, "
            f"and rounding hides that there: {message}"
        )
    else:
        closer.notes.append(
            f"in float32 the same code disagrees: {message}; in {one.point.format} rounding hides "
            "it, unless the code itself converts to few digits"
        )


def roundings(again: Judged, name: str, unit: float) -> float:
    """Return the largest difference in roundings of a short format, of the entry or of the root
    mean square of its tensor."""
    right = again.surveyed.analysed.reference[name]
    size = np.maximum(np.abs(right), np.sqrt(np.mean(right * right)))
    off = np.abs(differences(again.manual, again.surveyed.analysed.reference, name))
    return float(np.max(off / np.where(size > 0, size, np.inf))) / unit


def differences(manual: Arrays, right: Arrays, name: str) -> NDArray[np.float64]:
    """Return what a tensor is off by."""
    return np.asarray(manual[name], dtype=np.float64) - right[name]


def lasting(asked: Question, again: Judged, called: Manual, shape: Shape) -> list[str]:
    """Return the wrong tensors that are off by nearly the same where the inputs are others."""
    names = [name for name in again.wrong if name in again.compared]
    before = {n: differences(again.manual, again.surveyed.analysed.reference, n) for n in names}
    points = [nudged(again.point, seed) for seed in range(NUDGES)]
    program = Program(asked.reference, asked.wrt)
    try:
        there = in_child(lambda: [numbers_at(program, point) for point in points], called.timeout)
        mine = [called(point, shape) for point in points]
    except (Crashed, BadInput, UserCodeError):
        return []
    pairs = list(zip(mine, there, strict=True))
    return [n for n in names if all(last(before[n], differences(*pair, n)) for pair in pairs)]


def last(before: NDArray[np.float64], after: NDArray[np.float64]) -> bool:
    """Return whether two differences are alike."""
    size = float(np.linalg.norm(before) * np.linalg.norm(after))
    return bool(np.vdot(before, after) >= LASTS * size > 0)


def nudged(point: Point, seed: int) -> Point:
    """Return a point with every number moved up or down, those of dy too."""
    generator = np.random.default_rng(seed)

    def moved(values: Arrays) -> Arrays:
        floating = {name: a for name, a in values.items() if a.dtype.kind == "f"}
        signs = {name: generator.choice((-1.0, 1.0), size=a.shape) for name, a in floating.items()}
        return values | {
            name: rounded(np.asarray(a * (1 + NUDGE * signs[name])), point.format)
            for name, a in floating.items()
        }

    dy = None if point.dy is None else moved(point.dy)
    return replace(point, inputs=moved(point.inputs), dy=dy)


def numbers_at(program: Program, point: Point) -> Arrays:
    """Return the plain reference's numbers at a point."""
    dy = None if point.dy is None else as_tensors(point.dy)
    return {name: t.numpy() for name, t in program.run(as_tensors(point.inputs), dy).items()}


def off_as_a_whole(asked: Question, one: Judged, timeout: float | None) -> dict[str, float]:
    """Return by tensor the relative error of it as a whole, where rounding gives no such one."""
    point = one.point

    def work() -> dict[str, float]:
        dy = None if point.dy is None else as_tensors(point.dy)
        program = Program(asked.reference, asked.wrt)
        return spread_as_a_whole(program, as_tensors(point.inputs), dy, point.format)

    try:
        allowed = in_child(work, timeout)
    except Crashed:
        return {}
    right = one.surveyed.analysed.reference
    found = {name: share(one.manual[name] - right[name], right[name]) for name in one.compared}
    return {n: c for n, c in found.items() if abs(c) > allowed.get(n, np.inf)}


def share(difference: NDArray[Any], right: NDArray[Any]) -> float:
    """Return how much of a tensor a difference is: 0.05 if all of it is 5 % too large."""
    size = float(np.vdot(right, right))
    return float(np.vdot(right, difference)) / size if size > 0 else 0.0


def in_float32(
    asked: Question, one: Judged, shape: Shape, code: Any, timeout: float | None
) -> Judged | None:
    """Judge the same numbers in float32; None where the code does not compute in it."""
    point = replace(one.point, format="float32", note="float32")
    called = Manual(code, timeout)

    def work() -> Surveyed:
        return examined(asked.reference, point, asked.wrt, point.dy, 0)

    try:
        surveyed = in_child(work, timeout)
        with np.errstate(all="ignore"):
            numbers = called(surveyed.point, shape)
    except (Crashed, BadInput, UserCodeError):
        return None
    right = surveyed.analysed.reference
    if any(in_few_digits(a, right[n], one.point.format) for n, a in numbers.items() if n in right):
        return None  # it returns half precision whatever it is given
    judged = judge(surveyed, numbers)
    if judged.state is State.DISAGREES:
        Excuses(Program(asked.reference, asked.wrt), called, shape, timeout).consider(judged)
    return judged


def in_few_digits(manual: NDArray[Any], right: NDArray[Any], form: str) -> bool:
    """Return whether numbers were rounded to a short format that does not hold the right ones.

    The gradient of a bias of one row is dy, and has few digits in every format. Zeros say nothing.
    """
    return (
        bool(np.any(manual))
        and is_held(np.asarray(manual, dtype=np.float64), form)
        and not is_held(right, form)
    )


def is_held(values: NDArray[np.float64], form: str) -> bool:
    """Return whether all values are numbers of a format."""
    return bool(np.array_equal(rounded(values, form), values))
