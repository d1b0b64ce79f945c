"""The function under test raised, or returned another shape: a disagreement, with its cause.

Every known mistake is tried on the numbers as they are, and again with their shapes mended as far
as that can be done. Only inputs that any code is made for are asked: beside a wrong shape it is no
answer what the code does beyond the range of exp.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from compare.contracts.arrays import Arrays
from compare.contracts.errors import Raised, WrongCall
from compare.contracts.result import Finding
from compare.guard.implementation import GuardedImplementation
from compare.judge.naming import UNKNOWN, Named, named_anywhere
from compare.judge.point import PointJudge

MENDED = "apart from what has another shape, loss and gradients are right"
ELSEWHERE = "wherever it returns, loss and gradient are right"


def enter_failure(judge: PointJudge, failure: WrongCall) -> str | None:
    """Enter what a call of the function under test came to; return the sentence of one that raised.

    It is a Result's `failure`. What returns another shape is only a disagreement.
    """
    tally = judge.ledger.tallies["structure"]
    tally.made += 1
    tally.failed += 1
    judge.ledger.find(Finding(check="structure", stage="call", message=str(failure)))
    return str(failure) if isinstance(failure, Raised) else None


def name_despite(judge: PointJudge, implementation: object, sizes: Sequence[int]) -> Named | None:
    """Return the known mistakes in what the function computes where it does, or what is right.

    None where points were compared before it failed, whose numbers are asked as usual, and for
    code that cannot be asked further.
    """
    if judge.suspect is not None or not isinstance(implementation, GuardedImplementation):
        return None
    for kept in (True, False):
        asked = WatchedCalls(implementation.leniently(kept=kept))
        found = named_anywhere(judge.experiment, asked, sizes, special=False, single=kept)
        if found.diagnosis:
            return found
    if not asked.returned:
        return Named(facts=(f"{UNKNOWN}: it returns nothing at any of the probes",))
    if found.facts:
        return Named(facts=(UNKNOWN, *found.facts))
    return Named(facts=(ELSEWHERE if asked.raised else MENDED,))


class WatchedCalls:
    """A function under test, and whether it ever returned and ever raised."""

    def __init__(self, implementation: GuardedImplementation) -> None:
        self.implementation = implementation
        self.returned = self.raised = False

    def __call__(
        self, parameters: Arrays, x: NDArray[Any], targets: NDArray[Any], /, **how: Any
    ) -> tuple[Any, ...]:
        try:
            value = self.implementation(parameters, x, targets, **how)
        except WrongCall:
            self.raised = True
            raise
        self.returned = True
        return value
