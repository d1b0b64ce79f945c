"""A back propagation in the middle of a training loop, cut out as a function that can be called.

From the innermost body that multiplies by a transpose, the statements are taken that the updates
need; what these read becomes parameters: the batch, the targets and the weights. What is taken off
a weight at a rate of 1, without decay and from a velocity of 0, is its gradient. So `train()` with
everything in it and the cells of a notebook are compared like a gradient function. What draws
numbers or loads files is not taken; where the gradients need it, or where an update cannot be read,
nothing is cut out and the report says what to paste where.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from compare.examine.starter.absent_data import COUNTS
from compare.examine.starter.binding import (
    CERTAIN,
    gradient_named,
    layers_named,
    plain,
    weight_called,
)
from compare.examine.starter.cut_given import COUNTED, DRAWN, Given, gives_whole
from compare.examine.starter.cut_gradient import (
    ascends,
    factors_left_out,
    gradient_of,
    is_gradient,
)
from compare.examine.starter.cut_names import loaded, stored
from compare.examine.starter.cut_piece import NotCut, Piece, innermost
from compare.examine.starter.gradient_functions import GradientFunction, read_function
from compare.examine.starter.slots import RATE
from compare.examine.starter.source import Source
from compare.examine.starter.statements import Kind, Statement
from compare.examine.starter.update_lines import word
from compare.examine.starter.update_reading import Update
from compare.examine.starter.update_words import number_in
from compare.guard.blame import Place

DECAY = re.compile(
    r"reg(ulari[sz]ation)?\w*|lam(bda|bd)?_?|lmb(d|da)?|l[12](reg|lambda)?|weightdecay|wd"
)
"""The strength of a decay, which is compared apart (`cut_check`)."""
MOMENTUM = re.compile(r"mom(entum)?|mu")
"""What is taken as 0: it is no part of the gradient."""
SOME_RATE = 0.1


@dataclass(frozen=True)
class Cut:
    """A function made of the statements of a loop; `name` is what stands in the report.

    `climbs`: an update goes up what is taken for the gradient, which may be its negative. `piece`
    is where it was cut out, `weights` are the names that are updated there, `defaults` the numbers
    of the parameters, `wanted` the text and the place of each gradient and `decays` the names of
    strengths in it.
    """

    source: Source
    how: GradientFunction
    name: str
    place: Place
    rows: frozenset[str]
    lines: str
    climbs: bool
    piece: Piece
    weights: frozenset[str]
    defaults: dict[str, float]
    wanted: dict[str, tuple[str, int]]
    decays: frozenset[str] = frozenset()

    @property
    def function(self) -> str:
        """Return the name of the function in `source`."""
        return self.how.name


def cut_out(
    source: Source, statements: Sequence[Statement], name: str, updates: Sequence[Update],
    defaults: dict[str, float], signed: bool, strength: float = 0.0,
) -> Cut:  # fmt: skip
    """Return the back propagation of a function or of loose code as a function; raises `NotCut`.

    `signed`: what is added to a weight is the negative of its gradient. `strength`: of a decay.
    """
    if len(factors_left_out(updates)) > 1:
        raise NotCut  # whether they are rates or a part of the gradients is not known
    piece = innermost(statements)
    wanted = captures(piece, updates, signed)
    weights = roots_of(updates)
    drawn = indices(piece) - weights
    kept, needed = sliced(piece, wanted, drawn, Given.of(piece, defined(source)))
    if not kept:
        raise NotCut
    ahead, parameters, rows = outside(source, piece, needed - drawn, weights, defaults, strength)
    if needed & drawn or "self" in needed or any(map(divides_by_number, kept)):
        raise NotCut
    results = ", ".join(f"taken_{i}" for i in range(len(wanted)))
    given = ast.parse(results if len(wanted) == 1 else f"({results})", mode="eval").body
    body = [*ahead, *kept, ast.Return(given)]
    (function,) = ast.parse(f"def gradients_of_the_loop({', '.join(parameters)}): pass").body
    assert isinstance(function, ast.FunctionDef)
    function.body = body
    ast.copy_location(function, kept[0])
    numbers = sorted(one.lineno for one in kept)
    lines = (
        f"lines {numbers[0]} to {numbers[-1]}" if len(set(piece.files)) == 1 else "what it needs"
    )
    place = Place(piece.file, numbers[0])
    inside, how = made(source, piece.file, function, wanted)
    climbs = any(map(ascends, updates)) and not signed
    decays = frozenset(one for each in ahead for one in stored(each) if DECAY.fullmatch(plain(one)))
    return Cut(
        inside,
        how,
        name,
        place,
        rows,
        lines,
        climbs,
        piece,
        frozenset(weights),
        defaults,
        wanted,
        decays,
    )


def made(
    source: Source, file: str, function: ast.FunctionDef, wanted: dict[str, tuple[str, int]]
) -> tuple[Source, GradientFunction]:
    """Return the file with the function behind it, and how its names are read."""
    inside = in_file(source, file, function)
    how = read_function(inside, function.name, function)
    weights = [weight_called(word(weight), how.layers) for weight in wanted]
    known = all(weights) and len(set(weights)) == len(weights)
    return inside, replace(
        how, returned=tuple(text for text, _ in wanted.values()),
        returns=tuple(str(one) for one in weights) if known else None,
    )  # fmt: skip


def in_file(source: Source, file: str, function: ast.FunctionDef) -> Source:
    """Return a file with a function behind it."""
    ast.fix_missing_locations(function)
    read = frozenset(part.id for part in ast.walk(function) if isinstance(part, ast.Name))
    one = Statement(file, function, Kind.DEFINITION, frozenset({function.name}), read)
    return replace(source, statements=(*source.statements, one))


def roots_of(updates: Sequence[Update]) -> set[str]:
    """Return the names that the weights are, or that they are parts of."""
    return {re.split(r"[.\[]", update.weight)[0] for update in updates}


def captures(piece: Piece, updates: Sequence[Update], signed: bool) -> dict[str, tuple[str, int]]:
    """Return by weight the text of its gradient, and before which statement of the body it is due.

    Without updates, the names of gradients that the body gives values to.
    """
    found: dict[str, tuple[str, int]] = {}
    for update in updates:
        text = gradient_of(update, signed)
        last = update.lines[-1]
        places = [
            i for i, one in enumerate(piece.body)
            if piece.files[i] == last.file
            and one.lineno <= last.number <= (one.end_lineno or one.lineno)
        ]  # fmt: skip
        if not text or not places:
            raise NotCut
        found[update.weight] = (text, places[0])
    if not updates:
        named = [name for one in piece.body for name in stored(one) if is_gradient(name)]
        layers = layers_named(named)
        found |= {weight: (name, len(piece.body)) for name in named
                  if (weight := gradient_named(name, layers))}  # fmt: skip
    if not found:
        raise NotCut
    return found


def indices(piece: Piece) -> set[str]:
    """Return the names that are no data: counts, random orders, and what is made of them."""
    found = set(piece.counts)
    for one in (*piece.before, *piece.body):
        if isinstance(one, ast.Assign):
            drawn = any(DRAWN.search(ast.unparse(part.func)) for part in ast.walk(one.value)
                        if isinstance(part, ast.Call))  # fmt: skip
            whole = isinstance(one.value, ast.Subscript | ast.Tuple)
            base = loaded(one.value.value) if isinstance(one.value, ast.Subscript) else set()
            if drawn or base & found or (not whole and loaded(one.value) & found):
                found |= {name for name in stored(one) if plain(name) not in CERTAIN}
    return found


def sliced(
    piece: Piece, wanted: dict[str, tuple[str, int]], drawn: Set[str], given: Given
) -> tuple[list[ast.stmt], set[str]]:
    """Return the statements that the gradients need, each gradient taken where it is used, and the
    names that they read."""
    kept: list[ast.stmt] = []
    needed: set[str] = set()
    for place in range(len(piece.body), -1, -1):
        one = piece.body[place] if place < len(piece.body) else None
        if one is not None and set(stored(one)) & needed:
            if not (picks(one, drawn) or given.gives(one)):  # these become parameters
                one = unaugmented(one, set(wanted))
                if gives_whole(one):
                    needed -= set(stored(one))
                needed |= loaded(one)
                kept.insert(0, one)
        for number, (text, due) in enumerate(wanted.values()):
            if due == place:
                value = ast.parse(text, mode="eval").body
                taken = ast.Assign([ast.Name(f"taken_{number}", ast.Store())], value)
                ast.copy_location(taken, piece.body[min(place, len(piece.body) - 1)])
                for part in ast.walk(taken):
                    ast.copy_location(part, taken)
                needed |= loaded(value)
                kept.insert(0, taken)
    return kept, needed


def defined(source: Source) -> set[str]:
    """Return the names of functions, classes and modules: those of the file and Python's own."""
    kinds = (Kind.DEFINITION, Kind.IMPORT)
    own = {name for one in source.statements if one.kind in kinds for name in one.binds}
    return own | set(dir(builtins))


