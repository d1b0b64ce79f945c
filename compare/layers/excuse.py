"""What a difference may be besides a mistake: a kink, rounding that grows, a tail, lost digits.

Each is shown, not assumed: the kinks by turning decisions over, growth by rounding the reference
at random, the digits by the same code one precision up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.checks.comparison import HONEST, compare_entries
from compare.contracts.arrays import Arrays
from compare.contracts.digits import two_values
from compare.contracts.errors import BadInput, UserCodeError
from compare.layers.analysed import as_tensors, wider_allowances
from compare.layers.calling import Shape
from compare.layers.child import Crashed, in_child
from compare.layers.formats import FORMATS
from compare.layers.judged import SAME, Judged, State, digits_lost, is_tail, judge
from compare.layers.kinks import Explained, explain
from compare.layers.manual import Manual
from compare.layers.points import BESIDE, rounded
from compare.layers.program import Program, Reference
from compare.layers.seen import SEEN, hidden
from compare.layers.survey import Surveyed, examined
from compare.report.words import where

LUCK = 128.0
"""Rounding shrinks with the units' quotient, but for luck of this size: beyond that it persists."""
ROUNDINGS = 64
"""So many roundings of the largest entry or of 1, in the wider format, are no mistake of a small
one: 0.5 * (1 + tanh(x / 2)) is a right sigmoid whose tail rounds like 1, and 2 sigmoid(2 x) - 1 a
right tanh all of which does."""

MORE = 1.5
"""A small entry that is more than so many times too large is not cut off."""

FACTORS = (4.0, 0.25, 16.0, 1 / 16)
"""By so much an input is multiplied, where a tail is doubted.

A tail is below 2**-44 of the largest entry in float32, and 2**-73 in float64. What fades from step
to step is multiplied in every one: 16 makes up for that in 11 and 19 steps, 4 in 22 and 37. Their
inverses do so for what saturates: exp(-z) becomes its fourth or 16th root.
"""
ASKED = 20_000
"""So many operations of the reference are run for that, half a millisecond each."""


@dataclass(frozen=True)
class Look:
    """What kinks explain of a point, and allowances with the spread where they do not do."""

    explained: Explained | None = None
    wider: Arrays | None = None


