"""A training loop as a program that can be run on data of ours, with its gradients looked at.

    for i in range(0, n, batch_size):
        take_weights(W1, b1, W2, b2)         put in where the body begins
        xb, yb = X[i:i + batch_size], y[i:i + batch_size]
        ...
        take_gradient(0, dW1, xb, yb)        put in before the update that uses it

Of what stands before the loop the assignments are kept that it needs; data and weights become
parameters. `cut_rehearsal` runs it and says what it shows.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from compare.examine.starter.absent_data import COUNTS
from compare.examine.starter.binding import certain, plain
from compare.examine.starter.cut import DECAY, Cut, in_file
from compare.examine.starter.cut_loss import TARGETS
from compare.examine.starter.cut_names import loaded, stored
from compare.examine.starter.cut_piece import NotCut
from compare.examine.starter.harmless import without_effects
from compare.examine.starter.short_batch import NOMINAL
from compare.examine.starter.slots import RATE
from compare.examine.starter.source import Source
from compare.examine.starter.statements import Kind, Statement
from compare.examine.starter.update_words import number_in

NAME = "the_loop_itself"
WEIGHTS, GRADIENT = "take_weights", "take_gradient"
"""What the program calls: when a batch begins, and when a gradient is due."""
ROWS, BATCH = 22, 8
"""Two batches and a shorter one; no layer is as wide."""
SOME_RATE = 0.01
EPOCHS = re.compile(r"(n|num|max|total)?(epochs?|iters?|iterations?|steps)")
BODIES = ("body", "orelse", "finalbody")
DEEPEST = 6
"""How many names a batch may stand behind: `xb = X_shuffled[i:j]`, `X_shuffled = X[order]`."""


@dataclass(frozen=True)
class Program:
    """A loop as the function `NAME` of `source`.

    `data` is, for each parameter of the piece that is a batch, the name of all the rows, and
    `further` are names of other data, such as those of a validation set, by their quantity.
    """

    source: Source
    parameters: tuple[str, ...]
    data: dict[str, str]
    further: dict[str, str]


def program_of(
    source: Source, cut: Cut, statements: Sequence[Statement], batch: Set[str]
) -> Program:
    """The loop that a piece was cut out of; `batch` are the parameters that are one.

    Raises `NotCut` where there is no loop, or where it is not known what a batch is a part of.
    """
    first = statements[0].node
    nodes = first.body if isinstance(first, ast.FunctionDef) else [one.node for one in statements]
    ahead, loop = outermost(nodes, cut.piece.body)
    data = {name: whole_of(name, loop) for name in batch}
    handed = cut.weights | set(data.values())
    body = [*needed_before(ahead, loop, handed), watched(loop, cut, sorted(batch))]
    known = {name for one in source.statements for name in one.binds
             if one.kind in (Kind.DEFINITION, Kind.IMPORT)}  # fmt: skip
    numbers, body = with_numbers(body, cut.defaults, known | handed)
    own = {name for one in body for name in stored(one)}
    free = names_in([*body[:-1], loop]) - own - set(numbers) - known - handed
    meant = {name: certain(name, cut.how.layers) for name in free}
    further = {name: one for name, one in meant.items() if one in ("x", *TARGETS)}
    parameters = tuple(sorted(handed | set(further)))
    (function,) = ast.parse(f"def {NAME}({', '.join(parameters)}): pass").body
    assert isinstance(function, ast.FunctionDef)
    function.body = [*(assigned(name, value) for name, value in numbers.items()), *body]
    ast.copy_location(function, loop)
    inside = in_file(source, cut.piece.file, copy.deepcopy(function))
    return Program(without_effects(inside), parameters, data, further)


def outermost(
    nodes: Sequence[ast.stmt], body: Sequence[ast.stmt]
) -> tuple[list[ast.stmt], ast.stmt]:
    """The outermost loop around a body, and what stands before it."""
    ahead: list[ast.stmt] = []
    while True:
        for one in nodes:
            if holds(one, body):
                break
            ahead.append(one)
        else:
            raise NotCut
        if isinstance(one, ast.For | ast.While):
            return ahead, one
        nodes = next((inner for name in BODIES if (inner := getattr(one, name, []))
                      and any(holds(part, body) for part in inner)), [])  # fmt: skip


def holds(one: ast.stmt, body: Sequence[ast.stmt]) -> bool:
    """Whether a body stands in a statement."""
    return any(part is body[0] for part in ast.walk(one))


def whole_of(name: str, loop: ast.stmt) -> str:
    """The name of all the rows that a batch is picked from: of what stands before the loop."""
    for _ in range(DEEPEST):
        behind = next(picked_from(name, loop), name)
        if behind == name:
            return name
        name = behind
    raise NotCut


def picked_from(name: str, loop: ast.stmt) -> Iterator[str]:
    """Yield the name that the loop takes one from; raises `NotCut` where that is not clear."""
    for one in ast.walk(loop):
        if isinstance(one, ast.Assign) and name in stored(one):
            value = value_of(name, one)
        elif isinstance(one, ast.For) and name in stored(one.target):
            value = one.iter
        else:
            continue
        while isinstance(value, ast.Subscript):
            value = value.value
        if isinstance(value, ast.Name):
            yield value.id
        else:
            target = certain(name) in TARGETS
            named = [other for other in sorted(loaded(value))
                     if (meant := certain(other)) in ("x", *TARGETS)
                     and (meant in TARGETS) == target]  # fmt: skip
            if len(named) != 1:
                raise NotCut
            yield named[0]


def value_of(name: str, one: ast.Assign) -> ast.expr:
    """What a name gets, of several that are set in one statement."""
    target = one.targets[0]
    if isinstance(target, ast.Tuple) and isinstance(one.value, ast.Tuple):
        pairs = zip(target.elts, one.value.elts, strict=False)
        return next((v for t, v in pairs if isinstance(t, ast.Name) and t.id == name), one.value)
    return one.value


def needed_before(ahead: Sequence[ast.stmt], loop: ast.stmt, handed: Set[str]) -> list[ast.stmt]:
    """The assignments that a loop needs, but for those of what it is handed."""
    needed = names_in([loop])
    kept: list[ast.stmt] = []
    for one in reversed(ahead):
        given = set(stored(one))
        if isinstance(one, ast.Assign) and given & needed and not given & handed:
            needed |= loaded(one)
            kept.insert(0, one)
    return kept


def names_in(statements: Sequence[ast.stmt]) -> set[str]:
    """All names that stand in statements."""
    return {part.id for one in statements for part in ast.walk(one) if isinstance(part, ast.Name)}


def with_numbers(
    body: Sequence[ast.stmt], defaults: Mapping[str, float], known: Set[str]
) -> tuple[dict[str, float], list[ast.stmt]]:
    """The numbers that we choose, and the statements but for those that would set them.

    A batch size and the strength of a decay are always ours. How many rows there are, a rate and a
    number of epochs are where the file has none, or a number that is written there.
    """
    numbers: dict[str, float] = {}
    setting = {name: one for one in body[:-1] for name in stored(one)}
    for name in sorted(names_in(body) - known - set(stored(body[-1]))):
        set_by = setting.get(name)
        written = isinstance(set_by, ast.Assign) and number_in(set_by.value) is not None
        ours = chosen(plain(name), absent=set_by is None or written)
        if ours is not None:
            numbers[name] = ours
        elif name in defaults:
            numbers[name] = defaults[name]
    rest = [one for one in body[:-1] if not set(stored(one)) <= set(numbers)]
    return numbers, [*map(tried, rest), body[-1]]


def chosen(word: str, *, absent: bool) -> float | None:
    """Our number for a name, if it is one of those that we choose."""
    if NOMINAL.fullmatch(word):
        return BATCH
    if DECAY.fullmatch(word):
        return 0.0
    if not absent:
        return None
    if word in COUNTS:
        return ROWS
    if RATE.fullmatch(word):
        return SOME_RATE
    return 2 if EPOCHS.fullmatch(word) else None


def tried(one: ast.stmt) -> ast.stmt:
    """A statement that may fail, as the loading of a file that is not there."""
    (block,) = ast.parse("try:\n    pass\nexcept Exception:\n    pass").body
    assert isinstance(block, ast.Try)
    block.body = [one]
    return ast.copy_location(block, one)


def assigned(name: str, value: float) -> ast.stmt:
    """A number that we choose."""
    (one,) = ast.parse(f"{name} = {value!r}").body
    return one


def watched(loop: ast.stmt, cut: Cut, batch: Sequence[str]) -> ast.stmt:
    """A loop that hands over its weights, and before each update the gradient it uses."""
    found = copy.copy(loop)
    for name in BODIES:
        inner = getattr(loop, name, None)
        if inner is cut.piece.body:
            setattr(found, name, list(with_calls(inner, cut, batch)))
        elif isinstance(inner, list):
            setattr(found, name, [
                watched(one, cut, batch) if holds(one, cut.piece.body) else one for one in inner
            ])  # fmt: skip
    return found


def with_calls(body: Sequence[ast.stmt], cut: Cut, batch: Sequence[str]) -> Iterator[ast.stmt]:
    """Yield the statements of a body and the calls between them."""
    yield call_of(f"{WEIGHTS}({', '.join(sorted(cut.weights))})", body[0])
    for place in range(len(body) + 1):
        for number, (text, due) in enumerate(cut.wanted.values()):
            if due == place:
                line = body[min(place, len(body) - 1)]
                yield call_of(f"{GRADIENT}({number}, {text}, {', '.join(batch)})", line)
        yield from body[place : place + 1]


def call_of(text: str, beside: ast.stmt) -> ast.stmt:
    """A call, at the line of a statement."""
    (one,) = ast.parse(text).body
    for part in ast.walk(one):
        ast.copy_location(part, beside)
    return one
