"""What a mistake of the optimiser is, and the lines of the plain step that such mistakes change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from compare.mistakes.mistake import Mistake
from compare.textbook.pair import Pair
from compare.textbook.step import Moment, Stepped, right_step

FAMILY = "update"
GRADIENT_LINE = "dw = gradients[name]"
STATE_LINE = 'v = state.get(f"v_{name}", np.zeros_like(w))'
V_LINE = "v = momentum * v + learning_rate * dw"
W_LINE = "w = w - v"
RIGHT_V = "v = momentum * v + learning_rate * dw"
RIGHT_W = "w = w - v"
RIGHT_START = "v = 0 before the first update"


@dataclass(frozen=True, kw_only=True, eq=False)
class StepMistake(Mistake):
    """A mistake in the update: `step` replaces it, `start` replaces the first velocity.

    `step(moment[, constant]) -> (parameter, velocity)`, `start(parameter, declared[, constant])`.
    `only` limits it to names that begin so ("b": biases). With `free` the constant is fitted.
    """

    step: Callable[..., Stepped] = right_step
    start: Callable[..., Pair] | None = None
    only: str = ""
    free: bool = False

    @property
    def observable(self) -> tuple[str, ...]:
        """Return that consecutive records show it."""
        return ("trainer records",)


def with_velocity(now: Moment, v: Pair) -> Stepped:
    """Return the right step of the parameter with a mistaken velocity."""
    return now.w - v * now.outside, v
