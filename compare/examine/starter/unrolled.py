"""Weights in one vector, or with the biases in a column of ones: theta, as optimisers take it.

    theta = [w1, b1, w2, b2] one after another, or layer by layer the matrix [b | w.T]

The vector is what a general minimiser wants, the column what a course writes for x with a 1 in
front. Gradients come back in the same form and are taken apart again.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from typing import Any, Literal

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.examine.starter.binding import weights_of
from compare.examine.starter.bundles import is_name
from compare.examine.starter.nodes import nodes_of

JOINS = frozenset({"hstack", "column_stack", "concatenate", "c_", "append", "insert", "vstack"})
"""Calls that put a column of ones in front."""
NUMPY = ("np", "numpy")


@dataclass(frozen=True)
class Unrolled:
    """How weights lie in one array: all of them, or those of `only` one layer, as [b | w.T] if
    `with_ones`, as [w.T | b] if the bias is `last`; those `lying` are transposed; read in `order`,
    row by row (C) or column by column (F)."""

    names: tuple[str, ...]
    with_ones: bool = False
    order: Literal["C", "F"] = "C"
    only: bool = False
    last: bool = False
    lying: tuple[str, ...] = ()

    def __call__(self, laid: Callable[[str], Array]) -> Array:
        """The array, of weights as the code keeps them."""
        if self.only:
            return self.parts(laid)[0]
        return np.concatenate([one.ravel(self.order) for one in self.parts(laid)])

    def parts(self, laid: Callable[[str], Array]) -> list[Array]:
        """The arrays one after another."""
        if not self.with_ones:
            return [self.turned(laid(name), name) for name in self.names]
        layers = zip(self.names[::2], self.names[1::2], strict=True)
        joined = ((w, upright(laid(w), laid(b)), laid(b).ravel()) for w, b in layers)
        return [self.turned(np.column_stack([w, b] if self.last else [b, w]), name)
                for name, w, b in joined]  # fmt: skip

    def turned(self, matrix: Array, name: str) -> Array:
        """A matrix as it lies."""
        return np.array(matrix.T if name in self.lying else matrix, order="C")

    def apart(self, array: Array, parameters: Mapping[str, Array], transposed: bool) -> Arrays:
        """The gradients in an array of this form, by the names of their parameters."""
        kept = {name: turned(one, transposed) for name, one in parameters.items()}
        shapes = [one.shape for one in self.parts(kept.__getitem__)]
        ends = np.cumsum([int(np.prod(one)) for one in shapes])
        pieces = [array] if self.only else np.split(array.ravel(), ends[:-1])
        order: Literal["C", "F"] = "C" if self.only else self.order
        found: Arrays = {}
        for place, (shape, piece) in enumerate(zip(shapes, pieces, strict=True)):
            first = self.names[2 * place if self.with_ones else place]
            units = self.turned(piece.reshape(shape, order=order), first)
            if self.with_ones:
                bias = f"d{self.names[2 * place + 1]}"
                found[f"d{first}"] = units[:, :-1] if self.last else units[:, 1:]
                found[bias] = units[:, -1] if self.last else units[:, 0]
            else:
                found[f"d{first}"] = units
        return found

    def fits(self, array: Array, parameters: Mapping[str, Array]) -> bool:
        """Whether an array has this form."""
        parts = self.parts(lambda name: parameters[name])
        if self.only:
            return array.shape == parts[0].shape
        return array.size == sum(one.size for one in parts) == max(array.shape, default=0)


def laid_alike(forms: Iterable[object]) -> bool:
    """Whether the matrices of single layers all keep their biases in the same place."""
    ways = {(one.last, bool(one.lying)) for one in forms if isinstance(one, Unrolled) and one.only}
    return len(ways) <= 1


def upright(w: Array, b: Array) -> Array:
    """A weight with a row for each unit, whichever way it lies."""
    return w if len(w) == b.size else w.T


def turned(array: Array, transposed: bool) -> Array:
    """A weight as the code keeps it."""
    return array.T if transposed and array.ndim == 2 else array


def unrolled_in(
    function: ast.AST, file: ast.AST, parameter: str, layers: int
) -> Iterator[Unrolled]:
    """The forms that a parameter may have, by what the function and its file do."""
    names = weights_of(layers)
    cut, layer = is_cut(function, parameter), layer_of(function, parameter, layers)
    alone = not cut and layer > 0
    ones = (cut or alone) and joins_ones(file)
    if cut:
        order: Literal["C", "F"] = "F" if reads_columns(file) else "C"
        for last, lying in product((False, True), ((), names[::2])) if ones else ():
            yield Unrolled(names, True, order, last=last, lying=lying)
        for each, lying in product((names, (*names[::2], *names[1::2])), some_of(names[::2])):
            yield Unrolled(each, False, order, lying=lying)
    elif ones:
        place = 2 * layer - 2
        yield from matrices(names[place : place + 2])


def layer_of(function: ast.AST, parameter: str, layers: int) -> int:
    """The layer whose matrix a parameter may be: by the number in its name, or by its place among
    those that something is multiplied by, if there is one for each layer; 0 for none."""
    if parameter[-1:].isdigit():
        return int(parameter[-1:]) if int(parameter[-1:]) <= layers else 0
    factors = factors_of(function)
    whole = len(factors) == layers and not any(one[-1:].isdigit() for one in factors)
    return factors.index(parameter) + 1 if whole and parameter in factors else 0


@lru_cache(maxsize=1024)
def factors_of(function: ast.AST) -> tuple[str, ...]:
    """The parameters that something is multiplied by, in their order."""
    given = function.args.args if isinstance(function, ast.FunctionDef) else []
    parts = nodes_of(function)
    return tuple(one.arg for one in given if any(is_factor(node, one.arg) for node in parts))


def is_factor(node: ast.AST, name: str) -> bool:
    """Whether something is multiplied by a matrix of this name, which may be turned."""
    sides: list[ast.expr] = []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        sides = [node.left, node.right]
    elif isinstance(node, ast.Call) and called(node) in ("dot", "matmul"):
        sides = node.args
    return any(is_name(one.value if isinstance(one, ast.Attribute) else one, name) for one in sides)


def some_of(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every choice of some of these names, none of them first."""
    for count in range(len(names) + 1):
        yield from combinations(names, count)


