"""The settings of an `Experiment` as keywords of `check`, and their types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypedDict

from compare.contracts.experiment import Experiment
from compare.contracts.setting import setting_of


class Declared(TypedDict, total=False):
    """The keywords of `check` that are settings of an `Experiment`, for type checkers."""

    hidden: int | tuple[int, ...] | list[int]
    activation: str
    learning_rate: float
    momentum: float
    momentum_form: str
    optimiser: str
    nesterov: bool
    dampening: float
    weight_decay: float
    decoupled: bool
    decay_of: str
    betas: Sequence[float]
    eps: float | None
    alpha: float
    centred: bool
    clip_norm: float | None
    clip_value: float | None
    dtype: Any
    seed: int
    bias: bool
    normalisation: str
    affine: bool
    dropout: float
    loss: str
    output: str
    reduction: str
    loss_factor: float
    l2: float
    l1: float
    penalise: str
    penalty_over: str
    label_smoothing: float
    class_weights: Sequence[float] | None
    ignore_index: int | None


def settings_used_by(*uses: str) -> tuple[str, ...]:
    """Return the names of the settings that any of these uses, in declaration order."""
    return tuple(one.name for one in fields(Experiment) if setting_of(one).used_by & set(uses))
