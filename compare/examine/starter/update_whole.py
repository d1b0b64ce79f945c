"""Functions that are handed all weights and all gradients at once, called: w - rate × gradient.

    def update(params, grads, lr):
        return tuple(p - lr * g for p, g in zip(params, grads))

No line of such a one is the update of one weight. It is called with containers of ours until it
takes one of them; what comes back, or what is left in them, tells.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.examine.starter.binding import plain
from compare.examine.starter.returned import parts_of
from compare.examine.starter.slots import RATE
from compare.examine.starter.source import Source
from compare.examine.starter.update_words import is_weight, of_gradient
from compare.guard.guard import Guard

SHAPES = ((4, 3), (3,), (3, 2), (2,))
KEYS = ("W1", "b1", "W2", "b2")
SOME_RATE = 0.37
CLOSE = 1e-12
Container = Callable[[Sequence[Array], str], Any]
CONTAINERS: tuple[Container, ...] = (
    lambda arrays, before: list(arrays),
    lambda arrays, before: tuple(arrays),
    lambda arrays, before: dict(zip(KEYS, arrays, strict=True)),
    lambda arrays, before: {f"{before}{key}": one for key, one in zip(KEYS, arrays, strict=True)},
    lambda arrays, before: [list(arrays[:2]), list(arrays[2:])],
    lambda arrays, before: [tuple(arrays[:2]), tuple(arrays[2:])],
)
"""What may hold weights, and gradients under the same keys or such as begin with a d."""


def share_taken(source: Source, name: str) -> float | None:
    """Return how many times rate × gradient a function takes off every weight; None where it is
    none, or where it cannot be called."""
    asked = roles_in(source, name)
    if asked is None:
        return None
    function = source.load([name]).get(name)
    for container in CONTAINERS:
        weights, gradients = drawn(0), drawn(1)
        held = container(weights, "")
        given = {"weights": held, "gradients": container(gradients, "d"), "rate": SOME_RATE}
        try:
            call = copy.deepcopy({key: given[role] for key, role in asked.items()})
            answer = Guard(timeout=source.guard.timeout).call(function, **call)
        except UserCodeError:
            continue
        left = next(call[key] for key, role in asked.items() if role == "weights")
        for after in (answer, left):
            share = common_share(weights, gradients, arrays_in(after))
            if share is not None:
                return share
    return None


def roles_in(source: Source, name: str) -> Mapping[str, str] | None:
    """Return what the parameters of a function are; None where there are others than weights,
    gradients and a rate."""
    roles: dict[str, str] = {}
    for one in source.signature(name):
        word = plain(one)
        rate, gradient = RATE.fullmatch(word), of_gradient(word)
        meant = (
            "rate" if rate else "gradients" if gradient else "weights" if is_weight(word) else ""
        )
        if not meant or meant in roles.values():
            return None
        roles[one] = meant
    return roles if len(roles) == len({"weights", "gradients", "rate"}) else None


def drawn(seed: int) -> list[Array]:
    """Return arrays of all shapes."""
    generator = np.random.default_rng(seed)
    return [generator.normal(size=shape) for shape in SHAPES]


def arrays_in(value: Any) -> list[Array]:
    """Return the arrays in what came back, in their order."""
    return [one for one in parts_of(value) if isinstance(one, np.ndarray)]


def common_share(
    weights: Sequence[Array], gradients: Sequence[Array], after: Sequence[Array]
) -> float | None:
    """Return the share of rate × gradient that is taken off all weights; None where there is none,
    or where nothing moves."""
    if [one.shape for one in after] != list(SHAPES):
        return None
    shares = [share for share in shares_of(weights, gradients, after)]
    known = [share for share in shares if share is not None]
    same = len(known) == len(SHAPES) and np.ptp(known) <= CLOSE
    return float(known[0]) if same and abs(known[0]) > CLOSE else None


def shares_of(
    weights: Sequence[Array], gradients: Sequence[Array], after: Sequence[Array]
) -> Iterator[float | None]:
    """Yield the share of each weight."""
    for weight, gradient, new in zip(weights, gradients, after, strict=True):
        taken, step = weight - new, SOME_RATE * gradient
        share = float((taken * step).sum() / (step * step).sum())
        near = np.abs(taken - share * step).max() <= CLOSE * max(1.0, np.abs(weight).max())
        yield share if near else None
