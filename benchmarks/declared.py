"""How far honest code comes from torch, in allowances, for every loss, output and activation.

    python -m benchmarks.declared [networks per entry and format]

Each network is drawn at random (depth, widths, batch, scale) and written in one of five ways, with
its own formulas: nothing here is shared with the package under measurement or with the judge.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from math import erf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.checks.weak import PROMISED, smallest_scale_error
from compare.contracts.experiment import ACTIVATION_NAMES, Experiment
from compare.examine.sides import build_reference
from compare.judge.point import PointJudge
from compare.points.edges import edge_probes
from compare.points.probe import Probe, draw_probes

Array = NDArray[Any]
Points = tuple[Probe, Probe]
WAYS = ("plain", "columns", "einsum", "one by one", "blocks")
SELU = (1.6732632423543772848170429916717, 1.0507009873554804934193349852946)


def s(z: Array) -> Array:
    """The sigmoid as it stands in textbooks."""
    found: Array = 1 / (1 + np.exp(-z))
    return found


def cdf(z: Array) -> Array:
    """The normal distribution function, by erf."""
    found: Array = 0.5 * (1 + np.vectorize(erf)(z / np.sqrt(2)))
    return found.astype(z.dtype)


def pdf(z: Array) -> Array:
    """Its density."""
    found: Array = np.exp(-z * z / 2) / z.dtype.type(np.sqrt(2 * np.pi))
    return found


def inner(z: Array) -> Array:
    """tanh of GELU's cubic."""
    t: Array = np.tanh(z.dtype.type(np.sqrt(2 / np.pi)) * (z + 0.044715 * z**3))
    return t


def gelu_tanh_slope(z: Array) -> Array:
    """By the product rule."""
    t, c = inner(z), z.dtype.type(np.sqrt(2 / np.pi))
    found: Array = 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * c * (1 + 3 * 0.044715 * z * z)
    return found


ACTS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "relu": (lambda z: z * (z > 0), lambda z: (z > 0) * 1.0),
    "leaky_relu": (lambda z: np.maximum(z, 0.01 * z), lambda z: np.where(z > 0, 1, 0.01)),
    "elu": (
        lambda z: np.where(z > 0, z, np.exp(np.minimum(z, 0)) - 1),
        lambda z: np.where(z > 0, 1, np.exp(np.minimum(z, 0))),
    ),
    "selu": (
        lambda z: SELU[1] * np.where(z > 0, z, SELU[0] * (np.exp(np.minimum(z, 0)) - 1)),
        lambda z: SELU[1] * np.where(z > 0, 1, SELU[0] * np.exp(np.minimum(z, 0))),
    ),
    "softplus": (lambda z: np.log(1 + np.exp(z)), s),
    "silu": (lambda z: z * s(z), lambda z: s(z) * (1 + z * (1 - s(z)))),
    "gelu": (lambda z: z * cdf(z), lambda z: cdf(z) + z * pdf(z)),
    "gelu_tanh": (lambda z: 0.5 * z * (1 + inner(z)), gelu_tanh_slope),
    "relu6": (lambda z: np.minimum(np.maximum(z, 0), 6), lambda z: ((z > 0) & (z < 6)) * 1.0),
    "hardtanh": (lambda z: np.clip(z, -1, 1), lambda z: (np.abs(z) < 1) * 1.0),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (s, lambda z: s(z) * (1 - s(z))),
    "identity": (lambda z: z, np.ones_like),
}


