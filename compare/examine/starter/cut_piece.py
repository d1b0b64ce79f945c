"""The body of a loop that a back propagation stands in, and what stands around it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from compare.examine.starter.missed import multiplies_by_transpose
from compare.examine.starter.statements import Statement


class NotCut(Exception):
    """A back propagation that cannot be cut out."""


@dataclass(frozen=True)
class Piece:
    """A body, the statements before it in those around it, and the names that count its turns."""

    body: Sequence[ast.stmt]
    before: tuple[ast.stmt, ...] = ()
    counts: frozenset[str] = frozenset()
    file: str = ""
    files: tuple[str, ...] = ()


def innermost(statements: Sequence[Statement]) -> Piece:
    """Return the innermost body with a product by a transpose among its own statements, of a
    function or of loose code."""
    first = statements[0].node
    if isinstance(first, ast.FunctionDef):
        piece = Piece(first.body, files=(statements[0].file,) * len(first.body))
    else:
        nodes = [one.node for one in statements]
        piece = Piece(nodes, files=tuple(one.file for one in statements))
    while True:
        for place, one in enumerate(piece.body):
            if not any(map(multiplies_by_transpose, ast.walk(one))):
                continue
            inner = getattr(one, "body", None)
            if isinstance(one, ast.FunctionDef | ast.ClassDef):
                continue
            if not isinstance(inner, list):
                return replace(piece, file=piece.files[place])
            counts = piece.counts | frozenset(counting(one))
            ahead = (*piece.before, *piece.body[:place])
            piece = Piece(inner, ahead, counts, files=(piece.files[place],) * len(inner))
            break
        else:
            raise NotCut


def counting(loop: ast.stmt) -> Iterator[str]:
    """Yield the names of a loop that are no data: of `range`, and the first of `enumerate`."""
    if not isinstance(loop, ast.For) or not isinstance(loop.iter, ast.Call):
        return
    called, target = ast.unparse(loop.iter.func).rpartition(".")[2], loop.target
    if called == "enumerate" and isinstance(target, ast.Tuple):
        target = target.elts[0]
    elif called not in ("range", "trange"):
        return
    yield from (part.id for part in ast.walk(target) if isinstance(part, ast.Name))
