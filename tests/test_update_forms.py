"""Every way to write an update is judged: its right form is green, its wrong twin never is."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.loop_steps import Updates, loop_steps
from compare.examine.starter.source import open_source
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result

HEAD = """import numpy as np
def train(W1, b1, W2, b2, X, T, lr, mom):
    v1 = v2 = 0
    for epoch in range(9):
        g1, g2, g3, g4 = grads(W1, b1, W2, b2, X, T)
"""
ANDREW = """def update_parameters(parameters, grads, rate):
    for l in range(len(parameters) // 2):
        parameters["W" + str(l+1)] = parameters["W" + str(l+1)] - rate * grads["dW" + str(l+1)]
    return parameters
"""
ADAM = """def adam(p, grads, m, v, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    for k in p:
        g = grads[k]
        m[k] = beta1*m[k] + (1-beta1)*g
        v[k] = beta2*v[k] + (1-beta2)*np.square(g)
        p[k] -= lr * (m[k]/(1-beta1**t)) / (np.sqrt(v[k]/(1-beta2**t)) + eps)
    return p
"""
METHOD = """class Net:
    def fit(self, X, y):
        for _ in range(5):
            g = self.backward(X, y)
            if self.momentum:
                self.v["W1"] = self.momentum*self.v["W1"] - self.lr*g["W1"]
                self.W1 += self.v["W1"]
            else:
                self.W1 -= self.lr*g["W1"]
"""


def loop(body: str) -> str:
    """Return a training loop with these lines in it."""
    return HEAD + "".join(f"        {line}\n" for line in body.splitlines()) + "    return W1\n"


def function(signature: str, *lines: str) -> str:
    """Return a function."""
    return f"def {signature}:\n" + "".join(f"    {line}\n" for line in lines)


FORMS = {
    "augmented": (loop("W1 -= lr * g1"), "-= ", "+= "),
    "plain": (loop("W1 = W1 - lr * g1"), "W1 - lr", "W1 + lr"),
    "a number for the rate": (loop("W1 -= 0.01 * g1"), "-= ", "+= "),
    "a factor beside the rate": (loop("W1 -= lr * g1 / X.shape[0]"), "-= ", "+= "),
    "in place": (loop("W1[:] = W1 - lr * g1"), "W1 - lr", "W1 + lr"),
    "in place, augmented": (loop("W1[...] -= lr * g1"), "-= ", "+= "),
    "out=": (loop("np.subtract(W1, lr * g1, out=W1)"), "subtract", "add"),
    "a negative rate": (loop("lr = -0.1\nW1 += lr * g1"), "-0.1", "0.1"),
    "step outside the if": (loop("d = -lr * g1\nif epoch > 2:\n    W1 += d"), "d = -lr", "d = lr"),
    "if": (loop("if epoch > 2:\n    W1 -= lr * g1"), "-= ", "+= "),
    "else": (
        loop("if mom:\n    v1 = mom*v1 + lr*g1\n    W1 -= v1\nelse:\n    W1 -= lr * g1"),
        "W1 -= lr",
        "W1 += lr",
    ),
    "try": (loop("try:\n    W1 -= lr * g1\nexcept ValueError:\n    pass"), "-= ", "+= "),
    "with": (loop("with np.errstate(all='ignore'):\n    W1 -= lr * g1"), "-= ", "+= "),
    "match": (loop("match mom:\n    case 0:\n        W1 -= lr * g1"), "-= ", "+= "),
    "for in while": (
        function(
            "train(W1, lr)",
            "while True:",
            "    for x in data:",
            "        g = grad(W1, x)",
            "        W1 -= lr * g",
        ),
        "-= ",
        "+= ",
    ),
    "a function inside": (
        function(
            "train(W1, dW1, lr)",
            "def update(W, dW):",
            "    return W - lr * dW",
            "return update(W1, dW1)",
        ),
        "W - lr",
        "W + lr",
    ),
    "an attribute": (
        "class N:\n    def step(self):\n        self.W1 -= self.lr * self.dW1\n",
        "-=",
        "+=",
    ),
    "a method with branches": (METHOD, "self.W1 -= self", "self.W1 += self"),
    "velocity before the if": (
        loop("v1 = mom*v1 + lr*g1\nif epoch:\n    W1 = W1 - v1"),
        "W1 - v",
        "W1 + v",
    ),
    "velocity made in the first update": (
        loop("if epoch == 0:\n    v1 = np.zeros_like(g1)\nv1 = mom*v1 + lr*g1\nW1 -= v1"),
        "W1 -=",
        "W1 +=",
    ),
    "velocity begun by the gradient": (
        loop("if epoch == 0:\n    v1 = g1\nelse:\n    v1 = mom*v1 + g1\nW1 -= lr*v1"),
        "W1 -=",
        "W1 +=",
    ),
    "over the keys": (loop("for k in params:\n    params[k] -= lr * grads[k]"), "-=", "+="),
    "over the keys, in two loops": (
        loop(
            "for k in params:\n    v[k] = mom*v[k] - lr*grads[k]\n"
            "for k in params:\n    params[k] += v[k]"
        ),
        "- lr",
        "+ lr",
    ),
    "names of no weight": (loop("for k in p:\n    p[k] -= lr * g[k]"), "-=", "+="),
    "over pairs": (loop("for w, g in zip(ws, gs):\n    w -= lr * g"), "-=", "+="),
    "over layers": (
        function("update(layers, lr)", "for layer in layers:", "    layer.W -= lr * layer.dW"),
        "-=",
        "+=",
    ),
    "by a number in the name": (ANDREW, " - rate", " + rate"),
    "a list made anew": (
        loop("self.weights = [w - (eta/len(b))*nw for w, nw in zip(self.weights, nabla_w)]"),
        "w - (",
        "w + (",
    ),
    "returned": (function("step_net(W1, dW1, lr)", "return W1 - lr * dW1"), "W1 - ", "W1 + "),
    "returned among others": (
        function("step_net(W1, b1, dW1, db1, lr)", "return W1 - lr * dW1, b1 - lr * db1"),
        "b1 - ",
        "b1 + ",
    ),
    "returned in a dictionary": (
        function("step_net(p, g, lr)", 'return {"W1": p["W1"] - lr * g["dW1"]}'),
        "] - ",
        "] + ",
    ),
    "returned under a new name": (
        function("step_net(W1, dW1, lr)", "change = lr * dW1", "new = W1 - change", "return new"),
        "W1 - ",
        "W1 + ",
    ),
    "returned in a comprehension": (
        function("sgd(params, grads, lr)", "return [p - lr * g for p, g in zip(params, grads)]"),
        "p - ",
        "p + ",
    ),
    "put into a new dictionary": (
        function(
            "sgd(params, grads, lr)",
            "new = {}",
            "for k in params:",
            "    new[k] = params[k] - lr * grads[k]",
            "return new",
        ),
        "] - ",
        "] + ",
    ),
    "appended": (
        function(
            "sgd(params, grads, lr)",
            "out = []",
            "for p, g in zip(params, grads):",
            "    out.append(p - lr * g)",
            "return out",
        ),
        "p - ",
        "p + ",
    ),
    "by name of an attribute": (
        "class N:\n    def step(self, lr):\n        for k in NAMES:\n"
        "            setattr(self, k, getattr(self, k) - lr * self.grads[k])\n",
        ") - lr",
        ") + lr",
    ),
    "a second name": (loop("w = self.W1\nw -= lr * g1"), "-= ", "+= "),
    "decay in a line of its own": (
        loop("W1 -= lr * g1\nW1 -= lr * lam * W1"),
        "-= lr * g1",
        "+= lr * g1",
    ),
    "decay": (loop("W1 -= lr * (g1 + lam * W1)"), "-= ", "+= "),
    "rate that falls": (loop("a = lr / (1 + 0.1 * epoch)\nW1 -= a * g1\nlr *= 0.99"), "-= ", "+= "),
    "summed over a batch": (
        loop(
            "nW = np.zeros_like(W1)\nfor x, y in batch:\n    nW = nW + backprop(x, y)\n"
            "W1 -= lr * nW"
        ),
        "-= ",
        "+= ",
    ),
    "loose loop": (
        "lr = 0.1\nfor e in range(3):\n    dW1 = grads(W1)\n    W1 -= lr * dW1\n",
        "-= ",
        "+= ",
    ),
    "loose line": ("lr = 0.1\ndW1 = grads(W1)\nW1 = W1 - lr * dW1\n", "W1 - ", "W1 + "),
    "Adam": (ADAM, "-= ", "+= "),
    "RMSprop": (
        loop("s = 0.9*s + 0.1*g1**2\nW1 -= lr * g1 / (np.sqrt(s) + 1e-8)"),
        "-= ",
        "+= ",
    ),
    "Adagrad": (loop("s += g1**2\nW1 -= lr * g1 / np.sqrt(s + 1e-8)"), "-= ", "+= "),
}


def judged(tmp_path: Path, text: str) -> Updates:
    """Return what is said of the updates in a file."""
    path = tmp_path / "mine.py"
    path.write_text(text, "utf-8")
    return loop_steps(open_source(path), set())


@pytest.mark.parametrize(("text", "right", "wrong"), FORMS.values(), ids=FORMS)
def test_a_right_update_is_green_and_its_twin_up_the_gradient_is_not(
    tmp_path: Path, text: str, right: str, wrong: str
) -> None:
    assert right in text
    green = judged(tmp_path, text)
    assert green.found == () and green.right >= 1
    red = judged(tmp_path, text.replace(right, wrong, 1))
    (one,) = red.found
    assert one.verdict is Verdict.DISAGREES and "a step up the gradient" in one.sentence
    assert "another-learning-rate" not in one.diagnosis[0].also


NOT_ACCUSED = {
    "taken back where it was worse": loop("W1 -= lr*g1\nif worse:\n    W1 += lr*g1"),
    "either direction": loop("if maximise:\n    W1 += lr*g1\nelse:\n    W1 -= lr*g1"),
    "what an optimiser returns": loop("delta = optimizer(g1)\nW1 -= delta"),
    "velocity reset now and then": loop(
        "v1 = mom*v1 + lr*g1\nW1 -= v1\nif epoch % 5 == 0:\n    v1 = np.zeros_like(W1)"
    ),
    "a numerical derivative": function(
        "numeric(W1, eps)", "W1[0] += eps", "a = loss(W1)", "W1[0] -= 2 * eps", "return a"
    ),
    "a linear model": function("f(x, w, b)", "return w * x + b"),
    "sums": loop("bloss += loss\nwsum += W1"),
    "a velocity with a choice in it": loop("v1 = mom*v1 + lr*(W1 if epoch else g1)\nW1 -= v1"),
    "a choice in the value": loop("W1 -= (lr if epoch else 0.1) * g1"),
}


@pytest.mark.parametrize("text", NOT_ACCUSED.values(), ids=NOT_ACCUSED)
def test_what_is_no_mistake_is_not_accused(tmp_path: Path, text: str) -> None:
    assert all(one.verdict is Verdict.UNDECIDABLE for one in judged(tmp_path, text).found)


@pytest.mark.parametrize(
    "name",
    [
        "taken back where it was worse",
        "either direction",
        "a velocity with a choice in it",
        "what an optimiser returns",
    ],
)
def test_what_may_be_wrong_or_was_not_read_is_not_green(tmp_path: Path, name: str) -> None:
    assert judged(tmp_path, NOT_ACCUSED[name]).found


@pytest.mark.parametrize(
    "text",
    [
        function("update(W1, dW1, lr)", "W1 = W1 - lr * dW1"),
        loop("for w, g in zip(ws, gs):\n    w = w - lr * g"),
    ],
)
def test_a_new_array_that_nobody_keeps_is_no_update(tmp_path: Path, text: str) -> None:
    (one,) = judged(tmp_path, text).found
    assert one.verdict is Verdict.DISAGREES and "is kept nowhere" in one.sentence


def test_a_function_of_weights_gradients_and_a_rate_that_was_not_read_is_named(
    tmp_path: Path,
) -> None:
    text = function("apply(W1, dW1, lr)", "return solver.minimise(W1, dW1, lr)")
    (one,) = judged(tmp_path, text).found
    assert one.verdict is Verdict.UNDECIDABLE and "takes weights, gradients and a rate" in (
        one.sentence
    )


def test_updates_are_counted_apart_from_functions_and_their_function_was_looked_at(
    tmp_path: Path,
) -> None:
    relu = "def relu(z):\n    return np.maximum(z, 0)\n"
    step = function("step_net(W1, b1, dW1, db1, lr)", "W1 += lr * dW1", "b1 -= lr * db1")
    path = tmp_path / "mine.py"
    path.write_text(f"import numpy as np\n{relu}{step}", "utf-8")
    result = starter_result(check_starter(path))
    assert "of 1 function and 2 updates" in result.sentence
    assert not any("not looked at" in note for note in result.notes)


def test_a_file_of_updates_alone_is_judged(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(function("step_net(W1, dW1, lr)", "return W1 - lr * dW1"), "utf-8")
    assert starter_result(check_starter(path)).exit_code == 0
    path.write_text(function("step_net(W1, dW1, lr)", "return W1 + lr * dW1"), "utf-8")
    assert starter_result(check_starter(path)).exit_code == 1
