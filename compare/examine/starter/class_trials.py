"""The ways to build a class and call its methods, tried until one gives the gradients of a network.

Of as many layers as the names in it say, else of two, or of more where its numbers depend on arrays
that two layers leave as they were.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from traceback import walk_tb

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.examine.starter.binding import LAYERS, MOST_LAYERS, layers_shown, plain
from compare.examine.starter.construct import builders
from compare.examine.starter.expected import Expected, expected
from compare.examine.starter.one_function import Declared
from compare.examine.starter.readings import UNEQUAL, Sizes
from compare.examine.starter.recipe import (
    STEP,
    TRAIN,
    DoesNotFit,
    NoBiases,
    Recipe,
    recipes,
)
from compare.examine.starter.recipe_steps import moves_after_every_sample
from compare.examine.starter.source import Source
from compare.examine.starter.unset import left_unset
from compare.examine.starter.zeroing import are_all_zero
from compare.guard.blame import home_of
from compare.guard.guard import Guard

TRIALS = 400
"""How many ways to call a class are tried."""
NOTHING_LEFT = -1
"""Right less than a gradient that is wrong: a method handed nothing that leaves 0 everywhere."""


@dataclass(frozen=True)
class Trial:
    """One way to call a class, and how many of its gradients are torch's."""

    recipe: Recipe
    right: int
    shows_loss: bool
    sizes: Sizes = UNEQUAL
    lacking: str = ""
    """What was not compared though it agrees."""

    @property
    def whole(self) -> bool:
        """Whether all of them are."""
        return self.right == self.sizes.parameters


def trial_of(cls: type, source: Source, name: str, declared: Declared) -> Trial | str:
    """The way to call a class as a network of as many layers as the names in it say, else of two,
    and of more where its numbers depend on arrays that those of two leave as they were."""
    named = layers_shown(ast.unparse(source.definitions[name].node))
    tried: list[Trial | str] = []
    for layers in dict.fromkeys((named, LAYERS, *range(LAYERS + 1, MOST_LAYERS + 1))):
        found = best_trial(cls, source.guard, declared, UNEQUAL.of_layers(layers))
        if not isinstance(found, str) and (found.whole or not unset(found, source, declared)):
            loops = found.whole and goes_over_layers(source.definitions[name].node)
            return deeper(found, source, declared) if loops else found
        tried.append(found)
        if isinstance(found, str) and layers == LAYERS:
            break
    return next((one for one in tried if not isinstance(one, str)), tried[-1])


def goes_over_layers(node: ast.AST) -> bool:
    """Whether a method of a class, but for its constructor and its training, has a loop."""
    methods = [one for one in ast.walk(node) if isinstance(one, ast.FunctionDef)
               and one.name != "__init__" and not TRAIN.fullmatch(plain(one.name))]  # fmt: skip
    return any(isinstance(part, ast.For) for one in methods for part in ast.walk(one))


def deeper(found: Trial, source: Source, declared: Declared) -> Trial:
    """The same of one layer more where an object can be made so and is not right there: a loop over
    layers may take the same one every time."""
    sizes = found.sizes.of_layers(found.sizes.layers + 1)
    if sizes.layers > MOST_LAYERS:
        return found
    due = expected(sizes, declared.network.reduction, declared.seed)
    point, quiet = due.point, Guard(timeout=source.guard.timeout)
    run = functools.partial(found.recipe.outcome, dict(point.parameters), point.x, point.targets)
    made = functools.partial(
        found.recipe.prepared, dict(point.parameters), point.x, point.targets, STEP
    )
    try:
        quiet.run(made, "", None)
    except UserCodeError:
        return found
    try:
        loss, gradients = quiet.run(run, "", None)
    except UserCodeError as error:
        return replace(found, lacking=f"right with one hidden layer, but with two, {error}")
    more = replace(found, right=agreeing(gradients, due), sizes=sizes)
    summed = expected(sizes, "sum", declared.seed)
    right = more.whole or agreeing(gradients, summed) == sizes.parameters
    return found if right or (loss is None) == found.shows_loss else more


def unset(best: Trial, source: Source, declared: Declared) -> list[str]:
    """The arrays on which the numbers of a class depend and that were not set."""
    due = expected(best.sizes, declared.network.reduction, declared.seed)
    return left_unset(best.recipe, due.point, Guard(timeout=source.guard.timeout))


