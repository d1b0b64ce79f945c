"""What is wrong with a step of a training that is another one than is due.

That the last weights are moved by their gradient shows which network it is, and how large the rate.
What the others are moved by is then told from the step, or the catalogue is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from compare.contracts.arrays import Arrays
from compare.contracts.errors import BadInput
from compare.contracts.result import Diagnosis
from compare.diagnosis.gradients import diagnose_single
from compare.diagnosis.observation import Observation
from compare.diagnosis.prediction import BY_NAME
from compare.examine.starter.function_verdict import FunctionVerdict, Slip
from compare.examine.starter.source import Source
from compare.examine.starter.training.exact import point_at
from compare.examine.starter.training.program import program_of
from compare.examine.starter.training.steps import MOST, SAME, Step, fit_of, laid_beside, multiple
from compare.examine.starter.training.trained import Training, left_beside, pairs_of

MUCH = 1e3
"""No constant is as near to the rate below that is not made of it."""
HUGE = 2.0**40
"""A rate at which the weights are below the last digit of what is taken off them."""


def explained(source: Source, training: Training, about: FunctionVerdict) -> FunctionVerdict | None:
    """The verdict on a step of which the last weights are right; None where they are not."""
    right = training.fit.right
    last = f"w{len(training.chain.weights)}"
    if training.fit.ways or last not in right:
        return None
    if exchanged_zeros(training):
        return exchanged_later(training, about)
    if told := rate_left_out(source, training) or never_moved(training):
        return about.slip(*told)
    if words := of_another(training.step, training.due(training.step, training.rows), right):
        return about.wrong("value", words)
    ways = training.chain.ways()
    wrong = [ways[name] for name in training.fit.factors if name not in right]
    sentence = (
        f"its first step moves {' and '.join(ways[name] for name in right)} against the gradient"
        f" and {' and '.join(wrong)} elsewhere"
    )
    if at_a_rate_of_its_own(training):
        return None
    diagnosis = known_mistakes(source, training, last)
    if not diagnosis:
        return about.undecided(sentence)
    return replace(about.wrong("value", sentence), diagnosis=diagnosis)


def exchanged_zeros(training: Training) -> bool:
    """Whether only biases are wrong that are alike before the step: which is whose is not known."""
    before, right = training.step.parameters, training.fit.right
    wrong = [name for name in before if name not in right]
    others = [name for name in before if name[0] == "b"]
    return all(name[0] == "b" and any(
        one != name and one in wrong and np.array_equal(before[one], before[name])
        for one in others) for name in wrong)  # fmt: skip


def rate_left_out(source: Source, training: Training) -> Slip | None:
    """Parameters that are moved by the gradient itself, whatever the rate of the others is."""
    factors, right = training.fit.factors, training.fit.right
    left = [name for name in factors if name not in right]
    if np.isclose(factors[right[0]], 1, rtol=SAME):
        return None
    if not all(np.isclose(factors[name], 1, rtol=SAME) for name in left):
        return None
    if not any(
        unmoved_by_the_rate(training, step, left) for step in at_a_huge_rate(source, training)
    ):
        return None
    words = " and ".join(training.chain.ways()[name] for name in left)
    sentence = f"{words}: moved by the gradient itself, without the learning rate"
    return "learning-rate-left-out", sentence, f"a learning rate that is left out of {words}"


def at_a_huge_rate(source: Source, training: Training) -> tuple[Step, ...]:
    """Return the first step once more, with another number for the learning rate."""
    again = program_of(source, HUGE).run(training.supply)
    return Step.of_pairs(training.chain, pairs_of(again.runs.get(training.loop, [])))[:1]


def unmoved_by_the_rate(training: Training, step: Step, left: Sequence[str]) -> bool:
    """Return whether a huge rate makes larger what is taken off the weights, but for some."""
    due = training.due(step, training.rows)
    again = {name: multiple(step.taken[name], one, step.near) for name, one in due.items()}
    large = [again[name] > 1 / SAME for name in again if name not in left]
    return all(large) and bool(np.allclose([again[name] for name in left], 1, rtol=SAME))


def at_a_rate_of_its_own(training: Training) -> bool:
    """Whether every parameter is moved by its gradient, and some at another rate that no number of
    rows says: that may be meant."""
    factors, right = training.fit.factors, training.fit.right
    ratios = [factors[name] / factors[right[0]] for name in factors if name not in right]
    counts = (len(training.rows), len(training.data.x))
    of_rows = any(np.isclose(max(one, 1 / one), counts, rtol=SAME).any() for one in ratios)
    return bool(np.isfinite(ratios).all()) and min(ratios) > 0 and not of_rows


def never_moved(training: Training) -> Slip | None:
    """Parameters that stay as they are."""
    still = [name for name, one in training.step.taken.items() if not one.any()]
    if not still:
        return None
    words = " and ".join(training.chain.ways()[name] for name in still)
    sentence = f"no step of the loop moves {words}"
    return "parameter-never-updated", sentence, f"{words}: no step moves it"


def exchanged_later(training: Training, about: FunctionVerdict) -> FunctionVerdict | None:
    """The verdict on biases that were alike at first, by the next step: that its weights are right
    shows which bias is whose."""
    last = f"w{len(training.chain.weights)}"
    for step in training.steps[1:2]:
        for _, rows in step.batches(training.data)[:MOST]:
            due = training.due(step, rows)
            right = fit_of(step.taken, due, step.near).right
            if last in right and (words := of_another(step, due, right)):
                return about.wrong("value", words)
    return None


def of_another(step: Step, due: Arrays, right: Sequence[str]) -> str:
    """Say that parameters are moved by the gradient of another; empty if not all that are wrong."""
    ways, said = step.chain.ways(), []
    wrong = [name for name in due if name not in right]
    for name in wrong:
        taken = step.taken[name].ravel()
        said += [f"{ways[name]} is moved by the gradient of {ways[one]}" for one in due
                 if one != name and due[one].size == taken.size
                 and multiple(taken, due[one].ravel(), step.near) > 0][:1]  # fmt: skip
    return " and ".join(said) if wrong and len(said) == len(wrong) else ""


def known_mistakes(source: Source, training: Training, last: str) -> tuple[Diagnosis, ...]:
    """The mistake of the catalogue that reproduces all gradients of a step."""
    point = point_at(training, training.step.parameters, training.rows)
    seen = {f"d{name}": one for name, one in exact_gradients(source, training, last).items()}
    try:
        named = diagnose_single(Observation(point, seen, "the first step of its training"))
    except BadInput:
        return ()
    return tuple(at_its_own_rate(one, training.fit.factors[last]) for one in named)


def at_its_own_rate(named: Diagnosis, rate: float) -> Diagnosis:
    """Return a mistake whose constant is the rate that we put into the program with the rate that
    its own first step shows."""
    known = BY_NAME.get(named.mistake)
    ours = (named.constant or 0.0) / HUGE
    if known is None or not 1 / MUCH < ours < MUCH:
        return named
    own = float(f"{ours * rate:.6g}")
    return replace(named, constant=own, sentence=known.sentence.format(constant=own))


def exact_gradients(source: Source, training: Training, last: str) -> Arrays:
    """What the first step takes off the weights, as a gradient without their roundings: of a step
    that is larger than they are by far, or of an array that is a multiple of it."""
    for step in at_a_huge_rate(source, training):
        due = training.due(step, training.rows)[last]
        factor = multiple(step.taken[last], due, step.near)
        if factor > HUGE / 1e6:
            return {name: one / factor for name, one in step.taken.items()}
    step, factor = training.step, training.fit.factors[last]
    beside = left_beside(step, step.taken)
    if not beside.whole:
        return {name: one / factor for name, one in step.taken.items()}
    scale = factor * float(np.median(list(beside.factors.values())))
    scale = scale if abs(scale - 1) > SAME else 1.0
    return {name: laid_beside(step, way, step.taken[name]) / scale
            for name, way in beside.ways.items()}  # fmt: skip
