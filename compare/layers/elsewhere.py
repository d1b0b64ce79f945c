"""The same layer at other shapes, where sizes that coincide at the judged point come apart.

A gradient that is twice too large may be so by a constant, by the batch or by the number of heads.
One length is changed at a time, in every input that has it or in one; shapes that the reference or
the manual side does not take are left out. Arrays are repeated along the axis, shapes drawn anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.errors import BadInput, UserCodeError
from compare.layers.asking import Question
from compare.layers.calling import Shape
from compare.layers.child import Crashed, in_child
from compare.layers.judged import Judged, judge
from compare.layers.manual import Manual
from compare.layers.points import Asked, Point
from compare.layers.survey import Surveyed, examined

MOST = 4
"""So many other shapes are looked at, and so many entries of the inputs at most."""
MOST_ENTRIES = 100_000
STEPS = 1_000
"""So many operations of the reference, in all of them: one takes half a millisecond, and five where
roundings grow together."""
Axis = tuple[str, int]
Shapes = Mapping[str, tuple[int, ...]]
Changed = Mapping[Axis, int]


def at_other_shapes(
    asked: Question, one: Judged, manual: Any, seed: int, timeout: float | None,
    changes: Callable[[Shapes], Iterator[Changed]] | None = None,
) -> list[Judged]:  # fmt: skip
    """Return the layer, judged at some other shapes that both sides take.

    `changes` yields the lengths to be changed, by default as is told above.
    """
    most = min(MOST, STEPS // max(1, one.surveyed.analysed.steps))
    if not most or sum(np.size(value) for value in one.point.inputs.values()) > MOST_ENTRIES:
        return []
    called = Manual(manual, timeout)
    if not called.repeatable:
        return []
    try:
        ways = surveyed(asked, one.point, seed, changes or resized)
        found = in_child(lambda: list(islice(ways, most)), timeout)
    except (Crashed, BadInput):
        return []
    judged = []
    for other in found:
        shapes = {name: np.shape(value) for name, value in other.point.inputs.items()}
        due = Shape(other.outputs, other.container, shapes, asked.wrt)
        try:
            with np.errstate(all="ignore"):
                numbers = called(other.point, due)
        except (UserCodeError, BadInput):
            continue
        judged.append(judge(other, numbers))
    return [one for one in judged if not one.missing and not one.misshapen]


def surveyed(
    asked: Question, point: Point, seed: int, changes: Callable[[Shapes], Iterator[Changed]]
) -> Iterator[Surveyed]:
    """Yield the reference at other shapes that it takes, the most telling first."""
    own = set(asked.reference.parameters)
    shapes = {n: np.shape(value) for n, value in point.inputs.items() if n not in own}
    for changed in changes(shapes):
        inputs = drawn(asked.asked, point, changed, seed)
        try:
            one = examined(asked.reference, replace(point, inputs=inputs), asked.wrt, None, seed)
        except BadInput:
            continue
        if one.analysed.doubt is None:
            yield one


def resized(shapes: Shapes) -> Iterator[Changed]:
    """Yield changes of lengths: of the first axes, of a length wherever it stands, of one axis."""
    lengths = lengths_of(shapes)
    batch = next((n for (_, axis), n in lengths.items() if axis == 0), 0)
    groups = [{key for key, n in lengths.items() if key[1] == 0 and n == batch}]
    groups += [{key for key, n in lengths.items() if n == size} for size in set(lengths.values())]
    groups += [{key} for key in lengths]
    seen: list[set[Axis]] = []
    for group in groups:
        if group and group not in seen:
            seen.append(group)
            yield longer(group, lengths)


def lengths_of(shapes: Shapes) -> dict[Axis, int]:
    """Return the length of every axis."""
    return {(name, axis): n for name, shape in shapes.items() for axis, n in enumerate(shape)}


def longer(group: Collection[Axis], lengths: Mapping[Axis, int]) -> Changed:
    """Return axes of one length with a multiple of it that no other axis has."""
    n = lengths[next(iter(group))]
    k = next(k for k in range(2, 99) if k * n not in lengths.values())
    return dict.fromkeys(group, k * n)


def drawn(asked: Asked, point: Point, changed: Changed, seed: int) -> Any:
    """Return inputs with some lengths changed."""
    shapes = {
        name: tuple(changed.get((name, axis), n) for axis, n in enumerate(shape))
        for name, shape in asked.shapes.items()
    }
    given = asked.arrays or {}
    arrays = {name: repeated(name, value, changed) for name, value in point.inputs.items()
              if name in given or name not in shapes}  # fmt: skip
    anew = replace(asked, arrays=arrays, shapes=shapes)
    return anew.at_scale(point.format, 1.0, seed)


def repeated(name: str, value: NDArray[Any], changed: Changed) -> NDArray[Any]:
    """Return an array repeated along the axes that become longer."""
    for axis in range(value.ndim):
        n = changed.get((name, axis), value.shape[axis])
        times = math.ceil(n / max(1, value.shape[axis]))
        value = np.concatenate([value] * times, axis) if times > 1 else value
    return value
