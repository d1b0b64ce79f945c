"""What a top-level statement is: a definition, an import, a simple constant, or to be left out.

Only the first three are ever executed, and only when a function under test needs them. A constant
is simple if working it out can neither read a file nor train a network.
"""

from __future__ import annotations

import ast
import re
import symtable
import warnings
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum

from compare.examine.starter.blocks import Block
from compare.guard.effects import Notes

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
PLAIN = (
    ast.Constant, ast.Name, ast.Attribute, ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare,
    ast.Tuple, ast.List, ast.Dict, ast.Set, ast.Subscript, ast.Slice, ast.IfExp, ast.Starred,
    ast.JoinedStr, ast.FormattedValue, ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
    ast.expr_context, ast.keyword,
)  # fmt: skip
GENERATORS = ("default_rng", "RandomState")
"""What makes a generator and draws nothing."""
HARMLESS = frozenset({
    "int", "float", "bool", "str", "complex", "len", "range", "abs", "min", "max", "sum", "round",
    "pow", "tuple", "list", "dict", "set", "partial", "vectorize", "frompyfunc", "finfo", "iinfo",
    "array", "asarray", "dtype", "float32", "float64", "int32", "int64", "sqrt", "log", "exp",
    "zeros", "ones", "eye", "arange", "linspace", *GENERATORS,
})  # fmt: skip
"""Functions, by the last part of their name, that a simple constant may call."""
OLD_PRINT = re.compile(r"^(\s*)print\s+(?![(=.,\[])(?:>>\s*\w+\s*,)?(.*?)(;?\s*)$", re.MULTILINE)


class Kind(StrEnum):
    """What may be done with a statement."""

    DEFINITION = "definition"
    IMPORT = "import"
    CONSTANT = "constant"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Statement:
    """One top-level statement: where it stands, what it binds, what it needs, what it is."""

    file: str
    node: ast.stmt
    kind: Kind
    binds: frozenset[str] = field(default_factory=frozenset)
    needs: frozenset[str] = field(default_factory=frozenset)

    @property
    def line(self) -> int:
        """The number of its first line."""
        return self.node.lineno

    def gives(self, name: str) -> bool:
        """True if the name is bound by this statement and the statement may be executed."""
        return name in self.binds and self.kind is not Kind.LEFT_OUT


@dataclass(frozen=True, slots=True)
class Broken:
    """A block that Python cannot read, and the name it would have defined."""

    file: str
    line: int
    name: str | None
    reason: str


def statements_of(block: Block, notes: Notes) -> list[Statement] | Broken:
    """Parse one block alone; what older Pythons and mixed tabs break is mended."""
    error: SyntaxError | None = None
    for text, note in readings(block.text):
        try:
            tree = parsed(text)
        except SyntaxError as problem:
            error = error or problem
        except (ValueError, RecursionError, MemoryError) as problem:
            error = error or SyntaxError(str(problem))
        else:
            if note:
                notes.add(f"{note} (first at line {block.line})", about=note)
            ast.increment_lineno(tree, block.line - 1)
            return [statement(node, block.file) for node in tree.body if not is_comment(node)]
    assert error is not None
    found = re.match(r"(?:@.*\n)*(?:async\s+)?(?:def|class)\s+(\w+)", block.text)
    line = block.line - 1 + (error.lineno or 1)
    return Broken(block.file, line, found[1] if found else None, error.msg or "cannot be read")


