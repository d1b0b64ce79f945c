"""Which optimiser somebody's step is, found by calling it from the first update on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Unpack

import numpy as np

import manual_mlp
from compare.checks.clipping import norm_of
from compare.checks.comparison import HONEST
from compare.checks.optimiser_step import OptimiserStep
from compare.contracts.arrays import Arrays
from compare.contracts.errors import BadInput, UserCodeError
from compare.contracts.experiment import Experiment
from compare.contracts.records import Rates, Record
from compare.examine.carried import TrainedMomentum, first_state
from compare.guard.implementation import GuardedStep
from compare.guard.optimiser import GuardedOptimiser

UNKNOWN = "an optimiser that is to be identified"
UPDATES = 6
"""Updates from the start: some optimisers differ only where a mean square falls."""


class Hinting:
    """A step of contract 2; where it fails the option is named that declares it, if one does."""

    def __init__(self, step: TrainedMomentum, experiment: Experiment) -> None:
        self.step, self.experiment, self.asked = step, experiment, False

    def __call__(
        self, parameters: Arrays, gradients: Arrays, state: Arrays, /, **rates: Unpack[Rates]
    ) -> tuple[Arrays, Arrays]:
        try:
            found = self.step(parameters, gradients, state, **rates)
            if self.step.own is not None and not self.asked:
                self.asked = True
                refuse_another(self.step.step, self.experiment, parameters, gradients)
        except UserCodeError as error:
            more = hint(self.step.function, self.experiment, parameters)
            raise type(error)(f"{error}{more}") from error
        return found


def refuse_another(
    step: GuardedStep, experiment: Experiment, parameters: Arrays, gradients: Arrays
) -> None:
    """Raise what a step says of the documented state if it is another optimiser's: its own state
    is no velocity under other keys."""
    if not hint(step.function, experiment, parameters):
        return
    zeros = {f"v_{name}": np.zeros_like(w) for name, w in parameters.items()}
    step(
        parameters, gradients, zeros,
        learning_rate=experiment.learning_rate, momentum=experiment.momentum,
    )  # fmt: skip


def first_updates(
    function: Callable[..., Any], experiment: Experiment, like: Arrays, times: float = 1.0
) -> list[Record]:
    """Return updates of a step from the first one on, which show what optimiser it is; with
    weights and gradients so many `times` as large.

    Nothing where it cannot be called so. Six of them: a mean that is not corrected and a largest
    square take a few to show. A step that takes any keyword may pass them on to one that takes
    rate and momentum alone.
    """
    settings = experiment.step_settings
    few = {name: settings[name] for name in ("learning_rate", "momentum")}
    given = (function, experiment, like, times)
    return updates_with(settings, *given) or updates_with(few, *given)


def updates_with(
    settings: Mapping[str, Any],
    function: Callable[..., Any],
    experiment: Experiment,
    like: Arrays,
    times: float,
) -> list[Record]:
    """Return the same of a step that is called with these settings."""
    generator = np.random.default_rng(experiment.seed)
    found: list[Record] = []
    try:
        step = GuardedOptimiser(function, UNKNOWN, settings)
        replay, state, now = OptimiserStep.of(experiment), None, enlarged(like, times)
        for update in range(UPDATES + 1):
            gradients = enlarged(drawn_gradients(generator, now, experiment, update), times)
            found.append(manual_mlp.Record(update, 0, np.arange(1), 0.0, gradients, now, {}, None))
            if not update:
                state = first_state(step, replay, now, gradients, {})
            now, state = step(now, gradients, state)
    except (BadInput, UserCodeError):
        return []
    return found


def enlarged(arrays: Arrays, times: float) -> Arrays:
    """Return the same arrays so many times as large, in their format."""
    return arrays if times == 1.0 else {k: a * a.dtype.type(times) for k, a in arrays.items()}


def drawn_gradients(
    generator: np.random.Generator, like: Arrays, experiment: Experiment, update: int
) -> Arrays:
    """Return gradients for an update, normal with the deviation 0.1.

    Where clipping was declared its bound is the deviation, and at every third update they are half
    as long as it allows: a step that shortens too little, or what is short, is seen, and one that
    cuts off entries for a norm.
    """
    drawn = {name: generator.normal(scale=0.1, size=w.shape) for name, w in like.items()}
    bound, short = experiment.clip_norm or experiment.clip_value, update % 3 == 1
    if bound is not None:
        largest = max(float(np.abs(g).max()) for g in drawn.values())
        length = largest if experiment.clip_norm is None else norm_of(drawn)
        times = bound / (2 * length if short else 0.1)
        drawn = {name: g * times for name, g in drawn.items()}
    return {name: g.astype(like[name].dtype) for name, g in drawn.items()}


def in_its_form(
    function: Callable[..., Any], experiment: Experiment, like: Arrays
) -> OptimiserStep:
    """Return the declared update, in the form in which this step clips by norm: torch's, or the
    first other one that makes its first updates."""
    from compare.diagnosis.identity import worst

    declared = OptimiserStep.of(experiment)
    forms = [declared, *(replace(declared, clipping=one) for one in declared.clipping.forms())]
    walked = first_updates(function, experiment, like) if len(forms) > 1 else []
    close = (one for one in forms if walked and worst(one, walked, tuple(like)) <= HONEST)
    return next(close, declared)


def hint(function: Callable[..., Any], experiment: Experiment, like: Arrays) -> str:
    """Return which option declares a step whose state is not the declared optimiser's."""
    from compare.diagnosis.optimiser import identify

    identity = identify(first_updates(function, experiment, like), experiment)
    if identity is None or not identity.options:
        return ""
    return f"; {identity.sentence[0].lower()}{identity.sentence[1:]}"
