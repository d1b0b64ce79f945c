"""The same-point check: the reference is evaluated where the manual side stands.

Same parameters, same batch, so only rounding can differ: loss, every gradient entry, and one
projection per gradient are held against their allowances. Kinks are resolved before anybody is
accused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compare.allowance import Allowances, Arithmetic, forward_allowances, network_allowances
from compare.checks.comparison import Comparison, compare_entries, compare_projection
from compare.checks.kinks import Point, Slopes, resolve
from compare.records import Arrays

if TYPE_CHECKING:
    from torch_reference import Reference

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Examined:
    """One point, examined: what was compared, and the reference's numbers there."""

    loss: Comparison
    gradients: dict[str, Comparison]
    projections: dict[str, Comparison]
    allowances: Allowances
    reference_loss: float
    reference_gradients: Arrays
    reference_values: Arrays
    slopes: Slopes = field(default_factory=Slopes)

    @property
    def comparisons(self) -> dict[str, Comparison]:
        """Everything that was compared, keyed `loss`, `dw1`, ..., `dw1 projection`, ..."""
        found = {"loss": self.loss}
        found |= {f"d{name}": one for name, one in self.gradients.items()}
        return found | {f"d{name} projection": one for name, one in self.projections.items()}

    @property
    def agrees(self) -> bool:
        """Whether rounding (and kinks) explain all of it."""
        return all(comparison.agrees for comparison in self.comparisons.values())


@dataclass(frozen=True, slots=True)
class SamePoint:
    """Examines an observed loss and gradients at given parameters and batch."""

    reference: Reference
    arithmetic: Arithmetic
    activation: str
    reduction: str

    def __call__(
        self,
        parameters: Arrays,
        x: NDArray[Any],
        targets: NDArray[Any],
        loss: float,
        gradients: Arrays,
        identities: NDArray[np.int64] | None = None,
    ) -> Examined:
        """Compare `loss` and `gradients` with the reference's, evaluated here and now."""
        expected, reference, values = self.reference.loss_and_gradients(
            parameters, x, targets, intermediates=True
        )
        allowances = network_allowances(
            self.arithmetic, parameters, x, targets, values, reference,
            activation=self.activation, reduction=self.reduction, identities=identities,
        )  # fmt: skip
        compared_loss = compare_entries("loss", loss, expected, allowances.forward.loss)
        compared = self._gradients(gradients, reference, allowances)
        slopes, moved = Slopes(), None
        if not all(one.agrees for one in compared.values()) and finite(compared):
            point = Point(parameters, x, values, allowances, self.activation)
            resolved = resolve(point, differences(gradients, reference))
            if resolved is not None:
                slopes, moved = resolved
                reference = {k: reference[k] + moved[k] for k in reference}
                compared = self._gradients(gradients, reference, allowances)
        projections = self._projections(gradients, reference, allowances)
        return Examined(
            compared_loss, compared, projections, allowances, expected, reference, values, slopes
        )

    def _gradients(
        self, manual: Arrays, reference: Arrays, allowances: Allowances
    ) -> dict[str, Comparison]:
        return {
            name: compare_entries(f"d{name}", manual[name], reference[name], allowance)
            for name, allowance in ((k, allowances.gradients[k]) for k in reference)
        }

    def _projections(
        self, manual: Arrays, reference: Arrays, allowances: Allowances
    ) -> dict[str, Comparison]:
        found = {
            name: compare_projection(
                f"d{name} projection", manual[name], reference[name], allowances.projections[name]
            )
            for name in reference
        }
        return {name: one for name, one in found.items() if one is not None}

    def of_two(
        self,
        parameters: Arrays,
        x: NDArray[Any],
        targets: NDArray[Any],
        loss: float,
        gradients: Arrays,
        other_loss: float,
        other_gradients: Arrays,
    ) -> dict[str, Comparison]:
        """Compare two answers of one implementation at one point, with that point's allowances."""
        _, reference, values = self.reference.loss_and_gradients(
            parameters, x, targets, intermediates=True
        )
        allowances = network_allowances(
            self.arithmetic, parameters, x, targets, values, reference,
            activation=self.activation, reduction=self.reduction,
        )  # fmt: skip
        compared = {"loss": compare_entries("loss", loss, other_loss, allowances.forward.loss)}
        return compared | self._gradients(gradients, other_gradients, allowances)

    def evaluation(
        self,
        parameters: Arrays,
        x: NDArray[Any],
        targets: NDArray[Any],
        loss: float,
        accuracy: float,
        identities: NDArray[np.int64] | None = None,
    ) -> tuple[Comparison, Comparison]:
        """Compare a reported loss and accuracy with the reference's at the same weights."""
        expected, expected_accuracy, values = self.reference.evaluate(
            parameters, x, targets, intermediates=True
        )
        allowances = forward_allowances(
            self.arithmetic, parameters, x, targets, values,
            activation=self.activation, reduction=self.reduction, identities=identities,
        )  # fmt: skip
        slack = (allowances.ambiguous + 0.5) / len(x)
        return (
            compare_entries("loss", loss, expected, allowances.loss),
            compare_entries("accuracy", accuracy, expected_accuracy, slack),
        )


def finite(compared: Mapping[str, Comparison]) -> bool:
    """Whether all compared numbers are finite on both sides."""
    return all(one.manual_finite and one.reference_finite for one in compared.values())


def differences(manual: Arrays, reference: Arrays) -> dict[str, Float]:
    """Return `manual - reference` of every gradient in float64."""
    return {k: np.subtract(manual[k], reference[k], dtype=np.float64) for k in reference}
