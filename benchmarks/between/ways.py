"""Five ways of writing normalisation and dropout, each with formulas of its own.

Nothing here is shared with the package under measurement or with the judge. A way is a pair:
`forward(z, gamma, beta, axis) -> (n, cache)` and `backward(dn, cache) -> (dz, dgamma, dbeta)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Cache = tuple[Any, ...]
Way = tuple[
    Callable[[Array, Array, Array, int], tuple[Array, Cache]],
    Callable[[Array, Cache], tuple[Array, Array, Array]],
]
EPS = 1e-5


def of_numpy(z: Array, gamma: Array, beta: Array, axis: int) -> tuple[Array, Cache]:
    """With numpy's mean and var."""
    mu, var = z.mean(axis, keepdims=True), z.var(axis, keepdims=True)
    xhat = (z - mu) / np.sqrt(var + z.dtype.type(EPS))
    return gamma * xhat + beta, (xhat, var, gamma, axis)


def of_numpy_back(dn: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """The formula of most courses, with m outside."""
    xhat, var, gamma, axis = cache
    m, dx = dn.shape[axis], dn * gamma
    total, along = dx.sum(axis, keepdims=True), (dx * xhat).sum(axis, keepdims=True)
    dz = (m * dx - total - xhat * along) / m / np.sqrt(var + dn.dtype.type(EPS))
    return dz, (dn * xhat).sum(0), dn.sum(0)


def by_chain(z: Array, gamma: Array, beta: Array, axis: int) -> tuple[Array, Cache]:
    """Every step of the paper's graph by itself."""
    m = z.shape[axis]
    xmu = z - z.sum(axis, keepdims=True) / m
    var = (xmu**2).sum(axis, keepdims=True) / m
    sqrtvar = np.sqrt(var + z.dtype.type(EPS))
    ivar = 1 / sqrtvar
    xhat = xmu * ivar
    return xhat * gamma + beta, (xhat, gamma, xmu, ivar, sqrtvar, axis, m)


def by_chain_back(dout: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """The chain rule through that graph, node by node."""
    xhat, gamma, xmu, ivar, sqrtvar, axis, m = cache
    dxhat = dout * gamma
    divar = np.sum(dxhat * xmu, axis, keepdims=True)
    dvar = -divar / sqrtvar**2 / (2 * sqrtvar)
    dx1 = dxhat * ivar + 2 * xmu * (np.ones_like(dout) * dvar / m)
    dmu = -np.sum(dx1, axis, keepdims=True)
    dz = dx1 + np.ones_like(dout) * dmu / m
    return dz, np.sum(dout * xhat, 0), np.sum(dout, 0)


def one_by_one(z: Array, gamma: Array, beta: Array, axis: int) -> tuple[Array, Cache]:
    """A loop over rows or units."""
    view = z if axis == 1 else z.T
    s, roots = np.empty_like(view), []
    for i, v in enumerate(view):
        d = v - v.sum() / len(v)
        r = (np.dot(d, d) / len(v) + v.dtype.type(EPS)) ** v.dtype.type(-0.5)
        s[i] = d * r
        roots.append(r)
    found = s if axis == 1 else np.ascontiguousarray(s.T)
    return found * gamma + beta, (found, np.array(roots, z.dtype), gamma, axis)


def one_by_one_back(dn: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """The same loop, sums by dot products."""
    s, roots, gamma, axis = cache
    ds = dn * gamma
    vs, vd = (s, ds) if axis == 1 else (s.T, ds.T)
    out = np.empty_like(vs)
    for i, r in enumerate(roots):
        m = len(vd[i])
        out[i] = r * (vd[i] - vd[i].sum() / m - vs[i] * (np.dot(vd[i], vs[i]) / m))
    dz = out if axis == 1 else np.ascontiguousarray(out.T)
    return dz, np.einsum("nh,nh->h", dn, s), np.ones(len(dn), dn.dtype) @ dn


def fused(z: Array, gamma: Array, beta: Array, axis: int) -> tuple[Array, Cache]:
    """One factor and one shift for each entry, as kernels do."""
    mu = np.add.reduce(z, axis, keepdims=True) / z.shape[axis]
    r = 1 / np.sqrt(np.mean(np.square(z - mu), axis, keepdims=True) + z.dtype.type(EPS))
    return z * (gamma * r) + (beta - mu * r * gamma), (z, mu, r, gamma, axis)


def fused_back(dn: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """Term by term, with the factor on each."""
    z, mu, r, gamma, axis = cache
    m, xhat = z.shape[axis], (z - mu) * r
    along = np.add.reduce(dn * gamma * xhat, axis, keepdims=True) / m
    mean = np.add.reduce(dn * gamma, axis, keepdims=True) / m
    return gamma * dn * r - r * mean - r * xhat * along, (dn * xhat).sum(0), dn.sum(0)


def by_jacobian_back(dn: Array, cache: Cache) -> tuple[Array, Array, Array]:
    """The Jacobian as a matrix."""
    xhat, var, gamma, axis = cache
    ds, r = dn * gamma, (1 / np.sqrt(var + dn.dtype.type(EPS))).ravel()
    vs, vd = (xhat, ds) if axis == 1 else (xhat.T, ds.T)
    m = dn.shape[axis]
    flat = np.eye(m, dtype=dn.dtype) - np.ones((m, m), dn.dtype) / m
    out = np.stack([r[i] * ((flat - np.outer(vs[i], vs[i]) / m) @ vd[i]) for i in range(len(vs))])
    return (out if axis == 1 else out.T.copy()), (dn * xhat).sum(0), dn.sum(0)


WAYS: dict[str, Way] = {
    "numpy": (of_numpy, of_numpy_back),
    "chain": (by_chain, by_chain_back),
    "one by one": (one_by_one, one_by_one_back),
    "fused": (fused, fused_back),
    "jacobian": (of_numpy, by_jacobian_back),
}
VALUES: dict[str, Callable[[Array], Array]] = {
    "relu": lambda n: np.maximum(n, 0),
    "tanh": np.tanh,
    "sigmoid": lambda n: 1 / (1 + np.exp(-n)),
}
SLOPES: dict[str, Callable[[Array, Array], Array]] = {
    "relu": lambda n, a: (n > 0).astype(n.dtype),
    "tanh": lambda n, a: 1 - a * a,
    "sigmoid": lambda n, a: a * (1 - a),
}


def top(logits: Array, y: Array) -> tuple[float, Array]:
    """Softmax cross-entropy, averaged over the rows."""
    most = logits.max(1, keepdims=True)
    e = np.exp(logits - most)
    total = e.sum(1, keepdims=True)
    loss = (np.log(total)[:, 0] + most[:, 0] - (y * logits).sum(1)).mean()
    return float(loss), (e / total - y) / len(y)


def evaluated(z: Array, layer: int, parameters: Mapping[str, Array], context: Any) -> Any:
    """Batch normalisation with the running statistics."""
    r = 1 / np.sqrt(context[f"running_var{layer}"] + z.dtype.type(EPS))
    s = (z - context[f"running_mean{layer}"]) * r
    gamma = parameters[f"gamma{layer}"]
    return gamma * s + parameters[f"beta{layer}"], (s, gamma * r)


def network(way: str, kind: str, rate: float, act: str) -> Callable[..., tuple[float, Any]]:
    """Return a whole network in one of the ways."""
    forward, backward = WAYS[way]
    axis = {"layer": 1, "batch": 0}.get(kind)
    drop = dropping(way, rate)

    def loss_and_gradients(
        parameters: Any, x: Array, targets: Array, context: Any
    ) -> tuple[float, Any]:
        training = bool(context.get("training", True))
        depth = sum(name[0] == "w" for name in parameters)
        given = kind == "batch" and not training
        h, caches, g = x, [], {}
        for i in range(1, depth):
            z = h @ parameters[f"w{i}"] + parameters[f"b{i}"]
            cache: Any = None
            n = z
            if given:
                n, cache = evaluated(z, i, parameters, context)
            elif axis is not None:
                n, cache = forward(z, parameters[f"gamma{i}"], parameters[f"beta{i}"], axis)
            a = VALUES[act](n)
            caches.append((h, cache, n, a))
            h = drop(a, context[f"mask{i}"]) if rate and training else a
        loss, d = top(h @ parameters[f"w{depth}"] + parameters[f"b{depth}"], targets)
        g[f"w{depth}"], g[f"b{depth}"] = h.T @ d, d.sum(0)
        for i in range(depth - 1, 0, -1):
            below, cache, n, a = caches[i - 1]
            dh = d @ parameters[f"w{i + 1}"].T
            dh = drop(dh, context[f"mask{i}"]) if rate and training else dh
            d = dh * SLOPES[act](n, a)
            if given:
                g[f"gamma{i}"], g[f"beta{i}"] = (d * cache[0]).sum(0), d.sum(0)
                d = d * cache[1]
            elif axis is not None:
                d, g[f"gamma{i}"], g[f"beta{i}"] = backward(d, cache)
            g[f"w{i}"], g[f"b{i}"] = below.T @ d, d.sum(0)
        return loss, {name: g[name].astype(x.dtype) for name in parameters}

    return loss_and_gradients


def dropping(way: str, rate: float) -> Callable[[Array, Array], Array]:
    """Dropout as somebody writes it who writes normalisation like that."""

    def drop(a: Array, mask: Array) -> Array:
        keep = a.dtype.type(1 - rate)
        if way == "fused":
            return np.asarray(np.where(mask, a / keep, 0), dtype=a.dtype)
        if way in ("chain", "jacobian"):
            return np.asarray(a * (mask * (1 / keep)).astype(a.dtype))
        return np.asarray(a * mask / keep)

    return drop
