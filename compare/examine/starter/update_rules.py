"""One update beside every rule that is known, and beside the mistakes that are made in them.

A part of judging updates (`loop_steps`): gradient descent with momentum, its forms and decays, and
Adam, RMSprop and Adagrad (`update_adaptive`). A learning rate is positive.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from math import inf

import numpy as np

from compare.contracts.result import Diagnosis
from compare.diagnosis.step import diagnose_step
from compare.diagnosis.track import Settings, Track
from compare.examine.starter.slots import PENALTY
from compare.examine.starter.update_adaptive import divides_by_root, is_adaptive
from compare.examine.starter.update_lines import word
from compare.examine.starter.update_plain import PlainStep, plain_step
from compare.examine.starter.update_reading import OTHER_NUMBER, Update, is_size
from compare.examine.starter.update_running import NAME, run, settings_of
from compare.examine.starter.update_slips import slip_of, squares
from compare.mistakes.catalogue import STEP

ACCUSED = frozenset({
    "gradient-ascent", "parameter-as-gradient", "parameter-as-velocity", "bias-as-velocity",
    "velocity-not-stored", "parameter-as-velocity-not-stored", "momentum-added",
    "momentum-subtracted", "learning-rate-inside-and-outside", "learning-rate-squared",
    "gradient-without-velocity", "gradient-not-in-velocity", "velocity-not-carried",
    "parameter-never-updated", "update-applied-twice", "velocity-squared-momentum",
    "old-velocity-applied", "velocity-carried-one-step", "gradient-of-update-before",
    "velocity-reset",
})  # fmt: skip
"""What nobody does on purpose."""
WHATEVER_THE_RATES = frozenset({
    "gradient-ascent", "parameter-as-gradient", "parameter-as-velocity", "bias-as-velocity",
})  # fmt: skip
"""Of these, what is one whichever of the numbers written are the rates."""
CHOSEN = frozenset({
    "dampened", "dampened-after-first", "nesterov", "nesterov-negated", "weight-decay",
    "weight-decay-outside", "weight-decay-without-rate", "l1-decay", "velocity-negated",
    "another-learning-rate", "another-momentum", "sign-of-gradient", "gradient-normalised",
})  # fmt: skip
"""What is a choice: another method or decay."""
DECAYS = frozenset({
    "weight-decay", "weight-decay-outside", "weight-decay-without-rate", "l1-decay",
})  # fmt: skip
"""Of these, what makes weights smaller, if its strength is positive."""
GROWTH = Diagnosis(
    "decay-sign",
    "The update contains a weight decay of the wrong sign: it makes the weights grow.",
    inf, 0.0, title="a weight decay of the wrong sign",
)  # fmt: skip
ASCENT = next(
    Diagnosis(one.name, one.sentence, inf, 0.0, title=one.title)
    for one in STEP if one.name == "gradient-ascent"
)  # fmt: skip
COUNTED = re.compile(r"n|m|n?(batch|samples?|examples|rows)(size)?|num\w*")
"""A number of samples, which is positive."""
SEARCHED = 4
"""Of how many pairs of rate and momentum mistakes and choices are looked for."""
NOTHING = 1e-9
"""A learning rate that small is none: what one line takes off, another puts back."""


class Rules:
    """An update beside every rule: whether one fits, and which mistake does.

    `turned`: its gradient's sign was turned, and with it that of a decay.
    """

    def __init__(self, update: Update, *, turned: bool = False) -> None:
        self.adaptive = squares(update)
        self.named: Diagnosis | None = None
        self.turned = turned
        self.fits = is_adaptive(update) if divides_by_root(update) else self.descends(update)
        if self.adaptive and not self.fits:
            self.named = slip_of(update) or self.named

    def descends(self, update: Update) -> bool:
        """Return whether it is gradient descent with momentum, in a form that can be declared."""
        records = run(update)
        settings = list(settings_of(update))
        for rate, momentum in settings:
            if not Track(NAME, records, Settings(rate, momentum, "velocity", {})).wrong:
                return True
        step = plain_step(update)
        if step is not None:
            return self.descends_plainly(update, step)
        accused = ACCUSED if len(settings) == 1 else WHATEVER_THE_RATES
        named: list[Diagnosis] = []
        for rate, momentum in settings[:SEARCHED]:
            named += diagnose_step(
                records, learning_rate=rate, momentum=momentum, pairs=len(settings) == 1
            )
        found = sorted(
            (one for one in named if one.mistake in accused),
            key=lambda one: one.mistake != "gradient-ascent",
        )
        self.named = found[0] if found else None
        climbs = self.named is not None and self.named.mistake == "gradient-ascent"
        grows = not climbs and not self.turned and any(map(is_growth, named))
        if grows and is_strength_known(update):
            self.named = GROWTH
        return not climbs and not grows and any(map(is_chosen, named))

    def descends_plainly(self, update: Update, step: PlainStep) -> bool:
        """Return whether a step along gradient and weight goes down both."""
        grows = step.of_weight < 0 and not self.turned
        if step.of_gradient < 0:
            self.named = ASCENT
        elif step.of_gradient and grows and is_strength_known(update):
            self.named = GROWTH
        return step.of_gradient > 0 and not grows


def is_chosen(one: Diagnosis) -> bool:
    """Return whether what was found is a choice, as a learning rate is unless it is negative."""
    upwards = "another-learning-rate" in one.mistake and not (one.constant or 0.0) > NOTHING
    return set(one.mistake.split(" + ")) <= CHOSEN and not upwards


def is_growth(one: Diagnosis) -> bool:
    """Return whether what was found is a decay that makes weights larger."""
    return one.mistake in DECAYS and (one.constant or 0.0) < 0


def is_strength_known(update: Update) -> bool:
    """Return whether every number of an update says what it is: nobody is accused of the sign of
    one that may be negative."""
    unknown = [key for key, said in update.scalars.items() if said == OTHER_NUMBER]
    return all(
        PENALTY.fullmatch(word(key)) or is_size(key) or COUNTED.fullmatch(word(key))
        for key in unknown
    )


def sign_turned(update: Update) -> Update | None:
    """Return an update that takes off what this one adds, None where it is no sum of two."""
    last = update.lines[-1]
    value = last.value
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Add | ast.Sub):
        return None
    left, right = value.left, value.right
    if isinstance(value.op, ast.Add) and ast.unparse(right) == last.key:
        left, right = right, left
    if ast.unparse(left) != last.key:
        return None
    op = ast.Add() if isinstance(value.op, ast.Sub) else ast.Sub()
    turned = replace(last, value=ast.BinOp(left, op, right))
    return replace(update, lines=(*update.lines[:-1], turned))


def shrinks(update: Update) -> bool:
    """Return whether an update without a gradient makes a weight smaller by a share of itself."""
    first, second, *_ = run(update)
    share = second.parameters[NAME] / first.parameters[NAME]
    return bool(np.ptp(share) < NOTHING and 0 < share.flat[0] < 1)
