"""Contract 10: a `step` of any optimiser, update by update beside the class of `torch.optim`.

It starts from {}, else from zeros under the documented keys, else from None, whichever it takes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import manual_mlp
from compare.checks.comparison import compare_entries
from compare.checks.optimiser_power import ReplayedUpdate
from compare.checks.optimiser_replay import compared
from compare.checks.optimiser_step import OptimiserStep, ReplayedState
from compare.contracts.arrays import Arrays
from compare.contracts.result import CheckSummary
from compare.examine.carried import first_state
from compare.examine.identifying import drawn_gradients, in_its_form
from compare.examine.step import record_at
from compare.guard.optimiser import GuardedOptimiser
from compare.judge.ledger import bounded
from compare.judge.point import PointJudge
from compare.points.probe import Probe

UPDATES = 4
"""From the start; one update does not show whether a mean is corrected, or a buffer carried."""
LATER = 3
"""The updates done before the drawn state that documented keys are started from."""


def examine_optimiser(
    judge: PointJudge, step: GuardedOptimiser, probe: Probe
) -> tuple[CheckSummary, str]:
    """Check updates from the start, and from a later state where the keys are documented."""
    replay = in_its_form(step.function, judge.experiment, probe.parameters)
    generator = np.random.default_rng(judge.experiment.seed)
    own = Updates(judge, step, replay, probe, generator)
    counted = own.walk(
        first_state(step, replay, probe.parameters, own.drawn(), {}), ReplayedState({}, {}), UPDATES
    )
    judge.walked = list(own.seen)
    own.made = UPDATES
    if counted:
        own.walk(*drawn_state(own), 2)
    tally = judge.ledger.tallies["step"]
    sentence = f"{tally.made} step checks, worst {bounded(tally.worst_ratio)} × allowance"
    note = own.replay.clipping.note()
    if not own.compared:
        note = f"{note}; " if note else ""
        note += (
            "step keeps its state in its own way: compared is what it does to the parameters in "
            f"{UPDATES} updates from the start (documented: {', '.join(own.keys[:3])}, ...)"
        )
    summary = CheckSummary("step", tally.verdict, tally.made, tally.worst_ratio, sentence)
    return summary, note


class Updates:
    """Consecutive updates of one `step`; `compared` tells that its buffers were.

    `count`: its last `t`, as it keeps it.
    """

    def __init__(
        self,
        judge: PointJudge,
        step: GuardedOptimiser,
        replay: OptimiserStep,
        probe: Probe,
        generator: np.random.Generator,
    ) -> None:
        self.judge, self.step, self.replay, self.probe = judge, step, replay, probe
        self.generator = generator
        self.keys = replay.keys(probe.parameters)
        self.compared = True
        self.made = 0
        self.count: Any = 0
        self.seen: list[manual_mlp.Record] = []

    def drawn(self) -> Arrays:
        """Return the gradients of the next update."""
        like = self.probe.parameters
        return drawn_gradients(self.generator, like, self.judge.experiment, self.made)

    def walk(self, state: Any, replayed: ReplayedState, updates: int) -> bool:
        """Check consecutive updates; return whether the state has all documented keys, t too."""
        now = self.probe.parameters
        for _ in range(updates):
            gradients = self.drawn()
            after, state = self.step(now, gradients, state)
            start = replayed
            expected, allowed, replayed = self.replay(now, gradients, start)
            whole = ReplayedUpdate(self.replay, now, gradients, start, expected, allowed, replayed)
            documented = self.step.documented(state, self.keys, now)
            found = compared(whole, after, documented)
            for name in now:
                sizes = whole.smallest_errors(name, documented is not None)
                self.judge.step_power.enter(name, sizes, 0, self.made)
            if documented is None:
                self.compared = False
            else:
                if "t" in state:
                    found["t"] = compare_entries("t", state["t"], replayed.values["t"], 0.0)
                replayed = ReplayedState(documented | {"t": replayed.values["t"]}, {})
            before = self.record(now, gradients)
            self.judge.updated("manual", before, found)
            self.seen.append(before)
            now = after
        self.seen.append(self.record(now, gradients))
        self.count = state.get("t", 0) if documented is not None else 0
        return documented is not None and ("t" in state or not self.replay.counts)

    def record(self, parameters: Arrays, gradients: Arrays) -> manual_mlp.Record:
        """Return the update as a record, for its place in messages."""
        self.made += 1
        probe = replace(self.probe, parameters=parameters)
        return record_at(probe, self.made - 1, gradients)


def drawn_state(own: Updates) -> tuple[dict[str, Any], ReplayedState]:
    """Return a state as after some updates: means drawn, squares above them.

    `t` is a number as the step keeps it: a NumPy integer makes float64 of a float32 step.
    """
    state: Arrays = {}
    for key in own.keys:
        if key == "t":
            continue
        prefix, _, name = key.partition("_")
        w = own.probe.parameters[name]
        noise = own.generator.normal(scale=0.1, size=w.shape)
        if prefix in "sr":  # above the square of any mean drawn here, r above s
            noise = noise**2 + (1.0 if prefix == "s" else 2.0)
        state[key] = noise.astype(w.dtype)
    start = ReplayedState(state | {"t": np.asarray(LATER)}, {})
    return (state | {"t": counted_as(own.count, LATER)} if own.replay.counts else state), start


def counted_as(kept: Any, number: int) -> Any:
    """Return a count as an array or a NumPy number, where a step keeps it so, else plainly."""
    if isinstance(kept, np.ndarray):
        return np.full_like(kept, number)
    return type(kept)(number) if isinstance(kept, np.generic) else number