def soft(z: Array) -> Array:
    """Softmax of the rows."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    found: Array = e / e.sum(axis=1, keepdims=True)
    return found


def hinge(o: Array, t: Array) -> tuple[Array, Array]:
    """Margins through a mask."""
    own = t > 0.5
    m = np.where(own, 0, np.maximum(0, 1 + o - (o * own).sum(axis=1, keepdims=True)))
    g = (m > 0) * 1.0
    return m, g - own * g.sum(axis=1, keepdims=True)


HEADS: dict[str, Callable[[Array, Array], tuple[Array, Array]]] = {
    "cross_entropy": lambda o, t: (-t * np.log(soft(o)), soft(o) * t.sum(1, keepdims=True) - t),
    "bce": lambda o, t: (-t * np.log(s(o)) - (1 - t) * np.log(1 - s(o)), s(o) - t),
    "mse": lambda o, t: ((o - t) ** 2, 2 * (o - t)),
    "l1": lambda o, t: (np.abs(o - t), np.sign(o - t)),
    "huber": lambda o, t: (
        np.where(np.abs(o - t) < 1, 0.5 * (o - t) ** 2, np.abs(o - t) - 0.5),
        np.where(np.abs(o - t) < 1, o - t, np.sign(o - t)),
    ),
    "hinge": hinge,
}
OUTS: dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]] = {
    "identity": (lambda z: z, lambda z, d: d),
    "sigmoid": (s, lambda z, d: d * s(z) * (1 - s(z))),
    "tanh": (np.tanh, lambda z, d: d * (1 - np.tanh(z) ** 2)),
    "relu": (lambda z: np.maximum(z, 0), lambda z, d: d * (z > 0)),
    "softmax": (soft, lambda z, d: soft(z) * (d - (soft(z) * d).sum(axis=1, keepdims=True))),
}


def product(a: Array, b: Array, way: str) -> Array:
    """a @ b in one of five ways."""
    if way == "columns":
        return np.ascontiguousarray((np.ascontiguousarray(b.T) @ np.ascontiguousarray(a.T)).T)
    if way == "einsum":
        return np.asarray(np.einsum("ij,jk->ik", a, b))
    if way == "one by one":
        total = np.zeros((len(a), b.shape[1]), a.dtype)
        for i in range(len(b)):
            total += a[:, i : i + 1] * b[i]
        return total
    if way == "blocks":
        half = len(b) // 2
        return np.asarray(a[:, half:] @ b[half:] + a[:, :half] @ b[:half])
    return np.asarray(a @ b)


def network(parameters: dict[str, Array], x: Array, y: Array, asked: Experiment, way: str) -> Any:
    """Loss and gradients, written for this measurement."""
    f, df = ACTS[asked.activation]
    out, pull = OUTS[asked.output]
    layers = sum(name[0] == "w" for name in parameters)
    h, zs = [x], []
    for i in range(1, layers + 1):
        z = product(h[-1], parameters[f"w{i}"], way)
        zs.append(z + parameters[f"b{i}"] if asked.bias else z)
        h.append(f(zs[-1]).astype(x.dtype))
    t = (1 - asked.label_smoothing) * y + asked.label_smoothing / y.shape[1]
    if asked.class_weights is not None:
        t = t * np.array(asked.class_weights, x.dtype)
    terms, d = HEADS[asked.loss](out(zs[-1]), t)
    count = {"mean": len(x), "batch_mean": len(x), "sum": 1}[asked.reduction]
    if asked.reduction == "mean" and asked.loss != "cross_entropy":
        count = y.size
    if asked.class_weights is not None and asked.reduction == "mean":
        count = (y * np.array(asked.class_weights, x.dtype)).sum()
    loss = asked.loss_factor * terms.sum() / count
    dz = (pull(zs[-1], d) * asked.loss_factor / count).astype(x.dtype)
    gradients = {}
    for i in range(layers, 0, -1):
        gradients[f"w{i}"] = product(np.ascontiguousarray(h[i - 1].T), dz, way)
        gradients[f"b{i}"] = dz[::-1].sum(axis=0) if way == "blocks" else dz.sum(axis=0)
        if i > 1:
            w = np.ascontiguousarray(parameters[f"w{i}"].T)
            dz = (product(dz, w, way) * df(zs[i - 2])).astype(x.dtype)
    for name, w in parameters.items():
        if asked.penalise == "all" or name[0] == "w":
            loss += asked.l2 / 2 * (w**2).sum() + asked.l1 * np.abs(w).sum()
            gradients[name] = gradients[name] + asked.l2 * w + asked.l1 * np.sign(w)
    return float(loss), {k: gradients[k].astype(x.dtype) for k in parameters}


ENTRIES: dict[str, dict[str, Any]] = {
    **{name: {"activation": name} for name in ACTIVATION_NAMES},
    **{f"{name} loss": {"loss": name} for name in HEADS},
    **{f"mse behind {name}": {"loss": "mse", "output": name} for name in OUTS},
    "half squared error": {"loss": "mse", "reduction": "batch_mean", "loss_factor": 0.5},
    "l1 and l2": {"l1": 0.01, "l2": 0.05, "penalise": "all"},
    "label smoothing": {"label_smoothing": 0.1},
    "class weights": {"class_weights": True},
    "no biases": {"bias": False},
}


def drawn(entry: dict[str, Any], dtype: str, seed: int) -> tuple[Experiment, PointJudge, Points]:
    """Return one network of an entry, its judge, an ordinary point and an edge."""
    generator = np.random.default_rng(seed)
    hidden = tuple(int(n) for n in generator.integers(2, 40, int(generator.integers(1, 4))))
    sizes = (int(generator.integers(2, 60)), *hidden, int(generator.integers(2, 12)))
    entry = dict(entry)
    if "class_weights" in entry:
        entry["class_weights"] = tuple(generator.random(sizes[-1]) + 0.1)
    asked = Experiment(hidden=hidden, dtype=dtype, **entry)
    judge = PointJudge(experiment=asked, reference=build_reference(asked, sizes))
    rows = generator.normal(size=(200, sizes[0])) * 10.0 ** generator.uniform(-2, 0.3)
    options: dict[str, Any] = {
        "activation": asked.activation, "dtype": dtype, "seed": seed,
        "objective": asked.objective, "bias": asked.bias,
    }  # fmt: skip
    points = draw_probes(sizes, rows=rows, **options)
    edges = edge_probes(sizes, **options)
    ordinary = points[seed % 3 if asked.class_weights is None else seed % 2]
    return asked, judge, (ordinary, edges[seed % len(edges)])


def worst(entry: dict[str, Any], dtype: str, seed: int) -> float:
    """The worst ratio of one network, infinite if it is accused, NaN if its loss is not finite."""
    asked, judge, points = drawn(entry, dtype, seed)
    found = [worst_at(probe, asked, judge, WAYS[seed % len(WAYS)]) for probe in points]
    told = [one for one in found if not np.isnan(one)]
    return max(told, default=np.nan)


def worst_at(probe: Probe, asked: Experiment, judge: PointJudge, way: str) -> float:
    """The same of one point."""
    with np.errstate(all="ignore"):
        loss, gradients = network(dict(probe.parameters), probe.x, probe.targets, asked, way)
    examined = judge.same_point(probe.parameters, probe.x, probe.targets, loss, gradients)
    if not np.isfinite(loss):  # log(0): what the textbook's formula does, and no rounding
        return np.nan
    return examined.worst_ratio if examined.agrees else np.inf


def scaled(entry: dict[str, Any], dtype: str, seed: int) -> Counter[str]:
    """How many tensors of an ordinary point are seen to be wrong when they are multiplied by
    1 + 1e-12 or 1 + 1e-4, how many are called weak there, and how many are missed."""
    asked, judge, (probe, _) = drawn(entry, dtype, seed)
    point, way = (dict(probe.parameters), probe.x, probe.targets), WAYS[seed % len(WAYS)]
    with np.errstate(all="ignore"):
        loss, gradients = network(*point, asked, way)
    examined = judge.same_point(*point, loss, gradients)
    found: Counter[str] = Counter()
    for name, gradient in gradients.items():
        if smallest_scale_error(name, gradient, examined.allowances) > PROMISED[dtype]:
            found["weak"] += 1
            continue
        wrong = gradients | {name: gradient * gradient.dtype.type(1 + PROMISED[dtype])}
        found["missed" if judge.same_point(*point, loss, wrong).agrees else "seen"] += 1
    return found


def main() -> None:
    """Print the worst ratio, the accused and the scale errors of every entry and format."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    for name, entry in ENTRIES.items():
        for dtype in ("float64", "float32"):
            found = np.array([worst(entry, dtype, seed) for seed in range(count)])
            planted = sum((scaled(entry, dtype, seed) for seed in range(count)), Counter[str]())
            told = found[~np.isnan(found)]
            accused, lost = int(np.isinf(told).sum()), count - len(told)
            print(
                f"{name:24} {dtype}  accused {accused} of {len(told)}, worst {told.max():.3f}"
                + f", {lost} not finite" * (lost > 0)
                + f"; errors of {PROMISED[dtype]:g}: {planted['missed']} missed,"
                f" {planted['seen']} seen, {planted['weak']} weak"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
