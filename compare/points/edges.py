"""Points at the edges of what ordinary ones reach: units just above 0, and very large units.

A mask with a threshold of 1e-5, units that are cut off at 6, gradients that are clipped at 5: all
of them are right at ordinary points. Only for units that are linear on both sides of 0: there a
large unit changes nothing for right code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from compare.allowance.rules import ACTIVATION_RULES
from compare.contracts.records import depth
from compare.points.probe import Probe, draw_probes

NEAR = "units just above 0"
LARGE = "large units"
SMALLEST, LARGEST = -12, -3
"""Decades of the units just above 0."""
GAIN = 50.0
"""By how much the first layer's weights are larger, and the last layer's smaller."""


def edge_probes(
    sizes: Sequence[int],
    *,
    activation: str,
    dtype: DTypeLike,
    seed: int,
    rows: NDArray[Any] | None = None,
) -> list[Probe]:
    """Return the two points; none without a hidden layer, or where units are not linear."""
    kinks = ACTIVATION_RULES[activation].kinks
    if len(sizes) < 3 or list(kinks) != [0.0]:
        return []
    near, far = (
        draw_probes(sizes, activation=activation, dtype=dtype, seed=seed + n, rows=rows)[0]
        for n in (1, 2)
    )
    return [just_above(near), large(far)]


def just_above(probe: Probe) -> Probe:
    """Return a point whose first row has units between 1e-12 and 1e-3 in the first layer."""
    b1 = probe.parameters["b1"]
    above = np.logspace(LARGEST, SMALLEST, 2 * (LARGEST - SMALLEST) + 1)
    parameters = probe.parameters | {"b1": np.resize(above, b1.shape).astype(b1.dtype)}
    x = probe.x.copy()
    x[0] = 0  # so z1[0] = b1 exactly, on every side
    return Probe(parameters, x, probe.targets, NEAR)


def large(probe: Probe) -> Probe:
    """Return a point with units far above 1 and ordinary logits."""
    last = f"w{depth(probe.parameters)}"
    parameters = dict(probe.parameters)
    parameters["w1"] = parameters["w1"] * parameters["w1"].dtype.type(GAIN)
    parameters[last] = parameters[last] / parameters[last].dtype.type(GAIN)
    return Probe(parameters, probe.x, probe.targets, LARGE)
