"""What is measured at one point: honest ratios, weak tensors, planted errors seen, other rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from benchmarks.layers.catalogue import LAYERS
from benchmarks.layers.honest import Drawn, numbers, random_point, ratio
from benchmarks.layers.layer import Array, Layer
from benchmarks.layers.planted import PLANTED, root_mean_square
from compare.layers.seen import SEEN, smallest_scale_error

FORMATS = ("float32", "float64")
ERRORS = {"float32": (1e-4, 1e-3), "float64": (1e-12, 1e-11)}
"""Of a scale error, and of one entry, one row, half of the signs: always seen where not weak."""
Rule = Callable[[Array, Array, str], bool]


def close_of_torch(manual: Array, right: Array, form: str) -> bool:
    """`torch.testing.assert_close` with its own tolerances for the format."""
    rtol, atol = {"float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}[form]
    return bool(np.allclose(manual, right, rtol=rtol, atol=atol))


RULES: Mapping[str, Rule] = {
    "assert_close": close_of_torch,
    "np.allclose": lambda manual, right, form: bool(np.allclose(manual, right)),
}
"""What people use on tensors; gradcheck, which is run on functions, has its own file."""


@dataclass
class Tally:
    """Counts over many points, of one layer and format."""

    tensors: int = 0
    weak: int = 0
    undecided: int = 0
    worst: float = 0.0
    worst_at: str = ""
    accused: int = 0
    planted: dict[str, int] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    excused: dict[str, int] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Add the counts of another tally."""
        self.tensors += other.tensors
        self.weak += other.weak
        self.undecided += other.undecided
        self.accused += other.accused
        if other.worst > self.worst:
            self.worst, self.worst_at = other.worst, other.worst_at
        for counts in ("planted", "missed", "rejected", "excused"):
            mine: dict[str, int] = getattr(self, counts)
            for key, count in getattr(other, counts).items():
                mine[key] = mine.get(key, 0) + count


def measured(seed: int, points: int, number: int) -> Tally:
    """Measure one layer in one format: two numbers for each layer of the catalogue."""
    return measure(LAYERS[number // 2], FORMATS[number % 2], seed, points)


def measure(layer: Layer, form: str, seed: int, points: int) -> Tally:
    """Draw points of one layer and measure them."""
    torch.set_num_threads(1)
    generator = np.random.default_rng([seed, sum(map(ord, layer.name + form))])
    tally = Tally()
    for _ in range(points):
        point = random_point(layer, generator, form)
        if point.analysed.doubt is not None or point.analysed.unruled:
            tally.undecided += 1
            continue
        at_point(layer, point, generator, tally)
    return tally


def at_point(layer: Layer, point: Drawn, generator: np.random.Generator, tally: Tally) -> None:
    """Measure one point."""
    analysed = point.analysed
    for way in layer.honest:
        for name, values in numbers(layer, point, way).items():
            right, allowance = analysed.reference[name], analysed.allowances[name]
            found = ratio(values, right, allowance)
            tally.tensors += 1
            tally.accused += found > 1
            if found > tally.worst:
                tally.worst, tally.worst_at = found, f"{name}, {way}"
            for rule, accepts in RULES.items():
                if not accepts(np.asarray(values, dtype=np.float64), right, point.form):
                    tally.rejected[rule] = tally.rejected.get(rule, 0) + 1
    honest = numbers(layer, point, next(iter(layer.honest)))
    for name in (n for n in honest if n.startswith("d")):
        plant(name, np.asarray(honest[name], dtype=np.float64), point, generator, tally)


def plant(
    name: str, values: Array, point: Drawn, generator: np.random.Generator, tally: Tally
) -> None:
    """Plant every kind of error in one right gradient, if it is not weak there."""
    right, allowance = point.analysed.reference[name], point.analysed.allowances[name]
    if not right.any():
        return
    tally.planted["tensors"] = tally.planted.get("tensors", 0) + 1
    if smallest_scale_error(right, allowance) > SEEN[point.form] or not reaches(point, name):
        tally.weak += 1
        return
    for kind, spoil in PLANTED.items():
        size = ERRORS[point.form][kind != "scale"]
        spoilt = spoil(generator, values, size)
        tally.planted[kind] = tally.planted.get(kind, 0) + 1
        if ratio(spoilt, right, allowance) <= 1:
            tally.missed[kind] = tally.missed.get(kind, 0) + 1
        for rule, accepts in RULES.items():
            if accepts(spoilt, right, point.form):
                tally.excused[rule] = tally.excused.get(rule, 0) + 1


def reaches(point: Drawn, name: str) -> bool:
    """Return whether an error of the promised size of any shape is longer than the allowances."""
    right, allowance = point.analysed.reference[name], point.analysed.allowances[name]
    size = ERRORS[point.form][1]
    return bool(1.5 * root_mean_square(allowance) <= size * root_mean_square(right))


def rows(tallies: Mapping[tuple[str, str], Tally]) -> Iterator[str]:
    """Yield a Markdown table, one row per layer and format."""
    yield "| layer | format | honest tensors | accused | worst | weak | planted | missed |"
    yield "|---|---|---|---|---|---|---|---|"
    for (layer, form), t in tallies.items():
        planted = sum(n for kind, n in t.planted.items() if kind != "tensors")
        weak = t.weak / max(1, t.planted.get("tensors", 0))
        yield (
            f"| {layer} | {form} | {t.tensors:,} | {t.accused} | {t.worst:.2f} ({t.worst_at}) | "
            f"{weak:.1%} | {planted:,} | {sum(t.missed.values())} |"
        )
