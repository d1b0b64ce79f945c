"""Names that say what they mean: a division, the wrong end, a bound, a number that is no root."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.layer_twins import said

Array = Any


@pytest.mark.slow
def test_a_division_that_is_missing_is_no_multiplication() -> None:
    def manual(wrong: bool) -> Any:
        def both(inputs: Any, dy: Any) -> Any:
            p, t = inputs["p"], inputs["t"]
            loss = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
            return loss, {"p": (p - t) / p.size / (1 if wrong else p * (1 - p))}

        return both

    random = np.random.default_rng(0)
    inputs = {"p": random.uniform(0.1, 0.9, (5, 3)), "t": random.integers(0, 2, (5, 3)) * 1.0}
    name = said(manual, F.binary_cross_entropy, inputs, wrt=["p"])
    assert "the division by (`p` · (1 - `p`)) is missing" in name


def padded(crop: slice, before: int) -> Callable[[bool], Any]:
    """A convolution of one channel by loops; wrong: dx is cut out of the padded one at `crop`."""

    def make(wrong: bool) -> Any:
        def manual(inputs: Any, dy: Any) -> Any:
            x, w = inputs["x"], inputs["w"]
            n, k = x.shape[-1], w.shape[-1]
            around = np.pad(x, ((0, 0), (0, 0), (before, k - 1 - before)))
            y, dw, dpadded = np.zeros_like(x), np.zeros_like(w), np.zeros_like(around)
            for i in range(k):
                window = around[:, :, i : i + n]
                y += window * w[0, 0, i]
                dw[0, 0, i] = (dy * window).sum()
                dpadded[:, :, i : i + n] += dy * w[0, 0, i]
            return y, {"x": dpadded[:, :, crop if wrong else slice(before, n + before)], "w": dw}

        return manual

    return make


@pytest.mark.slow
@pytest.mark.parametrize("crop, before, reference, where", [
    (slice(0, -2), 1, lambda x, w: F.conv1d(x, w, padding=1), "end"),
    (slice(2, None), 1, lambda x, w: F.conv1d(x, w, padding=1), "start"),
    (slice(0, -2), 2, lambda x, w: F.conv1d(F.pad(x, (2, 0)), w), "end"),
    (slice(2, None), 1, lambda x, w: F.conv1d(F.pad(x, (1, 1)), w), "start"),
], ids=["own, end", "own, start", "causal", "padded before"])  # fmt: skip
def test_the_wrong_end_of_a_padding_is_said(
    crop: slice, before: int, reference: Any, where: str
) -> None:
    name = said(padded(crop, before), reference, {"x": (2, 1, 7), "w": (1, 1, 3)})
    assert f"cut off at the wrong end of dx, all of it at the {where}" in name


def sampled(wrong: bool) -> Any:
    """m + e exp(v / 2) + v; wrong: the half is left out of the derivative."""

    def manual(inputs: Any, dy: Any) -> Any:
        m, v, e = inputs["m"], inputs["v"], inputs["e"]
        std = np.exp(0.5 * v)
        dv = dy * (1 + e * std * (1 if wrong else 0.5))
        return m + e * std + v, {"m": dy, "v": dv, "e": dy * std}

    return manual


def scaled_scores(wrong: bool) -> Any:
    """q kᵀ / √4; wrong: the scale is left out of the derivative of q and k."""

    def manual(inputs: Any, dy: Any) -> Any:
        q, k = inputs["q"], inputs["k"]
        y = np.tanh(q @ k.T / 2)
        ds = dy * (1 - y * y) / (1 if wrong else 2)
        return y, {"q": ds @ k, "k": ds.T @ q}

    return manual


@pytest.mark.slow
def test_a_half_is_no_root_of_the_batch() -> None:
    shapes = dict.fromkeys("mve", (4, 3))
    name = said(sampled, lambda m, v, e: m + torch.exp(0.5 * v) * e + v, shapes)
    assert "the factor 1/2 is left out of the backward pass" in name


@pytest.mark.slow
def test_a_half_that_scales_a_product_over_four_is_its_root() -> None:
    name = said(
        scaled_scores, lambda q, k: torch.tanh(q @ k.T / 4**0.5), {"q": (5, 4), "k": (3, 4)}
    )
    assert "the scale 1/√4 is left out of the backward pass" in name


def hard(wrong: bool) -> Any:
    """hardswish; wrong: its slope goes on above 3."""

    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        slope = np.where(x <= -3, 0, (2 * x + 3) / 6)
        slope = slope if wrong else np.where(x >= 3, 1, slope)
        return x * np.clip(x + 3, 0, 6) / 6, {"x": (dy * slope).astype(x.dtype)}

    return manual


@pytest.mark.slow
def test_a_bound_that_is_left_out_is_said() -> None:
    name = said(hard, F.hardswish, {"x": (5, 8)})
    assert "the upper bound 6 of the clamped value is left out" in name


def normed(wrong: bool) -> Any:
    """A batch norm in evaluation; wrong: the division by the deviation is left out."""

    def manual(inputs: Any, dy: Any) -> Any:
        x, w, b = inputs["input"], inputs["weight"], inputs["bias"]
        s = 1 / np.sqrt(np.array([1.1, 0.7, 2.0, 0.5], np.float32).astype(x.dtype) + 1e-5)
        grads = {"input": dy * w * (1 if wrong else s), "weight": (dy * x * s).sum(0)}
        return x * s * w + b, grads | {"bias": dy.sum(0)}

    return manual


@pytest.mark.slow
def test_a_factor_of_one_is_not_said() -> None:
    reference = torch.nn.BatchNorm1d(4).eval()
    reference.running_var = torch.tensor([1.1, 0.7, 2.0, 0.5])
    name = said(normed, reference, {"input": (5, 4)})
    assert name.startswith("the factor 1/√(…) is missing in the backward pass")


def weighted(wrong: bool) -> Any:
    """A weighted cross-entropy; wrong: divided by the count in place of the weights."""

    def manual(inputs: Any, dy: Any) -> Any:
        z, t, w = inputs["z"], inputs["t"], inputs["w"]
        n = np.arange(len(z))
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        of = w[t]
        d = p * of[:, None]
        d[n, t] -= of
        return -(of * np.log(p[n, t])).sum() / of.sum(), {"z": d / (len(z) if wrong else of.sum())}

    return manual


def test_selected_weights_are_called_so() -> None:
    inputs = {"z": np.random.default_rng(0).normal(size=(6, 3)), "t": np.array([0, 1, 2, 2, 1, 0]),
              "w": np.array([1.0, 2.0, 0.5])}  # fmt: skip
    name = said(weighted, lambda z, t, w: F.cross_entropy(z, t, w), inputs, wrt=["z"])
    assert name.endswith("in place of 7, the sum of the selected entries of `w`")


def rnn(wrong: bool) -> Any:
    """torch's RNN; wrong: the gradient of the recurrent weight takes the state of the step."""

    def manual(inputs: Any, dy: Any) -> Any:
        x, w, u, b, c = (inputs[f"{k}_l0" if k != "input" else k] for k in (
            "input", "weight_ih", "weight_hh", "bias_ih", "bias_hh"))  # fmt: skip
        hs = np.zeros((x.shape[1] + 1, len(x), len(u)), x.dtype)
        for t in range(x.shape[1]):
            hs[t + 1] = np.tanh(x[:, t] @ w.T + b + hs[t] @ u.T + c)
        dx, dw, du, db, dh = (np.zeros_like(a) for a in (x, w, u, b, hs[0]))
        for t in reversed(range(x.shape[1])):
            da = (dy[:, t] + dh) * (1 - hs[t + 1] ** 2)
            dx[:, t], dh = da @ w, da @ u
            dw += da.T @ x[:, t]
            du += da.T @ hs[t + 1 if wrong else t]
            db += da.sum(0)
        grads = {"input": dx, "weight_ih_l0": dw, "weight_hh_l0": du}
        return hs[1:].transpose(1, 0, 2), grads | {"bias_ih_l0": db, "bias_hh_l0": db}

    return manual


class OnlyStates(torch.nn.RNN):
    def forward(self, input: Any) -> Any:  # type: ignore[override]  # one input, one output
        return super().forward(input)[0]


@pytest.mark.slow
def test_the_recurrent_layers_of_torch_are_written_down() -> None:
    torch.manual_seed(0)
    name = said(rnn, OnlyStates(3, 4, batch_first=True), {"input": (2, 5, 3)})
    assert "off by one in time" in name
