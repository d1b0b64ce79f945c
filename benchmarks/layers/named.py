"""Planted mistakes and corruptions, through `check_layer` as a user calls it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.layers.catalogue import LAYERS
from benchmarks.layers.layer import Layer, Manual, in_format
from benchmarks.layers.mistakes import MISTAKES
from benchmarks.layers.planted import CORRUPTED
from compare.layers.check import check_layer

BATCH = 6


@dataclass(frozen=True)
class Case:
    """One wrong layer: whether it was seen, what it was called, and how long that took."""

    layer: str
    what: str
    seen: bool
    name: str | None
    seconds: float


def judged(layer: Layer, what: str, manual: Manual, seed: int) -> Case:
    """Check one wrong layer at one drawn point, in float64."""
    inputs = in_format(layer.draw(np.random.default_rng(seed), BATCH, 1.0), "float64")
    began = time.perf_counter()
    result = check_layer(manual, layer.reference, inputs, wrt=layer.wrt)
    seconds = time.perf_counter() - began
    name = result.diagnosis[0].sentence if result.diagnosis else None
    return Case(layer.name, what, result.verdict == "disagrees", name, seconds)


def mistakes(seed: int, every: int = 1) -> Iterator[Case]:
    """Judge every planted mistake, or every so many-th one."""
    by_name = {layer.name: layer for layer in LAYERS}
    for name, what, manual in MISTAKES[::every]:
        yield judged(by_name[name], what, manual, seed)


def corruptions(seed: int, every: int = 1) -> Iterator[Case]:
    """Judge every kind of corruption in the first gradient of every layer."""
    cases = [(layer, how) for layer in LAYERS for how in CORRUPTED]
    for layer, how in cases[::every]:
        yield judged(layer, how, corrupted(layer, how, seed), seed)


def corrupted(layer: Layer, how: str, seed: int) -> Manual:
    """Return the first honest way of writing with its first gradient corrupted."""
    honest, first = next(iter(layer.honest.values())), layer.wrt[0]

    def manual(inputs: Any, dy: Any) -> Any:
        y, gradients = honest(inputs, dy)
        spoilt = CORRUPTED[how](np.random.default_rng(seed), gradients[first], 0.0)
        return y, gradients | {first: spoilt}

    return manual
