"""The optimiser of an experiment on each side: ours by hand, torch's by its class."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import manual_mlp
from compare.contracts.experiment import Experiment
from compare.contracts.records import Optimiser
from manual_mlp.optimisers import SGD, Adagrad, Adam, AnyRule, RMSprop, stepping
from manual_mlp.schedules import clipped_by_norm, clipped_by_value, cosine, step_decay, warm_up

if TYPE_CHECKING:
    from torch_reference import Recipe


def our_step(experiment: Experiment) -> Optimiser:
    """Return the step of `manual_mlp`: contract 2, of plain momentum or of any other optimiser."""
    if experiment.plain_momentum:
        return manual_mlp.OPTIMISERS[experiment.momentum_form]
    clip = None
    if experiment.clip_norm is not None:
        clip = partial(clipped_by_norm, largest=experiment.clip_norm)
    elif experiment.clip_value is not None:
        clip = partial(clipped_by_value, largest=experiment.clip_value)
    every = experiment.decay_of == "all"
    return stepping(our_rule(experiment), biases_decay=every, clip=clip)


def our_rule(experiment: Experiment) -> AnyRule:
    """Return the recursion of one parameter, with those of the settings that it has."""
    asked = experiment.optimiser_settings
    rate, eps = experiment.learning_rate, float(asked["eps"])
    decay: dict[str, Any] = {
        "weight_decay": experiment.weight_decay,
        "decoupled": experiment.decoupled or experiment.optimiser == "adamw",
    }
    if experiment.optimiser == "sgd":
        return SGD(
            rate, experiment.momentum, experiment.momentum_form, experiment.nesterov,
            experiment.dampening, **decay,
        )  # fmt: skip
    if experiment.optimiser == "rmsprop":
        momentum = experiment.momentum
        return RMSprop(rate, experiment.alpha, eps, momentum, experiment.centred, **decay)
    if experiment.optimiser == "adagrad":
        return Adagrad(rate, epsilon=eps, **decay)
    beta1, beta2 = experiment.betas
    return Adam(rate, beta1, beta2, eps, **decay, amsgrad=experiment.optimiser == "amsgrad")


def our_schedule(experiment: Experiment, updates: int) -> Callable[[int], float] | None:
    """Return the learning rate of every update as a share of the declared one; None if constant."""
    numbers = numbers_of(experiment, updates)
    if numbers is None:
        return None
    kind, (one, other) = numbers
    if kind == "step":
        return partial(step_decay, every=int(one), factor=other)
    if kind == "cosine":
        return partial(cosine, total=int(one), least=other)
    return partial(warm_up, length=int(one), first=other)


def numbers_of(experiment: Experiment, updates: int) -> tuple[str, tuple[float, float]] | None:
    """Return the kind of a schedule and its two numbers; a cosine takes all updates."""
    if experiment.schedule is None:
        return None
    kind, *numbers = experiment.schedule.split(":")
    if kind == "cosine":
        return kind, (float(max(updates, 1)), float(numbers[0]))
    return kind, (float(numbers[0]), float(numbers[1]))


def torch_recipe(experiment: Experiment, updates: int) -> Recipe:
    """Return optimiser, clipping and schedule for torch."""
    from torch_reference import Recipe

    asked = experiment.optimiser_settings
    return Recipe(
        experiment.optimiser, **asked, form=experiment.momentum_form,
        clip_norm=experiment.clip_norm, clip_value=experiment.clip_value,
        schedule=numbers_of(experiment, updates),
    )  # fmt: skip
