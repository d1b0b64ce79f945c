"""Statements read as assignments: what is given a value, the value, and the line.

The first part of judging updates (`loop_steps`). Every way to write `W1 = W1 - lr * dW1` comes out
as that one line: augmented, in place, `np.subtract(..., out=W1)`, a list made anew, a `return`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from compare.examine.starter.binding import plain

OPERATORS: dict[str, ast.operator] = {
    "subtract": ast.Sub(), "add": ast.Add(), "multiply": ast.Mult(), "divide": ast.Div(),
    "true_divide": ast.Div(),
}  # fmt: skip
RETURNED = "return "
"""Begins the key of what a function returns."""


@dataclass(frozen=True)
class Line:
    """An assignment: what is assigned as it is written, its value or None if it cannot be run
    here, where, and whether the array itself is written to."""

    key: str
    value: ast.expr | None
    number: int
    file: str = ""
    in_place: bool = False


def lines_of(one: ast.stmt, file: str) -> Iterator[Line]:
    """Yield the assignments that a simple statement makes, one name each."""
    if isinstance(one, ast.AugAssign):
        left = simply(one.target)
        moved = ast.BinOp(left, one.op, simply(one.value))
        yield Line(ast.unparse(left), moved, one.lineno, file, in_place=True)
    elif isinstance(one, ast.Assign):
        for target in one.targets:
            yield from assigned(target, one.value, one.lineno, file)
    elif isinstance(one, ast.AnnAssign) and one.value:
        yield from assigned(one.target, one.value, one.lineno, file)
    elif isinstance(one, ast.Expr) and isinstance(one.value, ast.Call):
        yield from written(one.value, file)
    elif isinstance(one, ast.Return) and one.value:
        for number, value in enumerate(returned(one.value)):
            yield Line(f"{RETURNED}{number}", simply(value), one.lineno, file)


def assigned(target: ast.expr, value: ast.expr, number: int, file: str) -> Iterator[Line]:
    """Yield the names of one assignment; those of a call that returns several have no value."""
    if not isinstance(target, ast.Tuple | ast.List):
        whole = isinstance(target, ast.Subscript) and is_whole(target.slice)
        key = ast.unparse(simply(target))
        made = made_anew(key, value)
        yield Line(*(made or (key, simply(value))), number, file, whole)
        return
    several = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
    values = value.elts if several and isinstance(value, ast.Tuple | ast.List) else None
    for index, one in enumerate(target.elts):
        whole = values is not None and not isinstance(values[index], ast.Starred)
        found = simply(values[index]) if values and whole else None
        named = one.value if isinstance(one, ast.Starred) else one
        yield Line(ast.unparse(simply(named)), found, number, file)


def written(call: ast.Call, file: str) -> Iterator[Line]:
    """Yield what a call writes: `np.subtract(a, b, out=a)`, `np.copyto(a, b)`, `setattr`."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    out = [one.value for one in call.keywords if one.arg == "out"]
    arguments = call.args
    if name in OPERATORS and len(arguments) == 3:
        out, arguments = arguments[2:], arguments[:2]
    if name in OPERATORS and out and len(arguments) == 2:
        value = ast.BinOp(simply(arguments[0]), OPERATORS[name], simply(arguments[1]))
        yield Line(ast.unparse(simply(out[0])), value, call.lineno, file, in_place=True)
    elif name == "copyto" and len(arguments) == 2:
        yield Line(ast.unparse(simply(arguments[0])), simply(arguments[1]), call.lineno, file, True)
    elif name == "setattr" and len(arguments) == 3:
        attribute = ast.Call(ast.Name("getattr", ast.Load()), arguments[:2], [])
        key = ast.unparse(simply(attribute))
        yield Line(key, simply(arguments[2]), call.lineno, file, in_place=True)
    elif name == "append" and len(arguments) == 1 and isinstance(call.func, ast.Attribute):
        entry = ast.Subscript(call.func.value, ast.Constant(0), ast.Load())
        yield Line(ast.unparse(simply(entry)), simply(arguments[0]), call.lineno, file)


def returned(value: ast.expr) -> Iterator[ast.expr]:
    """Yield the single values of what a function returns."""
    if isinstance(value, ast.Tuple | ast.List):
        for one in value.elts:
            yield from returned(one)
    elif isinstance(value, ast.Dict):
        for one in value.values:
            yield from returned(one)
    elif isinstance(value, ast.Call) and ast.unparse(value.func) == "dict":
        for keyword in value.keywords:
            yield from returned(keyword.value)
    elif isinstance(value, ast.ListComp | ast.DictComp | ast.GeneratorExp):
        yield element_of(value)
    else:
        yield value.value if isinstance(value, ast.Starred) else value


def made_anew(key: str, value: ast.expr) -> tuple[str, ast.expr] | None:
    """Return one element of a list or dictionary that is made anew, with the key it goes to."""
    if not isinstance(value, ast.ListComp | ast.DictComp):
        return None
    one = element_of(value)
    inside = [ast.unparse(part) for part in ast.walk(one) if isinstance(part, ast.Subscript)]
    return next((name for name in inside if name.startswith(f"{key}[")), key), one


