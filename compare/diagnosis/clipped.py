"""Clipping beside the declared one: left out, of something else, or of the velocity."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.checks.clipping import Clipping, norm_of, rounding_of, scaled
from compare.checks.optimiser_step import OptimiserStep, widened
from compare.checks.ratio import ratio
from compare.diagnosis.identity import Asked, Identity, Walked, worst
from compare.mistakes.fits import rounded
from compare.mistakes.mistake import Mistake
from compare.textbook.functions import held
from compare.textbook.pair import Pair, exact
from compare.textbook.plain_optimisers import Buffers, OptimiserSettings, Stepped, decayed, kept

EACH = Mistake(
    "clip-norm-of-each", "each gradient clipped by itself",
    "Every gradient is scaled down by its own norm; the declared norm is that of all of them "
    "together.",
    "g = g * min(1, c / np.linalg.norm(g))",
)  # fmt: skip


UNCLIPPED = Mistake(
    "clipping-left-out", "a declared clipping that is left out",
    "The gradients are not clipped, as was declared.", "g = g",
)  # fmt: skip


BY_VALUE = Mistake(
    "clip-value-for-norm", "entries clipped where the norm is to be",
    "Every entry of the gradients is clipped by itself at the declared norm.",
    "g = np.clip(g, -c, c)",
)  # fmt: skip


VELOCITY = Mistake(
    "velocity-clipped", "a velocity whose entries are clipped",
    "Every entry of the velocity is held between {least} and {most} after the gradient has entered "
    "it; what is clipped is the gradient, before (`--clip-value` declares that).",
    "v = np.clip(momentum * v + learning_rate * dw, -c, c)",
)  # fmt: skip


WITHOUT_ROOT = Mistake(
    "clip-norm-without-root", "gradients clipped by the square of their norm",
    "The gradients are divided by the sum of their squares; the norm is the root of it.",
    "norm = sum(np.sum(g * g) for g in gradients)",
)  # fmt: skip
NORMS_ADDED = Mistake(
    "clip-norm-of-sums", "gradients clipped by the sum of their norms",
    "The norms of all gradients are added up; the norm of all of them together is the root of the "
    "sum of their squares.",
    "norm = sum(np.linalg.norm(g) for g in gradients)",
)  # fmt: skip
WEIGHTS_ONLY = Mistake(
    "clip-norm-of-weights", "gradients clipped by the norm of the weights' alone",
    "The norm is that of the gradients of the weights alone; those of the biases belong to it.",
    "norm = np.sqrt(sum(np.sum(g * g) for g in weight_gradients))",
)  # fmt: skip
MEAN_SQUARE = Mistake(
    "clip-norm-averaged", "gradients clipped by the root of their mean square",
    "The root is taken of the mean of all squares; the norm is the root of their sum.",
    "norm = np.sqrt(np.mean(g * g))",
)  # fmt: skip
ABSOLUTE = Mistake(
    "clip-norm-of-absolutes", "gradients clipped by the sum of their absolute values",
    "The absolute values are added up; the norm is the root of the sum of squares.",
    "norm = sum(np.sum(np.abs(g)) for g in gradients)",
)  # fmt: skip
LARGEST = Mistake(
    "clip-norm-of-largest", "gradients clipped by their largest entry",
    "The gradients are scaled down until their largest entry is within the bound; the bound is of "
    "their norm.",
    "norm = max(np.abs(g).max() for g in gradients)",
)  # fmt: skip
ALWAYS = Mistake(
    "clip-norm-always", "gradients scaled to the norm where they are shorter",
    "The gradients are scaled to the declared norm always; where they are shorter they stay as "
    "they are.",
    "g = g * c / norm",
)  # fmt: skip
GUARDED = Mistake(
    "clip-norm-guard", "a norm with {constant:g} added to it",
    "{constant:g} is added to the norm by which the gradients are clipped: more than a guard, it "
    "shortens them to less than the declared norm.",
    "g = g * min(1, c / (norm + {constant:g}))",
)  # fmt: skip
STEP = Mistake(
    "clip-norm-of-velocity", "a velocity that is clipped in place of the gradient",
    "The velocity is scaled down to the declared norm; what is clipped is the gradient, before it "
    "enters the velocity.",
    "v = momentum * v + learning_rate * dw\nv = v * min(1, c / np.linalg.norm(v))",
)  # fmt: skip

Gradients = Mapping[str, NDArray[Any]]
TOO_LARGE = (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0)
"""What is added to a norm and is no guard."""


@dataclass(frozen=True, slots=True)
class EachClipped(Clipping):
    """Clipping of every gradient by its own norm."""

    def pairs(self, gradients: Gradients) -> dict[str, Pair]:
        """Return the gradients that the step uses."""
        alone = ({name: g} for name, g in gradients.items())
        return {name: pair for one in alone for name, pair in Clipping.pairs(self, one).items()}


@dataclass(frozen=True, slots=True)
class OtherwiseClipped(Clipping):
    """Clipping by something else than the norm, or of what is short as well."""

    measured: Callable[[Gradients], float] = norm_of
    always: bool = False

    def shortened(self, gradients: Gradients) -> tuple[float, float]:
        """Return the factor, and its relative allowance: a sum without a root rounds twice."""
        assert self.norm is not None
        share = self.norm / (self.measured(gradients) + self.guard)
        return (share if self.always else min(share, 1.0)), 2 * rounding_of(gradients)


def sum_of(measure: Callable[[NDArray[Any]], Any]) -> Callable[[Gradients], float]:
    """Return the sum of this measure of every gradient."""
    return lambda gradients: float(sum(measure(g.astype(np.float64)) for g in gradients.values()))


def of_weights(gradients: Gradients) -> float:
    """Return the norm of the gradients of the weights."""
    return norm_of({name: g for name, g in gradients.items() if name[0] == "w"})


def mean_square(gradients: Gradients) -> float:
    """Return the root of the mean square of all entries."""
    return norm_of(gradients) / sqrt(sum(g.size for g in gradients.values()))


def largest_entry(gradients: Gradients) -> float:
    """Return the largest absolute entry of all."""
    return max(float(np.abs(g).max()) for g in gradients.values())


MEASURES: tuple[tuple[Mistake, Callable[[Gradients], float]], ...] = (
    (WITHOUT_ROOT, sum_of(lambda g: np.vdot(g, g))),
    (NORMS_ADDED, sum_of(np.linalg.norm)),
    (WEIGHTS_ONLY, of_weights),
    (MEAN_SQUARE, mean_square),
    (ABSOLUTE, sum_of(lambda g: np.abs(g).sum())),
    (LARGEST, largest_entry),
)


def otherwise_clipped(asked: Asked, walked: Walked, before: float) -> Identity | None:
    """Return how else the gradients were clipped than was declared, if that is what is wrong."""
    declared = asked.experiment
    if declared.clip_norm is None and declared.clip_value is None:
        return None
    every = tuple(walked[0].parameters)
    for mistake, clipping in wrongly(asked.right.clipping):
        after = worst(replace(asked.right, clipping=clipping), walked, every)
        if after <= 1:
            return Identity(declared.optimiser, {}, mistake, before, after)
    return velocity_shortened(asked, walked, before)


def wrongly(right: Clipping) -> Iterator[tuple[Mistake, Clipping]]:
    """Yield the known ways to clip otherwise."""
    norm, value, guard = right.norm, right.value, right.guard
    yield UNCLIPPED, Clipping()
    yield EACH, EachClipped(norm, value, guard)
    yield BY_VALUE, Clipping(None, norm if value is None else value)
    if norm is None:
        return
    for mistake, measured in MEASURES:
        yield mistake, OtherwiseClipped(norm, guard=guard, measured=measured)
    yield ALWAYS, OtherwiseClipped(norm, guard=guard, always=True)
    for large in TOO_LARGE:
        named = GUARDED.title.format(constant=large), GUARDED.sentence.format(constant=large)
        yield replace(GUARDED, title=named[0], sentence=named[1]), Clipping(norm, guard=large)


def velocity_shortened(asked: Asked, walked: Walked, before: float) -> Identity | None:
    """Return that the velocity was clipped by its norm, in the declared form, if it was."""
    declared, right = asked.experiment, asked.right
    sgd = declared.optimiser == "sgd" and not declared.nesterov and declared.momentum
    if not sgd or declared.clip_norm is None:
        return None
    for stored in (True, False):
        after = of_short_velocities(right, walked, stored)
        if after <= 1:
            return Identity("sgd", {}, STEP, before, after)
    return None


def of_short_velocities(right: OptimiserStep, walked: Walked, stored: bool) -> float:
    """Return the worst ratio with velocities of at most the norm; not `stored`: only applied."""
    old: dict[str, Pair] = {}
    found = 0.0
    for before, after in pairwise(walked):
        now = replace(right.at(getattr(before, "learning_rate", None)), clipping=Clipping())
        moved: dict[str, Pair] = {}
        for name, w in before.parameters.items():
            dw = exact(before.gradients[name], w.dtype)
            _, dw = decayed(exact(w, w.dtype), dw, now.settings_of(name))
            share = 1 - now.settings.dampening if old else 1.0
            v = share * dw if not old else now.settings.momentum * old[name] + share * dw
            moved[name] = v * abs(now.scale)
        values = {name: np.asarray(v.value) for name, v in moved.items()}
        share, error = right.clipping.shortened(values)
        for name, v in moved.items():
            w = before.parameters[name]
            short = scaled(v, share, error)
            old[name] = (short if stored else v) / abs(now.scale)
            stepped = exact(w, w.dtype) - (now.settings.learning_rate / abs(now.scale)) * short
            error_of = np.abs(after.parameters[name] - stepped.value)
            found = max(found, float(ratio(error_of, widened(stepped, w)).max(initial=0.0)))
        if not found <= 1:
            return np.inf
    return found


def velocity_clipped(asked: Asked, walked: Walked, before: float) -> Identity | None:
    """Return the bound of a clipped velocity, if that makes the updates: the largest step of all.

    It is typed with the learning rate inside, or outside of the velocity as torch has it.
    """
    declared = asked.experiment
    if declared.optimiser != "sgd" or declared.nesterov or not declared.momentum:
        return None
    every, rate = tuple(walked[0].parameters), declared.learning_rate
    steps = (b.parameters[n] - a.parameters[n] for a, b in pairwise(walked) for n in every)
    largest = max(float(np.abs(step).max(initial=0.0)) for step in steps)
    if not 0 < largest < np.inf:
        return None
    inside, outside = rounded(largest), rounded(largest / rate)
    for bound in dict.fromkeys((*(c / rate for c in inside), *outside)):
        rule = partial(of_clipped_velocity, bound)
        after = worst(replace(asked.right, written=rule), walked, every)
        if after <= 1:
            typed = bound if declared.momentum_form == "buffer" else bound * rate
            said = VELOCITY.sentence.format(least=f"{-typed:.4g}", most=f"{typed:.4g}")
            return Identity("sgd", {}, replace(VELOCITY, sentence=said), before, after)
    return None


def of_clipped_velocity(
    bound: float, w: Any, dw: Any, old: Buffers, t: int, of: OptimiserSettings
) -> Stepped:
    """Plain momentum with a buffer that is held within the bound."""
    w, dw = decayed(w, dw, of)
    share = 1 - of.dampening if "v" in old else 1.0
    v = held(of.momentum * kept(old, "v", dw) + share * dw, -bound, bound)
    return w - of.learning_rate * v, {"v": v}
