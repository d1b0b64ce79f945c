"""The penalty of large weights in a right training: run with two strengths that are not 0.

    step = rate · (gradient of the data + c · w)         loss = data + c / 2 · Σ w²

The c of each parameter is seen in the steps, that of the loss in its value. Whether biases are
penalised is seen as soon as they are not 0.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from compare.contracts.arrays import Arrays
from compare.examine.starter.function_verdict import Slip
from compare.examine.starter.networks import Network
from compare.examine.starter.source import Source
from compare.examine.starter.training.calls import Calls
from compare.examine.starter.training.exact import recovered
from compare.examine.starter.training.followed import Rule
from compare.examine.starter.training.program import program_of
from compare.examine.starter.training.scale import (
    ALL_DIGITS,
    CALLED,
    DIGITS,
    name_of,
    shows_a_loss,
)
from compare.examine.starter.training.steps import MOST, Fit, Step, due_at, loss_at, multiple
from compare.examine.starter.training.trained import Training, later_turns, pairs_of

STRENGTHS = (2.0, 0.5)
CLEARLY = 0.01
"""How much nearer a number is to the loss that it is than to another."""
ROUNDINGS = 8
WEIGHT_DECAY = re.compile(r"weight_?decay|\bwd\b", re.IGNORECASE)


@dataclass(frozen=True)
class Shown:
    """What the steps of one strength show: the c of each parameter, NaN where it is none."""

    strength: float
    c: Mapping[str, float]
    steps: tuple[Step, ...]
    later: tuple[Step, ...]
    numbers: tuple[float, ...]
    """What functions returned beside arrays."""


@dataclass(frozen=True)
class OfLoss:
    """The penalty of a loss: its c by that of the strength, and whether biases have a part."""

    network: Network
    share: float
    biases: bool


@dataclass(frozen=True)
class Penalised:
    """A training that is right without its penalty, and the scales of the loss it is right by."""

    source: Source
    training: Training
    losses: list[Network]
    rule: Rule | None = None
    known: dict[Hashable, float] = field(default_factory=dict)
    """Scales and losses without a penalty: what is tried for one reads them over and over."""

    def said(self) -> str | Slip:
        """Say that its penalty is that of its loss, or what it is; empty if that is not known."""
        if self.rule is None and (self.training.fit.ways or self.training.fit.rest):
            return ""
        if self.rule and (self.rule.nesterov or self.rule.ahead):
            return ""
        shown = [self.at(strength) for strength in STRENGTHS]
        if not all(one.c and np.isfinite(list(one.c.values())).all() for one in shown):
            return ""
        if apart := self.apart_from_the_loss(shown):
            return apart
        for penalty in self.penalties(shown):
            if all(self.is_loss(one, penalty) for one in shown):
                return judged(self.training, shown, penalty)
        return ""

    def apart_from_the_loss(self, shown: list[Shown]) -> str:
        """Say that its steps have no penalty, or torch's weight decay, which no loss has."""
        ways = self.training.chain.ways()
        for network in self.losses:
            shares = [one.c.get(name, 0.0) * self.scale(network) / one.strength
                      for one in shown for name in ways]  # fmt: skip
            decays = WEIGHT_DECAY.search(self.source.text) and set(ways) == set(shown[0].c)
            due = [0.0, 1.0] if decays else [0.0]
            if any(np.allclose(shares, one, DIGITS, DIGITS) for one in due) and all(
                self.is_bare(one, network) for one in shown
            ):
                return "its weight decay is torch's" if any(shares) else "no penalty is part of it"
        return ""

    def is_bare(self, shown: Shown, network: Network) -> bool:
        """Whether the loss that is seen has no penalty, or none is shown."""
        return not shows_a_loss(self.source.text) or any(
            self.distance(numbers_of(shown, step), step, network, 0.0, False) <= ALL_DIGITS
            for step in (*shown.steps, *shown.later)
        )

    def at(self, strength: float) -> Shown:
        """What its steps show at a strength."""
        calls = Calls()
        again = program_of(self.source, strength=strength).run(self.training.supply, calls)
        pairs = pairs_of(again.runs.get(self.training.loop, []))
        steps = Step.of_pairs(self.training.chain, pairs)
        pairs_of_steps = zip(steps, (None, *steps), strict=False)
        found = [self.shown_by(step, last) for step, last in pairs_of_steps
                 if last or not self.training.fit.rest]  # fmt: skip
        numbers = tuple(one for several in calls.numbers.values() for one in several)
        every = {name: [one[name] for one in found if name in one] for one in found for name in one}
        return Shown(strength, {name: common(several) for name, several in every.items()}, steps,
                     later_turns(again, self.training.chain), numbers)  # fmt: skip

    def fit_of(self, step: Step, last: Step | None) -> Fit:
        """What a step is made of beside its share of the step before."""
        if not self.rule:
            return self.training.fit
        share = self.rule.share if last else 0.0
        rest = {name: one - share * last.taken[name] if last else one
                for name, one in step.taken.items()}  # fmt: skip
        return Fit(dict.fromkeys(rest, self.rule.rate), rest=rest)

    def shown_by(self, step: Step, last: Step | None) -> dict[str, float]:
        """The c of each parameter that is not 0 before a step."""
        found: dict[str, float] = {}
        fit = self.fit_of(step, last)
        for _, rows in step.batches(self.training.data)[:MOST]:
            seen = recovered(self.training, step, rows, fit)
            found = {}
            for name, one in step.parameters.items():
                if one.any():
                    more = seen.seen[name] - seen.due[name]
                    c = float((more * one).sum() / (one * one).sum())
                    room = seen.allowed[name] + ROUNDINGS * np.finfo(step.dtype).eps * abs(c * one)
                    c = 0.0 if (np.abs(more) <= room).all() else c
                    found[name] = c if (np.abs(more - c * one) <= room).all() else np.nan
            if np.isfinite(list(found.values())).all():
                break
        return found

    def penalties(self, shown: list[Shown]) -> Iterator[OfLoss]:
        """Yield what may be the penalty of the loss: that of its steps, or one as it is written."""
        rows = {1, len(self.training.rows), len(self.training.data.x)}
        for network in self.losses:
            own = {abs(one) / shown[0].strength for one in shown[0].c.values() if one}
            written = [two / one / self.scale(network) for one in sorted(rows) for two in (1, 2)]
            likely = sorted(own, reverse=True)
            twice = [two * one for one in likely for two in (2, 0.5)]
            for share, biases in product((*likely, *twice, *written), (False, True)):
                yield OfLoss(network, share, biases)

    def is_loss(self, shown: Shown, penalty: OfLoss) -> bool:
        """Whether the loss that is seen has a penalty.

        It has to be seen with biases that are not 0, where there are any, and without it not to be.
        """
        network, c = penalty.network, penalty.share * shown.strength
        for step in (*shown.steps, *shown.later):
            numbers = numbers_of(shown, step)
            own, other, none = (
                self.distance(numbers, step, network, *one)
                for one in ((c, penalty.biases), (c, not penalty.biases), (0.0, False))
            )
            if own > min(DIGITS, CLEARLY * none):
                continue
            if own <= CLEARLY * other or not any(self.training.chain.biases):
                return True
        return False

    def distance(
        self, numbers: tuple[list[float], list[float]], step: Step, network: Network, c: float,
        biases: bool,
    ) -> float:  # fmt: skip
        """How far, relative to it, the nearest number is from the loss with a penalty, before a
        step or behind it."""
        named, others = numbers
        best = np.inf
        for place, parameters in enumerate((step.parameters, step.chain.parameters(step.after))):
            for rows in self.batches_of(step):
                bare = (network, id(step), place, tuple(rows))
                if bare not in self.known:
                    self.known[bare] = self.bare_loss(parameters, rows, network)
                due = self.known[bare] + self.term(parameters, network, c, biases=biases)
                far = np.abs(np.array(named) / due - 1)
                exact = np.abs(np.array(others) / due - 1)
                best = min([best, *far, *exact[exact <= ALL_DIGITS]])
        return float(best)

    def batches_of(self, step: Step) -> Iterator[list[int]]:
        """Yield the rows of the loss of a step: those it may be made of, and all."""
        yield from (rows for _, rows in step.batches(self.training.data)[:MOST])
        yield list(range(len(self.training.data.x)))

    def bare_loss(self, parameters: Arrays, rows: list[int], network: Network) -> float:
        """The loss of some rows, without a penalty."""
        data, targets = self.training.data.x[rows], self.training.targets[rows]
        return network.loss_factor * loss_at(network, parameters, data, targets, network.reduction)

    def term(self, parameters: Arrays, network: Network, c: float, *, biases: bool) -> float:
        """The penalty that belongs to c."""
        squares = sum(float((one**2).sum()) for name, one in parameters.items()
                      if biases or name[0] == "w")  # fmt: skip
        return self.scale(network) * c / 2 * squares

    def scale(self, network: Network) -> float:
        """How many times the network of the training a network in another scale is."""
        if network not in self.known:
            self.known[network] = self.measured(network)
        return self.known[network]

    def measured(self, network: Network) -> float:
        """The same, by the gradients of the last weights."""
        step, rows = self.training.step, list(self.training.rows)
        last = f"w{len(step.chain.weights)}"
        x, targets = self.training.data.x[rows], self.training.targets[rows]
        other = due_at(network, step.parameters, x, targets)[last]
        return multiple(other, self.training.due(step, rows)[last], step.near)


