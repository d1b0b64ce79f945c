"""A forward pass with its softmax inside is compared; what stands inside of a function is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.bundles import Bundle
from compare.examine.starter.forward_check import forward_checks
from compare.examine.starter.gradient_check import GradientCheck
from compare.examine.starter.gradient_functions import read_function
from compare.examine.starter.source import open_source
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result
from compare.guard.guard import Guard

COLUMNS = """
import numpy as np
def forward_propagation(X, params):
    Z1 = params["W1"] @ X + params["b1"]
    A1 = np.maximum(0, Z1)
    Z2 = params["W2"] @ A1 + params["b2"]
    E = np.exp(Z2)
    A2 = E / np.sum(E, axis=AXIS, keepdims=True)
    return A2, {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2}
def backward(Z1, A1, A2, W2, X, Y):
    m = X.shape[1]
    dZ2 = A2 - Y
    dZ1 = (W2.T @ dZ2) * (Z1 > 0)
    db1, db2 = (dZ.sum(1, keepdims=True) / m for dZ in (dZ1, dZ2))
    return dZ1 @ X.T / m, db1, dZ2 @ A1.T / m, db2
"""
NESTED = """
import numpy as np
def relu(x):
    return np.maximum(x, 0)
def make():
    def grad_ce(target, prediction):
        return 3 * (prediction - target) / len(target)
    return grad_ce
"""


def verdict_on(tmp_path: Path, text: str) -> tuple[Verdict, str]:
    path = tmp_path / "mine.py"
    path.write_text(text)
    found = starter_result(check_starter(path))
    return found.verdict, found.sentence


@pytest.mark.slow
@pytest.mark.parametrize(("axis", "verdict"), [("0", Verdict.AGREES), ("1", Verdict.DISAGREES)])
def test_a_forward_pass_is_held_against_the_networks_values(
    axis: str, verdict: Verdict, tmp_path: Path
) -> None:
    said, sentence = verdict_on(tmp_path, COLUMNS.replace("AXIS", axis))
    assert said is verdict
    assert ("the probabilities it returns are wrong" in sentence) == (verdict is Verdict.DISAGREES)


@pytest.mark.slow
def test_a_forward_pass_nobody_can_call_keeps_the_file_from_agreeing(tmp_path: Path) -> None:
    text = COLUMNS.replace("AXIS", "0").replace("(X, params)", "(X, params, q)")
    text = text.replace("Z1 = params", "Z1 = q.scale() * params")
    said, sentence = verdict_on(tmp_path, text)
    assert said is Verdict.UNDECIDABLE and "forward_propagation" in sentence


def test_a_function_inside_of_another_is_named(tmp_path: Path) -> None:
    said, sentence = verdict_on(tmp_path, NESTED)
    assert said is Verdict.UNDECIDABLE and "grad_ce" in sentence


def test_a_helper_inside_of_what_was_compared_is_compared_with_it(tmp_path: Path) -> None:
    inner = "    relu = lambda x: x\n    def softmax(z): return z\n    return np.maximum(x, 0)"
    said, _ = verdict_on(tmp_path, NESTED.partition("def make")[0].replace(
        "    return np.maximum(x, 0)", inner))  # fmt: skip
    assert said is Verdict.AGREES


CLASSES = """import numpy as np
def classify(samples, theta):
    A, c, B, e = theta
    odds = np.exp(np.tanh(samples @ A + c) @ B + e)
    return (odds / odds.sum(axis=1, keepdims=True)).argmax(axis=1)
"""
THETA = "w1 b1 w2 b2"


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ("", "", Verdict.AGREES),
        ("argmax", "argmin", Verdict.UNDECIDABLE),
        ("np.tanh(samples @ A + c)", "np.tanh(samples @ A)", Verdict.UNDECIDABLE),
        ("axis=1)\n", "axis=0)\n", Verdict.UNDECIDABLE),
    ],
)
def test_classes_alone_are_right_where_they_are_those_of_the_largest_p(
    old: str, new: str, verdict: Verdict, tmp_path: Path
) -> None:
    """Wrong ones are not accused: of what they are wrong they do not show."""
    path = tmp_path / "mine.py"
    path.write_text(CLASSES.replace(old, new) if old else CLASSES)
    source = open_source(path, guard=Guard(timeout=20.0))
    node = source.definitions["classify"].node
    how = read_function(source, "classify", node)
    weights = Bundle(tuple(THETA.split()))
    how = replace(how, bound={}, bundles={"theta": (weights,), "samples": ()})
    checks = forward_checks(source.guard, GradientCheck(source.guard, activations=("relu", "tanh")))
    function = source.load(["classify"]).get("classify")
    found = {one(function, how).verdict for one in checks}
    assert (Verdict.AGREES in found) == (verdict is Verdict.AGREES)