@dataclass(frozen=True)
class Excuses:
    """Finds what excuses a point; `program` is the reference, `manual` the code under test.

    `challenging`: a tail is being doubted, and no other one is meanwhile.
    """

    program: Program
    manual: Manual
    shape: Shape
    timeout: float | None
    challenging: bool = False

    def consider_all(self, points: Sequence[Judged]) -> None:
        """Change the states of points that disagree; all are looked at in one child process."""
        if not points:
            return
        try:
            looks = in_child(lambda: [self.look(one) for one in points], self.timeout)
        except Crashed:
            looks = [self.looked(one) for one in points]
        for one, look in zip(points, looks, strict=True):
            self.consider(one, look)

    def consider(self, judged: Judged, look: Look | None = None) -> None:
        """Change the state of a point that disagrees, if something else explains it."""
        strict, look = replace(judged), look or self.looked(judged)
        explained = look.explained
        if look.wider is not None and self.allows(judged, look.wider):
            explained = self.looked(judged).explained if judged.wrong else None
        if judged.wrong:
            self.explain(judged, explained)
        else:
            judged.state = State.AGREES
        if judged.state not in (State.DISAGREES, State.UNDECIDED):
            self.doubt_spread(strict, judged)

    def looked(self, judged: Judged) -> Look:
        """Look at one point, in a child process."""
        try:
            return in_child(lambda: self.look(judged), self.timeout)
        except Crashed:
            return Look(wider=self.spread(judged))

    def look(self, judged: Judged) -> Look:
        """Return what kinks explain of a point and, where they do not do, its wider allowances."""
        if not comparable(judged):
            return Look()
        explained = self.kinks(judged) if judged.surveyed.analysed.decisions else None
        return Look(explained, None if fits(explained) else self.wider(judged))

    def reconsider(self, judged: Judged) -> None:
        """Allow at a point that agrees for roundings that grow together, where that is in doubt."""
        strain = judged.state is State.AGREES and strained(judged)
        wider = self.spread(judged) if strain else None
        if wider is not None:
            self.allows(judged, wider)

    def spread(self, judged: Judged) -> Arrays | None:
        """Return the wider allowances alone, computed in a child process; None if that ends."""
        try:
            return (
                in_child(lambda: self.wider(judged), self.timeout) if comparable(judged) else None
            )
        except Crashed:
            return None

    def explain(self, judged: Judged, explained: Explained | None) -> None:
        """Say of a point what its differences are, beside rounding."""
        if explained is not None and fits(explained):
            judged.state, judged.kinks = State.KINKS, explained.kinks
        elif is_tail(judged):
            judged.state = State.CLIPPED
        elif self.right_one_precision_up(judged):
            judged.state, judged.lost = State.DIGITS, digits_lost(judged)
        elif judged.point.special == BESIDE and set(judged.wrong) & set(judged.surveyed.outputs):
            judged.state = State.UNDECIDED  # of a gradient alone no guard is to blame
            judged.why = f"{judged.wrong[0]} differs, as where one side guards a division by 0"
        elif judged.surveyed.analysed.unruled:
            judged.state = State.UNDECIDED
            judged.why = f"no rule for {', '.join(judged.surveyed.analysed.unruled)}"
        elif judged.surveyed.analysed.overflowing:
            judged.state = State.UNDECIDED
            where = ", ".join(judged.surveyed.analysed.overflowing)
            judged.why = f"numbers of {where} exceed the range of {judged.point.format}"
        if judged.state in (State.CLIPPED, State.DIGITS) and nothing_is_there(judged):
            self.challenge(judged)

    def doubt_spread(self, strict: Judged, judged: Judged) -> None:
        """Note where the spread alone allows, and doubt it if a mistake may be what it allows.

        Roundings go away one precision up.
        """
        found = grown(strict, judged)
        judged.grown = {name: least for name, (_, least) in found.items()}
        name = max(found, key=lambda each: found[each][0], default="")
        if not name or found[name][0] <= SEEN[judged.point.format]:
            return
        if self.right_one_precision_up(strict):
            return
        worst = strict.compared[name].worst
        mine, due = two_values(worst.manual, worst.reference, 6)
        judged.state = State.UNDECIDED
        judged.why = (
            f"{name}{where(worst.index)} is {mine} and {due} is due; "
            "that is more than single roundings give and no more than they may grow to together, "
            f"so that a scale error below {found[name][1]:.2g} cannot be told from them"
        )

    def challenge(self, judged: Judged) -> None:
        """Doubt a tail that is wrong by more than a tail where one input is larger or smaller.

        A recurrence that is cut short leaves out what has faded away; where it has not, that shows.
        """
        again, steps = replace(self, challenging=True), judged.surveyed.analysed.steps
        ways = () if self.challenging else product(FACTORS, self.shape.wrt)
        for number, (factor, name) in enumerate(ways, 1):
            if number * steps > ASKED:
                judged.state = State.UNDECIDED
                judged.why = (
                    f"{judged.wrong[0]} differs no more than a clipped tail would, and with "
                    f"{steps:,} operations the reference is too long to be asked where every "
                    "input is larger or smaller"
                )
                return
            other = self.rescaled(judged, name, factor)
            if other is None or not set(other.wrong) & set(judged.wrong):
                continue
            again.consider(other)
            left = [name for name in other.wrong if name in judged.wrong]
            if other.state is State.DISAGREES and left:
                tensor = left[0]
                worst = other.compared[tensor].worst
                mine, due = two_values(worst.manual, worst.reference, 4)
                judged.state = State.UNDECIDED
                judged.why = (
                    f"{tensor} differs no more than a clipped tail would, but where {name} is "
                    f"{factor:g} times as large, {tensor}{where(worst.index)} is "
                    f"{mine} and {due} is due"
                )
                return

    def rescaled(self, judged: Judged, name: str, factor: float) -> Judged | None:
        """Judge the point with one input multiplied; None where either side cannot be run."""
        point, form = judged.point, judged.point.format
        inputs = point.inputs | {name: rounded(factor * point.inputs[name], form)}

        def work() -> Surveyed:
            assert isinstance(self.program.forward, Reference)
            scaled = replace(point, inputs=inputs)
            return examined(self.program.forward, scaled, self.program.wrt, point.dy, 0)

        try:
            surveyed = in_child(work, self.timeout)
            with np.errstate(all="ignore"):
                other = judge(surveyed, self.manual(surveyed.point, self.shape))
        except (Crashed, BadInput, UserCodeError):
            return None
        return other if comparable(other) and other.state is State.DISAGREES else None

    def kinks(self, judged: Judged) -> Explained | None:
        """Return what kinks explain."""
        point, allowed = judged.point, judged.surveyed.analysed.allowances
        dy = None if point.dy is None else as_tensors(point.dy)
        inputs = as_tensors(point.inputs)
        return explain(self.program, inputs, dy, point.format, judged.manual, allowed)

    def wider(self, judged: Judged) -> Arrays:
        """Return the allowances with the spread of the reference rounded at random."""
        point, before = judged.point, judged.surveyed.analysed.allowances
        dy = None if point.dy is None else as_tensors(point.dy)
        inputs = as_tensors(point.inputs)
        return wider_allowances(self.program, inputs, dy, point.format, before, judged.manual)

    def allows(self, judged: Judged, wider: Arrays) -> bool:
        """Allow for the spread as well, and return whether it helps: in the tensors that are
        further off than honest ones are by the rules."""
        before, far = judged.surveyed.analysed.allowances, strained(judged)
        return judged.allow({n: wider[n] if n in far else before[n] for n in before})

    def right_one_precision_up(self, judged: Judged) -> bool:
        """Return whether the same code agrees in the next format, at the same point."""
        if judged.missing or judged.misshapen or not self.manual.repeatable:
            return False
        wider = FORMATS[judged.point.format].wider
        if not judged.point.takes(wider):
            return False
        try:
            with np.errstate(all="ignore"):
                again = self.manual(judged.point, self.shape, form=wider)
        except (UserCodeError, TypeError):
            return False  # code that takes no other format, or has none as precise
        return all(shrunk(judged, again, name) for name in judged.compared)


