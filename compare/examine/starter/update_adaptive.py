"""Updates that divide by a root of squares: Adam, RMSprop and Adagrad in their usual forms.

Beside gradient descent with momentum (`update_verdicts`). m is the mean of gradients, s that of
their squares, t the number of the update, from 1:
    m = b1 m + (1 - b1) g          s = b2 s + (1 - b2) g**2          (Adagrad: s = s + g**2)
    m^ = m / (1 - b1**t)           s^ = s / (1 - b2**t)              (or without these)
    w = w - rate m^ / (sqrt(s^) + eps)         (or eps below the root, or beside sqrt(s) there)
AMSGrad has the largest s so far in the place of s, or the largest s^ in that of s^.
Kingma and Ba, Adam, 2015, algorithm 1; Duchi et al. 2011; Tieleman and Hinton 2012.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

import numpy as np

from compare.examine.starter.update_reading import Update
from compare.examine.starter.update_running import (
    GIVEN,
    MANY,
    NAME,
    UPDATES,
    Array,
    coefficients,
    run,
    written,
)

CLOSE = 1e-9
"""Of the size of a step: far above the rounding of a few updates, far below any other rule."""


@dataclass(frozen=True)
class Rule:
    """One form of the rule; `mean` or `square` are None if there is none, 1 if they sum up."""

    rate: float
    mean: float | None
    square: float
    small: float
    corrected: bool
    inside: bool
    before: bool = False
    """Whether eps is added before the squares are corrected: rate_t = rate sqrt(1 - b2**t) / ..."""
    largest: str = ""
    """`mean` or `corrected`: of which of them the largest so far is taken; empty for the newest."""

    def steps(self, gradients: Sequence[Array]) -> Iterator[Array]:
        """Yield what is taken off the weight, update by update."""
        m = s = r = top = np.zeros_like(gradients[0])
        for t, g in enumerate(gradients, start=1):
            m = g if self.mean is None else self.mean * m + (1 - self.mean) * g
            s = self.square * s + (1.0 if self.square == 1.0 else 1 - self.square) * g * g
            r = np.maximum(r, s)
            seen, scale, small = m, r if self.largest == "mean" else s, self.small
            if self.corrected and self.mean is not None:
                seen, scale = m / (1 - self.mean**t), scale / (1 - self.square**t)
                small /= np.sqrt(1 - self.square**t) if self.before else 1.0
            if self.largest == "corrected":
                top = scale = np.maximum(top, scale)
            inside = small if self.inside else 0.0
            yield self.rate * seen / (np.sqrt(scale + inside) + (small - inside))


def divides_by_root(update: Update) -> bool:
    """Return whether an update takes a root: then it is none of gradient descent."""
    for line in update.lines:
        for node in ast.walk(line.value) if line.value else ():
            rooted = isinstance(node, ast.Attribute) and node.attr == "sqrt"
            power = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and node.right
            if rooted or (isinstance(power, ast.Constant) and power.value == 0.5):
                return True
    return False


def takes_largest(update: Update) -> bool:
    """Return whether an update takes the larger of two arrays."""
    values = [line.value for line in update.lines if line.value is not None]
    return any(
        isinstance(node, ast.Attribute) and node.attr in ("maximum", "fmax")
        for value in values for node in ast.walk(value)
    )  # fmt: skip


def habits_of(update: Update, constants: Mapping[str, float]) -> str:
    """Return in words what a right update has otherwise than torch; empty where nothing."""
    rule = rule_of(update) if divides_by_root(update) else None
    if rule is None or not (rule.inside or rule.largest == "corrected"):
        return ""
    named = [key for key, said in update.scalars.items() if said == "small"]
    size = constants.get(named[0]) if named else rule.small
    eps = "epsilon" if size is None else f"epsilon {size:g}"
    inside = [f"{eps} inside of the root, where torch has it outside"] if rule.inside else []
    top = ["the largest of the corrected means of squares, where torch takes it before"]
    return " and ".join([*inside, *(top if rule.largest == "corrected" else [])])


def is_adaptive(update: Update) -> bool:
    """Return whether the update is one of these rules."""
    return rule_of(update) is not None


def rule_of(update: Update) -> Rule | None:
    """Return the rule that an update is, with eps outside of the root if that is the same."""
    return next(filter(None, (fitting(update, first) for first in (1, 0))), None)


def fitting(update: Update, first: int) -> Rule | None:
    """Return the rule it is, if what counts its updates begins so; None where it is none."""
    with np.errstate(all="ignore"):
        records = run(update, first, MANY if takes_largest(update) else UPDATES)
        pairs = pairwise(records)
        seen = [before.parameters[NAME] - after.parameters[NAME] for before, after in pairs]
        gradients = [one.gradients[NAME] for one in records[:-1]]
        found = (
            rule for rule in rules(update)
            if all(near(step, due) for step, due in zip(seen, rule.steps(gradients), strict=True))
        )  # fmt: skip
        return next(found, None)


def near(seen: Array, due: Array) -> bool:
    """Return whether two steps are the same to rounding."""
    return bool(np.isfinite(due).all() and np.abs(seen - due).max() <= CLOSE * np.abs(due).max())


@dataclass(frozen=True)
class Meant:
    """The numbers of an update by what they may stand for; `named`: names say which are shares."""

    rates: Sequence[float]
    shares: Sequence[float]
    smalls: Sequence[float]
    named: bool


def meant(update: Update) -> Meant:
    """The numbers of an update: named ones, or those written in it."""
    numbers = list(dict.fromkeys(written(update)))
    said = set(update.scalars.values())
    named = list(coefficients(update).values())
    return Meant(
        [GIVEN["rate"]] if said & {"rate", "-rate"} else [*numbers, 1.0],
        named or [one for one in numbers if 0 < one < 1],
        [GIVEN["small"]] if "small" in said else [one for one in numbers if 0 < one < 0.01],
        bool(named),
    )


def rules(update: Update) -> Iterator[Rule]:
    """Yield every form with the numbers of the update."""
    numbers = meant(update)
    shares = numbers.shares
    tops = ("mean", "corrected", "") if takes_largest(update) else ("",)
    for inside, rate, mean, square, small, corrected, largest in product(
        (False, True), numbers.rates, [None, *shares], [*shares, 1.0], [*numbers.smalls, 0.0],
        (True, False), tops,
    ):  # fmt: skip
        if mean is None and corrected:
            continue
        if numbers.named and len(set(shares)) > 1 and square == mean:
            continue  # of two coefficients the squares have the other one
        if mean is None or len(set(shares)) < 2 or shares.index(mean) == 0:
            made = Rule(rate, mean, square, small, corrected, inside, largest=largest)
            yield made
            if corrected and not inside:
                yield replace(made, before=True)
