"""The loss in the lines beside a back propagation: cut out of its loop too, and compared.

    total += -np.sum(y * np.log(p))       a sum, which may be divided later: nobody is accused
    loss = np.sum(correct_logprobs) / n   a mean: gradients that are summed do not belong to it

It is evaluated at the weights that the loop begins with, without its penalty, and held against the
loss of the gradients (`loss_beside`).
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.absent_data import COUNTS, put_in, stand_ins
from compare.examine.starter.binding import GIVEN, certain, plain
from compare.examine.starter.cut import Cut, defined, in_file, indices, outside, sliced
from compare.examine.starter.cut_given import Given, gives_whole
from compare.examine.starter.cut_names import stored
from compare.examine.starter.cut_piece import NotCut, Piece
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.gradient_check import GradientCheck
from compare.examine.starter.loss_beside import Beside, Shown, Value
from compare.examine.starter.loss_lines import LossLine, Unguarded, in_order, loss_lines, negated
from compare.examine.starter.meanings import Meaning
from compare.examine.starter.readings import UNEQUAL
from compare.examine.starter.source import Source
from compare.guard.copies import OnCopies
from compare.guard.guard import Guard

NAME = "loss_of_the_loop"
ROWS, CLASSES, ONE = "N", "K", "1"
"""Numbers that a loss may be divided by."""
TARGETS = frozenset({"y", "labels"})
BATCH_COUNT = re.compile(r"(n|num|nr|numberof|total)?(mini)?batches|nb|numbatch|nbatch")
CLASS_COUNT = re.compile(r"k|c|num\w*class\w*|nclass\w*|classes|num\w*labels|noutputs?|outputdim")


class NoLoss(Exception):
    """A line that is the loss of nothing."""


def with_loss(
    check: GradientCheck, source: Source, cut: Cut, meaning: Meaning, found: FunctionVerdict
) -> FunctionVerdict:
    """The verdict on gradients that are right, or right as a sum, in the light of the loss that
    stands beside them."""
    lines = loss_lines(cut.piece.body)
    shown: list[Shown] = []
    unread: list[LossLine] = []
    piece = unfolded(cut.piece, lines)
    for line in lines:
        try:
            shown.append(shown_by(source, cut, piece, meaning, line, check.guard.timeout))
        except NoLoss:
            continue
        except NotCut:
            unread.append(line)
    beside = Beside(
        UNEQUAL.of_layers(cut.how.layers), check.reduction, check.seed, check.activations[0],
        check.guard.timeout, penalty=check.penalty,
    )  # fmt: skip
    read = [*(one.line for one in shown), *unread]
    return beside(shown, found, read[-1].number) if read else found


def shown_by(
    source: Source, cut: Cut, piece: Piece, meaning: Meaning, line: LossLine, timeout: float | None
) -> Shown:
    """One line, with what it needs of the statements before it; raises `NotCut`, and `NoLoss` for
    one that reads no targets, such as the entropy of p."""
    place = place_of(piece, line) + (line.text == line.name)
    ahead = replace(piece, body=[one for one in piece.body[:place]
                                 if not set(stored(one)) & cut.weights])  # fmt: skip
    drawn = indices(piece) - cut.weights
    end = len(ahead.body)
    wanted = {"": (line.text, end)} | {f"{name} too": (name, end) for name in aliases(ahead.body)}
    kept, needed = sliced(ahead, wanted, drawn, Given.of(piece, defined(source)))
    set_before = [ast.Assign([ast.Name(line.own, ast.Store())], ast.Constant(0.0))]
    before, parameters, rows = outside(
        source, piece, needed - drawn - {line.own}, cut.weights, cut.defaults, 0.0
    )
    if needed & drawn:
        raise NotCut
    meaning = with_more(meaning, parameters, cut.how.layers)
    if not {str(meaning.bound[name]) for name in parameters} & TARGETS:
        raise NoLoss
    unguarded = Unguarded()
    own = set_before if line.own else []
    body = [unguarded.visit(copy.deepcopy(one)) for one in (*own, *before, *kept)]
    (function,) = ast.parse(f"def {NAME}({', '.join(parameters)}): return taken_0").body
    assert isinstance(function, ast.FunctionDef)
    function.body = [*body, *function.body]
    ast.copy_location(function, line.statement)
    inside = in_file(source, piece.file, function)
    value = called(inside, parameters, frozenset(rows), meaning, timeout)
    guards = tuple(dict.fromkeys(unguarded.guards))
    return Shown(line, value, guards, negated(line, around(source, cut.name)))


def with_more(meaning: Meaning, parameters: Sequence[str], layers: int) -> Meaning:
    """The meaning of what the gradients are handed, and of what only a loss reads; raises `NotCut`
    where that is not certain."""
    bound = dict(meaning.bound)
    for name in set(parameters) - set(bound):
        quantity = certain(name, layers)
        if quantity in GIVEN:
            bound[name] = quantity
        elif plain(name) in COUNTS:
            bound[name] = ROWS
        elif BATCH_COUNT.fullmatch(plain(name)):
            bound[name] = ONE
        elif CLASS_COUNT.fullmatch(plain(name)):
            bound[name] = CLASSES
        else:
            raise NotCut
    return replace(meaning, bound=bound)


def called(
    source: Source, parameters: Sequence[str], rows: Set[str], meaning: Meaning,
    timeout: float | None,
) -> Value:  # fmt: skip
    """What a line gives as a function of what is known at a point."""
    opened = source.load([NAME])
    replaced = {**stand_ins(opened), **dict.fromkeys(rows, "rows")}
    function = OnCopies(opened.get(NAME), Guard(timeout=timeout))

    def value(quantities: Mapping[str, Array]) -> float:
        put_in(opened.module, replaced, quantities)
        n, k = quantities["y"].shape
        sizes = {ROWS: np.array(n), CLASSES: np.array(k), ONE: np.array(1)}
        arguments = meaning.arguments({**quantities, **sizes})
        array = np.asarray(function({name: arguments[name] for name in parameters}))
        number = array.size == 1 and array.dtype.kind == "f"
        return float(array.item()) if number else np.nan

    return value


def unfolded(piece: Piece, lines: Sequence[LossLine]) -> Piece:
    """A body with the branches that hold a loss run always: `if epoch % 10 == 0: loss = ...`."""
    body: list[ast.stmt] = []
    files: list[str] = []
    for one, file in zip(piece.body, piece.files, strict=True):
        holds = isinstance(one, ast.If) and any(line.statement in in_order([one]) for line in lines)
        parts = one.body if isinstance(one, ast.If) and holds else [one]
        body += parts
        files += [file] * len(parts)
    return replace(piece, body=body, files=tuple(files))


def place_of(piece: Piece, line: LossLine) -> int:
    """Which statement of a body a line stands in."""
    for place, one in enumerate(piece.body):
        if line.statement is one or line.statement in in_order([one]):
            return place
    raise NotCut


def aliases(body: Sequence[ast.stmt]) -> set[str]:
    """The other names of arrays that are changed in place under them: `d = p; d[i, y] -= 1`."""
    given = {name for one in body if isinstance(one, ast.Assign) and isinstance(one.value, ast.Name)
             for name in stored(one)}  # fmt: skip
    changed = {name for one in body if not gives_whole(one) for name in stored(one)}
    return given & changed


def around(source: Source, name: str) -> list[ast.stmt]:
    """The function that a piece was cut out of, or all that is loose."""
    if name in source.definitions:
        return [source.definitions[name].node]
    return [one.node for one in source.statements]
