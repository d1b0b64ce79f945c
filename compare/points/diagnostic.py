"""Probe batches on which a mistake cannot hide.

Biases are not zero, the batch is larger than 1 and different from every other dimension, targets
differ, no unit sits on a kink. Two batches of different size, one with soft targets and one with
logits beyond the range of exp: what only shows there shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import DTypeLike

from compare.allowance.rules import ACTIVATION_RULES
from compare.contracts.between import PLAIN, RUNNING, Between, ordered
from compare.contracts.objective import Objective
from compare.points.drawing import draw_between, draw_parameters, draw_targets
from compare.textbook import Pass, Point

ATTEMPTS = 20
BIASES = 0.5
SMALL = 16
"""Layers wider than this are probed at another width, unless the code insists on its own."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of probe: how wide the logits spread, whether the targets are soft.

    `uneven`: one row is far smaller than the others. `apart`: the rows are shifted against each
    other, from the first number to the second, which changes no probability. `quiet`: hidden layers
    vary so little that eps counts beside their variance. `evaluated`: not in training.
    """

    label: str
    spread: float
    soft: bool = False
    uneven: bool = False
    apart: tuple[float, float] | None = None
    quiet: bool = False
    evaluated: bool = False


ORDINARY = Kind("a random batch", 1.5)
CONFIDENT = Kind("a batch with probabilities near 0 and 1", 6.0)
SOFT = Kind("a batch with soft targets", 1.5, soft=True)
KINDS = (ORDINARY, ORDINARY, ORDINARY, CONFIDENT, SOFT)
UNLIKELY = Kind("a batch with targets of probabilities down to 1e-20", 10.0)
BEYOND = "a batch with logits beyond the range of exp"
APART = "a batch with rows of logits far apart"
QUIET = Kind("a batch with a variance not far from eps", 1.5, quiet=True)
EVALUATED = Kind("a batch in evaluation", 1.5, evaluated=True)
SPECIAL = frozenset({
    CONFIDENT.label, UNLIKELY.label, SOFT.label, BEYOND, APART, EVALUATED.label,
})  # fmt: skip
"""Labels of the kinds that code may not be made for."""


def beyond_exp(dtype: DTypeLike) -> Kind:
    """Return the kind whose logits overflow exp, with one row far below the others."""
    reach = float(np.log(np.finfo(np.dtype(dtype)).max))
    return Kind(BEYOND, 4 * reach, uneven=True)


def rows_apart(dtype: DTypeLike) -> Kind:
    """Return the kind whose rows are too far apart for a common maximum, each well within exp."""
    reach = float(np.log(np.finfo(np.dtype(dtype)).max))
    return Kind(APART, 1.5, apart=(-0.42 * reach, 0.85 * reach))


def kinds_for(dtype: DTypeLike, between: Between, *, evaluates: bool) -> Iterator[Kind]:
    """Yield the kinds a network is probed with; `evaluates`: it can be asked for evaluation."""
    yield from (*KINDS, beyond_exp(dtype), rows_apart(dtype))
    if between.normalisation != "none":
        yield QUIET
    if evaluates and not between.as_in_evaluation:
        yield EVALUATED


def reduced(sizes: Sequence[int]) -> tuple[int, ...]:
    """Return sizes of at most a few more than `SMALL`, equal where these are equal."""
    taken = {size for size in sizes if size <= SMALL}
    free = (n for n in range(SMALL - 3, 10_000) if n not in taken)
    wide = {size: next(free) for size in sorted(set(sizes) - taken)}
    return tuple(wide.get(size, size) for size in sizes)


def probe(
    sizes: Sequence[int],
    rows: int,
    kind: Kind,
    *,
    activation: str,
    reduction: str,
    dtype: DTypeLike,
    generator: np.random.Generator,
    objective: Objective | None = None,
    bias: bool = True,
    between: Between = PLAIN,
) -> Point:
    """Return a point of this kind; drawn again while a unit of a ReLU layer is on its kink."""
    objective = objective and for_classes(objective, sizes[-1])
    for _ in range(ATTEMPTS):
        parameters = draw_parameters(sizes, generator, BIASES)
        x = generator.normal(size=(rows, sizes[0]))
        if not bias:
            parameters = {name: w for name, w in parameters.items() if name[0] == "w"}
        targets = draw_targets(generator, rows, sizes[-1], kind.soft, objective or Objective())
        scales, context = draw_between(between, sizes, rows, generator)
        if not between.plain:
            context["training"] = np.array(not kind.evaluated)
        for name in (*parameters,) if kind.quiet else ():
            parameters[name] *= 1.0 if name.endswith(str(len(sizes) - 1)) else 0.01
        point = Point(
            ordered(parameters | scales), x, targets, activation, reduction,
            objective=objective, between=between, context=context,
        )  # fmt: skip
        shape(point, kind, generator)
        point = in_format(point, dtype)
        if not on_a_kink(point):
            break
    return point


def for_classes(objective: Objective, classes: int) -> Objective:
    """Return an objective for another number of classes: its weights of classes taken in turn."""
    weights = objective.class_weights
    if weights is None or len(weights) == classes:
        return objective
    return replace(objective, class_weights=tuple(np.resize(weights, classes).tolist()))


def shape(point: Point, kind: Kind, generator: np.random.Generator) -> None:
    """Give the logits the spread of this kind, by the weights and biases of the last layer."""
    scale = kind.spread / float(Pass(point).logits.value.std() or 1.0)
    last = (f"w{point.depth}", f"b{point.depth}")
    for name in last:
        if name in point.parameters:
            point.parameters[name] *= scale
    if kind.uneven and last[1] in point.parameters:
        point.x[0] *= 1e-3
        point.parameters[f"b{point.depth}"] /= scale
    if kind.apart is not None:
        move_apart(point, kind.apart, generator)


def move_apart(point: Point, ends: tuple[float, float], generator: np.random.Generator) -> None:
    """Add the same number to all logits of a row, between the two ends over the rows.

    It is h @ u + c, so u is added to every column of w_L and c to every entry of b_L.
    """
    h = Pass(point).h(point.depth - 1).value
    drawn = generator.normal(size=(h.shape[1],))
    u = drawn * ((ends[1] - ends[0]) / float(np.ptp(h @ drawn)))
    point.parameters[f"w{point.depth}"][...] += u[:, np.newaxis]
    if f"b{point.depth}" in point.parameters:
        point.parameters[f"b{point.depth}"][...] += ends[0] - float((h @ u).min())


def in_format(point: Point, dtype: DTypeLike) -> Point:
    """Return the point with all arrays in `dtype`; soft rows still add up to 1 up to rounding."""
    parameters = {name: array.astype(dtype) for name, array in point.parameters.items()}
    x, targets = point.x.astype(dtype), point.targets.astype(dtype)
    context = {
        name: array.astype(dtype) if name.startswith(RUNNING) else array
        for name, array in point.context.items()
    }
    return replace(point, parameters=parameters, x=x, targets=targets, dtype=dtype, context=context)


def on_a_kink(point: Point) -> bool:
    """Return whether rounding could move a unit across a kink of its activation."""
    kinks = ACTIVATION_RULES[point.activation].kinks
    net = Pass(point)
    taken = "n" if net.inside else "z"
    hidden = [net.get(taken, layer) for layer in range(1, point.depth)] if kinks else []
    return any(
        bool((np.abs(z.value - kink) <= z.allowance).any()) for z in hidden for kink in kinks
    )
