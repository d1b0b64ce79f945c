"""Which path is cut: that of a skip, that of one use, that of one step of a loop; or none is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.layer_twins import said

Array = Any


def squared_and_itself(wrong: bool) -> Any:
    """h² + h; wrong: the gradient of the second summand is lost."""

    def manual(inputs: Any, dy: Any) -> Any:
        x, v = inputs["x"], inputs["v"]
        h = np.tanh(x @ v)
        da = dy * (2 * h + (0 if wrong else 1)) * (1 - h * h)
        return h * h + h, {"x": da @ v.T, "v": x.T @ da}

    return manual


def with_skip(wrong: bool) -> Any:
    """tanh of a product, added to it; wrong: what comes through tanh is lost."""

    def manual(inputs: Any, dy: Any) -> Any:
        x, v = inputs["x"], inputs["v"]
        z = x @ v
        h = np.tanh(z)
        da = dy if wrong else dy + dy * (1 - h * h)
        return h + z, {"x": da @ v.T, "v": x.T @ da}

    return manual


def with_itself(x: Any, v: Any) -> Any:
    h = torch.tanh(x @ v)
    return h * h + h


@pytest.mark.slow
@pytest.mark.parametrize("manual, reference, due", [
    (squared_and_itself, with_itself,
     "through tanh of the product of `x` and `v` in ((tanh · tanh) + tanh)"),
    (with_skip, lambda x, v: torch.tanh(x @ v) + x @ v, "through tanh ("),
], ids=["second summand", "first summand"])  # fmt: skip
def test_a_summand_that_gets_no_gradient_is_no_derivative_of_the_sum(
    manual: Any, reference: Any, due: str
) -> None:
    name = said(manual, reference, {"x": (5, 3), "v": (3, 4)})
    assert name.startswith(f"the gradient does not flow {due}")


def gated(omitted: str) -> Callable[[bool], Any]:
    """tanh(x w) · (x v); wrong: dx lacks the part of one of the two products."""

    def make(wrong: bool) -> Any:
        def manual(inputs: Any, dy: Any) -> Any:
            x, w, v = (inputs[name] for name in "xwv")
            h, u = np.tanh(x @ w), x @ v
            da, du = dy * u * (1 - h * h), dy * h
            parts = {"w": da @ w.T, "v": du @ v.T}
            dx = sum(part for name, part in parts.items() if not (wrong and name == omitted))
            dw = np.einsum("bti,bto->io", x, da)
            return h * u, {"x": dx, "w": dw, "v": np.einsum("bti,bto->io", x, du)}

        return manual

    return make


@pytest.mark.slow
@pytest.mark.parametrize("omitted", ["w", "v"])
def test_of_an_input_that_is_read_twice_the_use_is_said(omitted: str) -> None:
    name = said(gated(omitted), lambda x, w, v: torch.tanh(x @ w) * (x @ v),
                {"x": (2, 3, 4), "w": (4, 5), "v": (4, 5)})  # fmt: skip
    due = f"the gradient does not flow through `x` in the product of `x` and `{omitted}`"
    assert name.startswith(due)


def rnn(slip: str) -> Callable[[bool], Any]:
    """An RNN; wrong: dw or db is overwritten at every step, or nothing flows to w at all."""

    def make(wrong: bool) -> Any:
        def manual(inputs: Any, dy: Any) -> Any:
            x, h0, w, b = (inputs[name] for name in ("x", "h0", "w", "b"))
            hs = [h0]
            for t in range(len(x)):
                hs.append(np.tanh(x[t] + hs[-1] @ w + b))
            dx, dw, db, dh = np.zeros_like(x), np.zeros_like(w), np.zeros_like(b), 0 * h0
            for t in reversed(range(len(x))):
                dx[t] = da = (dy[t] + dh) * (1 - hs[t + 1] ** 2)
                dw = hs[t].T @ da + (0 if wrong and slip == "dw" else dw)
                db = da.sum(0) + (0 if wrong and slip == "db" else db)
                dh = da @ w.T
            dw = 0 * dw if wrong and slip == "none" else dw
            return np.stack(hs[1:]), {"x": dx, "h0": dh, "w": dw, "b": db}

        return manual

    return make


def recurrent(x: Any, h0: Any, w: Any, b: Any) -> Any:
    h, out = h0, []
    for t in range(len(x)):
        h = torch.tanh(x[t] + h @ w + b)
        out.append(h)
    return torch.stack(out)


@pytest.mark.slow
@pytest.mark.parametrize("slip, due", [
    ("dw", "of the terms of dw only that of the first step is left (overwritten in place of added"),
    ("db", "of the terms of db only that of the first step is left (overwritten in place of added"),
    ("none", "is zero everywhere"),
])  # fmt: skip
def test_a_gradient_that_a_loop_overwrites_is_not_cut(slip: str, due: str) -> None:
    name = said(rnn(slip), recurrent, {"x": (4, 2, 3), "h0": (2, 3), "w": (3, 3), "b": (3,)})
    assert due in name
    assert ("overwritten" in name) is (slip != "none")


@pytest.mark.slow
@pytest.mark.parametrize("part, due", [
    (lambda dy: dy[-1], "only the last of 64 terms is left (overwritten in place of added)"),
    (lambda dy: dy[0], "only the first of 64 terms counts"),
    (lambda dy: 0 * dy[0], "db is zero everywhere"),
], ids=["last", "first", "none"])  # fmt: skip
def test_in_few_digits_one_term_of_many_is_not_none(part: Any, due: str) -> None:
    """64 of them in bfloat16, where one is within the allowance of the sum."""

    def manual(wrong: bool) -> Any:
        def both(inputs: Any, dy: Any) -> Any:
            return inputs["x"] + inputs["b"], {"x": dy, "b": part(dy) if wrong else dy.sum(0)}

        return both

    torch.manual_seed(0)
    inputs = {"x": torch.randn(64, 256).bfloat16(), "b": torch.randn(256).bfloat16()}
    assert due in said(manual, lambda x, b: x + b, inputs)


def smooth_l1(wrong: bool) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        r = inputs["x"] - inputs["t"]
        a = np.abs(r)
        d = (r if wrong else np.where(a < 1, r, np.sign(r))) / r.size
        return np.where(a < 1, 0.5 * r * r, a - 0.5).mean(), {"x": d, "t": -d}

    return manual


@pytest.mark.slow
def test_one_branch_taken_everywhere_is_no_derivative_left_out() -> None:
    name = said(smooth_l1, F.smooth_l1_loss, {"x": (5, 4), "t": (5, 4)})
    assert "is taken everywhere, whatever the condition says" in name
