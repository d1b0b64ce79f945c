"""Keywords that are not known are refused with the one that may be meant."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from compare.contracts.errors import BadInput
from compare.contracts.limits import did_you_mean

Taken = ParamSpec("Taken")
Answer = TypeVar("Answer")


def require_known(given: Mapping[str, Any], known: Collection[str], what: str) -> None:
    """Raise `BadInput` for a keyword that is not known, with the one that may be meant."""
    for name in given:
        if name not in known:
            listed = ", ".join(known)
            raise BadInput(
                f"{what} has no keyword {name}{did_you_mean(name, known)} (it takes {listed})"
            )


def known_keywords(
    what: str,
) -> Callable[[Callable[Taken, Answer]], Callable[Taken, Answer]]:
    """Return a decorator: a function that users call as `what` refuses other keywords so."""

    def decorated(function: Callable[Taken, Answer]) -> Callable[Taken, Answer]:
        known = [name for name in inspect.signature(function).parameters if name != "self"]

        @wraps(function)
        def checked(*args: Taken.args, **kwargs: Taken.kwargs) -> Answer:
            require_known(kwargs, known, what)
            return function(*args, **kwargs)

        return checked

    return decorated
