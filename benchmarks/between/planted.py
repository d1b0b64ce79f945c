"""Every mistake of normalisation and dropout, planted in a network written by another hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.between.ways import Array, top

BACK: dict[str, Callable[..., Array]] = {
    "statistics-constant": lambda ds, s, r, A, B, m: r * ds,
    "variance-constant": lambda ds, s, r, A, B, m: r * (ds - A),
    "mean-constant": lambda ds, s, r, A, B, m: r * (ds - s * B),
    "root-missing-backward": lambda ds, s, r, A, B, m: ds - A - s * B,
    "variance-sign": lambda ds, s, r, A, B, m: r * (ds - A + s * B),
    "mean-sign": lambda ds, s, r, A, B, m: r * (ds + A - s * B),
    "mean-doubled": lambda ds, s, r, A, B, m: r * (ds - 2 * A - s * B),
    "variance-doubled": lambda ds, s, r, A, B, m: r * (ds - A - 2 * s * B),
    "variance-halved": lambda ds, s, r, A, B, m: r * (ds - A - s * B / 2),
    "sums-for-means": lambda ds, s, r, A, B, m: r * (ds - m * A - m * s * B),
    "s-missing": lambda ds, s, r, A, B, m: r * (ds - A - B),
    "by-variance": lambda ds, s, r, A, B, m: r * (ds - A) - 2 * s * B,
    "unbiased-variance": lambda ds, s, r, A, B, m: r * (ds - A - s * B * m / (m - 1)),
}
"""dz by these mistakes; A and B are the means of ds and of ds s."""
FORWARD: dict[str, Callable[..., Array]] = {
    "dropout-unscaled": lambda a, mask, rate: a * mask,
    "dropout-scaled-backward-only": lambda a, mask, rate: a * mask,
    "dropout-scaled-by-p": lambda a, mask, rate: a * mask / a.dtype.type(rate),
    "dropout-mask-inverted": lambda a, mask, rate: a * ~mask / a.dtype.type(1 - rate),
    "dropout-ignored": lambda a, mask, rate: a,
}
BACKWARD: dict[str, Callable[..., Array]] = {
    "dropout-mask-missing-backward": lambda a, mask, rate: a,
    "dropout-mask-missing-but-scaled": lambda a, mask, rate: a / a.dtype.type(1 - rate),
    "dropout-unscaled-backward": lambda a, mask, rate: a * mask,
    **{k: FORWARD[k] for k in FORWARD if k != "dropout-scaled-backward-only"},
}


def right(a: Array, mask: Array, rate: float) -> Array:
    """Inverted dropout."""
    return np.asarray(a * mask / a.dtype.type(1 - rate))


def root(v: Array, name: str) -> Array:
    """What z - mu is multiplied by."""
    eps = {"eps-missing": 0.0}.get(name, float(name[4:]) if name[:6] == "eps-1e" else 1e-5)
    if name.startswith("eps-outside"):
        return np.asarray(1 / (np.sqrt(v) + v.dtype.type(eps)))
    v = np.maximum(v, v.dtype.type(0.1)) if name == "variance-floored" else v
    inside = v + v.dtype.type(eps)
    return np.asarray(1 / (inside if name == "by-variance" else np.sqrt(inside)))


def network(kind: str, rate: float, mistake: str) -> Callable[..., tuple[float, Any]]:
    """Return a network of tanh units with this mistake in it."""
    return Network(kind, rate, mistake.removeprefix("normalisation-")).loss_and_gradients


class Network:
    """A network of tanh units with batch or layer normalisation, dropout and one mistake."""

    def __init__(self, kind: str, rate: float, name: str) -> None:
        self.kind, self.rate, self.name = kind, rate, name
        self.axis = {"layer": 1, "batch": 0, "none": 1}[kind] ^ (name == "wrong-axis")
        self.normalises = kind != "none" and name != "ignored"

    def loss_and_gradients(
        self, parameters: Any, x: Array, targets: Array, context: Any
    ) -> tuple[float, Any]:
        """Contract 1."""
        p, depth = parameters, sum(key[0] == "w" for key in parameters)
        training = bool(context.get("training", True))
        drops = self.rate > 0 and (training or self.name == "dropout-in-evaluation")
        h, cached = x, []
        for i in range(1, depth):
            z = h @ p[f"w{i}"] + p[f"b{i}"]
            before = np.tanh(z) if self.name == "after-activation" else z
            n, kept = self.normalised(before, i, p, training, context)
            a = before if self.name == "after-activation" else np.tanh(n)
            cached.append((h, kept, n, a))
            out = n if self.name == "after-activation" else a
            h = FORWARD.get(self.name, right)(out, context[f"mask{i}"], self.rate) if drops else out
        loss, d = top(h @ p[f"w{depth}"] + p[f"b{depth}"], targets)
        g = {key: np.zeros_like(array) for key, array in p.items()}
        g[f"w{depth}"], g[f"b{depth}"] = h.T @ d, d.sum(0)
        for i in range(depth - 1, 0, -1):
            below, kept, n, a = cached[i - 1]
            d = d @ p[f"w{i + 1}"].T
            d = BACKWARD.get(self.name, right)(d, context[f"mask{i}"], self.rate) if drops else d
            last = self.name in ("after-activation", "and-activation-exchanged-backward")
            d = d if last else d * (1 - a * a)
            if kept is not None:
                d, g[f"gamma{i}"], g[f"beta{i}"] = self.back(d, n, p[f"gamma{i}"], kept)
            d = d * (1 - a * a) if last else d
            g[f"w{i}"], g[f"b{i}"] = below.T @ d, d.sum(0)
        return loss, {key: array.astype(x.dtype) for key, array in g.items()}

    def normalised(
        self, z: Array, i: int, p: Any, training: bool, context: Any
    ) -> tuple[Array, Any]:
        """Return gamma s + beta and what the way back needs; z itself where nothing normalises."""
        if not self.normalises:
            return z, None
        mu, v, constant = self.statistics(z, i, training, context)
        r = root(v, self.name)
        s = (z - mu) * r
        return p[f"gamma{i}"] * s + p[f"beta{i}"], (z, s, r, v, constant)

    def statistics(
        self, z: Array, i: int, training: bool, context: Any
    ) -> tuple[Array, Array, bool]:
        """Return mean and variance, and whether they are the running ones."""
        past = not training and self.name != "batch-in-evaluation"
        if self.kind == "batch" and (past or self.name == "running-in-training"):
            return context[f"running_mean{i}"], context[f"running_var{i}"], True
        v = z.var(self.axis, keepdims=True, ddof=int("unbiased" in self.name))
        return z.mean(self.axis, keepdims=True), v, False

    def back(self, dn: Array, n: Array, gamma: Array, kept: Any) -> tuple[Array, Array, Array]:
        """Return dz, dgamma, dbeta."""
        (z, s, r, v, constant), name, axis = kept, self.name, self.axis
        taken = {"dgamma-of-z": z, "dgamma-of-n": n}.get(name, s)
        scale = dn * gamma if name == "dgamma-after-gamma" else dn
        dgamma, dbeta = (scale * taken).sum(0), scale.sum(0)
        if name == "dgamma-averaged":
            dgamma, dbeta = dgamma / dn.dtype.type(len(dn)), dbeta / dn.dtype.type(len(dn))
        ds = dn if name == "gamma-missing-backward" else dn * gamma
        mean, along = ds.mean(axis, keepdims=True), (ds * s).mean(axis, keepdims=True)
        if constant:
            return r * ds, dgamma, dbeta
        if name == "missing-backward":
            return dn, dgamma, dbeta
        if name == "eps-outside":
            along = along / (r * np.sqrt(v))
        plain = r * (ds - mean - s * along)
        found = BACK[name](ds, s, r, mean, along, dn.shape[axis]) if name in BACK else plain
        return found, dgamma, dbeta
