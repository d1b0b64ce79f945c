"""`torch.autograd.gradcheck` on the same pairs, in float64, each an autograd Function.

It gets a few rows at scale 1, where its finite differences are at their best, and is asked three
things: honest pairs, the planted mistakes, and small errors in one right gradient.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.layers.catalogue import LAYERS
from benchmarks.layers.layer import Inputs, Layer, Manual
from benchmarks.layers.mistakes import MISTAKES
from benchmarks.layers.planted import PLANTED
from compare.layers.check import check_layer

ROWS = 3
SIZES = (1e-3, 1e-4, 1e-6, 1e-10)
"""Of the planted errors, relative to the tensor."""


@dataclass(frozen=True)
class Asked:
    """One pair: what it is, whether gradcheck accepts it and whether the judge does."""

    layer: str
    what: str
    size: float | None
    gradcheck: bool
    judge: bool


def wrapped(layer: Layer, manual: Manual, inputs: Inputs) -> Any:
    """Return the pair as a function of the tensors that are differentiated."""
    fixed = {name: value for name, value in inputs.items() if name not in layer.wrt}

    def both(tensors: Any, dy: Any) -> tuple[Any, Inputs]:
        given = fixed | {n: t.detach().numpy().copy()
                         for n, t in zip(layer.wrt, tensors, strict=True)}  # fmt: skip
        with np.errstate(all="ignore"):
            return manual(given, dy)

    class Pair(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: Tensor) -> Any:
            ctx.save_for_backward(*tensors)
            shapes = layer.reference(
                **{n: torch.from_numpy(np.array(v)) for n, v in inputs.items()}
            )
            zeros = tuple(np.zeros(tuple(y.shape)) for y in shapes) if isinstance(
                shapes, tuple) else np.zeros(tuple(shapes.shape))  # fmt: skip
            y = both(tensors, None if layer.scalar else zeros)[0]
            ys = y if isinstance(y, tuple) else (y,)
            found = tuple(torch.from_numpy(np.array(each, dtype=np.float64)) for each in ys)
            return found if isinstance(y, tuple) else found[0]

        @staticmethod
        def backward(ctx: Any, *dy: Any) -> Any:
            seeds = tuple(d.numpy() for d in dy)
            factor = seeds[0] if layer.scalar else 1.0
            seed = None if layer.scalar else seeds[0] if len(seeds) == 1 else seeds
            gradients = both(ctx.saved_tensors, seed)[1]
            return tuple(torch.from_numpy(np.array(gradients[n] * factor)) for n in layer.wrt)

    return Pair.apply


def accepted(layer: Layer, manual: Manual, inputs: Inputs) -> bool:
    """Return whether gradcheck accepts a pair, with its own tolerances."""
    tensors = [torch.from_numpy(inputs[name].copy()).requires_grad_() for name in layer.wrt]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return bool(torch.autograd.gradcheck(wrapped(layer, manual, inputs), tensors))
        except (RuntimeError, ValueError):  # it says so by raising, as a gradient of no shape does
            return False


def spoilt(layer: Layer, kind: str, size: float) -> Manual:
    """Return the first honest way of writing with an error in its first gradient."""
    honest, first = next(iter(layer.honest.values())), layer.wrt[0]

    def manual(inputs: Inputs, dy: Any) -> tuple[Any, Inputs]:
        y, gradients = honest(inputs, dy)
        g = np.random.default_rng(1)
        return y, gradients | {first: PLANTED[kind](g, np.asarray(gradients[first]), size)}

    return manual


def pairs(every: int) -> Iterator[tuple[Layer, str, float | None, Manual]]:
    """Yield honest pairs, mistakes, and planted errors."""
    by_name = {layer.name: layer for layer in LAYERS}
    found: list[tuple[Layer, str, float | None, Manual]] = [
        (layer, f"honest, {way}", None, manual)
        for layer in LAYERS for way, manual in layer.honest.items()
    ]  # fmt: skip
    found += [(by_name[name], what, None, manual) for name, what, manual in MISTAKES]
    found += [
        (layer, kind, size, spoilt(layer, kind, size))
        for layer in LAYERS for kind in PLANTED for size in SIZES
    ]  # fmt: skip
    yield from found[::every]


def gradchecked(seed: int, every: int = 1) -> Iterator[Asked]:
    """Ask gradcheck and the judge about the same pairs at the same points."""
    torch.set_num_threads(1)
    for layer, what, size, manual in pairs(every):
        inputs = layer.draw(np.random.default_rng(seed), ROWS, 1.0)
        judged = check_layer(manual, layer.reference, inputs, wrt=layer.wrt)
        agrees = judged.verdict == "agrees"
        yield Asked(layer.name, what, size, accepted(layer, manual, inputs), agrees)


def told(asked: list[Asked]) -> Iterator[str]:
    """Yield what came of it, a sentence for each of the three questions."""
    honest = [a for a in asked if a.what.startswith("honest")]
    wrong = [a for a in asked if a.size is None and a not in honest]
    yield (
        f"Of {len(honest)} honest pairs gradcheck accepts {sum(a.gradcheck for a in honest)}, "
        f"the judge {sum(a.judge for a in honest)}; of {len(wrong)} mistakes gradcheck sees "
        f"{sum(not a.gradcheck for a in wrong)}, the judge {sum(not a.judge for a in wrong)}."
    )
    for size in SIZES:
        each = [a for a in asked if a.size == size]
        if each:
            yield (
                f"Of {len(each)} errors of size {size:g} in one gradient gradcheck sees "
                f"{sum(not a.gradcheck for a in each)}, the judge "
                f"{sum(not a.judge for a in each)}."
            )
