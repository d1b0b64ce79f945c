"""What is said of a mistake in a layer: in words of the field, and of whose line."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from compare import check_layer
from compare.contracts.result import Result, Verdict

pytestmark = pytest.mark.slow

Manual = Callable[[Any, Any], Any]
RANDOM = np.random.default_rng(0)


def drawn(**shapes: tuple[int, ...]) -> dict[str, Any]:
    """Return inputs in float64, at one point."""
    return {name: RANDOM.normal(size=shape) for name, shape in shapes.items()}


def said(manual: Manual, reference: Any, inputs: Any, **options: Any) -> str:
    """Return the sentence about a wrong layer; a right one fails."""
    result: Result = check_layer(manual, reference, inputs, **options)
    assert result.verdict is Verdict.DISAGREES
    return result.sentence


def heads_in_front(x: Any) -> Any:
    return x.reshape(2, 4, 3, 5).transpose(1, 2) * 2


def test_a_transposition_that_is_left_out_is_called_one() -> None:
    def forgotten(i: Any, dy: Any) -> Any:
        return 2 * i["x"].reshape(2, 3, 4, 5), {"x": 2 * dy.reshape(2, 4, 15)}

    def not_undone(i: Any, dy: Any) -> Any:
        y = 2 * i["x"].reshape(2, 4, 3, 5).swapaxes(1, 2)
        return y, {"x": 2 * dy.reshape(2, 4, 15)}

    inputs = drawn(x=(2, 4, 15))
    text = said(forgotten, heads_in_front, inputs)
    assert "the exchange of axes 1 and 2 of `x` is left out" in text
    text = said(not_undone, heads_in_front, inputs)
    assert "in the backward pass the exchange of axes 1 and 2 of `x` is not undone" in text
    assert " of the reference, test_layers_words.py)" in text
    square = drawn(x=(4, 3), w=(3, 3))

    def untransposed(i: Any, dy: Any) -> Any:
        x, w = i["x"], i["w"]
        return x @ w, {"x": dy @ w.T, "w": x.T @ dy}

    text = said(untransposed, lambda x, w: x @ w.t(), square)
    assert "the transposition of `w` is left out" in text


@pytest.mark.parametrize("of_dy", [lambda dy: dy * dy, lambda dy: np.clip(dy, -1, 1), np.abs,
                                   lambda dy: dy / np.sqrt((dy * dy).sum())])  # fmt: skip
def test_a_backward_pass_that_is_not_linear_is_called_so_before_all_else(of_dy: Any) -> None:
    def manual(i: Any, dy: Any) -> Any:
        y = np.tanh(i["x"])
        with np.errstate(invalid="ignore"):
            return y, {"x": of_dy(dy) * (1 - y * y)}

    text = said(manual, torch.tanh, drawn(x=(4, 3)))
    assert text.startswith("disagrees: dx ") and "it is not linear in dy" in text


def test_what_one_gradient_alone_shows_is_said_once() -> None:
    def manual(i: Any, dy: Any) -> Any:
        x = i["x"].reshape(4, 3, 10)
        h = (x - x.mean(2, keepdims=True)) / np.sqrt(x.var(2, keepdims=True) + 1e-5)
        one = i["x"]
        s = np.sqrt(one.var(2, keepdims=True) + 1e-5)
        g = (one - one.mean(2, keepdims=True)) / s
        d = (dy - dy.mean(2, keepdims=True) - g * (dy * g).mean(2, keepdims=True)) / s
        return h.reshape(4, 6, 5), {"x": d}

    text = said(manual, lambda x: F.group_norm(x, 3), drawn(x=(4, 6, 5)))
    assert "alone, alone" not in text


def test_no_constant_is_fitted_to_one_number() -> None:
    def shifted(by: float) -> Manual:
        return lambda i, dy: ((i["p"] ** 2).mean() + by, {"p": 2 * i["p"] / i["p"].size})

    inputs = drawn(p=(6, 4))
    reference = lambda p: (p * p).mean() + 0.25  # noqa: E731  # as handed in
    assert "taken to be" not in said(shifted(0.2513217), reference, inputs)
    assert "taken to be 0.5" in said(shifted(0.5), reference, inputs)


@pytest.mark.parametrize(
    "factor, text", [(1 + 1e-6, "dx is 1.000001 times the right one"), (0.7 / 0.8, "0.8")]
)
def test_a_constant_is_not_taken_to_be_itself(factor: float, text: str) -> None:
    def dropout(i: Any, dy: Any) -> Any:
        return i["x"] * i["m"] / 0.7, {"x": dy * i["m"] / 0.7 * factor}

    inputs = drawn(x=(4, 3)) | {"m": np.array([[1.0, 0, 1]] * 4)}
    result = check_layer(dropout, lambda x, m: x * m / 0.7, inputs, wrt="x")
    assert text in " ".join([result.sentence, *result.notes])
    assert "taken to be 0.7" not in result.sentence
    one, other = result.sentence.partition("dx[")[2].split(" is ")[1:2], result.sentence
    assert one[0].split(";")[0] != other.partition("reference has ")[2].split(" ")[0]


def test_a_slope_at_zero_is_no_missing_mask() -> None:
    x = np.array([[0.0, 1.0], [0.0, -1.0], [2.0, 0.0]])

    def relu(slope: float, below: float) -> Manual:
        def manual(i: Any, dy: Any) -> Any:
            z = i["x"]
            return np.maximum(z, 0), {"x": dy * np.where(z == 0, slope, np.where(z > 0, 1, below))}

        return manual

    assert "mask" not in said(relu(2.0, 0.0), torch.relu, {"x": x})
    assert "mask" in said(relu(1.0, 1.0), torch.relu, {"x": x})


def test_a_sum_that_is_left_out_is_called_one() -> None:
    def log_softmax(i: Any, dy: Any) -> Any:
        s = i["x"] - i["x"].max(1, keepdims=True)
        y = s - np.log(np.exp(s).sum(1, keepdims=True))
        return y, {"x": dy - np.exp(y) * dy}

    text = said(log_softmax, lambda x: F.log_softmax(x, 1), drawn(x=(2, 5, 3)))
    assert "not summed over axis 1" in text


def test_a_corrected_mean_says_what_its_number_is() -> None:
    def mean(i: Any, dy: Any) -> Any:
        x = i["x"]
        return x.mean(0), {"x": np.broadcast_to(dy / (len(x) - 1), x.shape)}

    text = said(mean, lambda x: x.mean(0), drawn(x=(8, 5)))
    assert "8/(8 - 1), where 8 is the length of axis 0 of x" in text


def divergence(inputs: Any, *, row_sum: bool = True) -> Any:
    """KL of two softmaxes by hand; the row sum stands in the derivative of the second."""
    logs = {k: z - np.log(np.exp(z).sum(1, keepdims=True)) for k, z in inputs.items()}
    p, g, n = np.exp(logs["b"]), logs["b"] - logs["a"], inputs["a"].dtype.type(len(inputs["a"]))
    rows = (p * g).sum(1, keepdims=True)
    db = p * (g - rows) / n if row_sum else p * g / n
    return rows.sum() / n, {"a": (np.exp(logs["a"]) - p) / n, "b": db}


@pytest.mark.parametrize("row_sum", [True, False])
def test_a_row_sum_that_is_missing_behind_a_log_softmax_is_called_so(row_sum: bool) -> None:
    def reference(a: Any, b: Any) -> Any:
        logs = torch.log_softmax(a, 1), torch.log_softmax(b, 1)
        return F.kl_div(*logs, reduction="batchmean", log_target=True)

    result = check_layer(
        lambda i, dy: divergence(i, row_sum=row_sum), reference, {"a": (6, 5), "b": (6, 5)}
    )
    said = "the row sum is missing in the derivative of the softmax"
    assert bool(result) is row_sum
    assert row_sum or said in result.diagnosis[0].sentence


@pytest.mark.parametrize("far", [False, True])
def test_what_agrees_and_could_have_hidden_an_error_is_said_in_the_sentence(far: bool) -> None:
    """Beyond 37 nothing is left of 1 - p, of which the reference takes the logarithm."""
    z = np.random.default_rng(0).normal(size=(6, 4))
    z[0] = (45, -45, 800, -50) if far else (1, -1, 2, -2)

    def manual(inputs: Any, dy: Any) -> Any:
        y = np.logaddexp(0, inputs["z"]).mean()
        return y, {"z": 1 / (1 + np.exp(-inputs["z"])) / inputs["z"].size}

    def reference(z: Any) -> Any:
        return F.binary_cross_entropy(torch.sigmoid(z), torch.zeros_like(z))

    result = check_layer(manual, reference, {"z": z})
    assert result
    missed = re.search("a scale error below (.*) in y could have been missed", result.sentence)
    assert (missed is not None and float(missed[1]) > 1) is far, result.sentence
    assert [weak.parameter for weak in result.weak] == ["y"] * far
