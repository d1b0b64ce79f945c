"""What a right function does with probabilities near 0, and with logits beyond the range of exp.

A clip, floor or constant in the logarithm, or a softmax without its shift, changes nothing at
ordinary points, so it is a convention and no mistake; it is said with its size, because loss and
gradient do not belong together where it shows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

import manual_mlp
from compare.contracts.errors import UserCodeError
from compare.contracts.experiment import Experiment
from compare.contracts.records import Implementation, depth
from compare.diagnosis.asking import observations
from compare.diagnosis.match import Case, telling
from compare.diagnosis.observation import Observation
from compare.guard.implementation import Guarded, GuardedImplementation
from compare.judge.point import PointJudge
from compare.points.diagnostic import UNLIKELY, probe, reduced
from compare.points.drawing import batch_sizes
from compare.points.edges import AROUND, with_logits_around
from compare.points.probe import Probe

POINTS = 3
UNNAMED = "the loss is another one (a guard in the logarithm, or digits that are lost)."
UNNAMED_BOTH = (
    "the probabilities are kept away from 0 in the logarithm, and the gradient is another one too."
)


def guard_notes(
    implementation: Implementation, experiment: Experiment, sizes: Sequence[int]
) -> tuple[str, ...]:
    """Return the guard of the logarithm in words, where there is one."""
    widths = reduced(sizes)
    generator = np.random.default_rng(experiment.seed)
    points = [
        (
            UNLIKELY.label,
            probe(
                widths, rows, UNLIKELY, activation=experiment.activation,
                reduction=experiment.reduction, dtype=experiment.dtype, generator=generator,
            ),
        )
        for rows, _ in zip(batch_sizes(widths), range(POINTS), strict=False)
    ]  # fmt: skip
    seen = observations(implementation, points)
    cases = [Case(only_loss(one)) for one in seen]
    if not all(case.finite for case in cases) or not telling(cases):
        return ()  # what is not finite is said where exp overflows
    said = sentences_of([Case(one) for one in seen], cases)
    return tuple(f"at {UNLIKELY.label}, and nowhere else that was tried: {one}" for one in said)


def sentences_of(whole: Sequence[Case], losses: Sequence[Case]) -> list[str]:
    """Say what reproduces loss and gradient; of the loss alone only where the gradient is right.

    p clipped before the logarithm and p clipped for both have the same loss.
    """
    if all(case.finite for case in whole):
        both = named_guards(whole)
        if both:
            return both
    gradients = [Case(without_loss(case.observation)) for case in whole]
    if telling(gradients):
        return [UNNAMED_BOTH if named_guards(losses) else UNNAMED]
    return named_guards(losses) or [UNNAMED]


def named_guards(cases: Sequence[Case]) -> list[str]:
    """Return the sentence of each known guard that reproduces the cases."""
    from compare.diagnosis.answer import answer
    from compare.diagnosis.domains import Explained
    from compare.diagnosis.search import singles, whole

    with np.errstate(all="ignore"):
        found = answer(Explained(tuple(whole(singles(cases), cases))))
    return [one.sentence for one in found.diagnosis]


def only_loss(observation: Observation) -> Observation:
    """Return the observation with the loss alone."""
    return Observation(observation.point, {"loss": observation.seen["loss"]}, observation.label)


def without_loss(observation: Observation) -> Observation:
    """Return the observation with the gradients alone."""
    gradients = {name: seen for name, seen in observation.seen.items() if name != "loss"}
    return Observation(observation.point, gradients, observation.label)


def bounded_logits(
    judge: PointJudge, implementation: Implementation, probe: Probe
) -> tuple[str, ...]:
    """Say so if what softmax takes is kept within bounds: where all logits of a row are large, p is
    an ordinary one, and so are loss and gradient."""
    within = AROUND
    for reach in np.geomspace(2 * AROUND, 0.8 * np.log(np.finfo(probe.x.dtype).max), 6):
        at = with_logits_around(float(reach), probe)
        point = at.parameters, at.x, at.targets
        try:
            loss, gradients, *_ = implementation(*point)
        except UserCodeError:  # one that raises where exp overflows is no bound
            return ()
        if not all(np.isfinite(array).all() for array in (loss, *gradients.values())):
            return ()
        if not judge.same_point(*point, loss, gradients).agrees:
            return (BOUNDED.format(reach, within),)
        within = reach
    return ()


def guarded_logistic(
    judge: PointJudge, implementation: Implementation, probe: Probe
) -> tuple[str, ...]:
    """Say so if the logistic loss of a right function is another one once probabilities are small
    enough: p clipped or raised before its logarithm, 1 - p that has no digits left."""
    last, within = f"w{depth(probe.parameters)}", 0.0
    z = manual_mlp.forward(probe.parameters, probe.x, activation=judge.experiment.activation)
    largest = float(np.abs(z["logits"]).max())
    for reach in np.geomspace(4.0, 0.8 * np.log(np.finfo(probe.x.dtype).max), 12):
        louder = probe.parameters[last] * probe.x.dtype.type(reach / largest)
        point = probe.parameters | {last: louder}, probe.x, probe.targets
        try:
            loss, gradients, *_ = implementation(*point)
        except UserCodeError as error:
            return (f"with logits of about ±{reach:.0f}: {error}",)
        finite = all(np.isfinite(array).all() for array in (loss, *gradients.values()))
        if not (finite and judge.same_point(*point, loss, gradients).agrees):
            how = "others than torch's" if finite else "not finite"
            return (LOGISTIC.format(np.exp(-reach), how, np.exp(-within)),) if within else ()
        within = float(reach)
    return ()


LOGISTIC = (
    "with probabilities down to {:.0e} loss or gradient are {}, and with those down to {:.0e} not:"
    " p or 1 - p is kept away from 0 before its logarithm, or has no digits left (take the loss"
    " from the logits)"
)
BOUNDED = (
    "with logits of about {:.0f}, all of a row alike, loss or gradient are others than torch's, and"
    " with those of about {:.0f} not: what softmax takes is kept within bounds"
)
IT = "it is not finite"
LOSS = "the loss alone is not finite"
WRONG = "the loss is not finite and the gradient is another one"
EXP = (
    "exp overflows, or a probability that has underflowed to 0 is divided by (subtract the maximum"
    " of the row first, and work from the logits)"
)
LOG_OF_0 = (
    "it takes the log of 0, a probability that has underflowed (take the loss from the logits, by"
    " log-sum-exp)"
)
"""Why the numbers of a right function end: where p itself were NaN the gradients would be, too."""


def overflowing(judge: PointJudge, implementation: Guarded, probe: Probe) -> tuple[str, ...]:
    """Say so if a right function is not finite once exp of a logit is not: no shift by the maximum.

    The logits of ordinary points never get there, so nothing else would show it.
    """
    last = f"w{depth(probe.parameters)}"
    values = manual_mlp.forward(probe.parameters, probe.x, activation=judge.experiment.activation)
    reach = 4 * float(np.log(np.finfo(probe.x.dtype).max))
    louder = probe.parameters[last] * probe.x.dtype.type(reach / np.abs(values["logits"]).max())
    point = probe.parameters | {last: louder}, probe.x, probe.targets
    guarded = GuardedImplementation(implementation.function, timeout=implementation.timeout)
    try:
        loss, gradients, _ = guarded(*point)
    except UserCodeError as error:
        return (f"with logits of about ±{reach:.0f}: {error}",)
    finite = all(np.isfinite(array).all() for array in gradients.values())
    if np.isfinite(loss) and finite:
        return ()
    compared = judge.same_point(*point, loss, gradients).gradients.values()
    what, why = (LOSS, LOG_OF_0) if all(one.agrees for one in compared) else (IT, EXP)
    what = WRONG if finite and what is IT else what
    return (f"with logits of about ±{reach:.0f} {what}, where the reference is finite: {why}",)
