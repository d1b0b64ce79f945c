"""Kinks: units whose pre-activation rounding may push across a point without a derivative.

ReLU at 0 has two right slopes, and whoever computes z to be exactly 0 takes one of his own there.
Where two correct sides land on different sides of it, a gradient moves by several per cent although
nobody is wrong. So kinks are resolved, not widened: the difference must be `sum_k t_k C_k`, with
C_k the contribution of kink k to the reference's gradient and t_k a change to the other one-sided
slope, or to one slope in between that all such kinks of the point have in common. What is left must
be within the ordinary allowance of a reference that takes these slopes itself (where a few among
thousands of samples change, of the reference as it is). Only where there are too many to say which
is the allowance widened, and the point weak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from compare.allowance import Allowances
from compare.allowance.rules import ACTIVATION_RULES
from compare.allowance.spread import distance
from compare.checks.exact import Candidates
from compare.checks.joint_fit import common_share
from compare.checks.kink_fit import Fit, Units
from compare.checks.slopes import (
    ReferencePoint,
    Slopes,
    apart,
    candidates,
    effect,
    one_sided,
    substituted,
    together,
)
from compare.contracts.arrays import Float, Values

CONVENTIONS = (0.0, 0.5, 1.0)
"""Shares of the steeper slope that people choose at units exactly on a kink."""
SAMPLES_PER_UNIT = 256
"""With this many samples for each changed slope the allowances of the point as it is are tried."""


@dataclass(frozen=True, slots=True)
class KinkExplanation:
    """The gradients and allowances that a correct side would be held against.

    `slopes` are those it takes other than the reference. `widened`: there are too many units on a
    kink to say which; the allowances hold all they may do, and the point is weak.
    """

    gradients: Values
    allowances: Allowances
    slopes: Slopes = field(default_factory=Slopes)
    widened: bool = False


def explanations(
    point: ReferencePoint,
    gradients: Values,
    difference: Mapping[str, Float],
    allow: Callable[[Values, Values], Allowances],
) -> Iterator[KinkExplanation]:
    """Yield what may explain `difference`, which is `manual - gradients`, at kinks: simplest first.

    `allow` returns the allowances of the reference's values and gradients. Units that are on a kink
    whatever is rounded share one slope, a convention: the reference's or another.
    """
    if not reachable(point, difference):
        return
    exact, near = apart(point, candidates(point))
    explained = partial(explanation_of, point, gradients, allow)
    on_kink = at_kink(point, together(exact, near))
    for common in conventions(point, on_kink, difference):
        slopes = of_one_share(point, on_kink, common)
        if len(slopes):
            yield from explained(slopes)
    shares: Iterable[float | None] = conventions(point, exact, difference) if exact else (None,)
    for share in shares:
        taken = KinkExplanation(gradients, point.allowances)
        slopes = of_one_share(point, exact, share or 0.0)
        if len(slopes):
            *_, taken = explained(slopes, quickly=False)
        values = substituted(point, taken.slopes)
        there = replace(point, values=values, allowances=taken.allowances)
        fit = Fit(there, near, left_by(point, taken.slopes, difference), share)
        for slopes in fit.proposals():
            yield from explained(taken.slopes.with_those(slopes))
        if not fit.searched:
            allowances = widen(taken.allowances, _everything(there, near))
            yield KinkExplanation(taken.gradients, allowances, taken.slopes, widened=True)


def left_by(
    point: ReferencePoint, slopes: Slopes, difference: Mapping[str, Float]
) -> Mapping[str, Float]:
    """Return what these slopes leave of the difference."""
    if not len(slopes):
        return difference
    moved = effect(point, slopes)
    return {name: entries - moved[name] for name, entries in difference.items()}


def explanation_of(
    point: ReferencePoint,
    gradients: Values,
    allow: Callable[[Values, Values], Allowances],
    slopes: Slopes,
    *,
    quickly: bool = True,
) -> Iterator[KinkExplanation]:
    """Yield what a side with these slopes is held against: first the quick way, if they are few."""
    expected = effect(point, slopes)
    for name, gradient in gradients.items():
        expected[name] += gradient

    def anew() -> Allowances:
        return allow(substituted(point, slopes), expected)

    if quickly and len(slopes) * SAMPLES_PER_UNIT <= len(point.x):
        # Intermediates of the changed units themselves move by all they are.
        there = replace(point.allowances, unordered=lambda: anew().unordered())
        yield KinkExplanation(expected, there, slopes)
    yield KinkExplanation(expected, anew(), slopes)


def reachable(point: ReferencePoint, difference: Mapping[str, Float]) -> bool:
    """No slope reaches the last layer's gradients: a difference there is not made of kinks."""
    names = (f"w{point.depth}", f"b{point.depth}")
    last = {name: difference[name] for name in names if name in difference}
    return bool(ACTIVATION_RULES[point.activation].kinks) and all(
        (np.abs(left) <= point.allowances.gradients[name]).all() for name, left in last.items()
    )


