"""Slips in layers written as people write them: loops, cells, windows, and what is never excused.

Each case is a right layer with one line changed; the words that must be said are the fact's.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from compare.contracts.result import Verdict
from compare.layers.check import check_layer
from compare.layers.names.forms import factor_named
from compare.layers.names.scalars import is_written
from compare.layers.names.trial import Budget

pytestmark = pytest.mark.slow

Layer = tuple[Any, Any, dict[str, Any], dict[str, Any]]


def affine(mean: bool) -> Layer:
    def forward(x: Any, w: Any, b: Any) -> Any:
        return x @ w + b, (x, w)

    def backward(dy: Any, cache: Any) -> Any:
        x, w = cache
        return dy @ w.T, x.T @ dy, dy.mean(0) if mean else dy.sum(0)

    shapes = {"x": (2, 3), "w": (3, 4), "b": (4,)}
    return (forward, backward), lambda x, w, b: x @ w + b, shapes, {}


def conv(slip: str) -> Layer:
    """Stride 2, padding 1, windows in loops, as in an assignment."""

    def windows(x: Any, dy: Any) -> Any:
        for n, i, j in np.ndindex(len(x), *dy.shape[2:]):
            a, c = (i, j) if slip == "stride" else (2 * i, 2 * j)
            yield n, slice(a, a + 3), slice(c, c + 3), dy[n, :, i, j]

    def manual(inputs: Any, dy: Any) -> Any:
        x, w = inputs["x"], inputs["w"]
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        y = F.conv2d(torch.from_numpy(x), torch.from_numpy(w), stride=2, padding=1).numpy()
        dx, dw = np.zeros_like(padded), np.zeros_like(w)
        for n, rows, columns, d in windows(x, dy):
            dw += np.einsum("k,crs->kcrs", d, padded[n, :, rows, columns])
            part = np.einsum("k,kcrs->crs", d, w)
            if slip == "overwritten":
                dx[n, :, rows, columns] = part
            else:
                dx[n, :, rows, columns] += part
        crop = 0 if slip == "padding" else 1
        return y, {"x": dx[:, :, crop : crop + 7, crop : crop + 5], "w": dw}

    reference = lambda x, w: F.conv2d(x, w, stride=2, padding=1)  # noqa: E731  # as handed in
    return manual, reference, {"x": (2, 3, 7, 5), "w": (4, 3, 3, 3)}, {}


def unrolled(slip: str) -> Layer:
    """A recurrent layer over four steps, backward through time."""

    def manual(inputs: Any, dy: Any) -> Any:
        x, h0, u, v = (inputs[name] for name in ("x", "h0", "u", "v"))
        hs = [h0]
        for t in range(x.shape[1]):
            hs.append(np.tanh(x[:, t] @ u + hs[-1] @ v))
        dx, dh, du, dv = np.zeros_like(x), np.zeros_like(h0), np.zeros_like(u), np.zeros_like(v)
        for t in reversed(range(x.shape[1])):
            dh = dy[:, t] if slip == "cut" else dh + dy[:, t]
            dz = dh if slip == "slope" else dh * (1 - hs[t + 1] ** 2)
            du, dv = du + x[:, t].T @ dz, dv + hs[t].T @ dz
            dx[:, t], dh = dz @ u.T, dz @ v.T
        return np.stack(hs[1:], 1), {"x": dx, "h0": dh, "u": du, "v": dv}

    def reference(x: Any, h0: Any, u: Any, v: Any) -> Any:
        h, ys = h0, []
        for t in range(x.shape[1]):
            h = torch.tanh(x[:, t] @ u + h @ v)
            ys.append(h)
        return torch.stack(ys, 1)

    return manual, reference, {"x": (3, 4, 2), "h0": (3, 5), "u": (2, 5), "v": (5, 5)}, {}


def gru(slip: str) -> Layer:
    """torch's own cell, against one that exchanges two gates."""

    def sigmoid(z: Any) -> Any:
        return 1 / (1 + np.exp(-z))

    def manual(inputs: Any, dy: Any) -> Any:
        x, h = inputs["x"], inputs["h"]
        u, v = inputs["weight_ih"], inputs["weight_hh"]
        a, b = x @ u.T + inputs["bias_ih"], h @ v.T + inputs["bias_hh"]
        (ar, az, an), (br, bz, bn) = np.split(a, 3, 1), np.split(b, 3, 1)
        r, z = sigmoid(ar + br), sigmoid(az + bz)
        n = np.tanh(an + r * bn)
        dz, dn = dy * (h - n) * z * (1 - z), dy * (1 - z) * (1 - n * n)
        dr = dn * bn * r * (1 - r)
        first = [dz, dr] if slip == "gates" else [dr, dz]
        da = np.concatenate([*first, dn], 1)
        db = np.concatenate([*first, dn if slip == "reset" else dn * r], 1)
        direct = 0 if slip == "direct" else dy * z
        gradients = {
            "x": da @ u, "h": db @ v + direct, "weight_ih": da.T @ x, "weight_hh": db.T @ h,
            "bias_ih": da.sum(0), "bias_hh": db.sum(0),
        }  # fmt: skip
        return (1 - z) * n + z * h, gradients

    return manual, torch.nn.GRUCell(3, 4), {"x": (5, 3), "h": (5, 4)}, {}