def divides_by_number(one: ast.stmt) -> bool:
    """Return whether a statement divides by a number that is written there, as a batch size is."""
    return any(
        isinstance(part, ast.BinOp | ast.AugAssign) and isinstance(part.op, ast.Div)
        and (number_in(part.right if isinstance(part, ast.BinOp) else part.value) or 0) > 2
        for part in ast.walk(one)
    )  # fmt: skip


def picks(one: ast.stmt, drawn: Set[str]) -> bool:
    """Return whether a statement picks a batch: `xb = X[i:j]`, `xb, yb = X[perm], y[perm]`."""
    if not isinstance(one, ast.Assign):
        return False
    values = one.value.elts if isinstance(one.value, ast.Tuple) else [one.value]
    return all(isinstance(part, ast.Subscript) and loaded(part.slice) & drawn for part in values)


def unaugmented(one: ast.stmt, weights: Set[str]) -> ast.stmt:
    """Return `W -= step` as `W = W - step`: the array that was handed over stays as it is."""
    if not isinstance(one, ast.AugAssign) or ast.unparse(one.target) not in weights:
        return one
    value = ast.BinOp(ast.parse(ast.unparse(one.target), mode="eval").body, one.op, one.value)
    return ast.fix_missing_locations(ast.copy_location(ast.Assign([one.target], value), one))


