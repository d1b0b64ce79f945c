"""The classes of a file that are layers, with and without weights, and the layers it makes of them.

A layer has a forward pass of one value and a backward pass. One with weights is made of two sizes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from compare.examine.starter.binding import plain
from compare.examine.starter.flow import Code
from compare.examine.starter.slots import RATE, STRENGTH
from compare.examine.starter.source import Source

FORWARD = ("forward", "__call__")
BACKWARD = "backward"
SIZES = 2
Methods = dict[str, Code]


@dataclass(frozen=True)
class Made:
    """A layer as the file makes it: its class and the arguments after its sizes."""

    name: str
    weighted: bool
    further: tuple[str, ...] = ()

    def text(self, *sizes: str) -> str:
        """The call that makes it."""
        return f"{self.name}({', '.join((*sizes, *self.further))})"


@dataclass(frozen=True)
class LayerClasses:
    """Names of layers with weights and without; `moves`: their backward passes take a rate, and
    move the weights at it."""

    weighted: tuple[str, ...]
    plain: tuple[str, ...]
    moves: bool
    holders: tuple[str, ...] = ()
    """Those that only hand a value from one layer to the next."""
    strengths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By the name of a layer with weights the attributes that are named like the strength of a
    penalty, and read in its backward pass."""

    def default(self, name: str) -> Made:
        """A layer made of nothing but its sizes."""
        return Made(name, name in self.weighted)

    def made(self, source: Source) -> Iterator[list[Made]]:
        """The layers that are made in each function, and outside of all, in their order, and used;
        what is made after the last backward pass predicts, and learns nothing."""
        unused = set(kept_unread(source))
        for nodes in scopes(source):
            end = 0 if any(isinstance(one, ast.ClassDef) for one in nodes) else last_backward(nodes)
            calls = [one for one in nodes if isinstance(one, ast.Call)
                     and (not end or one.lineno <= end)]  # fmt: skip
            calls.sort(key=lambda one: (one.lineno, one.col_offset))
            yield [made for one in calls if one not in unused and (made := self.made_by(one))]

    def made_of(self, source: Source) -> dict[str, tuple[Made, ...]]:
        """The layers with weights that a file makes, by their classes."""
        every = [one for order in self.made(source) for one in order if one.weighted]
        return {name: tuple(one for one in every if one.name == name) for name in self.weighted}

    def made_by(self, call: ast.Call) -> Made | None:
        """The layer that a call makes, if it makes one of known sizes."""
        name = ast.unparse(call.func)
        if name in self.plain:
            return Made(name, False, arguments(call, 0))
        given = call.args[:SIZES]
        if name not in self.weighted or len(given) < SIZES:
            return None
        return Made(name, True, arguments(call, SIZES))


def kept_unread(source: Source) -> Iterator[ast.Call]:
    """The calls whose value gets a name that nothing in the file reads."""
    nodes = [node for one in source.statements for node in ast.walk(one.node)]
    read = {ast.unparse(one) for one in nodes if isinstance(one, ast.Name | ast.Attribute)
            and isinstance(one.ctx, ast.Load)}  # fmt: skip
    for one in (node for node in nodes if isinstance(node, ast.Assign)):
        for target in one.targets:
            for name, value in pairs_of(target, one.value):
                if isinstance(value, ast.Call) and ast.unparse(name) not in read:
                    yield value