def common(several: list[float]) -> float:
    """Return the one number of all steps; NaN where there is none."""
    same = np.allclose(several, several[0], DIGITS, DIGITS)
    return several[0] if same else np.nan


def numbers_of(shown: Shown, step: Step) -> tuple[list[float], list[float]]:
    """Return the numbers after a step that are called a loss or were returned, and all others."""
    seen = {way: float(array) for way, array in step.after.items() if not array.ndim}
    named = [one for way, one in seen.items() if CALLED.fullmatch(name_of(way))]
    return [*named, *shown.numbers], list(seen.values())


def judged(training: Training, shown: list[Shown], penalty: OfLoss) -> str | Slip:
    """Say how the penalty of the steps is that of the loss, or for which parameters it is not."""
    ways = training.chain.ways()
    missing = [way for name, way in ways.items() if name not in shown[0].c]
    if missing:
        return ""
    ratios = {name: [one.c[name] / (penalty.share * one.strength) for one in shown]
              for name in ways}  # fmt: skip
    due = {name: 1.0 if penalty.biases or name[0] == "w" else 0.0 for name in ways}
    wrong = {name: several for name, several in ratios.items()
             if not np.allclose(several, due[name], DIGITS, DIGITS)}  # fmt: skip
    if not wrong:
        return "its penalty, run with two strengths, is that of its loss"
    if not all(np.isclose(one, two, DIGITS, DIGITS) for one, two in wrong.values()):
        return ""
    more = len(training.data.x) / len(training.rows)
    if more != 1 and any(
        np.isclose(one, (more, 1 / more), DIGITS).any() for one, _ in wrong.values()
    ):
        return ""  # a penalty over the rows, in the loss of all and in the steps of a batch
    said = [f"{one:.4g} times in {ways[name]}" for name, (one, _) in wrong.items()]
    title = f"a penalty that the loss has and the gradient has {', '.join(said)}"
    if any(not due[name] for name in wrong):
        title = f"a penalty in {' and '.join(ways[name] for name in wrong)} that is not in the loss"
    counts = [len(training.rows), len(training.data.x)]
    return mistake_of(wrong, due, counts), f"its steps show {title}", title


def mistake_of(
    wrong: Mapping[str, list[float]], due: Mapping[str, float], counts: list[int]
) -> str:
    """Return the name of a mistake of a penalty."""
    if any(not due[name] for name in wrong):
        return "penalty-of-biases-in-gradient"
    known = {0.0: "missing", 2.0: "twice", 0.5: "halved"}
    known |= {1 / one: "averaged" for one in counts} | {
        float(one): "not-averaged" for one in counts
    }
    for share, name in known.items():
        if all(np.isclose(one, share, DIGITS, DIGITS) for one, _ in wrong.values()):
            return f"penalty-{name}-in-gradient"
    negated = all(np.isclose(one, -1, DIGITS) for one, _ in wrong.values())
    return "penalty-sign" if negated else "penalty-scaled"
