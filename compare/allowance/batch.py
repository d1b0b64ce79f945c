"""What the rules read of a batch, and need not read again at the next update.

In a full-batch run inputs and targets are the same at every update; what follows from them alone
is found once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from compare.allowance.alike import multiplicities
from compare.allowance.operands import Float, Operand, Real, Where
from compare.allowance.spread import Spread


@dataclass(frozen=True)
class Batch:
    """Inputs `x`, (N, F), and `targets`, (N, K), rows that sum to 1.

    `identities`: one number per row of `x`, equal for equal rows; None if all may be taken to
    differ. Neither array may change while the batch is in use.
    """

    x: Real
    targets: Real
    identities: NDArray[np.int64] | None = None
    _read: dict[type[Spread], Operand] = field(default_factory=dict)

    @cached_property
    def y(self) -> Float:
        """The targets class by class, (K, N)."""
        return np.asarray(self.targets.T, dtype=np.float64, order="C")

    @cached_property
    def often(self) -> Float | None:
        """How often each row of `x` occurs, (N,), or None if all differ."""
        return None if self.identities is None else multiplicities(self.identities)

    @cached_property
    def by_class(self) -> Where:
        """The rows sorted by class: the order in which their dlogits add up worst, (N,)."""
        classes = np.argmax(self.y, axis=0).astype(np.uint16)  # short keys are sorted by digits
        return np.argsort(classes, kind="stable")

    @cached_property
    def soft(self) -> tuple[Float, Float] | None:
        """By how much targets miss 0 or 1, and their sum 1, both (N,); None if all are one-hot."""
        missed = 1 - np.maximum.reduce(self.y)
        return (missed, np.abs(np.add.reduce(self.y) - 1)) if missed.any() else None

    def operand(self, form: type[Spread]) -> Operand:
        """Return `x` as that form reads it."""
        if form not in self._read:
            self._read[form] = form.read(self.x, bias=True)
        return self._read[form]

    def is_of(self, x: Real, targets: Real, identities: NDArray[np.int64] | None) -> bool:
        """Whether it was made of these very arrays."""
        return self.x is x and self.targets is targets and self.identities is identities
