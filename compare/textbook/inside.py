"""A slip of the plain program in the names of the one with normalisation and dropout.

The activation takes n in place of z and gives a in place of h, which dropout makes h; backward it
takes da and gives dn, which normalisation makes dz. What stands between two matrix products keeps
its name:

    h[i] = z[i]                   a[i] = n[i]
    dz[i - 1] = dh[i - 1]         dn[i - 1] = da[i - 1]
    dw[i] = z[i - 1].T @ dz[i]    dw[i] = n[i - 1].T @ dz[i]
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache

from compare.textbook.program import INSIDE, NETWORK, target
from compare.textbook.scope import BETWEEN

TARGETS = {"h[i]": "a[i]", "dz[i - 1]": "dn[i - 1]"}
"""What the activation gives, forward and backward."""


@dataclass
class Renamed(ast.NodeTransformer):
    """Renames what a statement reads; `of`: the line it belongs to, as the plain program names it.

    Auxiliary names that the other program has for something else get an underscore.
    """

    of: str
    auxiliary: frozenset[str]
    in_slope: bool = False

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A slope is of what the activation gives."""
        before = self.in_slope
        self.in_slope = before or (isinstance(node.func, ast.Name) and node.func.id == "slope")
        self.generic_visit(node)
        self.in_slope = before
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """The slope's product is dz[i - 1] there, dn[i - 1] here."""
        if ast.unparse(node) == "dz[i - 1]":
            return ast.Subscript(ast.Name("dn", ast.Load()), node.slice, node.ctx)
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Rename one name."""
        if node.id in self.auxiliary:
            return ast.Name(f"{node.id}_", node.ctx)
        if not isinstance(node.ctx, ast.Load):
            return node
        given = self.in_slope or self.of in TARGETS
        names = {"z": "n", "h": "a" if given else "h", "dh": "dh" if self.of[:2] == "dh" else "da"}
        return ast.Name(names.get(node.id, node.id), node.ctx)


def inside(text: str) -> str:
    """Return a slip of the plain program as one of the other program."""
    statements = [one for one in ast.parse(text).body if isinstance(one, ast.Assign)]
    written, of = [], ""
    names = {target(one) for one in statements} & {*BETWEEN, "training", "given", "mean"}
    for statement in reversed(statements):
        said = target(statement)
        of = said if said in NETWORK else of
        written.append(one_line(statement, of, frozenset(names)))
    return "\n".join(reversed(written))


def one_line(statement: ast.Assign, of: str, auxiliary: frozenset[str]) -> str:
    """Return one statement so; a line that is none of the slip's own is the other program's."""
    said = target(statement)
    plain = NETWORK.get(said)
    there = TARGETS.get(said, said)
    if plain is not None and ast.unparse(plain.statement) == ast.unparse(statement):
        return INSIDE[there].text if there in INSIDE else ast.unparse(statement)
    copied = ast.parse(ast.unparse(statement.value), mode="eval").body
    value = ast.unparse(Renamed(of, auxiliary).visit(copied))
    return f"{f'{said}_' if said in auxiliary else there} = {value}"


@cache
def inside_target(line: str) -> str:
    """Return what a line of the plain program assigns in the other one."""
    return TARGETS.get(line, line)
