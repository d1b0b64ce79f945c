"""One or two mistakes with their constants: what the search proposes and the user is told."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from compare.diagnosis.match import Overrides
from compare.mistakes.mistake import NetworkMistake

NOTHING: Overrides = frozenset()


@dataclass(frozen=True)
class Part:
    """One mistake with its constant, in every layer or in one."""

    mistake: NetworkMistake
    constant: float | None = None
    layer: int | None = None

    @cached_property
    def overrides(self) -> Overrides:
        """Return what it overrides."""
        return self.mistake.overrides(self.constant, self.layer)

    @property
    def fitted(self) -> bool:
        """Return whether a constant was fitted to the numbers seen."""
        return self.constant is not None


@dataclass(frozen=True)
class Explanation:
    """Mistakes that together reproduce everything seen."""

    parts: tuple[Part, ...]

    @cached_property
    def overrides(self) -> Overrides:
        """Return everything they override."""
        return frozenset().union(*(part.overrides for part in self.parts))

    @property
    def name(self) -> str:
        """Return the names of the mistakes."""
        return " + ".join(part.mistake.name for part in self.parts)

    @property
    def needs_proof(self) -> bool:
        """Return whether one of the mistakes has to be proved besides reproducing the numbers."""
        return any(part.mistake.proof for part in self.parts)

    @property
    def rank(self) -> tuple[int, int, bool, bool, int]:
        """Return what is preferred first: few mistakes, few constants, no convention, all layers,
        frequent ones."""
        mistakes = [part.mistake for part in self.parts]
        return (
            len(self.parts),
            sum(part.fitted for part in self.parts),
            any(mistake.convention for mistake in mistakes),
            any(part.layer is not None for part in self.parts),
            -sum(mistake.seen for mistake in mistakes),
        )
