"""Whether a file adds the penalty of its layers to its loss, or takes it off.

    reg = penalty(dense1) + penalty(dense2)
    loss = data_loss + reg

The values of a function are followed through names, sums and what functions return, by their sign
alone. Where they meet what is no penalty, they are joined.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from compare.examine.starter.flow import Code
from compare.examine.starter.source import Source
from compare.guard.blame import Place

PLUS, MINUS, UNKNOWN, NONE = "+", "-", "?", ""
SUMS = {"sum", "float", "item"}
PASSES = 4
"""Through so many names and functions a value is followed."""


@dataclass(frozen=True)
class Join:
    """A line in which a penalty meets what is none, and its sign there."""

    sign: str
    place: Place


def joins_of(source: Source, function: str) -> list[Join] | None:
    """Where the values of a function meet others; None where nothing calls it."""
    follower = Follower(function)
    nodes = [(one.file, node) for one in source.statements for node in outside(one.node, function)]
    if not any(follower.gives(node) for _, node in nodes):
        return None
    for _ in range(PASSES):
        for _, node in nodes:
            follower.learn(node)
    return [Join(sign, Place(file, getattr(node, "lineno", 0))) for file, node in nodes
            for sign in follower.joined(node)]  # fmt: skip


def outside(node: ast.AST, function: str) -> Iterator[ast.AST]:
    """The nodes of a statement, but for those of the function itself."""
    if isinstance(node, Code) and node.name == function:
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from outside(child, function)


def called(call: ast.Call) -> str:
    """The last part of the name of what is called."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


@dataclass
class Follower:
    """Knows the signs with which names, and functions, have a penalty."""

    function: str
    names: dict[str, str] = field(default_factory=dict)
    returned: dict[str, list[str]] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    """The names that hold something else as well: what is added to them is joined."""

    def gives(self, node: ast.AST) -> bool:
        """Whether a node calls the function."""
        return isinstance(node, ast.Call) and called(node) == self.function

    def learn(self, node: ast.AST) -> None:
        """Follow a value into a name, or out of a function."""
        if isinstance(node, ast.Assign):
            for target in node.targets:
                self.assign(target, node.value)
        elif isinstance(node, ast.AugAssign):
            self.add(ast.unparse(node.target), node)
        elif isinstance(node, Code):
            for one in ast.walk(node):
                if isinstance(one, ast.Return) and one.value is not None:
                    parts = one.value.elts if isinstance(one.value, ast.Tuple) else [one.value]
                    signs = [self.sign(part) for part in parts]
                    if any(signs):
                        self.returned[node.name] = signs

    def add(self, target: str, node: ast.AugAssign) -> None:
        """Follow a value that is added to a name, which may hold something else already."""
        sign = self.sign(node.value)
        if not sign:
            self.others.add(target)
        elif target not in self.others:
            self.names[target] = sign if isinstance(node.op, ast.Add) else UNKNOWN

    def assign(self, target: ast.expr, value: ast.expr) -> None:
        """Follow a value into what it is assigned to, one by one where it is taken apart."""
        if isinstance(target, ast.Tuple | ast.List):
            signs = self.returned.get(called(value)) if isinstance(value, ast.Call) else None
            signs = (
                [self.sign(one) for one in value.elts] if isinstance(value, ast.Tuple) else signs
            )
            for one, sign in zip(target.elts, signs or [], strict=False):
                self.names |= {ast.unparse(one): sign} if sign else {}
        elif sign := self.sign(value):
            self.names[ast.unparse(target)] = sign
        elif not isinstance(value, ast.Constant):
            self.others.add(ast.unparse(target))

    def sign(self, node: ast.expr) -> str:
        """The sign with which a value is a penalty, and nothing else; empty where it is none."""
        if isinstance(node, ast.Name | ast.Attribute):
            name = ast.unparse(node)
            return NONE if name in self.others else self.names.get(name, NONE)
        if self.gives(node):
            return PLUS
        if isinstance(node, ast.Call):
            if signs := self.returned.get(called(node)):
                return signs[0] if len(signs) == 1 else NONE
            inner = {self.sign(one) for one in node.args} - {NONE}
            known = inner == {PLUS} and called(node) in SUMS
            return PLUS if known else UNKNOWN if inner else NONE
        if isinstance(node, ast.GeneratorExp | ast.ListComp):
            return self.sign(node.elt)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            both = [one for one in (node.left, node.right) if not isinstance(one, ast.Constant)]
            signs_of = {self.sign(one) for one in both}
            return NONE if NONE in signs_of else signs_of.pop() if len(signs_of) == 1 else UNKNOWN
        if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Sub):
            return UNKNOWN if self.sign(node.left) or self.sign(node.right) else NONE
        if isinstance(node, ast.UnaryOp) and self.sign(node.operand) == PLUS:
            return MINUS if isinstance(node.op, ast.USub) else UNKNOWN
        return NONE

    def joined(self, node: ast.AST) -> Iterator[str]:
        """The sign with which a penalty meets something else in a node."""
        if isinstance(node, ast.AugAssign) and ast.unparse(node.target) in self.others:
            yield from self.met(node.op, self.sign(node.value))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            left, right = self.sign(node.left), self.sign(node.right)
            if right and not left and not isinstance(node.left, ast.Constant):
                yield from self.met(node.op, right)
            elif left and not right and not isinstance(node.right, ast.Constant):
                yield from self.met(ast.Add(), left)

    def met(self, operator: ast.operator, sign: str) -> Iterator[str]:
        """The sign with which a value is joined by an operator."""
        if sign and isinstance(operator, ast.Add | ast.Sub):
            turned = {PLUS: MINUS, MINUS: PLUS}.get(sign, sign)
            yield turned if isinstance(operator, ast.Sub) else sign
