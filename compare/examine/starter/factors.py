"""The chain rule with a function for each factor: the slope at p, and softmax's Jacobian.

    dp = cross_entropy_derivative(p, y)       -y / p / N
    dz = softmax_backward(dp, p)              p * (dp - sum(dp * p))

Alone the first is no dL/dlogits, and the second, handed one, has the Jacobian once too often. In a
file that has both each is right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from compare.contracts.result import Verdict
from compare.examine.starter.binding import plain
from compare.examine.starter.entropy_readings import AT_P
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.source import Source

SLOPE = r"(d|der|diff|grad|gradient|deriv|derivative|prime|back|backward|backprop|jac|jacobian|vjp)"
OF_SOFTMAX = re.compile(rf"{SLOPE}(of)?softmax\w*|softmax(layer)?_?{SLOPE}\w*")
LOSS = r"\w*(loss|cost|nll|ce|entropy)"
OF_LOSS = re.compile(rf"{SLOPE}(of)?{LOSS}\w*|{LOSS}{SLOPE}\w*")
AT_PROBABILITIES, JACOBIAN = "gradient-at-probabilities", "softmax-jacobian-on-top"
SLOPE_SAID = "it is dL/dp, which {} takes on to dL/dlogits"
JACOBIAN_SAID = "it is softmax's Jacobian times what it is handed, which is dL/dp of {}"


def as_factors(source: Source, found: Sequence[FunctionVerdict]) -> list[FunctionVerdict]:
    """Return the verdicts, those on factors of the chain rule right where the file has both.

    The second takes what the first gives, so it has two arguments; it is judged by itself.
    """
    onward = [one.name for one in found if OF_SOFTMAX.fullmatch(plain(one.name))
              and takes_two(source, one.name)]  # fmt: skip
    slopes = [one.name for one in found if OF_LOSS.fullmatch(plain(one.name))
              and one.verdict is not Verdict.AGREES and one.name not in onward[:1]]  # fmt: skip
    return [as_factor(one, onward[:1], slopes) for one in found]


def takes_two(source: Source, name: str) -> bool:
    """Whether a function takes an error beside what it is the derivative of."""
    return name in source.definitions and len(source.signature(name)) > 1


def as_factor(
    one: FunctionVerdict, onward: Sequence[str], slopes: Sequence[str]
) -> FunctionVerdict:
    """Return the verdict on one function."""
    if one.name in slopes and onward and is_slope_at_p(one):
        return right(one, SLOPE_SAID.format(onward[0]))
    if one.name in onward and slopes and told(one) == [JACOBIAN]:
        return right(one, JACOBIAN_SAID.format(slopes[0]))
    return one


def is_slope_at_p(one: FunctionVerdict) -> bool:
    """Whether a function gives dL/dp to the last digit."""
    return told(one) == [AT_PROBABILITIES] or (one.kind == "convention" and one.sentence == AT_P)


def told(one: FunctionVerdict) -> list[str]:
    """The mistakes that a function is accused of."""
    return [known.mistake for known in one.diagnosis]


def right(one: FunctionVerdict, words: str) -> FunctionVerdict:
    """The verdict on a function that is right as one factor."""
    return replace(one, verdict=Verdict.AGREES, sentence="agrees", kind=None, diagnosis=(),
                   worst=None, conventions=(words,))  # fmt: skip
