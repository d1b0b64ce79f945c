"""How the functions of a file hand values to each other, as its own calls show.

    H, P = forward(X, W1, b1, W2, b2)
    grads = backward(X, Y, H, P, W2)

says that the third argument of `backward` is the first value that `forward` returns, whatever it is
called inside. A value is written `forward.0`, or `forward` where it is handed on whole.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from compare.examine.starter.binding import plain
from compare.examine.starter.gradient_functions import keys_of, returned_names
from compare.examine.starter.nodes import nodes_of

Made = Mapping[str, Sequence[str]]
"""Which values a name may hold."""
Code = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Flow:
    """The functions of one file or class by name, and what is handed to their parameters."""

    functions: Mapping[str, Code]
    handed: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)

    def parameters(self, name: str) -> list[ast.arg]:
        """The parameters of a function, without that of the object it belongs to."""
        given = self.functions[name].args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        return every[1:] if every and every[0].arg == "self" else every

    def defaults(self, name: str) -> dict[str, ast.expr]:
        """The parameters that may be left out, and what they are then."""
        given = self.functions[name].args
        places = [*given.posonlyargs, *given.args]
        found = dict(zip([one.arg for one in places[::-1]], given.defaults[::-1], strict=False))
        pairs = zip(given.kwonlyargs, given.kw_defaults, strict=True)
        return found | {one.arg: value for one, value in pairs if value is not None}

    def values(self, name: str) -> list[tuple[str, str]]:
        """The values a function returns, and their names in it: whole and part by part."""
        names, keyed = returned_by(self.functions[name])
        if keyed:
            return [(name, ""), *((f"{name}.{one}", one) for one in names)]
        if len(names) == 1:
            return [(name, names[0])]
        return [(name, ""), *((f"{name}.{place}", one) for place, one in enumerate(names))]

    def calls(self, name: str) -> set[str]:
        """The functions that one calls, over and over."""
        found: set[str] = set()
        queue = [name]
        while queue:
            body = nodes_of(self.functions[queue.pop()])
            fresh = {called for node in body if (called := called_in(node, self.functions))}
            queue += fresh - found
            found |= fresh
        return found


def flow_of(functions: Mapping[str, Code], trees: Sequence[ast.AST]) -> Flow:
    """Read the calls of `functions` off the code that makes them."""
    flow = Flow(functions, defaultdict(list))
    for scope in scopes(trees):
        made: dict[str, list[str]] = defaultdict(list)
        for node in scope:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    for name, value in bound_by(target, node.value, functions):
                        made[name].append(value)
        for node in scope:
            if (called := called_in(node, functions)) and isinstance(node, ast.Call):
                for parameter, argument in arguments_of(node, flow.parameters(called)):
                    found = flow.handed[called, parameter]
                    assert isinstance(found, list)
                    found += [one for one in held_by(argument, made, functions) if one not in found]
    return flow


@lru_cache(maxsize=1024)
def returned_by(node: Code) -> tuple[tuple[str, ...], bool]:
    """The names in what a function returns, and whether they are keys."""
    return returned_names(node), returns_dictionary(node)


def returns_dictionary(node: Code) -> bool:
    """Whether a function returns a dictionary that it writes down there, or gives keys to."""
    return any(isinstance(one, ast.Return) and bool(keys_of(node, one.value))
               for one in nodes_of(node))  # fmt: skip


def scopes(trees: Sequence[ast.AST]) -> Iterator[list[ast.AST]]:
    """The nodes of every function, and those outside of functions."""
    outside: list[ast.AST] = []
    queue = list(trees)
    while queue:
        node = queue.pop()
        if isinstance(node, Code):
            yield list(ast.walk(node))
        else:
            outside.append(node)
            queue += ast.iter_child_nodes(node)
    yield outside


def called_in(node: ast.AST, functions: Mapping[str, Code]) -> str:
    """The name of the function that a call calls, also as a method of its own object."""
    if not isinstance(node, ast.Call):
        return ""
    named = node.func
    if isinstance(named, ast.Name):
        return named.id if named.id in functions else ""
    of_self = isinstance(named, ast.Attribute) and isinstance(named.value, ast.Name)
    if of_self and isinstance(named, ast.Attribute) and named.attr in functions:
        return named.attr
    return ""


def bound_by(
    target: ast.expr, value: ast.expr, functions: Mapping[str, Code]
) -> Iterator[tuple[str, str]]:
    """The names that an assignment gives to what a function returned."""
    called = called_in(value, functions)
    if not called:
        return
    if isinstance(target, ast.Tuple | ast.List):
        for place, one in enumerate(target.elts):
            yield written(one), f"{called}.{place}"
    else:
        yield written(target), called


def held_by(argument: ast.expr, made: Made, functions: Mapping[str, Code]) -> Iterator[str]:
    """The values an argument may hold."""
    if called := called_in(argument, functions):
        yield called
    elif isinstance(argument, ast.Subscript) and (place := place_in(argument)) is not None:
        yield from (f"{one}.{place}" for one in held_by(argument.value, made, functions))
    else:
        yield from made.get(written(argument), ())


def place_in(node: ast.Subscript) -> int | None:
    """The whole number that is asked for, also from the end; None of anything else."""
    try:
        place = ast.literal_eval(node.slice)
    except ValueError:
        return None
    return place if type(place) is int else None


def written(node: ast.expr) -> str:
    """A name or attribute as it is written."""
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def arguments_of(node: ast.Call, parameters: Sequence[ast.arg]) -> Iterator[tuple[str, ast.expr]]:
    """What a call passes for each parameter."""
    names = [one.arg for one in parameters]
    yield from zip(names, node.args, strict=False)
    yield from ((one.arg, one.value) for one in node.keywords if one.arg in names)


def same_name(flow: Flow, name: str, parameter: str) -> list[str]:
    """The values of a function whose name in it is that of a parameter of another one."""
    key = plain(parameter)
    return [value for value, called in flow.values(name) if called and plain(called) == key]
