"""What is said of a mistake in a layer: in words of the field, and of whose line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from compare import check_layer
from compare.contracts.result import Result, Verdict

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
