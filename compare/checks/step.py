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
            v, entries = f"v_{name}", expected.size  # each is rounded on its own
            now = Transition(
                self.arithmetic,
                self.learning_rate,
                self.momentum,
                self.form,
                before.gradients[name].reshape(-1),
                before.state[v].reshape(-1),
                before.parameters[name].reshape(-1),
                state[v].reshape(-1),
                expected.reshape(-1),
            )
            found[name] = compare_entries(
                name, after.parameters[name], expected, now.parameter_allowance, entries
            )
            found[v] = compare_entries(v, after.state[v], state[v], now.state_allowance, entries)
            projections = Projections(now)
            if found[name].ratio:
                taken = after.parameters[name].reshape(-1)
                enter(found, projections.w.compare(f"{name} projection", taken, now.parts))
            if found[v].ratio > SHARED:  # else it is within what its projection shares
                taken = after.state[v].reshape(-1)
                enter(found, projections.v.compare(f"{v} projection", taken, now.parts))
            if power is not None:
                power.see(name, now, projections, before.epoch, before.update)
        return found


def enter(found: dict[str, Comparison], compared: Comparison | None) -> None:
    """Add a comparison, if there was anything to compare."""
    if compared is not None:
        found[compared.name] = compared
