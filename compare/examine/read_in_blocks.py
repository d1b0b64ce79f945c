"""Code that takes arrays, and rows that stay in their file: it is given a block of them at a time.

    loss = (1/N) sum_B n_B loss_B        dw = (1/N) sum_B n_B dw_B        over blocks B of n_B rows

of a mean; of a sum without the n_B and the N. Mini-batches are arrays anyhow.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from compare.contracts.arrays import Arrays
from compare.contracts.experiment import Experiment
from compare.contracts.records import Manual
from compare.data.stored import StoredRows
from compare.points.inputs import Inputs


def in_memory(manual: Manual, experiment: Experiment, inputs: Inputs) -> Manual:
    """Return a manual side that can be called with the rows of a run, wherever they are.

    Where the loss is no sum over rows all of them are read at once.
    """
    if not isinstance(inputs.training[0], StoredRows) or not experiment.plain:
        return manual
    mean = experiment.reduction == "mean"

    def loss_and_gradients(parameters: Arrays, x: Any, targets: Any, **how: Any) -> Any:
        if not isinstance(x, StoredRows):
            return manual.loss_and_gradients(parameters, x, targets, **how)
        loss, total = 0.0, {name: np.zeros_like(w) for name, w in parameters.items()}
        for rows in x.blocks():
            here = x[rows]
            weight = here.dtype.type(len(here) / len(x) if mean else 1.0)
            part, gradients, *_ = manual.loss_and_gradients(parameters, here, targets[rows])
            loss += part * float(weight)
            total = {name: dw + weight * gradients[name] for name, dw in total.items()}
        return loss, total

    def evaluate(parameters: Arrays, x: Any, targets: Any, **how: Any) -> tuple[float, float]:
        if not isinstance(x, StoredRows):
            return manual.evaluate(parameters, x, targets, **how)
        loss, hits = 0.0, 0.0
        for rows in x.blocks():
            here = x[rows]
            part, right = manual.evaluate(parameters, here, targets[rows])
            loss += part * (len(here) / len(x) if mean else 1.0)
            hits += right * len(here)
        return loss, round(hits) / len(x)

    return replace(manual, loss_and_gradients=loss_and_gradients, evaluate=evaluate)