def best_trial(cls: type, guard: Guard, declared: Declared, sizes: Sizes) -> Trial | str:
    """The way to call a class that gives most of torch's gradients, or why there is none."""
    reduction = declared.network.reduction
    due = expected(sizes, reduction, declared.seed)
    other = expected(sizes, "sum" if reduction == "mean" else "mean", declared.seed)
    best: Trial | None = None
    quiet = Guard(timeout=guard.timeout)
    reason, furthest, bare = "", (0, ""), False
    for recipe in itertools.chain(ways(cls), as_built(cls, due, quiet)):
        point = due.point
        run = functools.partial(recipe.outcome, dict(point.parameters), point.x, point.targets)
        try:
            loss, gradients = quiet.run(run, cls.__name__, None)
        except UserCodeError as error:
            if isinstance(error.__cause__, DoesNotFit):
                reason = str(error.__cause__)
                bare |= isinstance(error.__cause__, NoBiases)
            else:
                furthest = max(furthest, reached(error, cls))
            continue
        right = max(agreeing(gradients, due), agreeing(gradients, other))
        if not recipe.methods[-1].passed and are_all_zero(gradients):
            right = NOTHING_LEFT
        better = best is None or (right, loss is not None) > (best.right, best.shows_loss)
        if better:
            best = Trial(recipe, right, loss is not None, sizes)
        if right == len(gradients) and loss is not None and np.isfinite(loss):
            break
    if best is None and bare:
        return best_trial(cls, guard, declared, replace(sizes, biases=False))
    if best is None:
        return (reason or "no method gives gradients of all its weights") + furthest[1]
    return online(best, cls, quiet, due)


def reached(error: UserCodeError, cls: type) -> tuple[int, str]:
    """The line of a method that a call ended at, and a clause that says how.

    Of all the ways to call a class the one that ends furthest down is most likely the one meant.
    """
    homes = {home.file for one in vars(cls).values() if callable(one) and (home := home_of(one))}
    cause = error.__cause__
    steps = walk_tb(cause.__traceback__ if cause else None)
    inside = [(frame, line) for frame, line in steps if frame.f_code.co_filename in homes]
    if not inside or any(frame.f_code.co_name == "__init__" for frame, _ in inside):
        return 0, ""
    return inside[-1][1], f": {error}"


def online(found: Trial, cls: type, guard: Guard, due: Expected) -> Trial:
    """The trial of single samples, where a training moves the weights after each of them.

    A batch then gives no gradient, right as the code may be.
    """
    trains = TRAIN.fullmatch(plain(found.recipe.methods[-1].name))
    if found.right == len(due.point.parameters) or not trains:
        return found
    recipe = replace(found.recipe, online=True)
    point = due.point
    try:
        if not guard.run(lambda: moves_after_every_sample(found.recipe, point), cls.__name__, None):
            return found
        loss, gradients = guard.run(
            lambda: recipe.outcome(dict(point.parameters), point.x, point.targets),
            cls.__name__, None,
        )  # fmt: skip
    except UserCodeError:
        return found
    return Trial(recipe, agreeing(gradients, due), loss is not None, found.sizes)


def ways(cls: type) -> Iterator[Recipe]:
    """The first `TRIALS` ways to build a class and call its methods."""
    left = TRIALS
    for build in builders(cls):
        for recipe in recipes(cls, build):
            if not left:
                return
            left -= 1
            yield recipe


def as_built(cls: type, due: Expected, guard: Guard) -> Iterator[Recipe]:
    """The same ways with the strengths that an object was built with, if it has any but 0."""
    has: dict[object, bool] = {}
    for recipe in ways(cls):
        if recipe.build not in has:
            own = functools.partial(recipe.strengths, due.point)
            has[recipe.build] = False
            with contextlib.suppress(UserCodeError):
                has[recipe.build] = any(guard.run(own, "", None).values())
        if has[recipe.build]:
            yield replace(recipe, strength=None)


def agreeing(gradients: dict[str, Array], due: Expected) -> int:
    """How many gradients are torch's."""
    return sum(due.compare(f"d{name}", array).agrees for name, array in gradients.items())
