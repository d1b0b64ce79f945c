"""Methods that update the weights of an object, called after its backward pass: does each move?

`for l in range(1, self.L)` of L layers leaves the last one where it was, and no line of it is
wrong. A weight that stays beside others that move may be meant to, so nobody is accused; but its
update was not compared, and it is named.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.recipe import Recipe, methods_of
from compare.examine.starter.slots import RATE, weight_slots
from compare.examine.starter.update_siblings import FEWEST
from compare.examine.starter.update_words import of_gradient
from compare.guard.blame import Place
from compare.guard.guard import Guard
from compare.textbook import Point

UPDATE = re.compile(r"update\w*|step|(opt|optim)\w*step|apply\w*grad\w*|optimi[sz]e|sgd\w*|adam")
"""A method that moves weights by gradients it has or is handed."""
SMALL = 0.125


def left_by_methods(
    cls: type, recipe: Recipe, point: Point, place: Place | None, guard: Guard
) -> Iterator[FunctionVerdict]:
    """Yield the methods of a class that move some of its weights and not the others."""
    used = {method.name for method in recipe.methods}
    for name, parameters in methods_of(cls, UPDATE):
        if name in used or recipe.online or not is_understood(parameters):
            continue
        run = functools.partial(weights_after, recipe, point, name, parameters)
        try:
            moved, stay = guard.run(run, cls.__name__, None)
        except UserCodeError:
            continue
        if stay and len(moved) >= FEWEST:
            yield FunctionVerdict(
                f"the update of {' and '.join(stay)} in {cls.__name__}.{name}", "step", place,
                Verdict.UNDECIDABLE,
                f"was not compared: called after the backward pass, {name} moves {', '.join(moved)}"
                f" and leaves {' and '.join(stay)} where they were",
            )  # fmt: skip


def is_understood(parameters: Sequence[inspect.Parameter]) -> bool:
    """Whether a method takes rates and gradients alone, beside what it has a default for."""
    words = [plain(one.name) for one in parameters if one.default is one.empty]
    return all(RATE.fullmatch(word) or of_gradient(word) for word in words) and (
        sum(map(of_gradient, words)) <= 1
    )


def weights_after(
    recipe: Recipe, point: Point, name: str, parameters: Sequence[inspect.Parameter]
) -> tuple[list[str], list[str]]:
    """The weights that a method moves after the calls that leave gradients, and those it leaves."""
    given = dict(point.parameters)
    thing, slots, values = recipe.prepared(given, point.x, point.targets, SMALL)
    answers: list[Any] = [method.call(thing, values) for method in recipe.methods]
    before = {key: slot.array.copy() for key, slot in slots.items()}
    needed = [one for one in parameters if one.default is one.empty]
    getattr(thing, name)(*(SMALL if RATE.fullmatch(plain(one.name)) else answers[-1]
                           for one in needed))  # fmt: skip
    after = weight_slots(thing, given)
    still = [key for key, slot in after.items() if np.array_equal(slot.array, before[key])]
    names = {key: ".".join(("self", *slot.way)) for key, slot in slots.items()}
    return [names[key] for key in slots if key not in still], [names[key] for key in still]
