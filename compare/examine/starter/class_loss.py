"""The loss in the lines of a class's methods: shown while they run, and compared.

    def fit(self, X, Y, epochs, batch_size):
        ...
        total += -np.sum(yb * np.log(probs + 1e-9))

The class is called once more, at a rate of 0 and without penalty, with methods that hand over what
those lines give; their numbers are held against the loss of the gradients (`loss_beside`).
"""

from __future__ import annotations

import ast
import copy
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.class_strengths import at_strength
from compare.examine.starter.class_trials import Trial
from compare.examine.starter.expected import parameters_in
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.loss_beside import (
    AGREE,
    UNSHOWN,
    Beside,
    Shown,
    Value,
    divides_its_rate,
)
from compare.examine.starter.loss_lines import LossLine, Unguarded, loss_lines, negated
from compare.examine.starter.networks import Network, point
from compare.examine.starter.recipe import TRAIN, Recipe, calls_of, methods_of
from compare.examine.starter.source import Source
from compare.examine.starter.strengths import SAME
from compare.examine.starter.unshown import TERMS
from compare.guard.guard import Guard

HOOK = "shown_by_a_line"
CALLS = 4
"""How many meanings of the arguments of a training are tried."""
NOT_AT_REST = "its loss was not compared: its weights move at a learning rate of 0 too"
NO_TERM = (
    "what its gradients have beside those of cross-entropy was not compared: its loss has a term"
    " too; declare it, --l2 or --l1, or show the loss"
)
OTHER_TERM = "what its strength adds to its loss is not what it adds to its gradients"


@dataclass
class Watched:
    """The methods of a class that have lines of a loss, made to hand over what these give."""

    lines: list[LossLine]
    guards: tuple[str, ...]
    methods: Mapping[str, Any]
    negated: frozenset[LossLine]
    """Those whose minus stands elsewhere."""
    seen: dict[int, float] = field(default_factory=dict)
    moved: bool = False
    """Whether the weights moved at a rate of 0: what a line gives may be the loss of others."""

    def note(self, index: int, value: Any) -> None:
        """Keep what a line gave last, where it is a number."""
        array = np.asarray(value)
        if array.size == 1 and array.dtype.kind == "f":
            self.seen[index] = float(array.item())

    def shown(self, index: int, value: Value) -> Shown:
        """One line with what gives its number."""
        line = self.lines[index]
        return Shown(line, value, self.guards, line in self.negated)

    @contextmanager
    def watching(self, cls: type) -> Iterator[None]:
        """Have a class call these methods meanwhile."""
        kept = {name: vars(cls)[name] for name in self.methods}
        try:
            for name, method in self.methods.items():
                setattr(cls, name, method)
            self.seen.clear()
            yield
        finally:
            for name, method in kept.items():
                setattr(cls, name, method)


@dataclass(frozen=True)
class LinesOf:
    """Holds the lines of a class against its gradients; `penalty` is what its strength, where it is
    `passed`, adds to the loss that the gradients belong to."""

    cls: type
    source: Source
    best: Trial
    network: Network
    seed: int
    passed: float = 0.0
    penalty: float = 0.0

    def __call__(self, verdict: FunctionVerdict) -> FunctionVerdict:
        """The verdict on the gradients of a class that returns no loss, in the light of them."""
        watched = watched_in(self.source, self.cls.__name__)
        mistakes = [one.mistake for one in verdict.diagnosis]
        known = mistakes == ["gradient-summed"] or (len(mistakes) == 1 and mistakes[0] in TERMS)
        if self.best.shows_loss or watched is None or self.network.loss != "cross_entropy":
            return verdict
        if verdict.verdict is not Verdict.AGREES and not known:
            return verdict
        found = replace(
            verdict, reduction="sum" if "gradient-summed" in mistakes else self.network.reduction,
            conventions=tuple(one for one in verdict.conventions if one != UNSHOWN),
        )  # fmt: skip
        return replace(self.beside(found, watched), reduction="")

    def beside(self, found: FunctionVerdict, watched: Watched) -> FunctionVerdict:
        """The verdict beside the lines that run."""
        guard = Guard(timeout=self.source.guard.timeout)
        recipe, shown = shown_in(self.cls, self.best, watched, guard)
        if not shown:
            return found
        beside = Beside(
            self.best.sizes, self.network.reduction, self.seed, self.network.activation,
            guard.timeout, divides_its_rate(self.source.text),
        )  # fmt: skip
        if found.diagnosis and found.reduction != "sum":
            return found if beside.any_right(shown) else found.undecided(NO_TERM)
        judged = beside(shown, found, shown[-1].line.number)
        if watched.moved and judged.verdict is not found.verdict:
            return found.undecided(f"{AGREE}; {NOT_AT_REST}")
        if judged.verdict is Verdict.AGREES and not self.adds_its_penalty(recipe, watched, guard):
            return found.undecided(f"{AGREE}; {OTHER_TERM}")
        return judged

    def adds_its_penalty(self, recipe: Recipe, watched: Watched, guard: Guard) -> bool:
        """Whether what a strength adds to the lines, if anything, belongs to what it adds to the
        gradients."""
        parameters, x, targets = point(self.best.sizes, 0)
        given = {**parameters, "x": x, "y": targets}
        layers = self.best.sizes.layers
        own = None if recipe.strength is None else self.passed
        with at_strength(self.cls, 0.0 if recipe.only else self.passed):
            at = replace(recipe, strength=own)
            there = numbers_of(self.cls, at, watched, layers, guard, given)
        without = numbers_of(self.cls, recipe, watched, layers, guard, given)
        added = [there[one] - number for one, number in without.items()
                 if there.get(one, number) != number]  # fmt: skip
        size = abs(self.penalty) + max(map(abs, without.values()))
        return not added or any(abs(one - self.penalty) <= SAME * size for one in added)


