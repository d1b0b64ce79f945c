"""The chain of calls that a file means, as one gradient function, and the check of it.

It takes the weights of the contract and returns loss and gradients as the file's functions give
them, one handed what another returned.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from compare.checks.referee import each_belongs
from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.contracts.experiment import Experiment
from compare.contracts.result import Result
from compare.examine.point import check
from compare.examine.sides import our_manual
from compare.examine.starter.answered import mean_gradients, mean_loss, names_of
from compare.examine.starter.chain import Started
from compare.examine.starter.networks import Network, point
from compare.examine.starter.readings import Sizes
from compare.examine.starter.subject import Subject
from compare.examine.starter.whole import Whole
from compare.guard.guard import Guard


@dataclass(frozen=True)
class Declared:
    """What the user declared: settings of the network by name, the seed and the timeout."""

    settings: Mapping[str, Any]
    seed: int = 0
    timeout: float | None = None

    @property
    def network(self) -> Network:
        """The network that was declared."""
        known = {one.name for one in fields(Network)}
        return Network(**{name: one for name, one in self.settings.items() if name in known})


def started_at(whole: Whole, sizes: Sizes, seed: int, guard: Guard) -> Started:
    """What there is before the first call: objects are built by the file's own code."""
    parameters, x, targets = point(sizes, seed)
    values = {**parameters, "x": x, "y": targets}
    started: Started = guard.run(lambda: whole.chain.start(sizes.widths, values), "start", None)
    return started


def checked(whole: Whole, subject: Subject, declared: Declared, sizes: Sizes) -> Result:
    """Check the chain like any gradient, against the network that it fits."""
    return check(
        as_one_function(whole, subject, declared, sizes), inputs=sizes.F, classes=sizes.K,
        timeout=declared.timeout, **asked_of(whole, declared, sizes),
    )  # fmt: skip


def belongs(whole: Whole, subject: Subject, declared: Declared, sizes: Sizes) -> bool:
    """Whether every gradient of the chain is that of the loss it shows."""
    function = as_one_function(whole, subject, declared, sizes)
    given = point(sizes, declared.seed)

    def asked() -> bool:
        return each_belongs(function, *given, gradients=function(*given)[1])

    try:
        found: bool = Guard(timeout=declared.timeout).run(asked, whole.final, None)
    except UserCodeError:
        return False
    return bool(whole.loss) and found


def asked_of(whole: Whole, declared: Declared, sizes: Sizes) -> dict[str, Any]:
    """What is declared of both sides."""
    asked: dict[str, Any] = {**declared.settings, **whole.told.network.declared()}
    return asked | {"hidden": sizes.hidden, "seed": declared.seed}


def as_one_function(
    whole: Whole, subject: Subject, declared: Declared, sizes: Sizes
) -> Callable[[Arrays, Array, Array], tuple[float, Arrays]]:
    """The chain as a gradient function like any other, by the name of its last one."""
    asked = asked_of(whole, declared, sizes)
    ours = our_manual(Experiment(**asked)).loss_and_gradients
    names = names_of(subject.flow, whole.final)

    def loss_and_gradients(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        ran = whole.chain.run(parameters, x, targets)
        gradients = mean_gradients(ran, whole.final, names, parameters)
        loss = mean_loss(ran) if whole.loss else ours(parameters, x, targets)[0]
        return np.nan if loss is None else loss, gradients

    started = started_at(whole, sizes, declared.seed, Guard(timeout=declared.timeout))
    final = started.functions[whole.final]
    called_as = inspect.signature(loss_and_gradients)
    functools.update_wrapper(loss_and_gradients, final)
    loss_and_gradients.__signature__ = called_as  # type: ignore[attr-defined]  # not its function's
    return loss_and_gradients
