"""The readings of relu, softmax and compute_layer: what comes before the loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.readings import (
    EXTREME,
    UNEQUAL,
    Due,
    N,
    Reading,
    Sizes,
    Weight,
    both_layouts,
    drawn,
    right,
)
from compare.examine.starter.roles import orders_of
from compare.textbook import exact
from compare.textbook.functions import softmax


def relu_readings(
    parameters: Sequence[str], reduction: str, sizes: Sizes = UNEQUAL
) -> Iterator[Reading]:
    """Any shape, elementwise; a zero is among the entries."""
    import torch

    x, _ = drawn(sizes)
    x[1, 1] = 0.0
    value, pair = torch.relu(torch.tensor(x)), exact(np.maximum(x, 0), x.dtype)
    yield Reading(arguments={"x": x}, due=right(value, pair))


def softmax_readings(
    parameters: Sequence[str], reduction: str, sizes: Sizes = UNEQUAL
) -> Iterator[Reading]:
    """Rows, or columns, of samples."""
    yield from softmax_of(drawn(sizes)[0])


def extreme_softmax(meant: Reading) -> Reading:
    """Logits of up to 1e4 either way, with rows that lie 2e4 apart, passed as was meant."""
    x, _ = drawn(Sizes(K=meant.logits.shape[1]))
    x[:, 0] += np.where(np.arange(N) % 2, EXTREME, -EXTREME)
    x[::3] -= EXTREME
    return next(reading for reading in softmax_of(x) if reading.layout == meant.layout)


def softmax_of(x: Array) -> Iterator[Reading]:
    """Softmax of `x`, (N, K), in both layouts."""
    import torch

    value, pair = torch.softmax(torch.tensor(x), 1), softmax(exact(x, x.dtype))
    yield from both_layouts(Reading(arguments={"x": x}, due=right(value, pair), logits=x))


def layer_readings(
    parameters: Sequence[str], reduction: str, sizes: Sizes = UNEQUAL
) -> Iterator[Reading]:
    """`x @ w + b`, in every layout of samples, weights, bias and value that people use."""
    import torch

    generator = np.random.default_rng(1 + sizes.seed)
    shapes = ((N, sizes.F), (sizes.F, sizes.H), (1, sizes.H))
    x, w, b = (generator.normal(size=shape) for shape in shapes)
    pair = exact(x, x.dtype) @ exact(w, x.dtype) + exact(b[0], x.dtype)
    rows = right(torch.tensor(x) @ torch.tensor(w) + torch.tensor(b), pair)
    layouts: tuple[tuple[Array, Array, Due, str, str], ...] = (
        (x, w, rows, "rows", ""),
        (x.T, w.T, rows.T, "columns", "samples are columns: z = w @ x + b, w of shape (H, F)"),
        (x.T, w, rows.T, "columns", "samples are columns: z = w.T @ x + b"),
        (x, w.T, rows, "rows", "weights are (H, F): z = x @ w.T + b"),
        (x.T, w, rows, "mixed", "inputs are columns (F, N), its value has rows (N, H)"),
        (x.T, w.T, rows, "mixed", "inputs are columns (F, N), its value has rows (N, H)"),
    )
    for given, weights, due, layout, words in layouts:
        for order, bias in product(orders_of("compute_layer", parameters), (b, b[0], b.T)):
            arrays = {"x": given, "w": weights, "b": bias}
            arguments = {name: np.ascontiguousarray(arrays[name]) for name in order}
            reading = Reading(arguments=arguments, due=due, layout=layout)
            yield reading.differing(Weight.INTERFACE, words) if words else reading
