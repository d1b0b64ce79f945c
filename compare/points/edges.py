"""Points at the edges of what ordinary ones reach: units just above 0, large units, inputs, logits.

A mask with a threshold of 1e-5, units that are cut off at 6, a sigmoid of what is clipped at 10,
gradients that are clipped at 5, a variance kept above 1e-6, logits that are clipped at 15, rows
left out once they are right, a joint of two pieces that is a little off: all of them are right at
ordinary points. Right code is right here too: units end where libraries begin to cut curves off,
and before exponentials overflow. What an activation takes is n = gamma s + beta in a normalised
layer, z in another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

import manual_mlp
from compare.allowance.rules import ACTIVATION_RULES, ActivationRule
from compare.contracts.arrays import Array, Arrays
from compare.contracts.between import PLAIN, Between
from compare.contracts.objective import Objective
from compare.contracts.records import depth
from compare.points.probe import Probe, draw_probes
from manual_mlp.normalise import standardise

NEAR = "units just above 0"
LARGE = "large units"
LOUD = "large inputs"
STILL = "variances far below eps"
BESIDE = "units just beside {:g}"
JOINT = "errors just beside a joint of the loss"
ALIKE = "large logits, all of a row alike"
SURE = "rows that are all but right"
JOINTS = {"l1": 0.0, "huber": 1.0, "hinge": 0.0}
"""Where two pieces of a loss are joined: the error, or the margin of a class, there."""
SMALLEST, LARGEST = -12, -3
"""Decades of the units just above 0."""
RESOLVED = 64
"""Beside a kink elsewhere, a unit is at least so many of the format's own steps away from it."""
FAR = 150.0
"""The largest unit where the activation is made of straight lines."""
SATURATED = 18.0
"""The largest unit elsewhere: beyond 20 many libraries, torch too, let softplus be a straight line,
and people clip what a sigmoid takes; exp of twice as much is finite in float32."""
LEFT = 1e-12
"""Where a slope is so near to its limit, nothing is left that code could do wrong."""
SURELY, SPREAD = 12.0, 16.0
"""The largest lead of a logit over the others of its row, and over the smallest: 1 - p is some 1e-5
there, the smallest p some 1e-7. Beyond, many keep p away from 1 and 0, which is a convention."""
NEARLY = 0.1
"""The share of what classes differ by that stays where they are nearly alike."""
AROUND = SATURATED - 4
"""Large logits, so that the largest of ordinary ones around it end there too."""
GAIN = 100.0
"""By how much the inputs are larger, and the weights that take them smaller."""
SMALLEST_DEVIATION = 1e-5
"""Its square is a variance of 1e-10, beside an eps of 1e-5."""


def edge_probes(
    sizes: Sequence[int],
    *,
    activation: str,
    dtype: DTypeLike,
    seed: int,
    objective: Objective | None = None,
    bias: bool = True,
    between: Between = PLAIN,
) -> list[Probe]:
    """Return the points, in training; none without a hidden layer.

    Units just above 0 need something that sets them exactly: a bias, or gamma and beta.
    """
    if len(sizes) < 3:
        return []
    rule = ACTIVATION_RULES[activation]
    draw = partial(
        draw_probes, sizes, activation=activation, dtype=dtype, objective=objective, bias=bias,
        between=between,
    )  # fmt: skip
    near, far, loud, still, alike, sure = (draw(seed=seed + n)[0] for n in range(1, 7))
    normalised = between.normalisation != "none"
    settable = between.affine if normalised else bias
    points = [just_beside(near, kink) for kink in rule.kinks] if settable else []
    points += [large(far, rule, between)] if between.affine or not normalised else []
    points += [with_large_inputs(loud)]
    named = Objective() if objective is None else objective
    if bias and (named.loss == "cross_entropy" or named.output == "softmax"):
        points += [with_logits_around(AROUND, alike)]
    if between == PLAIN and named.plain and sizes[-1] > 1:
        points += [nearly_right(sure, activation)]
    if between == PLAIN and bias and named.loss in JOINTS and named.output == "identity":
        points += [beside_a_joint(alike, activation, named.loss)]
    return [*points, varying_little(still, between)] if normalised else points


def just_beside(probe: Probe, kink: float) -> Probe:
    """Return a point that has units 1e-12 to 1e-3 beside a kink in the first layer, above 0 alone
    or on both sides of another one: all of the first row, or every second unit in all rows where
    they are normalised."""
    given, context = probe.parameters, dict(probe.context)
    note = BESIDE.format(kink) if kink else NEAR
    if "gamma1" in given:
        scale, shift = given["gamma1"].copy(), given["beta1"].copy()
        scale[::2] = 0  # so n1 = beta1 exactly
        shift[::2] = around(kink, len(shift[::2]), probe.x.dtype)
        changed = given | {"gamma1": scale, "beta1": shift}
        return replace(probe, parameters=changed, note=note)
    b1, x = given["b1"], probe.x.copy()
    x[0] = 0  # so z1[0] = b1 exactly, on every side
    if "mask1" in context:
        context["mask1"] = context["mask1"].copy()
        context["mask1"][0] = True
    changed = given | {"b1": around(kink, len(b1), probe.x.dtype).astype(b1.dtype)}
    return replace(probe, parameters=changed, x=x, note=note, context=context)