def pairs_of(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """A target with its value, one by one where several are written."""
    if isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
        yield from zip(target.elts, value.elts, strict=False)
    elif isinstance(target, ast.Name | ast.Attribute):
        yield target, value


def last_backward(nodes: Iterable[ast.AST]) -> int:
    """The line of the last call of a backward pass; 0 without any."""
    return max((one.lineno for one in nodes if isinstance(one, ast.Call)
                and isinstance(one.func, ast.Attribute) and one.func.attr == BACKWARD),
               default=0)  # fmt: skip


def arguments(call: ast.Call, after: int) -> tuple[str, ...]:
    """The arguments of a call after the first ones, as they are written."""
    named = [f"{one.arg}={ast.unparse(one.value)}" for one in call.keywords if one.arg]
    return (*map(ast.unparse, call.args[after:]), *named)


def scopes(source: Source) -> Iterator[list[ast.AST]]:
    """The nodes of each function and class, and those outside of all."""
    outside: list[ast.AST] = []
    for one in source.statements:
        if isinstance(one.node, ast.ClassDef | Code):
            yield list(ast.walk(one.node))
        else:
            outside += ast.walk(one.node)
    yield outside


def classes_of(source: Source) -> LayerClasses:
    """The layers among the classes of a file."""
    weighted, without, rated, holders = [], [], [], []
    for name in classes_in(source):
        methods = methods_of(source, name)
        if not is_layer(methods):
            continue
        if holds_layers(methods):
            holders.append(name)
            continue
        sizes = required(methods.get("__init__"))
        if len(sizes) == SIZES and not set(sizes) & {"activation", "x", "y"}:
            weighted.append(name)
            rated.append(takes_a_rate(methods))
        elif not sizes:
            without.append(name)
            rated.append(takes_a_rate(methods))
    strengths = {name: strengths_read(methods_of(source, name)) for name in weighted}
    moves = bool(rated) and all(rated)
    return LayerClasses(tuple(weighted), tuple(without), moves, tuple(holders), strengths)


def strengths_read(methods: Methods) -> tuple[str, ...]:
    """The attributes that a backward pass reads and that are named like a strength, or that no
    forward pass reads and that are 0 where a layer is made without them."""
    back, ahead = (
        {one.attr for name in names if name in methods for one in ast.walk(methods[name])
         if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Load)}
        for names in ((BACKWARD,), FORWARD)
    )  # fmt: skip
    off = set(off_by_default(methods.get("__init__")))
    return tuple(sorted(
        name for name in back
        if STRENGTH.fullmatch(plain(name))
        or (name in off - ahead and not RATE.fullmatch(plain(name)))
    ))  # fmt: skip


def off_by_default(init: Code | None) -> Iterator[str]:
    """The attributes that a constructor gives an argument of its own that is 0 by default."""
    if init is None:
        return
    given = init.args.args
    pairs = zip(given[::-1], init.args.defaults[::-1], strict=False)
    named = zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True)
    zero = {one.arg for one, value in (*pairs, *named) if isinstance(value, ast.Constant)
            and type(value.value) in (int, float) and value.value == 0}  # fmt: skip
    for node in (part for part in ast.walk(init) if isinstance(part, ast.Assign)):
        for target in node.targets:
            for one, value in pairs_of(target, node.value):
                if isinstance(one, ast.Attribute) and ast.unparse(value) in zero:
                    yield one.attr


def classes_in(source: Source) -> list[str]:
    """The classes of a file that no other extends."""
    nodes = {name: one.node for name, one in source.definitions.items()
             if isinstance(one.node, ast.ClassDef)}  # fmt: skip
    bases = {ast.unparse(base) for node in nodes.values() for base in node.bases}
    return [name for name in nodes if name not in bases]


def methods_of(source: Source, name: str) -> Methods:
    """The methods of a class, also those it has from classes above it in the file."""
    one = source.definitions.get(name)
    if one is None or not isinstance(one.node, ast.ClassDef):
        return {}
    found: Methods = {}
    for base in bases_of(source, name):
        found |= methods_of(source, base)
    return found | {part.name: part for part in one.node.body if isinstance(part, Code)}


def bases_of(source: Source, name: str) -> list[str]:
    """The classes above one in the file."""
    one = source.definitions.get(name)
    if one is None or not isinstance(one.node, ast.ClassDef):
        return []
    bases = [ast.unparse(base) for base in one.node.bases]
    return [*bases, *(above for base in bases for above in bases_of(source, base))]


def is_layer(methods: Methods) -> bool:
    """Whether there are a forward pass of one value and a backward pass of one, or of one and a
    rate."""
    ahead = [required(methods[name]) for name in FORWARD if name in methods]
    if BACKWARD not in methods or not ahead or len(ahead[0]) != 1:
        return False
    back = required(methods[BACKWARD])
    return len(back) == 1 or takes_a_rate(methods)


def holds_layers(methods: Methods) -> bool:
    """Whether a class only hands its value from one layer to the next."""
    ahead = [methods[name] for name in FORWARD if name in methods]
    return any(isinstance(one, ast.For) for method in ahead for one in ast.walk(method))


def takes_a_rate(methods: Methods) -> bool:
    """Whether the backward pass is handed a learning rate behind the gradient."""
    back = required(methods.get(BACKWARD))
    return len(back) == 2 and bool(RATE.fullmatch(plain(back[1])))


def required(method: Code | None) -> Sequence[str]:
    """The parameters of a method that have to be given."""
    if method is None:
        return ()
    static = any(ast.unparse(one) == "staticmethod" for one in method.decorator_list)
    names = [one.arg for one in method.args.args][0 if static else 1 :]
    return names[: len(names) - len(method.args.defaults)]
