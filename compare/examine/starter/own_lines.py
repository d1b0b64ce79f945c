"""The lines of somebody's file that a wrong gradient comes from, to look at beside the finding.

    d1 = (d2 @ W2.T) * (z1 > 0)
    dW1 = X.T @ (d2 @ W2.T)            where dw1 is wrong and dw2 is right

The line that gives the gradient its value, and those of other gradients that it is made of, but
none that the gradients of later layers are made of too: these were right, or would be named first.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from compare.examine.starter.binding import gradient_named, layers_named, plain, weight_called
from compare.examine.starter.cut_names import loaded
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.source import Source
from compare.examine.starter.statements import Kind
from compare.guard.blame import Place

TENSOR = re.compile(r"\bd([wb]\d)\b")
"""A gradient by our name for it."""
ELSEWHERE = re.compile(r"against the gradient and (.+) elsewhere")
"""How the sentence about a first step names the weights that go astray."""
GRADIENT = re.compile(r"(self\.)?_?(d|delta|grad|g_|err)", re.IGNORECASE)
"""How a name begins that holds a derivative."""
MOST = 3
RETURNED = "gradients"
"""What a dictionary that is returned without a name is called here."""


@dataclass(frozen=True)
class Given:
    """A value that is given to a name, or to the key of a dictionary."""

    key: str
    value: ast.expr
    place: Place


def lines_concerned(source: Source, one: FunctionVerdict) -> list[Place]:
    """Return the lines to look at, at most three, in their order; none where none is known."""
    if one.role == "step":
        return [one.place] if one.place else []
    given = [Given(key, value, place) for key, value, place in values(source, one)]
    meant = {one.key: weight for one, weight in zip(given, meanings(given), strict=True) if weight}
    wrong = wrong_weights(one.sentence, meant)
    later = {weight for weight in meant.values() if wrong and weight[1:] > max(wrong)[1:]}
    right = {name for weight in later for name in made_of(weight, given, meant)}
    found = [name for weight in sorted(wrong) for name in made_of(weight, given, meant)]
    names = set(found) - right
    places = {at.place.line: at.place for at in given if at.key in names and has_work(at.value)}
    return [places[line] for line in sorted(places)][-MOST:]


def own_name(source: Source, one: FunctionVerdict, weight: str) -> str:
    """Return what the gradient of a weight is called in the file, empty if it has not one name."""
    given = [Given(key, value, place) for key, value, place in values(source, one)]
    meant = zip(given, meanings(given), strict=True)
    names = {one.key for one, of in meant if of == weight and not one.key.startswith(RETURNED)}
    return names.pop() if len(names) == 1 else ""


def wrong_weights(sentence: str, meant: Mapping[str, str]) -> set[str]:
    """Return the weights, by our names, whose gradients a sentence says are wrong."""
    if named := TENSOR.search(sentence):
        return {named[1]}
    if astray := ELSEWHERE.search(sentence):
        words = [plain(word.rpartition(".")[2]) for word in re.split(r",? and |, ", astray[1])]
        return {weight for word in words if (weight := weight_called(word)) in meant.values()}
    return set()


def values(source: Source, one: FunctionVerdict) -> Iterator[tuple[str, ast.expr, Place]]:
    """Yield what is given a value in the functions, classes or loose lines a verdict is about."""
    names = [name.partition(".")[0] for name in one.name.split(", ")]
    homes = [source.definitions[name] for name in names if name in source.definitions]
    if not homes and one.place:
        homes = [each for each in source.statements if each.kind in (Kind.LEFT_OUT, Kind.CONSTANT)]
        around = [each for each in homes if each.file == one.place.file
                  and each.line <= one.place.line <= (each.node.end_lineno or each.line)
                  and hasattr(each.node, "body")]  # fmt: skip
        homes = around or homes
    for home in homes:
        for part in ast.walk(home.node):
            for key, value in given_in(part):
                yield key, value, Place(home.file, value.lineno)


def given_in(part: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that a statement gives values to, and the keys of dictionaries: of one that
    is returned as if it were called gradients."""
    if isinstance(part, ast.Assign):
        for target in part.targets:
            if isinstance(target, ast.Tuple) and isinstance(part.value, ast.Tuple):
                pairs = zip(target.elts, part.value.elts, strict=False)
                yield from ((ast.unparse(name), value) for name, value in pairs)
            else:
                yield ast.unparse(target), part.value
                yield from entries(ast.unparse(target), part.value)
    elif isinstance(part, ast.AugAssign):
        yield ast.unparse(part.target), part.value
    elif isinstance(part, ast.Return) and part.value is not None:
        returned = part.value.elts if isinstance(part.value, ast.Tuple) else [part.value]
        for value in returned:
            yield from entries(RETURNED, value)


def entries(name: str, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield the entries of a dictionary that is written out, by the name it has."""
    if isinstance(value, ast.Dict):
        for key, one in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield f"{name}[{key.value!r}]", one
    elif isinstance(value, ast.Call) and ast.unparse(value.func) == "dict":
        yield from ((f"{name}[{one.arg!r}]", one.value) for one in value.keywords if one.arg)


def meanings(given: Iterable[Given]) -> list[str]:
    """Return for each the weight whose gradient it is by its name, empty where it is none."""
    keys = [one.key for one in given]
    layers = layers_named([last(key) for key in keys])
    return [meaning(key, layers) for key in keys]


def meaning(key: str, layers: int) -> str:
    """Return the weight whose gradient has this name, or this key among gradients."""
    if GRADIENT.match(last(key)):
        return gradient_named(last(key), layers) or ""
    return weight_called(plain(last(key)), layers) if "[" in key and GRADIENT.match(key) else ""


def last(key: str) -> str:
    """Return the last word of a name: that of an attribute, or the key of an entry."""
    words = re.findall(r"\w+", key)
    return words[-1] if words else ""


def made_of(weight: str, given: list[Given], meant: Mapping[str, str]) -> set[str]:
    """Return the names that the gradient of a weight is made of, with its own; of those that hold
    no derivative only where another does the rest."""
    found = {key for key, other in meant.items() if other == weight}
    waiting = [one for one in given if one.key in found]
    while waiting:
        read = loaded(waiting.pop().value)
        more = [one for one in given if one.key in read - found and GRADIENT.match(one.key)]
        found |= {one.key for one in more}
        waiting += more
    return found


def has_work(value: ast.expr) -> bool:
    """Whether something is computed in an expression, and not only handed on."""
    return any(isinstance(one, ast.BinOp | ast.Call | ast.UnaryOp) for one in ast.walk(value))
