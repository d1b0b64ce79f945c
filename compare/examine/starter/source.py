"""Open a student's file without running it: its functions, and nothing that trains or plots.

The file is cut into blocks (`blocks`), each block parsed alone and sorted (`statements`). Asked
for some functions, this executes their definitions and the definitions, imports and simple
constants these need, in the order of the file. All else is left out, and said.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from compare.contracts.errors import UserCodeError
from compare.examine.starter.absent import Absent
from compare.examine.starter.aliases import Modern
from compare.examine.starter.bare import Bare, make_plain
from compare.examine.starter.blocks import Block, blocks_of, pieces_of
from compare.examine.starter.cells import read_cells
from compare.examine.starter.statements import (
    HARMLESS,
    Broken,
    Definition,
    Kind,
    Statement,
    harmless_in,
    imports_in,
    last_name,
    simple_by_alias,
    statements_of,
)
from compare.examine.starter.widened import SAID, Widened, narrow_throughout
from compare.guard.blame import Place, first_line
from compare.guard.effects import Notes
from compare.guard.guard import Guard

Beside = dict[Path, types.ModuleType]
MAKES_FUNCTIONS = {"partial", "vectorize", "frompyfunc"}
OLD_BUILTINS = {"xrange": range, "unicode": str, "long": int}
"""Names Python 2 had, under which its files still find what they mean."""


def open_source(
    path: str | Path, *, guard: Guard | None = None, beside: Beside | None = None
) -> Source:
    """Read a .py or .ipynb file; raises `BadInput` if it holds no source. Executes nothing.

    `beside` holds the files next to it that were opened on its behalf.
    """
    guard = guard or Guard()
    statements: list[Statement] = []
    broken: list[Broken] = []
    for cell in read_cells(Path(path), guard.notes):
        for block in blocks_of(cell):
            for found in readable(block, guard.notes):
                if isinstance(found, Broken):
                    broken.append(found)
                else:
                    statements += found
    harmless = harmless_in(statements)
    known = tuple(simple_by_alias(one, harmless) for one in statements)
    return Source(Path(path), known, tuple(broken), guard, beside or {}, harmless)


def readable(block: Block, notes: Notes) -> Iterator[list[Statement] | Broken]:
    """Yield the statements of a block; of a broken one those that only stand in its brackets."""
    found = statements_of(block, notes)
    parts = pieces_of(block) if isinstance(found, Broken) else []
    if len(parts) < 2:
        yield found
        return
    yield from (statements_of(part, notes) for part in parts)


@dataclass(frozen=True)
class Source:
    """A file taken apart: its statements in order, and the blocks Python cannot read."""

    path: Path
    statements: tuple[Statement, ...]
    broken: tuple[Broken, ...]
    guard: Guard
    beside: Beside
    harmless: frozenset[str] = HARMLESS
    """The functions that a constant or a default may call."""
    compiled: dict[int, tuple[ast.stmt, types.CodeType]] = field(
        default_factory=dict, compare=False, repr=False
    )
    """What statements were compiled to, by their nodes: a file is executed over and over."""

    @property
    def definitions(self) -> dict[str, Statement]:
        """Functions and classes by name, also a lambda with a name; the last of a name counts."""
        return {name: one for one in self.statements if is_definition(one) for name in one.binds}

    @property
    def text(self) -> str:
        """Everything that Python can read, without its comments."""
        return "\n".join(ast.unparse(one.node) for one in self.statements)

    @property
    def left_out(self) -> tuple[Statement, ...]:
        """What never runs: training, plotting, loading, everything that is not a definition."""
        return tuple(one for one in self.statements if one.kind is Kind.LEFT_OUT)

    def load(self, names: Iterable[str]) -> Opened:
        """Execute the definitions of `names` and what they need; raises nothing of theirs."""
        wanted = self.closure(names)
        module = types.ModuleType(self.path.stem)
        vars(module).update(OLD_BUILTINS)
        loader = Loader(self, Opened(module))
        for one in self.statements:
            if one.kind is Kind.IMPORT or one.binds & wanted:
                loader.execute(one, wanted)
        return loader.opened

    def closure(self, names: Iterable[str]) -> set[str]:
        """Return the names and, over and over, those their statements mention."""
        wanted: set[str] = set()
        queue = list(names)
        while queue:
            name = queue.pop()
            if name not in wanted:
                wanted.add(name)
                queue += [
                    need for one in self.statements if name in one.binds for need in one.needs
                ]
        return wanted

    def unknown(self, wanted: set[str]) -> set[str]:
        """Return the names that nothing in the file binds and Python does not know."""
        bound = {name for one in self.statements for name in one.binds}
        return wanted - bound - vars(builtins).keys()

    def where(self, name: str) -> Place | None:
        """Return where a name is defined, or where its broken definition begins."""
        if name in self.definitions:
            return Place(self.definitions[name].file, self.definitions[name].line)
        return next((Place(one.file, one.line) for one in self.broken if one.name == name), None)

    def signature(self, name: str) -> list[str]:
        """Return the names of the parameters a function is defined with."""
        node = self.definitions[name].node
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            return [one.arg for one in node.value.args.args]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
        return []


@dataclass(frozen=True)
class Opened:
    """A module made of a few statements of a file, and why others could not be executed."""

    module: types.ModuleType
    failed: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> Callable[..., Any]:
        """Return a function; raises `UserCodeError` with the reason why there is none."""
        function = vars(self.module).get(name)
        if not callable(function):
            raise UserCodeError(self.failed.get(name, f"{name} is no function"))
        return self.explaining(function) if self.failed else function

    def explaining(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function; where it misses a name that was left out here, it says why."""

        @functools.wraps(function)
        def called(*arguments: Any, **keywords: Any) -> Any:
            try:
                return function(*arguments, **keywords)
            except NameError as error:
                if why := self.failed.get(error.name or ""):
                    raise NameError(why).with_traceback(error.__traceback__) from error
                raise

        return called


