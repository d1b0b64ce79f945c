"""What the rules read of a batch, and need not read again at the next update.

In a full-batch run inputs and targets are the same at every update; what follows from them alone
is found once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.allowance.alike import coarse, multiplicities, near_duplicate_rows, row_keys
from compare.allowance.operands import Operand, Where
from compare.allowance.spread import Spread
from compare.allowance.squares import blocks, row_squares
from compare.contracts.arrays import Float, Real
from compare.contracts.targets import dust

NEAR, SMALLEST = 1e-2, 1e-6
"""Rows farther apart than this part of their norms are no near-duplicates, and terms smaller than
this part of the largest do not count."""

MOST_DECISIVE = 64
"""So many decisive rows of a batch are remembered."""


@dataclass(frozen=True)
class Batch:
    """Inputs `x`, (N, F), and `targets`, (N, K), rows that sum to 1.

    `identities`: one number per row of `x`, equal for equal rows; None if all may be taken to
    differ. Neither array may change while the batch is in use. `decisive`: rows that have proved to
    decide a gradient, which are learnt from at the next update too.
    """

    x: Real
    targets: Real
    identities: NDArray[np.int64] | None = None
    _read: dict[type[Spread], Operand] = field(default_factory=dict)
    _near: dict[float, tuple[float, float] | None] = field(default_factory=dict)
    _decisive: list[Where] = field(default_factory=list)

    @property
    def decisive(self) -> Where:
        """The decisive rows that were noted."""
        return self._decisive[-1] if self._decisive else np.empty(0, np.intp)

    def note(self, decisive: Where) -> None:
        """Note decisive rows; of many the last ones are kept."""
        known = self.decisive
        new = decisive[~np.isin(decisive, known)]
        self._decisive[:] = [np.concatenate((known, new))[-MOST_DECISIVE:]]

    @cached_property
    def y(self) -> Float:
        """The targets class by class, (K, N)."""
        return np.asarray(self.targets.T, dtype=np.float64, order="C")

    @cached_property
    def often(self) -> Float | None:
        """How often each row of `x` occurs, (N,), or None if all differ."""
        return None if self.identities is None else multiplicities(self.identities)

    @cached_property
    def sizes(self) -> Float:
        """The sums of squares of the rows of `x`, (N,)."""
        return np.concatenate([row_squares(block) for _, block in blocks(self.x)])

    @cached_property
    def by_class(self) -> Where:
        """The rows sorted by class: the order in which their dlogits add up worst, (N,)."""
        classes = np.argmax(self.targets, axis=1).astype(
            np.uint16
        )  # short keys are sorted by digits
        return np.argsort(classes, kind="stable")

    @cached_property
    def soft(self) -> tuple[Float, Float, Float] | None:
        """By how much targets miss 0 or 1, and their sum 1, and how often each row of them occurs.

        All (N,); None if all are one-hot. Rows that are equal but for the order of the classes
        count as the same. What rounded targets may miss is a few digits of the format they were
        computed in; whatever a row misses beyond that is an error, and nothing is allowed for it.
        """
        missed = 1 - np.max(self.targets, axis=1).astype(np.float64)
        if not missed.any():
            return None
        often = multiplicities(coarse(row_keys(np.sort(self.y, axis=0).T)))
        wrong = np.minimum(np.abs(np.add.reduce(self.y) - 1), dust(self.targets))
        return missed, wrong, np.ones(len(missed)) if often is None else often

    def near_duplicates(self, roundoff: float) -> tuple[float, float] | None:
        """Return the share of pairs of rows that are near-duplicates, and how far those are apart.

        Near enough to matter: terms of a sum of N that lie apart by `d` of their size lose alike
        what is below the last digit of the partial sums if they are smaller than `N u / d` of the
        largest terms. Those of a `SMALLEST`th may be met.
        """
        if roundoff not in self._near:
            apart = min(NEAR, len(self.x) * roundoff / SMALLEST)
            self._near[roundoff] = near_duplicate_rows(self.x, apart)
        return self._near[roundoff]

    def operand(self, form: type[Spread]) -> Operand:
        """Return `x` as that form reads it."""
        if form not in self._read:
            self._read[form] = form.read(self.x, bias=True)
        return self._read[form]

    def part(self, rows: slice | Where, form: type[Spread]) -> Batch:
        """Return some of its rows, with what is known of each among all rows of the batch."""
        identities = None if self.identities is None else self.identities[rows]
        found = Batch(self.x[rows], self.targets[rows], identities)
        if form.remembered:
            found._read[form] = Operand(found.x, self.sizes[rows])
        known: dict[str, Any] = {"often": None, "soft": None}
        if self.often is not None:
            known["often"] = self.often[rows]
        if self.soft is not None:
            known["soft"] = tuple(of_row[rows] for of_row in self.soft)
        vars(found).update(known)  # where the cached properties keep them
        return found

    def is_of(self, x: Real, targets: Real, identities: NDArray[np.int64] | None) -> bool:
        """Whether it was made of these very arrays."""
        return self.x is x and self.targets is targets and self.identities is identities
