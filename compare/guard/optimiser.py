"""Contract 10: a `step` of any optimiser, whose state may be kept in any way.

It is given the settings that it names as keywords. State of its own is copied and handed back as
it came; state under the documented keys is read as arrays and compared.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
from compare.guard.blame import home_of, name_of
from compare.guard.branches import Branches
from compare.guard.contract import Reader
from compare.guard.copies import copied
from compare.guard.effects import Notes
from compare.guard.guard import TIMEOUT
from compare.guard.implementation import Guarded, GuardedStep

KEEPING_MOMENTUM = ("sgd", "rmsprop")


class GuardedOptimiser(Guarded):
    """`step(parameters, gradients, state, *, learning_rate, ...) -> (parameters, state)`.

    `branches`, if given, follow which of them its calls run.
    """

    positions = ("parameters", "gradients", "state")

    def __init__(
        self,
        function: Callable[..., Any],
        optimiser: str,
        settings: Mapping[str, Any],
        *,
        timeout: float | None = TIMEOUT,
        notes: Notes | None = None,
        branches: Branches | None = None,
    ) -> None:
        named = named_keywords(function, settings)
        if optimiser in KEEPING_MOMENTUM and settings["momentum"] and "momentum" not in named:
            raise BadInput(
                f"{name_of(function)} takes no momentum, and {optimiser} has one of "
                f"{settings['momentum']:g}: declare momentum 0"
            )
        self.settings = {
            name: value
            for name, value in settings.items()
            if name == "learning_rate" or (name in named and not left_to(function, name, value))
        }
        self.keywords = tuple(self.settings)
        super().__init__(function, timeout=timeout, notes=notes)
        self.followed = branches

    def __call__(
        self,
        parameters: Mapping[str, Array],
        gradients: Mapping[str, Array],
        state: Any,
        learning_rate: float | None = None,
    ) -> tuple[Arrays, Any]:
        """Return the next parameters, checked, and the next state, whatever it is.

        `learning_rate`: where it is not the declared one at this update.
        """
        rate = {} if learning_rate is None else {"learning_rate": learning_rate}
        state = self.read(lambda: copy.deepcopy(state))
        who, given = name_of(self.function), (copied(parameters), copied(gradients), state)

        def call() -> Any:
            return self.function(*given, **(self.settings | rate))

        run = call if self.followed is None else partial(self.followed.followed, call)
        hint = f"it is called as {who}(parameters, gradients, state)"
        value = self.guard.run(run, who, home_of(self.function), hint)
        reader = Reader(self.function, parameters, -1, self.guard.notes)
        return self.read(lambda: reader.any_update(value))

    def documented(self, state: Any, keys: tuple[str, ...], like: Arrays) -> Arrays | None:
        """Return the state as arrays if it has these keys, else None; `t` is not looked at."""
        if not isinstance(state, Mapping) or {*state, "t"} != {*keys, "t"}:
            return None
        reader = Reader(self.function, like, -1, self.guard.notes)
        expected = {key: like[key.partition("_")[2]] for key in keys if key != "t"}
        return reader.arrays({key: state[key] for key in expected}, "state value", expected)


def with_own_state(step: GuardedStep, experiment: Experiment) -> GuardedOptimiser:
    """Return a step of momentum whose state has keys of its own; it goes on being followed."""
    settings = {name: getattr(experiment, name) for name in step.keywords}
    return GuardedOptimiser(
        step.function, "sgd", settings, timeout=step.timeout, notes=step.guard.notes,
        branches=step.branches,
    )  # fmt: skip


def named_keywords(function: Callable[..., Any], settings: Iterable[str]) -> set[str]:
    """Return the names of the parameters; all settings where it takes any keyword."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return {"momentum"}
    taken = signature.parameters
    any_keyword = any(one.kind is one.VAR_KEYWORD for one in taken.values())
    return set(settings) if any_keyword else set(taken)


def left_to(function: Callable[..., Any], name: str, value: Any) -> bool:
    """Whether a setting that nobody declared stays what the step itself says; one that has to be
    given is None."""
    try:
        named = inspect.signature(function).parameters.get(name)
    except (TypeError, ValueError):
        named = None
    return value is None and (named is None or named.default is not named.empty)


def takes_momentum(function: Callable[..., Any]) -> bool:
    """Whether a step can be given a momentum."""
    return "momentum" in named_keywords(function, ("momentum",))
