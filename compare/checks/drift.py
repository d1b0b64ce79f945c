"""The free run: how far the two trainings have come apart, and whether rounding did it.

    manual(tm) - reference(tr) = [manual(tm) - reference(tm)] + [reference(tm) - reference(tr)]

The first bracket is the same-point check. The second is the reference's own response to the drift
`tm - tr`, and the drift is accumulated rounding if both sides start equal, every same-point check
holds, and every step check of both records holds: induction over the recorded transitions.
One thing the induction needs is that the reference's *records* are the reference's function. They
are evaluated again only where they stand out: where the gradient moved more, per unit of drift,
than it did at any point already verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import hypot
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.allowance import Arithmetic
from compare.allowance.arithmetic import quiet
from compare.allowance.squares import length
from compare.checks.comparison import BLOCK
from compare.checks.examined import Examined
from compare.checks.optimiser_replay import NOTHING
from compare.checks.optimiser_step import Allowed, OptimiserStep, ReplayedState
from compare.checks.transition import IN_STATE
from compare.contracts.arrays import Arrays
from compare.contracts.records import Record
from compare.textbook.pair import Pair


def together(lengths: Iterable[float]) -> float:
    """Return the 2-norm of all entries of several arrays from the norms of each."""
    return hypot(*lengths)


def norm_of(arrays: Arrays) -> float:
    """Return the 2-norm of all entries of all arrays together."""
    return together(map(length, arrays.values()))


def between(manual: NDArray[Any], reference: NDArray[Any]) -> float:
    """Return `||manual - reference||`, in float64."""
    left, right, total = manual.reshape(-1), reference.reshape(-1), 0.0
    for start in range(0, right.size, BLOCK):
        part = slice(start, start + BLOCK)
        difference = np.subtract(left[part], right[part], dtype=np.float64)
        total += float(np.vdot(difference, difference))
    return float(np.sqrt(total))


def distance(manual: Arrays, reference: Arrays) -> float:
    """Return the drift `||manual - reference||` over all parameters together."""
    return together(between(manual[name], reference[name]) for name in reference)


@dataclass
class Drift:
    """Follows the free run: the drift, the rounding fed into it, and the reference's response.

    `fed` adds up what every update may add by rounding, through the momentum, without the
    amplification that training itself does: `drift / fed` is that amplification.
    """

    arithmetic: Arithmetic
    learning_rate: float
    momentum: float
    form: str
    optimiser: OptimiserStep | None = None
    fed: float = 0.0
    _fed_velocity: float = 0.0
    largest: float = 0.0
    steepness: dict[str, float] = field(default_factory=dict)
    _carried: ReplayedState = field(default=NOTHING)

    def after(self, examined: Examined, manual: Record, reference: Record) -> float:
        """Feed one update's rounding in and return the drift before it, `||tm - tr||`."""
        drift = distance(manual.parameters, reference.parameters)
        self.largest = max(self.largest, drift)
        if self.optimiser is not None:
            self.fed += self._fed_by(self.optimiser, examined, manual)
            return drift
        rate = self.learning_rate
        gradient = together(examined.allowances.lengths.values()) + self._of_kinks(examined)
        unit = float(np.sqrt(IN_STATE)) * self.arithmetic.unit
        state = norm_of(manual.state) * (1.0 if self.form == "velocity" else rate)
        rounding = unit * (self.momentum * state + rate * norm_of(manual.gradients))
        self._fed_velocity = self.momentum * self._fed_velocity + rate * gradient + rounding
        self.fed += self._fed_velocity + self.arithmetic.unit * norm_of(manual.parameters)
        return drift

    @quiet
    def _fed_by(self, optimiser: OptimiserStep, examined: Examined, manual: Record) -> float:
        """Return what one update may add, the gradients known up to their allowances.

        Nothing adds more than twice what the update moves by: where a step is divided by a root
        that may be zero its sign is all that rounding can turn.
        """
        step, values = optimiser.at(manual.learning_rate), dict(manual.state)
        state = ReplayedState(values | {"t": np.asarray(manual.update)}, self._carried.allowances)
        added: list[float] = []
        carried: Allowed = {}
        for name, w in manual.parameters.items():
            g = manual.gradients[name]
            dw = Pair(g.astype(np.float64), examined.allowances.gradients[name], g.dtype)
            stepped, buffers = step.by_hand(name, w, dw, state)
            added.append(length(reached(stepped, w)))
            carried |= {key: reached(pair, 0.0) for key, pair in buffers.items() if key in values}
        self._carried = ReplayedState({}, carried)
        return together(added)

    @staticmethod
    def _of_kinks(examined: Examined) -> float:
        """What two sides on different slopes of a kink may differ by: the gradient's own size."""
        return norm_of(examined.reference_gradients) if len(examined.slopes) else 0.0

    def stands_out(self, moved: Mapping[str, tuple[float, float]], drift: float) -> bool:
        """Whether a number of the reference's record moved more than ever verified.

        `moved` gives for each number how far it is from the reference's at the manual point, and
        its allowance. Movement within twice the allowance is none; beyond it only a steeper
        response per unit of drift than any verified one counts.
        """
        return any(
            not distance <= 2 * allowance + self.steepness.get(name, 0.0) * drift
            for name, (distance, allowance) in moved.items()
        )

    def verified(self, moved: Mapping[str, tuple[float, float]], drift: float) -> None:
        """Note how steeply the numbers respond to drift, after the record was found right."""
        for name, (distance, _) in moved.items():
            steepness = 2 * distance / drift if drift else 0.0
            self.steepness[name] = max(self.steepness.get(name, 0.0), steepness)


def reached(pair: Pair, before: Any) -> NDArray[np.float64]:
    """Return the allowance of a number, at most twice its distance from what it was before."""
    most = 2 * np.abs(pair.value - before) + pair.arithmetic.unit * np.abs(pair.value)
    found: NDArray[np.float64] = np.fmin(pair.allowance, most)
    return found


def moved_gradients(examined: Examined, reference: Record) -> dict[str, tuple[float, float]]:
    """How far each gradient of the reference's record is from its value at the manual point."""
    found = {"loss": (abs(reference.loss - examined.reference_loss), examined.loss.worst.allowance)}
    for name, at_manual in examined.reference_gradients.items():
        moved = between(reference.gradients[name], at_manual)
        found[name] = moved, examined.allowances.lengths[name]
    return found
