"""What an update may be: settings beside the declared ones and a mistake, held against records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from compare.checks.optimiser_step import OptimiserStep, widened
from compare.checks.ratio import ratio
from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
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

    @property
    def words(self) -> str:
        """The options of the command."""
        return Declaration(self.options, self.after).words

    @property
    def sentence(self) -> str:
        """What the user reads."""
        if self.mistake is None:
            return f"Your update is {whose(self.optimiser)}: `{self.words}` declares it."
        return self.mistake.sentence + (f" (With `{self.words}`.)" if self.options else "")


def whose(optimiser: str) -> str:
    """Return `Adam's`; gradient descent is nobody's."""
    label = LABELS[optimiser]
    return f"{label}'s" if label[0].isupper() else f"another form of {label}"


def tried(
    declared: Experiment, options: Options, mistake: OptimiserMistake | None
) -> OptimiserStep | None:
    """Return the update so declared; None for settings that exclude each other."""
    try:
        step = OptimiserStep.of(replace(declared, **options))
    except BadInput:
        return None
    return step if mistake is None else replace(step, written=mistake.rule(step.name))


def worst(step: OptimiserStep, walked: Walked, names: Sequence[str], enough: float = 1.0) -> float:
    """Return the worst ratio of the parameters, or the first that is beyond `enough`."""
    old: dict[str, dict[str, Pair]] = {name: {} for name in names}
    found = 0.0
    for before, after in pairwise(walked):
        now = step.at(getattr(before, "learning_rate", None))
        gradients = now.clipping.pairs(before.gradients)
        for name in names:
            w = before.parameters[name]
            dw, of = gradients[name], now.settings_of(name)
            stepped, old[name] = now.rule(exact(w, w.dtype), dw, old[name], before.update + 1, of)
            error = np.abs(after.parameters[name] - stepped.value)
            found = max(found, float(ratio(error, widened(stepped, w)).max(initial=0.0)))
            if not found <= enough:
                return found if np.isfinite(found) else np.inf
    return found


def differing(options: Options, declared: Experiment) -> Options:
    """Return the options that say something else than what was declared; AdamW is decoupled."""
    of = options.get("optimiser", declared.optimiser)
    return {
        name: value
        for name, value in options.items()
        if value != getattr(declared, name) and (name, of) != ("decoupled", "adamw")
    }
