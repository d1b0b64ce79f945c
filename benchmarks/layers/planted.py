"""Errors of a known size, and corruptions that are no mistake anybody makes by deriving."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.layers.layer import Array

Spoil = Callable[[np.random.Generator, Array, float], Array]


def root_mean_square(a: Array) -> float:
    return float(np.sqrt(np.mean(np.square(a, dtype=np.float64))))


def scale(g: np.random.Generator, a: Array, size: float) -> Array:
    """Every entry times 1 + size."""
    return a * (1 + size)


def one_entry(g: np.random.Generator, a: Array, size: float) -> Array:
    """One entry above the root mean square off by size of the whole tensor's length."""
    out = a.copy()
    large = np.flatnonzero(np.abs(a).ravel() >= root_mean_square(a))
    at = int(g.choice(large)) if len(large) else 0
    out.flat[at] += size * root_mean_square(a) * np.sqrt(a.size)
    return out


def signs(g: np.random.Generator, a: Array, size: float) -> Array:
    """Half of the entries moved up and half of them down."""
    return a + size * root_mean_square(a) * g.choice([-1.0, 1.0], size=a.shape)


def one_row(g: np.random.Generator, a: Array, size: float) -> Array:
    """One row off by size of the whole tensor's length, in a random direction."""
    out = a.copy()
    rows = out.reshape(-1, out.shape[-1])
    d = g.normal(size=rows.shape[-1])
    length = size * root_mean_square(a) * np.sqrt(a.size)
    rows[int(g.integers(len(rows)))] += d / np.linalg.norm(d) * length
    return out


PLANTED: Mapping[str, Spoil] = {
    "scale": scale, "one entry": one_entry, "signs": signs, "one row": one_row,
}  # fmt: skip


def zero_row(g: np.random.Generator, a: Array, size: float) -> Array:
    out = a.copy()
    rows = out.reshape(-1, out.shape[-1]) if out.ndim > 1 else out.reshape(-1, 1)
    rows[int(g.integers(len(rows)))] = 0
    return out


CORRUPTED: Mapping[str, Spoil] = {
    "noise": lambda g, a, size: a + 0.01 * root_mean_square(a) * g.normal(size=a.shape),
    "one entry": lambda g, a, size: one_entry(g, a, 0.1),
    "half of the signs": lambda g, a, size: a * g.choice([-1.0, 1.0], size=a.shape),
    "a row of zeros": zero_row,
    "a constant": lambda g, a, size: a + 0.1 * root_mean_square(a),
    "squared": lambda g, a, size: a * np.abs(a),
}
"""What nobody derives: a judge that finds a name for it makes names up."""