class Loader:
    """Executes statements one by one; one that fails is said and stops no other."""

    def __init__(self, source: Source, opened: Opened) -> None:
        self.source = source
        self.opened = opened
        self.guard = source.guard
        self.numpy_names = {"np", "numpy"}

    def execute(self, one: Statement, wanted: set[str]) -> None:
        """Execute one statement, or part of it."""
        if one.kind is Kind.IMPORT:
            for node in imports_in(one.node):
                self.bind_import(node, wanted)
        elif one.kind is Kind.LEFT_OUT:
            place = Place(one.file, one.line)
            for name in one.binds & wanted - vars(self.opened.module).keys():
                self.opened.failed[name] = f"{name} is set at {place.quoted()}, which was left out"
        else:
            self.define(one)

    def define(self, one: Statement) -> None:
        """Execute a definition or a constant; a function if need be without its defaults."""
        held = self.source.compiled.get(id(one.node))
        if held and self.execute_code(held[1], one) is None:
            return
        casts = {name for name, value in vars(self.opened.module).items()
                 if value is np.float32 or value is np.float16}  # fmt: skip
        node = Modern(self.numpy_names, self.guard.notes, casts).visit(one.node)
        if narrow_throughout(tuple(each.node for each in self.source.statements)):
            if SAID not in self.guard.notes.sentences():
                self.guard.notes.add(SAID)
            node = Widened().visit(node)
        if isinstance(node, Definition):
            node = Bare(self.guard.notes, self.source.harmless).visit(node)
        error = self.run(node, one)
        if error and isinstance(node, ast.FunctionDef) and make_plain(node):
            self.guard.notes.add(f"{node.name} was read without decorators and defaults")
            error = self.run(node, one)
        if error:
            self.opened.failed.update(dict.fromkeys(one.binds, error))

    def run(self, node: ast.stmt, one: Statement) -> str | None:
        """Execute one statement in their module; return the sentence if it fails."""
        code = compile(ast.fix_missing_locations(ast.Module([node], [])), one.file, "exec")
        self.source.compiled[id(one.node)] = one.node, code
        return self.execute_code(code, one)

    def execute_code(self, code: types.CodeType, one: Statement) -> str | None:
        """Execute what a statement was compiled to; return the sentence if it fails."""
        home = Place(one.file, one.line)
        namespace = vars(self.opened.module)
        try:
            self.guard.run(lambda: exec(code, namespace), ", ".join(sorted(one.binds)), home)
        except UserCodeError as error:
            return str(error)
        return None

    def bind_import(self, node: ast.Import | ast.ImportFrom, wanted: set[str]) -> None:
        """Bind the names of an import that are wanted."""
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            if isinstance(node, ast.Import) and bound in wanted:
                module = self.module(alias.name)
                top = alias.name if alias.asname else bound
                self.bind(bound, module if top == alias.name else self.module(top))
            elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
                self.bind_member(node, alias, wanted)

    def bind_member(self, node: ast.ImportFrom, alias: ast.alias, wanted: set[str]) -> None:
        """Bind one name out of a module, or all that are wanted of it."""
        bound = alias.asname or alias.name
        if bound != "*" and bound not in wanted:
            return
        if bound == "*" and not self.source.unknown(wanted) - vars(self.opened.module).keys():
            return
        module = self.module(node.module or alias.name, beside=node.level > 0)
        if bound != "*":
            reason = f"{node.module} has no {alias.name}"
            self.bind(bound, getattr(module, alias.name, Absent(alias.name, reason)))
            return
        for name in self.source.unknown(wanted) - vars(self.opened.module).keys():
            if not isinstance(module, Absent) and hasattr(module, name):
                self.bind(name, getattr(module, name))

    def bind(self, name: str, value: Any) -> None:
        """Bind a name in their module."""
        if getattr(value, "__name__", "") == "numpy":
            self.numpy_names.add(name)
        setattr(self.opened.module, name, value)

    def module(self, name: str, *, beside: bool = False) -> Any:
        """Return a module: theirs beside the file, opened as carefully, or an installed one."""
        folder = self.source.path.parent / name.replace(".", "/")
        path = folder.with_suffix(".py")
        for one in (path, folder / "__init__.py"):
            if one.is_file() and one.resolve() != self.source.path.resolve():
                return self.neighbour(one.resolve())
        if beside:
            return Absent(name, f"there is no {path.name} beside the file")
        return self.installed(name)

    def neighbour(self, path: Path) -> types.ModuleType:
        """Open a file beside theirs, once, however many import it."""
        opened = self.source.beside
        if path not in opened:
            name = f"{path.parent.name}/{path.name}" if path.stem == "__init__" else path.name
            self.guard.notes.add(f"{name} beside it was opened for what is imported from it")
            opened[path] = types.ModuleType(path.stem)  # what a circle of imports gets to see
            other = open_source(path, guard=self.guard, beside=opened)
            opened[path].__dict__.update(vars(other.load(other.definitions).module))
        return opened[path]

    def installed(self, name: str) -> Any:
        """Import an installed module, or return a stand-in that says why it cannot be."""
        try:
            return self.guard.run(lambda: importlib.import_module(name), f"import {name}", None)
        except UserCodeError as error:
            reason = first_line(error.__cause__) if error.__cause__ else str(error)
            self.guard.notes.add(f"{name} cannot be imported ({reason}); nothing that uses it runs")
            return Absent(name, reason)


def is_definition(one: Statement) -> bool:
    """True for a function, a class, or a name given to a lambda or to another function."""
    value = getattr(one.node, "value", None)
    if isinstance(value, ast.Call):
        return one.kind is Kind.CONSTANT and last_name(value) in MAKES_FUNCTIONS
    named = isinstance(value, ast.Lambda | ast.Attribute | ast.Name)
    return one.kind is Kind.DEFINITION or (one.kind is Kind.CONSTANT and named)
