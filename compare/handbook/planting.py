"""A mistake made on purpose: the plain program with the mistake's lines in it, ready to run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from compare.contracts.between import PLAIN, Between
from compare.mistakes.inside import inside_of
from compare.mistakes.mistake import Mistake, NetworkMistake
from compare.mistakes.step_mistake import run
from compare.textbook import plain, plain_between, plain_step


def plant(
    *mistakes: Mistake,
    activation: str = "relu",
    reduction: str = "mean",
    constant: float | None = None,
    between: Between = PLAIN,
) -> Callable[..., tuple[float, dict[str, Any], dict[str, Any]]]:
    """Return an implementation (contract 1) of the plain program with these mistakes in it."""
    options = {"activation": activation, "reduction": reduction}
    if between.plain:
        return partial(with_mistakes(plain, mistakes, constant)["loss_and_gradients"], **options)
    made = tuple(inside_of(one) if isinstance(one, NetworkMistake) else one for one in mistakes)
    program = with_mistakes(plain_between, made, constant)["loss_and_gradients"]
    declared = {"normalisation": between.normalisation, "P": between.dropout}

    def implementation(parameters: Any, x: Any, targets: Any, *, context: Any) -> Any:
        loss, gradients = program(parameters, x, targets, context, **options, **declared)
        return loss, gradients, {}

    return implementation


def planted_step(*mistakes: Mistake) -> Callable[..., tuple[dict[str, Any], dict[str, Any]]]:
    """Return an optimiser (contract 2) of the plain program with these mistakes in it."""
    step: Callable[..., tuple[dict[str, Any], dict[str, Any]]]
    step = with_mistakes(plain_step, mistakes, None)["step"]
    return step


def with_mistakes(
    module: ModuleType, mistakes: tuple[Mistake, ...], constant: float | None
) -> dict[str, Any]:
    """Return what a plain program defines with every line of the mistakes replaced."""
    changes: list[tuple[str, str]] = []
    for mistake in mistakes:
        changes += mistake.changes(mistake.example if constant is None else constant)
    return run(module, tuple(changes))


def bare(implementation: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
    """Return the implementation as most people have it: loss and gradients only."""
    return lambda *arguments, **how: implementation(*arguments, **how)[:2]
