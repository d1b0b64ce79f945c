"""Which mistake of normalisation or dropout reproduces the numbers seen.

The plain program is run with the lines of a mistake in place of its own, in float64, at every point
where the code was wrong. What reproduces loss and gradients there, and was not right anyway, is
named. A gradient counts as reproduced within a few times what rounding may do to the right one of
its size: the mistakes are orders of magnitude apart.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np

from compare.allowance.rules import ACTIVATION_RULES
from compare.contracts.arrays import Array, Arrays, Float
from compare.contracts.between import NORMALISATIONS, Between
from compare.contracts.objective import Objective
from compare.contracts.result import Diagnosis
from compare.mistakes.between import BETWEEN, BetweenMistake
from compare.textbook import losses, plain_between
from compare.textbook.pair import exact

WIDER = 4.0
"""A mistaken gradient may round so many times as much as the right one, scaled to its size."""
PLACES = {"dz": "dz = ri * (ds", "da": "da = dh * mask", "h[i]": "h[i] = a[i] * mask"}
"""How the line begins that a slip replaces, where what it assigns is assigned twice."""


@dataclass(frozen=True)
class Seen:
    """A point at which the code was wrong: what it took, what it gave, and what was allowed."""

    parameters: Mapping[str, Array]
    x: Array
    targets: Array
    context: Mapping[str, Array]
    loss: float
    gradients: Arrays
    allowed: Mapping[str, Array]
    allowed_loss: float
    right: Arrays
    right_loss: float


def diagnose_between(
    seen: Sequence[Seen], between: Between, activation: str, objective: Objective
) -> tuple[Diagnosis, ...]:
    """Return the mistakes that reproduce every point, the best first; none if there is none."""
    found = []
    for mistake in candidates(between, seen):
        with np.errstate(all="ignore"):
            ratios = [left(mistake.slip, one, between, activation, objective) for one in seen]
        if max(ratios) <= 1.0:
            found.append((mistake.convention, max(ratios), mistake))
    if not found:
        return ()
    found.sort(key=lambda one: one[:2])
    _, after, best = found[0]
    before = max(beside(one, one.right) for one in seen)
    also = tuple(other.name for *_, other in found[1:])
    return (Diagnosis(best.name, best.sentence, before, after, also, title=best.title),)


def normalised_inside(seen: Sequence[Seen], activation: str, objective: Objective) -> str | None:
    """Return the normalisation, without scale and shift, that explains every point; or None."""
    for kind in NORMALISATIONS[1:]:
        between = Between(kind)
        with np.errstate(all="ignore"):
            if all(left("", unscaled(one), between, activation, objective) <= 1.0 for one in seen):
                return kind
    return None


def unscaled(one: Seen) -> Seen:
    """Return a point with gamma 1 and beta 0 in every hidden layer."""
    widths = [w.shape[1] for name, w in one.parameters.items() if name[0] == "w"]
    scales = Between("layer").scales((0, *widths))
    return replace(one, parameters={**one.parameters, **scales})


def candidates(between: Between, seen: Sequence[Seen]) -> Iterator[BetweenMistake]:
    """Yield the mistakes that can be made in such a network at such points."""
    evaluated = [not one.context.get("training", True) for one in seen]
    for mistake in BETWEEN:
        there = (mistake.of == "dropout") == bool(between.dropout) or mistake.of != "dropout"
        normal = mistake.of in ("dropout", between.normalisation) or (
            mistake.of == "normalisation" and between.normalisation != "none"
        )
        if there and normal and (not mistake.evaluation or all(evaluated)):
            yield mistake


def left(slip: str, one: Seen, between: Between, activation: str, objective: Objective) -> float:
    """Return how far the numbers seen are from what a slip gives, 1 being as far as may be.

    Of no slip: from what such a network gives.
    """
    rule = ACTIVATION_RULES[activation]
    program = partial(
        planted(slip), normalisation=between.normalisation, P=between.dropout, f=rule.f,
        slope=lambda z, h: rule.slope(z if rule.of_z else h), top=top_of(objective),
    )  # fmt: skip
    try:
        loss, gradients = program(
            widened(one.parameters), one.x.astype(np.float64), one.targets, one.context
        )
        rounded_loss, rounded = program(one.parameters, one.x, one.targets, one.context)
    except KeyError:  # it reads what this context does not hold
        return np.inf
    own_loss = abs(rounded_loss - loss)
    own = {name: float(np.abs(rounded[name] - g).max()) for name, g in gradients.items()}
    size = abs(loss) / (abs(one.right_loss) or 1.0)
    of_loss = abs(loss - one.loss) / (WIDER * (max(1.0, size) * one.allowed_loss + own_loss))
    ratio = max(float(of_loss), beside(one, gradients, own))
    return np.inf if np.isnan(ratio) else ratio


def beside(
    one: Seen, expected: Mapping[str, Array], own: Mapping[str, float] | None = None
) -> float:
    """Return the worst ratio of the gradients seen beside these, which round by `own` in the format
    of the code."""
    worst = 0.0
    for name, gradient in ((name, expected[name]) for name in one.gradients):
        size = float(np.abs(gradient).max()) / (float(np.abs(one.right[name]).max()) or 1.0)
        allowed = np.maximum(one.allowed[name], float(np.median(one.allowed[name])))
        difference = np.abs(np.asarray(one.gradients[name], dtype=np.float64) - gradient)
        allowed = max(1.0, size) * allowed + (own[name] if own else 0.0)
        ratios = difference / (WIDER * allowed)
        worst = max(worst, float(ratios.max()))
    return worst


def widened(arrays: Mapping[str, Array]) -> dict[str, Float]:
    """Return the arrays in float64."""
    return {name: array.astype(np.float64) for name, array in arrays.items()}


def top_of(objective: Objective) -> Callable[[Array, Array], tuple[float, Array]]:
    """Return loss and dlogits of the objective, in float64."""

    def top(logits: Array, y: Array) -> tuple[float, Array]:
        z, targets = exact(logits, np.float64), exact(y, np.float64)
        share = objective.share(y)
        loss = float(losses.terms(z, targets, objective).sum().value) * share
        return loss, losses.derivative(z, targets, objective).value * share

    return top


@cache
def planted(slip: str) -> Callable[..., tuple[float, Arrays]]:
    """Return the plain program with the lines of a slip in place of its own."""
    lines = inspect.getsource(plain_between.loss_and_gradients).splitlines()
    for written in slip.splitlines():
        target = written.partition(" = ")[0]
        begins = PLACES.get(target, f"{target} = ")
        (at,) = [i for i, line in enumerate(lines) if line.strip().startswith(begins)]
        margin = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
        lines[at] = margin + written
    namespace: dict[str, Any] = dict(vars(plain_between))
    exec(compile("\n".join(lines), "<plain_between>", "exec"), namespace)
    program: Callable[..., tuple[float, Arrays]] = namespace["loss_and_gradients"]
    return program
