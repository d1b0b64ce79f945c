"""Functions that are handed weights and gradients in dictionaries, called: does every weight move?

    update_parameters(parameters, grads, learning_rate)    W1, b1, ..., WL, bL and dW1, db1, ...

The lines of an update say how a weight moves (`update_verdicts`), not which ones do: a loop over
`range(1, L)` leaves the last layer where it was. So the function is called once with weights of our
own, of as many layers as its keys say or of three. A weight that stays beside others that move may
be meant to, so nobody is accused; but it was not compared, and is named.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.slots import RATE
from compare.examine.starter.source import Source
from compare.examine.starter.update_sites import Function
from compare.examine.starter.update_words import STATE, of_gradient
from compare.guard.guard import Guard

LAYERS = (1, 2, 3)
SHAPE = (3, 2)
KEY = re.compile(r"(W|w|b|B)(\d*)")
"""The key of a weight, or what stands before its number in `"W" + str(l)`."""
FEWEST = 2
"""How many weights have to move before one that does not is missed."""


def left_where_they_were(source: Source, names: Iterable[str]) -> Iterator[FunctionVerdict]:
    """Yield the functions that move some of the weights they are handed and not the others."""
    for name in names:
        node = source.definitions[name].node if name in source.definitions else None
        given = arguments(source, node) if isinstance(node, Function) else None
        if node is None or given is None:
            continue
        moved, stay = weights_after(source, name, given)
        if stay and len(moved) >= FEWEST:
            yield FunctionVerdict(
                f"the update of {' and '.join(stay)} in {name}", "step", source.where(name),
                Verdict.UNDECIDABLE,
                f"was not compared: called with gradients of all weights, {name} moves"
                f" {', '.join(moved)} and leaves {' and '.join(stay)} where they were",
            )  # fmt: skip


def weights_after(
    source: Source, name: str, given: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """Return the weights that a call moves and those it leaves; none where it cannot be called."""
    weights = next(one for one in given.values() if isinstance(one, dict) and is_weights(one))
    before = {key: array.copy() for key, array in weights.items()}
    try:
        function = source.load([name]).get(name)
        answer = Guard(timeout=source.guard.timeout).run(lambda: function(**given), name, None)
    except UserCodeError:
        return [], []
    after = next((one for one in dictionaries(answer) if set(one) & set(before)), weights)
    moved = [key for key, old in before.items() if not same(after.get(key), old)]
    return moved, [key for key in before if key not in moved]


def same(new: Any, old: Array) -> bool:
    """Return whether a weight is what it was, or is not there any more."""
    return new is None or np.array_equal(new, old)


def dictionaries(answer: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the dictionaries that a function returns."""
    for one in answer if isinstance(answer, tuple | list) else [answer]:
        if isinstance(one, dict):
            yield one


def is_weights(one: Mapping[str, Any]) -> bool:
    """Return whether a dictionary holds weights, by its keys."""
    return all(map(KEY.fullmatch, one))


def arguments(source: Source, node: Function) -> dict[str, Any] | None:
    """Return what a function is called with; None where a parameter is not understood."""
    needed = len(node.args.args) - len(node.args.defaults)
    held = {one.arg: set(keys_of(node, one.arg)) for one in node.args.args}
    weights = next((name for name, keys in held.items() if any(map(KEY.fullmatch, keys))), None)
    if weights is None or not any(of_gradient(plain(name)) for name in held):
        return None
    generator = np.random.default_rng(0)
    due = weight_keys(source, held[weights])
    given: dict[str, Any] = {}
    for place, one in enumerate(node.args.args):
        name, word = one.arg, plain(one.arg)
        if name == weights:
            given[name] = drawn(generator, due)
        elif of_gradient(word):
            prefix = "" if any(map(KEY.fullmatch, held[name])) else "d"
            given[name] = drawn(generator, [f"{prefix}{key}" for key in due])
        elif RATE.fullmatch(word):
            given[name] = 0.5
        elif STATE.fullmatch(word) and held[name] and place < needed:
            prefix = "" if any(map(KEY.fullmatch, held[name])) else "d"
            given[name] = {f"{prefix}{key}": np.zeros(SHAPE) for key in due}
        elif place < needed:
            given[name] = 2.0 if word == "t" else 0.5
    return given


def drawn(generator: np.random.Generator, keys: Sequence[str]) -> Arrays:
    """Return arrays of one shape under these keys: an update is elementwise."""
    return {key: generator.normal(size=SHAPE) for key in keys}


def weight_keys(source: Source, keys: set[str]) -> list[str]:
    """Return the keys of all weights: those the file writes with their numbers where the function
    does, else of three layers."""
    letters = {found.group(1) for key in keys if (found := KEY.fullmatch(key))}
    indexed = {key for key in keys if key in letters}
    if indexed:
        return [f"{letter}{layer}" for layer in LAYERS for letter in sorted(letters)]
    texts = {one.value for each in source.statements for one in ast.walk(each.node)
             if isinstance(one, ast.Constant) and isinstance(one.value, str)}  # fmt: skip
    last = max((number_of(key) for key in keys), default=0)
    return sorted(key for key in texts | keys if 0 < number_of(key) <= last)


def number_of(key: str) -> int:
    """Return the number of a weight's key; 0 where there is none."""
    found = KEY.fullmatch(key)
    return int(found.group(2) or 0) if found else 0


def keys_of(node: ast.AST, name: str) -> Iterator[str]:
    """Yield the strings in the keys under which a dictionary is read, as far as they are written:
    `W` of `parameters["W" + str(l)]`."""
    for one in ast.walk(node):
        if isinstance(one, ast.Subscript) and ast.unparse(one.value) == name:
            parts = [part for part in ast.walk(one.slice) if isinstance(part, ast.Constant)]
            yield from (part.value for part in parts if isinstance(part.value, str))
