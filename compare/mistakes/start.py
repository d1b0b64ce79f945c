"""Family: where the weights start. Told by their spread, or exactly if the draws are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

from compare.mistakes.mistake import Mistake

FAMILY = "initial weights"
LINE = "w = generator.normal(0, sqrt(2 / (fan_in + fan_out)), (fan_in, fan_out))"
RIGHT = "variance 2 / (fan_in + fan_out)"

Spread = Callable[[int, int], float]
"""Standard deviation from fan_in and fan_out."""

DECLARED: dict[str, Spread] = {
    "xavier": lambda fan_in, fan_out: sqrt(2 / (fan_in + fan_out)),
    "he": lambda fan_in, fan_out: sqrt(2 / fan_in),
    "uniform": lambda fan_in, fan_out: sqrt(1 / (3 * fan_in)),
}
"""The standard deviation of every scheme, by the names of `manual_mlp.INITIALISERS`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StartMistake(Mistake):
    """A wrong standard deviation of the initial weights; biases are not looked at."""

    spread: Spread

    @property
    def observable(self) -> tuple[str, ...]:
        """Return that the first record shows it."""
        return ("trainer records",)


def deviation(
    name: str, sentence: str, wrong: str, code: str, spread: Spread, seen: int = 0
) -> StartMistake:
    """Return the mistake of drawing with another standard deviation."""
    return StartMistake(
        name=name,
        family=FAMILY,
        sentence=sentence,
        right=RIGHT,
        wrong=wrong,
        line=LINE,
        slip=f"w = generator.normal(0, {code}, (fan_in, fan_out))",
        trigger="layers of some hundred weights, or the same draws on both sides",
        spread=spread,
        seen=seen,
    )


START = (
    deviation(
        "variance-as-standard-deviation",
        "Xavier's variance 2/(fan_in + fan_out) is used as the standard deviation: the weights "
        "start too small.",
        "standard deviation 2 / (fan_in + fan_out)",
        "2 / (fan_in + fan_out)",
        lambda fan_in, fan_out: 2 / (fan_in + fan_out),
        seen=5,
    ),
    deviation(
        "fan-in-only",
        "The variance is 2/fan_in: He's rule, where 2/(fan_in + fan_out) was declared.",
        "variance 2 / fan_in",
        "sqrt(2 / fan_in)",
        lambda fan_in, fan_out: sqrt(2 / fan_in),
        seen=3,
    ),
    deviation(
        "fan-out-only",
        "The variance is 2/fan_out: the fan of the other side.",
        "variance 2 / fan_out",
        "sqrt(2 / fan_out)",
        lambda fan_in, fan_out: sqrt(2 / fan_out),
        seen=3,
    ),
    deviation(
        "one-over-fan-in",
        "The variance is 1/fan_in, where 2/(fan_in + fan_out) was declared.",
        "variance 1 / fan_in",
        "sqrt(1 / fan_in)",
        lambda fan_in, fan_out: sqrt(1 / fan_in),
    ),
    deviation(
        "one-over-both-fans",
        "The variance is 1/(fan_in + fan_out): the 2 is missing.",
        "variance 1 / (fan_in + fan_out)",
        "sqrt(1 / (fan_in + fan_out))",
        lambda fan_in, fan_out: sqrt(1 / (fan_in + fan_out)),
    ),
    deviation(
        "unit-variance",
        "The weights are drawn with standard deviation 1, whatever the width.",
        "standard deviation 1",
        "1",
        lambda fan_in, fan_out: 1.0,
    ),
    deviation(
        "hundredth",
        "The weights are drawn with standard deviation 0.01, whatever the width.",
        "standard deviation 0.01",
        "0.01",
        lambda fan_in, fan_out: 0.01,
    ),
)
