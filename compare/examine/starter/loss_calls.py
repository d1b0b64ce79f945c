"""In which order a file itself hands a loss the output of its network and the targets.

    out = net.forward(x)
    gradient = mse_prime(y, out)

The names of the parameters may be silent; then the call alone says whether a sign is right.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from compare.examine.starter.binding import plain
from compare.examine.starter.flow import Code
from compare.examine.starter.recipe import FORWARD, LOSS
from compare.examine.starter.roles import argument_named
from compare.examine.starter.source import Source
from compare.examine.starter.statements import last_name

Order = tuple[str, str]
OUT, TARGETS = "out", "y"
SLOPE = re.compile(r"prime|deriv|grad|slope|back|delta|^d_?loss", re.IGNORECASE)
NAMES = {"target": TARGETS, "scores": OUT}


@dataclass(frozen=True)
class Called:
    """The order of the calls, None where it cannot be read; whether there are any; and whether both
    arguments of each say what they are."""

    order: Order | None = None
    any: bool = False
    clear: bool = False


def calls_of_function(source: Source, name: str) -> Called:
    """The calls of a function of the file; where it is handed over, also those of what the file
    does not define and calls a loss, or the slope of a loss, as this is."""
    slope = bool(SLOPE.search(name))
    handed = name in handed_over(source)

    def is_call(node: ast.Call) -> bool:
        called = word(node.func)
        if called == name:
            return True
        alike = bool(SLOPE.search(called)) == slope and bool(LOSS.fullmatch(plain(called)))
        return handed and alike and called not in source.definitions

    return read(source, is_call)


def handed_over(source: Source) -> set[str]:
    """The names that are passed to a call or assigned to an attribute."""
    nodes = [part for one in source.statements for part in ast.walk(one.node)]
    passed = [one for node in nodes if isinstance(node, ast.Call)
              for one in (*node.args, *(each.value for each in node.keywords))]  # fmt: skip
    passed += [node.value for node in nodes if isinstance(node, ast.Assign)]
    return {one.id for one in passed if isinstance(one, ast.Name)}


def calls_of_method(source: Source, cls: str, method: str) -> Called:
    """The calls of a method of the objects of a class that is a loss: `loss.forward(out, y)`, or
    `loss(out, y)`."""
    objects = {*objects_of(source, cls)}

    def is_call(node: ast.Call) -> bool:
        owner = node.func
        if method != "__call__":
            if not (isinstance(owner, ast.Attribute) and owner.attr == method):
                return False
            owner = owner.value
        if isinstance(owner, ast.Call):
            return last_name(owner) == cls
        named = word(owner)
        return named in objects or bool(LOSS.fullmatch(plain(named)))

    return read(source, is_call)


def objects_of(source: Source, cls: str) -> Iterator[str]:
    """The names of variables and attributes that an object of a class is assigned to."""
    for node in (part for one in source.statements for part in ast.walk(one.node)):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            if last_name(node.value) == cls:
                yield from map(word, node.targets)


def read(source: Source, is_call: Callable[[ast.Call], bool]) -> Called:
    """The order of the calls with two arguments, where all that can be read have the same."""
    orders: list[Order | None] = []
    clear: list[bool] = []
    for scope in scopes(source):
        computed = set(outputs(scope))
        for node in scope:
            if isinstance(node, ast.Call) and len(node.args) == 2 and is_call(node):
                first, second = (stands_for(one, computed) for one in node.args)
                orders.append(order_of(first, second))
                clear.append(bool(first and second))
    same = len(set(orders)) == 1
    return Called(orders[0] if same else None, bool(orders), same and all(clear))


def order_of(first: str, second: str) -> Order | None:
    """The order of two arguments of which one at least says what it is."""
    if first == second:
        return None
    return (OUT, TARGETS) if OUT == first or TARGETS == second else (TARGETS, OUT)


def scopes(source: Source) -> Iterator[list[ast.AST]]:
    """The parts of each function, without those of functions in it; and those of no function."""
    outside: list[ast.AST] = []
    queue: list[tuple[ast.AST, list[ast.AST]]] = [(one.node, outside) for one in source.statements]
    found: list[list[ast.AST]] = [outside]
    while queue:
        node, scope = queue.pop()
        if isinstance(node, Code):
            scope = []
            found.append(scope)
        scope.append(node)
        queue += [(child, scope) for child in ast.iter_child_nodes(node)]
    yield from found


def outputs(scope: list[ast.AST]) -> Iterator[str]:
    """The names that what a forward pass or a layer of a loop returned is assigned to."""
    layers = {word(node.target) for node in scope if isinstance(node, ast.For)}
    for node in scope:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            called = last_name(node.value) or ""
            if FORWARD.fullmatch(plain(called)) or called in layers:
                yield from map(word, node.targets)


def stands_for(node: ast.expr, computed: set[str]) -> str:
    """What an argument is, by the forward pass that it comes from or else by its name."""
    if isinstance(node, ast.Call):
        called = last_name(node) or ""
        if FORWARD.fullmatch(plain(called)):
            return OUT
        if not isinstance(node.func, ast.Attribute):
            return ""
        return stands_for(node.func.value, computed)  # y.reshape(-1, 1)
    named = word(node)
    return OUT if named in computed else NAMES.get(argument_named(named), "")


def word(node: ast.AST) -> str:
    """The last name of a variable, an attribute or a part of them."""
    while isinstance(node, ast.Subscript) or (isinstance(node, ast.Attribute) and node.attr == "T"):
        node = node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
