"""What the same-point check passes on: the reference at a point, and what was held against it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from compare.allowance import Allowances
from compare.checks.comparison import Comparison
from compare.checks.corners import AtCorners
from compare.checks.kinks import KinkExplanation, explanations
from compare.checks.slopes import ReferencePoint, Slopes, substituted
from compare.checks.swept import Swept
from compare.contracts.arrays import Arrays, Float, Values


@dataclass(frozen=True, slots=True)
class Expected:
    """The reference at one point, before anything is held against it.

    `allow` gives the allowances of other values and gradients at the same point,
    `in_next_precision` loss and gradients with more digits than the reference's.
    """

    loss: float
    gradients: Arrays
    point: ReferencePoint
    allow: Callable[[Values, Values], Allowances]
    in_next_precision: Callable[[], tuple[float, Arrays] | None] = lambda: None
    at_corners: AtCorners | None = None

    def explanations(self, difference: Mapping[str, Float]) -> Iterator[KinkExplanation]:
        """Yield what may explain `difference`, which is `manual - gradients`, at kinks."""
        yield from explanations(self.point, self.gradients, difference, self.allow)
        if self.at_corners is not None:
            yield from self.at_corners.explanations(difference)


@dataclass(frozen=True, slots=True)
class Examined:
    """One point, examined: what was compared, and the reference's numbers there."""

    loss: Comparison
    gradients: dict[str, Comparison]
    projections: dict[str, Comparison]
    allowances: Allowances
    reference_loss: float
    reference_gradients: Arrays
    expected: Expected
    slopes: Slopes = field(default_factory=Slopes)
    widened: bool = False  # too many kinks to resolve: the allowances were widened instead

    @property
    def comparisons(self) -> dict[str, Comparison]:
        """Everything that was compared, keyed `loss`, `dw1`, ..., `dw1 projection`, ..."""
        found = {"loss": self.loss}
        found |= {f"d{name}": one for name, one in self.gradients.items()}
        return found | {f"d{name} projection": one for name, one in self.projections.items()}

    @property
    def worst_ratio(self) -> float:
        """The largest ratio of all."""
        return max(one.worst.ratio for one in self.comparisons.values())

    @property
    def reference_values(self) -> Values:
        """The reference's intermediates, with the slopes at kinks that explain the gradients."""
        values = substituted(self.expected.point, self.slopes)
        return values.whole() if isinstance(values, Swept) else values

    @property
    def agrees(self) -> bool:
        """Whether rounding (and kinks) explain all of it."""
        return all(comparison.agrees for comparison in self.comparisons.values())
