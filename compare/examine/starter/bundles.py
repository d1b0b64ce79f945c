"""Arguments that hold several quantities: `parameters["W1"]`, `weights[0]`, `W1, b1, W2, b2 = net`.

The keys are those that the file asks for; what each stands for is read off its name like that of a
parameter.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product

from compare.contracts.arrays import Array
from compare.examine.starter.binding import LAYERS, bind, plain, possible, weight_called, weights_of
from compare.examine.starter.nodes import by_line, nodes_of
from compare.examine.starter.source import Source

DEPTH = 3
"""Through how many calls a parameter that is only handed on is followed."""
MOST = 8
"""How many dictionaries one parameter may be."""
LISTS = {
    "weights": "w", "weight": "w", "ws": "w", "w": "w",
    "biases": "b", "bias": "b", "bs": "b", "b": "b",
    "params": "wb", "parameters": "wb",
}  # fmt: skip
"""What a list under one of these names holds layer by layer: weights, biases or both."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Quantities by key, or without keys one after another."""

    quantities: tuple[str, ...]
    keys: tuple[str, ...] = ()

    def built(self, laid: Callable[[str], Array]) -> dict[str, Array] | list[Array]:
        """The argument itself."""
        arrays = [laid(quantity) for quantity in self.quantities]
        return dict(zip(self.keys, arrays, strict=True)) if self.keys else arrays

    def __str__(self) -> str:
        if not self.keys:
            return f"[{', '.join(self.quantities)}]"
        pairs = zip(self.keys, self.quantities, strict=True)
        return f"{{{', '.join(f'{key!r}: {quantity}' for key, quantity in pairs)}}}"


def bundles_of(
    source: Source, function: ast.AST, parameter: str, layers: int = LAYERS, depth: int = DEPTH
) -> tuple[Bundle, ...]:
    """The bundles one parameter of a function may be; none if it is used like an array."""
    asked = {*keys_of(function, parameter), *numbered_keys(function, parameter, layers)}
    if asked:
        return dictionaries(asked, set(keys_of(source_tree(source), None)), layers)
    if names := unpacked(function, parameter):
        bound, doubtful = bind(names, layers)
        return () if doubtful else (Bundle(tuple(bound[name] for name in names)),)
    if plain(parameter) in LISTS and taken_apart(function, parameter):
        kinds = LISTS[plain(parameter)]
        return (Bundle(tuple(one for one in weights_of(layers) if one[0] in kinds)),)
    if not depth:
        return ()
    handed_on = (
        bundles_of(source, callee, name, layers, depth - 1)
        for callee, name in receivers(source, function, parameter)
    )
    return next(filter(None, handed_on), ())


def receivers(source: Source, function: ast.AST, parameter: str) -> Iterator[tuple[ast.AST, str]]:
    """The other functions of the file that get a parameter handed on, and what they call it."""
    for node in nodes_of(function):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        callee = source.definitions.get(node.func.id)
        if callee is None or callee.node is function:
            continue
        names = source.signature(node.func.id)
        for place, handed in enumerate(node.args[: len(names)]):
            if is_name(handed, parameter):
                yield callee.node, names[place]


def dictionaries(asked: set[str], all_keys: set[str], layers: int = LAYERS) -> tuple[Bundle, ...]:
    """Dictionaries with the keys asked for, and with those of their kind elsewhere in the file.

    A function may hand its dictionary on to one that asks for more. A key that can be several
    quantities gives a dictionary for each.
    """
    bound, doubtful = bind(sorted(asked | all_keys), layers)
    open_ = sorted(asked & set(doubtful))
    if not all(possible(key, layers) for key in open_):
        return ()
    known = set(weights_of(layers))
    weights = {bound.get(key) for key in asked} <= known
    kept = {
        key: quantity
        for key, quantity in bound.items()
        if key in asked or (quantity in known) == weights
    }
    choices = islice(product(*(possible(key, layers) for key in open_)), MOST)
    filled = [kept | dict(zip(open_, picked, strict=True)) for picked in choices]
    return tuple(Bundle(tuple(one.values()), tuple(one)) for one in filled)


def source_tree(source: Source) -> ast.Module:
    """The whole file as one tree."""
    return tree_of(tuple(one.node for one in source.statements))


@lru_cache(maxsize=64)
def tree_of(nodes: tuple[ast.stmt, ...]) -> ast.Module:
    """Statements as one tree, the same one every time."""
    return ast.Module([*nodes], [])


def keys_of(tree: ast.AST, name: str | None) -> Iterator[str]:
    """The string keys by which a name is subscripted, in the order of the lines; without a name,
    all in use anywhere."""
    for node in by_line(tree):
        if isinstance(node, ast.Dict) and name is None:
            keys = (one.value for one in node.keys if isinstance(one, ast.Constant))
            yield from (key for key in keys if isinstance(key, str))
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            key, holder = node.slice.value, node.value
            if isinstance(key, str) and (name is None or is_name(holder, name)):
                yield key


def numbered_keys(tree: ast.AST, name: str, layers: int) -> Iterator[str]:
    """The keys of weights that are put together from a word and the number of a layer, as in
    `params["W" + str(i)]`, for all layers."""
    for node in nodes_of(tree):
        if isinstance(node, ast.Subscript) and is_name(node.value, name):
            word = word_before(node.slice)
            yield from (key for key in (f"{word}{layer}" for layer in range(1, layers + 1))
                        if word and weight_called(key, layers))  # fmt: skip


def word_before(node: ast.expr) -> str:
    """The word in `"W" + str(i)`, `f"W{i}"`, `"W%d" % i` and `"W{}".format(i)`; else empty."""
    if isinstance(node, ast.JoinedStr) and len(node.values) == 2:
        node = node.values[0]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        node = node.left
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
    else:
        return ""
    text = node.value if isinstance(node, ast.Constant) else ""
    return re.sub(r"%[ds]|\{\d?\}", "", text) if isinstance(text, str) else ""


def unpacked(function: ast.AST, parameter: str) -> tuple[str, ...]:
    """The names in `W1, b1, W2, b2 = parameter`."""
    for node in nodes_of(function):
        if isinstance(node, ast.Assign) and is_name(node.value, parameter):
            (target,) = node.targets[:1]
            if isinstance(target, ast.Tuple | ast.List):
                return tuple(one.id for one in target.elts if isinstance(one, ast.Name))
    return ()


WALKS = ("zip", "len", "enumerate", "reversed")


def taken_apart(function: ast.AST, parameter: str) -> bool:
    """True if a parameter is subscripted with one index, or it or a slice of it is handed to zip,
    len or enumerate; an array is subscripted with several."""
    places = [
        node.slice
        for node in nodes_of(function)
        if isinstance(node, ast.Subscript) and is_name(node.value, parameter)
    ]
    if any(isinstance(one, ast.Tuple) for one in places):
        return False
    walked = (
        is_name(one.value if isinstance(one, ast.Subscript) else one, parameter)
        for node in nodes_of(function)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in WALKS
        for one in node.args
    )
    return any(not isinstance(one, ast.Slice) for one in places) or any(walked)


def is_name(node: ast.AST, name: str) -> bool:
    """True for this name."""
    return isinstance(node, ast.Name) and node.id == name
