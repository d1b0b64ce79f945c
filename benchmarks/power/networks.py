"""Random networks and batches: sizes, inputs, targets and weights, before anything special."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from benchmarks.power.case import Float, Sketch

Generator = np.random.Generator

MOST_OPERATIONS = 2e9
"""Larger draws are thrown away and drawn again: multiplications of one forward pass."""


def log_uniform(generator: Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform."""
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


def whole(generator: Generator, low: int, high: int) -> int:
    """Draw a whole number, log-uniform from `low` to `high` inclusive."""
    return int(log_uniform(generator, low, high + 1))


def draw_sizes(generator: Generator) -> tuple[int, tuple[int, ...]]:
    """Return N and `(F, H, ..., K)`: depth 1-5, widths 4-512, batch 1-2,048, 2-512 classes."""
    while True:
        depth = int(generator.integers(1, 6))
        widths = [whole(generator, 4, 512) for _ in range(depth)]
        rows, sizes = whole(generator, 1, 2048), (*widths, whole(generator, 2, 512))
        if rows * sum(a * b for a, b in pairwise(sizes)) <= MOST_OPERATIONS:
            return rows, sizes


def draw_inputs(generator: Generator, rows: int, features: int) -> Float:
    """Return x (N, F) of scale 1: signed, like grey values, or mostly zeros."""
    kind = generator.integers(3)
    if kind == 0:
        return generator.normal(size=(rows, features))
    x = generator.random((rows, features))
    return x if kind == 1 else x * (generator.random((rows, features)) < 0.3)


def draw_targets(generator: Generator, rows: int, classes: int) -> Float:
    """Return target rows (N, K): one-hot, in order of class, all of one class, or soft."""
    kind = generator.choice(4, p=(0.6, 0.15, 0.05, 0.2))
    if kind == 3:
        soft: Float = generator.dirichlet(np.full(classes, 0.5), rows)
        return soft
    labels = generator.integers(0, classes, rows)
    if kind == 1:
        labels.sort()
    if kind == 2:
        labels[:] = labels[0]
    return np.eye(classes)[labels]


def draw_parameters(
    generator: Generator, sizes: tuple[int, ...], scale: float, bias: float
) -> dict[str, Float]:
    """Return Xavier's weights times `scale`, and biases of standard deviation `bias`."""
    parameters = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        deviation = scale * np.sqrt(2 / (fan_in + fan_out))
        parameters[f"w{layer}"] = generator.normal(0.0, deviation, (fan_in, fan_out))
        parameters[f"b{layer}"] = generator.normal(0.0, bias, fan_out)
    return parameters


def sketch(generator: Generator, x_scale: float, w_scale: float) -> Sketch:
    """Draw a network, a batch and targets; one in five has no biases."""
    rows, sizes = draw_sizes(generator)
    bias = 0.0 if generator.random() < 0.2 else w_scale * log_uniform(generator, 1e-2, 1.0)
    return Sketch(
        draw_parameters(generator, sizes, w_scale, bias),
        x_scale * draw_inputs(generator, rows, sizes[0]),
        draw_targets(generator, rows, sizes[-1]),
    )


def ordinary(generator: Generator) -> Sketch:
    """Inputs of scale 0.01 to 30, weights of 1/2 to 2 times Xavier's."""
    return sketch(generator, log_uniform(generator, 1e-2, 30.0), log_uniform(generator, 0.5, 2.0))


def narrow(generator: Generator) -> Sketch:
    """Layers of 1 to 3 units, inputs included, and now and then a single class (gradient 0)."""
    rows, sizes = draw_sizes(generator)
    changed = list(sizes)
    for layer in range(len(sizes) - 1):
        if generator.random() < 0.5:
            changed[layer] = int(generator.integers(1, 4))
    if generator.random() < 0.1:
        changed[-1] = 1
    return Sketch(
        draw_parameters(generator, tuple(changed), 1.0, 0.3),
        draw_inputs(generator, rows, changed[0]),
        draw_targets(generator, rows, changed[-1]),
    )
