"""Points at the edges of what ordinary ones reach: units just above 0, large units, large inputs.

A mask with a threshold of 1e-5, units that are cut off at 6, a sigmoid of what is clipped at 10,
gradients that are clipped at 5: all of them are right at ordinary points. Right code is right here
too: units end where libraries begin to cut curves off, and before exponentials overflow.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from compare.allowance.rules import ACTIVATION_RULES, ActivationRule
from compare.contracts.objective import Objective
from compare.points.probe import Probe, draw_probes

NEAR = "units just above 0"
LARGE = "large units"
LOUD = "large inputs"
SMALLEST, LARGEST = -12, -3
"""Decades of the units just above 0."""
FAR = 150.0
"""The largest unit where the activation is made of straight lines."""
SATURATED = 18.0
"""The largest unit elsewhere: beyond 20 many libraries, torch too, let softplus be a straight line,
and people clip what a sigmoid takes; exp of twice as much is finite in float32."""
LEFT = 1e-12
"""Where a slope is so near to its limit, nothing is left that code could do wrong."""
GAIN = 100.0
"""By how much the inputs are larger, and the weights that take them smaller."""


def edge_probes(
    sizes: Sequence[int],
    *,
    activation: str,
    dtype: DTypeLike,
    seed: int,
    objective: Objective | None = None,
    bias: bool = True,
) -> list[Probe]:
    """Return the points, none without a hidden layer; for networks without normalisation and
    dropout."""
    if len(sizes) < 3:
        return []
    rule = ACTIVATION_RULES[activation]
    draw = partial(
        draw_probes, sizes, activation=activation, dtype=dtype, objective=objective, bias=bias
    )
    near, far, loud = (draw(seed=seed + n)[0] for n in (1, 2, 3))
    beside = [just_above(near)] if bias and 0.0 in rule.kinks else []
    return [*beside, large(far, rule), with_large_inputs(loud)]


def just_above(probe: Probe) -> Probe:
    """Return a point whose first row has units between 1e-12 and 1e-3 in the first layer."""
    b1 = probe.parameters["b1"]
    above = np.logspace(LARGEST, SMALLEST, 2 * (LARGEST - SMALLEST) + 1)
    parameters = probe.parameters | {"b1": np.resize(above, b1.shape).astype(b1.dtype)}
    x = probe.x.copy()
    x[0] = 0  # so z1[0] = b1 exactly, on every side
    return Probe(parameters, x, probe.targets, NEAR)


def large(probe: Probe, rule: ActivationRule) -> Probe:
    """Return a point whose first layer reaches from ordinary units to large ones, and no further.

    What grows with its units is taken back by the weights behind them: the logits are ordinary.
    """
    w1, w2 = probe.parameters["w1"], probe.parameters["w2"]  # (F, H), (H, ...)
    reach = reach_of(rule)
    largest = np.abs(probe.x @ w1).max(axis=0)  # (H,)
    gain = (np.geomspace(reach, 1.0, len(largest)) / largest).astype(w1.dtype)
    grows = float(np.abs(rule.f(np.array([-reach, reach]))).max()) > reach / 2
    behind = w2 / gain[:, np.newaxis] if grows else w2
    return Probe(probe.parameters | {"w1": w1 * gain, "w2": behind}, probe.x, probe.targets, LARGE)


def reach_of(rule: ActivationRule) -> float:
    """Return how far units go: of a curved activation until its slope has reached its limits.

    Beyond, an exponential of a cube, as GELU's tanh takes it, overflows for nothing.
    """
    if rule.steepest_bend == 0:
        return FAR
    far = np.linspace(1.0, SATURATED, 100)
    both = np.stack([-far, far])  # (2, 100)
    slopes = rule.slope(both if rule.of_z else rule.f(both))
    changing = (np.abs(slopes - slopes[:, -1:]) > LEFT).any(axis=0)
    return float(far[changing].max(initial=1.0))


def with_large_inputs(probe: Probe) -> Probe:
    """Return a point with large inputs and ordinary units: the gradients of w1 are large."""
    gain = probe.x.dtype.type(GAIN)
    parameters: dict[str, Any] = probe.parameters | {"w1": probe.parameters["w1"] / gain}
    return Probe(parameters, probe.x * gain, probe.targets, LOUD)
