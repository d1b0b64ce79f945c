"""Samples that repeat, exactly or nearly, and units that do: their errors are not independent."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.power.case import Float, Sketch
from benchmarks.power.networks import Generator, log_uniform, ordinary, whole


def alike(generator: Generator) -> Sketch:
    """An ordinary point with repeated rows, in any order, nearly equal or sorted, or with twins."""
    drawn = ordinary(generator)
    which = generator.integers(4)
    if which == 3:
        return replace(drawn, parameters=twin_units(generator, drawn.parameters))
    rows = len(drawn.x)
    picked = generator.integers(0, whole(generator, 1, rows), rows)
    if which == 2:
        picked.sort()
    x = drawn.x[picked]
    if which == 1:
        x = x * (1 + log_uniform(generator, 1e-16, 1e-2) * generator.normal(size=x.shape))
    same_targets = generator.random() < 0.5
    return replace(drawn, x=x, targets=drawn.targets[picked] if same_targets else drawn.targets)


def twin_units(generator: Generator, parameters: dict[str, Float]) -> dict[str, Float]:
    """Make hidden units copies of a few of them: equal columns of w and equal biases."""
    changed = dict(parameters)
    for layer in range(1, len(parameters) // 2):
        units = parameters[f"b{layer}"].size
        picked = generator.integers(0, whole(generator, 1, units), units)
        changed[f"w{layer}"] = parameters[f"w{layer}"][:, picked]
        changed[f"b{layer}"] = parameters[f"b{layer}"][picked]
    return changed
