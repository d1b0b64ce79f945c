"""A loss in lines beside gradients that are right: does it belong to them?

The mean and the sum over the batch do, each to gradients of its kind; a sum may be divided later. A
loss that is wrong is one with a known mistake; any other was not compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Diagnosis, Verdict
from compare.diagnosis.prediction import BY_NAME
from compare.examine.starter.entropy_readings import SUMS
from compare.examine.starter.expected import LOSS, Expected, expected
from compare.examine.starter.function_verdict import FunctionVerdict, is_where
from compare.examine.starter.loss_check import loss_named
from compare.examine.starter.loss_lines import LossLine
from compare.examine.starter.readings import Sizes
from compare.examine.starter.together import known
from manual_mlp import Penalty

DIVIDED = re.compile(
    r"\b(?:lr|eta|alpha|rate|learning_rate|step_size)\b(?: \* [\w.\[\]']+)? / "
    r"(?:n|m|N|M|rows|n_samples|batch_size|float\(|len\(|\w+\.shape|self\.(?:n|m)\b)"
)
"""A learning rate that is divided by how many rows there are."""
NOTHING = Penalty()
AGREE = "its gradients agree"
HALF = 0.5
OF_TERM = {2: "l2-factor-2-missing", HALF: "l2-factor-2-too-many"}
"""By how many times the term of the gradients that of the loss is."""
DECAY = "is that of the data alone: the term of its gradients is a weight decay"
"""What is said of a loss beside a training whose gradients shrink all weights by one strength: as
torch's `weight_decay` does, whatever the strength is called."""
CLOSE = 1e-9
UNSHOWN = "it shows no loss: only its gradients were compared"
"""What is said where no line of a loss was found either."""
Value = Callable[[Mapping[str, Array]], float]
"""From everything that is known at a point to the number that a line gives."""


@dataclass(frozen=True)
class Shown:
    """A line of a loss, and what it gives; `guards` were left out of its logarithms.

    `negated`: its minus stands elsewhere, or it is called a likelihood.
    """

    line: LossLine
    given: Value
    guards: tuple[str, ...]
    negated: bool = False

    def __call__(self, due: Expected) -> float:
        """What it gives at one point; NaN where it gives no number."""
        try:
            return self.value(due.quantities)
        except UserCodeError:
            return np.nan

    def value(self, quantities: Mapping[str, Array]) -> float:
        """The loss that it gives, or whose negative."""
        number = self.given(quantities)
        return -number if self.negated and number < 0 else number

    def per_row(self, quantities: Mapping[str, Array]) -> float:
        """What it gives, divided by the rows."""
        return self.value(quantities) / len(quantities["y"])


