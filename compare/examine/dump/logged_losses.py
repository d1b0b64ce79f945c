"""Losses that are right and were recorded as something made of them.

A running mean in place of the loss of a step, the loss of a whole epoch at every step of it, a loss
with four digits, one over the rows of all steps. The steps of the dump themselves tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from compare.checks.examined import Examined
from compare.checks.same_point import SamePoint
from compare.contracts.arrays import Array
from compare.contracts.result import Diagnosis
from compare.examine.dump.dump_step import Step
from compare.examine.dump.triage import Wrong

FEW = 3
"""A constant that is fitted must hold at so many steps."""
DIGITS = range(1, 9)
"""Decimals that a logged loss may have."""
LARGEST = 1 << 22
"""Entries up to which the rows of several steps are put together."""


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss of one step as it was recorded and as it is right, with its allowance."""

    number: int
    seen: float
    right: float
    allowance: float

    @property
    def wrong(self) -> bool:
        """Return whether rounding does not explain the difference."""
        return not abs(self.seen - self.right) <= self.allowance

    def is_of(self, value: float, allowances: float | None = None) -> bool:
        """Return whether another value explains what was recorded."""
        allowed = self.allowance if allowances is None else allowances
        return abs(self.seen - value) <= allowed


Losses = Sequence[Loss]


def loss_of(step: Step, examined: Examined) -> Loss:
    """Return the loss of a step beside the right one."""
    allowance = float(np.max(examined.allowances.forward.loss))
    return Loss(step.number, float(step.record.loss), examined.reference_loss, allowance)


def losses_recorded(losses: Losses) -> tuple[Diagnosis, ...]:
    """Return what was recorded in place of the losses of single steps, or nothing."""
    wrong = [one for one in losses if one.wrong]
    if len(wrong) < 2 or not all(np.isfinite((one.seen, one.right)).all() for one in losses):
        return ()
    for name, sentence, explains in (
        ("loss-rounded", "The losses were recorded with {found} decimals.", decimals),
        ("loss-in-float32", "The losses were rounded to float32.", in_float32),
        (
            "running-mean-of-losses",
            "The recorded loss is the mean of the losses of all steps so far{found}.",
            running_mean,
        ),
        (
            "running-sum-of-losses",
            "The recorded loss is the sum of the losses of all steps so far{found}.",
            running_sum,
        ),
        (
            "smoothed-losses",
            "The recorded loss is a moving average: {found} of the last one recorded, the rest of "
            "the step's own.",
            moving_average,
        ),
        (
            "mean-loss-of-an-epoch",
            "The recorded loss is the mean over the losses of {found} steps, and the same at each "
            "of them.",
            mean_of_group,
        ),
    ):
        found = explains(losses)
        if found is not None:
            ratio = max(abs(one.seen - one.right) / one.allowance for one in wrong)
            return (Diagnosis(name, sentence.format(found=found), ratio, 1.0),)
    return ()


def decimals(losses: Losses) -> int | None:
    """Return the number of decimals that makes of every right loss the recorded one."""
    for n in DIGITS:
        if all(one.seen == round(one.seen, n) for one in losses):
            half = 0.5 * 10.0**-n
            return n if all(one.is_of(one.right, half * 1.001) for one in losses) else None
    return None


def in_float32(losses: Losses) -> str | None:
    """Return "" if every recorded loss is the float32 nearest to the right one."""
    unit = float(np.finfo(np.float32).eps)
    cast = all(one.seen == float(np.float32(one.seen)) for one in losses)
    near = all(one.is_of(one.right, unit * abs(one.right)) for one in losses)
    return "" if cast and near else None


def running_mean(losses: Losses) -> str | None:
    """Return "" or where the mean starts anew, if every loss is the mean of those so far."""
    return accumulated(losses, lambda values: float(np.mean(values)))


def running_sum(losses: Losses) -> str | None:
    """Return the same of a sum."""
    return accumulated(losses, lambda values: float(np.sum(values)))


def accumulated(losses: Losses, of: Callable[[Sequence[float]], float]) -> str | None:
    """Return the words if `of` the losses since the last right one explains every loss."""
    since: list[Loss] = []
    restarts = []
    for one in losses:
        if not one.wrong:
            since = []
            restarts.append(one.number)
        since.append(one)
        allowed = sum(each.allowance for each in since) * 2
        if not since[0].is_of(since[0].right) or not one.is_of(
            of([each.right for each in since]), allowed
        ):
            return None
    return f", anew from step {', '.join(map(str, restarts[1:4]))} on" if restarts[1:] else ""


def moving_average(losses: Losses) -> str | None:
    """Return the share of the old value if one share explains every loss but the first."""
    pairs = list(pairwise(losses))
    told = [(a, b) for a, b in pairs if abs(a.seen - b.right) > 1e3 * b.allowance]
    if len(told) < FEW:
        return None
    before, after = told[0]
    share = (after.seen - after.right) / (before.seen - after.right)
    near = float(f"{share:.3g}")
    if not 0 < near < 1 or abs(near / share - 1) > 1e-6:
        return None
    fits = all(b.is_of(near * a.seen + (1 - near) * b.right, 2 * b.allowance) for a, b in pairs)
    return f"{near:g}" if fits else None


def mean_of_group(losses: Losses) -> str | None:
    """Return how many steps share the mean of their losses, if all do."""
    groups: list[list[Loss]] = []
    for one in losses:
        if groups and groups[-1][0].seen == one.seen:
            groups[-1].append(one)
        else:
            groups.append([one])
    for group in groups:
        allowed = sum(one.allowance for one in group)
        mean = float(np.mean([one.right for one in group]))
        if len(group) < 2 or not group[0].is_of(mean, allowed):
            return None
    return str(len(groups[0]))


def loss_of_all_rows(
    wrong: Sequence[Wrong], batches: Sequence[tuple[Array, Array]], same_point: SamePoint
) -> tuple[Diagnosis, ...]:
    """Return that the recorded losses are those over the rows of all steps, if they are."""
    rows = sum(len(x) for x, _ in batches)
    if len(batches) < 2 or rows * max(x.shape[1] for x, _ in batches) > LARGEST:
        return ()
    x, targets = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    for one in wrong:
        record = one.step.record
        if not same_point(record.parameters, x, targets, record.loss, record.gradients).loss.agrees:
            return ()
    sentence = (
        f"The recorded loss is that over the {rows} rows of all steps, at the step's weights; the "
        "gradients are of its batch."
    )
    return (Diagnosis("loss-of-all-rows", sentence, max(one.ratio for one in wrong), 1.0),)
