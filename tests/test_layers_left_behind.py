"""Where an object leaves its gradients: lists, parameter objects, nested values; and what is said
of those that are nowhere, and of arguments that cannot be meant."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import compare
from compare.command.given import way_of
from compare.contracts.errors import BadInput, UserCodeError
from compare.contracts.result import Verdict
from compare.layers.check import check_layer

SHAPES = {"x": (4, 3), "W": (3, 5), "b": (5,)}


def reference(x: Any, W: Any, b: Any) -> Any:
    return x @ W + b


class Lists:
    """`params` and `grads` in two lists, the second filled in place; `factor` on dW."""

    factor = 1.0

    def __init__(self, W: Any, b: Any) -> None:
        self.params = [W, b]
        self.grads: Any = [np.zeros_like(W), np.zeros_like(b)]

    def forward(self, x: Any) -> Any:
        self.x = x
        W, b = self.params
        return x @ W + b

    def gradients(self, dy: Any) -> tuple[Any, Any, Any]:
        W, _ = self.params
        return dy @ W.T, self.x.dtype.type(self.factor) * (self.x.T @ dy), dy.sum(0)

    def backward(self, dy: Any) -> Any:
        dx, self.grads[0][...], self.grads[1][...] = self.gradients(dy)
        return dx


class Rebound(Lists):
    def backward(self, dy: Any) -> Any:
        dx, *grads = self.gradients(dy)
        self.grads = tuple(grads)
        return dx


class Backwards(Lists):
    """Both lists begin with the bias."""

    def __init__(self, W: Any, b: Any) -> None:
        self.params = [b, W]

    def forward(self, x: Any) -> Any:
        self.x = x
        b, W = self.params
        return x @ W + b

    def backward(self, dy: Any) -> Any:
        dW = self.x.dtype.type(self.factor) * (self.x.T @ dy)
        self.grads = [dy.sum(0), dW]
        return dy @ self.params[1].T


class Nested(Lists):
    def backward(self, dy: Any) -> Any:
        dx, *grads = self.gradients(dy)
        return dx, grads


class WithTable(Lists):
    def backward(self, dy: Any) -> Any:
        dx, dW, db = self.gradients(dy)
        return dx, {"W": dW, "b": db}


class Parameter:
    def __init__(self, value: Any) -> None:
        self.data, self.grad = value, np.zeros_like(value)


class OfParameters(Lists):
    """Gradients add up in parameters, as torch's do."""

    def __init__(self, W: Any, b: Any) -> None:
        self.W, self.b = Parameter(W), Parameter(b)

    def forward(self, x: Any) -> Any:
        self.x = x
        self.params = [self.W.data, self.b.data]
        return x @ self.W.data + self.b.data

    def backward(self, dy: Any) -> Any:
        dx, dW, db = self.gradients(dy)
        self.W.grad += dW
        self.b.grad += db
        return dx


FORMS = [Lists, Rebound, Backwards, Nested, WithTable, OfParameters]


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_gradients_are_found_where_people_leave_them(form: Any, factor: float) -> None:
    layer = type("Layer", (form,), {"factor": factor})
    result = check_layer(layer, reference, SHAPES)
    due = Verdict.AGREES if factor == 1 else Verdict.DISAGREES
    assert result.verdict is due, result.sentence
    assert factor == 1 or {f.parameter for f in result.findings} == {"W"}


@pytest.mark.parametrize("form", [Lists, OfParameters])
@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_the_values_of_an_object_are_put_where_it_keeps_them(form: Any, factor: float) -> None:
    layer = type("Layer", (form,), {"factor": factor})(np.ones((3, 5)), np.ones(5))
    result = check_layer(layer, reference, SHAPES)
    assert (result.verdict is Verdict.AGREES) == (factor == 1), result.sentence


class Attributes:
    """`params` beside attributes is a list of something: of the values, names, pairs, numbers."""

    def __init__(self, W: Any, b: Any) -> None:
        self.W, self.b = W, b
        self.params: Any = [W, b]

    def forward(self, x: Any) -> Any:
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy: Any) -> Any:
        self.dW, self.db = self.x.T @ dy, dy.sum(0)
        self.grads = {"W": None, "b": None}
        return dy @ self.W.T


@pytest.mark.parametrize("listed", [None, ["W", "b"], [0.1, 0.9], [("W", 1), ("b", 2)]])
def test_a_list_beside_attributes_takes_nothing_from_them(listed: Any) -> None:
    layer = Attributes(np.ones((3, 5)), np.ones(5))
    layer.params = layer.params if listed is None else listed
    result = check_layer(layer, reference, SHAPES)
    assert result.verdict is Verdict.AGREES, result.sentence


@pytest.mark.parametrize("named", [True, False])
def test_of_a_list_whose_order_nothing_says_nobody_is_accused(named: bool) -> None:
    class Scaled:
        def __init__(self, gamma: Any, beta: Any) -> None:
            self.gamma, self.beta = gamma, beta
            if named:
                self.params = [beta, gamma]

        def forward(self, x: Any) -> Any:
            self.x = x
            return x * self.gamma + self.beta

        def backward(self, dy: Any) -> Any:
            self.grads = [dy.sum(0), (dy * self.x).sum(0)]
            return dy * self.gamma

    shapes = {"x": (4, 3), "gamma": (3,), "beta": (3,)}

    def scaled(x: Any, gamma: Any, beta: Any) -> Any:
        return x * gamma + beta

    if named:
        assert check_layer(Scaled, scaled, shapes)
        return
    with pytest.raises(UserCodeError, match="no gradient of gamma"):
        check_layer(Scaled, scaled, shapes)


