"""Probe points: places where a wrong gradient cannot hide.

A check at zero biases, with a batch of one or square weights passes many a wrong derivation. A
probe has non-zero biases, more samples than one and as many as no other dimension, unequal
targets, no unit that is off for every sample, and logits that are neither uniform nor saturated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

import manual_mlp
from compare.allowance.rules import ACTIVATION_RULES, ActivationRule
from compare.contracts.arrays import Arrays
from compare.contracts.between import PLAIN, Between, Context, ordered
from compare.contracts.objective import Objective
from compare.contracts.records import depth
from compare.points.drawing import batch_sizes, draw_between, draw_parameters, draw_targets

LEAST_ROWS = 17
BIASES = 0.3
ON_KINK = "one unit exactly on a kink"
SOFT = "soft targets"
QUIET = "a variance not far from eps"
EVALUATION = "in evaluation"


@dataclass(frozen=True, slots=True)
class Probe:
    """One point: `x` (N, F), `targets` (N, K), rows that sum to 1; `note` says what is special."""

    parameters: Arrays
    x: NDArray[Any]
    targets: NDArray[Any]
    note: str
    context: Context = field(default_factory=dict)

    @property
    def how(self) -> dict[str, Any]:
        """Return the keyword that an implementation gets besides: none without a context."""
        return {"context": self.context} if self.context else {}

    def in_order(self, order: NDArray[np.int64]) -> Probe:
        """Return the same rows in another order."""
        context = {k: v[order] if k.startswith("mask") else v for k, v in self.context.items()}
        return Probe(self.parameters, self.x[order], self.targets[order], self.note, context)


def draw_probes(
    sizes: Sequence[int],
    *,
    activation: str,
    dtype: DTypeLike,
    seed: int,
    soft: bool = True,
    rows: NDArray[Any] | None = None,
    objective: Objective | None = None,
    bias: bool = True,
    between: Between = PLAIN,
) -> list[Probe]:
    """Return probes for a network of `sizes`: ordinary, confident, and with soft targets.

    `rows` are real inputs to draw the batch from; without them inputs are standard normal.
    `soft=False` leaves soft targets out, for code that only takes one-hot rows. `objective` says
    what targets may be, softmax cross-entropy by default; without `bias` there are only weights.
    With batch normalisation or dropout one probe is `between`'s in evaluation.
    """
    generator = np.random.default_rng(seed)
    draw = partial(
        _draw, sizes, activation, np.dtype(dtype), generator, rows, objective or Objective(), bias
    )
    kinds = [("fresh weights", 1.0, False), ("confident logits", 3.0, False)]
    kinds += [(SOFT, 1.0, True)] if soft else []
    probes = [draw(*kind) for kind in kinds]
    kinks = ACTIVATION_RULES[activation].kinks and between.normalisation == "none"
    if kinks and len(sizes) > 2 and bias:
        on_kink = draw(ON_KINK, 1.0, False)
        on_kink.x[0] = 0
        on_kink.parameters["b1"][0] = 0  # z1[0, 0] = 0 exactly, on every side
        probes.append(on_kink)
    if between.plain or len(sizes) == 2:
        return probes
    probes[3:3] = [] if between.as_in_evaluation else [draw(EVALUATION, 1.0, False)]
    if between.normalisation != "none":
        probes[3:3] = [quiet(draw(QUIET, 1.0, False))]
    return [furnished(probe, between, sizes, (seed, i)) for i, probe in enumerate(probes)]


def quiet(probe: Probe) -> Probe:
    """Return a probe whose hidden layers vary so little that eps counts beside the variance."""
    last = depth(probe.parameters)
    hidden = [name for name in probe.parameters if not name.endswith(str(last))]
    for name in hidden:
        probe.parameters[name] *= probe.x.dtype.type(0.01)
    return probe


def furnished(probe: Probe, between: Between, sizes: Sequence[int], seed: tuple[int, int]) -> Probe:
    """Return a probe with scales, masks and running statistics, none as a training starts."""
    generator, dtype = np.random.default_rng((*seed, 1)), probe.x.dtype
    scales, context = draw_between(between, sizes, len(probe.x), generator, dtype, seed)
    if probe.note == ON_KINK and "mask1" in context:
        context["mask1"][0, 0] = True
    context["training"] = np.array(probe.note != EVALUATION)
    parameters = ordered(probe.parameters | scales)
    return replace(probe, parameters=parameters, context=context)


def _draw(
    sizes: Sequence[int],
    activation: str,
    dtype: np.dtype[Any],
    generator: np.random.Generator,
    rows: NDArray[Any] | None,
    objective: Objective,
    bias: bool,
    note: str,
    gain: float,
    soft: bool,
) -> Probe:
    """Draw once, then move the bias of every unit that is off for the whole batch."""
    size, rule = next(batch_sizes(sizes, LEAST_ROWS)), ACTIVATION_RULES[activation]
    x = _inputs(generator, rows, size, sizes[0])
    targets = draw_targets(generator, size, sizes[-1], soft, objective)
    parameters = draw_parameters(sizes, generator, BIASES)
    parameters[f"w{len(sizes) - 1}"] *= gain
    if not bias:
        parameters = {name: array for name, array in parameters.items() if name[0] == "w"}
    elif rule.kinks:
        _wake(parameters, x, rule)
    typed = {name: array.astype(dtype) for name, array in parameters.items()}
    return Probe(typed, x.astype(dtype), targets.astype(dtype), note)


def _wake(parameters: Arrays, x: NDArray[np.float64], rule: ActivationRule) -> None:
    """Turn every dead unit on for half of the batch, by its bias, from the first layer on."""
    h = x
    for layer in range(1, depth(parameters)):
        z = manual_mlp.compute_layer(h, parameters[f"w{layer}"], parameters[f"b{layer}"])  # (N, H)
        dead = (z <= 0).all(axis=0)
        # Between two samples: the middle one itself would sit on the kink.
        above, below = np.sort(z, axis=0)[[-(len(z) // 2), -(len(z) // 2) - 1]]
        shift = np.where(dead, (above + below) / 2, 0.0)
        parameters[f"b{layer}"] -= shift
        h = rule.f(z - shift)


def _inputs(
    generator: np.random.Generator, rows: NDArray[Any] | None, size: int, features: int
) -> NDArray[np.float64]:
    if rows is None:
        return generator.normal(size=(size, features))
    chosen = generator.choice(len(rows), size=size, replace=len(rows) < size)
    return np.asarray(rows[chosen], dtype=np.float64)