def around(kink: float, count: int, dtype: DTypeLike) -> Array:
    """Return so many values beside a kink: above 0, and on both sides of another one by turns, no
    nearer than the format can tell."""
    if not kink:
        return decades(count)
    sides = np.where(np.arange(count) % 2, -1.0, 1.0)
    return kink + sides * decades(count, np.log10(RESOLVED * np.finfo(dtype).eps))


def beside_a_joint(probe: Probe, activation: str, loss: str) -> Probe:
    """Return a point whose first row has errors on both sides of where pieces of a loss meet, or
    margins there, of all classes but its own."""
    given, y = probe.parameters, probe.targets[0]
    o = manual_mlp.forward(given, probe.x, activation=activation)["logits"][0]
    t = int(y.argmax())
    error = o - o[t] + 1 if loss == "hinge" else o - y
    beside = around(1.0, len(o), probe.x.dtype) - 1  # both sides of 0, as o around it has digits
    shift = JOINTS[loss] + beside - error
    if loss == "hinge":
        shift[t] = 0
    last = f"b{depth(given)}"
    shifted = (given[last] + shift).astype(probe.x.dtype)
    return replace(probe, parameters=given | {last: shifted}, note=JOINT)


def decades(count: int, smallest: float = SMALLEST) -> Array:
    """Return so many values from the smallest to the largest, however few they are."""
    return np.logspace(max(smallest, SMALLEST), LARGEST, count)


def large(probe: Probe, rule: ActivationRule, between: Between = PLAIN) -> Probe:
    """Return a point whose first layer reaches from ordinary units to large ones, and no further.

    What grows with its units is taken back by the weights behind them: the logits are ordinary.
    """
    given = probe.parameters
    reach = reach_of(rule)
    largest = np.abs(without_shift(given, probe.x, between)).max(axis=0)  # (H,)
    gain = (np.geomspace(reach, 1.0, len(largest)) / largest).astype(probe.x.dtype)
    grows = float(np.abs(rule.f(np.array([-reach, reach]))).max()) > reach / 2
    scaled = "gamma1" if "gamma1" in given else "w1"
    behind = given["w2"] / gain[:, np.newaxis] if grows else given["w2"]
    return replace(
        probe, parameters=given | {scaled: given[scaled] * gain, "w2": behind}, note=LARGE
    )


def without_shift(parameters: Arrays, x: Array, between: Between) -> Array:
    """Return what the first layer adds its bias or beta to: x w1, or gamma s."""
    z = x @ parameters["w1"]  # (N, H)
    if "gamma1" not in parameters:
        return np.asarray(z)
    z = z + parameters["b1"] if "b1" in parameters else z
    return np.asarray(parameters["gamma1"] * standardise(z, between.normalisation).s)


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
    return replace(probe, parameters=parameters, x=probe.x * gain, note=LOUD)


def with_logits_around(level: float, probe: Probe) -> Probe:
    """Return a point whose logits all lie around a large number: softmax is an ordinary one."""
    last = f"b{depth(probe.parameters)}"
    shifted = probe.parameters[last] + probe.x.dtype.type(level)
    return replace(probe, parameters=probe.parameters | {last: shifted}, note=ALIKE)


def nearly_right(probe: Probe, activation: str) -> Probe:
    """Return a point where every row has its largest logit at its class, by far or by little.

    The classes but the first are nearly alike, so that none has a probability next to 0.
    """
    given, rows = dict(probe.parameters), np.arange(len(probe.x))
    last = [name for name in (f"w{depth(given)}", f"b{depth(given)}") if name in given]
    for name in last:
        others = given[name][..., 1:]
        common = others.mean(axis=-1, keepdims=True)
        nearly = (common + NEARLY * (others - common)).astype(others.dtype)
        given[name] = np.concatenate([given[name][..., :1], nearly], axis=-1)
    z = manual_mlp.forward(given, probe.x, activation=activation)["logits"]  # (N, K)
    lead, behind = (float((sign * (z[:, 0] - z[:, -1])).max()) for sign in (1, -1))
    if lead > 0:
        gain = z.dtype.type(min(SURELY / lead, SPREAD / max(behind, lead)))
        given |= {name: gain * given[name] for name in last}
    targets = np.zeros_like(probe.targets)
    targets[rows, z.argmax(axis=1)] = 1
    return replace(probe, parameters=given, targets=targets, note=SURE)


def varying_little(probe: Probe, between: Between) -> Probe:
    """Return a point whose first layer has variances from ordinary ones far down below eps: of its
    units over the batch, or of its rows."""
    given, x = probe.parameters, probe.x
    if between.normalisation == "batch":
        share = np.geomspace(1.0, SMALLEST_DEVIATION, given["w1"].shape[1]).astype(x.dtype)
        changed = {name: given[name] * share for name in ("w1", "b1") if name in given}
        return replace(probe, parameters=given | changed, note=STILL)
    share = np.geomspace(1.0, SMALLEST_DEVIATION, len(x)).astype(x.dtype)
    without = {name: np.zeros_like(given[name]) for name in ("b1",) if name in given}
    parameters = given | without
    return replace(probe, parameters=parameters, x=x * share[:, np.newaxis], note=STILL)
