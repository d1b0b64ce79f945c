"""The same-point check: the reference is evaluated where the manual side stands.

Same parameters, same batch, so only rounding can differ: loss, every gradient entry, and one
projection per gradient are held against their allowances. Kinks are resolved before anybody is
accused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compare.allowance import (
    Allowances,
    Arithmetic,
    Batch,
    forward_allowances,
    network_allowances,
)
from compare.allowance.between import Inside, insides
from compare.allowance.head import Top
from compare.allowance.operands import MANY
from compare.checks.comparison import HONEST, Comparison, compare_entries
from compare.checks.corners import AtCorners, has_corners
from compare.checks.examined import Examined, Expected
from compare.checks.gradients_compared import (
    better,
    compare_gradients,
    differences,
    finite,
    worst,
)
from compare.checks.kinks import KinkExplanation
from compare.checks.next_precision import in_next_precision
from compare.checks.reported import Reported, compare_reported
from compare.checks.slopes import ReferencePoint
from compare.checks.swept import Swept
from compare.contracts.arrays import Arrays, Float, Values
from compare.contracts.between import NOTHING, PLAIN, Between, Context
from compare.contracts.objective import Objective
from compare.textbook.head import declared_top, with_penalty, with_penalty_forward

if TYPE_CHECKING:
    from torch_reference import Reference


LONG = 4 * MANY
"""Shorter batches are too short for a look at some of their rows beforehand."""
WHOLE = 2**22
"""Bytes of the widest value up to which a batch's intermediates are all kept."""
REMEMBERED = 2
"""Batches of a full-batch run that come again: training and validation."""
OF_THE_REFERENCE = 30.0
"""More allowances than this are not the reference's rounding, and nothing is computed again."""
UNKNOWN = 1e3
"""How much wider a wrong gradient may round than the right one, when it is compared with itself."""


