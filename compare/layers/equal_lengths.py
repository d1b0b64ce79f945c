"""What is right only because two lengths coincide is told; it accuses nobody.

Of a square x, `/ len(x)` gives the mean over the other axis as well, and so does a sum over the
wrong axis of what is symmetric. Where a length can be told apart from its equals, the same code is
judged there too. Code may be written for one size, and a reference too, so that this is a note.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, combinations, islice
from typing import Any

import numpy as np

from compare.contracts.digits import two_values
from compare.layers.asking import Question
from compare.layers.calling import Shape
from compare.layers.elsewhere import Changed, Shapes, at_other_shapes, lengths_of, longer
from compare.layers.excuse import Excuses
from compare.layers.judged import Judged, State
from compare.layers.manual import Manual
from compare.layers.program import Program
from compare.report.words import where

MOST_TRIED = 60
"""So many changes are tried on the reference, which refuses most of them at once."""
TOGETHER = 3
"""So many axes change their length together: of x, of a weight and of a bias, for instance."""


def only_where_equal(
    asked: Question, agreeing: Judged, manual: Any, seed: int, timeout: float | None
) -> tuple[str, ...]:
    """Return a note if the code is another function than the reference at unequal lengths."""
    inputs = {name: np.shape(value) for name, value in agreeing.point.inputs.items()}
    if not any(map(has_equals, (*inputs.values(), *agreeing.surveyed.outputs.values()))):
        return ()
    program, called = Program(asked.reference, asked.wrt), Manual(manual, timeout)
    for other in at_other_shapes(asked, agreeing, manual, seed, timeout, parted):
        if other.state is State.DISAGREES:
            Excuses(program, called, shape_at(other, asked.wrt), timeout).consider(other)
        tied = asked.asked.arrays and other.surveyed.analysed.decisions
        if other.state is State.DISAGREES and not tied:  # an array is repeated to be longer
            return (note(other, inputs),)
    return ()


def shape_at(one: Judged, wrt: Sequence[str]) -> Shape:
    """Return what the manual side has to return at a point."""
    shapes = {name: np.shape(value) for name, value in one.point.inputs.items()}
    return Shape(one.surveyed.outputs, one.surveyed.container, shapes, wrt)


def has_equals(shape: tuple[int, ...]) -> bool:
    """Return whether two axes of a tensor are equally long."""
    lengths = [n for n in shape if n > 1]
    return len(set(lengths)) < len(lengths)


def parted(shapes: Shapes) -> Iterator[Changed]:
    """Yield changes of some of the axes that are equally long, and not of all."""
    lengths = lengths_of(shapes)
    groups = [
        [key for key, n in lengths.items() if n == size] for size in set(lengths.values()) - {1}
    ]
    some = (combinations(axes, k) for axes in groups for k in range(1, TOGETHER + 1)
            if k < len(axes))  # fmt: skip
    return (longer(group, lengths) for group in islice(chain.from_iterable(some), MOST_TRIED))


def note(other: Judged, before: Shapes) -> str:
    """Say where the two differ."""
    name = other.wrong[0]
    worst = other.compared[name].worst
    mine, due = two_values(worst.manual, worst.reference, 6)
    changed = [
        f"{n} is {sizes(np.shape(value))} in place of {sizes(before[n])}"
        for n, value in other.point.inputs.items()
        if np.shape(value) != before[n]
    ]
    return (
        f"right where lengths coincide: where {' and '.join(changed)}, {name}{where(worst.index)} "
        f"is {mine} and {due} is due; if your layer is meant for such "
        "inputs, give lengths that differ"
    )


def sizes(shape: tuple[int, ...]) -> str:
    """Return a shape in words: 4×3."""
    return "×".join(map(str, shape))
