"""A mistake made on purpose: the plain program with the mistake's lines in it, ready to run."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from compare.contracts.errors import BadInput
from compare.handbook import plain, plain_step
from compare.mistakes.mistake import Mistake


def with_slip(source: str, line: str, slip: str, constant: float | None) -> str:
    """Return `source` with `line`, which must occur exactly once, replaced by `slip`."""
    if source.count(line) != 1:
        raise BadInput(f"The line {line!r} occurs {source.count(line)} times, not once.")
    return source.replace(line, filled(slip, constant))


def filled(slip: str, constant: float | None) -> str:
    """Return `slip` with the constant in place of `{c}` (or `{c:+.0f}`); other braces are code."""
    if constant is None:
        return slip
    return re.sub(r"\{c(:[^}]*)?\}", lambda found: format(constant, (found[1] or ":")[1:]), slip)


def edited(module: ModuleType, mistakes: tuple[Mistake, ...], constant: float | None) -> str:
    """Return the source of `module` with every line of the mistakes replaced."""
    source = inspect.getsource(module)
    for mistake in mistakes:
        c = mistake.example if constant is None else constant
        for line, slip in ((mistake.line, mistake.slip), *mistake.more):
            source = with_slip(source, line, slip, c)
    return source


def plant(
    *mistakes: Mistake,
    activation: str = "relu",
    reduction: str = "mean",
    constant: float | None = None,
) -> Callable[..., tuple[float, dict[str, Any], dict[str, Any]]]:
    """Return an implementation (contract 1) of the plain program with these mistakes in it."""
    code = compile(edited(plain, mistakes, constant), f"<plain with {len(mistakes)} slips>", "exec")
    namespace: dict[str, Any] = {"__name__": plain.__name__}
    exec(code, namespace)
    return partial(namespace["loss_and_gradients"], activation=activation, reduction=reduction)


def planted_step(*mistakes: Mistake) -> Callable[..., tuple[dict[str, Any], dict[str, Any]]]:
    """Return an optimiser (contract 2) of the plain program with these mistakes in it."""
    code = compile(edited(plain_step, mistakes, None), "<plain step with slips>", "exec")
    namespace: dict[str, Any] = {"__name__": plain_step.__name__}
    exec(code, namespace)
    step: Callable[..., tuple[dict[str, Any], dict[str, Any]]] = namespace["step"]
    return step


def bare(implementation: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
    """Return the implementation as most people have it: loss and gradients only."""
    return lambda *arguments: implementation(*arguments)[:2]