@dataclass(frozen=True)
class Beside:
    """Holds the lines of a loss against the loss that right gradients belong to."""

    sizes: Sizes
    reduction: str
    seed: int
    activation: str
    timeout: float | None
    divided: bool = False
    """Whether the updates divide by the rows what the gradients add up."""
    penalty: Penalty = NOTHING
    """The term that the gradients have beside those of the network."""

    def __call__(
        self, shown: Sequence[Shown], found: FunctionVerdict, line: int
    ) -> FunctionVerdict:
        """The verdict on gradients that are right, or right as a sum; `line` is where a loss stands
        if none can be evaluated."""
        mean, total = self.due("mean"), self.due("sum")
        numbers = [(one, one(mean)) for one in shown]
        numbers = [(one, number) for one, number in numbers if np.isfinite(number)]
        if right := [one for one, number in numbers if is_loss(mean, number)]:
            if self.divided and found.reduction == "sum":
                return beside_a_sum(right[0], found, "is the mean: the updates divide by the rows")
            return beside_a_mean(right[0], found, self.reduction)
        last = [(one, number) for one, number in numbers if one.line.last]
        if summed := [one for one, number in last if is_loss(total, number)]:
            return beside_a_sum(summed[0], found)
        if found.verdict is not Verdict.AGREES:
            return found
        if not last:
            return found.undecided(f"{AGREE}; its loss, line {line}, was not compared")
        if not self.penalty.nothing:
            return self.of_another_term(found, *last[-1])
        return self.of_another(found, mean if found.reduction == "mean" else total, *last[-1])

    def due(self, reduction: str) -> Expected:
        """What is due at the point, with the term of the gradients."""
        due = expected(self.sizes, reduction, self.seed, self.activation)
        return due if self.penalty.nothing else due.with_penalty(self.penalty)

    def of_another_term(self, found: FunctionVerdict, one: Shown, number: float) -> FunctionVerdict:
        """The verdict on gradients with a term that is not that of the loss: one twice or half as
        large, or none, which is a decay; any other was not told."""
        bare = replace(self, penalty=NOTHING).due(found.reduction or "mean")
        plain = float(bare.gradients[LOSS])
        share = (number - plain) / self.penalty.loss_at(bare.point.parameters, len(bare.point.x))
        if np.isclose(share, 0.0, atol=CLOSE):
            return replace(found, conventions=(*found.conventions, *words(one, DECAY)))
        for times, mistake in OF_TERM.items():
            if np.isclose(share, times, rtol=CLOSE, atol=CLOSE):
                about = BY_NAME[mistake]
                c = self.penalty.l2 if times != HALF else self.penalty.l2 / 2
                said = about.sentence.format(constant=c).rstrip(".")
                return found.slip(mistake, f"{said} (line {one.line.number})", about.title)
        said = f"{AGREE} but for {self.penalty.l2:.6g} times the weights, which its loss, line"
        return found.undecided(f"{said} {one.line.number}, does not show")

    def any_right(self, shown: Sequence[Shown]) -> bool:
        """Whether a line is the loss, without any term beside it."""
        dues = [expected(self.sizes, one, self.seed, self.activation) for one in ("mean", "sum")]
        return any(is_loss(due, one(due)) for one in shown for due in dues)

    def of_another(
        self, found: FunctionVerdict, due: Expected, one: Shown, number: float
    ) -> FunctionVerdict:
        """The verdict on right gradients whose loss is another: a known mistake, or not told.

        A sum that lines add to may be divided by the rows later: that it is one is no mistake.
        """
        named = self.named(one.value)
        if one.line.own and any("+" in each.mistake for each in named):
            named = self.named(one.per_row) or named
        worst = due.compare(LOSS, np.array(number)).worst
        sentence = f"its loss, line {one.line.number}, {is_where(worst)}"
        if not named:
            return found.undecided(f"{AGREE}; {sentence}: what it is was not told")
        return replace(found.wrong("value", sentence, worst), role=LOSS, diagnosis=named)

    def named(self, value: Value) -> tuple[Diagnosis, ...]:
        """The known mistake that gives these numbers at every point."""
        return loss_named(
            lambda *given: given[0], lambda quantities: {LOSS: value(quantities)},
            activation=self.activation, reduction=self.reduction, seed=self.seed,
            timeout=self.timeout, sizes=self.sizes,
        )  # fmt: skip


def divides_its_rate(text: str) -> bool:
    """Whether a file divides its learning rate by the rows: `lr / n * dW` of summed gradients."""
    return bool(DIVIDED.search(text))


def is_loss(due: Expected, number: float) -> bool:
    """Whether a number is the loss of a point."""
    return bool(np.isfinite(number)) and due.compare(LOSS, np.array(number)).agrees


def beside_a_mean(one: Shown, found: FunctionVerdict, declared: str) -> FunctionVerdict:
    """The verdict on gradients whose loss is the mean over the batch."""
    if found.reduction != "sum":
        return replace(found, conventions=(*found.conventions, *words(one, "is right")))
    line = one.line.number
    if declared == "sum":
        sentence = f"its loss, line {line}, is the mean over the batch, its gradients are summed"
        return replace(
            found.wrong("value", sentence), role=LOSS, diagnosis=known("loss-averaged"),
        )  # fmt: skip
    sentence = f"it sums over the batch, but its loss, line {line}, is the mean: N times too large"
    return replace(
        found.wrong("value", sentence, found.worst), diagnosis=known("gradient-summed")
    )  # fmt: skip


def beside_a_sum(
    one: Shown, found: FunctionVerdict, is_what: str = "is the sum over the batch"
) -> FunctionVerdict:
    """The verdict on gradients whose loss is the sum over the batch, which may be divided later, or
    the mean, where their sum is divided later."""
    if found.reduction == "sum" and found.verdict is Verdict.DISAGREES:
        convention = found.wrong("convention", SUMS, found.worst)
        return replace(convention, diagnosis=known("summed-not-averaged"))
    said = words(one, is_what)
    return replace(found, conventions=(*found.conventions, *said))


def words(one: Shown, is_what: str) -> Iterator[str]:
    """What is said of a loss that was compared."""
    yield f"its loss, line {one.line.number}, {is_what}"
    if one.guards:
        yield f"the guard + {' and + '.join(one.guards)} in its logarithm was left out"