def embedding(overwritten: bool, padded: bool) -> Layer:
    def manual(inputs: Any, dy: Any) -> Any:
        index, w = inputs["index"], inputs["w"]
        dw = np.zeros_like(w)
        if overwritten:
            dw[index] = dy
        else:
            np.add.at(dw, index, dy)
        if not padded:
            dw[0] = 0
        return w[index], {"w": dw}

    reference = lambda index, w: F.embedding(index, w, padding_idx=0)  # noqa: E731  # as handed in
    return manual, reference, {"index": np.array([[1, 2, 1, 0], [3, 1, 5, 0]]), "w": (7, 3)}, {}


def elementwise(reference: Any, forward: Any, slope: Any, shape: tuple[int, ...]) -> Layer:
    def manual(inputs: Any, dy: Any) -> Any:
        return forward(inputs["x"]), {"x": slope(inputs["x"], dy)}

    return manual, reference, {"x": shape}, {}


def rotary() -> Layer:
    angles = np.arange(5)[:, None] * 100.0 ** (-np.arange(3) / 3)

    def turned(x: Any, sign: int) -> Any:
        c, s = np.cos(angles).astype(x.dtype), sign * np.sin(angles).astype(x.dtype)
        a, b = x[..., :3], x[..., 3:]
        return np.concatenate([a * c - b * s, b * c + a * s], -1)

    def reference(x: Any) -> Any:
        t = torch.from_numpy(angles)
        c, s = torch.cos(t), torch.sin(t)
        a, b = x[..., :3], x[..., 3:]
        return torch.cat([a * c - b * s, b * c + a * s], -1)

    return elementwise(reference, lambda x: turned(x, 1), lambda x, dy: turned(dy, 1), (2, 5, 6))


def adam(beta: float) -> Layer:
    """The first moment of an optimiser's step: two numbers that belong together."""

    def manual(inputs: Any, dy: Any) -> Any:
        g, m = inputs["g"], inputs["m"]
        b, rest = m.dtype.type(beta), m.dtype.type(1 - beta)
        return b * m + rest * g, {"g": rest * dy, "m": b * dy}

    return manual, lambda g, m: 0.9 * m + 0.1 * g, {"g": (3, 4), "m": (3, 4)}, {}


