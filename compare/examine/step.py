"""Contract 2 at a point: two updates of somebody's `step`, from a state that is not zero."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import manual_mlp
from compare.checks.step import StepCheck
from compare.contracts.arrays import Arrays
from compare.guard.implementation import GuardedStep
from compare.judge.point import PointJudge
from compare.points.probe import Probe


def examine_step(judge: PointJudge, guarded: GuardedStep, probe: Probe, replay: StepCheck) -> None:
    """Two consecutive updates with the user's step, from a state that is not zero."""
    generator = np.random.default_rng(judge.experiment.seed)
    dtype = probe.x.dtype

    def like(array: NDArray[Any]) -> NDArray[Any]:
        return generator.normal(scale=0.1, size=array.shape).astype(dtype)

    rate, momentum = judge.experiment.learning_rate, judge.experiment.momentum
    now = probe.parameters
    state = judge.state = {f"v_{name}": like(array) for name, array in now.items()}
    for update in range(2):
        gradients = {name: like(array) for name, array in now.items()}
        before = record_at(replace(probe, parameters=now), update, gradients, state)
        now, state = guarded(now, gradients, state, learning_rate=rate, momentum=momentum)
        after = record_at(replace(probe, parameters=now), update + 1, gradients, state)
        judge.replay("manual", before, after, replay)


def record_at(
    probe: Probe,
    update: int,
    gradients: Arrays,
    state: Arrays | None = None,
    *,
    loss: float = 0.0,
) -> manual_mlp.Record:
    """Return what was seen at a point as the record of an update."""
    return manual_mlp.Record(
        update=update, epoch=0, batch=np.arange(len(probe.x)), loss=loss, gradients=gradients,
        parameters=probe.parameters, state=state or {}, evaluation=None,
    )  # fmt: skip
