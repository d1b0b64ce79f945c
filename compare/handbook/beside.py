"""What is named beside the catalogue: clipping, rates and records, with no run of their own.

They are found where they are written, in the sources of this package, so that none can be left out
of the list in docs/mistakes.md.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from compare.mistakes.catalogue import CATALOGUE

NAMED = ("Mistake", "Diagnosis")
"""The classes that are made with a name and a sentence."""
HEAD = """## Named beside the catalogue

What records and training loops show of clipping, rates and recording is told by these names; no
program is run with them, and numbers that are found stand as `…` here.

| name | what is said |
|---|---|
"""


@dataclass(frozen=True, slots=True)
class Named:
    """A name, and the sentence that is said with it."""

    name: str
    sentence: str


@cache
def named_beside() -> tuple[Named, ...]:
    """Return every name that stands in this package's sources and not in the catalogue."""
    known = {mistake.name for mistake in CATALOGUE}
    found: dict[str, Named] = {}
    for path in sorted(Path(__file__).resolve().parent.parent.rglob("*.py")):
        for one in named_in(ast.parse(path.read_text(encoding="utf-8"))):
            if one.name not in known:
                found.setdefault(one.name, one)
    return tuple(found[name] for name in sorted(found))


def named_in(module: ast.Module) -> Iterator[Named]:
    """Yield what one file names by a literal."""
    texts = list(assigned(module))
    for node in ast.walk(module):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id not in NAMED or len(node.args) < 2:
            continue
        at = 2 if node.func.id == "Mistake" else 1  # a mistake has its title before its sentence
        name, said = text_of(node.args[0]), node.args[at]
        if name:
            yield Named(name, text_at(said, texts) or name.replace("-", " "))


def assigned(module: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Yield where a text is given a name or added to one: the line, the name, the text."""
    for node in ast.walk(module):
        target = (
            node.targets[0] if isinstance(node, ast.Assign)
            else node.target if isinstance(node, ast.AugAssign) else None
        )  # fmt: skip
        if isinstance(node, ast.Assign | ast.AugAssign) and isinstance(target, ast.Name):
            text = text_of(node.value)
            if text:
                yield node.lineno, target.id, "+" * isinstance(node, ast.AugAssign) + text


def text_at(said: ast.expr, texts: Sequence[tuple[int, str, str]]) -> str:
    """Return the text of an expression: that of a name is what was assigned last above it."""
    if not isinstance(said, ast.Name):
        return text_of(said)
    found = ""
    for line, name, text in sorted(texts):
        if name == said.id and line < said.lineno:
            found = found + text[1:] if text.startswith("+") else text
    return found


def text_of(node: ast.expr) -> str:
    """Return a text that stands in the source, with `…` for what is filled in; "" if it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "…" for part in node.values)
    return ""


def table() -> str:
    """Return the list as a section of a page."""
    rows = (f"| {one.name} | {without_braces(one.sentence)} |\n" for one in named_beside())
    return HEAD + "".join(rows)


def without_braces(sentence: str) -> str:
    """Return a sentence with `…` where a number is filled in."""
    parts = sentence.split("{")
    return parts[0] + "".join("…" + part.partition("}")[2] for part in parts[1:])
