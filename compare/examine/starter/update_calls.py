"""Functions that are handed weights and gradients, called: does every weight move?

    update_parameters(parameters, grads, learning_rate)    W1, b1, ..., WL, bL and dW1, db1, ...
    update(W1, b1, W2, b2, dW1, db1, dW2, db2, rate)       each a parameter of its own

The lines of an update say how a weight moves (`update_verdicts`), not which ones do: a loop over
`range(1, L)` leaves the last layer where it was. So the function is called once with weights of our
own, of as many layers as its keys say or of three. A weight that stays beside others that move may
be meant to, so nobody is accused; but it was not compared, and is named.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.returned import parts_of
from compare.examine.starter.slots import RATE
from compare.examine.starter.source import Source
from compare.examine.starter.update_siblings import FEWEST
from compare.examine.starter.update_sites import Function
from compare.examine.starter.update_words import STATE, of_gradient
from compare.guard.guard import Guard

LAYERS = (1, 2, 3)
SHAPE = (3, 2)
KEY = re.compile(r"(W|w|b|B)(\d*)")
"""The key of a weight, or what stands before its number in `"W" + str(l)`."""


def left_where_they_were(source: Source, names: Iterable[str]) -> Iterator[FunctionVerdict]:
    """Yield the functions that move some of the weights they are handed and not the others."""
    for name in names:
        node = source.definitions[name].node if name in source.definitions else None
        given = handed(source, node) if isinstance(node, Function) else None
        if given is None:
            continue
        moved, stay = weights_after(source, name, given)
        if stay and len(moved) >= FEWEST:
            yield FunctionVerdict(
                f"the update of {' and '.join(stay)} in {name}", "step", source.where(name),
                Verdict.UNDECIDABLE,
                f"was not compared: called with gradients of all weights, {name} moves"
                f" {', '.join(moved)} and leaves {' and '.join(stay)} where they were",
            )  # fmt: skip


def weights_after(source: Source, name: str, given: Handed) -> tuple[list[str], list[str]]:
    """Return the weights that a call moves and those it leaves; none where it cannot be called."""
    before = {key: array.copy() for key, array in given.weights.items()}
    try:
        function = source.load([name]).get(name)
        call = partial(function, **given.arguments)
        answer = Guard(timeout=source.guard.timeout).run(call, name, None)
    except UserCodeError:
        return [], []
    if given.apart:
        stay = [key for key, old in before.items() if stays(given.weights[key], old, answer)]
    else:
        found = (one for one in dictionaries(answer) if set(one) & set(before))
        after = next(found, given.weights)
        stay = [key for key, old in before.items() if same(after.get(key), old)]
    return [key for key in before if key not in stay], stay


def stays(array: Array, old: Array, answer: Any) -> bool:
    """Return whether a weight that is a parameter of its own is neither written to nor returned as
    another one."""
    returned = [one for one in parts_of(answer) if isinstance(one, np.ndarray)]
    handed_back = not returned or any(np.array_equal(one, old) for one in returned)
    return bool(np.array_equal(array, old)) and handed_back


def same(new: Any, old: Array) -> bool:
    """Return whether a weight is what it was, or is not there any more."""
    return new is None or np.array_equal(new, old)


def dictionaries(answer: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the dictionaries that a function returns."""
    for one in answer if isinstance(answer, tuple | list) else [answer]:
        if isinstance(one, dict):
            yield one


@dataclass(frozen=True)
class Handed:
    """What a function is called with, and the weights in it; `apart`: each is a parameter."""

    arguments: dict[str, Any]
    weights: Arrays
    apart: bool = False


def handed(source: Source, node: Function) -> Handed | None:
    """Return what a function is called with; None where it takes no weights and gradients."""
    held = {one.arg: set(keys_of(node, one.arg)) for one in node.args.args}
    weights = next((name for name, keys in held.items() if any(map(KEY.fullmatch, keys))), None)
    if weights is not None and any(of_gradient(plain(name)) for name in held):
        due = weight_keys(source, held[weights])
        kept = {name: container(name, held[name], due) for name in held if held[name]}
        return Handed({**kept, **numbers(node, kept)}, kept[weights])
    apart = [name for name in held if number_of(name)]
    gradients = [name for name in held if of_gradient(plain(name))]
    if len(apart) <= FEWEST or len(apart) != len(gradients):
        return None
    given = drawn([*apart, *gradients])
    weights_apart = {name: given[name] for name in apart}
    return Handed({**given, **numbers(node, given)}, weights_apart, apart=True)


def container(name: str, keys: set[str], due: Sequence[str]) -> Arrays:
    """Return weights, gradients or velocities under the keys that a function asks for."""
    prefix = "" if any(map(KEY.fullmatch, keys)) else "d"
    found = drawn([f"{prefix}{key}" for key in due])
    kept = STATE.fullmatch(plain(name)) and not of_gradient(plain(name))
    return {key: np.zeros(SHAPE) for key in found} if kept else found


def numbers(node: Function, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return numbers for the rates among the parameters, and for what else has no default."""
    needed = len(node.args.args) - len(node.args.defaults)
    rates = [one.arg for place, one in enumerate(node.args.args)
             if place < needed or RATE.fullmatch(plain(one.arg))]  # fmt: skip
    return {name: 2.0 if plain(name) == "t" else 0.5 for name in rates if name not in given}


def drawn(keys: Sequence[str]) -> Arrays:
    """Return arrays of one shape under these keys, no two the same: an update is elementwise."""
    seeds = (int.from_bytes(key.encode(), "little") for key in keys)
    generators = map(np.random.default_rng, seeds)
    return {key: one.normal(size=SHAPE) for key, one in zip(keys, generators, strict=True)}


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
