"""Kinks: units whose pre-activation rounding may push across a point without a derivative.

ReLU at 0 has two right slopes, and anything between. Where two correct sides land on different
sides of it, a gradient moves by several per cent although nobody is wrong. So kinks are resolved,
not widened: the difference must be `sum_k t_k C_k`, with C_k the contribution of kink k to the
reference's gradient and t_k a change of slope between the one-sided slopes, and what is left
must be within the ordinary allowance of a reference that takes these slopes itself (where a few
among thousands of samples change, of the reference as it is). Only where there are too many to say
which is the allowance widened, and the point weak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from compare.allowance import Allowances
from compare.allowance.rules import ACTIVATION_RULES
from compare.checks.kink_fit import SNAP, fit_by_layers, fit_jointly
from compare.checks.slopes import (
    Candidates,
    Float,
    Point,
    Slopes,
    Values,
    apart,
    candidates,
    count,
    effect,
    substituted,
    together,
)

CONVENTIONS = (1.0, 0.5)
"""Slopes other than the reference's, 0, that people choose at exactly 0."""
MOST_FITTED = 4096
"""More units than this on a kink are not fitted unit by unit."""
MOST_RESOLVED = 64
"""More than this are not fitted jointly, and if nothing explains them the allowance is widened."""
MOST_ENTRIES = 1 << 22
"""A joint fit has at most this many numbers: entries of the gradients times units."""
SAMPLES_PER_UNIT = 256
"""With this many samples for each changed slope the allowances of the point as it is are tried."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The gradients and allowances that a correct side would be held against.

    `slopes` are those it takes other than the reference. `widened`: there are too many units on a
    kink to say which; the allowances hold all they may do, and the point is weak.
    """

    gradients: Values
    allowances: Allowances
    slopes: Slopes = field(default_factory=Slopes)
    widened: bool = False


def explanations(
    point: Point,
    gradients: Values,
    difference: Mapping[str, Float],
    allow: Callable[[Values, Values], Allowances],
) -> Iterator[Explanation]:
    """Yield what may explain `difference`, which is `manual - gradients`, at kinks: simplest first.

    `allow` returns the allowances of the reference's values and gradients. Units that are on a kink
    whatever is rounded share one slope, a convention: the reference's or another.
    """
    if not reachable(point, difference):
        return
    exact, near = apart(point, candidates(point))
    explained = partial(explanation_of, point, gradients, allow)
    for common in CONVENTIONS:
        slopes = at_kink(point, together(exact, near), common)
        if len(slopes):
            yield from explained(slopes)
    conventions = [Explanation(gradients, point.allowances)]
    if exact:
        for common in CONVENTIONS:
            conventions += explained(at_kink(point, exact, common), quickly=False)
    for taken in conventions:
        values = substituted(point, taken.slopes)
        there = replace(point, values=values, allowances=taken.allowances)
        moved = effect(point, taken.slopes)
        left = {name: entries - moved[name] for name, entries in difference.items()}
        for slopes in proposals(there, near, left):
            yield from explained(taken.slopes.with_those(slopes))
        if count(near) > MOST_RESOLVED:
            allowances = widen(taken.allowances, _everything(there, near))
            yield Explanation(taken.gradients, allowances, taken.slopes, widened=True)


def explanation_of(
    point: Point,
    gradients: Values,
    allow: Callable[[Values, Values], Allowances],
    slopes: Slopes,
    *,
    quickly: bool = True,
) -> Iterator[Explanation]:
    """Yield what a side with these slopes is held against: first the quick way, if they are few."""
    moved = effect(point, slopes)
    expected = {name: gradient + moved[name] for name, gradient in gradients.items()}

    def anew() -> Allowances:
        return allow(substituted(point, slopes), expected)

    if quickly and len(slopes) * SAMPLES_PER_UNIT <= len(point.x):
        # Intermediates of the changed units themselves move by all they are.
        there = replace(point.allowances, unordered=lambda: anew().unordered())
        yield Explanation(expected, there, slopes)
    yield Explanation(expected, anew(), slopes)


def reachable(point: Point, difference: Mapping[str, Float]) -> bool:
    """No slope reaches the last layer's gradients: a difference there is not made of kinks."""
    last = {name: difference[name] for name in (f"w{point.depth}", f"b{point.depth}")}
    return bool(ACTIVATION_RULES[point.activation].kinks) and all(
        (np.abs(left) <= point.allowances.gradients[name]).all() for name, left in last.items()
    )


def proposals(point: Point, near: Candidates, difference: Mapping[str, Float]) -> Iterator[Slopes]:
    """Yield slopes to try: fitted, once with those near a usual choice taken to be that choice."""
    if not 0 < count(near) <= MOST_FITTED:
        return
    entries = sum(left.size for left in difference.values()) * count(near)
    few = count(near) <= MOST_RESOLVED and entries <= MOST_ENTRIES
    for fit in (fit_by_layers, fit_jointly) if few else (fit_by_layers,):
        for snap in (SNAP, 0.0):
            yield fit(point, near, difference, snap)


def widen(allowances: Allowances, by: Mapping[str, Float]) -> Allowances:
    """Add `by` to the allowances of the gradients; their projections say nothing any more."""
    return replace(
        allowances,
        gradients={name: entry + by[name] for name, entry in allowances.gradients.items()},
        projections=dict.fromkeys(allowances.projections, np.inf),
    )


def _everything(point: Point, near: Candidates) -> dict[str, Float]:
    """The most that all candidates together can move each gradient, in any combination."""
    rule = ACTIVATION_RULES[point.activation]
    rows = np.unique(np.concatenate([rows for rows, _ in near.values()]))
    size = np.abs(point.values["dlogits"][rows].astype(np.float64))  # (R, K), bound of |dz|
    moved = np.zeros_like(size)  # (R, K), bound of its change
    widened: dict[str, Float] = {}
    for layer in range(point.depth, 0, -1):
        h = np.abs(point.inputs_of(layer)[rows].astype(np.float64))
        widened[f"w{layer}"] = h.T @ moved
        widened[f"b{layer}"] = moved.sum(axis=0)
        if layer == 1:
            return widened
        w = np.abs(point.parameters[f"w{layer}"].astype(np.float64))
        slope = np.abs(rule.slope(point.inputs_of(layer)[rows].astype(np.float64)))
        on_kink = np.zeros(slope.shape)
        if layer - 1 in near:
            on_kink[np.searchsorted(rows, near[layer - 1][0]), near[layer - 1][1]] = 1.0
        steepest = np.maximum(slope, on_kink)
        size, moved = (size @ w.T), (moved @ w.T)
        moved = moved * steepest + size * on_kink
        size = size * steepest
    return widened


def at_kink(point: Point, near: Candidates, common: float) -> Slopes:
    """Slopes that give every unit with z == kink the same slope; the reference's there is 0."""
    slopes = Slopes()
    for layer, (rows, units) in near.items():
        at_zero = point.values[f"z{layer}"][rows, units] == 0
        slopes.put(layer, rows[at_zero], units[at_zero], np.full(int(at_zero.sum()), common))
    return slopes
