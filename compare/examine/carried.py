"""A `step` of any optimiser in a training: its state is carried beside the records.

A state with the documented keys is shown in the records, and compared. Any other stays with the
step; the records then show none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from compare.checks.optimiser_replay import first_zeros
from compare.checks.optimiser_step import OptimiserStep
from compare.contracts.arrays import Arrays
from compare.contracts.errors import Raised, UserCodeError
from compare.contracts.experiment import Experiment
from compare.contracts.records import Rates
from compare.guard.contract import documents
from compare.guard.implementation import GuardedStep, GuardedUpdate
from compare.guard.optimiser import GuardedOptimiser, with_own_state


class TrainedStep:
    """Contract 2, made of a step of contract 10."""

    def __init__(self, step: GuardedOptimiser, experiment: Experiment) -> None:
        self.step, self.replay = step, OptimiserStep.of(experiment)
        self.state: Any = None
        self.begun = False

    def __call__(
        self, parameters: Arrays, gradients: Arrays, state: Arrays, /, **rates: Unpack[Rates]
    ) -> tuple[Arrays, Arrays]:
        if not self.begun:
            self.state = first_state(self.step, self.replay, parameters, gradients, state)
            self.begun = True
        after, self.state = self.step(parameters, gradients, self.state, rates["learning_rate"])
        return after, self.shown(parameters)

    def shown(self, parameters: Arrays) -> Arrays:
        """Return the state as records hold it: nothing where it is kept in another way."""
        documented = self.step.documented(
            self.state, self.replay.keys(parameters), dict(parameters)
        )
        if documented is None:
            return {}
        t = self.state.get("t")
        return documented | ({} if t is None else {"t": np.asarray(t)})


class TrainedMomentum:
    """Contract 2 from the first update on: a step of momentum that is handed {} before it.

    One that does not take that is given zeros. State under keys of its own is carried here.
    """

    def __init__(self, step: GuardedStep, experiment: Experiment) -> None:
        self.step, self.experiment, self.function = step, experiment, step.function
        self.own: GuardedOptimiser | None = None
        self.state: Any = None
        self.begun = False

    def __call__(
        self, parameters: Arrays, gradients: Arrays, state: Arrays, /, **rates: Unpack[Rates]
    ) -> tuple[Arrays, Arrays]:
        if self.own is not None:
            after, self.state = self.own(parameters, gradients, self.state)
            return after, {}
        moving, self.begun = self.begun or any(v.any() for v in state.values()), True
        first = None if moving else begun(self.step, parameters, gradients, **rates)
        if first is None:
            return self.step(parameters, gradients, state, **rates)
        after, self.state = first
        if documents(self.state, parameters):
            return after, self.state
        self.own = with_own_state(self.step, self.experiment)
        return after, {}


class TrainedUpdate:
    """Contracts 1 and 2, made of an `update(parameters, x, targets, *, learning_rate)`.

    The gradients are read from it, its step is the update itself on the batch seen last. It has no
    velocity; that of gradient descent, a product of what was read, stands in the records for it.
    """

    def __init__(self, update: GuardedUpdate, experiment: Experiment) -> None:
        self.update, self.inside = update, experiment.momentum_form == "velocity"
        self.batch: tuple[NDArray[Any], NDArray[Any]] | None = None

    def loss_and_gradients(
        self, parameters: Arrays, x: NDArray[Any], targets: NDArray[Any]
    ) -> tuple[float, Arrays, Arrays]:
        """Return the reference's loss, and the gradients read from new weights."""
        self.batch = x, targets
        return self.update(parameters, x, targets)

    def step(
        self, parameters: Arrays, gradients: Arrays, state: Arrays, /, **rates: Unpack[Rates]
    ) -> tuple[Arrays, Arrays]:
        """Update by the code under test."""
        assert self.batch is not None
        after = self.update.after(parameters, *self.batch, rates["learning_rate"])
        share = rates["learning_rate"] if self.inside else 1.0
        return after, {f"v_{name}": g * g.dtype.type(share) for name, g in gradients.items()}


def begun(
    step: GuardedStep, parameters: Arrays, gradients: Arrays, **rates: Unpack[Rates]
) -> tuple[Arrays, Any] | None:
    """Return the update of a step of momentum from the state {}; None where it does not take it."""
    try:
        return step.begin(parameters, gradients, **rates)
    except Raised:
        return None


def first_state(
    step: GuardedOptimiser,
    replay: OptimiserStep,
    parameters: Mapping[str, NDArray[Any]],
    gradients: Mapping[str, NDArray[Any]],
    given: Arrays,
) -> Any:
    """Return the first state that the step takes; raise its own error with the keys if none is.

    The given one, usually {}, else zeros under the documented keys, `t` among them as a number or
    as an array, else None.
    """
    trouble: UserCodeError | None = None
    zeros = first_zeros(replay, parameters)
    arrays = [{key: np.asarray(value) for key, value in zeros.items()}] if "t" in zeros else []
    for state in (given, zeros, *arrays, None):
        try:
            step(parameters, gradients, state)
            return state
        except UserCodeError as error:
            trouble = trouble or error
    keys = ", ".join(replay.keys(parameters))
    raise UserCodeError(
        f"{trouble} (state is {{}} at first, or zeros under the keys of {replay.name}: {keys})"
    ) from trouble