def matrices(names: tuple[str, ...]) -> Iterator[Unrolled]:
    """The forms of a matrix that holds the weight and the bias of one layer."""
    for last, lying in product((False, True), ((), names[:1])):
        yield Unrolled(names, True, only=True, last=last, lying=lying)


def is_cut(function: ast.AST, parameter: str) -> bool:
    """Whether pieces of a parameter are given another shape."""
    parts = nodes_of(function)
    cut = any(is_piece(one, parameter) for one in parts)
    return cut and any(called(one) == "reshape" for one in parts)


def is_piece(node: ast.AST, parameter: str) -> bool:
    """Whether this is `parameter[a:b]` or `np.split(parameter, ...)`."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Slice) and is_name(node.value, parameter)
    given = node.args[:1] if isinstance(node, ast.Call) and called(node) == "split" else []
    return any(is_name(one, parameter) for one in given)


def joins_ones(file: ast.AST) -> bool:
    """Whether a column of ones is put in front of anything; a list has an `append` too."""
    parts = nodes_of(file)
    words = {one.id for one in parts if isinstance(one, ast.Name)} | {
        one.attr for one in parts
        if isinstance(one, ast.Attribute) and ast.unparse(one.value) in NUMPY
    }  # fmt: skip
    return bool({"ones", "ones_like", "insert", "append"} & words and JOINS & words)


def reads_columns(file: ast.AST) -> bool:
    """Whether a shape is filled column by column, as Octave does."""
    given = (one for part in nodes_of(file) if isinstance(part, ast.Call)
             for one in part.keywords)  # fmt: skip
    return any(one.arg == "order" and isinstance(one.value, ast.Constant) and one.value.value == "F"
               for one in given)  # fmt: skip


def called(node: ast.AST) -> str:
    """The last name of what a call calls."""
    named = node.func if isinstance(node, ast.Call) else None
    if isinstance(named, ast.Attribute):
        return named.attr
    return named.id if isinstance(named, ast.Name) else ""


def taken_apart(
    value: Any, forms: Sequence[Unrolled], parameters: Mapping[str, Array], transposed: bool
) -> Any:
    """What a function returned, with the arrays of these forms taken apart."""
    if isinstance(value, np.ndarray):
        form = next((one for one in forms if one.fits(value, parameters)), None)
        return value if form is None else form.apart(value, parameters, transposed)
    if isinstance(value, tuple | list):
        return type(value)(taken_apart(one, forms, parameters, transposed) for one in value)
    if isinstance(value, dict):
        return {key: taken_apart(one, forms, parameters, transposed) for key, one in value.items()}
    return value
