"""The layers that a forward and a backward pass as two functions may be, with what is due of them.

Each is a function of its inputs by name, for torch's tensors, and the same with its gradients for
the textbook's pairs, which gives the allowances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.readings import UNEQUAL, Due, F, H, N, right
from compare.textbook import exact
from compare.textbook.functions import activate, slope, sqrt
from compare.textbook.pair import Pair

Pairs = dict[str, Pair]
EPSILONS = (1e-5, 1e-8, 1e-7, 1e-6, 1e-3)
"""What stands beside a variance under a root."""
ACTIVATIONS = ("relu", "sigmoid", "tanh")


@dataclass(frozen=True)
class Kind:
    """One layer: the shapes of its inputs in their order, y of them for torch, and y with the
    gradients, of given inputs and dy, for pairs."""

    words: str
    shapes: Mapping[str, tuple[int, ...]]
    forward: Callable[..., object]
    both: Callable[[Pairs, Callable[[Pair], Pair]], Pairs]
    drops: bool = False
    """Whether what it multiplies by, units that are kept, is not known beforehand."""

    def drawn(self) -> dict[str, Array]:
        """Its inputs."""
        generator = np.random.default_rng(UNEQUAL.seed)
        return {name: generator.normal(size=shape) for name, shape in self.shapes.items()}

    def due(self, inputs: Mapping[str, Array], mask: Array | None = None) -> dict[str, Due]:
        """y, and dy with the gradient of each input that belongs to it."""
        import torch

        tensors = {name: torch.tensor(one, requires_grad=True) for name, one in inputs.items()}
        more = [] if mask is None else [torch.tensor(mask)]
        y = self.forward(*tensors.values(), *more)
        assert isinstance(y, torch.Tensor)
        dy = np.random.default_rng(1).normal(size=tuple(y.shape))
        slopes = torch.autograd.grad(y, list(tensors.values()), torch.tensor(dy))
        pairs = {name: exact(one, one.dtype) for name, one in inputs.items()}
        if mask is not None:
            pairs["mask"] = exact(mask, mask.dtype)
        found = self.both(pairs, lambda like: exact(dy, dy.dtype))
        answers = dict(zip(tensors, slopes, strict=True)) | {"y": y}
        every = {name: right(one, found[name]) for name, one in answers.items()}
        return every | {"dy": Due(dy, np.zeros(dy.shape))}


@dataclass(frozen=True)
class Passed:
    """One call of a forward pass that was a layer's: its inputs, what is due and what it kept."""

    kind: Kind
    inputs: Mapping[str, Array]
    due: Mapping[str, Due]
    kept: tuple[Any, ...]


def linear(pairs: Pairs, dy_of: Callable[[Pair], Pair]) -> Pairs:
    """y = x w + b."""
    x, w, b = pairs["x"], pairs["w"], pairs["b"]
    y = x @ w + b
    dy = dy_of(y)
    return {"y": y, "x": dy @ w.T, "w": x.T @ dy, "b": dy.sum(axis=0)}


def elementwise(activation: str) -> Kind:
    """h = f(x)."""

    def forward(x: object) -> object:
        import torch

        return getattr(torch, activation)(x)

    def both(pairs: Pairs, dy_of: Callable[[Pair], Pair]) -> Pairs:
        h = activate(pairs["x"], activation)
        return {"y": h, "x": dy_of(h) * slope(pairs["x"], h, activation)}

    return Kind(activation, {"x": (N, F)}, forward, both)


def linear_then(activation: str) -> Kind:
    """h = f(x w + b)."""

    def forward(x: object, w: object, b: object) -> object:
        import torch

        return getattr(torch, activation)(x @ w + b)  # type: ignore[operator]  # tensors

    def both(pairs: Pairs, dy_of: Callable[[Pair], Pair]) -> Pairs:
        z = pairs["x"] @ pairs["w"] + pairs["b"]
        h = activate(z, activation)
        inner = linear(pairs, lambda y: dy_of(h) * slope(z, h, activation))
        return inner | {"y": h}

    return Kind(f"a linear layer with {activation}", LINEAR, forward, both)


def normalisation(axis: int, eps: float) -> Kind:
    """y = gamma (x - mean) / sqrt(var + eps) + beta, over the rows or over the units."""

    def forward(x: object, gamma: object, beta: object) -> object:
        import torch

        assert isinstance(x, torch.Tensor)
        mean = x.mean(dim=axis, keepdim=True)
        deviation = torch.sqrt(x.var(dim=axis, unbiased=False, keepdim=True) + eps)
        return gamma * (x - mean) / deviation + beta  # type: ignore[operator]  # tensors

    def both(pairs: Pairs, dy_of: Callable[[Pair], Pair]) -> Pairs:
        x, count = pairs["x"], (N, F)[axis]

        def mean(one: Pair) -> Pair:
            return one.sum(axis=axis, keepdims=True) / count

        centred = x - mean(x)
        deviation = sqrt(mean(centred * centred) + eps)
        normal = centred / deviation
        y = pairs["gamma"] * normal + pairs["beta"]
        dy = dy_of(y)
        inner = dy * pairs["gamma"]
        dx = (inner - mean(inner) - normal * mean(inner * normal)) / deviation
        return {"y": y, "x": dx, "gamma": (dy * normal).sum(axis=0), "beta": dy.sum(axis=0)}

    words = "batch" if axis == 0 else "layer"
    return Kind(f"{words} normalisation", {"x": (N, F), "gamma": (F,), "beta": (F,)}, forward, both)


def dropout(pairs: Pairs, dy_of: Callable[[Pair], Pair]) -> Pairs:
    """y = x mask."""
    y = pairs["x"] * pairs["mask"]
    return {"y": y, "x": dy_of(y) * pairs["mask"]}


def times(x: object, mask: object) -> object:
    """y = x mask, for tensors."""
    return x * mask  # type: ignore[operator]  # tensors


def affine(x: object, w: object, b: object) -> object:
    """y = x w + b, for tensors."""
    return x @ w + b  # type: ignore[operator]  # tensors


LINEAR = {"x": (N, F), "w": (F, H), "b": (H,)}


def kinds() -> Iterator[Kind]:
    """Yield the layers, the likeliest first."""
    yield from map(elementwise, ACTIVATIONS)
    yield Kind("a linear layer", LINEAR, affine, linear)
    yield from map(linear_then, ACTIVATIONS)
    for axis in (0, 1):
        yield from (normalisation(axis, eps) for eps in EPSILONS)
    yield Kind("dropout", {"x": (N, F)}, times, dropout, drops=True)
