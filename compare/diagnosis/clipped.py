"""Clipping beside the declared one: left out, of something else, or of the velocity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.checks.clipping import Clipping
from compare.checks.optimiser_step import OptimiserStep
from compare.contracts.experiment import Experiment
from compare.diagnosis.identity import Identity, Walked, worst
from compare.mistakes.fits import rounded
from compare.mistakes.mistake import Mistake
from compare.textbook.functions import held
from compare.textbook.pair import Pair
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


@dataclass(frozen=True, slots=True)
class EachClipped(Clipping):
    """Clipping of every gradient by its own norm."""

    def pairs(self, gradients: Mapping[str, NDArray[Any]]) -> dict[str, Pair]:
        """Return the gradients that the step uses."""
        alone = ({name: g} for name, g in gradients.items())
        return {name: pair for one in alone for name, pair in Clipping.pairs(self, one).items()}


def otherwise_clipped(declared: Experiment, walked: Walked, before: float) -> Identity | None:
    """Return how else the gradients were clipped than was declared, if that is what is wrong."""
    norm, value = declared.clip_norm, declared.clip_value
    if norm is None and value is None:
        return None
    right, every = OptimiserStep.of(declared), tuple(walked[0].parameters)
    for mistake, clipping in (
        (UNCLIPPED, Clipping()),
        (EACH, EachClipped(norm, value)),
        (BY_VALUE, Clipping(None, norm if value is None else value)),
    ):
        after = worst(replace(right, clipping=clipping), walked, every)
        if after <= 1:
            return Identity(declared.optimiser, {}, mistake, before, after)
    return None


def velocity_clipped(declared: Experiment, walked: Walked, before: float) -> Identity | None:
    """Return the bound of a clipped velocity, if that makes the updates: the largest step of all.

    It is typed with the learning rate inside, or outside of the velocity as torch has it.
    """
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
        after = worst(replace(OptimiserStep.of(declared), written=rule), walked, every)
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
