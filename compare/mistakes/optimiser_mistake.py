"""What a mistake of an optimiser beside plain momentum is: a slip in its plain program."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import cached_property, lru_cache
from typing import Any

from compare.mistakes.mistake import Mistake
from compare.mistakes.step_mistake import run
from compare.textbook import plain_optimisers
from compare.textbook.plain_optimisers import Rule
from compare.textbook.program import Slip, lines_of

PROGRAMS = {
    rule.__name__: lines_of(rule)
    for rule in (
        plain_optimisers.sgd, plain_optimisers.decayed, plain_optimisers.adaptive,
        plain_optimisers.rmsprop, plain_optimisers.adagrad,
    )
}  # fmt: skip
"""The lines of every optimiser beside plain momentum, and of the decay they share."""


@dataclass(frozen=True, eq=False)
class OptimiserMistake(Mistake):
    """A mistake in the update of one parameter by an optimiser.

    `program` is the function of the plain program that it stands in, `of` the optimisers that run
    it. `needs` are settings without which it changes nothing.
    """

    _: KW_ONLY
    program: str
    of: tuple[str, ...]
    needs: tuple[tuple[str, Any], ...] = ()

    @cached_property
    def parsed(self) -> Slip:
        """Return the slip as code."""
        return Slip(self.slip, self.line, PROGRAMS[self.program])

    def changes(self, constant: float | None) -> tuple[tuple[str, str], ...]:
        """Return what stands in place of which line, with the constant filled in."""
        return self.parsed.planted(constant)

    def rule(self, optimiser: str, constant: float | None = None) -> Rule:
        """Return the update of one parameter with the mistake in it."""
        found: Rule = with_slip(self, constant)["RULES"][optimiser]
        return found

    @property
    def observable(self) -> tuple[str, ...]:
        """Return that consecutive records show it."""
        return ("trainer records",)


@lru_cache(maxsize=256)
def with_slip(mistake: OptimiserMistake, constant: float | None) -> dict[str, Any]:
    """Return the plain program with the mistake in it; it runs on pairs as well."""
    return run(plain_optimisers, mistake.changes(constant))


def with_slips(*mistakes: OptimiserMistake) -> dict[str, Any]:
    """Return the plain program with several mistakes in it, each in lines of its own."""
    return run(plain_optimisers, tuple(one for each in mistakes for one in each.changes(None)))
