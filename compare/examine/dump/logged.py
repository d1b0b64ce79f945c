"""Gradients, inputs and weights that are right and were recorded as something made of them.

Gradients that were already set to zero, scaled by the learning rate or added up; velocities in
their place; inputs on another scale, weights with fewer digits. The steps of the dump tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from compare.allowance import Arithmetic
from compare.checks.examined import Examined
from compare.checks.same_point import SamePoint
from compare.contracts.arrays import Array, Arrays, Float
from compare.contracts.result import Diagnosis
from compare.examine.dump.triage import Wrong

INPUT_SCALES = {
    1 / 255: "divided by 255",
    1 / 256: "divided by 256",
    255.0: "times 255",
    256.0: "times 256",
    1 / 16: "divided by 16",
    16.0: "times 16",
}
"""Scales that images are put on."""
ROUNDINGS = 4.0
"""Of a recorded number: a sum or product, and what is taken off again."""


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
    """Return that the gradients recorded are the velocities after the update, if they are.

    To be asked where torch's gradients make the velocities: without momentum, or at the first
    update, a velocity is the gradient, right or wrong.
    """
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
    return within(one, seen, 1 + np.sqrt(len(x)))


def within(one: Wrong, seen: Examined, times: float) -> bool:
    """Return whether loss and gradients of a step are right within so many allowances.

    An array that is rounded once more, or is in another format, adds an error as a sum of the
    forward pass makes it, but one that all N rows share: they add up like N, where the allowance
    has sqrt(N) of them. By Cauchy and Schwarz the sum is at most sqrt(N) allowances.
    """
    record = one.step.record
    allowed = seen.allowances.gradients
    loss = abs(record.loss - seen.reference_loss) <= times * seen.allowances.forward.loss
    return bool(loss) and all(
        bool((np.abs(record.gradients[name] - g) <= times * allowed[name]).all())
        for name, g in seen.reference_gradients.items()
    )


def gradients_zeroed(wrong: Sequence[Wrong]) -> tuple[Diagnosis, ...]:
    """Return that the gradients were set to zero before they were recorded, if all are zero.

    To be asked where torch's gradients make the updates: the training itself may have had none.
    """
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
    weights that differ by a last digit of float32: right within sqrt(N) allowances of that format.
    """
    coarse = replace(same_point, arithmetic=Arithmetic.of("float32"), _batches=[])
    for one in wrong:
        record = one.step.record
        if not (narrow(record.parameters) and not narrow(record.gradients)):
            return ()
        near = coarse(
            record.parameters, one.step.x, one.step.targets, record.loss, record.gradients
        )
        if not within(one, near, np.sqrt(len(one.step.x))):
            return ()
    sentence = (
        "Every recorded weight is a float32 number, no gradient is: the weights were rounded to "
        "float32 when they were recorded, and loss and gradients are those of the unrounded ones."
    )
    return (Diagnosis("weights-recorded-in-float32", sentence, max(w.ratio for w in wrong), 1.0),)


def narrow(arrays: Arrays) -> bool:
    """Return whether these are float64 arrays of nothing but float32 numbers, not all of them 0."""
    return any(array.any() for array in arrays.values()) and all(
        array.dtype == np.float64 and np.array_equal(array, array.astype(np.float32))
        for array in arrays.values()
    )
