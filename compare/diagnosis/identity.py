"""What an update may be: settings beside the declared ones and a mistake, held against records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from compare.checks.clipping import GUARD
from compare.checks.optimiser_step import OptimiserStep, widened
from compare.checks.ratio import ratio
from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment, usual_momentum
from compare.contracts.result import Diagnosis
from compare.diagnosis.track import Recorded
from compare.diagnosis.undeclared import Declaration
from compare.mistakes.mistake import Mistake
from compare.mistakes.optimiser_mistake import OptimiserMistake
from compare.textbook.pair import Pair, exact

LABELS = {
    "sgd": "gradient descent", "adam": "Adam", "adamw": "AdamW", "amsgrad": "AMSGrad",
    "rmsprop": "RMSprop", "adagrad": "Adagrad",
}  # fmt: skip


Options = dict[str, Any]


Walked = Sequence[Recorded]


@dataclass(frozen=True, slots=True)
class Identity:
    """What an update is: settings that differ from the declared ones, and a mistake or none."""

    optimiser: str
    options: Options
    mistake: Mistake | None
    before: float
    after: float
    epsilon: float | None = None
    """What is added to the root, where the mistake is about that."""
    forgets: bool = False
    """Whether it is Adam where AMSGrad was declared."""

    @property
    def words(self) -> str:
        """The options of the command."""
        return Declaration(self.options, self.after).words

    @property
    def sentence(self) -> str:
        """What the user reads."""
        if self.mistake is None and set(self.options) == {"momentum_form"}:
            return f"The velocity is kept in the other form: `{self.words}` declares it."
        if self.mistake is None:
            return f"Your update is {whose(self.optimiser)}{self.lost}: `{self.words}` declares it."
        size = f" (Epsilon is {self.epsilon:g}.)" if self.epsilon is not None else ""
        return self.mistake.sentence + (f" (With `{self.words}`.)" if self.options else size)

    @property
    def lost(self) -> str:
        """What makes of AMSGrad, where that was declared, the update it is."""
        return ", the largest mean of the squares is not kept" if self.forgets else ""

    @property
    def diagnosis(self) -> Diagnosis:
        """The same as a diagnosis."""
        name, title = "another-optimiser", f"an update that `{self.words}` declares"
        if set(self.options) == {"momentum_form"}:
            name, title = "other-momentum-form", "the other momentum form"
        return Diagnosis(
            mistake=self.mistake.name if self.mistake else name,
            sentence=self.sentence,
            ratio_before=self.before,
            ratio_after=self.after,
            title=self.mistake.title if self.mistake else title,
        )


def whose(optimiser: str) -> str:
    """Return `Adam's`; gradient descent is nobody's."""
    label = LABELS[optimiser]
    return f"{label}'s" if label[0].isupper() else f"another form of {label}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was declared, and what the code is taken to add to the norm where it clips by it."""

    experiment: Experiment
    guard: float = GUARD

    @property
    def right(self) -> OptimiserStep:
        """The declared update."""
        return self.guarded(OptimiserStep.of(self.experiment))

    def guarded(self, step: OptimiserStep) -> OptimiserStep:
        """Return an update whose clipping by norm has this guard."""
        return replace(step, clipping=replace(step.clipping, guard=self.guard))


def tried(asked: Asked, options: Options, mistake: OptimiserMistake | None) -> OptimiserStep | None:
    """Return the update so declared; None for settings that exclude each other."""
    try:
        step = asked.guarded(OptimiserStep.of(replace(asked.experiment, **options)))
    except BadInput:
        return None
    return step if mistake is None else replace(step, written=mistake.rule(step.name))


Buffered = dict[str, dict[str, Pair]]
"""The buffers of every parameter, in torch's form."""


def worst(
    step: OptimiserStep,
    walked: Walked,
    names: Sequence[str],
    enough: float = 1.0,
    start: Buffered | None = None,
    *,
    shown: bool = False,
) -> float:
    """Return the worst ratio of the parameters, or the first that is beyond `enough`.

    `start`: the buffers before the first of these updates; none by default. `shown`: those that
    were recorded are compared as well.
    """
    found = 0.0
    for moment in unfolded(step, walked, names, start, shown=shown):
        found = max(found, moment.ratio)
        if not found <= enough:
            return found if np.isfinite(found) else np.inf
    return found


@dataclass(frozen=True, slots=True)
class Unfolded:
    """One of consecutive updates: at its own rate, the buffers before it, its worst ratio."""

    step: OptimiserStep
    buffers: Buffered
    ratio: float


def unfolded(
    step: OptimiserStep,
    walked: Walked,
    names: Sequence[str],
    start: Buffered | None = None,
    *,
    shown: bool = False,
) -> Iterator[Unfolded]:
    """Yield consecutive updates of these parameters, their buffers carried along.

    `shown`: what was recorded of the buffers is held against them too. What is not a number on
    both sides is the same, unless nothing is one after the first update.
    """
    old = {name: (start or {}).get(name, {}) for name in names}
    last, every = 0.0, tuple(walked[0].parameters)
    numbers = any(np.isfinite(w).any() for w in walked[1].parameters.values())
    for before, after in pairwise(walked):
        now = step.at(getattr(before, "learning_rate", None))
        if last and now.scale and now.scale != last:
            old = {name: rescaled(buffers, last / now.scale) for name, buffers in old.items()}
        last, gradients = now.scale, now.clipping.pairs(before.gradients)
        new: Buffered = {}
        found = 0.0
        for name in names:
            w = before.parameters[name]
            dw, of = gradients[name], now.settings_of(name, every)
            stepped, new[name] = now.rule(exact(w, w.dtype), dw, old[name], before.update + 1, of)
            error = np.abs(after.parameters[name] - stepped.value)
            if numbers:
                error[np.isnan(after.parameters[name]) & np.isnan(stepped.value)] = 0.0
            found = max(found, float(ratio(error, widened(stepped, w)).max(initial=0.0)))
            if shown:
                found = max(found, of_buffers(now, new[name], after, name))
        yield Unfolded(now, old, found)
        old = new


def of_buffers(
    step: OptimiserStep, buffers: Mapping[str, Pair], after: Recorded, name: str
) -> float:
    """Return the worst ratio of what was recorded of a parameter's buffers."""
    found = 0.0
    for prefix, pair in buffers.items():
        kept = after.state.get(f"{prefix}_{name}")
        if kept is not None:
            due = pair * step.scale
            error = np.abs(kept - due.value)
            found = max(found, float(ratio(error, widened(due, due)).max(initial=0.0)))
    return found


def rescaled(buffers: dict[str, Pair], factor: float) -> dict[str, Pair]:
    """Return the buffers with v, which keeps its velocity where the learning rate changes."""
    return buffers | ({"v": buffers["v"] * factor} if "v" in buffers else {})


def differing(options: Options, declared: Experiment) -> Options:
    """Return the options that say something else than what was declared; AdamW is decoupled.

    A momentum that another optimiser has not by itself is said in any case.
    """
    of = options.get("optimiser", declared.optimiser)
    usual = {"momentum": usual_momentum(of)} if of != declared.optimiser else {}
    return {
        name: value
        for name, value in options.items()
        if (value != getattr(declared, name) or value != usual.get(name, value))
        and (name, of) != ("decoupled", "adamw")
    }
