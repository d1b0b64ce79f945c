"""An update that is divided twice by what the one beside it is divided by once.

    W = W - eta / N * dW
    V = V - eta / N / N * dV

Alone, the second is gradient descent at a smaller rate; beside the first, whose gradient comes from
the same place, it has lost a factor N.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from compare.examine.starter.update_rules import COUNTED
from compare.examine.starter.update_siblings import family, named
from compare.examine.starter.update_verdicts import Judged, about_update


def divided_alike(found: Sequence[Judged], where: str) -> list[Judged]:
    """Return the updates of one way; a right one that is divided once too often is wrong."""
    return [divided_twice(one, found, where) for one in found]


def divided_twice(one: Judged, found: Sequence[Judged], where: str) -> Judged:
    """Return a right update turned into a wrong one if another of its family shows that it is
    divided once too often."""
    own = divisors(one) if one.verdict is None else Counter[str]()
    for other in found if own else ():
        beside = divisors(other) if from_one_place(one, other) else Counter[str]()
        often = [name for name, times in own.items() if times > beside[name] == 1]
        if often:
            sentence = f"it is divided by {often[0]} twice, that of {other.target.key} once"
            return replace(one, verdict=about_update(one.target, where).wrong("value", sentence))
    return one


def from_one_place(one: Judged, other: Judged) -> bool:
    """Whether two gradients are called alike, or come from the same line."""
    lines = {each.origin.rpartition(" of line ")[2] for each in (one, other)}
    of_line = len(lines) == 1 and all(" of line " in each.origin for each in (one, other))
    return of_line or family(named(one)) == family(named(other))


def divisors(one: Judged) -> Counter[str]:
    """Return how often an update divides by what, in the product where it does most often."""
    found = Counter[str]()
    for line in one.update.lines if one.update else ():
        for node in ast.walk(line.value) if line.value is not None else ():
            found |= of_product(node)
    return found


def of_product(node: ast.AST) -> Counter[str]:
    """Return what a product is divided by, as it is written, less what it is multiplied by."""
    over, times = Counter[str](), Counter[str]()
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        if isinstance(node.op, ast.Mult):
            over += of_product(node.right)
        (over if isinstance(node.op, ast.Div) else times)[ast.unparse(node.right)] += 1
        node = node.left
    times[ast.unparse(node)] += 1
    return Counter({name: count for name, count in (over - times).items()
                    if is_count(name)})  # fmt: skip


def is_count(name: str) -> bool:
    """Return whether what is divided by is a number of samples: a rate may be slowed down twice."""
    written = name.startswith("len(") or ".shape" in name
    return written or bool(COUNTED.fullmatch(name.replace("_", "").lower()))