def parsed(text: str) -> ast.Module:
    """Parse without a word about a backslash too many in somebody's string."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def readings(text: str) -> Iterator[tuple[str, str]]:
    """Yield the text as it is, then as it may have been meant, each with what to say about it."""
    yield text, ""
    called = OLD_PRINT.sub(r"\1print(\2)\3", text)
    if called != text:
        yield called, "print statements of Python 2 were read as calls"
    for width in (8, 4):
        yield called.expandtabs(width), f"tabs mixed with spaces were read as {width} columns wide"


def is_comment(node: ast.stmt) -> bool:
    """True for a string or `pass` on its own."""
    lone = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return lone or isinstance(node, ast.Pass)


def statement(node: ast.stmt, file: str) -> Statement:
    """Say what a statement is."""
    needs = frozenset(free_names(node))
    if isinstance(node, Definition):
        return Statement(file, node, Kind.DEFINITION, frozenset({node.name}), needs)
    if imports := list(imports_in(node)):
        bound = frozenset(name for one in imports for name in imported_names(one))
        return Statement(file, node, Kind.IMPORT, bound)
    bound = frozenset(assigned_names(node))
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    simple = value is not None and is_simple(value)
    return Statement(file, node, Kind.CONSTANT if simple else Kind.LEFT_OUT, bound, needs)


def free_names(node: ast.stmt) -> Iterator[str]:
    """Yield the names a statement looks up in the module, however deep in its functions."""
    source = ast.unparse(ast.Module([node], []))
    tables = [symtable.symtable(source, "statement", "exec")]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            outside = symbol.is_global() or table.get_type() == "module"
            if outside and symbol.is_referenced():
                yield symbol.get_name()


def imports_in(node: ast.stmt) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports a statement consists of: itself, or a `try` of nothing else."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node
    elif isinstance(node, ast.Try) and all(
        isinstance(one, ast.Import | ast.ImportFrom) for one in node.body
    ):
        for one in node.body:
            yield from imports_in(one)


def imported_names(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Yield the names an import binds; `*` for all of a module."""
    for alias in node.names:
        top = alias.name if isinstance(node, ast.ImportFrom) else alias.name.partition(".")[0]
        yield alias.asname or top


def assigned_names(node: ast.stmt) -> Iterator[str]:
    """Yield every name that a statement binds in the module, however deep."""
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            yield one.id


def is_simple(value: ast.AST, also: Set[str] = HARMLESS) -> bool:
    """True if the value can be worked out without doing anything; a lambda is a definition. `also`:
    the functions that it may call."""
    if isinstance(value, ast.Lambda):
        return True
    fits = isinstance(value, PLAIN) or (isinstance(value, ast.Call) and last_name(value) in also)
    return fits and all(is_simple(one, also) for one in ast.iter_child_nodes(value))


def harmless_in(statements: Sequence[Statement]) -> frozenset[str]:
    """The functions that a simple constant may call, by the names that a file gives them too:
    `f32 = np.float32`."""
    bound = [name for one in statements for name in one.binds]
    found = {name for one in statements for name in one.binds
             if bound.count(name) == 1 and is_alias(one.node, name)}  # fmt: skip
    return HARMLESS | found


def is_alias(node: ast.stmt, name: str) -> bool:
    """Whether a statement gives a harmless function another name."""
    if isinstance(node, ast.ImportFrom):
        return any(one.asname == name and one.name in HARMLESS for one in node.names)
    value = node.value if isinstance(node, ast.Assign) else None
    named = isinstance(value, ast.Attribute | ast.Name)
    return named and ast.unparse(value).rpartition(".")[2] in HARMLESS if value else False


def simple_by_alias(one: Statement, also: Set[str]) -> Statement:
    """The statement, a constant if it calls nothing but these functions."""
    value = one.node.value if isinstance(one.node, ast.Assign | ast.AnnAssign) else None
    if one.kind is not Kind.LEFT_OUT or value is None or not is_simple(value, also):
        return one
    return replace(one, kind=Kind.CONSTANT)


def last_name(call: ast.Call) -> str:
    """Return the last part of the name of what is called."""
    function = call.func
    if isinstance(function, ast.Attribute):
        inside_random = isinstance(function.value, ast.Attribute)
        return "" if inside_random and function.attr not in GENERATORS else function.attr
    return function.id if isinstance(function, ast.Name) else ""
