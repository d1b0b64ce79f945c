"""Losses in forms of their own are no mistakes, and mistakes in such a form are still found."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.contracts.result import Result, Verdict
from compare.examine.starter.binary_loss import shows_softmax
from tests.hand_ins import checked, of_wrong_twin
from tests.test_cut import changed

pytestmark = pytest.mark.slow

LABELS = """import numpy as np
def cross_entropy(logits, y):
    n = logits.shape[0]
    z = logits - logits.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    loss = -log_p[np.arange(n), y].mean()
    grad = np.exp(log_p)
    grad[np.arange(n), y] -= 1
    return loss, grad / n
"""
ROWS = """import numpy as np
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
def cross_entropy(pred, target):
    p = softmax(pred)
    loss = -np.sum(target * np.log(p)) / len(pred)
    return loss, (p - target) / len(pred)
"""
OF_P = """import numpy as np
def cross_entropy(p, t):
    return -np.sum(t * np.log(p)) / len(p), -t / p / len(p)
"""
SMOOTH = """import numpy as np
def smooth_ce(logits, y, eps=0.1):
    n, k = logits.shape
    t = np.full((n, k), eps / k)
    t[np.arange(n), y] += 1 - eps
    z = logits - logits.max(1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    return -(t * log_p).sum(1).mean(), (np.exp(log_p) - t) / n
"""
SIGMOID = """import numpy as np
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
"""
SOFTMAX = """import numpy as np
def outputs(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)
"""
BINARY = """def loss(prob, y):
    return -np.mean(y * np.log(prob) + (1 - y) * np.log(1 - prob))
"""
BINARY_PAIR = """def cross_entropy(p, y):
    loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    return loss, (p - y) / len(p)
"""
SLOPE = """import numpy as np
def sigmoid_backward(dout, a):
    return dout * a * (1 - a)
"""
HINGE = """import numpy as np
def cross_entropy(s, y):
    n = len(s)
    over = np.maximum(0, s - s[np.arange(n), y][:, None] + 1)
    over[np.arange(n), y] = 0
    d = (over > 0).astype(float)
    d[np.arange(n), y] -= d.sum(1)
    return over.sum() / n, d / n
"""


def named(result: Result) -> list[str]:
    """The mistakes that are named."""
    return [one.mistake for one in result.diagnosis]


@pytest.mark.parametrize(
    ("text", "old", "new", "mistake"),
    [
        (LABELS, "return loss, grad / n", "return loss, -grad / n", "target-minus-prediction"),
        (LABELS, "return loss, grad / n", "return loss, grad", "gradient-summed"),
        (LABELS, "loss = -log_p", "loss = log_p", "minus-missing-in-loss"),
        (LABELS, "    grad[np.arange(n), y] -= 1\n", "", "prediction-without-target"),
        (ROWS, "(p - target)", "(target - p)", "target-minus-prediction"),
        (ROWS, "(p - target) / len(pred)", "p - target", "gradient-summed"),
        (ROWS, "loss = -np", "loss = np", "minus-missing-in-loss"),
        (OF_P, "-t / p /", "t / p /", "target-over-probability"),
        (OF_P, "-t / p /", "(t - p) /", "target-minus-prediction"),
    ],
)
def test_a_loss_with_its_gradient_is_compared_in_both(
    text: str, old: str, new: str, mistake: str, tmp_path: Path
) -> None:
    assert named(of_wrong_twin(tmp_path, text, old, new)) == [mistake]


@pytest.mark.parametrize(
    "returned",
    ["grad / n, loss", "loss, grad / n, np.exp(log_p)", "loss, (z.argmax(1) == y).mean()"],
)
def test_what_else_stands_beside_a_loss_accuses_nobody(returned: str, tmp_path: Path) -> None:
    text = changed(LABELS, ("loss, grad / n", returned))
    assert checked(tmp_path, text).verdict is Verdict.AGREES


def test_probabilities_beside_a_loss_are_no_gradient_unless_they_are_called_one(
    tmp_path: Path,
) -> None:
    text = changed(LABELS, ("    grad[np.arange(n), y] -= 1\n    return loss, grad / n",
                            "    probs = np.exp(log_p)\n    return loss, probs"))  # fmt: skip
    assert checked(tmp_path, text).verdict is Verdict.AGREES
    text = changed(text, ("return loss, probs", "return loss, np.exp(log_p)"))
    assert checked(tmp_path, text).verdict is Verdict.UNDECIDABLE


def test_another_loss_with_its_gradient_is_undecided(tmp_path: Path) -> None:
    assert checked(tmp_path, HINGE).verdict is Verdict.UNDECIDABLE


@pytest.mark.parametrize("name", ["loss", "cross_entropy"])
def test_a_binary_cross_entropy_is_the_loss_of_sigmoid_outputs(name: str, tmp_path: Path) -> None:
    text = SIGMOID + changed(BINARY, ("def loss", f"def {name}"))
    of_wrong_twin(tmp_path, text, "+ (1 - y)", "- (1 - y)")
    of_wrong_twin(tmp_path, text, "-np.mean", "np.mean")
    summed = checked(tmp_path, text.replace("np.mean", "np.sum"))
    assert summed.verdict is Verdict.AGREES


@pytest.mark.parametrize("name", ["loss", "cross_entropy"])
def test_a_binary_cross_entropy_of_a_softmax_stays_a_mistake(name: str, tmp_path: Path) -> None:
    text = SIGMOID + SOFTMAX + changed(BINARY, ("def loss", f"def {name}"))
    result = checked(tmp_path, text)
    assert result.verdict is Verdict.DISAGREES
    assert "binary-cross-entropy" in named(result)[0]


def test_a_binary_cross_entropy_is_undecided_where_no_sigmoid_is_shown(tmp_path: Path) -> None:
    result = checked(tmp_path, "import numpy as np\n" + BINARY)
    assert result.verdict is Verdict.UNDECIDABLE


def test_a_binary_cross_entropy_is_compared_with_the_gradient_beside_it(tmp_path: Path) -> None:
    text = SIGMOID + BINARY_PAIR
    of_wrong_twin(tmp_path, text, "(p - y) / len(p)", "(y - p) / len(p)")
    of_wrong_twin(tmp_path, text, "(p - y) / len(p)", "p - y")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (SIGMOID, False),
        (SIGMOID + "# no softmax here\n", False),
        (SOFTMAX, True),
        ("def log_p(z):\n    return z - np.log(np.exp(z).sum(axis=1))\n", True),
        ("from scipy.special import softmax\n", True),
    ],
)
def test_a_softmax_is_shown_by_its_name_or_by_a_sum_of_exponentials(text: str, shown: bool) -> None:
    assert shows_softmax(text) is shown


def test_smoothing_that_is_written_in_a_loss_is_told(tmp_path: Path) -> None:
    for text in (SMOOTH, changed(SMOOTH, ("smooth_ce", "cross_entropy"))):
        assert checked(tmp_path, text).verdict is Verdict.AGREES


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("] += 1 - eps", "] = 1 - eps", None),
        ("eps / k", "eps", "smoothing-not-divided"),
        ("eps / k", "1 / k", "smoothing-by-one-over-k"),
        ("-(t * log_p).sum(1)", "-log_p[np.arange(n), y]", "smoothing-in-gradient-only"),
        ("(np.exp(log_p) - t)", "(t - np.exp(log_p))",
         "target-minus-prediction + smoothing-in-both"),
        ("(np.exp(log_p) - t) / n", "np.exp(log_p) - t", "gradient-summed + smoothing-in-both"),
    ],
)  # fmt: skip
def test_smoothing_with_a_mistake_in_it_is_wrong(
    old: str, new: str, mistake: str | None, tmp_path: Path
) -> None:
    wrong = of_wrong_twin(tmp_path, SMOOTH, old, new)
    assert named(wrong) == ([] if mistake is None else [mistake])


@pytest.mark.parametrize(
    "text",
    [
        SLOPE,
        changed(SLOPE, ("(dout, a)", "(a, grad_output)"), ("return dout", "return grad_output")),
        changed(SLOPE, ("sigmoid", "tanh"), ("a * (1 - a)", "(1 - a**2)")),
        changed(SLOPE, ("sigmoid", "tanh"), ("a * (1 - a)", "(1 - np.tanh(a) ** 2)")),
    ],
)
def test_the_slope_of_an_activation_times_what_flows_in_agrees(text: str, tmp_path: Path) -> None:
    assert checked(tmp_path, text).verdict is Verdict.AGREES


@pytest.mark.parametrize(
    ("old", "new"),
    [("(1 - a)", "(1 + a)"), ("dout * a", "a"), ("return dout", "return -dout"), ("a * (1", "(1")],
)
def test_what_is_no_slope_of_the_activation_is_not_held_against_a_loss(
    old: str, new: str, tmp_path: Path
) -> None:
    result = checked(tmp_path, changed(SLOPE, (old, new)))
    assert result.verdict is Verdict.UNDECIDABLE
    assert not result.diagnosis
