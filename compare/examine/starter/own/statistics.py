"""Running statistics of a normalisation, read in the text: no loss of a training shows them.

    running_mean = m * running_mean + (1 - m) * mu           where mu = x.mean(axis=0)
    running_var += m * (x.var(axis=0) - running_var)

Whether each is a mean, with shares that make 1, of what its name says is seen as it is written.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from compare.examine.starter.own.of_batch import last_of
from compare.examine.starter.training.program import Program

NAMED = {"mean": re.compile(r"mean|mu\b|avg|mu$"), "var": re.compile(r"var|sigma")}
SQUARES = re.compile(r"\) ?\*\* ?2|square\(.* - ")
"""Of what the mean was taken off: `(x - mu) ** 2`."""
NEAR_ONE = 1e-9


def is_statistic(program: Program, name: str) -> bool:
    """Whether every line that moves an array makes it a running mean or variance of a batch's."""
    moves = [(function, line) for node in program.nodes for function in ast.walk(node)
             if isinstance(function, ast.FunctionDef) for line in ast.walk(function)
             if isinstance(line, ast.Assign | ast.AugAssign)
             and name in loaded_in(line.value) | also_read(line)
             and last_name(first_target(line)) == name]  # fmt: skip
    return bool(moves) and all(is_running(function, line, name) for function, line in moves)


def first_target(line: ast.Assign | ast.AugAssign) -> ast.expr:
    """Return what a line gives a value to."""
    return line.target if isinstance(line, ast.AugAssign) else line.targets[0]


def also_read(line: ast.stmt) -> set[str]:
    """Return what a line that adds to something reads by that."""
    return {last_name(line.target)} if isinstance(line, ast.AugAssign) else set()


def is_running(function: ast.FunctionDef, line: ast.Assign | ast.AugAssign, name: str) -> bool:
    """Whether a line mixes an array with what the batch has of its kind, in shares that make 1."""
    if isinstance(line, ast.AugAssign):
        pairs = products(line.value) if isinstance(line.op, ast.Add) else ()
        rests = [rest for _, rest in pairs if isinstance(rest, ast.BinOp)]
        return any(
            isinstance(rest.op, ast.Sub) and last_name(rest.right) == name
            and is_of_batch(function, rest.left, name) for rest in rests
        )  # fmt: skip
    if not (isinstance(line.value, ast.BinOp) and isinstance(line.value.op, ast.Add)):
        return False
    sides = [list(products(one)) for one in (line.value.left, line.value.right)]
    return any(
        last_name(own) == name and is_of_batch(function, other, name) and make_one(share, rest)
        for one, two in (sides, sides[::-1]) for own, share in one for other, rest in two
    )  # fmt: skip


def products(node: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield both readings of a product: an array and its share."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        yield node.left, node.right
        yield node.right, node.left


def make_one(one: ast.expr, other: ast.expr) -> bool:
    """Whether two shares make 1, as they are written."""
    if isinstance(one, ast.Constant) and isinstance(other, ast.Constant):
        values = [each.value for each in (one, other) if isinstance(each.value, int | float)]
        return len(values) == 2 and abs(sum(values) - 1) < NEAR_ONE
    texts = [ast.unparse(each) for each in (one, other)]
    return texts[0] in (f"1 - {texts[1]}", f"1.0 - {texts[1]}") or texts[1] in (
        f"1 - {texts[0]}", f"1.0 - {texts[0]}")  # fmt: skip


def is_of_batch(function: ast.FunctionDef, node: ast.expr, name: str) -> bool:
    """Whether a value is the mean, or the variance, over the rows of a batch."""
    kind = next((kind for kind, word in NAMED.items() if word.search(name.lower())), "")
    values = [node]
    if isinstance(node, ast.Name):
        # The evaluation takes the running ones under the same name.
        values = [one for one in given_to(function, node.id) if last_name(one) != name]
    return bool(kind and values) and all(kind in kinds_of(one) for one in values)


def given_to(function: ast.FunctionDef, name: str) -> Iterator[ast.expr]:
    """Yield what a function assigns to a name, alone or as one of several."""
    for line in (one for one in ast.walk(function) if isinstance(one, ast.Assign)):
        target, value = line.targets[0], line.value
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = [*zip(target.elts, value.elts, strict=False)]
        yield from (given for to, given in pairs if last_name(to) == name)


def kinds_of(node: ast.expr) -> set[str]:
    """Return what a call takes of its rows; the mean of squares is a variance."""
    call = reshaped(node)
    if not (isinstance(call, ast.Call) and over_rows(call)):
        return set()
    name = last_of(call.func)
    squares = SQUARES.search(ast.unparse(call)) is not None
    return {"var"} if name == "var" or (name == "mean" and squares) else {name}


def reshaped(node: ast.expr) -> ast.expr:
    """Return what an expression only gives another shape."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.value if node.func.attr in ("reshape", "ravel", "copy") else node
    return node


def over_rows(call: ast.Call) -> bool:
    """Whether a call goes over the first axis, if only among others."""
    axes = [one.value for one in call.keywords if one.arg == "axis"] or call.args[-1:]
    return bool(axes) and ast.unparse(axes[0]).lstrip("(").split(",")[0] == "0"


def loaded_in(node: ast.expr) -> set[str]:
    """Return the last names of what an expression reads."""
    return {last_name(one) for one in ast.walk(node) if isinstance(one, ast.expr)} - {""}


def last_name(node: ast.expr) -> str:
    """Return the last name of a place: `running_mean` of `self.bn.running_mean` and of
    `cache["running_mean"]`."""
    if isinstance(node, ast.Subscript):
        key = node.slice.value if isinstance(node.slice, ast.Constant) else ""
        return key if isinstance(key, str) else ""
    return last_of(node)
