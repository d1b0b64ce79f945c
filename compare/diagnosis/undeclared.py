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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice, product
from typing import Any

import numpy as np

from compare.contracts.arrays import Float
from compare.contracts.errors import BadInput
from compare.contracts.experiment import ACTIVATION_NAMES, Experiment
from compare.contracts.objective import LOSS_NAMES, OUTPUT_NAMES, REDUCTIONS, Objective
from compare.diagnosis.asking import observations
from compare.diagnosis.match import Case
from compare.diagnosis.observation import Observation
from compare.points.diagnostic import CONFIDENT, ORDINARY, probe, reduced
from compare.points.drawing import batch_sizes
from compare.textbook import Pass, Point

Implementation = Callable[..., tuple[Any, ...]]
CLOSE = {"float64": 1e-9, "float32": 1e-3}
"""What may be left of the gradients, relative to them, by constants that fit."""
DIGITS = {"float64": 6, "float32": 3}
"""So many digits of a fitted constant are believed."""
TYPED = (1.0, 0.5, 2.0)
"""The factors of a loss that people write; any other of two digits comes after them."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """Settings that make the code right.

    `options` are those that differ from what was declared, `ratio` the worst ratio with them.
    """

    options: dict[str, Any]
    ratio: float  # the worst that is left with it

    @property
    def words(self) -> str:
        """The options of the command."""
        return " ".join(
            f"--{name.replace('_', '-')} {shown(value)}" for name, value in self.options.items()
        )


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
    seen = observations(implementation, points(experiment, reduced(sizes)))
    if len(seen) < 3 or not all(Case(one).finite for one in seen):
        return None
    with np.errstate(all="ignore"):
        for activation, loss, output in candidates(experiment):
            for objective in fitted(seen, activation, loss, output):
                worst = left(seen, activation, objective)
                if worst <= 1.0:
                    return Declaration(differences(experiment, activation, objective), worst)
    return None


def points(experiment: Experiment, sizes: Sequence[int]) -> list[tuple[str, Point]]:
    """Two batch sizes, since a mean and a sum differ by them, and one-hot targets only."""
    generator = np.random.default_rng(experiment.seed)
    few, _, many = islice(batch_sizes(sizes), 3)
    made = []
    for kind, rows in ((ORDINARY, many), (ORDINARY, few), (CONFIDENT, few)):
        point = probe(
            sizes, rows, kind, activation=experiment.activation, reduction="mean",
            dtype=experiment.dtype, generator=generator, objective=experiment.objective,
            bias=experiment.bias,
        )  # fmt: skip
        made.append((kind.label, point))
    return made


def candidates(experiment: Experiment) -> Iterator[tuple[str, str, str]]:
    """Yield every (activation, loss, output), the declared ones first of each."""

    def first(declared: str, names: Sequence[str]) -> list[str]:
        return [declared, *(name for name in names if name != declared)]

    heads = product(first(experiment.loss, LOSS_NAMES), first(experiment.output, OUTPUT_NAMES))
    activations = (
        first(experiment.activation, ACTIVATION_NAMES)
        if experiment.hidden
        else [experiment.activation]
    )
    listed = list(heads)
    yield from ((experiment.activation, *head) for head in listed)
    yield from ((name, *head) for name in activations[1:] for head in listed)


def fitted(
    seen: Sequence[Observation], activation: str, loss: str, output: str
) -> Iterator[Objective]:
    """Yield the objectives whose constants fit the gradients of the first point."""
    first = seen[0]
    try:
        base = Objective(loss, output, reduction="sum")
    except BadInput:  # an output that the loss has inside
        return
    names = [name for name in first.seen if name in {f"d{key}" for key in first.point.parameters}]
    y = gradients(first.point, activation, base, names)
    columns = [y]
    smooths = loss == "cross_entropy"
    if smooths:
        uniform = np.full_like(first.point.targets, 1 / first.point.targets.shape[1])
        columns.append(gradients(replace(first.point, targets=uniform), activation, base, names))
    wanted = np.concatenate([np.ravel(first.seen[name]).astype(np.float64) for name in names])
    size = float(np.linalg.norm(wanted))
    for penalise in ("weights", "all"):
        parameters = np.concatenate([
            np.ravel(first.point.parameters[name[1:]]).astype(np.float64)
            * (penalise == "all" or name[1] == "w")
            for name in names
        ])  # fmt: skip
        table = np.stack([*columns, parameters, np.sign(parameters)], axis=1)
        if not (np.isfinite(table).all() and size > 0):
            return
        found, *_ = np.linalg.lstsq(table, wanted, rcond=None)
        dtype = np.dtype(first.point.dtype).name
        if np.linalg.norm(table @ found - wanted) > CLOSE[dtype] * size:
            continue
        c, l2, l1 = float(found[0]), float(found[-2]), float(found[-1])
        s = float(found[1]) if smooths else 0.0
        yield from objectives(first.point, base, (c + s, s / (c + s), l2, l1), penalise)


def gradients(point: Point, activation: str, objective: Objective, names: Sequence[str]) -> Float:
    """Return the gradients of a declared network at `point`, one after the other."""
    net = Pass(replace(point, activation=activation, objective=objective))
    return np.concatenate([np.ravel(net.named(name).value) for name in names])


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


def left(seen: Sequence[Observation], activation: str, objective: Objective) -> float:
    """Return the worst ratio over all points if that is what is declared."""
    return max(
        Case(
            replace(one, point=replace(one.point, activation=activation, objective=objective))
        ).worst(frozenset())
        for one in seen
    )


def differences(experiment: Experiment, activation: str, objective: Objective) -> dict[str, Any]:
    """Return the settings that differ from the declared ones."""
    found: dict[str, Any] = {}
    if activation != experiment.activation:
        found["activation"] = activation
    for part in fields(Objective):
        value = getattr(objective, part.name)
        if value != getattr(experiment.objective, part.name):
            found[part.name] = value
    return found
