"""What a mistake of the optimiser is: a slip in the plain step."""

from __future__ import annotations

import inspect
from dataclasses import KW_ONLY, dataclass
from functools import cached_property, lru_cache
from types import ModuleType
from typing import Any

from compare.mistakes.mistake import Mistake
from compare.textbook import plain_step
from compare.textbook.pair import Pair
from compare.textbook.program import Slip, lines_of, planted
from compare.textbook.step import Moment, Stepped

STEP = lines_of(plain_step.first_velocity, plain_step.update)


@dataclass(frozen=True, eq=False)
class StepMistake(Mistake):
    """A mistake in the update of one parameter, or in its first velocity.

    `only` limits it to names that begin so ("b": biases). With `free` the constant is fitted.
    `sometimes`: it may begin in the middle of a training, as a learning rate that falls does; any
    other stands in the code from the first update on.
    """

    _: KW_ONLY
    only: str = ""
    free: bool = False
    sometimes: bool = False

    @cached_property
    def parsed(self) -> Slip:
        """Return the slip as code."""
        return Slip(self.slip, self.line, STEP)

    def changes(self, constant: float | None) -> tuple[tuple[str, str], ...]:
        """Return what stands in place of which line, with the constant filled in."""
        return self.parsed.planted(constant)

    def step(self, now: Moment, constant: float | None = None) -> Stepped:
        """Return parameter and velocity after an update with the mistake in it."""
        return now.after(with_slip(self, constant)["update"])

    def beside(self, other: StepMistake) -> bool:
        """Return whether both can be made at once: in other lines than the other one."""
        return self.parsed.beside(other.parsed)

    @property
    def starts(self) -> bool:
        """Return whether the mistake is in the first velocity."""
        return any("start" in one.line.text for one in self.parsed.changes)

    def start(self, w: Pair, constant: float | None = None) -> Pair:
        """Return the velocity before the first update."""
        found: Pair = with_slip(self, constant)["first_velocity"](w)
        return found

    @property
    def observable(self) -> tuple[str, ...]:
        """Return that consecutive records show it."""
        return ("trainer records",)


def with_slip(mistake: StepMistake, constant: float | None) -> dict[str, Any]:
    """Return the plain step's functions with the mistake in them; they run on pairs as well."""
    return run(plain_step, mistake.changes(constant))


def with_two(one: StepMistake, constant: float | None, other: StepMistake) -> dict[str, Any]:
    """Return the same with two mistakes, in lines of their own."""
    return run(plain_step, (*one.changes(constant), *other.changes(None)))


@lru_cache(maxsize=1024)
def run(module: ModuleType, changes: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """Return what a plain program defines with these lines replaced.

    The functions are pure and compiling them takes longer than a step, so they are kept.
    """
    source = planted(inspect.getsource(module), changes)
    namespace: dict[str, Any] = {"__name__": module.__name__}
    exec(
        compile(source, f"<{module.__name__} with {len(changes)} lines changed>", "exec"), namespace
    )
    return namespace