def watched_in(source: Source, name: str) -> Watched | None:
    """The methods of a class with lines of a loss; None where there are none."""
    node = copy.deepcopy(source.definitions[name].node)
    assert isinstance(node, ast.ClassDef)
    unguarded = Unguarded()
    lines: list[LossLine] = []
    named: list[str] = []
    minus: set[LossLine] = set()
    for one in node.body:
        if isinstance(one, ast.FunctionDef) and (found := loss_lines(one.body)):
            minus |= {line for line in found if negated(line, [one])}
            Handing(found, len(lines)).visit(one)
            unguarded.visit(one)
            lines += found
            named.append(one.name)
    if not lines:
        return None
    ast.fix_missing_locations(node)
    statements = [replace(one, node=node) if one is source.definitions[name] else one
                  for one in source.statements]  # fmt: skip
    opened = replace(source, statements=tuple(statements), guard=Guard()).load([name])
    made = vars(opened.module).get(name)
    if made is None:
        return None
    methods = {method: vars(made)[method] for method in named}
    watched = Watched(lines, tuple(dict.fromkeys(unguarded.guards)), methods, frozenset(minus))
    setattr(opened.module, HOOK, watched.note)
    return watched


class Handing(ast.NodeTransformer):
    """Puts a call behind each line of a loss, or before it where it gives its value away."""

    def __init__(self, lines: Sequence[LossLine], first: int) -> None:
        self.lines = {line.statement: (first + place, line) for place, line in enumerate(lines)}

    def visit(self, node: ast.AST) -> Any:
        """Return the statement and the call."""
        if node not in self.lines:
            return super().generic_visit(node)
        index, line = self.lines[node]
        (call,) = ast.parse(f"{HOOK}({index}, {line.text})").body
        ast.copy_location(call, node)
        return [node, call] if line.text == line.name else [call, node]


def shown_in(cls: type, best: Trial, watched: Watched, guard: Guard) -> tuple[Recipe, list[Shown]]:
    """The lines that run when a class is called as it was read, or else when it is trained."""
    parameters, x, targets = point(best.sizes, 0)
    given = {**parameters, "x": x, "y": targets}
    for recipe in (best.recipe, *trainings(cls, best.recipe)):
        watched.moved = False
        numbers = functools.partial(numbers_of, cls, recipe, watched, best.sizes.layers, guard)
        try:
            found = numbers(given)
        except UserCodeError:
            continue
        if found:
            values = {index: functools.partial(one_of, numbers, index) for index in found}
            return recipe, [watched.shown(index, value)
                            for index, value in values.items()]  # fmt: skip
    return best.recipe, []


def trainings(cls: type, recipe: Recipe) -> Iterator[Recipe]:
    """The ways to train objects of a class."""
    for name, parameters in methods_of(cls, TRAIN):
        for method in islice(calls_of(name, parameters, recipe.layout), CALLS):
            yield replace(recipe, methods=(method,))


Numbers = Callable[[Mapping[str, Array]], Mapping[int, float]]
"""From what is known at a point to what the lines of a class give, by their place."""


def one_of(numbers: Numbers, index: int, quantities: Mapping[str, Array]) -> float:
    """What one line gives."""
    return numbers(quantities).get(index, np.nan)


def numbers_of(
    cls: type,
    recipe: Recipe,
    watched: Watched,
    layers: int,
    guard: Guard,
    quantities: Mapping[str, Array],
) -> Mapping[int, float]:
    """What the lines give when a class is called: of single samples the mean."""
    parameters = parameters_in(quantities, layers)
    x, y = quantities["x"], quantities["y"]
    rows = [slice(n, n + 1) for n in range(len(x))] if recipe.online else [slice(None)]
    call = functools.partial(called, cls, recipe, watched, parameters)
    found = [guard.run(functools.partial(call, x[one], y[one]), "", None) for one in rows]
    every = [index for index in found[0] if all(index in one for one in found)]  # of no branch
    return {index: float(np.mean([one[index] for one in found])) for index in every}


def called(
    cls: type, recipe: Recipe, watched: Watched, parameters: Arrays, x: Array, targets: Array
) -> dict[int, float]:
    """What the lines give in one call at a rate of 0."""
    with watched.watching(cls):
        thing, slots, values = recipe.prepared(dict(parameters), x, targets, 0.0)
        before = {name: slot.array.copy() for name, slot in slots.items()}
        for method in recipe.methods:
            method.call(thing, values)
        watched.moved |= any((slots[name].array != one).any() for name, one in before.items())
        return dict(watched.seen)
