"""Torch lines of a notebook, watched while they run: every tensor of theirs has an allowance."""

from typing import Any

import numpy as np
import pytest
import torch

import compare
from compare.contracts.errors import BadInput
from compare.contracts.result import Verdict

G = np.random.default_rng(0)
X, W = G.normal(size=(6, 4)), G.normal(size=(4, 3))


def watched(**options: Any) -> tuple[Any, Any, Any]:
    x = torch.tensor(X)
    w = torch.tensor(W, requires_grad=True)
    with compare.watch(x, w, **options):
        y = torch.tanh(x @ w)
        torch.autograd.backward(y.square().sum())
    return x, w, y


def gradient(dtype: str, slope: float = 1.0) -> Any:
    x, w = X.astype(dtype), W.astype(dtype)
    y = np.tanh(x @ w)
    return y, x.T @ (2 * y * (1 - slope * y * y))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_right_numbers_are_the_same(dtype: str) -> None:
    _, w, y = watched(dtype=dtype)
    mine, dw = gradient(dtype)
    for result in (compare.same(mine, y), compare.same(dw, w.grad)):
        assert result.verdict is Verdict.AGREES
        assert result.worst["tensor"].ratio <= 0.5


def test_one_part_in_a_thousand_million_is_not() -> None:
    _, w, _ = watched()
    result = compare.same(gradient("float64", 1 + 1e-9)[1], w.grad)
    assert result.verdict is Verdict.DISAGREES and "the entry [" in result.sentence


def test_what_was_not_watched_is_one_sentence() -> None:
    x, w, _ = watched()
    with pytest.raises(BadInput, match="not made in the watched block"):
        compare.same(W, torch.tensor(W))
    with pytest.raises(BadInput, match="manual has shape"):
        compare.same(W.T, w.grad)
    with pytest.raises(BadInput, match="float64 tensors"):
        compare.watch(x.float())
    with pytest.raises(BadInput, match="choose one of"):
        compare.watch(x, dtype="int8")
