"""The optimiser of an experiment on each side: ours by hand, torch's by its class."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import manual_mlp
from compare.contracts.experiment import Experiment
from compare.contracts.records import Optimiser
from manual_mlp.optimisers import SGD, Adagrad, Adam, AnyRule, RMSprop, stepping
from manual_mlp.schedules import clipped_by_norm, clipped_by_value

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


def torch_recipe(experiment: Experiment) -> Recipe:
    """Return the same for torch."""
    from torch_reference import Recipe

    asked = experiment.optimiser_settings
    return Recipe(
        experiment.optimiser, **asked, form=experiment.momentum_form,
        clip_norm=experiment.clip_norm, clip_value=experiment.clip_value,
    )  # fmt: skip
