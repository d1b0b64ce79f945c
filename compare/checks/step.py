"""The step check: a recorded transition is replayed with the reference's optimiser.

From the recorded `(parameters, gradients, state)` one step of `torch.optim.SGD` must give the
recorded next `(parameters, state)`. Whether the gradients are right is not asked here, so a wrong
derivative and a wrong update are never confused. Done for both sides' records.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compare.allowance import Arithmetic
from compare.checks.comparison import Comparison, compare_entries
from compare.checks.step_power import StepPower
from compare.checks.step_projection import SHARED, Projections
from compare.checks.transition import Transition
from compare.contracts.arrays import Array, Arrays
from compare.contracts.records import Record


@dataclass(frozen=True, slots=True)
class StepCheck:
    """Replays transitions at fixed hyper-parameters."""

    arithmetic: Arithmetic
    learning_rate: float
    momentum: float
    form: str
    device: str = "cpu"

    def __call__(
        self, before: Record, after: Record, power: StepPower | None = None
    ) -> dict[str, Comparison]:
        """Compare `after` with one reference step from `before`; keys `w1`, `v_w1`, ...

        The change of each parameter and each velocity is compared as a whole too wherever that
        could fail: `w1 projection`, `v_w1 projection`. `power` measures what could have been seen.
        """
        parameters, state = self.taken(before, before.gradients)
        found: dict[str, Comparison] = {}
        for name, expected in parameters.items():
            now = self.transition(
                before, name, state[f"v_{name}"], expected, before.gradients[name]
            )
            projections = Projections(now)
            found |= compared(name, after, expected, state[f"v_{name}"], now, projections)
            if power is not None:
                power.see(name, now, projections, before.epoch, before.update)
        return found

    def taken(self, before: Record, gradients: Arrays) -> tuple[Arrays, Arrays]:
        """Return the parameters and the velocities after one reference step by `gradients`."""
        from torch_reference import step

        return step(
            before.parameters,
            gradients,
            before.state,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            form=self.form,
            device=self.device,
        )

    def made_by(self, gradients: Arrays, allowed: Arrays, before: Record, after: Record) -> bool:
        """Return whether an update is one with other gradients, right within what is `allowed`.

        Each entry moves by its part of that as well; velocities count where `after` has them.
        """
        parameters, state = self.taken(before, gradients)
        for name, w in parameters.items():
            v = state[f"v_{name}"]
            now = self.transition(before, name, v, w, gradients[name])
            of_state = now.state_allowance(slice(None))
            of_state += abs(now.into_state) * allowed[name].reshape(-1)
            of_parameter = now.parameter_allowance(slice(None), of_state)
            moved = np.abs(after.parameters[name] - w).reshape(-1)
            carried = np.abs(after.state.get(f"v_{name}", v) - v).reshape(-1)
            if not ((moved <= of_parameter).all() and (carried <= of_state).all()):
                return False
        return True

    def transition(self, before: Record, name: str, v: Array, w: Array, dw: Array) -> Transition:
        """Return the update of one parameter by `dw`: what is recorded before it, the reference's
        `v` and `w` after it."""
        return Transition(
            self.arithmetic,
            self.learning_rate,
            self.momentum,
            self.form,
            dw.reshape(-1),
            before.state[f"v_{name}"].reshape(-1),
            before.parameters[name].reshape(-1),
            v.reshape(-1),
            w.reshape(-1),
        )


def compared(
    name: str, after: Record, w: Array, v: Array, now: Transition, projections: Projections
) -> dict[str, Comparison]:
    """Compare a parameter and its velocity with the reference's `w` and `v`, and their changes."""
    entries = w.size  # each is rounded on its own
    found = {
        name: compare_entries(name, after.parameters[name], w, now.parameter_allowance, entries),
        f"v_{name}": compare_entries(
            f"v_{name}", after.state[f"v_{name}"], v, now.state_allowance, entries
        ),
    }
    if found[name].ratio:
        taken = after.parameters[name].reshape(-1)
        enter(found, projections.w.compare(f"{name} projection", taken, now.parts))
    if found[f"v_{name}"].ratio > SHARED:  # else it is within what its projection shares
        taken = after.state[f"v_{name}"].reshape(-1)
        enter(found, projections.v.compare(f"v_{name} projection", taken, now.parts))
    return found


def enter(found: dict[str, Comparison], compared: Comparison | None) -> None:
    """Add a comparison, if there was anything to compare."""
    if compared is not None:
        found[compared.name] = compared
