"""The loss in the lines beside a back propagation: cut out of its loop too, and compared.

    total += -np.sum(y * np.log(p))       a sum, which may be divided later: nobody is accused
    loss = np.sum(correct_logprobs) / n   a mean: gradients that are summed do not belong to it

It is evaluated at the weights that the loop begins with, without its penalty. A loss that is wrong
is one with a known mistake; any other was not compared.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Diagnosis, Verdict
from compare.examine.starter.absent_data import COUNTS, put_in, stand_ins
from compare.examine.starter.binding import GIVEN, certain, plain
from compare.examine.starter.cut import Cut, gives_whole, in_file, indices, outside, sliced
from compare.examine.starter.cut_names import stored
from compare.examine.starter.cut_piece import NotCut, Piece
from compare.examine.starter.expected import LOSS, Expected
from compare.examine.starter.function_verdict import FunctionVerdict, apart
from compare.examine.starter.gradient_check import GradientCheck
from compare.examine.starter.loss_check import loss_named
from compare.examine.starter.loss_lines import LossLine, Unguarded, in_order, loss_lines, negated
from compare.examine.starter.meanings import Meaning
from compare.examine.starter.readings import UNEQUAL
from compare.examine.starter.source import Source
from compare.examine.starter.together import known
from compare.guard.copies import OnCopies
from compare.guard.guard import Guard

NAME = "loss_of_the_loop"
ROWS, CLASSES, ONE = "N", "K", "1"
"""Numbers that a loss may be divided by."""
BATCH_COUNT = re.compile(r"(n|num|nr|numberof|total)?(mini)?batches|nb|numbatch|nbatch")
CLASS_COUNT = re.compile(r"k|c|num\w*class\w*|nclass\w*|classes|num\w*labels|noutputs?|outputdim")
AGREE = "its gradients agree"
Value = Callable[[Mapping[str, Array]], float]
"""From everything that is known at a point to the number that a line gives."""


@dataclass(frozen=True)
class Shown:
    """A line of a loss, and what it gives; `guards` were left out of its logarithms."""

    line: LossLine
    value: Value
    guards: tuple[str, ...]

    def __call__(self, due: Expected) -> float:
        """What it gives at one point; NaN where it gives no number."""
        try:
            return self.value(due.quantities)
        except UserCodeError:
            return np.nan

    def per_row(self, quantities: Mapping[str, Array]) -> float:
        """What it gives, divided by the rows."""
        return self.value(quantities) / len(quantities["y"])


def with_loss(
    check: GradientCheck, source: Source, cut: Cut, meaning: Meaning, found: FunctionVerdict
) -> FunctionVerdict:
    """The verdict on gradients that are right, or right as a sum, in the light of the loss that
    stands beside them."""
    lines = loss_lines(cut.piece.body)
    if not lines:
        return found
    shown = list(shown_of(source, cut, meaning, lines, check.guard.timeout))
    sizes = UNEQUAL.of_layers(cut.how.layers)
    mean, total = (check.due(sizes, reduction) for reduction in ("mean", "sum"))
    numbers = [(one, one(mean)) for one in shown]
    numbers = [(one, number) for one, number in numbers if np.isfinite(number)]
    right = [one for one, number in numbers if is_loss(mean, number)]
    if right:
        return beside_a_mean(right[0], found, check.reduction)
    summed = [one for one, number in numbers if one.line.last and is_loss(total, number)]
    if summed:
        return beside_a_sum(summed[0], found)
    if found.verdict is not Verdict.AGREES:
        return found
    last = [(one, number) for one, number in numbers if one.line.last]
    if not last:
        where = lines[-1].number
        return found.undecided(f"{AGREE}; its loss, line {where}, was not compared")
    return of_another_loss(check, meaning, found, mean, *last[-1])


def is_loss(due: Expected, number: float) -> bool:
    """Whether a number is the loss of a point."""
    return due.compare(LOSS, np.array(number)).agrees


def beside_a_mean(one: Shown, found: FunctionVerdict, declared: str) -> FunctionVerdict:
    """The verdict on gradients whose loss is the mean over the batch."""
    if found.reduction != "sum":
        return replace(found, conventions=(*found.conventions, *words(one, "is right")))
    line = one.line.number
    if declared == "sum":
        sentence = f"its loss, line {line}, is the mean over the batch, its gradients are summed"
        return replace(
            found.wrong("value", sentence), role=LOSS, diagnosis=known("loss-averaged"),
        )  # fmt: skip
    sentence = f"it sums over the batch, but its loss, line {line}, is the mean: N times too large"
    return replace(
        found.wrong("value", sentence, found.worst), diagnosis=known("gradient-summed")
    )  # fmt: skip


def beside_a_sum(one: Shown, found: FunctionVerdict) -> FunctionVerdict:
    """The verdict on gradients whose loss is the sum over the batch, which may be divided later."""
    if found.reduction == "sum" and found.verdict is Verdict.DISAGREES:
        return replace(found, diagnosis=known("summed-not-averaged"))
    said = words(one, "is the sum over the batch")
    return replace(found, conventions=(*found.conventions, *said))


def words(one: Shown, is_what: str) -> Iterator[str]:
    """What is said of a loss that was compared."""
    yield f"its loss, line {one.line.number}, {is_what}"
    if one.guards:
        yield f"the guard + {' and + '.join(one.guards)} in its logarithm was left out"


def of_another_loss(
    check: GradientCheck, meaning: Meaning, found: FunctionVerdict, due: Expected, one: Shown,
    number: float,
) -> FunctionVerdict:  # fmt: skip
    """The verdict on right gradients whose loss is another number: a known mistake, or not told.

    A sum that lines add to may be divided by the rows later: that it is one is no mistake.
    """

    def named(value: Value) -> tuple[Diagnosis, ...]:
        return loss_named(
            lambda *given: given[0], lambda quantities: {LOSS: value(quantities)},
            activation=due.point.activation, reduction=check.reduction, seed=check.seed,
            timeout=check.guard.timeout,
        )  # fmt: skip

    found_in = named(one.value)
    if one.line.own and any("+" in each.mistake for each in found_in):
        found_in = named(one.per_row) or found_in
    worst = due.compare(LOSS, np.array(number)).worst
    is_not = f"is {number:.10g}, where {worst.reference:.10g} is right{apart(worst)}"
    sentence = f"its loss, line {one.line.number}, {is_not}"
    if not found_in:
        return found.undecided(f"{AGREE}; {sentence}: what it is was not told")
    return replace(found.wrong("value", sentence, worst), role=LOSS, diagnosis=found_in)


def shown_of(
    source: Source, cut: Cut, meaning: Meaning, lines: Sequence[LossLine], timeout: float | None
) -> Iterator[Shown]:
    """The lines that can be evaluated with what the gradients are handed."""
    piece = unfolded(cut.piece, lines)
    for line in lines:
        try:
            yield shown(source, cut, piece, meaning, line, timeout)
        except NotCut:
            continue


def shown(
    source: Source, cut: Cut, piece: Piece, meaning: Meaning, line: LossLine, timeout: float | None
) -> Shown:
    """One line, with what it needs of the statements before it; raises `NotCut`."""
    place = place_of(piece, line) + (line.text == line.name)
    ahead = replace(piece, body=[one for one in piece.body[:place]
                                 if not set(stored(one)) & cut.weights])  # fmt: skip
    drawn = indices(piece) - cut.weights
    end = len(ahead.body)
    wanted = {"": (line.text, end)} | {f"{name} too": (name, end) for name in aliases(ahead.body)}
    kept, needed = sliced(ahead, wanted, drawn)
    set_before = [ast.Assign([ast.Name(line.own, ast.Store())], ast.Constant(0.0))]
    before, parameters, rows = outside(
        source, piece, needed - drawn - {line.own}, cut.weights, cut.defaults, 0.0
    )
    if needed & drawn:
        raise NotCut
    meaning = with_more(meaning, parameters, cut.how.layers)
    unguarded = Unguarded()
    own = set_before if line.own else []
    body = [unguarded.visit(copy.deepcopy(one)) for one in (*own, *before, *kept)]
    (function,) = ast.parse(f"def {NAME}({', '.join(parameters)}): return taken_0").body
    assert isinstance(function, ast.FunctionDef)
    function.body = [*body, *function.body]
    ast.copy_location(function, line.statement)
    sign = -1.0 if line.own and negated(line, around(source, cut.name)) else 1.0
    inside = in_file(source, piece.file, function)
    value = called(inside, parameters, frozenset(rows), meaning, sign, timeout)
    return Shown(line, value, tuple(dict.fromkeys(unguarded.guards)))


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
    source: Source, parameters: Sequence[str], rows: Set[str], meaning: Meaning, sign: float,
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
        return sign * float(array.item()) if number else np.nan

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
