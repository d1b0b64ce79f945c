"""What every probe point is drawn from: a batch size, weights and biases, targets.

A point has power where biases are not zero, the batch is larger than 1 and different from every
other dimension, and targets differ. `probe` makes points at which code under test is called, in its
format and with what it is handed besides; `diagnostic` makes points for the textbook, of a
prescribed spread of the logits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import DTypeLike

import manual_mlp
from compare.contracts.arrays import Arrays, Float
from compare.contracts.between import Between
from compare.contracts.objective import Objective

NUMBERS = frozenset({"mse", "l1", "huber"})
"""Losses whose targets may be any numbers."""
MOST_ROWS = 10_000


def batch_sizes(sizes: Sequence[int], least: int = 5) -> Iterator[int]:
    """Yield batch sizes, from `least` up, that equal none of the dimensions."""
    return (rows for rows in range(least, MOST_ROWS) if rows not in sizes)


def draw_parameters(sizes: Sequence[int], generator: np.random.Generator, biases: float) -> Arrays:
    """Return weights that keep z of order 1, and biases of that deviation, in float64."""
    parameters = manual_mlp.initial_parameters(sizes, generator, scheme="he")
    for name, array in parameters.items():
        if name.startswith("b"):
            array += generator.normal(scale=biases, size=array.shape)
    return parameters


def draw_targets(
    generator: np.random.Generator, rows: int, classes: int, soft: bool, objective: Objective
) -> Float:
    """Return one-hot rows of unequal frequency, or soft rows; both sum to 1.

    Losses of other targets have their own soft rows: any numbers, and of a single output 0 or 1.
    """
    if soft and not objective.one_hot:
        if objective.loss in NUMBERS:
            return generator.normal(size=(rows, classes))
        if classes == 1:
            return generator.random((rows, 1))
        return generator.dirichlet(np.ones(classes), size=rows)
    if classes == 1:
        return (np.arange(rows)[:, None] % 3 % 2).astype(np.float64)
    labels = (generator.random(rows) ** 2 * classes).astype(np.int64)
    labels[0] = classes - 1  # at least two classes, whatever was drawn
    hot = np.eye(classes)
    counted = np.flatnonzero(objective.weights(hot).sum(axis=1))
    if counted.size and not np.isin(labels, counted).any():
        labels[-1] = counted[0]  # a mean over no rows shows nothing
    return hot[labels]


def draw_between(
    between: Between,
    sizes: Sequence[int],
    rows: int,
    generator: np.random.Generator,
    dtype: DTypeLike = np.float64,
    mask_seed: tuple[int, ...] | None = None,
) -> tuple[Arrays, Arrays]:
    """Return scales and shifts, and a context, none as a training starts; nothing if plain."""
    if between.plain:
        return {}, {}
    scales, statistics = between.scales(sizes, dtype), between.statistics(sizes, dtype)
    for array in scales.values():
        array += generator.normal(scale=0.3, size=array.shape).astype(dtype)
    for array in statistics.values():
        array += generator.random(array.shape).astype(dtype)
    seed = mask_seed or (int(generator.integers(1 << 32)),)
    return scales, between.masks(sizes, rows, seed) | statistics
