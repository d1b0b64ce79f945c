"""Which mistake of the catalogue gives the number that one function of a student's file gave.

A single function is a network with everything else taken away: the softmax is `p` of a network
whose one layer is the identity, the loss of given probabilities is that of their logarithms as
logits. So the mistakes of the network are the mistakes of its functions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.result import Diagnosis
from compare.diagnosis.gradients import diagnose_gradients, one_mistake_explains
from compare.diagnosis.observation import Observation
from compare.examine.starter.readings import Reading, one_hot
from compare.textbook import Point

SEEN = {
    "relu": "h1",
    "softmax": "p",
    "compute_layer": "logits",
    "average_ce": "loss",
    "grad_ce": "dlogits",
}
"""What a function's value is called in a network."""


UNSEEN = 2
"""Inputs beyond those that a function is handed."""
Call = tuple[Reading, Array]
"""How a function was called, and what came back."""


def explained(role: str, *calls: Call) -> tuple[Diagnosis, ...]:
    """The mistakes that reproduce what every call gave; none where no network can stand for them.

    Two calls at different numbers keep a constant from being invented to explain one.
    """
    observed = observations(role, calls)
    return diagnose_gradients(*observed) if observed else ()


def one_mistake_gives(role: str, *calls: Call) -> bool:
    """True if a single known mistake reproduces what every call gave."""
    observed = observations(role, calls)
    return bool(observed) and one_mistake_explains(*observed)


def observations(role: str, calls: Sequence[Call]) -> list[Observation]:
    """The networks that stand for the calls; none for layouts a network does not have."""
    if role not in SEEN or any(reading.layout not in ("", "rows") for reading, _ in calls):
        return []
    return [observation_of(role, *call) for call in calls]


def observation_of(role: str, reading: Reading, observed: Array) -> Observation:
    """Return the network that stands for one call of a function, and what was seen of it."""
    arguments = reading.arguments
    if role == "compute_layer":
        parameters = {"w1": arguments["w"], "b1": arguments["b"].ravel()}
        x, targets = arguments["x"], np.eye(len(arguments["x"]), arguments["w"].shape[1])
    else:
        x = arguments.get("x", reading.logits)
        parameters = identity_layers(x.shape[1], 2 if role == "relu" else 1)
        targets = one_hot(reading) if "target" in arguments else np.eye(*x.shape)
        x, parameters["w1"] = with_more_inputs(x, parameters["w1"])
    point = Point(parameters, x, targets, reduction=reading.reduction or "mean")
    return Observation(point, {SEEN[role]: observed}, f"one call of {role}")


def identity_layers(width: int, depth: int) -> dict[str, Array]:
    """Return parameters of layers that hand on what they get."""
    layers = range(1, depth + 1)
    weights = {f"w{i}": np.eye(width) for i in layers}
    return weights | {f"b{i}": np.zeros(width) for i in layers}


def with_more_inputs(x: Array, w1: Array) -> tuple[Array, Array]:
    """Return the inputs and the weights of a layer with more inputs, all 0.

    A function of logits never sees how many inputs the network has: with as many as there are
    outputs, what is divided by K would be divided by F as well.
    """
    rows, more = len(x), UNSEEN
    while w1.shape[0] + more in (rows, *w1.shape):
        more += 1
    return (
        np.concatenate([x, np.zeros((rows, more), x.dtype)], axis=1),
        np.concatenate([w1, np.zeros((more, w1.shape[1]), w1.dtype)]),
    )  # fmt: skip
