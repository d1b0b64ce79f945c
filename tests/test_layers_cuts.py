"""What torch's own formulas leave out is the reference's error, and no mistake of exact code."""

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

Z = 25 * np.random.default_rng(0).normal(size=(12, 4))
FAR = np.array([[-1200.0, -720.0, -700.0, -350.0], [-101.0, 101.0, 350.0, 1200.0]])
"""Where p, its logarithm or 1 - p is beyond what torch keeps of it."""
Function = Callable[[Any], Any]


def sigma(z: Any) -> Any:
    e = np.exp(-np.abs(z))
    return np.where(z > 0, 1 / (1 + e), e / (1 + e))


def softplus(z: Any) -> Any:
    return np.logaddexp(0, z)


def layer(f: Function, slope: Function, factor: float = 1.0) -> Callable[..., Any]:
    """An elementwise layer by its function and its slope, with a factor on the gradient."""

    def manual(inputs: Any, dy: Any) -> Any:
        z = inputs["z"]
        return f(z), {"z": (1 if dy is None else dy) * slope(z) * z.dtype.type(factor)}

    return manual


def mish_slope(z: Any) -> Any:
    t = np.tanh(softplus(z))
    return t + z * (1 - t * t) * sigma(z)


def celu(z: Any) -> Any:
    a = z.dtype.type(0.3)
    return np.where(z > 0, z, a * np.expm1(np.minimum(z, 0) / a))


def celu_slope(z: Any) -> Any:
    return np.where(z > 0, 1, np.exp(np.minimum(z, 0) / z.dtype.type(0.3)))


def bce(z: Any) -> Any:
    return np.logaddexp(0, z) - z / 4


