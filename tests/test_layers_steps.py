"""Slips that show at several steps, in whole calls, or in both passes: each with its words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from compare import check_layer
from compare.contracts.result import Verdict

pytestmark = pytest.mark.slow

RANDOM = np.random.default_rng(4)
Manual = Callable[[Any, Any], Any]


def drawn(**shapes: tuple[int, ...]) -> dict[str, Any]:
    """Return inputs in float64, at one point."""
    return {name: RANDOM.normal(size=shape) for name, shape in shapes.items()}


def said(manual: Manual, reference: Any, inputs: Any, **options: Any) -> str:
    """Return the sentence about a wrong layer; a right one fails."""
    result = check_layer(manual, reference, inputs, **options)
    assert result.verdict is Verdict.DISAGREES
    return result.sentence


def softmax(s: Any) -> Any:
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def recurrent(slip: str) -> Manual:
    def manual(i: Any, dy: Any) -> Any:
        x, w, u = i["x"], i["w"], i["u"]
        h = np.zeros((len(x) + 1, x.shape[1], len(u)))
        for t in range(len(x)):
            h[t + 1] = np.tanh(x[t] @ w + h[t] @ u)
        dx, dw, du, dh = np.zeros_like(x), np.zeros_like(w), np.zeros_like(u), 0
        for t in range(len(x) - 1, -1, -1):
            slope = 1 - (h[t] if slip == "slope" else h[t + 1]) ** 2
            da = (dh + dy[t]) * slope
            dw += x[t - 1 if slip == "input" else t].T @ da
            du += h[t + 1 if slip == "hidden" else t].T @ da
            dx[t], dh = da @ w.T, da @ u.T
        return h[1:], {"x": dx, "w": dw, "u": du}

    return manual


def recurrence(x: Any, w: Any, u: Any) -> Any:
    h, found = torch.zeros(x.shape[1], len(u)), []
    for each in x:
        h = torch.tanh(each @ w + h @ u)
        found.append(h)
    return torch.stack(found)


@pytest.mark.parametrize(
    ("slip", "words"),
    [
        ("hidden", "reads tanh of the next step: it is off by one in time"),
        ("slope", "reads tanh of the step before"),
        ("input", "reads `x` of the step before"),
    ],
)
def test_a_loop_that_is_off_by_one_in_time_is_said_so(slip: str, words: str) -> None:
    inputs = drawn(x=(3, 2, 1), w=(1, 2), u=(2, 2))
    assert check_layer(recurrent(""), recurrence, inputs)
    assert words in said(recurrent(slip), recurrence, inputs)


def grouped(q: Any, k: Any, v: Any) -> Any:
    k, v = (x.repeat_interleave(3, 0) for x in (k, v))
    return torch.softmax(q @ k.transpose(1, 2), -1) @ v


@pytest.mark.parametrize(
    ("added", "words"),
    [
        (
            lambda d: d[:, 0],
            ("in dk and dv of the copies along axis 1 only the first of 3 terms counts",),
        ),
        (lambda d: d.reshape(3, 2, *d.shape[2:]).sum(0), ("(tiled)", "at both such steps")),
    ],
)
def test_shared_heads_whose_gradients_are_not_added_are_said_so(
    added: Any, words: tuple[str, ...]
) -> None:
    def manual(i: Any, dy: Any) -> Any:
        q, (k, v) = i["q"], (np.repeat(i[name], 3, 0) for name in "kv")
        p = softmax(q @ k.swapaxes(1, 2))
        dp = dy @ v.swapaxes(1, 2)
        ds = p * (dp - (dp * p).sum(-1, keepdims=True))
        dk, dv = ds.swapaxes(1, 2) @ q, p.swapaxes(1, 2) @ dy
        dk, dv = (added(d.reshape(2, 3, *d.shape[1:])) for d in (dk, dv))
        return p @ v, {"q": ds @ k, "k": dk, "v": dv}

    text = said(manual, grouped, drawn(q=(6, 3, 4), k=(2, 5, 4), v=(2, 5, 3)))
    assert all(one in text for one in words)


def test_a_gate_that_is_taken_for_the_value_is_said_so() -> None:
    def manual(i: Any, dy: Any) -> Any:
        a, b = np.split(i["x"], 2, 1)
        s = 1 / (1 + np.exp(-b))
        right = {"x": np.concatenate([dy * s, dy * a * s * (1 - s)], 1)}
        return b / (1 + np.exp(-a)), right

    text = said(manual, lambda x: F.glu(x, 1), drawn(x=(4, 6)))
    assert "in the forward pass alone parts 1 and 2 of `x`, the gate and the value, are" in text

    def exchanged(i: Any, dy: Any) -> Any:
        x, w, v = i["x"], i["v"], i["w"]
        a, s = x @ w, 1 / (1 + np.exp(-(x @ w)))
        da, db = dy * (x @ v) * s * (1 + a * (1 - s)), dy * a * s
        return a * s * (x @ v), {"x": da @ w.T + db @ v.T, "v": x.T @ da, "w": x.T @ db}

    text = said(
        exchanged, lambda x, w, v: F.silu(x @ w) * (x @ v), drawn(x=(4, 3), w=(3, 2), v=(3, 2))
    )
    assert "disagrees: `w` and `v` are exchanged" in text


def messages(x: Any, w: Any, source: Any, target: Any) -> Any:
    return torch.zeros_like(x).index_add(0, target, x[source] * w[:, None])


def test_a_gradient_gathered_at_the_other_end_of_an_edge_is_said_so() -> None:
    def manual(i: Any, dy: Any) -> Any:
        x, w, a, b = i["x"], i["w"], i["source"], i["target"]
        y, dx = np.zeros_like(x), np.zeros_like(x)
        np.add.at(y, b, x[a] * w[:, None])
        np.add.at(dx, b, dy[b] * w[:, None])
        return y, {"x": dx, "w": (x[a] * dy[b]).sum(1)}

    ends = {"source": np.array([0, 1, 2, 3, 0, 2]), "target": np.array([1, 2, 0, 1, 3, 3])}
    text = said(manual, messages, drawn(x=(4, 3), w=(6,)) | ends)
    assert "`target` stands in place of `source` as the index" in text


def normalised(x: Any, groups: int) -> tuple[Any, Any]:
    parts = x.reshape(len(x), groups, -1)
    inverse = 1 / np.sqrt(parts.var(2, keepdims=True) + 1e-5)
    return (parts - parts.mean(2, keepdims=True)) * inverse, inverse


def test_another_number_of_groups_is_said_so() -> None:
    def manual(i: Any, dy: Any) -> Any:
        x = i["x"]
        (h, _), (g, inverse) = normalised(x, 3), normalised(x, 6)
        d = dy.reshape(g.shape)
        dx = (d - d.mean(2, keepdims=True) - g * (d * g).mean(2, keepdims=True)) * inverse
        return h.reshape(x.shape), {"x": dx.reshape(x.shape)}

    text = said(manual, lambda x: F.group_norm(x, 3), drawn(x=(4, 6, 5)))
    assert "every channel is a group of its own: 6 in place of 3" in text


def test_statistics_that_are_given_and_taken_for_the_batchs_are_said_so() -> None:
    def manual(i: Any, dy: Any) -> Any:
        inverse = 1 / np.sqrt(i["var"] + 1e-5)
        h = (i["x"] - i["mean"]) * inverse
        return h, {"x": inverse * (dy - dy.mean(0) - h * (dy * h).mean(0))}

    inputs = drawn(x=(5, 3), mean=(3,)) | {"var": np.array([0.5, 1.5, 2.0])}
    text = said(manual, lambda x, mean, var: F.batch_norm(x, mean, var), inputs, wrt=["x"])
    assert "differentiated as though they were the batch's" in text


def test_an_absolute_value_and_an_epsilon_in_a_step_of_adam_are_said_so() -> None:
    def step(square: Any, root: Any) -> Manual:
        return lambda i, dy: (
            i["w"] - i["g"] / root(0.9 * i["v"] + 0.1 * square(i["g"])),
            {"w": dy},
        )

    def adam(w: Any, g: Any, v: Any) -> Any:
        return w - g / (torch.sqrt(0.9 * v + 0.1 * g * g) + 1e-8)

    inputs = drawn(w=(4, 3), g=(4, 3)) | {"v": np.abs(RANDOM.normal(size=(4, 3)))}
    text = said(step(np.abs, lambda r: np.sqrt(r) + 1e-8), adam, inputs, wrt=["w"])
    assert "|`g`| stands in place of its square" in text
    text = said(step(np.square, lambda r: np.sqrt(r + 1e-8)), adam, inputs, wrt=["w"])
    assert "1e-08 is added under the root, and not to it" in text


def test_the_number_of_a_huber_loss_is_called_delta() -> None:
    def manual(i: Any, dy: Any) -> Any:
        r = i["p"] - i["t"]
        loss = np.where(np.abs(r) < 0.7, r * r / 2, 0.7 * (np.abs(r) - 0.35)).mean()
        return loss, {"p": np.clip(r, -1, 1) / r.size}

    text = said(
        manual, lambda p, t: F.huber_loss(p, t, delta=0.7), drawn(p=(5, 4), t=(5, 4)), wrt=["p"]
    )
    assert "δ = 0.7 is taken to be 1" in text


def test_half_the_labels_ignored_are_a_count_and_no_plain_half() -> None:
    labels = np.array([1, 0, 2, 0, 3, 0])

    def manual(i: Any, dy: Any) -> Any:
        p, keep, rows = softmax(i["z"]), labels != 0, np.arange(6)
        d = p.copy()
        d[rows, labels] -= 1
        return -np.log(p[rows, labels])[keep].mean(), {"z": d * keep[:, None] / len(labels)}

    inputs = drawn(z=(6, 4)) | {"labels": labels}
    text = said(manual, lambda z, labels: F.cross_entropy(z, labels, ignore_index=0), inputs)
    assert "divided by 6, the length of axis 0 of z, in place of 3, the number of entries" in text


@pytest.mark.parametrize(
    ("slip", "words"), [("stride", "the stride is ignored"), ("padding", "the padding is ignored")]
)
def test_a_transposed_convolution_with_windows_elsewhere_is_said_so(slip: str, words: str) -> None:
    def manual(i: Any, dy: Any) -> Any:
        x, w = i["x"], i["w"]
        y, dx, dw = np.zeros((2, 4, 12)), np.zeros_like(x), np.zeros_like(w)
        d = np.pad(dy, ((0, 0), (0, 0), (1, 4)))
        for t in range(5):
            y[:, :, 2 * t : 2 * t + 4] += np.einsum("nc,cok->nok", x[:, :, t], w)
            at = t if slip == "stride" else 2 * t + (slip == "padding")
            dx[:, :, t] = np.einsum("nok,cok->nc", d[:, :, at : at + 4], w)
            dw += np.einsum("nc,nok->cok", x[:, :, t], d[:, :, at : at + 4])
        return y[:, :, 1:-1], {"x": dx, "w": dw}

    def reference(x: Any, w: Any) -> Any:
        return F.conv_transpose1d(x, w, stride=2, padding=1)

    inputs = drawn(x=(2, 3, 5), w=(3, 4, 4))
    text = said(manual, reference, inputs)
    assert words in text and "the transposed convolution" in text


def test_one_copy_of_a_pixel_in_place_of_the_sum_and_overlapping_means_are_said_so() -> None:
    def enlarged(i: Any, dy: Any) -> Any:
        return i["x"].repeat(2, 2).repeat(2, 3), {"x": dy[:, :, ::2, ::2]}

    def reference(x: Any) -> Any:
        return F.interpolate(x, scale_factor=2, mode="nearest")

    text = said(enlarged, reference, drawn(x=(2, 3, 4, 5)))
    assert "that of the first of its 4 copies, not their sum" in text

    def pooled(i: Any, dy: Any) -> Any:
        x, dx = i["x"], np.zeros_like(i["x"])
        for t in range(3):
            dx[:, :, 2 * t : 2 * t + 3] = dy[:, :, t : t + 1] / 3
        return np.stack([x[:, :, 2 * t : 2 * t + 3].mean(2) for t in range(3)], 2), {"x": dx}

    text = said(pooled, lambda x: F.avg_pool1d(x, 3, 2), drawn(x=(2, 3, 7)))
    assert "overlapping windows are overwritten in place of added" in text


def test_embedding_bags_are_decided() -> None:
    bags = np.array([[0, 2, 2], [1, 3, 0]])

    def bag(factor: float) -> Manual:
        def manual(i: Any, dy: Any) -> Any:
            dw = np.zeros_like(i["w"])
            np.add.at(dw, bags, np.repeat(dy[:, None] / 3 * factor, 3, 1))
            return i["w"][bags].mean(1), {"w": dw}

        return manual

    inputs = drawn(w=(5, 3)) | {"bags": bags}

    def reference(w: Any, bags: Any) -> Any:
        return F.embedding_bag(bags, w)

    result = check_layer(bag(1), reference, inputs)
    assert result.verdict is Verdict.AGREES and not result.weak
    assert check_layer(bag(1 + 1e-11), reference, inputs).verdict is Verdict.DISAGREES


def rotated(x: Any, cos: Any, sin: Any, *, join: Any = np.concatenate) -> Any:
    a, b = x[..., :3], x[..., 3:]
    return join([a * cos - b * sin, b * cos + a * sin], -1)


@pytest.mark.parametrize(
    ("back", "words"),
    [
        (lambda d, cos, sin: d, "the rotation of `x` is left out of the backward pass"),
        (rotated, "the rotation is made once more in place of undone"),
    ],
)
def test_a_rotation_that_is_not_undone_is_called_one(back: Any, words: str) -> None:
    def manual(i: Any, dy: Any) -> Any:
        cos, sin = i["cos"], i["sin"]
        return rotated(i["x"], cos, sin), {"x": back(dy, cos, sin)}

    def reference(x: Any, cos: Any, sin: Any) -> Any:
        return rotated(x, cos, sin, join=torch.cat)

    inputs = drawn(x=(4, 6), cos=(4, 3), sin=(4, 3))
    assert words in said(manual, reference, inputs, wrt=["x"])


def test_a_cell_that_reads_its_new_state_is_said_so_in_torchs_own_loop() -> None:
    def manual(i: Any, dy: Any) -> Any:
        x, w, u = i["x"], i["weight_ih_l0"], i["weight_hh_l0"]
        b, T, H = i["bias_ih_l0"] + i["bias_hh_l0"], len(x), u.shape[1]
        h, c, gates = np.zeros((T + 1, 2, H)), np.zeros((T + 1, 2, H)), []
        for t in range(T):
            p, f, g, o = np.split(x[t] @ w.T + h[t] @ u.T + b, 4, 1)
            p, f, g, o = (
                1 / (1 + np.exp(-p)),
                1 / (1 + np.exp(-f)),
                np.tanh(g),
                1 / (1 + np.exp(-o)),
            )
            c[t + 1] = f * c[t] + p * g
            h[t + 1] = o * np.tanh(c[t + 1])
            gates.append((p, f, g, o))
        dh, dc = dy[1][0], dy[2][0]
        dx, dw, du, db = np.zeros_like(x), np.zeros_like(w), np.zeros_like(u), np.zeros_like(b)
        for t in range(T - 1, -1, -1):
            (p, f, g, o), s = gates[t], np.tanh(c[t + 1])
            dh = dh + dy[0][t]
            dc = dc + dh * o * (1 - s * s)
            da = [dc * g * p * (1 - p), dc * c[t + 1] * f * (1 - f), dc * p * (1 - g * g),
                  dh * s * o * (1 - o)]  # fmt: skip
            d = np.concatenate(da, 1)
            dx[t], dw, du, db = d @ w, dw + d.T @ x[t], du + d.T @ h[t], db + d.sum(0)
            dh, dc = d @ u, dc * f
        found = {"weight_ih_l0": dw, "weight_hh_l0": du, "bias_ih_l0": db, "bias_hh_l0": db}
        return (h[1:], h[-1:], c[-1:]), {"x": dx} | found

    torch.manual_seed(0)
    text = said(manual, torch.nn.LSTM(1, 2), drawn(x=(3, 2, 1)))
    assert "of the next step: it is off by one in time" in text


def test_the_scale_that_torch_gives_to_queries_and_keys_by_halves_is_said() -> None:
    def manual(i: Any, dy: Any) -> Any:
        q, k, v = i["q"], i["k"], i["v"]
        p = softmax(q @ k.T / np.sqrt(3))
        dp = dy @ v.T
        ds = p * (dp - (dp * p).sum(1, keepdims=True))
        return p @ v, {"q": ds @ k, "k": ds.T @ q, "v": p.T @ dy}

    def reference(q: Any, k: Any, v: Any) -> Any:
        half = 3**-0.25
        return torch.softmax((q * half) @ (k * half).t(), 1) @ v

    text = said(manual, reference, drawn(q=(4, 6), k=(5, 6), v=(5, 2)))
    assert "0.57735, 1/√3, the square of the factor 0.759836, is missing in what" in text
    assert "back through the scores" in text


def test_labels_that_are_not_smoothed_are_said_by_their_number() -> None:
    labels = np.array([1, 0, 2, 0, 3])

    def manual(i: Any, dy: Any) -> Any:
        p, hard = softmax(i["z"]), np.eye(4)[labels]
        return -((0.9 * hard + 0.025) * np.log(p)).sum() / 5, {"z": (p - hard) / 5}

    def reference(z: Any, labels: Any) -> Any:
        return F.cross_entropy(z, labels, label_smoothing=0.1)

    text = said(manual, reference, drawn(z=(5, 4)) | {"labels": labels})
    assert "the number 0.1 is taken to be 0, and 0.9 to be 1" in text
