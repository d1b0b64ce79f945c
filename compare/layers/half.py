"""Half precision, looked at with more digits: what float32 shows of code that agrees in half.

An allowance in bfloat16 has to cover code that rounds after every operation, and roundings that
many entries share, so that a factor of 1.05 lies within it. The same code, handed the same numbers
in float32, shows such a factor. That is noted and accuses nobody: a right kernel may convert to
half precision inside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from compare.contracts.errors import BadInput, UserCodeError
from compare.layers.asking import Question
from compare.layers.calling import Shape
from compare.layers.child import Crashed, in_child
from compare.layers.conclude import findings_of
from compare.layers.excuse import Excuses
from compare.layers.formats import FORMATS
from compare.layers.judged import Judged, State, judge
from compare.layers.manual import Manual
from compare.layers.points import rounded
from compare.layers.program import Program
from compare.layers.survey import Surveyed, examined

HALF = 2.0**-12
"""A format with a larger unit has few digits."""


def with_more_digits(
    asked: Question, points: Sequence[Judged], shape: Shape, code: Any, timeout: float | None
) -> Iterator[str]:
    """Yield what disagrees in float32, of points that agree in a half format."""
    for one in points:
        if FORMATS[one.point.format].unit > HALF and one.state is State.AGREES:
            again = in_float32(asked, one, shape, code, timeout)
            if again is not None and again.state is State.DISAGREES:
                said = findings_of([again])[0].message
                yield (
                    f"in float32 the same code disagrees: {said}; in {one.point.format} "
                    "rounding hides it, unless the code itself converts to few digits"
                )


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
    few = {
        n: rounded(np.asarray(a, dtype=np.float64), one.point.format) for n, a in numbers.items()
    }
    if any(np.array_equal(few[n], numbers[n]) and numbers[n].any() for n in numbers):
        return None  # it returns half precision whatever it is given
    judged = judge(surveyed, numbers)
    if judged.state is State.DISAGREES:
        Excuses(Program(asked.reference, asked.wrt), called, shape, timeout).consider(judged)
    return judged
