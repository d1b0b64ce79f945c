"""Wrong in ways no derivation is: what the catalogue must not claim to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.diagnosis.networks import Implementation

Arrays = dict[str, Any]
Corruption = Callable[[float, Arrays, np.random.Generator], tuple[float, Arrays]]
ODD = 2.0 / np.pi
"""A factor nobody types."""


def one(gradients: Arrays, generator: np.random.Generator, kind: str = "") -> str:
    """Return the name of one gradient, of weights only if `kind` is "w"."""
    return str(generator.choice([name for name in gradients if name.startswith(kind)]))


def scaled_tensor(loss: float, g: Arrays, generator: np.random.Generator) -> tuple[float, Arrays]:
    """One gradient times an odd factor."""
    name = one(g, generator)
    return loss, g | {name: g[name] * g[name].dtype.type(ODD)}


def scaled_gradient(loss: float, g: Arrays, generator: np.random.Generator) -> tuple[float, Arrays]:
    """Every gradient times an odd factor."""
    return loss, {name: array * array.dtype.type(ODD) for name, array in g.items()}


def one_entry(loss: float, g: Arrays, generator: np.random.Generator) -> tuple[float, Arrays]:
    """One entry of one gradient off by the size of the largest."""
    name = one(g, generator)
    changed = g[name].copy()
    changed.flat[int(generator.integers(changed.size))] += ODD * np.abs(changed).max()
    return loss, g | {name: changed}


def noise(loss: float, g: Arrays, generator: np.random.Generator) -> tuple[float, Arrays]:
    """Every gradient with 1 % of noise."""
    return loss, {
        name: (array * (1 + 0.01 * generator.normal(size=array.shape))).astype(array.dtype)
        for name, array in g.items()
    }


def swapped_columns(loss: float, g: Arrays, generator: np.random.Generator) -> tuple[float, Arrays]:
    """Two units of a weight gradient exchanged."""
    name = one(g, generator, "w")
    changed = g[name].copy()
    changed[:, [0, 1]] = changed[:, [1, 0]]
    return loss, g | {name: changed}


def missing_feature(loss: float, g: Arrays, generator: np.random.Generator) -> tuple[float, Arrays]:
    """One row of the first weight gradient is zero."""
    changed = g["w1"].copy()
    changed[int(generator.integers(len(changed)))] = 0
    return loss, g | {"w1": changed}


def bent(loss: float, g: Arrays, generator: np.random.Generator) -> tuple[float, Arrays]:
    """Every entry of one gradient to the power 1.1, with its sign."""
    name = one(g, generator)
    changed = np.sign(g[name]) * np.abs(g[name]) ** 1.1
    return loss, g | {name: changed.astype(g[name].dtype)}


def shifted_tensor(loss: float, g: Arrays, generator: np.random.Generator) -> tuple[float, Arrays]:
    """A constant added to one gradient."""
    name = one(g, generator)
    return loss, g | {name: g[name] + g[name].dtype.type(ODD * np.abs(g[name]).max())}


def odd_loss(loss: float, g: Arrays, generator: np.random.Generator) -> tuple[float, Arrays]:
    """The loss times an odd factor."""
    return loss * type(loss)(ODD), g


def added_loss(loss: float, g: Arrays, generator: np.random.Generator) -> tuple[float, Arrays]:
    """A number added to the loss."""
    return loss + type(loss)(ODD / 7), g


CORRUPTIONS: tuple[Corruption, ...] = (
    scaled_tensor,
    scaled_gradient,
    one_entry,
    noise,
    swapped_columns,
    missing_feature,
    bent,
    shifted_tensor,
    odd_loss,
    added_loss,
)


def corrupted(implementation: Implementation, corruption: Corruption, seed: int) -> Implementation:
    """Return the implementation with its result corrupted, in the same way at every call."""

    def wrong(*arguments: Any) -> tuple[Any, ...]:
        loss, gradients = implementation(*arguments)
        return corruption(loss, gradients, np.random.default_rng(seed))

    return wrong
