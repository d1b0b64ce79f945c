"""Wrong derivations of the benchmark's layers, as people make them: each once, none by formula.

`MISTAKES` gives the layer's name, what is wrong, and the function. `RIGHT` are odd but right ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.layers import losses, norms, pointwise, structures
from benchmarks.layers.layer import Inputs, Manual
from benchmarks.layers.pointwise import sigmoid
from benchmarks.layers.structures import softmax, windows

Change = Callable[[Inputs, Any, Inputs], Inputs]


def gradient(honest: Manual, change: Change) -> Manual:
    """Return an honest layer with some gradients replaced: `change(inputs, dy, gradients)`."""

    def wrong(inputs: Inputs, dy: Any) -> tuple[Any, Inputs]:
        y, right = honest(inputs, dy)
        return y, right | change(inputs, dy, right)

    return wrong


def normalised(i: Inputs, axis: int) -> tuple[Any, Any]:
    """Return (x - mean) / s and s."""
    x = i["x"]
    c = x - x.mean(axis, keepdims=True)
    s = np.sqrt((c * c).mean(axis, keepdims=True) + x.dtype.type(norms.EPS))
    return c / s, s


def norm_mistakes(name: str, honest: Manual, axis: int) -> Iterator[tuple[str, str, Manual]]:
    """The slips of layer norm and batch norm; `axis` is what is normalised."""

    def dx(formula: Callable[..., Any]) -> Manual:
        def change(i: Inputs, dy: Any, right: Inputs) -> Inputs:
            h, s = normalised(i, axis)
            return {"x": formula(h, s, dy * i["weight"], dy)}

        return gradient(honest, change)

    def m(v: Any) -> Any:
        return v.mean(axis, keepdims=True)

    yield name, "mean term missing", dx(lambda h, s, d, dy: (d - h * m(d * h)) / s)
    yield name, "variance term missing", dx(lambda h, s, d, dy: (d - m(d)) / s)
    yield name, "both terms missing", dx(lambda h, s, d, dy: d / s)
    yield name, "gamma missing in dx", dx(lambda h, s, d, dy: (dy - m(dy) - h * m(dy * h)) / s)
    yield (
        name,
        "sum in place of mean",
        dx(lambda h, s, d, dy: (d - m(d) - h * (d * h).sum(axis, keepdims=True)) / s),
    )
    yield name, "variance term doubled", dx(lambda h, s, d, dy: (d - m(d) - 2 * h * m(d * h)) / s)
    yield name, "not divided by s", dx(lambda h, s, d, dy: d - m(d) - h * m(d * h))
    yield name, "plus in place of minus", dx(lambda h, s, d, dy: (d - m(d) + h * m(d * h)) / s)
    yield (
        name,
        "dgamma with x in place of the normalised",
        gradient(honest, lambda i, dy, r: {"weight": (dy * i["x"]).sum(0)}),
    )
    yield name, "dbeta averaged", gradient(honest, lambda i, dy, r: {"bias": dy.mean(0)})


def linear_mistakes() -> Iterator[tuple[str, str, Manual]]:
    def change(formula: Change) -> Manual:
        return gradient(norms.linear, formula)

    yield "linear", "dw averaged over the batch", change(lambda i, dy, r: {"w": r["w"] / len(dy)})
    yield "linear", "db averaged", change(lambda i, dy, r: {"b": dy.mean(0)})
    yield "linear", "db not summed", change(lambda i, dy, r: {"b": dy})
    yield "linear", "dw transposed", change(lambda i, dy, r: {"w": dy.T @ i["x"]})
    yield "linear", "minus sign", change(lambda i, dy, r: {"x": -r["x"]})
    yield (
        "linear",
        "dw of the first row only",
        change(lambda i, dy, r: {"w": np.outer(i["x"][0], dy[0])}),
    )


def attention_mistakes() -> Iterator[tuple[str, str, Manual]]:
    def wrong(**slip: bool) -> Manual:
        def manual(i: Inputs, dy: Any) -> tuple[Any, Inputs]:
            q, k, v = i["q"], i["k"], i["v"]
            c = q.dtype.type(q.shape[-1] ** -0.5)
            p = softmax(q @ k.swapaxes(1, 2) * c)
            dp = dy @ v.swapaxes(1, 2)
            axis = 1 if slip.get("axis") else 2
            row = 0 if slip.get("row") else (dp * p).sum(axis, keepdims=True)
            ds = (dp if slip.get("p") else p * (dp - row)) if not slip.get("detached") else p * dp
            ds = ds * (1 if slip.get("scale") else c)
            ds = ds * (c if slip.get("twice") else 1)
            dv = (p / len(p) if slip.get("over") else p).swapaxes(1, 2) @ dy
            return p @ v, {"q": ds @ k, "k": ds.swapaxes(1, 2) @ q, "v": dv}

        return manual

    yield "attention", "row sum of the softmax missing", wrong(row=True)
    yield "attention", "row sum over the wrong axis", wrong(axis=True)
    yield "attention", "softmax not differentiated", wrong(p=True)
    yield "attention", "scale missing in the backward pass", wrong(scale=True)
    yield "attention", "scale twice", wrong(twice=True)
    yield "attention", "dv divided by the batch", wrong(over=True)
    yield "attention", "dq and dk without the scale, dv right", wrong(scale=True, row=False)


def conv_mistakes() -> Iterator[tuple[str, str, Manual]]:
    def not_flipped(i: Inputs, dy: Any, r: Inputs) -> Inputs:
        w = i["w"]
        return {
            "x": np.einsum("nkhwrs,kcrs->nchw", windows(structures.full(dy, w), w.shape[2:]), w)
        }

    yield "conv2d", "kernel not flipped in dx", gradient(structures.conv, not_flipped)
    yield (
        "conv2d",
        "dw flipped",
        gradient(structures.conv, lambda i, dy, r: {"w": r["w"][:, :, ::-1, ::-1]}),
    )
    yield (
        "conv2d",
        "bias averaged",
        gradient(structures.conv, lambda i, dy, r: {"b": dy.mean((0, 2, 3))}),
    )
    yield (
        "conv2d",
        "bias summed over the batch only",
        gradient(structures.conv, lambda i, dy, r: {"b": dy.sum(0)}),
    )
    yield (
        "conv2d",
        "dw over the batch",
        gradient(structures.conv, lambda i, dy, r: {"w": r["w"] / len(dy)}),
    )


def gate_mistakes() -> Iterator[tuple[str, str, Manual]]:
    def lstm(**slip: bool) -> Manual:
        def manual(i: Inputs, dy: Any) -> tuple[Any, Inputs]:
            x, h, c, w, u, b = (i[k] for k in "xhcwub")
            a = x @ w + h @ u + b
            gate, forget, out = (sigmoid(part) for part in np.split(a[:, :12], 3, 1))
            new = np.tanh(a[:, 12:])
            c2 = forget * c + gate * new
            t = np.tanh(c2)
            slope = 1 if slip.get("tanh") else 1 - t * t
            dc = (0 if slip.get("dc") else dy[1]) + dy[0] * out * slope
            one = 1 if slip.get("input") else 1 - gate
            swap = (gate, forget) if slip.get("swapped") else (forget, gate)
            dforget = dc * (c2 if slip.get("next") else c) * forget * (1 - forget)
            dnew = dc * gate * (new * (1 - new) if slip.get("slope") else 1 - new**2)
            da = np.concatenate(
                [dc * new * gate * one, dforget, dy[0] * t * out * (1 - out), dnew], 1
            )
            return (out * t, c2), {
                "x": da @ w.T, "h": da @ u.T, "c": dc * swap[0], "w": x.T @ da, "u": h.T @ da,
                "b": da.sum(0),
            }  # fmt: skip

        return manual

    yield "lstm cell", "slope of tanh(c) missing", lstm(tanh=True)
    yield "lstm cell", "gradient of c not added", lstm(dc=True)
    yield "lstm cell", "half of a gate's slope", lstm(input=True)
    yield "lstm cell", "the gate in place of the forget gate", lstm(swapped=True)
    yield "lstm cell", "new state in place of the old one", lstm(next=True)
    yield "lstm cell", "tanh with the slope of a sigmoid", lstm(slope=True)


def pointwise_mistakes() -> Iterator[tuple[str, str, Manual]]:
    def on(honest: Manual, formula: Callable[..., Any], key: str = "x") -> Manual:
        return gradient(honest, lambda i, dy, r: {key: formula(i, dy, r[key])})

    tanh, silu, gelu = pointwise.tanh, pointwise.silu, pointwise.gelu_tanh
    yield (
        "tanh",
        "slope of a sigmoid",
        on(tanh, lambda i, dy, r: dy * np.tanh(i["x"]) * (1 - np.tanh(i["x"]))),
    )
    yield "tanh", "1 - y", on(tanh, lambda i, dy, r: dy * (1 - np.tanh(i["x"])))
    yield "tanh", "slope twice", on(tanh, lambda i, dy, r: r * (1 - np.tanh(i["x"]) ** 2))
    yield "tanh", "slope missing", on(tanh, lambda i, dy, r: dy)
    yield "tanh", "1 - x² in place of 1 - y²", on(tanh, lambda i, dy, r: dy * (1 - i["x"] ** 2))
    yield "silu", "only the gate's path", on(silu, lambda i, dy, r: dy * sigmoid(i["x"]))
    yield (
        "silu",
        "slope of the sigmoid missing",
        on(silu, lambda i, dy, r: dy * (sigmoid(i["x"]) + i["x"])),
    )
    yield (
        "gelu tanh",
        "the outer x taken as constant",
        on(gelu, lambda i, dy, r: r - dy * pointwise.gelu_tanh(i, dy)[0] / i["x"]),
    )
    yield (
        "dropout",
        "mask missing",
        on(pointwise.dropout, lambda i, dy, r: dy / i["x"].dtype.type(0.7)),
    )
    yield "dropout", "scale missing", on(pointwise.dropout, lambda i, dy, r: dy * i["mask"])
    yield (
        "embedding",
        "overwritten in place of added",
        on(pointwise.embedding, lambda i, dy, r: placed(i, dy), "table"),
    )
    yield (
        "swiglu",
        "gate and value exchanged",
        gradient(pointwise.swiglu, lambda i, dy, r: {"w": r["v"], "v": r["w"]}),
    )
    yield (
        "rms norm",
        "root taken as constant",
        on(
            norms.rms,
            lambda i, dy, r: (
                dy * i["weight"] / np.sqrt((i["x"] ** 2).mean(1, keepdims=True) + 1e-6)
            ),
        ),
    )
    yield "rms norm", "sum in place of mean", on(norms.rms, rms_sum)


def rms_sum(i: Inputs, dy: Any, right: Any) -> Any:
    """RMS norm with the inner product not divided by the width."""
    x = i["x"]
    root = 1 / np.sqrt((x * x).mean(1, keepdims=True) + x.dtype.type(1e-6))
    h, d = x * root, dy * i["weight"]
    return root * (d - h * (d * h).sum(1, keepdims=True))


def placed(i: Inputs, dy: Any) -> Any:
    """The gradient of an embedding by assignment."""
    d = np.zeros_like(i["table"])
    for at, row in zip(i["ids"].ravel(), dy.reshape(-1, dy.shape[-1]), strict=True):
        d[at] = row
    return d


def loss_mistakes() -> Iterator[tuple[str, str, Manual]]:
    entropy, mse, bce = losses.entropy, losses.mse, losses.bce
    yield (
        "cross entropy",
        "not divided by N",
        gradient(entropy, lambda i, dy, r: {"z": r["z"] * len(i["z"])}),
    )
    yield (
        "cross entropy",
        "divided by all entries",
        gradient(entropy, lambda i, dy, r: {"z": r["z"] / i["z"].shape[1]}),
    )
    yield (
        "cross entropy",
        "targets not subtracted",
        gradient(entropy, lambda i, dy, r: {"z": softmax(i["z"]) / len(i["z"])}),
    )
    yield "mse", "factor 2 missing", gradient(mse, lambda i, dy, r: {"p": r["p"] / 2})
    yield "mse", "minus sign", gradient(mse, lambda i, dy, r: {"p": -r["p"]})
    yield "mse", "divided by the rows", gradient(mse, lambda i, dy, r: {"p": r["p"] * 4})
    yield (
        "bce",
        "extra slope of the sigmoid",
        gradient(bce, lambda i, dy, r: {"z": r["z"] * sigmoid(i["z"]) * (1 - sigmoid(i["z"]))}),
    )


def mlp_mistakes() -> Iterator[tuple[str, str, Manual]]:
    def wrong(**slip: bool) -> Manual:
        def manual(i: Inputs, dy: Any) -> tuple[Any, Inputs]:
            x, w1, b1, w2, b2 = (i[k] for k in ("x", "w1", "b1", "w2", "b2"))
            z = x @ w1 + b1
            h = np.maximum(z, 0)
            dh = dy @ w2.T
            dz = dh * (1 if slip.get("mask") else z > 0)
            dw1 = x.T @ (dh if slip.get("dw") else dz)
            return h @ w2 + b2, {
                "x": dz @ w1.T, "w1": dw1, "b1": dz.sum(0),
                "w2": (z if slip.get("z") else h).T @ dy, "b2": dy.sum(0),
            }  # fmt: skip

        return manual

    yield "mlp", "mask missing", wrong(mask=True)
    yield "mlp", "mask missing in dw1 only", wrong(dw=True)
    yield "mlp", "pre-activation in dw2", wrong(z=True)
    yield (
        "max-pool",
        "every window's gradient spread",
        gradient(structures.pool, lambda i, dy, r: {"x": np.repeat(np.repeat(dy, 2, 2), 2, 3) / 4}),
    )


MISTAKES: tuple[tuple[str, str, Manual], ...] = (
    *norm_mistakes("layer norm", norms.layer_norm, 1),
    *norm_mistakes("batch norm", norms.batch_norm, 0),
    *linear_mistakes(), *attention_mistakes(), *conv_mistakes(), *gate_mistakes(),
    *pointwise_mistakes(), *loss_mistakes(), *mlp_mistakes(),
)  # fmt: skip
