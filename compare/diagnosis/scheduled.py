"""A learning rate that falls by a schedule that was not declared: no mistake, but said to be one.

The rate of every update is read off how far it moves. Where these lie on one of the curves that
people type, the updates are made again with its rates, which must make all of them right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from compare.allowance.arithmetic import quiet
from compare.checks.optimiser_step import OptimiserStep
from compare.contracts.arrays import Float
from compare.contracts.experiment import Experiment
from compare.contracts.result import Diagnosis
from compare.diagnosis.identity import Unfolded, Walked, unfolded
from compare.diagnosis.rates import Rates, again, rates_of
from compare.diagnosis.shortened import Piece, ratio_of
from compare.diagnosis.shortened import known as pieces_of
from compare.diagnosis.track import Recorded
from compare.mistakes.fits import rounded
from compare.mistakes.mistake import Mistake
from compare.textbook.pair import exact

FEWEST = 3
"""A curve is told by so many updates with other rates."""
CLOSE = 1e-3
"""How near the number is that people type for a count that a curve begins with."""
SCHEDULED = Mistake(
    "learning-rate-on-a-schedule", "a learning rate on a schedule that was not declared",
    "The learning rate falls from update to update: {curve}, where t counts them from {first}. "
    "That is a schedule, no mistake of the update.",
    "learning_rate = c / (1 + decay * t)", convention=True,
)  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """A schedule: what of a share of the first rate is a straight line in t; the share of the rate
    at t, with its constant; and in words."""

    straight: Callable[[Float], Float]
    constant: Callable[[float], float]
    share: Callable[[float, int], float]
    words: str


CURVES = (
    Curve(
        lambda s: 1 / s, lambda slope: slope, lambda c, t: 1 / (1 + c * t),
        "{rate:g} / (1 + {c:g} t), as Keras' decay has it",
    ),
    Curve(np.log, np.exp, lambda c, t: c**t, "{rate:g} times {c:g}**t"),
    Curve(
        lambda s: 1 / s**2, lambda slope: slope, lambda c, t: (1 + c * t) ** -0.5,
        "{rate:g} / sqrt(1 + {c:g} t)",
    ),
)  # fmt: skip


@quiet
def on_schedule(chains: Sequence[Walked], declared: Experiment) -> Diagnosis | None:
    """Return the schedule by which the rates of all these updates fall, None where none is known,
    or where other rates than the declared one were recorded."""
    rates, step = rates_of(chains, declared.learning_rate), OptimiserStep.of(declared)
    chain = max(chains, key=len, default=())
    if set(rates.values()) != {declared.learning_rate} or len(chain) <= FEWEST:
        return None
    before = ratio_of(step, pieces) if (pieces := [*pieces_of(step, chain)]) else 0.0
    if before <= 1:
        return None
    times, shares = measured(step, pieces, declared.learning_rate)
    if len(shares) < FEWEST or not (np.diff(shares) < 0).all() or not (shares > 0).all():
        return None
    for curve, c, first in readings(times, shares):
        curved = partial(rate_on, curve, c, first, declared.learning_rate)
        made = again(chain, curved)
        others = [*pieces_of(step, made)] if made else []
        after = ratio_of(step, others) if others else np.inf
        if after <= 1:
            said = curve.words.format(rate=declared.learning_rate, c=c)
            told = SCHEDULED.sentence.format(curve=said, first=first)
            return Diagnosis(SCHEDULED.name, told, before, after, title=SCHEDULED.title)
    return None


def rate_on(curve: Curve, c: float, first: int, rate: float, update: int) -> float:
    """Return the rate of an update on a curve."""
    return rate * curve.share(c, update + first)


def measured(step: OptimiserStep, pieces: Sequence[Piece], rate: float) -> tuple[Float, Float]:
    """Return the updates in a row, and what share of the declared rate each is made with."""
    found: dict[int, float] = {}
    for walked, start in pieces:
        own: Rates = {}
        for number, (before, after) in enumerate(pairwise(walked)):
            known = partial(rate_at, own, rate)
            made = again(walked[: number + 2], known) or walked[: number + 2]
            *_, moment = unfolded(step, made, list(before.parameters), start)
            found[before.update] = share_at(moment, before, after)
            own[before.update] = rate * found[before.update]
    return np.array([*found], float), np.array([*found.values()])


def rate_at(known: Rates, rate: float, update: int) -> float:
    """Return the rate of an update, as far as it is known."""
    return known.get(update, rate)


def share_at(moment: Unfolded, before: Recorded, after: Recorded) -> float:
    """Return by what share of its rate an update is made: of what the gradient does where the rate
    is inside of the velocity, else of the whole step."""
    step, inside = moment.step, moment.step.name == "sgd" and moment.step.form != "buffer"
    clipped = step.clipping.pairs(before.gradients)
    along = square = 0.0
    for name, w in before.parameters.items():
        ends = [
            step.rule(exact(w, w.dtype), dw, moment.buffers[name], before.update + 1,
                      step.settings_of(name))[0].value
            for dw in (clipped[name] * 0.0, clipped[name])
        ]  # fmt: skip
        start = ends[0] if inside else w
        effect = ends[1] - start
        along += float(((after.parameters[name] - start) * effect).sum())
        square += float((effect * effect).sum())
    return along / square if square else np.nan


def readings(times: Float, shares: Float) -> Iterator[tuple[Curve, float, int]]:
    """Yield the curves that the shares may lie on, with their constants and first counts."""
    for curve in CURVES:
        slope, at_zero = np.polyfit(times, curve.straight(shares), 1)
        for c in rounded(float(curve.constant(slope))):
            first = (at_zero - curve.straight(np.ones(1))[0]) / slope if slope else 0.0
            if c > 0 and first > -CLOSE and abs(first - round(first)) < max(CLOSE, CLOSE * first):
                yield curve, c, round(first)
