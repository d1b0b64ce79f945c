"""Honest ways of writing, at drawn points: how close they come to their allowances.

Batches of 1 to 512, entries of 1e-3 to 1e3, dy of another size; a quarter of the points repeat one
row throughout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.layers.layer import Array, Inputs, Layer, in_format
from compare.layers.analysed import Analysed, analyse, as_tensors
from compare.layers.program import Program, flat_outputs

BATCHES = (1, 2, 3, 5, 8, 33, 128, 512)
REPEATED = 0.25
"""Part of the points at which all rows are the first one."""


@dataclass(frozen=True)
class Drawn:
    """A point of a layer: inputs and dy in the judged format, and its analysis."""

    inputs: Inputs
    dy: Any
    form: str
    outputs: tuple[str, ...]
    analysed: Analysed


def drawn(
    layer: Layer, g: np.random.Generator, batch: int, scale: float, form: str, *,
    repeated: bool = False,
) -> Drawn:  # fmt: skip
    """Draw a point and analyse it."""
    inputs = layer.draw(g, batch, scale)
    if repeated:
        inputs = same_rows(layer, inputs, g, batch, scale)
    inputs = in_format(inputs, form)
    with torch.no_grad():
        outputs = flat_outputs(layer.reference(**as_tensors(inputs)))
    size = 10 ** g.uniform(-3, 3)
    dys = {k: (g.normal(size=y.shape) * size).astype(form) for k, y in outputs.items()}
    seeds = None if layer.scalar else as_tensors(dys)
    program = Program(lambda tensors: layer.reference(**tensors), layer.wrt)
    found = analyse(program, as_tensors(inputs), seeds, form)
    dy = (
        None if layer.scalar else next(iter(dys.values())) if len(dys) == 1 else tuple(dys.values())
    )
    return Drawn(inputs, dy, form, tuple(outputs), found)


def same_rows(
    layer: Layer, inputs: Inputs, g: np.random.Generator, batch: int, scale: float
) -> Inputs:
    """Repeat the first row of everything that has one row per sample."""
    other = layer.draw(g, 2 * max(batch, 3), scale)
    grows = {name for name in inputs if inputs[name].shape != other[name].shape}
    return {k: np.repeat(v[:1], len(v), 0) if k in grows else v for k, v in inputs.items()}


def random_point(layer: Layer, g: np.random.Generator, form: str) -> Drawn:
    """Draw a point of the benchmark's population."""
    batch, scale = int(g.choice(BATCHES)), float(10 ** g.uniform(-3, 3))
    return drawn(layer, g, batch, scale, form, repeated=g.random() < REPEATED)


def numbers(layer: Layer, point: Drawn, way: str) -> dict[str, NDArray[Any]]:
    """Return what one way of writing gives, by tensor."""
    given = {name: value.copy() for name, value in point.inputs.items()}
    dy = tuple(d.copy() for d in point.dy) if isinstance(point.dy, tuple) else point.dy
    with np.errstate(all="ignore"):
        y, gradients = layer.honest[way](given, dy)
    ys = y if isinstance(y, tuple) else (y,)
    named = dict(zip(point.outputs, map(np.asarray, ys), strict=True))
    return named | {f"d{name}": np.asarray(g) for name, g in gradients.items()}


def ratio(manual: Array, right: Array, allowance: Array) -> float:
    """Return the largest |manual - reference| / allowance."""
    error = np.abs(np.asarray(manual, dtype=np.float64) - right)
    worst = np.divide(error, allowance, out=np.zeros_like(error), where=error != 0)
    return float(np.nan_to_num(worst, nan=np.inf).max(initial=0.0))


def ratios(layer: Layer, point: Drawn) -> Mapping[tuple[str, str], float]:
    """Return the worst ratio by way of writing and tensor."""
    found = {}
    for way in layer.honest:
        for name, values in numbers(layer, point, way).items():
            right, allowance = point.analysed.reference[name], point.analysed.allowances[name]
            found[way, name] = ratio(values, right, allowance)
    return found
