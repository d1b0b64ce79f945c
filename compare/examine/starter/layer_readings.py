"""The readings of relu, softmax and compute_layer: what comes before the loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from compare.examine.starter.readings import (
    EXTREME,
    Array,
    F,
    H,
    N,
    Reading,
    Weight,
    both_layouts,
    drawn,
    right,
)
from compare.examine.starter.roles import orders_of
from compare.textbook import exact
from compare.textbook.functions import softmax


def relu_readings(parameters: Sequence[str], reduction: str) -> Iterator[Reading]:
    """Any shape, elementwise; a zero is among the entries."""
    import torch

    x, _ = drawn()
    x[1, 1] = 0.0
    value, pair = torch.relu(torch.tensor(x)), exact(np.maximum(x, 0), x.dtype)
    yield Reading(arguments={"x": x}, due=right(value, pair))


def softmax_readings(parameters: Sequence[str], reduction: str) -> Iterator[Reading]:
    """Rows, or columns, of samples."""
    yield from softmax_of(drawn()[0])


def extreme_softmax(layout: str) -> Reading:
    """Logits of up to 1e4 either way, with rows that lie 2e4 apart."""
    x, _ = drawn()
    x[:, 0] += np.where(np.arange(N) % 2, EXTREME, -EXTREME)
    x[::3] -= EXTREME
    return next(reading for reading in softmax_of(x) if reading.layout == layout)


def softmax_of(x: Array) -> Iterator[Reading]:
    """Softmax of `x`, (N, K), in both layouts."""
    import torch

    value, pair = torch.softmax(torch.tensor(x), 1), softmax(exact(x, x.dtype))
    yield from both_layouts(Reading(arguments={"x": x}, due=right(value, pair)))


def layer_readings(parameters: Sequence[str], reduction: str) -> Iterator[Reading]:
    """`x @ w + b`, or with samples in columns `w @ x + b` and `w.T @ x + b`."""
    import torch

    generator = np.random.default_rng(1)
    x, w, b = (generator.normal(size=shape) for shape in ((N, F), (F, H), (1, H)))
    pair = exact(x, x.dtype) @ exact(w, x.dtype) + exact(b[0], x.dtype)
    due = right(torch.tensor(x) @ torch.tensor(w) + torch.tensor(b), pair)
    order = orders_of("compute_layer", parameters)[0]

    def passed(**arrays: Array) -> dict[str, Array]:
        return {name: np.ascontiguousarray(arrays[name]) for name in order}

    for bias in (b, b[0]):
        yield Reading(arguments=passed(x=x, w=w, b=bias), due=due, layout="rows")
    for weights, form in ((w.T, "w @ x + b, w of shape (H, F)"), (w, "w.T @ x + b")):
        for bias in (b.T, b[0]):
            arguments = passed(x=x.T, w=weights, b=bias)
            reading = Reading(arguments=arguments, due=due.T, layout="columns")
            yield reading.differing(Weight.INTERFACE, f"samples are columns: z = {form}")
