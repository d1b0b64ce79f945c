"""The penalty of a file, called with a strength that is not 0.

What arguments mean is searched for without it, at a strength of 0 (`whole`). A derivative of the
penalty is not seen there. So everything is called again at a strength s, and what that adds tells
which term it is,
    loss(s) - loss(0) = c s/2 sum w^2  or  c s sum |w|,  over 1 or over the rows,
which is then declared of both sides: the gradients are compared with it. Where no usual term is
added, or where the loss does not show it, nothing is said of the gradients.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.examine.starter.answered import mean_gradients, mean_loss, names_of
from compare.examine.starter.chain import STRENGTH, started_objects
from compare.examine.starter.networks import point
from compare.examine.starter.readings import Sizes
from compare.examine.starter.slots import strengths_of
from compare.examine.starter.subject import Subject
from compare.examine.starter.whole import Whole
from compare.guard.guard import Guard
from manual_mlp import Penalty

OURS = 2.0**-5
"""A strength whose products are exact, so that only their sums are rounded."""
LEAST = 1e-5
"""What a strength of this size adds still has the digits that `SAME` asks for."""
FACTORS = (1.0, 2.0, 0.5)
"""c above: of 1/2 sum w^2, of sum w^2, of 1/4 sum w^2."""
SAME = 1e-9
"""Relative to what is added: the difference of two losses has lost some digits."""
KEYS = frozenset({"l2", "l1"})


@dataclass(frozen=True)
class Strength:
    """What is passed for a strength, and what of the network it declares; `lacking` says what could
    not be compared."""

    passed: float = 0.0
    declared: Mapping[str, Any] = field(default_factory=dict)
    lacking: str = ""

    def words(self) -> Iterator[str]:
        """The term that was found in the loss, and declared."""
        for key in KEYS & set(self.declared):
            over = ", divided by the rows" if self.declared.get("penalty_over") == "rows" else ""
            of = " of all parameters" if self.declared.get("penalise") == "all" else ""
            yield f"your loss has an {key} term of {self.declared[key]:g}{of}{over}"
        if smoothing := self.declared.get("label_smoothing"):
            yield f"your loss smooths its targets by {smoothing:g}"


@dataclass(frozen=True)
class Added:
    """What a strength adds to the loss, None where no loss is shown, and to the gradients."""

    loss: float | None
    gradients: Arrays

    @property
    def nothing(self) -> bool:
        """Whether it has no effect."""
        return not self.loss and not any(one.any() for one in self.gradients.values())

    def is_of(self, penalty: Penalty, parameters: Arrays, rows: int) -> bool:
        """Whether this is what a penalty adds: to the loss where there is one, which says what is
        meant, else to all gradients."""
        if self.loss is not None:
            return near(np.array(self.loss), np.array(penalty.loss_at(parameters, rows)))
        due = penalty.gradients_at(parameters, rows)
        none = np.zeros(1)
        return all(near(one, due.get(name, none)) for name, one in self.gradients.items())


def strength_in(
    whole: Whole, subject: Subject, declared: Mapping[str, Any], sizes: Sizes, guard: Guard
) -> Strength:
    """What has to be passed for the strengths of a file, and declared, for them to be compared."""
    own = {} if whole.chain.kept else guard.run(lambda: kept_in(whole, sizes), "", None)
    named = [one for call in whole.chain.calls for one, value in call.passed if value == STRENGTH]
    if not named and not own:
        return Strength()

    def alone(name: str) -> Added:
        chain = replace(whole.chain, only=name)
        return adds(replace(whole, chain=chain), subject, OURS, sizes)

    own = effective(own, written_in(whole, subject), alone, guard)
    called = " and ".join(dict.fromkeys([*named, *own]))
    written = {*written_in(whole, subject), *(value for value in own.values() if value)}
    if len(written) > 1:
        return Strength(lacking=f"what {called} adds was not compared: its defaults differ")
    passed = at_least(written)
    try:
        added = guard.run(lambda: adds(whole, subject, passed, sizes), "", None)
    except UserCodeError as problem:
        return Strength(lacking=f"what {called} adds was not compared: {problem}")
    if added.nothing:
        return Strength()
    return meant(added, called, passed, declared, sizes)


def effective(
    own: Mapping[str, float],
    others: Iterable[float],
    alone: Callable[[str], Added],
    guard: Guard,
) -> Mapping[str, float]:
    """The strengths that an object or a file keeps; where they differ, those that add anything: the
    `decay` of a learning rate does not."""
    if len({*others, *filter(None, own.values())}) < 2:
        return own
    found = {}
    for name, value in own.items():
        try:
            nothing = guard.run(lambda: alone(name), "", None).nothing  # noqa: B023
        except UserCodeError:
            nothing = False
        if not nothing:
            found[name] = value
    return found


def at_least(written: Iterable[float]) -> float:
    """What is passed: the strength that a file writes down, but ours for none and for one so small
    that a wrong derivative of its term is within the rounding of the rest."""
    given = next(iter(written), 0.0)
    return given if abs(given) >= LEAST else OURS


def meant(
    added: Added, called: str, passed: float, declared: Mapping[str, Any], sizes: Sizes
) -> Strength:
    """The term that is added, declared as the user did or else as it was found."""
    if added.loss == 0.0:
        why = "the loss does not show it"
        return Strength(lacking=f"what {called} adds to the gradients was not compared: {why}")
    parameters, x, _ = point(sizes, 0)
    for form in forms():
        if not added.is_of(at_strength(form, passed), parameters, len(x)):
            continue
        (key,) = KEYS & set(form)
        if declared.get(key):
            return Strength(declared[key] / form[key], {**form, **declared})
        if not any(declared.get(other) for other in KEYS):
            return Strength(passed, {**form, key: form[key] * passed})
    why = "it is no usual L1 or L2 term, or not the declared one"
    return Strength(lacking=f"what {called} adds was not compared: {why}")


def forms() -> Iterator[dict[str, Any]]:
    """The usual terms at a strength of 1."""
    for key, over, of, factor in product(("l2", "l1"), ("1", "rows"), ("weights", "all"), FACTORS):
        yield {key: factor, "penalty_over": over, "penalise": of}


def at_strength(form: Mapping[str, Any], passed: float) -> Penalty:
    """A term at a strength."""
    return Penalty(**{**form, **{key: form[key] * passed for key in KEYS & set(form)}})


def written_in(whole: Whole, subject: Subject) -> Iterator[float]:
    """The strengths that the file itself writes down as defaults, but 0."""
    for call in whole.chain.calls:
        defaults = subject.flow.defaults(call.name)
        for name, value in call.passed:
            given = defaults.get(name) if value == STRENGTH else None
            if isinstance(given, ast.Constant) and isinstance(given.value, float | int):
                if given.value:
                    yield float(given.value)


def kept_in(whole: Whole, sizes: Sizes) -> dict[str, float]:
    """The strengths that the objects keep whose methods are called, as they were built, and those
    that the file writes down."""
    parameters, x, targets = point(sizes, 0)
    started = whole.chain.start(sizes.widths, {**parameters, "x": x, "y": targets})
    every = [strengths_of(thing) for thing in started_objects(started)]
    own = {name: value for one in every for name, value in one.items()}
    return own | {one.name: one.value for one in whole.chain.constants}


def adds(whole: Whole, subject: Subject, passed: float, sizes: Sizes) -> Added:
    """What a strength adds at one point."""
    without, given = (numbers(whole, subject, one, sizes) for one in (0.0, passed))
    loss = None if without[0] is None or given[0] is None else given[0] - without[0]
    return Added(loss, {name: array - without[1][name] for name, array in given[1].items()})


def numbers(
    whole: Whole, subject: Subject, passed: float, sizes: Sizes
) -> tuple[float | None, Arrays]:
    """Loss and gradients at a strength."""
    parameters, x, targets = point(sizes, 0)
    ran = whole.chain.at(passed).run(dict(parameters), x, targets)
    names = names_of(subject.flow, whole.final)
    return mean_loss(ran), mean_gradients(ran, whole.final, names, parameters)


def near(array: Array, due: Array) -> bool:
    """Whether two arrays are the same to rounding."""
    return bool(np.abs(array - due).max() <= SAME * max(np.abs(due).max(), SAME))