def exchanged(reads: bool) -> Layer:
    """Two weights of one shape, exchanged in the gradient of x; the reference reads a number."""

    def manual(inputs: Any, dy: Any) -> Any:
        x, u, v = inputs["x"], inputs["u"], inputs["v"]
        t = np.tanh(x @ u)
        du = dy * (x @ v) * (1 - t * t)
        dv = dy * t
        return t * (x @ v), {"x": du @ v.T + dv @ u.T, "u": x.T @ du, "v": x.T @ dv}

    def reference(x: Any, u: Any, v: Any) -> Any:
        if reads and bool((x > 1e9).any()):
            return x
        return torch.tanh(x @ u) * (x @ v)

    return manual, reference, {"x": (4, 3), "u": (3, 3), "v": (3, 3)}, {}


def gelu(x: Any) -> Any:
    k = x.dtype.type(0.797)
    return x / 2 * (1 + np.tanh(k * (x + x.dtype.type(0.044715) * x**3)))


def gelu_slope(x: Any, dy: Any) -> Any:
    k, c = x.dtype.type(0.797), x.dtype.type(0.044715)
    t = np.tanh(k * (x + c * x**3))
    return dy * ((1 + t) / 2 + x / 2 * (1 - t * t) * k * (1 + 3 * c * x * x))


def halves(x: Any) -> Any:
    return x[:, :3] / (1 + np.exp(-x[:, 3:]))


def halves_slope(x: Any, dy: Any) -> Any:
    s = 1 / (1 + np.exp(-x[:, 3:]))
    return np.concatenate([dy * s, dy * x[:, :3]], 1)


