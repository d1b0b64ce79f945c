"""The five functions of the assignment under all the names people give them, and their arguments.

A name counts without its underscores and in any case, so `computeLayer` is `compute_layer`. What a
parameter stands for is read off its name only where the usual spellings leave no doubt.
"""

from __future__ import annotations

from collections.abc import Sequence

ROLES: dict[str, str] = {
    "relu": "relu",
    "softmax": "softmax",
    "computelayer": "compute_layer",
    "compute": "compute_layer",
    "averagece": "average_ce",
    "ce": "average_ce",
    "gradce": "grad_ce",
}
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "relu": ("x",),
    "softmax": ("x",),
    "compute_layer": ("x", "w", "b"),
    "average_ce": ("target", "scores"),
    "grad_ce": ("target", "scores"),
}
"""What each parameter stands for, in the order of the assignment; scores are p or logits."""

SPELLINGS: dict[str, str] = {
    spelling: argument
    for argument, spellings in {
        "x": "x input inputs data h a features",
        "w": "w weight weights",
        "b": "b bias biases",
        "target": "target targets t y label labels truth ytrue onehot actual",
        "scores": "prediction predictions pred preds p prob probs probabilities yhat ypred "
        "logits logit z o scores softmax output outputs",
    }.items()
    for spelling in spellings.split()
}
LOGITS = frozenset({"logits", "logit", "z", "scores"})
"""Parameter names that promise logits."""


def plain(name: str) -> str:
    """Return a name without case and underscores."""
    return name.replace("_", "").lower()


def role_of(name: str) -> str | None:
    """Return which of the five functions a name stands for, if any."""
    return ROLES.get(plain(name))


def orders_of(role: str, parameters: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the possible orders of the arguments, the likeliest first.

    One, if the names of the parameters say it; otherwise that of the assignment, and its reverse
    where two matrices of one shape are passed.
    """
    wanted = ARGUMENTS[role]
    named = tuple(SPELLINGS.get(plain(name), "") for name in parameters[: len(wanted)])
    if sorted(named) == sorted(wanted):
        return [named]
    return [wanted, wanted[::-1]] if "scores" in wanted else [wanted]


def promises_logits(parameters: Sequence[str]) -> bool:
    """True if a parameter is named like logits."""
    return any(plain(name) in LOGITS for name in parameters)