def element_of(value: ast.ListComp | ast.DictComp | ast.GeneratorExp) -> ast.expr:
    """Return an element with its loop's names put back: `w` of `zip(ws, gs)` is `ws`."""
    stands: dict[str, ast.expr] = {}
    for loop in value.generators:
        stands |= names_of_loop(loop.target, loop.iter)
    one = value.value if isinstance(value, ast.DictComp) else value.elt
    return simply(PutBack(stands).visit(simply(one)))


def names_of_loop(target: ast.expr, over: ast.expr) -> dict[str, ast.expr]:
    """Return what the names of a loop stand for; those of a count or a key for themselves."""
    called = over.func if isinstance(over, ast.Call) else None
    name = ast.unparse(called) if called else ""
    parts = target.elts if isinstance(target, ast.Tuple | ast.List) else []
    arguments = over.args if isinstance(over, ast.Call) else []
    if name == "zip" and len(parts) == len(arguments):
        pairs = [names_of_loop(*pair) for pair in zip(parts, arguments, strict=True)]
        return {key: one for pair in pairs for key, one in pair.items()}
    if name == "enumerate" and len(parts) == 2 and arguments:
        return names_of_loop(parts[1], arguments[0])
    if isinstance(called, ast.Attribute) and called.attr == "items" and len(parts) == 2:
        entry = ast.Subscript(called.value, simply(parts[0]), ast.Load())
        return {ast.unparse(parts[1]): entry}
    listed = isinstance(over, ast.Name | ast.Attribute | ast.Subscript)
    return {target.id: over} if isinstance(target, ast.Name) and listed else {}


class PutBack(ast.NodeTransformer):
    """Puts expressions in the place of names, where the name is no index."""

    def __init__(self, stands: Mapping[str, ast.expr]) -> None:
        self.stands = stands

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """An index stays as it is."""
        return ast.Subscript(self.visit(node.value), node.slice, ast.Load())

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Return what a name stands for."""
        return self.stands.get(node.id, node)


def simply(node: ast.expr) -> ast.expr:
    """Return an expression in its simplest spelling, as one that is read."""
    return Simpler().visit(ast.parse(ast.unparse(node), mode="eval").body)  # type: ignore[no-any-return]  # a NodeTransformer returns Any


class Simpler(ast.NodeTransformer):
    """Writes `W[:]` as `W`, `np.add(a, b)` as `a + b`, `d.get(k, 0)` as `d[k]`."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """The whole of an array is the array."""
        self.generic_visit(node)
        return node.value if is_whole(node.slice) else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """NumPy's names of operators, entries with a default, attributes by a name."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "getattr" and len(node.args) > 1:
            attribute = node.args[1]
            if isinstance(attribute, ast.Constant) and isinstance(attribute.value, str):
                return ast.Attribute(node.args[0], attribute.value, ast.Load())
        if not isinstance(node.func, ast.Attribute) or node.keywords:
            return node
        name, of = node.func.attr, node.func.value
        if name in OPERATORS and len(node.args) == 2 and ast.unparse(of) in ("np", "numpy"):
            return ast.BinOp(node.args[0], OPERATORS[name], node.args[1])
        entry = name == "get" and len(node.args) == 2
        return ast.Subscript(of, node.args[0], ast.Load()) if entry else node


def is_whole(index: ast.expr) -> bool:
    """Return whether an index is `:` or `...`."""
    if isinstance(index, ast.Slice):
        return index.lower is None and index.upper is None and index.step is None
    return isinstance(index, ast.Constant) and index.value is ...


def word(key: str) -> str:
    """Return the word that tells what a name is: `W1` of `net.params["W1"]`, `w` of `w[i]`."""
    quoted = re.findall(r"""['"]([A-Za-z_]\w*)""", key)
    names = re.findall(r"[A-Za-z_]\w*", re.sub(r"\[[^'\"\]]*\]", "", key))
    return plain(quoted[-1] if quoted else names[-1]) if quoted or names else ""


def keys_in(node: ast.AST) -> list[str]:
    """Return the names, attributes and entries that an expression reads, as they are written; no
    function that it calls."""
    called = [part.func for part in ast.walk(node) if isinstance(part, ast.Call)]
    return [ast.unparse(part) for part in ast.walk(node) if is_key(part) and part not in called]


def is_key(node: ast.AST) -> bool:
    """Return whether an expression is a name, an attribute or an entry."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "getattr"
    return isinstance(node, ast.Name | ast.Attribute | ast.Subscript)


def unaliased(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Return the lines with a second name of an array replaced by its first, where the second is
    written to: `w = self.W1` and then `w -= step` changes `self.W1`.
    """
    found = list(lines)
    for place, line in enumerate(lines):
        later = [i for i in range(place + 1, len(lines)) if lines[i].key == line.key]
        second = line.key.isidentifier() and line.value is not None and is_key(line.value)
        if not second or not later or not lines[later[0]].in_place:
            continue
        ends = next((i for i in later if not lines[i].in_place), len(lines))
        for i in range(place + 1, ends):
            found[i] = renamed(found[i], line.key, line.value)
    return tuple(found)


def renamed(line: Line, name: str, value: ast.expr | None) -> Line:
    """Return a line with a name replaced."""
    stands = {} if value is None else {name: value}
    seen = None if line.value is None else simply(PutBack(stands).visit(simply(line.value)))
    key = ast.unparse(value) if value is not None and line.key == name else line.key
    return replace(line, key=key, value=seen)
