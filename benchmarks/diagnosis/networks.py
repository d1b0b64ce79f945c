"""The population: random networks, and programs with slips in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

import manual_mlp
from compare.contracts.errors import BadInput
from compare.diagnosis.gradients import probes
from compare.handbook.planting import bare, plant
from compare.mistakes.fits import Among, Near
from compare.mistakes.mistake import Mistake, NetworkMistake
from compare.textbook import Point

Implementation = Callable[..., tuple[Any, ...]]
ATTEMPTS = 400
DEPTHS, WIDTHS, CLASSES = (2, 4), (5, 24), (3, 7)
"""Depth 2 to 4, widths 5 to 24, 3 to 7 classes, ends included."""


@dataclass(frozen=True)
class Network:
    """One network of the population."""

    sizes: tuple[int, ...]
    activation: str
    reduction: str
    dtype: str
    seed: int

    @property
    def options(self) -> dict[str, Any]:
        """Return the arguments a diagnosis takes."""
        return {
            "sizes": self.sizes,
            "activation": self.activation,
            "reduction": self.reduction,
            "dtype": np.dtype(self.dtype),
            "seed": self.seed,
        }

    def point(self) -> Point:
        """Return its first probe."""
        return probes(**self.options)[0][1]

    def __str__(self) -> str:
        return f"{'-'.join(map(str, self.sizes))} {self.activation} {self.reduction} {self.dtype}"


def draw(generator: np.random.Generator) -> Network:
    """Return a random network; in every third, neighbouring layers are of equal width."""
    depth = int(generator.integers(DEPTHS[0], DEPTHS[1] + 1))
    widths = generator.integers(WIDTHS[0], WIDTHS[1] + 1, size=depth)
    if generator.random() < 1 / 3:
        widths[int(generator.integers(depth - 1)) :] = widths[-1]
    classes = int(generator.integers(CLASSES[0], CLASSES[1] + 1))
    if generator.random() < 1 / 10:
        classes = int(widths[-2])
    return Network(
        sizes=(*map(int, widths), classes),
        activation=str(generator.choice(["relu", "relu", "tanh", "sigmoid", "identity"])),
        reduction=str(generator.choice(["mean", "mean", "mean", "sum"])),
        dtype=str(generator.choice(["float64", "float32"])),
        seed=int(generator.integers(1 << 30)),
    )


def constant_of(mistake: Mistake, point: Point, generator: np.random.Generator) -> float | None:
    """Return a constant to plant: a row of this batch, or the example and its neighbours."""
    if mistake.example is None:
        return None
    if isinstance(mistake, NetworkMistake) and isinstance(mistake.fit, Among):
        return float(generator.choice(list(mistake.fit.values(point))))
    if isinstance(mistake, NetworkMistake) and isinstance(mistake.fit, Near):
        return float(generator.choice(mistake.fit.values))
    return mistake.example * float(generator.choice([0.5, 1.0, 2.0]))


@dataclass(frozen=True)
class Faulty:
    """A program with mistakes in it; their examples are the constants that were planted."""

    implementation: Implementation
    mistakes: tuple[NetworkMistake, ...]


def planted(
    mistakes: Sequence[NetworkMistake], network: Network, generator: np.random.Generator
) -> Faulty | None:
    """Return a program with these mistakes, or None where one of them cannot be made.

    Two mistakes that are written in the same line cannot both be.
    """
    point = network.point()
    if not all(mistake.applies(point) for mistake in mistakes):
        return None
    filled = [replace(m, example=constant_of(m, point, generator)) for m in mistakes]
    try:
        faulty = plant(*filled, activation=network.activation, reduction=network.reduction)
    except BadInput:
        return None
    return Faulty(bare(faulty), tuple(filled))


def honest(network: Network, kind: str) -> Implementation:
    """Return a right implementation of one of three kinds."""
    plain = plant(activation=network.activation, reduction=network.reduction)
    if kind == "plain program":
        return bare(plain)
    if kind == "manual_mlp":
        return partial(
            manual_mlp.loss_and_gradients,
            activation=network.activation,
            reduction=network.reduction,
        )
    return in_chunks(bare(plain), network.reduction)


def in_chunks(implementation: Implementation, reduction: str) -> Implementation:
    """Return the implementation evaluated on two halves of the batch that are put together."""

    def chunked(parameters: Any, x: Any, y: Any) -> tuple[Any, ...]:
        middle = len(x) // 2
        halves = [(x[:middle], y[:middle]), (x[middle:], y[middle:])]
        loss, gradients = 0.0, {name: np.zeros_like(w) for name, w in parameters.items()}
        for rows, targets in halves:
            share = len(rows) / len(x) if reduction == "mean" else 1.0
            part, found = implementation(parameters, rows, targets)
            loss += share * part
            gradients = {k: g + g.dtype.type(share) * found[k] for k, g in gradients.items()}
        return loss, gradients

    return chunked


HONEST = ("plain program", "manual_mlp", "chunks")