CASES: dict[str, tuple[Callable[[], Layer], str]] = {
    "two numbers that belong together": (
        lambda: adam(0.8), "the number 0.1 is taken to be 0.2, and 0.9 to be 0.8"
    ),
    "two weights exchanged": (lambda: exchanged(False), "`u` and `v` are exchanged"),
    "a reference that reads a number": (lambda: exchanged(True), "`u` and `v` are exchanged"),
    "mean over a batch of two": (lambda: affine(True), "divided by 2, the length of axis 0 of x"),
    "stride ignored": (lambda: conv("stride"), "the stride is ignored"),
    "padding not cut off": (lambda: conv("padding"), "cut off at the wrong end of dx"),
    "windows overwritten": (lambda: conv("overwritten"), "overlapping windows are overwritten"),
    "no gradient through time": (lambda: unrolled("cut"), "in the matrix product, at every step"),
    "slope of every step": (lambda: unrolled("slope"), "tanh is left out of the backward"),
    "gates exchanged": (lambda: gru("gates"), "parts 1 and 2 of"),
    "reset gate left out": (lambda: gru("reset"), "the factor the sigmoid is missing"),
    "direct path left out": (lambda: gru("direct"), "not flow through `h` in (the sigmoid · `h`)"),
    "embedding overwritten": (lambda: embedding(True, False), "overwritten in place of added"),
    "padding row": (lambda: embedding(False, True), "the row of the padding index is not zeroed"),
    "rotation backward": (rotary, "`sin` has the wrong sign"),
    "a constant cut short": (
        lambda: elementwise(torch.nn.GELU("tanh"), gelu, gelu_slope, (5, 4)),
        "the factor 0.797885",
    ),
    "slope of a gate": (
        lambda: elementwise(torch.nn.GLU(1), halves, halves_slope, (4, 6)),
        "the derivative of the sigmoid is left out",
    ),
    "running sum": (
        lambda: elementwise(
            lambda x: torch.cumsum(x, 1), lambda x: np.cumsum(x, 1), lambda _, dy: np.cumsum(dy, 1),
            (3, 5),
        ),
        "the running sum goes in the wrong direction",
    ),
    "pixels exchanged": (
        lambda: elementwise(
            torch.nn.PixelShuffle(2),
            lambda x: F.pixel_shuffle(torch.from_numpy(x), 2).numpy(),
            lambda x, dy: dy.reshape(2, 2, 3, 2, 4, 2).transpose(0, 1, 5, 3, 2, 4).reshape(x.shape),
            (2, 8, 3, 4),
        ),
        "are exchanged",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_slip_of_code_as_people_write_it_is_named(name: str) -> None:
    made, words = CASES[name]
    manual, reference, inputs, options = made()
    result = check_layer(manual, reference, inputs, **options)
    assert result.verdict is Verdict.DISAGREES
    assert words in result.diagnosis[0].sentence


@pytest.mark.parametrize("right", [conv("none"), unrolled("none"), gru("none")])
def test_the_same_code_without_its_slip_agrees(right: Layer) -> None:
    manual, reference, inputs, options = right
    assert check_layer(manual, reference, inputs, **options).verdict is Verdict.AGREES


def test_a_size_that_coincides_with_another_is_told_apart_by_other_shapes() -> None:
    square = {"x": (2, 9), "w": (3, 3)}
    said = factor_named(9.0, square, 1e-9)
    assert said is not None
    assert "axis 1 of x or multiplied by 9, the number of entries of w" in said
    elsewhere = [(16.0, {"x": (2, 9), "w": (4, 4)})]
    said = factor_named(9.0, square, 1e-9, elsewhere)
    assert said is not None
    assert said.startswith("multiplied by 9, the number of entries of w")
    assert factor_named(2.0, {"x": (2, 9)}, 1e-9, [(2.0, {"x": (4, 9)})]) == "doubled"


def test_a_search_ends_by_what_it_counts() -> None:
    budget = Budget(steps=100, entries=0)
    assert budget.left == Budget.WORK // 100
    assert sum(budget.spend() for _ in range(2 * budget.left)) == Budget.WORK // 100


def normalised(x: Any, dy: Any, *, epsilon: float, outside: bool, off: float) -> tuple[Any, Any]:
    """A layer norm whose variance loses digits, `mean(x²) - mean(x)²`."""
    t = x.dtype.type
    mean = x.mean(1, keepdims=True)
    var = (x * x).mean(1, keepdims=True) - mean * mean
    s = np.sqrt(var) + t(epsilon) if outside else np.sqrt(var + t(epsilon))
    h = (x - mean) / s * t(1 + off)
    dx = (dy - dy.mean(1, keepdims=True) - h * (dy * h).mean(1, keepdims=True)) / s
    return h, {"x": dx}


@pytest.mark.parametrize("shift", [30.0, 100.0])
@pytest.mark.parametrize(
    "slip, excused",
    [
        ({}, True),
        ({"epsilon": 0.0}, False),
        ({"epsilon": 1e-12}, False),
        ({"outside": True}, False),
        ({"off": 1e-5}, False),
        ({"off": 1e-6}, False),
        ({"off": 1.5e-7}, False),
    ],
)
def test_a_small_mistake_is_not_excused_by_the_digits_that_a_formula_loses(
    slip: dict[str, Any], excused: bool, shift: float
) -> None:
    x = (np.random.default_rng(0).normal(size=(8, 16)) + shift).astype(np.float32)
    options = {"epsilon": 1e-5, "outside": False, "off": 0.0} | slip

    def manual(inputs: Any, dy: Any) -> Any:
        return normalised(inputs["x"], dy, **options)

    result = check_layer(manual, lambda x: F.layer_norm(x, (16,), eps=1e-5), {"x": x})
    assert (result.verdict is Verdict.AGREES) is excused
    assert ("loses" in result.sentence) is excused


@pytest.mark.parametrize(
    ("value", "due", "written"),
    [
        (1.051645, 1.0, False), (1.04750312, 1.0, False), (0.7979, 0.7978845608, True),
        (1 / 7, 0.2, True), (1 / 7**0.5, 0.5, True), (0.044, 0.044715, True), (0.0, 1e-5, True),
    ],
)  # fmt: skip
def test_a_number_that_only_fits_is_none_that_somebody_writes(
    value: float, due: float, written: bool
) -> None:
    assert is_written(value, due) is written