CUT: dict[str, tuple[Function, Function, Function]] = {
    "softplus": (F.softplus, softplus, sigma),
    "softplus, beta 3": (
        lambda z: F.softplus(z, 3.0), lambda z: softplus(3 * z) / 3, lambda z: sigma(3 * z)
    ),
    "mish": (F.mish, lambda z: z * np.tanh(softplus(z)), mish_slope),
    "celu keeps 1/α in float32": (lambda z: F.celu(z, 0.3), celu, celu_slope),
    "hardsigmoid keeps 1/6 in float32": (
        F.hardsigmoid,
        lambda z: np.clip(z + 3, 0, 6) / 6,
        lambda z: (np.abs(z) < 3) / z.dtype.type(6),
    ),
    "bce bounds p (1 - p) and log p": (
        lambda z: F.binary_cross_entropy(
            torch.sigmoid(z), torch.full_like(z, 0.25), reduction="none"
        ),
        bce,
        lambda z: sigma(z) - z.dtype.type(0.25),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("name", CUT)
def test_exact_code_is_not_accused_of_what_torch_leaves_out(name: str, kind: str) -> None:
    reference, f, slope = CUT[name]
    result = check_layer(layer(f, slope), reference, {"z": Z.astype(kind)})
    assert result.verdict is Verdict.AGREES and result.kind is None, result.sentence


BCE = CUT["bce bounds p (1 - p) and log p"]


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_far_beyond_the_cut_of_log_at_minus_100_exact_code_agrees(
    reduction: str, kind: str
) -> None:
    z = np.concatenate([Z[:2], FAR]).astype(kind)
    _, f, slope = BCE

    def manual(i: Any, dy: Any) -> Any:
        y, dz = f(i["z"]), slope(i["z"])
        if reduction == "none":
            return y, {"z": dy * dz}
        n = i["z"].dtype.type(i["z"].size if reduction == "mean" else 1)
        return y.sum() / n, {"z": dz / n}

    def reference(z: Any) -> Any:
        return F.binary_cross_entropy(
            torch.sigmoid(z), torch.full_like(z, 0.25), reduction=reduction
        )

    assert check_layer(manual, reference, {"z": z})


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_a_factor_beside_the_cut_of_log_is_still_seen(where: str) -> None:
    reference, f, slope = BCE
    off = (lambda z: f(z) * (1 + 1e-6)) if where == "loss" else f
    wrong = layer(off, slope, 1 + 1e-6 * (where == "gradient"))
    result = check_layer(wrong, reference, {"z": np.concatenate([Z[:2], FAR])})
    assert result.verdict is Verdict.DISAGREES, result.sentence


@pytest.mark.parametrize("name", ["softplus", "mish"])
def test_a_factor_beside_what_torch_leaves_out_is_still_seen(name: str) -> None:
    reference, f, slope = CUT[name]
    result = check_layer(layer(f, slope, 1 + 1e-6), reference, {"z": Z})
    assert result.verdict is Verdict.DISAGREES, result.sentence


def test_a_threshold_that_float32_could_see_is_the_users_own_function() -> None:
    result = check_layer(layer(softplus, sigma), lambda z: F.softplus(z, 1.0, 5.0), {"z": Z})
    assert result.verdict is Verdict.DISAGREES
    cut = layer(
        lambda z: np.where(z > 5, z, softplus(z)), lambda z: np.where(z > 5, 1, sigma(z))
    )  # fmt: skip
    assert check_layer(cut, lambda z: F.softplus(z, 1.0, 5.0), {"z": Z})


def test_a_softplus_inside_a_scan_is_judged_as_torch_means_it() -> None:
    def scan(inputs: Any, dy: Any) -> Any:
        a, z = inputs["a"], inputs["z"]
        dt = softplus(z)
        decay = np.exp(-a * dt)
        h = np.zeros_like(dt)
        for t in range(len(z)):
            h[t] = decay[t] * (h[t - 1] if t else 0) + dt[t]
        dh, ddt, da = np.zeros_like(z[0]), np.zeros_like(z), np.zeros_like(a)
        for t in range(len(z) - 1, -1, -1):
            dh = dh + dy[t]
            d = dh * (h[t - 1] if t else 0) * decay[t]
            ddt[t], da = dh - d * a, da - d * dt[t]
            dh = dh * decay[t]
        return h, {"a": da, "z": ddt * sigma(z)}

    def reference(a: Any, z: Any) -> Any:
        dt, h, found = F.softplus(z), torch.zeros_like(a), []
        for t in range(len(z)):
            h = torch.exp(-a * dt[t]) * h + dt[t]
            found.append(h)
        return torch.stack(found)

    a = np.abs(np.random.default_rng(1).normal(size=4)) / 50
    assert check_layer(scan, reference, {"a": a, "z": Z[:7]})


def cosine_loss(i: Any, dy: Any) -> Any:
    a, b, t = i["a"], i["b"], i["t"][:, None]
    m, n = (np.sqrt((x * x).sum(1, keepdims=True)) for x in (a, b))
    c = (a * b).sum(1, keepdims=True) / (m * n)
    loss = np.where(t > 0, 1 - c, np.maximum(c, 0)).mean()
    g = np.where(t > 0, -1, c > 0) / len(a)
    return loss, {
        "a": g * (b / (m * n) - c * a / (m * m)),
        "b": g * (a / (m * n) - c * b / (n * n)),
    }


def test_an_epsilon_of_torchs_own_is_not_asked_of_anybody() -> None:
    random = np.random.default_rng(3)
    inputs = {name: random.normal(size=(5, 3)) for name in "ab"} | {
        "t": np.array([1, -1, 1, 1, -1])
    }
    result = check_layer(cosine_loss, F.cosine_embedding_loss, inputs)
    assert result.verdict is not Verdict.DISAGREES  # in float64 it hides errors of 1e-12
    inputs |= {name: inputs[name].astype(np.float32) for name in "ab"}
    assert check_layer(cosine_loss, F.cosine_embedding_loss, inputs)

    def wrong(i: Any, dy: Any) -> Any:
        loss, gradients = cosine_loss(i, dy)
        return loss, gradients | {"a": gradients["a"] * np.float32(1 + 1e-4)}

    result = check_layer(wrong, F.cosine_embedding_loss, inputs)
    assert result.verdict is Verdict.DISAGREES

    def chosen(x: Any) -> Any:
        return x / torch.sqrt((x * x).sum(1, keepdim=True) + 1e-12)

    def forgotten(i: Any, dy: Any) -> Any:
        n = np.sqrt((i["x"] * i["x"]).sum(1, keepdims=True))
        y = i["x"] / n
        return y, {"x": (dy - y * (dy * y).sum(1, keepdims=True)) / n}

    result = check_layer(forgotten, chosen, {"x": 0.1 * random.normal(size=(4, 3))})
    assert result.verdict is Verdict.DISAGREES


def test_the_weights_of_an_interpolation_round_where_its_inputs_are_exact() -> None:
    places = np.linspace(0, 3, 7)
    left = np.minimum(places.astype(int), 2)
    weights = np.zeros((7, 4))
    weights[np.arange(7), left] = 1 - (places - left)
    weights[np.arange(7), left + 1] += places - left

    def manual(i: Any, dy: Any) -> Any:
        return i["x"] @ weights.T, {"x": dy @ weights}

    def reference(x: Any) -> Any:
        return F.interpolate(x, size=7, mode="linear", align_corners=True)

    x = np.random.default_rng(2).integers(-20, 20, size=(9, 5, 4)) / 16
    assert check_layer(manual, reference, {"x": x})

    def wrong(i: Any, dy: Any) -> Any:
        y, gradients = manual(i, dy)
        return y * (1 + 1e-12), gradients

    assert check_layer(wrong, reference, {"x": x}).verdict is Verdict.DISAGREES


SMALL = np.array([[0.0, -50.0, -60.0, 1.0]])


def softmax_with(change: Function) -> Callable[..., Any]:
    """Softmax, with the two small entries of its gradient changed."""

    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        e = np.exp(x - x.max(1, keepdims=True))
        p = e / e.sum(1, keepdims=True)
        dx = p * (dy - (p * dy).sum(1, keepdims=True))
        dx[:, 1:3] = change(dx[:, 1:3])
        return p, {"x": dx}

    return manual


@pytest.mark.parametrize("form", ["float32", "float64"])
@pytest.mark.parametrize(
    "change, right",
    [
        (lambda small: small, True),
        (lambda small: np.where(np.abs(small) < 1e-15, 0, small), True),
        (lambda small: 0 * small, False),  # of larger ones too: where they show, it is wrong
        (lambda small: -small, False),
        (lambda small: 3 * small, False),
    ],
)
def test_a_small_entry_may_be_cut_off_and_not_turned(
    change: Function, right: bool, form: str
) -> None:
    inputs = {"x": SMALL.astype(form)}
    result = check_layer(softmax_with(change), lambda x: torch.softmax(x, 1), inputs)
    assert (result.verdict is Verdict.AGREES) is right


@pytest.mark.parametrize("form, size", [("float32", 1e-14), ("float64", 1e-20)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_small_row_of_the_wrong_sign_is_wrong(form: str, size: float, sign: int) -> None:
    def linear(inputs: Any, dy: Any) -> Any:
        x, w = inputs["x"], inputs["w"]
        dx = dy @ w.T
        dx[1] *= sign
        return x @ w, {"x": dx, "w": x.T @ dy}

    rng = np.random.default_rng(0)
    dy = rng.normal(size=(3, 4)) * np.array([[1], [size], [1]])
    inputs = {"x": rng.normal(size=(3, 5)).astype(form), "w": rng.normal(size=(5, 4)).astype(form)}
    result = check_layer(linear, lambda x, w: x @ w, inputs, dy=dy.astype(form))
    assert (result.verdict is Verdict.AGREES) is (sign == 1)
