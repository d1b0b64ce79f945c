"""What only the whole file can tell of a function: its layout, and whether gradient and loss belong
together. What is found so has a name in the catalogue like everything else."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import replace
from math import inf

from compare.contracts.result import Diagnosis, Verdict
from compare.diagnosis.prediction import BY_NAME
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.numbering import MIXED, SHIFTED

SLOPES = ("grad_ce", "gradient")
LOSSES = ("average_ce", "loss")


def together(
    found: Iterable[FunctionVerdict], shifted: Container[str] = ()
) -> list[FunctionVerdict]:
    """Judge what only the whole file can tell: one layout, and a gradient that fits the loss and
    counts classes as it does, unless its callers have `shifted` these."""
    found = list(found)
    layouts = {one.layout for one in found if one.verdict is Verdict.AGREES and one.layout}
    losses = {one.reduction for one in found if one.role == "average_ce" and one.reduction}
    fitted = [fitting_loss(in_layout(one, layouts), losses) for one in found]
    slopes = {one.reduction for one in fitted if one.role in SLOPES and one.reduction}
    numbers = {one.numbers for one in found if one.role in LOSSES and one.numbers
               and one.verdict is Verdict.AGREES}  # fmt: skip
    said = [named(one, losses, slopes) for one in fitted]
    return [one if one.name in shifted else counting_alike(one, numbers) for one in said]


def counting_alike(one: FunctionVerdict, losses: set[str]) -> FunctionVerdict:
    """Turn a gradient of class numbers from 0 into a disagreement in a file whose loss is of class
    numbers from 1, and the other way round."""
    mixed = bool(losses) and bool(one.numbers) and one.numbers not in losses
    if not mixed or one.role not in SLOPES or one.verdict is not Verdict.AGREES:
        return one
    return one.slip(SHIFTED, MIXED, BY_NAME[SHIFTED].title)


def in_layout(one: FunctionVerdict, layouts: set[str]) -> FunctionVerdict:
    """Turn columns into a disagreement in a file whose other functions have rows."""
    if one.layout != "columns" or "rows" not in layouts:
        return one
    sentence = "it works along the wrong axis: the file's other functions have samples in rows"
    wrong = replace(one.wrong("value", sentence), conventions=())
    return replace(wrong, diagnosis=known("softmax-over-batch")) if one.role == "softmax" else wrong


REDUCED = ("sums over the batch", "averages over the batch")
"""What is said of a reduction that is not the declared one."""


def fitting_loss(one: FunctionVerdict, losses: set[str]) -> FunctionVerdict:
    """Tell a gradient summed like its loss, a convention, from one that does not fit it."""
    if one.role not in SLOPES or len(losses) != 1 or not one.reduction:
        return one
    (loss,) = losses
    if one.reduction == loss:
        return one
    sentence = {
        "sum": "it sums over the batch, but the loss is the mean: N times too large",
        "mean": "it averages over the batch, but the loss is the sum: N times too small",
    }[one.reduction]
    others = [part for part in one.sentence.split("; ") if "over the batch" not in part]
    keep = [part for part in others if part != "agrees"]
    return one.wrong("value", "; ".join([sentence, *keep]), one.worst)


def named(one: FunctionVerdict, losses: set[str], slopes: set[str]) -> FunctionVerdict:
    """The verdict with the name of a reduction that is not the declared one.

    Of loss and gradient that are both summed it is one mistake, or a convention.
    """
    if one.verdict is not Verdict.DISAGREES or one.diagnosis or not one.reduction:
        return one
    if not any(words in one.sentence for words in REDUCED):
        return one  # what is wrong with it is another thing
    summed = one.reduction == "sum"
    if one.role in SLOPES:
        alike = losses == {one.reduction}
        alone = "gradient-summed" if summed else "gradient-averaged"
    elif one.role in LOSSES:
        alike = one.reduction in slopes
        alone = "loss-summed" if summed else "loss-averaged"
    else:
        return one
    both = "summed-not-averaged" if summed else "averaged-not-summed"
    return replace(one, diagnosis=known(both if alike else alone))


def known(name: str) -> tuple[Diagnosis, ...]:
    """A mistake of the catalogue that was seen by calling: the call fits it and nothing else."""
    mistake = BY_NAME[name]
    return (Diagnosis(name, mistake.sentence, inf, 0.0, title=mistake.title),)
