"""Whether a weight that moves by a multiple of what is due has a rate of its own: a choice.

Such a rate is written where weights are moved (`c = c - 0.5 * lr * dc`), or is a number that is
kept under some name. What is called like no weight at all may climb as well.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import numpy as np

from compare.examine.starter.binding import plain
from compare.examine.starter.cut_names import loaded
from compare.examine.starter.own.groups import Base, Group, is_loss
from compare.examine.starter.own.seen import Seen
from compare.examine.starter.own.steps import factor_of
from compare.examine.starter.slots import RATE
from compare.examine.starter.training.program import Program
from compare.examine.starter.update_lines import word
from compare.examine.starter.update_words import is_weight, number_in, of_gradient

LIKE_A_RATE = re.compile(r".*(lr|rate|eta|alpha|step|scale|gain|mult|speed).*")


def chosen(seen: Seen) -> bool:
    """Whether a group that does not move as the others do moves by a multiple of its slopes that
    may be meant."""
    return any(group.name in seen.told.wrong and is_chosen(seen, group)
               for group in seen.steps.groups)  # fmt: skip


def is_chosen(seen: Seen, group: Group) -> bool:
    """Whether a group moves by a multiple of its slopes, and that one may be meant."""
    steps, turn = seen.steps, seen.steps.turns[0]
    factor = factor_of(steps.reaches(group, turn))
    if not (factor and steps.fits(group, turn, factor)):
        return False
    program, times = seen.base.loop.program, factor / seen.told.factor
    if times < 0 and not is_weight(group.word):
        return True  # an opponent, which climbs what the others descend
    whole = [*program.numbers, *scalars(seen.base, LIKE_A_RATE)]
    shares = [*numbers_by_rates(program), *scalars_moving(seen.base)]
    pairs = ((factor, whole), (times, shares))
    return any(bool(np.isclose(one, [each for each in known if each != 1], rtol=1e-4).any())
               for one, known in pairs)  # fmt: skip


def scalars(base: Base, names: re.Pattern[str]) -> Iterator[float]:
    """Yield the numbers that are kept under such names."""
    for way, array in base.turns[0].kept[base.loop.last].items():
        if not array.ndim and names.fullmatch(plain(way)):
            yield float(array)


def scalars_moving(base: Base) -> Iterator[float]:
    """Yield the numbers that are kept under names which lines that move weights read; a whole one
    is a count."""
    read = {name for line in updates(base.loop.program) for name in loaded(line)}
    for way, array in base.turns[0].kept[base.loop.last].items():
        if not array.ndim and way.partition(".")[0] in read and float(array) % 1:
            yield float(array)


def numbers_by_rates(program: Program) -> Iterator[float]:
    """Yield the numbers that are written where weights are moved, or multiplied with a rate."""
    for line in updates(program):
        for part in ast.walk(line):
            if isinstance(part, ast.Constant) and (number := number_in(part)) is not None:
                yield abs(number)
            elif isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div):
                if number := number_in(part.right):
                    yield 1 / number


def updates(program: Program) -> Iterator[ast.AST]:
    """Yield what a program takes off something, and what it multiplies with a rate."""
    for part in (part for node in program.nodes for part in ast.walk(node)):
        if isinstance(part, ast.AugAssign) and isinstance(part.op, ast.Sub | ast.Add):
            name = ast.unparse(part.target)
            if not (of_gradient(word(name)) or is_loss(name)):
                yield part.value
        elif isinstance(part, ast.Assign) and isinstance(part.value, ast.BinOp):
            own = ast.unparse(part.targets[0])
            if own in {ast.unparse(one) for one in ast.walk(part.value)
                       if isinstance(one, ast.expr)}:  # fmt: skip
                yield part.value
        elif isinstance(part, ast.BinOp) and isinstance(part.op, ast.Mult | ast.Div):
            if any(RATE.fullmatch(plain(name)) for name in loaded(part)):
                yield part
