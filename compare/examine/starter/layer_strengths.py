"""The penalty of a layer whose strength is an attribute.

    if self.l2 > 0: self.dweights += 2 * self.l2 * self.weights

A network of such layers is compared at strengths of 0. So a layer alone is called once more with
each strength that its backward pass reads. What that adds has to be the derivative of the penalty
that the file gives for a layer (`layer_penalties`), and that has to be added to the loss. Where the
file gives none it has to be a usual term,
    c s w  or  c s sign(w),  c = 1, 2 or 1/2, over 1 or over the rows,
of the weights or of the biases; of a strength that is used it is said that no loss shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import product
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.binding import plain
from compare.examine.starter.expected import LOSS
from compare.examine.starter.function_verdict import FunctionVerdict, Slip
from compare.examine.starter.layer_classes import (
    BACKWARD,
    FORWARD,
    Made,
    methods_of,
    strengths_read,
)
from compare.examine.starter.layer_penalties import (
    PenaltyFunction,
    penalty_functions,
    read_elsewhere,
    slopes,
)
from compare.examine.starter.penalty_joined import MINUS, PLUS, joins_of
from compare.examine.starter.slots import (
    STRENGTH,
    gradient_slots,
    laid_like,
    weight_slots,
)
from compare.examine.starter.source import Opened, Source
from compare.examine.starter.strengths import FACTORS, OURS, near
from compare.guard.guard import Guard

ROWS, INPUTS, UNITS = 3, 5, 4
RATE = 2.0**40
"""So large that weights before a step are below the last digit after it."""
CLOSE = 1e-5
"""Relative: more than a slope of a smoothed |w| is off, less than any mistake."""
KNOWN = {0.0: "missing", 0.5: "halved", 2.0: "twice", 1 / ROWS: "averaged", ROWS: "not-averaged"}
"""Mistakes by how many times the derivative of the penalty is in the gradient."""
NOTHING_MADE: Mapping[str, tuple[Made, ...]] = {}


def strengths_checked(
    source: Source,
    names: Iterable[str],
    guard: Guard,
    made: Mapping[str, tuple[Made, ...]] = NOTHING_MADE,
    moves: bool = False,
) -> Iterator[FunctionVerdict]:
    """Yield what is said of the strengths of layers, as far as there is anything to say.

    `made`: the layers of each class that the file makes; `moves`: their backward passes step.
    """
    joined: set[str] = set()
    for name in names:
        opened = source.load(list(source.definitions))
        layer = PenalisedLayer(source, opened, name, guard, moves)
        try:
            held = guard.run(layer.strengths, name, None)
        except UserCodeError:
            continue
        used = used_in(opened, made.get(name, ()), held, guard)
        every = [one for strength in held for one in layer.said(strength, used=strength in used)]
        yield from as_one(name, every)
        for strength in held:
            for function in layer.giving(strength):
                if str(function) not in joined:
                    joined.add(str(function))
                    yield from layer.joining(function, used=strength in used)


def as_one(name: str, every: Iterable[FunctionVerdict]) -> Iterator[FunctionVerdict]:
    """Yield the verdicts on the strengths of a layer, with one of all those that are right."""
    right: list[FunctionVerdict] = []
    for one in every:
        if one.verdict is Verdict.AGREES:
            right.append(one)
        else:
            yield one
    if right:
        words = tuple(word for one in right for word in one.conventions)
        yield replace(right[0], name=f"the penalty of {name}", conventions=words)


def used_in(
    opened: Opened, made: Iterable[Made], held: Iterable[str], guard: Guard
) -> frozenset[str]:
    """The strengths that are not 0 in a layer of the file."""
    found: set[str] = set()
    for one in made:
        text = one.text(str(INPUTS), str(UNITS))
        try:
            thing = guard.run(partial(eval, text, vars(opened.module)), one.name, None)
        except UserCodeError:
            continue
        found |= {name for name in held if getattr(thing, name, 0)}
    return frozenset(found)


@dataclass(frozen=True)
class PenalisedLayer:
    """A class of layers, with what each of its strengths adds to its gradients."""

    source: Source
    opened: Opened
    name: str
    guard: Guard
    moves: bool

    @cached_property
    def cls(self) -> Callable[..., Any]:
        """The class."""
        return self.opened.get(self.name)

    @cached_property
    def read(self) -> tuple[str, ...]:
        """What its backward pass reads that may be a strength."""
        return strengths_read(methods_of(self.source, self.name))

    @cached_property
    def functions(self) -> list[PenaltyFunction]:
        """The functions that may give its penalty."""
        return list(penalty_functions(self.source, self.name))

    def strengths(self) -> list[str]:
        """The attributes that are numbers and may be strengths, read in the backward pass or by a
        function that gives a penalty."""
        given = {name for one in self.functions for name in one.reads}
        return [name for name, value in vars(self.cls(INPUTS, UNITS)).items()
                if type(value) in (int, float)
                and (name in self.read or (STRENGTH.fullmatch(plain(name))
                                           and name in given and self.gives(name)))]  # fmt: skip

    def gives(self, strength: str) -> bool:
        """Whether a function of the file gives a penalty of this strength."""
        return any(self.giving(strength))

    def giving(self, strength: str) -> Iterator[PenaltyFunction]:
        """The functions that give another number at another strength."""
        for one in self.functions:
            if strength in one.reads and (due := self.due(one, strength)) is not None:
                if any(array.any() for array in due.values()):
                    yield one

    def said(self, strength: str, *, used: bool) -> Iterator[FunctionVerdict]:
        """Yield the verdict on one strength; nothing of a usual term that nothing uses."""
        about = FunctionVerdict(
            f"{strength} of {self.name}", "gradient", self.source.where(self.name),
            Verdict.UNDECIDABLE, "",
        )  # fmt: skip
        try:
            added: Arrays | None = self.guard.run(partial(self.added, strength), self.name, None)
        except UserCodeError:
            added = None
        due = next((self.due(one, strength) for one in self.giving(strength)), None)
        if added is not None and due is not None:
            yield self.compared(about, strength, added, due)
        elif used:
            why = "no function of the file gives the penalty that it belongs to"
            yield about.undecided(f"was not compared: what {strength} adds to the gradients, {why}")
        elif added is None or not all(is_usual(added[name], one) for name, one in drawn().items()):
            yield about.undecided(
                f"was not compared: what {strength} adds to the gradients is no usual L1 or L2 term"
            )

    def compared(
        self, about: FunctionVerdict, strength: str, added: Arrays, due: Arrays
    ) -> FunctionVerdict:
        """The verdict on what a strength adds, beside the derivative of its penalty."""
        function = next(self.giving(strength))
        wrong = [name for name, one in due.items() if not same(added[name], one)]
        if not wrong:
            words = f"what {strength} adds to the gradients is the derivative of {function}"
            return replace(
                about, verdict=Verdict.AGREES, sentence="agrees", conventions=(words,)
            )  # fmt: skip
        names = [function.name for function in self.functions]
        if not any(one.any() for one in added.values()) and read_elsewhere(
            self.source, self.name, strength, names
        ):
            return about.undecided(
                f"was not compared: {function} has a penalty of {strength}, which the backward pass"
                " adds to no gradient, and another line of the file reads"
            )
        if any(one.sign not in (PLUS, MINUS) for one in joins_of(self.source, function.name) or ()):
            return about.undecided(
                f"was not compared: {function} joins the loss by a factor, and what {strength} adds"
                " to the gradients is not its derivative without one"
            )
        return about.slip(*slip_of(strength, str(function), wrong, added, due))

    def joining(self, function: PenaltyFunction, *, used: bool) -> Iterator[FunctionVerdict]:
        """Yield the verdict on how the penalty is joined to a loss; nothing where it is added."""
        joins = joins_of(self.source, function.name)
        signs = {one.sign for one in joins or ()}
        if PLUS in signs or (joins is None and not used):
            return
        about = FunctionVerdict(
            f"the penalty of {function}", LOSS, self.source.where(function.owner or function.name),
            Verdict.UNDECIDABLE, "",
        )  # fmt: skip
        if joins and signs == {MINUS}:
            place = joins[0].place
            title = "a penalty that is taken off the loss"
            sentence = f"{title}, where the gradients have its derivative added"
            yield replace(about, place=place).slip("penalty-sign", sentence, title)
        else:
            yield about.undecided("was not compared: no line was found that adds it to a loss")

    def due(self, function: PenaltyFunction, strength: str) -> Arrays | None:
        """The derivative of the penalty that a function gives; None where it gives none."""
        try:
            found: Arrays = self.guard.run(partial(self.derived, function, strength), "", None)
        except UserCodeError:
            return None
        return found if all(np.isfinite(one).all() for one in found.values()) else None

    def derived(self, function: PenaltyFunction, strength: str) -> Arrays:
        """The same, of its values nearby, less those at a strength of 0."""
        given, without = (self.slopes_at(function, strength, value) for value in (OURS, 0.0))
        return {name: given[name] - without[name] for name in given}

    def slopes_at(self, function: PenaltyFunction, strength: str, at: float) -> Arrays:
        """The slopes of a penalty in every weight."""
        w = drawn()
        layer, _ = self.stepped(strength, at, w)
        slots = weight_slots(layer, w)
        for name, slot in slots.items():
            slot.put(laid_like(w[name], slot.array.shape).copy())
        found = slopes(partial(function.value, self.opened, layer), slots)
        return {name: laid_like(one, w[name].shape) for name, one in found.items()}

    def added(self, strength: str) -> Arrays:
        """What a strength adds to the gradients."""
        w = drawn()
        with np.errstate(all="ignore"):
            without, given = (self.stepped(strength, value, w)[1] for value in (0.0, OURS))
        return {name: given[name] - without[name] for name in w}

    def stepped(self, strength: str, value: float, w: Arrays) -> tuple[Any, Arrays]:
        """A layer after its backward pass at one strength, the others 0, and its gradients."""
        generator = np.random.default_rng(1)
        layer = self.cls(INPUTS, UNITS)
        for name, kept in list(vars(layer).items()):
            strength_like = name in self.read or STRENGTH.fullmatch(plain(name))
            if type(kept) in (int, float) and strength_like:
                setattr(layer, name, value if name == strength else 0)
        slots = weight_slots(layer, w)
        for name, slot in slots.items():
            slot.put(laid_like(w[name], slot.array.shape).copy())
        ahead = next(name for name in FORWARD if hasattr(self.cls, name))
        getattr(layer, ahead)(generator.normal(size=(ROWS, INPUTS)))
        given = generator.normal(size=(ROWS, UNITS))
        if self.moves:
            getattr(layer, BACKWARD)(given, RATE)
            return layer, {name: (w[name] - laid_like(slot.array, w[name].shape)) / RATE
                           for name, slot in slots.items()}  # fmt: skip
        getattr(layer, BACKWARD)(given)
        found = gradient_slots(layer, w, slots)
        return layer, {name: laid_like(slot.array, w[name].shape).copy()
                       for name, slot in found.items()}  # fmt: skip


def slip_of(strength: str, function: str, wrong: list[str], added: Arrays, due: Arrays) -> Slip:
    """The mistake in what a strength adds to the gradients of weights or biases."""
    of = {"w": "the weights", "b": "the biases"}
    where = " and ".join(of[name] for name in wrong)
    share = ratio(added, due, wrong)
    if share is None:
        none = all(not due[name].any() for name in wrong)
        title = f"a penalty in the gradient of {where} that is not the derivative of {function}"
        name = "penalty-of-biases-in-gradient" if none and wrong == ["b"] else "penalty-scaled"
        return name, f"what {strength} adds is {title}", title
    title = f"a penalty that {function} has and the gradient of {where} has {share:.4g} times"
    known = (f"penalty-{word}-in-gradient" for one, word in KNOWN.items() if np.isclose(share, one))
    name = next(known, "penalty-sign" if np.isclose(share, -1) else "penalty-scaled")
    return name, f"{strength} is the strength of {title}", title


def ratio(added: Arrays, due: Arrays, wrong: list[str]) -> float | None:
    """How many times the derivative of the penalty is added; None where it is no multiple."""
    shares = [float((added[n] * due[n]).sum() / (due[n] ** 2).sum()) if due[n].any() else np.nan
              for n in wrong]  # fmt: skip
    fits = all(same(added[n], share * due[n]) for n, share in zip(wrong, shares, strict=True))
    return shares[0] if fits and np.allclose(shares, shares[0]) else None


def same(one: Array, other: Array) -> bool:
    """Whether two arrays are the same, as far as slopes tell."""
    return bool(np.abs(one - other).max() <= CLOSE * max(np.abs(other).max(), CLOSE))


def is_usual(added: Array, w: Array) -> bool:
    """Whether what is added to a gradient is nothing, or a usual term."""
    if not added.any():
        return True
    terms = product(FACTORS, (1, ROWS), (w, np.sign(w)))
    return any(near(added, OURS * factor / over * one) for factor, over, one in terms)


def drawn() -> Arrays:
    """Weights and biases of a layer."""
    generator = np.random.default_rng(0)
    return {"w": generator.normal(size=(INPUTS, UNITS)), "b": generator.normal(size=UNITS)}