def strained(judged: Judged) -> list[str]:
    """Return the tensors that are further off than those of right code, if the rules hold."""
    return [n for n, compared in judged.compared.items() if not compared.worst.ratio <= HONEST]


def grown(strict: Judged, judged: Judged) -> dict[str, tuple[float, float]]:
    """Return, by tensor, what is `hidden` where only the wider allowances of `judged` allow."""
    found = {}
    for name in strict.wrong if comparable(strict) else ():
        right = strict.surveyed.analysed.reference[name]
        before, wider = (one.surveyed.analysed.allowances[name] for one in (strict, judged))
        off = np.abs(np.asarray(strict.manual[name], dtype=np.float64) - right)
        found[name] = hidden(off, right, before, wider)
    return {name: sizes for name, sizes in found.items() if sizes[1] > 0}


def nothing_is_there(judged: Judged) -> bool:
    """Return whether every entry that differs is exactly 0."""
    for name in judged.wrong:
        right, allowed = (values[name] for values in (
            judged.surveyed.analysed.reference, judged.surveyed.analysed.allowances))  # fmt: skip
        manual = np.asarray(judged.manual[name], dtype=np.float64)
        if manual[~(np.abs(manual - right) <= allowed)].any():
            return False
    return True


def comparable(judged: Judged) -> bool:
    """Return whether all numbers are there to be explained."""
    if judged.missing or judged.misshapen:
        return False
    return all(np.isfinite(values).all() for values in judged.manual.values())


def fits(explained: Explained | None) -> bool:
    """Return whether kinks explain everything."""
    return explained is not None and explained.left <= 1


def shrunk(judged: Judged, again: Arrays, name: str) -> bool:
    """Return whether a tensor's error went away with the precision: then it was rounding.

    A mistake stays as large as it is, whatever the format. What rounds becomes smaller by the
    quotient of the units, 2,048 at least, but for luck. A constant that was rounded to the judged
    format persists as well, and moves an entry by one rounding at most.
    """
    right = judged.surveyed.analysed.reference[name]
    if name not in again or not judge_one(judged, name, again):
        return False
    if judged.compared[name].agrees:
        return True
    before = np.abs(np.asarray(judged.manual[name], dtype=np.float64) - right)
    after = np.abs(np.asarray(again[name], dtype=np.float64) - right)
    if not np.isfinite(before).all():
        return False
    # Only where it was wrong: elsewhere the reference's own rounding stands in the difference.
    wrong = ~(before <= judged.surveyed.analysed.allowances[name])
    if stays(judged.manual[name], again[name], right, wrong):
        return False
    form = FORMATS[judged.point.format]
    shrinks = before[wrong].max() * LUCK * unit_of(form.wider) / form.unit
    return bool(after[wrong].max() <= max(shrinks, form.unit * np.abs(right).max(initial=0)))


def stays(manual: NDArray[Any], again: NDArray[Any], right: NDArray[Any], wrong: Any) -> bool:
    """Return whether an entry has a turned sign, or half as much again, and keeps it one format up.

    Rounding would have changed it, and a tail that is cut off comes nearer to 0. Code whose numbers
    are the same in every format cannot be asked.
    """
    before = np.asarray(manual, dtype=np.float64) - right
    after = np.asarray(again, dtype=np.float64) - right
    if (before == after).all():
        return False
    same = np.abs(after - before) <= SAME * np.abs(before)
    factor = np.divide(after + right, right, out=np.zeros_like(right), where=right != 0)
    return bool((wrong & same & ((factor < 0) | (factor > MORE))).any())


def judge_one(judged: Judged, name: str, again: Arrays) -> bool:
    """Return whether a tensor of the wider format is within the allowance of the judged one.

    Or off by what the wider format rounds beside the largest entry, or beside 1.
    """
    analysed = judged.surveyed.analysed
    right = analysed.reference[name]
    if again[name].shape != right.shape:
        return False
    rounded = ROUNDINGS * unit_of(FORMATS[judged.point.format].wider) * np.abs(right).max(initial=1)
    allowed = np.maximum(analysed.allowances[name], rounded)
    return compare_entries(name, again[name], right, allowed).agrees


def unit_of(form: str) -> float:
    """Half the distance from 1 to the next number of a format."""
    return float(np.finfo(form).eps) / 2
