"""Layers that are objects: called twice, without attributes, with arguments that are written to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from compare import check_layer
from compare.contracts.result import Verdict

SHAPES = {"x": (4, 3), "w": (3, 5), "b": (5,)}


def reference(x: Any, w: Any, b: Any) -> Any:
    return torch.tanh(x @ w + b)


class Layer:
    """Weights are attributes that nobody has set yet."""

    w: Any
    b: Any

    def forward(self, x: Any) -> Any:
        self.x, self.y = x, np.tanh(x @ self.w + self.b)
        return self.y

    def backward(self, dy: Any) -> Any:
        d = dy * (1 - self.y**2)
        self.dw, self.db = self.x.T @ d, d.sum(0)
        return d @ self.w.T


class Capital:
    """The same, by other names."""

    W: Any
    bias: Any

    def __call__(self, x: Any) -> Any:
        self.x, self.y = x, np.tanh(x @ self.W + self.bias)
        return self.y

    def backward(self, dy: Any) -> Any:
        d = dy * (1 - self.y**2)
        return {"x": d @ self.W.T, "W": self.x.T @ d, "bias": d.sum(0)}


class Slipped(Layer):
    """Without the derivative of tanh in one of its gradients."""

    def backward(self, dy: Any) -> Any:
        dx = super().backward(dy)
        self.db = dy.sum(0)
        return dx


@pytest.mark.parametrize("layer", [Layer, Layer(), Capital])
def test_inputs_become_attributes_that_an_object_reads(layer: Any) -> None:
    assert check_layer(layer, reference, SHAPES).verdict is Verdict.AGREES


@pytest.mark.slow
def test_an_object_without_attributes_is_judged_as_well() -> None:
    result = check_layer(Slipped, reference, SHAPES)
    assert result.verdict is Verdict.DISAGREES and result.findings[0].stage == "db"


class Adding:
    """Gradients are added up, as torch does it."""

    def __init__(self) -> None:
        self.dw: Any = 0

    def forward(self, x: Any, w: Any) -> Any:
        self.x, self.w = x, w
        return x @ w

    def backward(self, dy: Any) -> Any:
        self.dw = self.dw + self.x.T @ dy
        return dy @ self.w.T


class SetBack(Adding):
    def zero_grad(self) -> None:
        self.dw = 0


class Counting:
    """Every call of `backward` gives one more time the gradient."""

    times = 0

    def forward(self, x: Any) -> Any:
        self.x, self.s = x, 1 / (1 + np.exp(-x))
        return x * self.s

    def backward(self, dy: Any) -> Any:
        self.times += 1
        return self.times * dy * self.s * (1 + self.x * (1 - self.s))


class Going:
    """A state that goes on from call to call is meant to: its outputs change as well."""

    def __init__(self) -> None:
        self.h: Any = 0

    def forward(self, x: Any) -> Any:
        self.h = np.tanh(x + self.h)
        return self.h

    def backward(self, dy: Any) -> Any:
        return dy * (1 - self.h**2)


TWO = {"x": (4, 3), "w": (3, 2)}


@pytest.mark.parametrize(
    "layer, of, inputs, right",
    [
        (Adding, lambda x, w: x @ w, TWO, False),
        (SetBack, lambda x, w: x @ w, TWO, True),
        (Counting, F.silu, {"x": (4, 3)}, False),
        (Counting(), F.silu, {"x": (4, 3)}, False),
        (Going, torch.tanh, {"x": (4, 3)}, True),
    ],
)
def test_a_gradient_does_not_grow_from_call_to_call(
    layer: Any, of: Any, inputs: Any, right: bool
) -> None:
    result = check_layer(layer, of, inputs)
    assert (result.verdict is Verdict.AGREES) is right
    assert right or "twice as much" in result.sentence


@pytest.mark.parametrize("writes", ["forward", "backward"])
def test_who_writes_to_an_argument_is_said(writes: str) -> None:
    def forward(x: Any) -> Any:
        y = np.tanh(x)
        if writes == "forward":
            x[:] = 0
        return y, (x, y)

    def backward(dy: Any, cache: Any) -> Any:
        x, y = cache
        if writes == "backward":
            x[:] = 0
        return dy * (1 - y * y)

    result = check_layer((forward, backward), torch.tanh, {"x": (4, 3)})
    assert result.verdict is Verdict.AGREES
    notes = [note for note in result.notes if "modifies" in note]
    assert len(notes) == 1 and f"{writes} modifies its argument x" in notes[0]
