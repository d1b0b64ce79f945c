"""Points along honest training runs, from the initial weights to convergence.

Every point belongs to a run of its own: a small network, trained by the manual side's trainer on
data that can be separated, until an update drawn from a list or until the loss is small. What is
kept is what the trainer saw there: its parameters and its batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

import manual_mlp
from benchmarks.power.case import Array, Float, Setting, Sketch
from benchmarks.power.networks import Generator, log_uniform, whole
from manual_mlp import Record

UPDATES = (0, 1, 3, 10, 30, 100, 300, 1000, 3000)
"""The updates at which a run may be looked at, each as often as the others."""
CONVERGED = 1e-3
"""A batch's mean loss below which a run is over and its last point is taken."""


def along_a_run(generator: Generator, setting: Setting) -> Sketch:
    """One point of one run: depth 1-3, widths 4-64, 2-10 classes, 8-256 samples.

    Full batches or quarters, learning rate 0.03 to 0.3, momentum 0 or 0.9, in the case's format.
    The trained loss is the mean over the batch, whatever is asked at the point afterwards.
    """
    depth = int(generator.integers(1, 4))
    sizes = (*(whole(generator, 4, 64) for _ in range(depth)), int(generator.integers(2, 11)))
    rows = whole(generator, 8, 256)
    x, targets = separable(generator, rows, sizes[0], sizes[-1])
    data = x.astype(setting.dtype), targets.astype(setting.dtype)
    last = int(generator.choice(UPDATES))
    for record in run(generator, sizes, data, setting):
        if record.update == last or record.loss < CONVERGED:
            break
    parameters = {name: values.astype(np.float64) for name, values in record.parameters.items()}
    seen = record.batch
    return Sketch(parameters, data[0][seen].astype(np.float64), data[1][seen].astype(np.float64))


def separable(generator: Generator, rows: int, features: int, classes: int) -> tuple[Float, Float]:
    """Return x (N, F) around one centre per class, rows of norm about 2, and targets (N, K)."""
    labels = generator.integers(0, classes, rows)
    centres = generator.normal(size=(classes, features))
    x = centres[labels] + 0.3 * generator.normal(size=(rows, features))
    return 2 * x / np.sqrt(features), np.eye(classes)[labels]


def run(
    generator: Generator, sizes: tuple[int, ...], data: tuple[Array, Array], setting: Setting
) -> Iterator[Record]:
    """Train on `data` for as many updates as are ever looked at."""
    parameters = manual_mlp.initial_parameters(
        sizes, generator, scheme="he" if setting.activation == "relu" else "xavier",
        dtype=setting.dtype,
    )  # fmt: skip
    pieces = int(generator.choice([1, 4]))
    batches = np.array_split(np.arange(len(data[0])), pieces)
    return manual_mlp.train(
        parameters,
        {},
        data,
        (data[0][:1], data[1][:1]),
        [batches] * (UPDATES[-1] // pieces),
        loss_and_gradients=partial(manual_mlp.loss_and_gradients, activation=setting.activation),
        evaluate=partial(manual_mlp.evaluate, activation=setting.activation),
        step=manual_mlp.velocity_step,
        learning_rate=log_uniform(generator, 0.03, 0.3),
        momentum=float(generator.choice([0.0, 0.9])),
    )