def outside(
    source: Source,
    piece: Piece,
    needed: Set[str],
    weights: Set[str],
    defaults: dict[str, float],
    strength: float,
) -> tuple[list[ast.stmt], list[str], frozenset[str]]:
    """Return statements that set numbers, the parameters, and the names of the number of rows."""
    numbers = {name: one.value for one in (*piece.before, *(s.node for s in source.statements))
               if isinstance(one, ast.Assign) and gives_whole(one)
               and number_in(one.value) is not None
               for name in stored(one)}  # fmt: skip
    ahead: list[ast.stmt] = []
    parameters: list[str] = []
    rows: set[str] = set()
    counted = [one for one in piece.before if isinstance(one, ast.Assign) and COUNTED.fullmatch(
        ast.unparse(one.value)) and set(stored(one)) & needed]  # fmt: skip
    for one in counted:
        base = next(iter(loaded(one.value) - {"len"}))
        if base in needed:
            ahead.append(one)
            needed = needed - set(stored(one))
        elif not isinstance(one.targets[0], ast.Tuple):
            rows |= set(stored(one))
            needed = needed - set(stored(one))
    for name in sorted(needed - defined(source)):
        key = plain(name)
        value: ast.expr | None = numbers.get(name)
        if name in defaults:
            value = ast.Constant(defaults[name])
        if DECAY.fullmatch(key) or MOMENTUM.fullmatch(key):
            value = ast.Constant(strength if DECAY.fullmatch(key) else 0.0)
        elif value is None and RATE.fullmatch(key):
            value = ast.Constant(SOME_RATE)
        if name not in weights and key in COUNTS:
            rows.add(name)
        elif name not in weights and value is not None:
            target = ast.Name(name, ast.Store())
            ahead.append(ast.Assign([target], value, lineno=piece.body[0].lineno))
        else:
            parameters.append(name)
    return ahead, parameters, frozenset(rows)
