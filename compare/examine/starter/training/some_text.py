"""Some text for a training that reads one: `open("input.txt").read()`, and the same in a `with`."""

from __future__ import annotations

import ast

LINES = (
    "the quick fox", "jumps over the lazy dog", "and runs", "a bird sings in the tree",
    "we sat by the river", "the dog sleeps",
)  # fmt: skip
TEXT = "\n".join(LINES * 3) + "\n"
READS = frozenset({"read", "readlines"})


def texts_in(node: ast.stmt) -> ast.stmt:
    """Return a statement with our text for what it would read of a file of text."""
    found = Texts().visit(node)
    assert isinstance(found, ast.stmt)
    return ast.fix_missing_locations(found)


class Texts(ast.NodeTransformer):
    """Puts the text into the place of what is read."""

    def __init__(self) -> None:
        self.files: set[str] = set()

    def visit_With(self, node: ast.With) -> ast.stmt:
        """`with open(path) as f: text = f.read()`: one that only reads text."""
        for one in node.items:
            if opens_text(one.context_expr) and isinstance(one.optional_vars, ast.Name):
                self.files.add(one.optional_vars.id)
        opened = all(opens_text(one.context_expr) for one in node.items)
        self.generic_visit(node)
        reads = len(node.body) == 1 and isinstance(node.body[0], ast.Assign)
        return node.body[0] if opened and reads else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """`open(path).read()`, `f.readlines()`."""
        self.generic_visit(node)
        called = node.func
        if not isinstance(called, ast.Attribute) or called.attr not in READS or node.args:
            return node
        named = isinstance(called.value, ast.Name) and called.value.id in self.files
        if not (named or opens_text(called.value)):
            return node
        value = TEXT if called.attr == "read" else TEXT.splitlines(keepends=True)
        return ast.copy_location(ast.parse(repr(value), mode="eval").body, node)


def opens_text(node: ast.expr) -> bool:
    """Return whether an expression opens a file to read text of it."""
    if not (isinstance(node, ast.Call) and ast.unparse(node.func) in ("open", "io.open")):
        return False
    modes = [*node.args[1:2], *(one.value for one in node.keywords if one.arg == "mode")]
    return all(isinstance(one, ast.Constant) and one.value in ("r", "rt") for one in modes)
