"""One network of an entry at an ordinary point and at an edge: how far honest code comes from torch
there, and whether a scale error of the promised size is seen."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any, cast

import numpy as np

from benchmarks.between.ways import VALUES
from benchmarks.between.ways import WAYS as OTHER_WAYS
from benchmarks.between.ways import network as other_network
from benchmarks.declared.formulas import HEADS, OUTS, WAYS, network
from compare.checks.weak import PROMISED, smallest_scale_error
from compare.contracts.experiment import ACTIVATION_NAMES, Experiment
from compare.examine.sides import build_reference
from compare.judge.point import PointJudge
from compare.points.edges import edge_probes
from compare.points.probe import SOFT, Probe, draw_probes

Points = tuple[Probe, Probe]

ENTRIES: dict[str, dict[str, Any]] = {
    **{name: {"activation": name} for name in ACTIVATION_NAMES},
    **{f"{name} loss": {"loss": name} for name in HEADS},
    **{f"mse behind {name}": {"loss": "mse", "output": name} for name in OUTS},
    "half squared error": {"loss": "mse", "reduction": "batch_mean", "loss_factor": 0.5},
    "l1 and l2": {"l1": 0.01, "l2": 0.05, "penalise": "all"},
    "label smoothing": {"label_smoothing": 0.1},
    "class weights": {"class_weights": True},
    "ignored rows": {"ignore_index": 0},
    "one output, bce": {"loss": "bce", "outputs": 1},
    "one output, mse": {"loss": "mse", "outputs": 1},
    "batch normalisation": {"normalisation": "batch"},
    "layer normalisation": {"normalisation": "layer"},
    "dropout": {"dropout": 0.4},
    "batch normalisation and dropout": {"normalisation": "batch", "dropout": 0.3},
    "layer normalisation and dropout": {"normalisation": "layer", "dropout": 0.3},
    "no biases": {"bias": False},
}


def drawn(entry: dict[str, Any], dtype: str, seed: int) -> tuple[Experiment, PointJudge, Points]:
    """Return one network of an entry, its judge, an ordinary point and an edge."""
    generator = np.random.default_rng(seed)
    hidden = tuple(int(n) for n in generator.integers(2, 40, int(generator.integers(1, 4))))
    sizes = (int(generator.integers(2, 60)), *hidden, int(generator.integers(2, 12)))
    entry = dict(entry)
    sizes = (*sizes[:-1], entry.pop("outputs", sizes[-1]))
    if "class_weights" in entry:
        entry["class_weights"] = tuple(generator.random(sizes[-1]) + 0.1)
    if "normalisation" in entry or "dropout" in entry:
        entry["activation"] = tuple(VALUES)[seed % len(VALUES)]
    asked = Experiment(hidden=hidden, dtype=dtype, **entry)
    judge = PointJudge(experiment=asked, reference=build_reference(asked, sizes))
    rows = generator.normal(size=(200, sizes[0])) * 10.0 ** generator.uniform(-2, 0.3)
    options: dict[str, Any] = {
        "activation": asked.activation, "dtype": dtype, "seed": seed,
        "objective": asked.objective, "bias": asked.bias, "between": asked.between,
    }  # fmt: skip
    points = draw_probes(sizes, rows=rows, **options)
    if asked.objective.one_hot:
        points = [one for one in points if one.note != SOFT]
    edges = edge_probes(sizes, **options)
    first = points[seed % (3 if asked.between.plain else len(points)) % len(points)]
    return asked, judge, (first, edges[seed % len(edges)])


def computed(probe: Probe, asked: Experiment, seed: int) -> tuple[float, Any]:
    """Return honest loss and gradients, in the way of writing that is this seed's turn."""
    at = dict(probe.parameters), probe.x, probe.targets
    with np.errstate(all="ignore"):
        if asked.between.plain:
            return cast("tuple[float, Any]", network(*at, asked, WAYS[seed % len(WAYS)]))
        way = tuple(OTHER_WAYS)[seed // len(VALUES) % len(OTHER_WAYS)]
        declared = asked.normalisation, asked.dropout, asked.activation
        return other_network(way, *declared)(*at, probe.context)


def ratios(entry: dict[str, Any], dtype: str, seed: int) -> list[float]:
    """The worst ratio at each point of a network, infinite if it is accused there, NaN if its loss
    is not finite."""
    asked, judge, points = drawn(entry, dtype, seed)
    return [worst_at(probe, asked, judge, seed) for probe in points]


def worst_at(probe: Probe, asked: Experiment, judge: PointJudge, seed: int) -> float:
    """The worst ratio at one point: loss and all gradients are one comparison."""
    loss, gradients = computed(probe, asked, seed)
    at = probe.parameters, probe.x, probe.targets
    examined = judge.same_point(*at, loss, gradients, context=probe.context)
    if not np.isfinite(loss):  # log(0): what the textbook's formula does, and no rounding
        return np.nan
    return examined.worst_ratio if examined.agrees else np.inf


def scaled(entry: dict[str, Any], dtype: str, seed: int) -> Counter[str]:
    """How many tensors of an ordinary point are seen to be wrong when they are multiplied by
    1 + 1e-12 or 1 + 1e-4, how many are called weak there, and how many are missed."""
    asked, judge, (probe, _) = drawn(entry, dtype, seed)
    loss, gradients = computed(probe, asked, seed)
    held = partial(
        judge.same_point, probe.parameters, probe.x, probe.targets, context=probe.context
    )
    allowances = held(loss=loss, gradients=gradients).allowances
    found: Counter[str] = Counter()
    for name, gradient in gradients.items():
        if smallest_scale_error(name, gradient, allowances) > PROMISED[dtype]:
            found["weak"] += 1
            continue
        wrong = gradients | {name: gradient * gradient.dtype.type(1 + PROMISED[dtype])}
        found["missed" if held(loss=loss, gradients=wrong).agrees else "seen"] += 1
    return found


def measured(entry: dict[str, Any], dtype: str, seeds: range) -> tuple[float, Counter[str]]:
    """Return the worst ratio of some networks of an entry, and counts: of comparisons, of the
    accused, of those whose loss is no number, of scale errors."""
    found_at = [ratio for seed in seeds for ratio in ratios(entry, dtype, seed)]
    told = [ratio for ratio in found_at if not np.isnan(ratio)]
    found = sum((scaled(entry, dtype, seed) for seed in seeds), Counter[str]())
    found.update(
        compared=len(told),
        accused=sum(ratio == np.inf for ratio in told),
        infinite=len(found_at) - len(told),
    )
    return max(told, default=0.0), found
