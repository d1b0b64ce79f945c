"""Somebody's training without what reaches outside of it: files, windows, processes, the network.

A training that is run on rows of ours must not write its weights over those that its author kept.
A call that reads or writes files is refused; as a statement of its own it is left out. Modules that
do more than compute are not imported.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from compare.examine.starter.source import Source
from compare.examine.starter.statements import Kind

COMPUTE = frozenset(
    "numpy math cmath random time datetime collections itertools functools operator dataclasses"
    " typing abc enum copy types scipy statistics string re warnings __future__ numbers contextlib"
    " argparse".split()
)
"""Modules that a training may have."""
OUTSIDE = re.compile(
    r"(np)?save\w*|savetxt|savefig|tofile|dump|load\w*|from(file|txt)|genfromtxt|memmap|read\w*|to_\w+"
    r"|\w*open|open_\w+|input|exec|eval|compile|__import__|system|popen|remove|unlink|rmdir|rmtree|mkdir"
    r"|makedirs|write\w*|fetch\w*|urlopen|urlretrieve|get_file|download\w*|exit|quit|_exit|kill|show"
    r"|sleep"
)
"""Calls, by the last part of their name, that reach outside."""
REFUSED, DEFAULTS = "_rehearsed_refused", "_rehearsed_defaults"
"""What is called in the place of a call that reaches outside, and of one that reads the command
line."""
PARSED = frozenset({"parse_args", "parse_known_args"})


class Harmless(ast.NodeTransformer):
    """Leaves out calls that reach outside of the statements of a file.

    `own` are the names of its functions and methods, and `gone` those of modules that do more than
    compute.
    """

    def __init__(self, statements: Sequence[ast.stmt]) -> None:
        every = [part for one in statements for part in ast.walk(one)]
        self.own = {one.name for one in every if isinstance(one, ast.FunctionDef)}
        self.imported = {
            (alias.asname or alias.name).partition(".")[0]
            for one in every if isinstance(one, ast.Import | ast.ImportFrom)
            for alias in one.names
        }  # fmt: skip
        self.gone = {
            (alias.asname or alias.name).partition(".")[0]
            for one in every if isinstance(one, ast.Import | ast.ImportFrom)
            for alias in one.names if not computes(module_of(one, alias))
        } - set(dir(builtins)) - defined_in(statements)  # fmt: skip

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        """A call that stands alone is left out."""
        if isinstance(node.value, ast.Call) and self.reaches(node.value):
            return ast.copy_location(ast.Pass(), node)
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Another one raises; arguments of a command line are their defaults."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr in PARSED:
            return called(DEFAULTS, [node.func.value], node)
        return called(REFUSED, [], node) if self.reaches(node) else node

    def visit_With(self, node: ast.With) -> ast.stmt:
        """What is done with an opened file is left out."""
        if any(isinstance(one.context_expr, ast.Call) and self.reaches(one.context_expr)
               for one in node.items):  # fmt: skip
            return ast.copy_location(ast.Pass(), node)
        self.generic_visit(node)
        return node

    def visit_Import(self, node: ast.Import) -> ast.stmt:
        """A module that only computes."""
        node.names = [one for one in node.names if computes(one.name)]
        return node if node.names else ast.copy_location(ast.Pass(), node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        """What is taken from such a module."""
        own = computes(node.module or "")
        node.names = [one for one in node.names if own and not OUTSIDE.fullmatch(one.name)]
        return node if node.names else ast.copy_location(ast.Pass(), node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """`keep = np.save`: something that reaches outside, by another name."""
        self.generic_visit(node)
        outside = isinstance(node.ctx, ast.Load) and OUTSIDE.fullmatch(node.attr)
        if outside and root_of(node) in self.imported:
            return ast.copy_location(ast.Name(REFUSED, ast.Load()), node)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.stmt:
        """What is set in a module stays as it is: `np.float = float`."""
        self.generic_visit(node)
        parts = [one for one in node.targets if isinstance(one, ast.Attribute | ast.Subscript)]
        inside = any(root_of(one) in self.imported for one in parts)
        return ast.copy_location(ast.Pass(), node) if inside else node

    def reaches(self, node: ast.Call) -> bool:
        """Return whether a call reaches outside."""
        called, root = node.func, root_of(node.func)
        if root in self.gone:
            return True
        name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
        theirs = name in self.own and (isinstance(called, ast.Name) or root not in self.imported)
        return not theirs and bool(OUTSIDE.fullmatch(name))


def defined_in(statements: Sequence[ast.stmt]) -> set[str]:
    """Return the names of a file's own functions and classes: one that is imported as well is its
    own, where the module is not there."""
    return {one.name for one in statements if isinstance(one, ast.FunctionDef | ast.ClassDef)}


def root_of(node: ast.expr) -> str:
    """Return the name that something is a part of: `np` of `np.random.rand`."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def module_of(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    """Return the module that a name comes from."""
    return alias.name if isinstance(node, ast.Import) else node.module or alias.name


def without_effects(source: Source) -> Source:
    """Return a file whose definitions reach nothing outside."""
    harmless = Harmless([one.node for one in source.statements])
    return replace(source, statements=tuple(
        replace(one, node=harmless.visit(copy.deepcopy(one.node)))
        if one.kind in (Kind.DEFINITION, Kind.IMPORT) else one for one in source.statements
    ))  # fmt: skip


def in_their_place() -> dict[str, Callable[..., Any]]:
    """Return what is called instead, by name."""
    return {REFUSED: refused, DEFAULTS: defaults}


def computes(module: str) -> bool:
    """Return whether a module only computes."""
    return module.partition(".")[0] in COMPUTE


def called(name: str, given: list[ast.expr], node: ast.expr) -> ast.expr:
    """Return a call at the place of another one."""
    function = ast.copy_location(ast.Name(name, ast.Load()), node)
    return ast.copy_location(ast.Call(function, given, []), node)


def defaults(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return the arguments of a command line on which nothing stands; what has no default is an
    empty text."""
    actions = [one for one in parser._actions if one.dest != "help"]
    values = {one.dest: "" if one.default is None else one.default for one in actions}
    return argparse.Namespace(**values)


def refused(*_: Any, **__: Any) -> None:
    """What is called in place of a call that reaches outside; a program that draws its own data
    where a file is missing goes on."""
    raise OSError("a training that is run on other rows reads and writes nothing")
