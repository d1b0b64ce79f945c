"""The updates on one way through the code, seen together: what one of them lacks beside the others.

A part of judging updates (`loop_steps`). Alone, `b2 = b2 - db2` is gradient descent at a rate of 1;
beside `W2 = W2 - rate * dW2` it has lost its learning rate. Where the gradients do not come from
one place nobody is accused: one of them may carry a scale of its own. A gradient that is computed
and moves nothing is no mistake, since a layer may be frozen, but its weight was not compared.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace

from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.slots import RATE
from compare.examine.starter.update_lines import Line, word
from compare.examine.starter.update_reading import Update
from compare.examine.starter.update_running import written
from compare.examine.starter.update_targets import learning
from compare.examine.starter.update_verdicts import Judged, about_update

FEWEST = 2
"""How many weights of a place have to move before one that does not is missed."""
OF_WEIGHT = re.compile(r"d_?((w|b)(\d+|_?[a-z]{0,3}\d*)|(weights?|bias(es)?|theta)_?\d*)", re.I)
"""The name of a gradient of a weight; what follows the d is the weight's."""
NUMBERED = r"(w|b|weights?|bias(es)?)?\d*$"
LETTERED = re.compile(
    "(d|dl|dj|dc|de|del|delta|g|grad|grads|gradient|nabla)(w|b|weights?|bias(?:es)?)[a-z]{1,3}"
)
"""What ends the name of a gradient, and one that ends in letters: of the hidden or output layer."""


def beside_siblings(found: Sequence[Judged], where: str) -> list[Judged]:
    """Return the updates of one way; a right one that lacks the others' learning rate is wrong."""
    rated = {family(named(one)): one for one in found if one.update and is_rated(one.update)}
    weights = {one.target.key for one in found}
    return [without_rate(one, rated.get(family(named(one))), weights, where) for one in found]


def named(one: Judged) -> str:
    """Return the name of an update's gradient, `db_h` of `db_h = np.sum(delta_h, axis=0)`."""
    made = (line.key for line in one.way.lines if is_it(line.value, one.gradient))
    return next(made, one.gradient)


def is_it(value: ast.AST | None, gradient: str) -> bool:
    """Return whether a value is the gradient as it is written."""
    return value is not None and ast.unparse(value) == gradient


def without_rate(one: Judged, other: Judged | None, weights: Set[str], where: str) -> Judged:
    """Return a right update turned into a wrong one if it lacks the rate that the other one has.

    What the `weights` that a gradient goes back through become at that rate is no part of it.
    """
    if one.verdict is not None or other is None or one.update is None or not is_bare(one.update):
        return one
    lines = [line for line in (*one.way.before, *one.way.lines) if line.key not in weights]
    gradient = named(one)
    made = [line.value for line in lines if line.key == gradient and line.value is not None]
    made = made or [ast.parse(gradient, mode="eval").body]
    if any(learning(value, lines, (RATE.fullmatch,)) for value in made):
        return one  # its gradient has the rate in it
    sentence = (
        f"{gradient} is taken without the learning rate, which the update of {other.target.key} has"
    )
    return replace(one, verdict=about_update(one.target, where).wrong("value", sentence))


def is_rated(update: Update) -> bool:
    """Return whether an update reads a learning rate."""
    return bool({"rate", "-rate"} & set(update.scalars.values()))


def is_bare(update: Update) -> bool:
    """Return whether an update reads no number that may be a rate: none, or that of a momentum."""
    numbers = [one for one in numbers_beside(update) if abs(one) != 1.0]
    return bool(update.gradient) and not numbers and set(update.scalars.values()) <= {"momentum"}


def numbers_beside(update: Update) -> list[float]:
    """Return the numbers in the lines that are no part of the gradient, as 0 of `axis=0` is."""
    inside = [
        part
        for line in (*update.before, *update.lines) if line.value is not None
        for value in ast.walk(line.value) if is_it(value, update.gradient)
        for part in ast.walk(value) if isinstance(part, ast.Constant)
    ]  # fmt: skip
    numbers = written(update)
    for part in inside:
        if isinstance(part.value, int | float):
            numbers.remove(float(part.value))
    return numbers


def family(gradient: str) -> str:
    """Return what gradients of one place have in common: `grads` of `grads["dW1"]`, d of `dW1` and
    of `db_h`, whose weight is numbered by a letter."""
    root = re.split(r"[.\[]", gradient)[0]
    word_of_it = plain(root if root != gradient and root != "self" else word(gradient))
    lettered = LETTERED.fullmatch(word_of_it)
    return lettered.group(1) if lettered else re.sub(NUMBERED, "", word_of_it)


def unused(
    statements: Sequence[tuple[str, ast.stmt]], moved: Sequence[str], where: str
) -> Iterator[FunctionVerdict]:
    """Yield the weights whose gradients a place computes and never reads, where others `moved`.

    `statements` are all of its code, each with its file.
    """
    names = [(file, one) for file, each in statements for one in ast.walk(each)
             if isinstance(one, ast.Name)]  # fmt: skip
    read = {one.id for _, one in names if isinstance(one.ctx, ast.Load)}
    for file, one in names:
        whole = OF_WEIGHT.fullmatch(one.id)
        weight = whole.group(1).lstrip("_") if whole else ""
        if one.id in read or weight not in read or weight in moved or len(moved) < FEWEST:
            continue
        read.add(one.id)  # said once
        about = about_update(Line(weight, None, one.lineno, file), where)
        yield about.undecided(
            f"was not compared: {one.id} is computed and moves nothing, beside the updates of"
            f" {', '.join(moved)}"
        )
