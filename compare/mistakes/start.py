"""Family: where the weights start. Told by their spread, or exactly if the draws are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from math import sqrt

from compare.mistakes.mistake import Mistake

DRAW = "w = generator.normal(0, {deviation}, (fan_in, fan_out))"

Spread = Callable[[int, int], float]
"""Standard deviation from fan_in and fan_out."""
Mistaken = Callable[[int, int, float], float]
"""The same from fan_in, fan_out and the standard deviation that was declared."""


@dataclass(frozen=True)
class Scheme:
    """A declared draw: its standard deviation, and its variance in words and in code."""

    spread: Spread
    variance: str


DECLARED: dict[str, Scheme] = {
    "xavier": Scheme(
        lambda fan_in, fan_out: sqrt(2 / (fan_in + fan_out)), "2 / (fan_in + fan_out)"
    ),
    "he": Scheme(lambda fan_in, fan_out: sqrt(2 / fan_in), "2 / fan_in"),
    "uniform": Scheme(lambda fan_in, fan_out: sqrt(1 / (3 * fan_in)), "1 / (3 * fan_in)"),
}
"""What every scheme draws, by the names of `manual_mlp.INITIALISERS`."""


@dataclass(frozen=True, eq=False)
class StartMistake(Mistake):
    """A wrong standard deviation of the initial weights; biases are not looked at.

    `{declared}` in the sentence is the variance of the declared scheme; the catalogue's own runs
    declare `scheme`.
    """

    _: KW_ONLY
    spread: Mistaken
    scheme: str

    @property
    def observable(self) -> tuple[str, ...]:
        """Return that the first record shows it."""
        return ("trainer records",)

    @property
    def example_words(self) -> dict[str, object]:
        """Return what fills the sentence in the catalogue: the example's declared variance."""
        return {"declared": DECLARED[self.scheme].variance}


def deviation(
    name: str,
    title: str,
    sentence: str,
    code: str,
    spread: Mistaken,
    *,
    scheme: str = "xavier",
    seen: int = 0,
) -> StartMistake:
    """Return the mistake of drawing with another standard deviation."""
    declared = DECLARED[scheme].variance
    return StartMistake(
        name,
        title,
        sentence,
        DRAW.format(deviation=code),
        line=DRAW.format(deviation=f"sqrt({declared})"),
        trigger="layers of some hundred weights, or the same draws on both sides",
        spread=spread,
        scheme=scheme,
        seen=seen,
    )


def of_another_scheme(name: str, scheme: str, whose: str, declared: str) -> StartMistake:
    """Return the mistake of drawing by one scheme where another one was declared."""
    drawn = DECLARED[scheme]
    return deviation(
        name,
        f"initial weights of variance {drawn.variance}",
        f"The variance is {drawn.variance}, {whose}, where {{declared}} was declared.",
        f"sqrt({drawn.variance})",
        lambda fan_in, fan_out, _: drawn.spread(fan_in, fan_out),
        scheme=declared,
    )


START = (
    of_another_scheme("xavier-drawn", "xavier", "Xavier's rule", "he"),
    deviation(
        "variance-as-standard-deviation",
        "initial weights of standard deviation 2 / (fan_in + fan_out)",
        "The declared variance {declared} is used as the standard deviation: the weights start "
        "too small.",
        "2 / (fan_in + fan_out)",
        lambda fan_in, fan_out, declared: declared**2,
        seen=5,
    ),
    deviation(
        "fan-in-only",
        "initial weights of variance 2 / fan_in",
        "The variance is 2 / fan_in, He's rule, where {declared} was declared.",
        "sqrt(2 / fan_in)",
        lambda fan_in, fan_out, _: sqrt(2 / fan_in),
        seen=6,
    ),
    deviation(
        "fan-out-only",
        "initial weights of variance 2 / fan_out",
        "The variance is 2 / fan_out, by the fan of the other side, where {declared} was declared.",
        "sqrt(2 / fan_out)",
        lambda fan_in, fan_out, _: sqrt(2 / fan_out),
    ),
    of_another_scheme(
        "uniform-drawn", "uniform", "that of a uniform draw between ±1/sqrt(fan_in)", "xavier"
    ),
    deviation(
        "one-over-fan-in",
        "initial weights of variance 1 / fan_in",
        "The variance is 1 / fan_in, where {declared} was declared.",
        "sqrt(1 / fan_in)",
        lambda fan_in, fan_out, _: sqrt(1 / fan_in),
    ),
    deviation(
        "one-over-both-fans",
        "initial weights of variance 1 / (fan_in + fan_out)",
        "The variance is 1 / (fan_in + fan_out), where {declared} was declared.",
        "sqrt(1 / (fan_in + fan_out))",
        lambda fan_in, fan_out, _: sqrt(1 / (fan_in + fan_out)),
    ),
    deviation(
        "unit-variance",
        "initial weights of standard deviation 1",
        "The weights are drawn with standard deviation 1, whatever the width.",
        "1",
        lambda fan_in, fan_out, _: 1.0,
    ),
    deviation(
        "hundredth",
        "initial weights of standard deviation 0.01",
        "The weights are drawn with standard deviation 0.01, whatever the width.",
        "0.01",
        lambda fan_in, fan_out, _: 0.01,
    ),
)
