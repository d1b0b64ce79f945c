"""Which declaration makes a consistent pair of loss and gradient right.

Whoever computes the gradient of another loss than the declared one has made no mistake in the
derivative. For every activation, loss and output that can be declared the gradients seen are a
sum of few known tensors, if that is what was computed:

    dw = c g(y) + s g(1/K) + l2 w + l1 sign w

with g the gradients of the sum over the batch, at the targets and (label smoothing) at uniform
ones. The constants are fitted, taken to be numbers that people type, and what is declared with them
must then reproduce loss and gradients at every point, within the allowance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import groupby, islice, product
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Float
from compare.contracts.between import NORMALISATIONS, Between
from compare.contracts.errors import BadInput
from compare.contracts.experiment import ACTIVATION_NAMES, Experiment
from compare.contracts.objective import (
    LOSS_NAMES,
    OUTPUT_NAMES,
    PENALISED,
    REDUCTIONS,
    Objective,
    is_penalised,
)
from compare.diagnosis.asking import observations
from compare.diagnosis.counted import MOST_CLASSES, counted
from compare.diagnosis.match import Case
from compare.diagnosis.observation import Observation
from compare.points.diagnostic import CONFIDENT, ORDINARY, probe, reduced
from compare.points.drawing import batch_sizes
from compare.textbook import Pass, Point
from compare.textbook.network import FORWARD

Implementation = Callable[..., tuple[Any, ...]]
CLOSE = {"float64": 1e-9, "float32": 1e-3}
"""What may be left of the gradients, relative to them, by constants that fit."""
DIGITS = {"float64": 6, "float32": 3}
"""So many digits of a fitted constant are believed."""
RATES = (0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9)
"""Shares of units that people leave out."""
BELOW_THE_LOSS = ("x", *FORWARD, "logits")
"""Stages that no loss changes."""
TYPED = (1.0, 0.5, 2.0)
"""The factors of a loss that people write; any other of two digits comes after them."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """Settings that make the code right.

    `options` are those that differ from what was declared, `ratio` the worst ratio with them.
    `of_loss`: a loss was seen and is right with them.
    """

    options: dict[str, Any]
    ratio: float  # the worst that is left with it
    of_loss: bool = True

    @property
    def words(self) -> str:
        """The options of the command."""
        given = {name: value for name, value in self.options.items() if value is not None}
        return " ".join(f"{option(name)} {shown(value)}" for name, value in given.items())

    @property
    def with_words(self) -> str:
        """The options to be given, and those to be left out."""
        left_out = [f"`{option(name)}`" for name, value in self.options.items() if value is None]
        said = [f"with `{self.words}`"] if self.words else []
        return " and ".join([*said, *(f"without {name}" for name in left_out)])


def option(name: str) -> str:
    """The option of the command that sets a field."""
    return f"--{name.replace('_', '-')}"


def shown(value: Any) -> str:
    """A value as the command reads it."""
    if isinstance(value, tuple):
        return ",".join(map(shown, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def undeclared(
    implementation: Implementation, experiment: Experiment, sizes: Sequence[int]
) -> Declaration | None:
    """Return the declaration that `implementation` is right with, or None."""
    with np.errstate(all="ignore"):
        for seen, objective in fitting(implementation, experiment, sizes):
            worst, options = left(seen, objective), differences(experiment, seen[0], objective)
            if worst <= 1.0 and options:
                return Declaration(options, worst, shows_loss(implementation))
    return None


def fitting(
    implementation: Implementation, experiment: Experiment, sizes: Sequence[int]
) -> Iterator[tuple[list[Observation], Objective]]:
    """Yield what the gradients at some points may be of, and those points as ones of it."""
    asked = implementation if shows_loss(implementation) else without_loss(implementation)
    seen = observations(asked, points(experiment, of_size(sizes)))
    if len(seen) < 3 or not all(Case(one).finite for one in seen):
        return
    if left(seen, experiment.objective) <= 1.0:  # what is wrong does not show at these points
        return
    for (activation, between), heads in groupby(candidates(experiment), lambda one: one[:2]):
        here = [within(one, activation, between) for one in seen]
        forward = Pass(here[0].point)
        for *_, loss, output in heads:
            yield from ((here, objective) for objective in fitted(here, loss, output, forward))
    if experiment.loss == "cross_entropy":
        for name in dict.fromkeys(one[0] for one in candidates(experiment)):
            here = [within(one, name, experiment.between) for one in seen]
            yield from ((here, objective) for objective in counted(here))


def shows_loss(implementation: Implementation) -> bool:
    """Return whether the loss that is returned is one: code that only updates has none."""
    return bool(getattr(implementation, "shows_loss", True))


def without_loss(implementation: Implementation) -> Implementation:
    """Return the same without a loss."""
    return lambda *arguments, **how: (None, implementation(*arguments, **how)[1])


def of_size(sizes: Sequence[int]) -> tuple[int, ...]:
    """Return smaller widths; not fewer classes, unless they are many: each may have a weight."""
    return (*reduced(sizes)[:-1], sizes[-1]) if sizes[-1] <= MOST_CLASSES else reduced(sizes)


def within(one: Observation, activation: str, between: Between) -> Observation:
    """Return what was seen as of a network with this activation, and this between the layers."""
    return replace(one, point=replace(one.point, activation=activation, between=between))


def points(experiment: Experiment, sizes: Sequence[int]) -> list[tuple[str, Point]]:
    """Three batch sizes, since a mean and a sum differ by them, and one-hot targets only.

    Every class has rows, not all as many: what a class counts for shows nowhere else.
    """
    generator = np.random.default_rng(experiment.seed)
    few, some, many = islice(batch_sizes(sizes, 2 * sizes[-1] + 3), 3)
    made = []
    for kind, rows in ((ORDINARY, many), (ORDINARY, few), (CONFIDENT, some)):
        point = probe(
            sizes, rows, kind, activation=experiment.activation, reduction="mean",
            dtype=experiment.dtype, generator=generator, objective=experiment.objective,
            bias=experiment.bias, between=experiment.between,
        )  # fmt: skip
        made.append((kind.label, of_every_class(point)))
    return made


def of_every_class(point: Point) -> Point:
    """Return the point with one-hot targets that take turns."""
    rows, classes = point.targets.shape
    if classes == 1:
        return point
    labels = np.arange(rows)[::-1] % classes
    return replace(point, targets=np.eye(classes, dtype=point.targets.dtype)[labels])


def candidates(experiment: Experiment) -> Iterator[tuple[str, Between, str, str]]:
    """Yield every (activation, between, loss, output), the declared ones first of each.

    A normalisation that was not declared has no parameters: without scale and shift.
    """

    def first(declared: str, names: Sequence[str]) -> list[str]:
        return [declared, *(name for name in names if name != declared)]

    heads = product(first(experiment.loss, LOSS_NAMES), first(experiment.output, OUTPUT_NAMES))
    activations = (
        first(experiment.activation, ACTIVATION_NAMES)
        if experiment.hidden
        else [experiment.activation]
    )
    listed, between = list(heads), experiment.between
    yield from ((experiment.activation, between, *head) for head in listed)
    yield from ((name, between, *head) for name in activations[1:] for head in listed)
    if between.dropout:
        # Dividing by the rate, not by 1 - rate, is a mistake, and no other rate.
        meant = (between.dropout, 1 - between.dropout)
        rates = (rate for rate in RATES if not np.isclose(rate, meant).any())
        others = (replace(between, dropout=rate) for rate in rates)
        yield from ((experiment.activation, other, *listed[0]) for other in others)
    if between.plain and experiment.hidden:
        for kind in NORMALISATIONS[1:]:
            inside = Between(kind, affine=False)
            yield from ((name, inside, *listed[0]) for name in activations)


def fitted(
    seen: Sequence[Observation], loss: str, output: str, forward: Pass
) -> Iterator[Objective]:
    """Yield the objectives whose constants fit the gradients of the first point.

    `forward` is a pass at that point, to share what the loss does not reach. The last layer is
    asked first: what does not fit there fits nowhere, and most are refused without a backward pass.
    """
    first = seen[0]
    try:
        base = Objective(loss, output, reduction="sum")
    except BadInput:  # an output that the loss has inside
        return
    names = [name for name in first.seen if name in {f"d{key}" for key in first.point.parameters}]
    last = [name for name in names if forward.stage_of(name)[1] == forward.depth]
    heads = [ending(forward, base, first.point.targets)]
    if loss == "cross_entropy":
        uniform = np.full_like(first.point.targets, 1 / first.point.targets.shape[1])
        heads.append(ending(forward, base, uniform))
    size = float(np.linalg.norm(flat(first.seen, names)))
    for penalise in penalisable(first.point.parameters):
        if not last or constants(first, heads, last, penalise, size) is not None:
            found = constants(first, heads, names, penalise, size)
            if found is not None:
                yield from objectives(first.point, base, found, penalise)


def penalisable(parameters: Mapping[str, Array]) -> tuple[str, ...]:
    """Return what a penalty may be of: without a normalisation all parameters are linear."""
    return PENALISED if "gamma1" in parameters else ("weights", "all")


def ending(forward: Pass, objective: Objective, targets: Array) -> Pass:
    """Return the pass that ends in another loss: what the loss does not reach is shared."""
    forward.get("logits")
    known = {key: value for key, value in forward.known.items() if key[0] in BELOW_THE_LOSS}
    return Pass(replace(forward.point, objective=objective, targets=targets), known=known)


def constants(
    first: Observation, heads: Sequence[Pass], names: Sequence[str], penalise: str, size: float
) -> tuple[float, float, float, float] | None:
    """Return c, s, l2 and l1 by which these gradients are a sum of the known ones, or None.

    What is left may be a share of `size`, the norm of all gradients.
    """
    columns = [flat({name: head.named(name).value for name in names}, names) for head in heads]
    parameters = flat(
        {
            name: first.point.parameters[name[1:]] * is_penalised(name[1:], penalise)
            for name in names
        },
        names,
    )
    wanted = flat(first.seen, names)
    table = np.stack([*columns, parameters, np.sign(parameters)], axis=1)
    if not (np.isfinite(table).all() and size > 0):
        return None
    found, *_ = np.linalg.lstsq(table, wanted, rcond=None)
    if np.linalg.norm(table @ found - wanted) > CLOSE[np.dtype(first.point.dtype).name] * size:
        return None
    c, s = float(found[0]), float(found[1]) if len(heads) > 1 else 0.0
    return c + s, s / (c + s) if c + s else 0.0, float(found[-2]), float(found[-1])


def flat(values: Mapping[str, Array], names: Sequence[str]) -> Float:
    """Return the values, one after the other."""
    return np.concatenate([np.ravel(values[name]).astype(np.float64) for name in names])


def objectives(
    point: Point, base: Objective, constants: tuple[float, float, float, float], penalise: str
) -> Iterator[Objective]:
    """Yield what the constants c, s, l2 and l1 may have been declared as, the usual first."""
    c, s, l2, l1 = constants
    dtype = np.dtype(point.dtype).name
    rows = len(point.x)
    smoothing = typed(s, dtype)
    if not (typed(c, dtype) > 0 and 0 <= smoothing < 1):  # a penalty alone is no loss
        return
    found = []
    for order, reduction in enumerate(REDUCTIONS):
        factor = typed(c / replace(base, reduction=reduction).share(point.targets), dtype)
        for over, times in (("1", 1.0), ("rows", float(rows))):
            penalty = typed(l2 * times, dtype), typed(l1 * times, dtype)
            if min(penalty) < 0 or (over == "rows" and not any(penalty)):
                continue
            rank = TYPED.index(factor) if factor in TYPED else len(TYPED) + len(f"{factor:g}")
            unusual = sum(len(f"{number:g}") for number in penalty)
            found.append((rank, unusual, order, reduction, factor, over, penalty))
    for *_, reduction, factor, over, penalty in sorted(found):
        yield replace(
            base, reduction=reduction, loss_factor=factor, label_smoothing=smoothing,
            l2=penalty[0], l1=penalty[1], penalise=penalise if any(penalty) else "weights",
            penalty_over=over,
        )  # fmt: skip


def typed(number: float, dtype: str) -> float:
    """Return the number with the digits that are believed; next to nothing is 0."""
    if abs(number) < CLOSE[dtype]:
        return 0.0
    return float(f"{number:.{DIGITS[dtype] - 1}e}")


def left(seen: Sequence[Observation], objective: Objective) -> float:
    """Return the worst ratio over all points if that is what is declared."""
    return max(
        Case(replace(one, point=replace(one.point, objective=objective))).worst(frozenset())
        for one in seen
    )


def differences(experiment: Experiment, seen: Observation, objective: Objective) -> dict[str, Any]:
    """Return the settings that differ from the declared ones."""
    found: dict[str, Any] = {}
    if seen.point.activation != experiment.activation:
        found["activation"] = seen.point.activation
    for part, declared in (
        (seen.point.between, experiment.between),
        (objective, experiment.objective),
    ):
        for name in (field.name for field in fields(part)):
            value = getattr(part, name)
            if value != getattr(declared, name):
                found[name] = value
    return found