def widen(allowances: Allowances, by: Mapping[str, Float]) -> Allowances:
    """Add `by` to the allowances of the gradients; their projections say nothing any more."""
    return replace(
        allowances,
        gradients={name: entry + by[name] for name, entry in allowances.gradients.items()},
        projections=dict.fromkeys(allowances.projections, np.inf),
    )


def _everything(point: ReferencePoint, near: Candidates) -> dict[str, Float]:
    """The most that all candidates together can move each gradient, in any combination."""
    rule = ACTIVATION_RULES[point.activation]
    rows = point.rows_of(np.unique(np.concatenate([rows for rows, _ in near.values()])))
    size = np.abs(point.values["dlogits"][rows].astype(np.float64))  # (R, K), bound of |dz|
    moved = np.zeros_like(size)  # (R, K), bound of its change
    widened: dict[str, Float] = {}
    for layer in range(point.depth, 0, -1):
        h = np.abs(point.inputs_of(layer)[rows].astype(np.float64))
        widened[f"w{layer}"] = h.T @ moved
        if f"b{layer}" in point.parameters:
            widened[f"b{layer}"] = moved.sum(axis=0)
        if layer == 1:
            return widened
        w = np.abs(point.parameters[f"w{layer}"].astype(np.float64))
        through, inside = point.through(layer - 1)[rows], point.within(layer - 1, rows)
        slope = np.abs(rule.slope(through.astype(np.float64)))
        jump, steepest = np.zeros(slope.shape), slope.copy()
        if layer - 1 in near:
            at = np.searchsorted(rows, near[layer - 1][0]), near[layer - 1][1]
            low, high = one_sided(point, layer - 1, *near[layer - 1])
            jump[at], steepest[at] = high - low, np.maximum(np.abs(low), np.abs(high))
        kept = point.kept(layer - 1, rows)
        size, moved = (size @ w.T) * kept, (moved @ w.T) * kept
        moved = moved * steepest + size * jump
        size = size * steepest
        if inside is not None:
            if f"gamma{layer - 1}" in point.parameters:
                widened[f"gamma{layer - 1}"] = (moved * np.abs(inside.s)).sum(axis=0)
                widened[f"beta{layer - 1}"] = moved.sum(axis=0)
            size, moved = inside.most_back(size), inside.most_back(moved)
    return widened


def at_kink(point: ReferencePoint, near: Candidates) -> Candidates:
    """Return those of the candidates that are exactly on a kink on the reference's side."""
    kinks = tuple(ACTIVATION_RULES[point.activation].kinks)
    found = {}
    for layer, (rows, units) in near.items():
        on_kink = distance(point.taken(layer)[rows, units], kinks) == 0
        if on_kink.any():
            found[layer] = rows[on_kink], units[on_kink]
    return found


def conventions(
    point: ReferencePoint, exact: Candidates, difference: Mapping[str, Float]
) -> Iterator[float]:
    """Yield the shares that all units exactly on a kink may have in common."""
    if exact:
        yield from CONVENTIONS
        fitted = common_share(point, Units.of(point, exact), difference)
        if fitted is not None:
            yield fitted


def of_one_share(point: ReferencePoint, near: Candidates, share: float) -> Slopes:
    """Return the changes that give all these units one share of the steeper slope."""
    if not near:
        return Slopes()
    units = Units.of(point, near)
    return units.slopes(np.full(len(units.own), share))
