"""Contract 2 at a point: a step of momentum from given states, and from the one it begins with.

State under keys of its own is seen by what it does to the parameters, as that of any optimiser.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from compare.checks.step import StepCheck
from compare.contracts.arrays import Arrays
from compare.contracts.records import Rates
from compare.contracts.result import CheckSummary
from compare.examine.carried import begun
from compare.examine.identifying import refuse_another
from compare.examine.optimiser import examine_optimiser
from compare.examine.step import examine_step, record_at
from compare.guard.contract import documents
from compare.guard.implementation import GuardedStep
from compare.guard.optimiser import with_own_state
from compare.judge.ledger import bounded
from compare.judge.point import PointJudge
from compare.points.probe import Probe
from manual_mlp import Record

FROM_NOTHING = "the state is {} before it; from a given state the step is right"
OTHERWISE = 0.5
"""A share of the learning rate: at a single one a mistake may look like another."""


def examine_momentum(
    judge: PointJudge, step: GuardedStep, probe: Probe
) -> tuple[CheckSummary, str]:
    """Judge updates from a state that is not zero, and the one from {} where the step takes it."""
    wanted = judge.experiment
    first = First(step, probe, first_gradients(wanted.seed, probe.parameters), wanted.momentum)
    began = first.update(wanted.learning_rate)
    if began is not None and not documents(began.state, probe.parameters):
        refuse_another(step, wanted, probe.parameters, first.gradients)
        return by_what_it_does(judge, step, probe)
    rate, momentum, form = wanted.learning_rate, wanted.momentum, wanted.momentum_form
    replay = StepCheck(judge.arithmetic, rate, momentum, form)
    examine_step(judge, step, probe, replay)
    tally = judge.ledger.tallies["step"]
    if began is not None and not tally.failed:
        enter_first(judge, first, began, replay)
    sentence = f"{tally.made} step checks, worst {bounded(tally.worst_ratio)} × allowance"
    return CheckSummary("step", tally.verdict, tally.made, tally.worst_ratio, sentence), ""


def first_gradients(seed: int, like: Arrays) -> Arrays:
    """Return gradients for the update from {}, drawn apart from all others."""
    generator = np.random.default_rng((seed, 1))
    drawn = {name: generator.normal(scale=0.1, size=w.shape) for name, w in like.items()}
    return {name: g.astype(like[name].dtype) for name, g in drawn.items()}


@dataclass(frozen=True, slots=True)
class First:
    """The update of a step from the state {}, at any learning rate."""

    step: GuardedStep
    probe: Probe
    gradients: Arrays
    momentum: float

    def update(self, rate: float) -> Record | None:
        """Return what it leads to; None where the step does not take that state."""
        now = self.probe.parameters
        rates: Rates = {"learning_rate": rate, "momentum": self.momentum}
        found = begun(self.step, now, self.gradients, **rates)
        if found is None:
            return None
        return record_at(replace(self.probe, parameters=found[0]), 1, self.gradients, found[1])

    def before(self, rate: float, state: Arrays | None = None) -> Record:
        """Return what it started from; without a state it shows none."""
        return replace(record_at(self.probe, 0, self.gradients, state), learning_rate=rate)


def by_what_it_does(judge: PointJudge, step: GuardedStep, probe: Probe) -> tuple[CheckSummary, str]:
    """Judge updates from the start by the parameters; all of them tell what is wrong."""
    found = examine_optimiser(judge, with_own_state(step, judge.experiment), probe)
    if judge.ledger.tallies["step"].failed:
        for before, after in pairwise(judge.walked):
            judge.updates.see(before, after, right=False)
    return found


def enter_first(judge: PointJudge, first: First, after: Record, replay: StepCheck) -> None:
    """Hold the update from {} against torch's first; a wrong one is made at another rate too."""
    rate = judge.experiment.learning_rate
    zeros = {f"v_{name}": np.zeros_like(w) for name, w in first.probe.parameters.items()}
    before = first.before(rate, zeros)
    if judge.updated("manual", before, replay(before, after)):
        other = first.update(rate * OTHERWISE)
        judge.begun = [(first.before(rate), after)]
        judge.begun += [] if other is None else [(first.before(rate * OTHERWISE), other)]
        judge.ledger.say_of(0, FROM_NOTHING, "step")
