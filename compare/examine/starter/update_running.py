"""The lines of an update, run a few times on numbers of our own.

The fourth part of judging updates (`loop_steps`). Gradients are drawn, velocities begin at 0 or as
the code begins them, and the weights before every update are recorded as a training run would.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.examine.starter.update_lines import Line, keys_in, word
from compare.examine.starter.update_reader import Reader
from compare.examine.starter.update_reading import Update
from compare.examine.starter.update_words import COUNT

Array = NDArray[Any]
UPDATES = 4
MANY = 12
"""Where the largest so far is taken: it has to fall, and to rise again."""
SHAPE = (4, 3)
GIVEN = {"rate": 0.37, "momentum": 0.83, "small": 0.003, "count": 1.0}
SECOND_MOMENTUM = 0.71
"""What a second coefficient is, so that two of them cannot be taken for each other."""
NAME = "p1"
"""Neither a weight nor a bias: what is left out of either of them is a choice."""


@dataclass(frozen=True)
class Record:
    """Where training stood before an update."""

    update: int
    parameters: dict[str, Array]
    gradients: dict[str, Array]
    state: dict[str, Array]


def run(update: Update, first: int | None = None, updates: int = UPDATES) -> list[Record]:
    """Run the lines of an update a few times.

    `first` is where a count begins that it reads; None: it stays, and a rate with it.
    """
    generator = np.random.default_rng(0)
    scope: dict[str, Any] = {update.weight: generator.normal(size=SHAPE)}
    scope |= {key: np.zeros(SHAPE) for key in (*update.states, *update.carried)}
    if first is not None:
        kept = [key for key in update.states if COUNT.fullmatch(word(key))]
        scope |= {key: np.full(SHAPE, float(first)) for key in kept}
    scope |= dict(numbers(update))
    scope[update.gradient] = generator.normal(size=SHAPE)
    for line in update.before:
        scope[line.key] = value_of(line, scope, update.known)
    fixed = any(update.gradient in keys_in(one.value) for one in update.before if one.value)
    counted = [key for key, said in update.scalars.items() if said == "count"]
    records = []
    for number in range(updates):
        if first is not None:
            scope |= {key: float(update.counts.get(key, first) + number) for key in counted}
        if not fixed:
            scope[update.gradient] = generator.normal(size=SHAPE)
        before = np.array(scope[update.weight])
        records.append(Record(number, {NAME: before}, {NAME: scope[update.gradient]}, {}))
        for line in update.lines:
            scope[line.key] = value_of(line, scope, update.known)
        scope |= {old: scope[new] for old, new in update.carried.items()}
    return records


def numbers(update: Update) -> Iterator[tuple[str, float]]:
    """Yield what is put in for every number an update reads."""
    momenta = coefficients(update)
    for key, said in update.scalars.items():
        if isinstance(said, float):
            yield key, said
        elif key in momenta:
            yield key, momenta[key]
        else:
            yield key, GIVEN[said.lstrip("-")] * (-1.0 if said.startswith("-") else 1.0)


def coefficients(update: Update) -> dict[str, float]:
    """Return the coefficients of averages; the first by its name is `GIVEN`, others another."""
    keys = sorted(key for key, said in update.scalars.items() if said == "momentum")
    return {key: SECOND_MOMENTUM if i else GIVEN["momentum"] for i, key in enumerate(keys)}


def value_of(line: Line, scope: Mapping[str, Any], known: Set[str]) -> Array:
    """Return what a line assigns."""
    assert line.value is not None
    reader = Reader(known)
    body = reader.visit(ast.parse(ast.unparse(line.value), mode="eval").body)
    code = compile(ast.fix_missing_locations(ast.Expression(body)), "<update>", "eval")
    names = {short: scope[key] for key, short in reader.keys.items()}
    value: Array = np.array(eval(code, {"np": np, "__builtins__": {}}, names))
    return value


def settings_of(update: Update) -> Iterator[tuple[float, float]]:
    """Yield the learning rates and momenta that may be meant: the names', or numbers written."""
    numbers_written = [*written(update), 1.0]
    said = update.scalars.values()
    sizes = [abs(one) for one in numbers_written]
    rates = [one for name, one in signed("rate") if name in said] or sizes
    momenta = list(coefficients(update).values()) or [*numbers_written, 0.0]
    rates, momenta = list(dict.fromkeys(rates)), list(dict.fromkeys(momenta))
    yield from product(rates, momenta if update.states else [0.0])


def signed(name: str) -> tuple[tuple[str, float], tuple[str, float]]:
    """Return a number and, under its name with a minus, the size of one that is negative."""
    return (name, GIVEN[name]), (f"-{name}", GIVEN[name])


def written(update: Update) -> list[float]:
    """Return the numbers that stand in the lines."""
    found = [
        float(node.value)
        for line in (*update.before, *update.lines)
        if line.value is not None
        for node in ast.walk(line.value)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    ]
    return found + [value for value in update.scalars.values() if isinstance(value, float)]
