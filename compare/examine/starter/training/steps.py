"""A step of a training against torch's gradient at the weights it began with.

What a step takes off the weights is the gradient times one number, the rate, if it is plain
gradient descent or the first step with momentum. With other optimisers the gradient itself lies
among the arrays that were seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

import manual_mlp
from compare.contracts.arrays import Array, Arrays
from compare.examine.starter.networks import Network
from compare.examine.starter.training.seen import Chain, Data
from compare.examine.starter.training.watch import Snapshot

if TYPE_CHECKING:
    from torch_reference import Reference

NEAR = {"float64": 1e-6, "float32": 3e-3}
"""How far, relative to the largest entry, two gradients of one network may be apart while it is
searched for: nothing is called right by it."""

SAME = 1e-3
"""How far two factors that are one rate may be apart while it is searched for."""

MOST = 3
"""Of how many batches that a step may have been made of it is asked."""


@dataclass(frozen=True)
class Step:
    """The weights before and after a turn, and all arrays seen before and after it."""

    chain: Chain
    before: Snapshot
    after: Snapshot

    @classmethod
    def of_pairs(cls, chain: Chain, pairs: Sequence[tuple[Snapshot, Snapshot]]) -> tuple[Step, ...]:
        """Return the steps between snapshots that have all the weights."""
        ways = set(chain.ways().values())
        return tuple(cls(chain, *pair) for pair in pairs if all(ways <= set(one) for one in pair))

    @property
    def parameters(self) -> Arrays:
        """The weights before it."""
        return self.chain.parameters(self.before)

    @property
    def dtype(self) -> str:
        """The format that the weights are kept in."""
        single = self.before[self.chain.weights[0]].dtype.itemsize < np.dtype(np.float64).itemsize
        return "float32" if single else "float64"

    @property
    def near(self) -> float:
        """How far two gradients of one network may be apart."""
        return NEAR[self.dtype]

    @property
    def taken(self) -> Arrays:
        """What it takes off them."""
        after = self.chain.parameters(self.after)
        return {name: one - after[name] for name, one in self.parameters.items()}

    def batches(self, data: Data) -> list[tuple[str, list[int]]]:
        """The rows that it may have been made of, the fewest first: those of an array that was
        seen, or whose numbers are in one, by the way to it, or all."""
        found: dict[tuple[int, ...], str] = {}
        for seen in (self.after, self.before):
            for way, array in seen.items():
                if array.dtype.kind == "f" and array.ndim in (1, 2):
                    rows = data.rows(array)
                    if rows:
                        found.setdefault(tuple(rows), way)
                elif data.are_numbers(array):
                    found.setdefault(tuple(array.tolist()), way)
        found.setdefault(tuple(range(len(data.x))), data.names[0])
        ordered = sorted(found.items(), key=lambda one: len(one[0]))
        return [(way, list(rows)) for rows, way in ordered]


@dataclass(frozen=True)
class Fit:
    """By parameter, how many times torch's gradient was taken off it; NaN where no number says.

    `ways`: where the gradients lie, if it was not what was taken off the weights. `rest`: what was
    taken off them beside a share of a velocity that was there before, if there was one.
    """

    factors: Mapping[str, float]
    ways: Mapping[str, str] = field(default_factory=dict)
    rest: Arrays = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether it is one positive number for all."""
        every = np.array(list(self.factors.values()))
        return bool(np.all(every > 0) and np.allclose(every, every[0], rtol=SAME))

    @property
    def right(self) -> list[str]:
        """The parameters of the most frequent factor."""
        known = {name: one for name, one in self.factors.items() if one > 0}
        best: list[str] = []
        for one in known.values():
            same = [name for name, other in known.items() if np.isclose(one, other, rtol=SAME)]
            best = max(best, same, key=len)
        return best


def fit_of(taken: Mapping[str, Array], due: Mapping[str, Array], near: float) -> Fit:
    """Hold what was taken off the weights against gradients."""
    return Fit({name: multiple(taken[name], one, near) for name, one in due.items()})


def multiple(seen: Array, due: Array, near: float) -> float:
    """Return how many times an array another one is; NaN where it is none of it."""
    if not due.any() or not seen.any():
        return np.nan
    factor = float((seen * due).sum() / (due * due).sum())
    missed = np.abs(seen - factor * due).max()
    return factor if missed <= near * abs(factor) * np.abs(due).max() else np.nan


def laid_beside(step: Step, way: str, due: Array) -> Array:
    """An array beside the weights, laid like a gradient of ours."""
    array = np.asarray(step.after[way], float)
    turned = due.ndim == 2 and array.shape == due.shape[::-1]
    if turned and (step.chain.transposed or array.shape != due.shape):
        array = array.T
    return array.reshape(due.shape)


def due_at(network: Network, parameters: Arrays, x: Array, targets: Array) -> Arrays:
    """Return torch's gradients."""
    return evaluated(network, parameters, x, targets, network.reduction, network.loss_factor)[1]


def nearly_due_at(network: Network, parameters: Arrays, x: Array, targets: Array) -> Arrays:
    """Return our own gradients, a tenth of the time: most meanings are none by far."""
    criterion = manual_mlp.Criterion(
        network.loss, network.output, network.reduction, network.loss_factor
    )
    activation = network.activation
    return manual_mlp.loss_and_gradients(
        parameters, x, targets, activation=activation, criterion=criterion
    )[1]


def loss_at(
    network: Network, parameters: Arrays, x: Array, targets: Array, reduction: str
) -> float:
    """Return torch's loss, in another reduction and without a factor."""
    return evaluated(network, parameters, x, targets, reduction, 1.0)[0]


def evaluated(
    network: Network, parameters: Arrays, x: Array, targets: Array, reduction: str, factor: float
) -> tuple[float, Arrays]:
    """Return torch's loss and gradients."""
    matrices = [one for one in parameters.values() if one.ndim == 2]
    widths = (len(matrices[0]), *(one.shape[1] for one in matrices))
    reference = reference_of(
        widths, network.activation, "b1" in parameters, network.loss, network.output, reduction,
        factor,
    )  # fmt: skip
    loss, gradients = reference.loss_and_gradients(parameters, x, targets)
    return float(loss), gradients


@lru_cache(maxsize=64)
def reference_of(
    widths: tuple[int, ...], activation: str, bias: bool, loss: str, output: str, reduction: str,
    factor: float,
) -> Reference:  # fmt: skip
    """Return torch's network, kept: a training is held against it at thousands of points."""
    from torch_reference import Criterion, Reference

    criterion = Criterion(loss, output, reduction, factor)
    return Reference(widths, activation=activation, bias=bias, criterion=criterion)


def targets_for(network: Network, targets: Array, outputs: int) -> Iterator[Array]:
    """Yield the rows of targets that a network of so many outputs may be meant to have."""
    if targets.shape[1] == outputs:
        yield targets
    elif targets.shape[1] == 1 and outputs > 1:
        labels = targets[:, 0].astype(int)
        if (labels == targets[:, 0]).all() and 0 <= labels.min() and labels.max() < outputs:
            yield np.eye(outputs)[labels]


def outputs_for(data: Sequence[Data]) -> list[int]:
    """Return how many outputs a network may have."""
    found = []
    for one in data:
        many = one.targets.shape[1]
        found += [many] if many > 1 else [1, int(one.targets.max()) + 1]
    return sorted(set(found))
