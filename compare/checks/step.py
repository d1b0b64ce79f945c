"""The step check: a recorded transition is replayed with the reference's optimiser.

From the recorded `(parameters, gradients, state)` one step of `torch.optim.SGD` must give the
recorded next `(parameters, state)`. Whether the gradients are right is not asked here, so a wrong
derivative and a wrong update are never confused. Done for both sides' records.
"""

from __future__ import annotations

from dataclasses import dataclass

from compare.allowance import Arithmetic
from compare.checks.comparison import Comparison, compare_entries
from compare.checks.step_power import StepPower
from compare.checks.step_projection import SHARED, Projections
from compare.checks.transition import Transition
from compare.contracts.arrays import Array
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
        from torch_reference import step

        parameters, state = step(
            before.parameters,
            before.gradients,
            before.state,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            form=self.form,
            device=self.device,
        )
        found: dict[str, Comparison] = {}
        for name, expected in parameters.items():
            now = self.transition(before, name, state[f"v_{name}"], expected)
            projections = Projections(now)
            found |= compared(name, after, expected, state[f"v_{name}"], now, projections)
            if power is not None:
                power.see(name, now, projections, before.epoch, before.update)
        return found

    def transition(self, before: Record, name: str, v: Array, w: Array) -> Transition:
        """Return the update of one parameter: what is recorded before it, the reference's after."""
        return Transition(
            self.arithmetic,
            self.learning_rate,
            self.momentum,
            self.form,
            before.gradients[name].reshape(-1),
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
