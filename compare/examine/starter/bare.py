"""Definitions without what would run while they are defined: decorators, defaults, class bodies.

`def train(data=load_data()):` loads the data when it is defined, not when it is called.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Set

from compare.examine.starter.statements import is_simple
from compare.guard.effects import Notes


class Bare(ast.NodeTransformer):
    """Takes from a definition whatever would run while it is being defined."""

    def __init__(self, notes: Notes, harmless: Set[str]) -> None:
        self.notes = notes
        self.harmless = harmless
        """The functions that a default may call."""

    def is_simple(self, value: ast.expr | None) -> bool:
        """Whether there is a value that does nothing when it is worked out."""
        return value is not None and is_simple(value, self.harmless)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Drop decorators that are calls, and defaults that are no simple constants."""
        kept = [one for one in node.decorator_list if is_simple(one, self.harmless)]
        if len(kept) < len(node.decorator_list):
            self.notes.add(f"a decorator of {node.name} was left out")
        node.decorator_list = kept
        for defaults in (node.args.defaults, node.args.kw_defaults):
            for i, default in enumerate(defaults):
                if default is not None and not is_simple(default, self.harmless):
                    self.notes.add(f"a default of {node.name} was read as None: it is a call")
                    defaults[i] = ast.copy_location(ast.Constant(None), default)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        """Keep methods and simple constants of a class, and the fields of a dataclass."""
        body: list[ast.stmt] = []
        fields = any(map(makes_fields, node.decorator_list))
        for one in node.body:
            value = getattr(one, "value", None)
            if isinstance(one, ast.FunctionDef):
                body.append(self.visit_FunctionDef(one))
            elif isinstance(one, ast.Assign | ast.AnnAssign) and self.is_simple(value):
                body.append(one)
            elif fields and isinstance(one, ast.AnnAssign):
                body.append(untyped(one))
        node.body = body or [ast.Pass()]
        return node


def named_in_defaults(nodes: Iterable[ast.stmt]) -> Iterator[str]:
    """The names that defaults ask for while their functions are defined."""
    for node in (part for one in nodes for part in ast.walk(one)):
        if isinstance(node, ast.FunctionDef):
            for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
                yield from (one.id for one in ast.walk(default) if isinstance(one, ast.Name))


def makes_fields(decorator: ast.expr) -> bool:
    """True for `dataclass`, however it is written."""
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(named).rpartition(".")[2] == "dataclass"


def untyped(field: ast.AnnAssign) -> ast.AnnAssign:
    """A field without a type that has a name: names are looked up in a module that was imported,
    and theirs was not."""
    field.annotation = ast.copy_location(ast.List([], ast.Load()), field.annotation)
    return field


def make_plain(node: ast.FunctionDef) -> bool:
    """Take decorators and defaults off a function; True if it had any."""
    had = bool(node.decorator_list or node.args.defaults or node.args.kw_defaults)
    node.decorator_list = []
    none = ast.copy_location(ast.Constant(None), node)
    node.args.defaults = [none for _ in node.args.defaults]
    node.args.kw_defaults = [default and none for default in node.args.kw_defaults]
    return had
