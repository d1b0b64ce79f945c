"""Loss and gradients in what the functions of a file returned, averaged over single samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.examine.starter.arrays_in import gradients_in, named
from compare.examine.starter.binding import is_gradient_name, plain
from compare.examine.starter.chain import LEFT, Ran, number_in
from compare.examine.starter.flow import Flow
from compare.examine.starter.recipe import LOSS


def mean_gradients(
    ran: Ran, final: str, names: Sequence[str], parameters: Mapping[str, Array]
) -> Arrays:
    """The gradients that a call returned, averaged over the samples if it got one at a time; of new
    weights w - rate g they are (w - new) / rate."""
    found = [
        answer.get(LEFT, {}) | gradients_in(named(answer[final], names), parameters, ran.shapes)
        for answer in ran.answers
    ]
    whole = [name for name in parameters if all(name in one for one in found)]
    mean = {name: np.asarray(np.mean([one[name] for one in found], axis=0)) for name in whole}
    if not ran.rate:
        return mean
    return {name: (parameters[name] - array) / ran.rate for name, array in mean.items()}


def mean_loss(ran: Ran, only: str = "") -> float | None:
    """The loss that a call returned, averaged over the samples if it got one at a time."""
    name = only or loss_from(ran)
    said = [number_in(answer[name]) for answer in ran.answers] if name else []
    kept = [one for one in said if one is not None]
    return float(np.mean(kept)) if kept else None


def loss_from(ran: Ran) -> str:
    """The function that returned a number; empty where none did. One that is named like a loss
    counts before the others."""
    numbers = {name for name, one in ran.answers[0].items() if number_in(one) is not None}
    names = [name for name in ran.answers[0] if name in numbers - ran.slopes]
    named_so = [name for name in names if LOSS.fullmatch(plain(name))]
    return next(reversed(named_so or names), "")


def slopes_in(flow: Flow) -> frozenset[str]:
    """The functions that return nothing but what they call a gradient: a number among it is none
    of a loss."""
    found = {name: [called for _, called in flow.values(name) if called] for name in flow.functions}
    return frozenset(
        name for name, called in found.items() if called and all(map(is_gradient_name, called))
    )


def names_of(flow: Flow, final: str) -> list[str]:
    """What a function calls the values it returns."""
    return [called for _, called in flow.values(final)[1:]]
