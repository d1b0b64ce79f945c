"""Training as one writes it in an evening, with mistakes about batches and order planted in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.mistakes.mistake import Mistake
from compare.textbook.plain import loss_and_gradients
from compare.textbook.plain_step import step
from manual_mlp import Record

Batch = tuple[Array, Array]
"""Row numbers of the inputs and of the targets."""

RATES = {"learning_rate": 0.2, "momentum": 0.7}


def declared(order: list[Array], number: int) -> Batch:
    """The batch that was declared, inputs and targets."""
    return order[number], order[number]


PICKS: dict[str, Callable[[list[Array], int], Batch]] = {
    "batch-of-another-update": lambda order, i: declared(order, (i + 1) % len(order)),
    "batches-not-shuffled": lambda order, i: declared(natural(order), i),
    "whole-data-set-in-every-update": lambda order, i: declared([whole(order)] * len(order), i),
    "targets-of-another-batch": lambda order, i: (order[i], order[(i + 1) % len(order)]),
}
"""Which rows each of these mistakes uses for update i of an epoch."""


def whole(order: list[Array]) -> Array:
    """All rows, in natural order."""
    return np.sort(np.concatenate(order))


def natural(order: list[Array]) -> list[Array]:
    """Batches of the same sizes, cut in natural order."""
    cuts = np.cumsum([len(batch) for batch in order])[:-1]
    return np.split(whole(order), cuts)


def stepped_first(parameters: Arrays, x: Array, y: Array, state: Arrays) -> tuple[Any, Arrays]:
    """Loss and gradients of two layers, the second updated before the first one's gradient."""
    loss, gradients, shown = loss_and_gradients(parameters, x, y)
    after, _ = step(parameters, gradients, state, **RATES)
    dz = (shown["dlogits"] @ after["w2"].T) * (shown["h1"] > 0)
    return loss, gradients | {"w1": x.T @ dz, "b1": dz.sum(axis=0)}


def kept_values(parameters: Arrays, x: Array, y: Array, h: Array) -> tuple[Any, Arrays]:
    """Loss and gradients of two layers, the hidden values in the backward pass being `h`."""
    loss, gradients, shown = loss_and_gradients(parameters, x, y)
    dlogits = shown["dlogits"]
    dz = (dlogits @ parameters["w2"].T) * (h > 0)
    return loss, gradients | {"w2": h.T @ dlogits, "w1": x.T @ dz, "b1": dz.sum(axis=0)}


def run(mistake: Mistake, data: Batch, parameters: Arrays, order: list[Array]) -> list[Record]:
    """One epoch of training a network of two layers with the mistake in it, as records."""
    state: Arrays = {}
    h: Array | None = None
    made = []
    for i, batch in enumerate(order):
        rows, targets = PICKS.get(mistake.name, declared)(order, i)
        x, y = data[0][rows], data[1][targets]
        loss, gradients, shown = loss_and_gradients(parameters, x, y)
        if mistake.name == "weights-stepped-first":
            loss, gradients = stepped_first(parameters, x, y, state)
        if mistake.name == "values-of-earlier-update" and h is not None:
            loss, gradients = kept_values(parameters, x, y, h)
        h = shown["h1"]
        made.append(Record(i, 0, batch, loss, gradients, parameters, state, None))
        parameters, state = step(parameters, gradients, state, **RATES)
    return made
