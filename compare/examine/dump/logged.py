"""Losses and gradients that are right and were recorded as something made of them.

A running mean in place of the loss of a step, the loss of a whole epoch at every step of it, a loss
with four digits, gradients that were already set to zero, scaled by the learning rate or added up.
All of it is told by the steps of the dump themselves, without looking for any mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from compare.checks.same_point import Examined, SamePoint
from compare.contracts.arrays import Array, Arrays, Float
from compare.contracts.result import Diagnosis
from compare.examine.dump.dump_step import Step
from compare.examine.dump.triage import Wrong

FEW = 3
"""A constant that is fitted must hold at so many steps."""
DIGITS = range(1, 9)
"""Decimals that a logged loss may have."""
INPUT_SCALES = {
    1 / 255: "divided by 255",
    1 / 256: "divided by 256",
    255.0: "times 255",
    256.0: "times 256",
    1 / 16: "divided by 16",
    16.0: "times 16",
}
"""Scales that images are put on."""
CLOSE = 1e-9
"""Share of a gradient that the rounding of scaled inputs may be."""
ROUNDINGS = 4.0
"""Of a recorded number: a sum or product, and what is taken off again."""
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
    for group in groups[:-1] if len(groups) > 1 else groups:
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


def gradients_recorded(
    wrong: Sequence[Wrong], rate: float | None, same_point: SamePoint
) -> tuple[Diagnosis, ...]:
    """Return what was recorded in place of the gradients, which are right themselves."""
    for name, sentence, made in readings(wrong, rate):
        told = [one for one in wrong if made(one) is not None]
        if told and all(right(one, made(one), same_point) for one in told):
            return (Diagnosis(name, sentence, max(one.ratio for one in wrong), 1.0),)
    return ()


Reading = tuple[str, str, Callable[[Wrong], Arrays | None]]


def readings(wrong: Sequence[Wrong], rate: float | None) -> Iterator[Reading]:
    """Yield what else may have been recorded, with the gradients that it was made of."""
    if rate is not None and rate != 1:
        for sign, words in ((1.0, ""), (-1.0, ", with the minus of the update")):
            yield (
                "gradients-times-the-learning-rate",
                f"The recorded gradients are multiplied by the learning rate {rate:g}{words}: they "
                "are the change of the weights.",
                partial(divided, sign * rate),
            )
    yield (
        "gradients-added-up",
        "The recorded gradients are the sum of those of all steps so far: they are not set to "
        "zero between the steps.",
        taken_off,
    )


def right(one: Wrong, gradients: Arrays | None, same_point: SamePoint) -> bool:
    """Return whether these gradients are right at the weights and batch of a step."""
    record = one.step.record
    if gradients is None:
        return False
    with np.errstate(all="ignore"):
        examined = same_point(
            record.parameters, one.step.x, one.step.targets, record.loss, gradients
        )
    return all(
        bool((np.abs(g - examined.reference_gradients[name]) <= allowed(one, name, examined)).all())
        for name, g in gradients.items()
    )


def allowed(one: Wrong, name: str, examined: Examined) -> Float:
    """Return the allowance of a gradient that was read off recorded ones, which are rounded."""
    recorded = one.step.record.gradients[name]
    rounding = ROUNDINGS * float(np.finfo(recorded.dtype).eps) * np.abs(recorded)
    found: Float = examined.allowances.gradients[name] + rounding
    return found


def divided(c: float, one: Wrong) -> Arrays:
    """Return the recorded gradients of a step divided by a number."""
    return {name: (g / c).astype(g.dtype) for name, g in one.step.record.gradients.items()}


def taken_off(one: Wrong) -> Arrays | None:
    """Return what a step added to the gradients of the step before; None at the first one."""
    if one.before is None:
        return None
    old = one.before.record.gradients
    return {name: g - old[name] for name, g in one.step.record.gradients.items()}


def velocities_recorded(wrong: Sequence[Wrong]) -> tuple[Diagnosis, ...]:
    """Return that the gradients recorded are the velocities after the update, if they are."""
    told = [one for one in wrong if one.after is not None and one.after.record.state]
    for one in told:
        assert one.after is not None
        for name, g in one.step.record.gradients.items():
            v = one.after.record.state.get(f"v_{name}")
            if v is None or not np.array_equal(g, v):
                return ()
    if not told:
        return ()
    sentence = "The recorded gradients are the velocities after the update."
    return (Diagnosis("velocities-for-gradients", sentence, max(w.ratio for w in wrong), 1.0),)


def inputs_scaled(wrong: Sequence[Wrong], same_point: SamePoint) -> tuple[Diagnosis, ...]:
    """Return by which number the inputs are to be multiplied for loss and gradients to be right."""
    for c, words in INPUT_SCALES.items():
        if all(right_with(one, one.step.x * one.step.x.dtype.type(c), same_point) for one in wrong):
            sentence = (
                f"Loss and gradients are those of the inputs {words}: the rows were recorded on "
                "another scale than the one they were used on."
            )
            return (Diagnosis("inputs-on-another-scale", sentence, wrong[0].ratio, 1.0),)
    return ()


def right_with(one: Wrong, x: Array, same_point: SamePoint) -> bool:
    """Return whether loss and gradients of a step are right with other rows; scaling rounds."""
    record = one.step.record
    with np.errstate(all="ignore"):
        seen = same_point(record.parameters, x, one.step.targets, record.loss, record.gradients)
    gradients = {name: (record.gradients[name], g) for name, g in seen.reference_gradients.items()}
    loss = abs(record.loss - seen.reference_loss) <= CLOSE * abs(seen.reference_loss)
    return loss and all(
        bool((np.abs(a - b) <= CLOSE * np.abs(b).max(initial=0.0)).all())
        for a, b in gradients.values()
    )


def gradients_zeroed(wrong: Sequence[Wrong]) -> tuple[Diagnosis, ...]:
    """Return that the gradients were set to zero before they were recorded, if all are zero."""
    if any(g.any() for one in wrong for g in one.step.record.gradients.values()):
        return ()
    sentence = (
        "Every recorded gradient is 0 at these steps: they were recorded after they had been set "
        "to zero."
    )
    return (Diagnosis("gradients-zeroed", sentence, max(one.ratio for one in wrong), 1.0),)


def weights_in_float32(wrong: Sequence[Wrong], same_point: SamePoint) -> tuple[Diagnosis, ...]:
    """Return that the weights were rounded to float32 when they were recorded.

    Every weight is a float32 number, no gradient is, and both losses and gradients are those of
    weights that differ by a last digit of float32.
    """
    for one in wrong:
        record = one.step.record
        arrays = [array for array in record.parameters.values() if array.any()]
        narrow = all(np.array_equal(a, a.astype(np.float32).astype(a.dtype)) for a in arrays)
        wide = any(
            not np.array_equal(g, g.astype(np.float32).astype(g.dtype))
            for g in record.gradients.values()
        )
        if arrays[0].dtype != np.float64 or not (narrow and wide):
            return ()
        near = same_point(
            record.parameters, one.step.x, one.step.targets, record.loss, record.gradients
        )
        if not all(close(record.gradients[n], g) for n, g in near.reference_gradients.items()):
            return ()
    sentence = (
        "Every recorded weight is a float32 number, no gradient is: the weights were rounded to "
        "float32 when they were recorded, and loss and gradients are those of the unrounded ones."
    )
    return (Diagnosis("weights-recorded-in-float32", sentence, max(w.ratio for w in wrong), 1.0),)


def close(seen: Array, right: Array) -> bool:
    """Return whether a gradient is right to about the digits of float32."""
    size = float(np.abs(right).max(initial=0.0))
    return bool((np.abs(seen - right) <= 1e-4 * size).all())
