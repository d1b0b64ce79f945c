"""What gradient functions of a network with one hidden layer are handed, and what is due from them.

All of it at one point, for one reduction: the quantities of the forward pass to hand over, torch's
gradients, and the textbook's allowances for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

import manual_mlp
from compare.checks.comparison import Comparison, compare_entries
from compare.contracts.arrays import Array, Arrays
from compare.examine.starter.binding import weights_of
from compare.examine.starter.numbering import FROM_ONE, LABELS
from compare.examine.starter.readings import Sizes
from compare.points.probe import draw_probes
from compare.textbook import Pass, Point
from manual_mlp import Penalty

DELTAS = ("dlogits", "dz1", "dh1")
"""Gradients with a row for each sample, which some functions hand on beside those of weights."""
LOSS = "loss"
"""What some functions return beside the gradients."""
ROUNDINGS = 4
"""Of the strength by its factor and by the rows, of their product with w, and of the sum."""


@dataclass(frozen=True)
class Expected:
    """What is due at one point: torch's `gradients` and their `allowances`, by `dw1`, ..."""

    point: Point
    quantities: Mapping[str, Array]
    gradients: Mapping[str, Array]
    allowances: Mapping[str, Array]

    def compare(self, name: str, array: Array) -> Comparison:
        """Hold one gradient against torch's."""
        return compare_entries(name, array, self.gradients[name], self.allowances[name])

    def with_penalty(self, penalty: Penalty) -> Expected:
        """The same with R added to the loss and dR/dw to the gradients: a product and a sum more,
        each rounded."""
        gradients, allowances = dict(self.gradients), dict(self.allowances)
        rows, parameters = len(self.point.x), self.point.parameters
        added = {f"d{name}": more for name, more in penalty.gradients_at(parameters, rows).items()}
        added[LOSS] = np.array(penalty.loss_at(parameters, rows))
        for name, more in added.items():
            gradients[name] = gradients[name] + more
            rounding = ROUNDINGS * np.finfo(np.float64).eps * (abs(more) + abs(gradients[name]))
            allowances[name] = allowances[name] + rounding
        return replace(self, gradients=gradients, allowances=allowances)


def expected(sizes: Sizes, reduction: str, seed: int, activation: str = "relu") -> Expected:
    """Everything at a point with non-zero biases and, with `UNEQUAL` sizes, no two alike."""
    from torch_reference import Reference

    widths = sizes.widths
    (probe, *_) = draw_probes(
        widths, activation=activation, dtype="float64", seed=seed, bias=sizes.biases
    )
    point = Point(probe.parameters, probe.x, probe.targets, activation, reduction)
    reference = Reference(widths, activation=activation, reduction=reduction, bias=sizes.biases)
    loss, gradients, stages = reference.loss_and_gradients(
        point.parameters, point.x, point.targets, intermediates=True
    )
    due = {f"d{name}": array for name, array in gradients.items()}
    due |= {name: stages[name] for name in DELTAS} | {LOSS: np.array(loss)}
    right = Pass(point)
    allowances = {name: np.asarray(right.named(name).allowance) for name in due}
    return Expected(point, known_quantities(point), due, allowances)


def known_quantities(point: Point) -> dict[str, Array]:
    """Everything a gradient function may ask for, by its name; biases are (1, H)."""
    shown = manual_mlp.loss_and_gradients(
        dict(point.parameters), point.x, point.targets, activation=point.activation,
        reduction=point.reduction, intermediates=True,
    )[2]  # fmt: skip
    biases = {name: one[None, :] for name, one in point.parameters.items() if one.ndim == 1}
    labels = np.argmax(point.targets, axis=1)
    return {
        **shown, **point.parameters, **biases,
        "x": point.x, "y": point.targets, LABELS: labels, FROM_ONE: labels + 1,
    }  # fmt: skip


def parameters_in(quantities: Mapping[str, Array], layers: int) -> Arrays:
    """The weights and biases, if any, among the quantities of a point; biases with one axis."""
    found = {name: quantities[name] for name in weights_of(layers) if name in quantities}
    return {name: one.ravel() if name[0] == "b" else one for name, one in found.items()}
