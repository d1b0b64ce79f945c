"""Slips that many make: a loss without its dy, a softmax without its p, a norm without its h."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from compare.contracts.result import Verdict
from compare.layers.check import check_layer
from tests.layer_twins import said

Array = Any


def softmax(s: Array) -> Array:
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def losses(wrong: bool) -> Any:
    """The cross-entropy of every sample; wrong: its dy is left out."""

    def manual(inputs: Any, dy: Any) -> Any:
        z, t = inputs["z"], inputs["t"]
        n = np.arange(len(z))
        p = softmax(z)
        dz = p.copy()
        dz[n, t] -= 1
        return -np.log(p[n, t]), {"z": dz if wrong else dz * dy[:, None]}

    return manual


@pytest.mark.slow
def test_the_dy_of_a_loss_by_sample_is_missed() -> None:
    inputs = {"z": np.random.default_rng(0).normal(size=(5, 3)), "t": np.array([0, 2, 1, 1, 0])}
    name = said(losses, lambda z, t: F.cross_entropy(z, t, reduction="none"), inputs, wrt=["z"])
    assert "dy of y is left out: 1 stands in its place" in name


def attention(wrong: bool) -> Any:
    """Attention as a fused kernel has it; wrong: ds = dp - δ, without the probabilities."""

    def manual(inputs: Any, dy: Any) -> Any:
        q, k, v = (inputs[name] for name in "qkv")
        scale = q.dtype.type(q.shape[1] ** -0.5)
        p = softmax(scale * q @ k.T)
        o = p @ v
        ds = (dy @ v.T - (dy * o).sum(1, keepdims=True)) * scale * (1 if wrong else p)
        return o, {"q": ds @ k, "k": ds.T @ q, "v": p.T @ dy}

    return manual


def attended(q: Any, k: Any, v: Any) -> Any:
    return F.scaled_dot_product_attention(q[None], k[None], v[None])[0]


@pytest.mark.slow
def test_the_probabilities_before_the_bracket_are_missed() -> None:
    name = said(attention, attended, {"q": (6, 4), "k": (5, 4), "v": (5, 3)})
    assert "p (dy - Σ dy p), the first factor p is missing" in name


def normed(slip: str, centred: bool, axes: tuple[int, ...]) -> Callable[[bool], Any]:
    """A layer or RMS norm; wrong: a term of the backward pass is another one."""

    def make(wrong: bool) -> Any:
        def manual(inputs: Any, dy: Any) -> Any:
            x, w = inputs["x"], inputs["w"]

            def mean(value: Array, over: tuple[int, ...] = axes) -> Array:
                return value.mean(over, keepdims=True)

            c = x - mean(x) if centred else x
            r = 1 / np.sqrt(mean(c * c) + x.dtype.type(1e-5))
            h, dh = c * r, dy * w
            known = slip if wrong else ""
            first = mean(dh, (0, *axes) if known == "mean" else axes) if centred else 0
            along = mean(dh * (1 if known == "within" else h),
                         (0, *axes) if known == "along" else axes)  # fmt: skip
            dx = r * (dh - first - along * (1 if known == "before" else h))
            return h * w, {"x": dx, "w": (dy * h).sum(tuple(range(x.ndim - 1)))}

        return manual

    return make


def layer_norm(x: Any, w: Any) -> Any:
    return F.layer_norm(x, x.shape[-1:], w)


def rms_norm(x: Any, w: Any) -> Any:
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5) * w


@pytest.mark.slow
@pytest.mark.parametrize("slip, centred, due", [
    ("before", False, "h is missing before the mean of dh h"),
    ("within", False, "h is missing in the mean of dh h"),
    ("before", True, "h is missing before the mean of dh h"),
    ("within", True, "h is missing in the mean of dh h"),
    ("mean", True, "the mean of dh is over axis 0, 1 in place of 1"),
    ("along", True, "the mean of dh h is over axis 0, 1 in place of 1"),
    ("along", False, "the mean of dh h is over axis 0, 1 in place of 1"),
])  # fmt: skip
def test_a_term_of_a_norm_that_is_another_one_is_said(slip: str, centred: bool, due: str) -> None:
    reference = layer_norm if centred else rms_norm
    name = said(normed(slip, centred, (1,)), reference, {"x": (6, 8), "w": (8,)})
    assert due in name


def remembered(wrong: bool) -> Any:
    """Linear attention by steps; wrong: dv reads the queries in place of the keys."""

    def manual(inputs: Any, dy: Any) -> Any:
        q, k, v = (inputs[name] for name in "qkv")
        states = [np.zeros((q.shape[1], v.shape[1]), q.dtype)]
        for t in range(len(q)):
            states.append(q.dtype.type(0.9) * states[-1] + np.outer(k[t], v[t]))
        y = np.stack([q[t] @ states[t + 1] for t in range(len(q))])
        dq, dk, dv, ds = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v), 0 * states[0]
        for t in reversed(range(len(q))):
            ds = ds + np.outer(q[t], dy[t])
            dq[t], dk[t] = states[t + 1] @ dy[t], ds @ v[t]
            dv[t] = ds.T @ (q[t] if wrong else k[t])
            ds = ds * q.dtype.type(0.9)
        return y, {"q": dq, "k": dk, "v": dv}

    return manual


def by_steps(q: Any, k: Any, v: Any) -> Any:
    state, out = torch.zeros(q.shape[1], v.shape[1], dtype=q.dtype), []
    for t in range(len(q)):
        state = 0.9 * state + torch.outer(k[t], v[t])
        out.append(q[t] @ state)
    return torch.stack(out)


@pytest.mark.slow
def test_another_sequence_at_every_step_is_named() -> None:
    name = said(remembered, by_steps, {"q": (5, 3), "k": (5, 3), "v": (5, 4)})
    assert "reads `q` in place of `k`, at every step" in name


def unrolled(slope: Callable[[Any, int], Array]) -> Callable[[bool], Any]:
    """A tanh by steps; wrong: `slope(states, t)` is taken for that of step t."""

    def make(wrong: bool) -> Any:
        def manual(inputs: Any, dy: Any) -> Any:
            x, w = inputs["x"], inputs["w"]
            hs = [np.zeros_like(x[0])]
            for t in range(len(x)):
                hs.append(np.tanh(x[t] + hs[-1] @ w))
            dx, dw, dh = np.zeros_like(x), np.zeros_like(w), 0 * x[0]
            for t in reversed(range(len(x))):
                dx[t] = da = (dy[t] + dh) * (slope(hs, t) if wrong else 1 - hs[t + 1] ** 2)
                dw, dh = dw + hs[t].T @ da, da @ w.T
            return np.stack(hs[1:]), {"x": dx, "w": dw}

        return manual

    return make


def by_tanh(x: Any, w: Any) -> Any:
    h, out = torch.zeros_like(x[0]), []
    for t in range(len(x)):
        h = torch.tanh(x[t] + h @ w)
        out.append(h)
    return torch.stack(out)


@pytest.mark.slow
def test_another_slope_at_every_step_is_named() -> None:
    name = said(unrolled(lambda hs, t: 1 - hs[t + 1]), by_tanh, {"x": (4, 2, 3), "w": (3, 3)})
    assert "the derivative of y = tanh is taken to be 1 - y, at every step" in name


def linear(wrong: bool) -> Any:
    """A linear layer; wrong: the gradient of its weight is clipped at ±5."""

    def manual(inputs: Any, dy: Any) -> Any:
        x, w = inputs["x"], inputs["w"]
        dw = x.T @ dy
        return x @ w, {"x": dy @ w.T, "w": dw.clip(-5, 5) if wrong else dw}

    return manual


def one_short(wrong: bool) -> Any:
    """A linear layer; wrong: the largest entry of the gradient is as large as the second one."""

    def manual(inputs: Any, dy: Any) -> Any:
        x, w = inputs["x"], inputs["w"]
        dw = x.T @ dy
        second = np.sort(abs(dw).flatten())[-2]
        return x @ w, {"x": dy @ w.T, "w": dw.clip(-second, second) if wrong else dw}

    return manual


@pytest.mark.slow
def test_a_bound_that_few_entries_reach_shows_at_several_points() -> None:
    inputs = {"x": (4, 6), "w": (6, 5)}
    assert said(linear, lambda x, w: x @ w, inputs) == "dw is clipped at ±5"
    result = check_layer(one_short(True), lambda x, w: x @ w, inputs)
    assert not any("clipped" in d.sentence for d in result.diagnosis)


def decayed(by: int) -> Callable[[bool], Any]:
    """h = exp(a t) h + x; wrong: the gradient of a reads the state of another step."""

    def make(wrong: bool) -> Any:
        def manual(inputs: Any, dy: Any) -> Any:
            x, t, a = inputs["x"], inputs["t"], inputs["a"]
            hs = [0 * a]
            for i in range(len(x)):
                hs.append(np.exp(t[i] * a) * hs[-1] + x[i])
            dx, dt, da, dh = np.zeros_like(x), np.zeros_like(t), 0 * a, 0 * a
            for i in reversed(range(len(x))):
                dx[i] = dh = dh + dy[i]
                g = dh * hs[max(i + by, 0) if wrong else i] * np.exp(t[i] * a)
                dt[i], da, dh = g * a, da + g * t[i], dh * np.exp(t[i] * a)
            return np.stack(hs[1:]), {"x": dx, "t": dt, "a": da}

        return manual

    return make


def decay(x: Any, t: Any, a: Any) -> Any:
    h, out = torch.zeros_like(a), []
    for i in range(len(x)):
        h = torch.exp(t[i] * a) * h + x[i]
        out.append(h)
    return torch.stack(out)


@pytest.mark.slow
@pytest.mark.parametrize("by, which", [(1, "the next step"), (-1, "the step before")])
def test_a_parameter_of_every_step_is_no_first_state(by: int, which: str) -> None:
    name = said(decayed(by), decay, {"x": (5, 3), "t": (5, 3), "a": (3,)})
    assert f"of {which}: it is off by one in time" in name


@pytest.mark.slow
def test_before_the_first_step_there_was_zero() -> None:
    name = said(unrolled(lambda hs, t: 1 - hs[t] ** 2), by_tanh, {"x": (4, 2, 3), "w": (3, 3)})
    assert "of the step before: it is off by one in time" in name


def grouped(taken: int) -> Callable[[bool], Any]:
    """A group norm; wrong: its sums are divided by a number of entries that is not theirs."""

    def make(wrong: bool) -> Any:
        def manual(inputs: Any, dy: Any) -> Any:
            x, g, b = inputs["x"], inputs["g"], inputs["b"]
            u = x.reshape(len(x), 2, -1)
            r = 1 / np.sqrt(u.var(-1, keepdims=True) + x.dtype.type(1e-5))
            h = (u - u.mean(-1, keepdims=True)) * r
            d = (dy * g[:, None]).reshape(u.shape)
            m = taken if wrong else u.shape[-1]
            dx = r * (d - d.sum(-1, keepdims=True) / m - h * (d * h).sum(-1, keepdims=True) / m)
            h = h.reshape(x.shape)
            grads = {"x": dx.reshape(x.shape), "g": (dy * h).sum((0, 2)), "b": dy.sum((0, 2))}
            return h * g[:, None] + b[:, None], grads

        return manual

    return make


@pytest.mark.slow
@pytest.mark.parametrize("taken", [5, 7])
def test_the_number_that_the_sums_of_a_norm_are_divided_by_is_said(taken: int) -> None:
    name = said(grouped(taken), lambda x, g, b: F.group_norm(x, 2, g, b),
                {"x": (3, 4, 5), "g": (4,), "b": (4,)})  # fmt: skip
    assert f"the sums of the mean and the variance are divided by {taken} in place of 10" in name


def largest(wrong: bool) -> Any:
    """The maximum of every row; wrong: all that are as large get its gradient."""

    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        place = np.eye(x.shape[1])[x.argmax(1)]
        mask = x == x.max(1, keepdims=True) if wrong else place
        return x.max(1), {"x": dy[:, None] * mask}

    return manual


def in_order(slip: str) -> Callable[[bool], Any]:
    """Sorted rows; wrong: the gradient is not put back in the order that they had."""

    def make(wrong: bool) -> Any:
        def manual(inputs: Any, dy: Any) -> Any:
            x = inputs["x"]
            order = np.argsort(x, axis=1, kind="stable")
            dx = np.zeros_like(x)
            np.put_along_axis(dx, order, dy, 1)
            kept = dy if slip == "stays" else np.take_along_axis(dy, order, 1)
            return np.take_along_axis(x, order, 1), {"x": kept if wrong else dx}

        return manual

    return make


def test_ties_that_are_all_served_are_named() -> None:
    tied = {"x": np.array([[1.0, 3.0, 3.0, 0.0], [2.0, 2.0, 2.0, 1.0]])}
    result = check_layer(largest(True), lambda x: x.max(1).values, tied)
    assert [d.sentence for d in result.diagnosis] == [
        "in the backward pass every tied maximum gets the whole gradient"
    ]
    alone = {"x": np.array([[1.0, 3.0, 2.0, 0.0], [2.0, 0.5, 3.0, 1.0]])}
    for wrong in (True, False):
        judged = check_layer(largest(wrong), lambda x: x.max(1).values, alone)
        assert judged.verdict is Verdict.AGREES


@pytest.mark.parametrize("slip, due", [
    ("stays", "the gradient stays in the order of the sorted values"),
    ("read", "read at the places of the sorted values in place of put there"),
])  # fmt: skip
def test_an_order_that_is_not_undone_is_named(slip: str, due: str) -> None:
    assert due in said(in_order(slip), lambda x: x.sort(dim=1).values, {"x": (4, 5)})


def halved(wrong: bool) -> Any:
    """h = h/2 + tanh x by steps; wrong: nothing is halved on the way back."""

    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        h, out, dx, dh = 0 * x[0], [], np.zeros_like(x), 0 * x[0]
        for t in range(len(x)):
            out.append(h := h / 2 + np.tanh(x[t]))
        for t in reversed(range(len(x))):
            dh = dy[t] + dh / (1 if wrong else 2)
            dx[t] = dh * (1 - np.tanh(x[t]) ** 2)
        return np.stack(out), {"x": dx}

    return manual


def by_halves(x: Any) -> Any:
    h, out = torch.zeros_like(x[0]), []
    for t in range(len(x)):
        h = 0.5 * h + torch.tanh(x[t])
        out.append(h)
    return torch.stack(out)


@pytest.mark.slow
def test_a_step_that_plays_no_part_is_not_left_out() -> None:
    """At the first step zero is halved: whether there as well does not show."""
    said(halved, by_halves, {"x": (5, 3)})
    result = check_layer(halved(True), by_halves, {"x": (5, 3)})
    names = [said for d in result.diagnosis for said in (d.sentence, *d.also)]
    assert any("at every step" in name for name in names)
    assert not any("but the" in name for name in names)
