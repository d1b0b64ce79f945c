"""The updates on one way through the code, seen together: what one of them lacks beside the others.

A part of judging updates (`loop_steps`). Alone, `b2 = b2 - db2` is gradient descent at a rate of 1;
beside `W2 = W2 - rate * dW2` it has lost its learning rate. Where the gradients do not come from
one place nobody is accused: one of them may carry a scale of its own. A gradient that is computed
and moves nothing is no mistake, since a layer may be frozen, but its weight was not compared.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
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


def beside_siblings(found: Sequence[Judged], where: str) -> list[Judged]:
    """Return the updates of one way; a right one that lacks the others' learning rate is wrong."""
    rated = {family(one.gradient): one for one in found if one.update and is_rated(one.update)}
    return [without_rate(one, rated.get(family(one.gradient)), where) for one in found]


def without_rate(one: Judged, other: Judged | None, where: str) -> Judged:
    """Return a right update turned into a wrong one if it lacks the rate that the other one has."""
    if one.verdict is not None or other is None or one.update is None or not is_bare(one.update):
        return one
    lines = (*one.way.before, *one.way.lines)
    made = [line.value for line in lines if line.key == one.gradient and line.value is not None]
    if any(learning(value, lines, (RATE.fullmatch,)) for value in made):
        return one  # its gradient has the rate in it
    sentence = (
        f"{one.gradient} is taken without the learning rate, which the update of"
        f" {other.target.key} has"
    )
    return replace(one, verdict=about_update(one.target, where).wrong("value", sentence))


def is_rated(update: Update) -> bool:
    """Return whether an update reads a learning rate."""
    return bool({"rate", "-rate"} & set(update.scalars.values()))


def is_bare(update: Update) -> bool:
    """Return whether an update reads no number that may be a rate: none, or that of a momentum."""
    numbers = [node for node in written(update) if abs(node) != 1.0]
    return bool(update.gradient) and not numbers and set(update.scalars.values()) <= {"momentum"}


def family(gradient: str) -> str:
    """Return what gradients of one place have in common: `grads` of `grads["dW1"]`, d of `dW1`."""
    root = re.split(r"[.\[]", gradient)[0]
    named = root if root != gradient and root != "self" else word(gradient)
    return re.sub(r"(w|b|weights?|bias(es)?)?\d*$", "", plain(named))


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