@dataclass(frozen=True, slots=True)
class SamePoint:
    """Examines an observed loss and gradients at given parameters and batch."""

    reference: Reference
    arithmetic: Arithmetic
    activation: str
    reduction: str
    objective: Objective | None = None  # None: softmax cross-entropy with that reduction
    between: Between = PLAIN
    _batches: list[Batch] = field(default_factory=list)

    def __call__(
        self,
        parameters: Arrays,
        x: NDArray[Any],
        targets: NDArray[Any],
        loss: float,
        gradients: Arrays,
        identities: NDArray[np.int64] | None = None,
        context: Context = NOTHING,
    ) -> Examined:
        """Compare `loss` and `gradients` with the reference's, evaluated here and now."""
        expected = self.expect(parameters, x, targets, identities, context)
        return self.hold(expected, loss, gradients)

    def expect(
        self,
        parameters: Arrays,
        x: NDArray[Any],
        targets: NDArray[Any],
        identities: NDArray[np.int64] | None = None,
        context: Context = NOTHING,
    ) -> Expected:
        """Evaluate the reference, and what rounding may explain there."""
        batch = self._batch(x, targets, identities)
        values: Values
        inside: dict[int, Inside] = {}
        if self._by_blocks(x):
            allow = partial(self._allow, batch, parameters, inside)
            values = swept = Swept(self.reference, self.reduction, parameters, x, targets)
            sweep = swept.sweep(self.arithmetic, batch)
            loss, gradients = swept.evaluate(sweep)
            sweep = swept.learnt_again(sweep)
            found = sweep.allowances(gradients, swept.each, swept.unordered(sweep, gradients))
            allowances = self._penalised(found, parameters, gradients, len(x))
        else:
            loss, gradients, values = self.reference.loss_and_gradients(
                parameters, x, targets, context=context, intermediates=True
            )
            inside = self._inside(parameters, values, context, batch)
            given = ((f"s{i}", one.s) for i, one in inside.items() if one.gamma is not None)
            values |= {name: s.astype(x.dtype) for name, s in given}  # torch does not show it
            allow = partial(self._allow, batch, parameters, inside)
            allowances = allow(values, gradients)
        point = ReferencePoint(parameters, x, values, allowances, self.activation, inside)
        plain = self.objective is None or (self.objective.plain and not self.objective.penalises)
        again = partial(
            in_next_precision, self.reference, parameters, x, targets, self.reduction,
            plain=plain and self.between.plain, context=context,
        )  # fmt: skip
        corners = self._corners(batch, parameters, point, gradients, allow)
        return Expected(loss, gradients, point, allow, again, corners)

    def _corners(
        self,
        batch: Batch,
        parameters: Arrays,
        point: ReferencePoint,
        gradients: Arrays,
        allow: Callable[[Values, Values], Allowances],
    ) -> AtCorners | None:
        """Return what corners above the last layer may do, None where there are none."""
        if self.objective is None or not has_corners(self.objective):
            return None
        widened = partial(
            self._allow, batch, parameters, point.inside, point.values, gradients, settled=False,
        )  # fmt: skip
        return AtCorners(point, gradients, self.objective, batch.targets, allow, widened)

    def _allow(
        self,
        batch: Batch,
        parameters: Arrays,
        inside: Mapping[int, Inside],
        values: Values,
        gradients: Values,
        settled: bool = True,
    ) -> Allowances:
        """Return what rounding may explain of these values and gradients.

        `settled`: which slopes there are at corners above the last layer is known.
        """
        if isinstance(values, Swept):
            sweep = values.sweep(self.arithmetic, batch)
            values.each(sweep.see)
            sweep = values.learnt_again(sweep)
            found = sweep.allowances(gradients, values.each, values.unordered(sweep, gradients))
        else:
            found = network_allowances(
                self.arithmetic, parameters, batch, values, gradients, activation=self.activation,
                reduction=self.reduction, top=self._top(batch.targets, settled=settled),
                inside=inside,
            )  # fmt: skip
        return self._penalised(found, parameters, gradients, len(batch.x))

    def _penalised(
        self, found: Allowances, parameters: Arrays, gradients: Values, rows: int
    ) -> Allowances:
        if self.objective is None or not self.objective.penalises:
            return found
        return with_penalty(found, self.objective, parameters, gradients, rows)

    def _by_blocks(self, x: NDArray[Any]) -> bool:
        """Whether a batch has so many blocks of rows that its intermediates are never all kept."""
        reference = self.reference
        usual = reference.normalisation == "none" and not reference.dropout
        plain = usual and (self.objective is None or self.objective.plain)
        widest = len(x) * max(reference.sizes) * reference.dtype.itemsize
        several = len(reference.row_blocks(len(x))) > 1
        return plain and several and len(x) >= LONG and widest > WHOLE

    def hold(self, expected: Expected, loss: float, gradients: Arrays) -> Examined:
        """Hold a loss and gradients against what was expected; resolve kinks before accusing.

        What then is a little too far away may be so because the reference is: it is held against
        the same in the next precision, if the reference is farther from that than honest rounding.
        """
        examined = self._hold(expected, loss, gradients)
        if not 1 < examined.worst_ratio <= OF_THE_REFERENCE or not finite(examined.comparisons):
            return examined
        exact = expected.in_next_precision()
        if exact is None or self._hold(expected, *exact).worst_ratio <= HONEST:
            return examined
        closer = replace(expected, loss=exact[0], gradients=exact[1])
        instead = self._hold(closer, loss, gradients)
        return instead if instead.agrees else examined

    def _hold(self, expected: Expected, loss: float, gradients: Arrays) -> Examined:
        """Hold a loss and gradients against what was expected; resolve kinks before accusing."""
        allowances = expected.point.allowances
        found = KinkExplanation(expected.gradients, allowances)
        compared, projections = compare_gradients(gradients, found)
        if worst(compared, projections) > HONEST and finite(compared):
            difference = differences(gradients, expected.gradients)
            for other in expected.explanations(difference):
                tried = compare_gradients(gradients, other)
                if better(worst(*tried), worst(compared, projections), other):
                    found, (compared, projections) = other, tried
                    break
        return Examined(
            loss=compare_entries("loss", loss, expected.loss, allowances.forward.loss),
            gradients=compared,
            projections=projections,
            allowances=found.allowances,
            reference_loss=expected.loss,
            reference_gradients=dict(found.gradients),
            expected=expected,
            slopes=found.slopes,
            widened=found.widened,
        )

    def repeated(
        self,
        parameters: Arrays,
        x: NDArray[Any],
        targets: NDArray[Any],
        again: tuple[float, Arrays],
        first: tuple[float, Arrays],
        context: Context = NOTHING,
    ) -> dict[str, Comparison]:
        """Compare two answers of one implementation at one point.

        The point's allowance belongs to the right gradient. A wrong one has other terms, and rounds
        in ways nobody has analysed: see `_of_another`.
        """
        examined = self(parameters, x, targets, *first, context=context)
        allowed = dict(examined.allowances.gradients)
        of_loss: Float | float = examined.allowances.forward.loss
        if not examined.agrees:
            of_loss = self._of_another(of_loss, first[0], examined.reference_loss)
            for name, reference in examined.reference_gradients.items():
                allowed[name] = self._of_another(allowed[name], first[1][name], reference)
        found = {"loss": compare_entries("loss", again[0], first[0], of_loss)}
        for name, allowance in allowed.items():
            found[name] = compare_entries(f"d{name}", again[1][name], first[1][name], allowance)
        return found

    def _of_another(self, allowed: ArrayLike, wrong: ArrayLike, right: ArrayLike) -> Float:
        """Return what an array that is wrong may round, from what the right one may.

        Its entries may round like the largest of the right one's, scaled to its size, or like its
        own largest; and `UNKNOWN` times as much, so that only gross changes count.
        """
        size, of_right = (float(np.abs(one).max()) for one in (wrong, right))
        largest = float(np.max(allowed)) * max(1.0, size / (of_right or 1.0))
        return np.full(np.shape(allowed), UNKNOWN * max(largest, self.arithmetic.unit * size))

    def reported(
        self,
        parameters: Arrays,
        x: NDArray[Any],
        targets: NDArray[Any],
        loss: float,
        accuracy: float,
        identities: NDArray[np.int64] | None = None,
        context: Context = NOTHING,
    ) -> Reported:
        """Compare a reported loss and accuracy with the reference's at the same weights."""
        batch = self._batch(x, targets, identities)
        if self._by_blocks(x):
            values = Swept(self.reference, self.reduction, parameters, x, targets)
            sweep = values.sweep(self.arithmetic, batch, backward=False)
            expected, right = values.report(sweep)
            allowances = sweep.forward()
        else:
            expected, right, shown = self.reference.evaluate(
                parameters, x, targets, context=context, intermediates=True
            )
            evaluating = {**context, "training": np.array(False)}
            allowances = forward_allowances(
                self.arithmetic, parameters, batch, shown, activation=self.activation,
                reduction=self.reduction, top=self._top(targets),
                inside=self._inside(parameters, shown, evaluating, batch),
            )  # fmt: skip
        if self.objective is not None and self.objective.penalises:
            allowances = with_penalty_forward(allowances, self.objective, parameters, len(x))
        return compare_reported(loss, accuracy, expected, right, allowances, len(x))

    def _inside(
        self, parameters: Arrays, values: Values, context: Context, batch: Batch
    ) -> dict[int, Inside]:
        """Return what the hidden layers do besides the activation: of a plain network nothing."""
        if self.between.plain:
            return {}
        kind, rate = self.between.normalisation, self.between.dropout
        return insides(kind, rate, parameters, values, context, batch.often)

    def _top(self, targets: NDArray[Any], *, settled: bool = True) -> Top | None:
        """Return what stands above the logits, None for plain softmax cross-entropy."""
        if self.objective is None or self.objective.plain:
            return None
        return declared_top(self.objective, targets, settled=settled)

    def _batch(
        self, x: NDArray[Any], targets: NDArray[Any], identities: NDArray[np.int64] | None
    ) -> Batch:
        """Return what is known of a batch; the last few are remembered."""
        for batch in self._batches:
            if batch.is_of(x, targets, identities):
                return batch
        self._batches.append(Batch(x, targets, identities))
        del self._batches[:-REMEMBERED]
        return self._batches[-1]