@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_a_module_of_torch_with_a_backward_pass_of_its_own_is_called(factor: float) -> None:
    class Linear(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.W = torch.nn.Parameter(torch.ones(3, 5))
            self.b = torch.nn.Parameter(torch.ones(5))

        def forward(self, x: Any) -> Any:
            self.x = torch.as_tensor(x)
            return (self.x @ self.W + self.b).detach()

        def backward(self, dy: Any) -> Any:
            dy = torch.as_tensor(dy)
            dx = dy @ self.W.detach().T
            return {"x": dx, "W": factor * (self.x.T @ dy), "b": dy.sum(0)}

    result = check_layer(Linear(), reference, SHAPES)
    assert (result.verdict is Verdict.AGREES) == (factor == 1), result.sentence


def test_what_is_no_parameter_is_not_set_back() -> None:
    """A layer inside whose own gradients add up is a mistake."""

    class Inner:
        def __init__(self, w: Any) -> None:
            self.w, self.dw = w, 0.0

        def forward(self, x: Any) -> Any:
            self.x = x
            return x @ self.w

        def backward(self, dy: Any) -> Any:
            self.dw = self.dw + self.x.T @ dy
            return dy @ self.w.T

    class Outer:
        def __init__(self, w: Any) -> None:
            self.inner = Inner(w)

        def forward(self, x: Any) -> Any:
            return self.inner.forward(x)

        def backward(self, dy: Any) -> Any:
            dx = self.inner.backward(dy)
            return {"x": dx, "w": self.inner.dw}

    result = check_layer(Outer, lambda x, w: x @ w, {"x": (4, 3), "w": (3, 5)})
    assert result.verdict is Verdict.DISAGREES and "adds up" in result.sentence


def test_a_gradient_that_is_nowhere_is_asked_for() -> None:
    class Forgetful(Lists):
        def backward(self, dy: Any) -> Any:
            self.grads = None
            return self.gradients(dy)[0]

    with pytest.raises(UserCodeError, match="no gradient of W is among them or the attributes"):
        check_layer(Forgetful, reference, SHAPES)


@pytest.mark.parametrize("wrong", [False, True])
def test_a_reference_that_does_not_depend_on_an_input_is_said_to(wrong: bool) -> None:
    def manual(inputs: Any, dy: Any) -> Any:
        x, w = inputs["x"], inputs["w"]
        return x * w, {"x": dy * w, "w": dy * x if wrong else np.zeros_like(w)}

    def stopped(x: Any, w: Any) -> Any:
        return x * w.detach()

    result = check_layer(manual, stopped, {"x": (4, 3), "w": (4, 3)})
    assert (result.verdict is Verdict.DISAGREES) == wrong
    assert ("no output of the reference depends on `w`" in result.sentence) == wrong
    assert not result.diagnosis


def tanh(inputs: Any, dy: Any) -> Any:
    y = np.tanh(inputs["x"])
    return y, {"x": dy * (1 - y * y)}


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((tanh, torch.tanh, {"x": [3, 4]}), {}, "inputs['x'] is [3, 4], whole numbers; a shape"),
        ((tanh, torch.tanh, {"x": (3, -4)}), {}, "a shape is a tuple like (3, 4)"),
        ((tanh, torch.tanh, {"x": (3, 4)}), {"seed": "a"}, "seed is 'a'; give a whole number"),
        ((tanh, torch.tanh, {"x": (3, 4)}), {"timeout": 0}, "timeout is 0; give seconds above 0"),
        ((torch.nn.Tanh(), torch.tanh, {"x": (3, 4)}), {}, "has forward and no backward"),
    ],
)
def test_what_cannot_be_meant_is_said(arguments: Any, options: Any, words: str) -> None:
    with pytest.raises(BadInput, match=re.escape(words)):
        check_layer(*arguments, **options)


def test_inputs_that_the_reference_has_no_names_for_are_told() -> None:
    def manual(inputs: Any, dy: Any) -> Any:
        return inputs["a"] + inputs["b"], {"a": dy, "b": dy}

    def added(x: Any, w: Any) -> Any:
        return x + w

    shapes = {"a": (3, 4), "b": (3, 4)}
    told = [check_layer(manual, one, shapes).notes for one in (added, lambda a, b: a + b)]
    assert any("the reference has no argument 'a' (its own are w, x)" in note for note in told[0])
    assert not any("has no argument" in note for note in told[1])


def test_a_gradient_that_torch_did_not_keep_is_said_to_be_none() -> None:
    w = torch.ones(3, dtype=torch.float64, requires_grad=True)
    with compare.watch(w):
        h = w * 2
        torch.autograd.backward(h.sum())
    kept: Any = w.grad
    forgotten: Any = None
    with pytest.raises(BadInput, match="retain_grad"):
        compare.same(np.ones(3), forgotten)
    with pytest.raises(BadInput, match="the first argument is None"):
        compare.same(None, kept)
    assert compare.same(np.full(3, 2.0), kept)


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("def manual(i, dy): ...\ninputs = {}", "layer"),
        ("def forward(x): ...\ndef backward(dy, c): ...\nreference = 1", "layer"),
        ("def forward(x): ...\ninputs = 1", "starter"),
        ("inputs = 1\ndef forward(x): ...\ndef backward(y): ...", "starter"),
        ("def manual(x): ...", "starter"),
    ],
)
def test_a_layer_that_lacks_something_is_taken_for_one(text: str, way: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text, "utf-8")
    assert way_of(path) == way
