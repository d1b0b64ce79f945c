"""Everything both sides share: data, batch order, initial weights and state, drawn once.

One seed, one `numpy.random.Generator`, drawn in a fixed order, handed to both sides. After this
file the two sides have nothing in common any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

import manual_mlp
from compare.allowance.alike import row_identities
from compare.contracts.arrays import Arrays
from compare.contracts.between import PLAIN, Between, ordered
from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
from compare.data import DataSet, Split, load
from compare.data.stored import StoredRows
from compare.points.batches import Batches, BatchOrder
from compare.points.drawing import NUMBERS

Pair = tuple[NDArray[Any], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is handed to both trainers. `x` (n, F) and one-hot `targets` (n, K), in one dtype.

    `numbers`: targets are numbers, and no row is right or wrong.

    `identities` number the training rows, equal for equal rows.
    """

    data_name: str
    data_source: str
    sizes: tuple[int, ...]
    training: Pair
    validation: Pair
    test: Pair
    identities: NDArray[np.int64]
    parameters: Arrays
    state: Arrays
    order: Sequence[Batches]
    numbers: bool = False
    between: Between = PLAIN
    seed: int = 0

    def context(self, update: int, rows: int) -> Arrays:
        """What an update needs besides parameters and rows: the masks of its hidden layers."""
        return self.between.masks(self.sizes, rows, (self.seed, update))


def draw_inputs(experiment: Experiment, data: DataSet | None = None) -> Inputs:
    """Load the data, then draw weights and batch order from the seed, in this order.

    Errors: `BadInput` for data that cannot be used, or a batch larger than the training set.
    """
    data = load(experiment.data) if data is None else data
    require_numbers(experiment, data)
    dtype = np.dtype(experiment.dtype)
    rows, features = data.train.x.shape
    sizes = (features, *experiment.hidden, data.classes)
    generator = np.random.default_rng(experiment.seed)
    parameters = manual_mlp.initial_parameters(
        sizes, generator, scheme=experiment.init, dtype=dtype
    )
    if not experiment.bias:
        parameters = {name: w for name, w in parameters.items() if name[0] == "w"}
    parameters = ordered(parameters | experiment.between.scales(sizes, dtype))
    state: Arrays = {}
    if experiment.plain_momentum or (experiment.initial_velocity and experiment.momentum):
        state = manual_mlp.initial_velocity(parameters, weights=experiment.initial_velocity)
    state |= experiment.between.statistics(sizes, dtype)
    training = pair(data.train, data.classes, dtype)
    return Inputs(
        data_name=data.name,
        data_source=data.source,
        sizes=sizes,
        training=training,
        validation=pair(data.validation, data.classes, dtype),
        test=pair(data.test, data.classes, dtype),
        identities=row_identities(training[0]),
        parameters=parameters,
        state=state,
        order=BatchOrder(rows, experiment.batch_size, experiment.epochs, generator),
        numbers=data.train.numbers is not None,
        between=experiment.between,
        seed=experiment.seed,
    )


def require_numbers(experiment: Experiment, data: DataSet) -> None:
    """Raise `BadInput` where targets are numbers and the loss is of classes."""
    if data.train.numbers is not None and experiment.loss not in NUMBERS:
        raise BadInput(
            f"{data.name} has numbers as targets, and {experiment.loss} is a loss of classes: give "
            "--loss mse, l1 or huber"
        )


def pair(split: Split, classes: int, dtype: np.dtype[Any]) -> Pair:
    """Return the rows and their one-hot targets in `dtype`: labels are converted at the door."""
    if split.numbers is not None:
        return np.ascontiguousarray(split.x, dtype=dtype), split.numbers.astype(dtype)
    targets = np.zeros((len(split.labels), classes), dtype)
    targets[np.arange(len(split.labels)), split.labels] = 1
    if isinstance(split.x, StoredRows):
        return cast("NDArray[Any]", split.x.in_format(dtype)), targets  # to be indexed
    return np.ascontiguousarray(split.x, dtype=dtype), targets
