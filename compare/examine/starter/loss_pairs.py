"""A loss function that returns more than its loss: `return loss, dlogits`.

Loss and gradient are both compared, as they are of a function that is named after both. What one
argument is in the loss it is in the gradient too. Where neither is right the function is another
loss than the one that is known here, which accuses nobody; where one is, the other is wrong. What
else may stand beside a loss, its probabilities or an accuracy, is no gradient.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Diagnosis, Verdict
from compare.examine.starter.activation_slopes import required
from compare.examine.starter.binary_loss import IS_ONE, binary_loss, drawn, way_of
from compare.examine.starter.entropy_readings import AT_P, loss_readings
from compare.examine.starter.function_check import FunctionCheck
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.gradient_check import GradientCheck
from compare.examine.starter.gradient_functions import read_function, returned_names
from compare.examine.starter.linear_softmax import linear_checked
from compare.examine.starter.readings import Reading
from compare.examine.starter.returned import parts_of
from compare.examine.starter.source import Source
from compare.examine.starter.together import known
from compare.guard.copies import OnCopies
from compare.guard.guard import Guard

SLOPE = re.compile(r"^d|grad|delta|slope|^g$|err|diff", re.IGNORECASE)
"""In the name of a gradient."""
VALUE = re.compile(r"^p|prob|soft|log|hat|out|^a\d?$|cache", re.IGNORECASE)
"""In the name of a value of the forward pass."""
BOTH = "its loss and the gradient that it returns beside it were compared"
SHOWN = "what it returns beside its loss are its probabilities"
UNTOLD = (
    "was not compared: {name} returns several values, and {what};"
    " let it return its loss alone, or its loss and the gradient of it"
)
NEITHER = "neither of them is the loss or the gradient of a softmax cross-entropy"
NO_LOSS = "none of them is known to be its loss"
NOT_A_GRADIENT = "whether what stands beside its loss is a gradient is not certain"
NOT_OF_BINARY = (
    "the gradient beside its loss is not that of its loss, the {} of the binary cross-entropies of"
    " sigmoid outputs: neither by the probabilities nor by what stands in the sigmoid"
)
PARTING = {
    "sum": "its gradient sums over the batch, but its loss is the mean: N times too large",
    "mean": "its gradient averages over the batch, but its loss is the sum: N times too small",
}
TOGETHER = {"sum": "summed-not-averaged", "mean": "averaged-not-summed"}
NAMES = {"sum": "gradient-summed", "mean": "gradient-averaged"}


@dataclass(frozen=True)
class Pair:
    """A number and an array of the shape of the scores, as a function returned them together."""

    reading: Reading
    slope: Array
    place: int

    @property
    def is_of_the_forward_pass(self) -> bool:
        """Whether the array are the probabilities, or their logarithms."""
        p = np.exp(self.reading.logits)
        p = p / p.sum(axis=1, keepdims=True)
        slope = self.slope if self.slope.shape == p.shape else self.slope.T
        given = self.reading.arguments["scores"]
        logits = given if given.shape == p.shape else given.T
        again = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        known = (p, np.log(p), again, np.log(again), logits)
        return any(np.allclose(slope, one, rtol=1e-9, atol=1e-12) for one in known)


def several_returned(
    source: Source, name: str, function: Callable[..., Any], check: FunctionCheck, seed: int = 0
) -> FunctionVerdict | None:
    """The verdict on a loss function that returns several values; None where it returns one."""
    parameters = source.signature(name)
    answer = answered(function, parameters, check)
    if answer is None:
        return None
    reading, value = answer
    pair = pair_in(reading, value)
    found = of_loss_alone(source, name, function, check)
    if pair is not None:
        found = of_pair(source, name, function, pair, found, check, seed)
    return replace(found, name=name, place=source.where(name))


def answered(
    function: Callable[..., Any], parameters: Sequence[str], check: FunctionCheck
) -> tuple[Reading, Any] | None:
    """How a function can be called and the values that it returns then, if they are several; the
    likeliest call with a number among them comes first."""
    call, quiet = OnCopies(function, Guard(timeout=check.guard.timeout)), None
    for reading in loss_readings(parameters, check.reduction):
        try:
            value = call(reading.arguments)
        except UserCodeError:
            continue
        if not isinstance(value, tuple | list) or len(parts_of(value)) < 2:
            return None
        if pair_in(reading, value) is not None:
            return reading, value
        quiet = quiet or ((reading, value) if numbers_in(value) else None)
    return quiet


def numbers_in(value: Any) -> list[float]:
    """The single numbers among what came back."""
    parts = [np.asarray(one) for one in parts_of(value)]
    return [float(one.item()) for one in parts if one.size == 1 and one.dtype.kind in "fiub"]


def pair_in(reading: Reading, value: Any) -> Pair | None:
    """The number and the array among what came back; None for other values."""
    shape = reading.arguments["scores"].shape
    parts = [np.asarray(one) for one in parts_of(value)]
    pairs = [Pair(reading, one, place) for place, one in enumerate(parts)
             if one.shape == shape and one.dtype.kind == "f"]  # fmt: skip
    slopes = [one for one in pairs if not one.is_of_the_forward_pass] or pairs
    return slopes[0] if len(slopes) == 1 and len(numbers_in(value)) == 1 else None


def number_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """The first number that a function returns, as a function."""

    @functools.wraps(function)
    def called(*given: Any) -> float:
        return numbers_in(function(*given))[0]

    return called


def part_of(function: Callable[..., Any], place: int) -> Callable[..., Any]:
    """One of the values that a function returns, as a function."""

    @functools.wraps(function)
    def called(*given: Any) -> Any:
        return parts_of(function(*given))[place]

    return called


def of_loss_alone(
    source: Source, name: str, function: Callable[..., Any], check: FunctionCheck
) -> FunctionVerdict:
    """The verdict on the first number that a function returns; without a name for what is wrong
    nobody is accused, for it may be another number."""
    parameters = source.signature(name)
    found = check(name, "average_ce", number_of(function), parameters, None)
    found = binary_loss(source, found, number_of(function))
    known = bool(found.diagnosis) or found.kind == "convention"
    if found.verdict is Verdict.DISAGREES and not known:
        return found.undecided(UNTOLD.format(name=name, what=NO_LOSS))
    return found


def of_pair(
    source: Source,
    name: str,
    function: Callable[..., Any],
    pair: Pair,
    loss: FunctionVerdict,
    check: FunctionCheck,
    seed: int,
) -> FunctionVerdict:
    """The verdict on a number and an array of the shape of the scores."""
    names = returned_names(source.definitions[name].node)
    called = names[pair.place] if pair.place < len(names) else ""
    if pair.is_of_the_forward_pass and not SLOPE.search(called):
        if VALUE.search(called) or loss.verdict is not Verdict.AGREES:
            return replace(loss, conventions=(*loss.conventions, SHOWN))
        return loss.undecided(UNTOLD.format(name=name, what=NOT_A_GRADIENT))
    if IS_ONE.format(loss.reduction) in loss.conventions:
        return of_binary(loss, function, pair, check)
    how = read_function(source, name, source.definitions[name].node)
    asked = GradientCheck(check.guard, check.reduction, seed)
    found = by_readings(source, name, function, pair, check)
    if found.verdict is not Verdict.AGREES:
        found = linear_checked(source, how, function, asked) or found
    wrong = found.verdict is Verdict.DISAGREES and found.role != "loss"
    if wrong and VALUE.search(called) and not SLOPE.search(called):
        return loss.undecided(UNTOLD.format(name=name, what=NOT_A_GRADIENT))
    return found


def of_binary(
    loss: FunctionVerdict, function: Callable[..., Any], pair: Pair, check: FunctionCheck
) -> FunctionVerdict:
    """The verdict on a binary cross-entropy and the gradient beside it: by what stands in the
    sigmoid, or by its value."""
    parameters = required(function)
    way = way_of(number_of(function), parameters, check.guard.timeout)
    assert way is not None
    p, y = drawn(way.form, 0)
    values = {"scores": p, "target": y}
    call = OnCopies(part_of(function, pair.place), Guard(timeout=check.guard.timeout))
    slope = np.asarray(call({name: values[name] for name in way.order}))
    share = 1 / p.size if way.reduction == "mean" else 1.0
    due = ((p - y) * share, (p - y) / (p * (1 - p)) * share)
    if any(slope.shape == p.shape and np.allclose(slope, one, rtol=1e-9) for one in due):
        return replace(loss, conventions=(BOTH, *loss.conventions))
    return loss.wrong("value", NOT_OF_BINARY.format(way.reduction))


def by_readings(
    source: Source, name: str, function: Callable[..., Any], pair: Pair, check: FunctionCheck
) -> FunctionVerdict:
    """The verdict on loss and gradient, called with everything that their arguments may be."""
    parameters = source.signature(name)
    loss = check(name, "average_ce", number_of(function), parameters, None)
    slope = check(name, "grad_ce", part_of(function, pair.place), parameters, None)
    slope = at_its_own(slope)
    if loss.verdict is Verdict.UNDECIDABLE:
        return loss
    right = [right_or_reduced(one) for one in (loss, slope)]
    if not any(right):
        return loss.undecided(UNTOLD.format(name=name, what=NEITHER))
    if not all(right):
        return loss if right[1] else replace(slope, role="grad_ce")
    return parted(loss, slope)


def right_or_reduced(one: FunctionVerdict) -> bool:
    """Whether a part is right, in one reduction or the other."""
    return one.verdict is Verdict.AGREES or one.kind == "convention"


def at_its_own(slope: FunctionVerdict) -> FunctionVerdict:
    """A slope at the probabilities, of a function that is handed them: it is that of its loss."""
    if slope.kind != "convention" or slope.scores != "p" or AT_P not in slope.sentence:
        return slope
    left = [part for part in slope.sentence.split("; ") if part != AT_P]
    agrees = replace(slope, verdict=Verdict.AGREES, sentence="agrees", kind=None)
    words = (*slope.conventions, AT_P)
    agrees = replace(agrees, conventions=words)
    return replace(slope, sentence="; ".join(left), conventions=words) if left else agrees


def parted(loss: FunctionVerdict, slope: FunctionVerdict) -> FunctionVerdict:
    """The verdict on two parts that are right each: they have to be of one reduction, and to be
    called alike."""
    if loss.verdict is Verdict.DISAGREES and loss.reduction == slope.reduction:
        loss = replace(loss, diagnosis=known(TOGETHER[loss.reduction]))
    if (loss.arguments, loss.scores) != (slope.arguments, slope.scores):
        return loss.undecided(UNTOLD.format(name=loss.name, what=NEITHER))
    if AT_P in slope.sentence:
        return replace(slope, role="grad_ce")
    if loss.reduction != slope.reduction:
        wrong = slope.wrong("value", PARTING[slope.reduction], slope.worst)
        named: tuple[Diagnosis, ...] = known(NAMES[slope.reduction])
        return replace(wrong, diagnosis=named)
    words = tuple(dict.fromkeys((BOTH, *loss.conventions, *slope.conventions)))
    return replace(loss, conventions=words)
