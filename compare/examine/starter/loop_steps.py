"""The update inside a training loop: taken out, run on numbers of our own, and judged.

The lines that give a weight its next value are followed back to a gradient, a velocity and the
rates. They are run for a few updates and held against gradient descent with momentum; a known
mistake is said with its line. An update that cannot be read off is named as not compared.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.result import Diagnosis, Verdict
from compare.diagnosis.step import diagnose_step
from compare.diagnosis.track import Settings, Track
from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.missed import bodies, trains_inline
from compare.examine.starter.slots import GRADIENT_NAME, RATE
from compare.examine.starter.source import Source
from compare.examine.starter.statements import Kind
from compare.guard.blame import Place

Array = NDArray[Any]
WEIGHT = re.compile(r"(w|b|theta)([a-z]{0,6}\d*|\d+\w*)|.*(weight|bias|theta|param).*")
MOMENTUM = re.compile(r"(m|mu|mom|momentum|gamma|beta|rho)\w*")
ELEMENTWISE = frozenset({"sqrt", "sign", "square", "copy", "array", "asarray", "multiply", "add",
                         "subtract", "divide", "negative", "zeros_like"})  # fmt: skip
UPDATES = 4
SHAPE = (4, 3)
GIVEN = {"rate": 0.37, "momentum": 0.83}
ACCUSED = frozenset({
    "gradient-ascent", "parameter-as-gradient", "parameter-as-velocity", "bias-as-velocity",
    "velocity-not-stored", "parameter-as-velocity-not-stored", "momentum-added",
    "momentum-subtracted", "learning-rate-inside-and-outside", "learning-rate-squared",
    "gradient-without-velocity", "gradient-not-in-velocity", "velocity-not-carried",
    "parameter-never-updated", "update-applied-twice", "velocity-squared-momentum",
    "old-velocity-applied", "velocity-carried-one-step", "gradient-of-update-before",
    "velocity-reset",
})  # fmt: skip
"""What nobody does on purpose."""
WHATEVER_THE_RATES = frozenset({
    "gradient-ascent", "parameter-as-gradient", "parameter-as-velocity", "bias-as-velocity",
})  # fmt: skip
"""Of these, what is one whichever of the numbers written are the rates."""
CHOSEN = frozenset({
    "dampened", "dampened-after-first", "nesterov", "nesterov-negated", "weight-decay",
    "weight-decay-outside", "weight-decay-without-rate", "l1-decay", "velocity-negated",
    "another-learning-rate", "another-momentum", "sign-of-gradient", "gradient-normalised",
})  # fmt: skip
"""What is a choice: another method or decay."""
OTHER_NUMBER = 0.05
"""Stands for a number of which nothing is known: a strength, a batch size."""
GRADIENT_LETTER = re.compile(r"g[a-z]?[wb]?\d*s?")
ADVICE = "write it as step(parameters, gradients, state, *, learning_rate, momentum) for --manual"


class Unread(Exception):
    """An update that cannot be read off its lines."""


@dataclass(frozen=True)
class Line:
    """An assignment of a loop: what is assigned as it is written, its value or None if it cannot
    be run here, and where."""

    key: str
    value: ast.expr | None
    number: int


@dataclass(frozen=True)
class Update:
    """The lines that give a weight its next value, and what its other names stand for."""

    weight: str
    number: int
    lines: tuple[Line, ...]
    gradient: str
    origin: str
    states: tuple[str, ...]
    scalars: dict[str, float | str] = field(default_factory=dict)
    known: Set[str] = frozenset()


@dataclass(frozen=True)
class Record:
    """Where training stood before an update."""

    update: int
    parameters: dict[str, Array]
    gradients: dict[str, Array]
    state: dict[str, Array]


def loop_steps(source: Source, compared: Iterable[str]) -> tuple[list[FunctionVerdict], list[str]]:
    """Return what is wrong or unread of the updates in training loops, and a note on right ones."""
    done = set(compared)
    found: list[FunctionVerdict] = []
    right: list[str] = []
    for file, node, where in places_of_training(source, done):
        good: list[str] = []
        for body in bodies(node):
            lines = list(lines_of(body))
            weights = weights_of(lines)
            shared: dict[str, str] = {}
            for weight in weights:
                verdict = judged(source, file, where, weight, lines, shared, done)
                found += [] if verdict is None else [verdict]
                good += [weight.key] if verdict is None else []
        right += [f"{', '.join(good)} {where}"] if good else []
    notes = [f"gradient descent with momentum or without: the updates of {one}" for one in right]
    return found, notes


def places_of_training(source: Source, done: Set[str]) -> Iterator[tuple[str, ast.AST, str]]:
    """Yield the functions, methods and loops in which weights may be updated, with their file.

    Where gradients are computed on the spot the whole of it is compared, or said not to be.
    """
    for one in source.statements:
        named: Sequence[tuple[ast.AST, str]]
        if isinstance(one.node, ast.ClassDef):
            methods = [part for part in one.node.body if isinstance(part, ast.FunctionDef)]
            named = [(part, f"in {one.node.name}.{part.name}") for part in methods]
        elif isinstance(one.node, ast.FunctionDef):
            named = [] if one.node.name in done else [(one.node, f"in {one.node.name}")]
        else:
            loose = one.kind is Kind.LEFT_OUT
            named = [(one.node, "in the training loop")] if loose else []
        yield from ((one.file, node, where) for node, where in named if not trains_inline(node))


def lines_of(body: Sequence[ast.stmt]) -> Iterator[Line]:
    """Yield the assignments of a body in order, one name each."""
    for one in body:
        if isinstance(one, ast.AugAssign):
            left = ast.parse(ast.unparse(one.target), mode="eval").body
            yield Line(ast.unparse(one.target), ast.BinOp(left, one.op, one.value), one.lineno)
        elif isinstance(one, ast.Assign):
            for target in one.targets:
                yield from assigned(target, one.value, one.lineno)


def assigned(target: ast.expr, value: ast.expr, number: int) -> Iterator[Line]:
    """Yield the names of one assignment; those of a call that returns several have no value."""
    if not isinstance(target, ast.Tuple | ast.List):
        yield Line(ast.unparse(target), value, number)
        return
    several = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
    values = value.elts if several and isinstance(value, ast.Tuple | ast.List) else None
    for index, one in enumerate(target.elts):
        yield Line(ast.unparse(one), values[index] if values else None, number)


def weights_of(lines: Sequence[Line]) -> list[Line]:
    """Return the lines that add something to a weight or take something off it."""
    return [one for one in lines if WEIGHT.fullmatch(word(one.key)) and moves(one)]


def moves(line: Line) -> bool:
    """Return whether a line is `w = w - ...` or `w = w + ...`."""
    value = line.value
    if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Add | ast.Sub):
        return False
    sides = [value.left, *([value.right] if isinstance(value.op, ast.Add) else [])]
    number = isinstance(value.right, ast.Constant)
    return not number and any(ast.unparse(side) == line.key for side in sides)


def word(key: str) -> str:
    """Return the word that tells what a name is: `W1` of `net.params["W1"]`, `w` of `w[i]`."""
    quoted = re.findall(r"""['"](\w+)['"]""", key)
    names = re.findall(r"[A-Za-z_]\w*", re.sub(r"\[[^'\"]*\]", "", key))
    return plain(quoted[-1] if quoted else names[-1]) if quoted or names else ""


def read(line: Line, known: Container[str] = ()) -> list[str]:
    """Return the names that a line reads, and the calls of `known` functions; raises `Unread` where
    it does more than arithmetic."""
    reader = Reader(known)
    if line.value is None:
        raise Unread(f"{line.key} is what a call returns")
    reader.visit(ast.parse(ast.unparse(line.value), mode="eval").body)
    return list(reader.keys)


class Reader(ast.NodeTransformer):
    """Replaces the names of an expression by plain ones, which `keys` lists."""

    def __init__(self, known: Container[str] = ()) -> None:
        self.known = known
        self.keys: dict[str, str] = {}

    def key(self, node: ast.expr) -> ast.expr:
        """Return the plain name of a name, attribute or entry."""
        name = self.keys.setdefault(ast.unparse(node), f"k{len(self.keys)}")
        return ast.Name(name, ast.Load())

    visit_Name = visit_Subscript = key

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """A transpose is more than arithmetic."""
        if node.attr in ("T", "shape", "size"):
            raise Unread(f"{ast.unparse(node)} is more than arithmetic")
        return self.key(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """A matrix product is more than arithmetic."""
        if isinstance(node.op, ast.MatMult):
            raise Unread(f"{ast.unparse(node)} is more than arithmetic")
        return ast.BinOp(self.visit(node.left), node.op, self.visit(node.right))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Only elementwise functions of NumPy, copies and functions that were compared."""
        called = node.func
        if isinstance(called, ast.Name) and called.id in self.known:
            return self.key(node)
        if isinstance(called, ast.Attribute) and not node.keywords:
            root = ast.unparse(called.value)
            if root in ("np", "numpy") and called.attr in ELEMENTWISE:
                return ast.Call(ast.Attribute(ast.Name("np", ast.Load()), called.attr, ast.Load()),
                                [self.visit(one) for one in node.args], [])  # fmt: skip
            if called.attr == "copy" and not node.args:
                copied: ast.expr = self.visit(called.value)
                return copied
        raise Unread(f"{ast.unparse(node)} is more than arithmetic")


def update_of(
    weight: Line, lines: Sequence[Line], constants: dict[str, float], known: Set[str] = frozenset()
) -> Update:
    """Follow the lines of a weight back to a gradient, a velocity and the rates."""
    place = lines.index(weight)
    taken = {place}
    opaque: dict[str, str] = {}
    inputs: set[str] = set()
    waiting = [place]
    while waiting:
        at = waiting.pop()
        for key in read(lines[at], known):
            if key == weight.key:
                continue
            before = [i for i in range(at) if lines[i].key == key]
            after = [i for i in range(len(lines)) if lines[i].key == key and i not in before]
            source = before[-1:] or after[-1:]
            if not source:
                inputs.add(key)
                continue
            try:
                read(lines[source[0]], known)
            except Unread:
                opaque[key] = f"{key} of line {lines[source[0]].number}"
                continue
            if source[0] not in taken:
                taken.add(source[0])
                waiting.append(source[0])
    chosen = [lines[i] for i in sorted(taken)]
    return replace(meant(weight, chosen, opaque, inputs, lines, constants), known=known)


def meant(
    weight: Line,
    chosen: Sequence[Line],
    opaque: Mapping[str, str],
    inputs: set[str],
    lines: Sequence[Line],
    constants: dict[str, float],
) -> Update:
    """Say what the names of an update stand for; raises `Unread` where one is not certain."""
    made = {one.key for one in lines}
    gradients = set(opaque)
    scalars: dict[str, float | str] = {}
    for key in inputs:
        root = re.split(r"[.\[]", key)[0]
        if key.endswith(")"):  # what a gradient function returns
            gradients.add(key)
        elif key in constants:
            named = "rate" if RATE.fullmatch(word(key)) else "momentum"
            known = RATE.fullmatch(word(key)) or MOMENTUM.fullmatch(word(key))
            scalars[key] = named if known else constants[key]
        elif RATE.fullmatch(word(key)):
            scalars[key] = "rate"
        elif root in made or any(map(of_gradient, (word(key), plain(root)))):
            gradients.add(key)
        elif MOMENTUM.fullmatch(word(key)):
            scalars[key] = "momentum"
        elif WEIGHT.fullmatch(word(key)):
            raise Unread(f"{key} is another weight")
        else:
            scalars[key] = OTHER_NUMBER
    if len(gradients) > 1:
        raise Unread(f"its gradient is not certain ({', '.join(sorted(gradients))})")
    states = tuple(dict.fromkeys(one.key for one in chosen if one.key != weight.key))
    gradient = next(iter(gradients), "")  # none: the weight may stand in its place
    origin = opaque.get(gradient, gradient)
    return Update(weight.key, weight.number, tuple(chosen), gradient, origin, states, scalars)


def of_gradient(name: str) -> bool:
    """Return whether a name is one of a gradient."""
    return bool(GRADIENT_NAME.fullmatch(name) or GRADIENT_LETTER.fullmatch(name))


def run(update: Update) -> list[Record]:
    """Run the lines of an update a few times on numbers of our own."""
    generator = np.random.default_rng(0)
    name = "p1"  # neither weight nor bias: what is left out of either of them is a choice
    scope: dict[str, Any] = {update.weight: generator.normal(size=SHAPE)}
    scope |= {key: np.zeros(SHAPE) for key in update.states}
    scope |= {key: GIVEN[v] if isinstance(v, str) else v for key, v in update.scalars.items()}
    records = []
    for number in range(UPDATES):
        scope[update.gradient] = generator.normal(size=SHAPE)
        before = np.array(scope[update.weight])
        records.append(Record(number, {name: before}, {name: scope[update.gradient]}, {}))
        for line in update.lines:
            scope[line.key] = value_of(line, scope, update.known)
    return records


def value_of(line: Line, scope: dict[str, Any], known: Set[str]) -> Array:
    """Return what a line assigns."""
    assert line.value is not None
    reader = Reader(known)
    body = reader.visit(ast.parse(ast.unparse(line.value), mode="eval").body)
    code = compile(ast.fix_missing_locations(ast.Expression(body)), "<update>", "eval")
    names = {short: scope[key] for key, short in reader.keys.items()}
    value: Array = np.array(eval(code, {"np": np, "__builtins__": {}}, names))
    return value


def settings_of(update: Update) -> Iterator[tuple[float, float]]:
    """Yield the learning rates and momenta that may be meant: the names', or numbers written."""
    numbers = [
        float(node.value)
        for line in update.lines
        if line.value is not None
        for node in ast.walk(line.value)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    ]
    numbers += [value for value in update.scalars.values() if isinstance(value, float)]
    written = dict.fromkeys([*numbers, 1.0])
    rates = [GIVEN["rate"]] if "rate" in update.scalars.values() else list(written)
    momenta = [GIVEN["momentum"]] if "momentum" in update.scalars.values() else [*written, 0.0]
    yield from product(rates, momenta if update.states else [0.0])


def judged(
    source: Source,
    file: str,
    where: str,
    weight: Line,
    lines: Sequence[Line],
    shared: dict[str, str],
    known: Set[str],
) -> FunctionVerdict | None:
    """Return what is wrong with the update of a weight or why it is not judged; None: right."""
    place = Place(file, weight.number)
    about = FunctionVerdict(
        f"the update of {weight.key} {where}", "step", place, Verdict.UNDECIDABLE, ""
    )
    try:
        update = update_of(weight, lines, constants_of(source), known)
        records = run(update)
    except Unread as problem:
        return about.undecided(f"was not compared: {problem}; {ADVICE}")
    except Exception as problem:  # their lines, on numbers they were not written for
        return about.undecided(f"was not compared: {type(problem).__name__}; {ADVICE}")
    other = shared.setdefault(update.origin or weight.key, weight.key)
    if other != weight.key:
        sentence = f"it takes {update.gradient}, as the update of {other} does"
        return about.wrong("value", sentence)
    return verdict_on(about, update, records)


def verdict_on(
    about: FunctionVerdict, update: Update, records: list[Record]
) -> FunctionVerdict | None:
    """Hold the records of an update against gradient descent with momentum."""
    name = next(iter(records[0].parameters))
    settings = list(settings_of(update))
    accused = ACCUSED if len(settings) == 1 else WHATEVER_THE_RATES
    named: list[Diagnosis] = []
    for rate, momentum in settings:
        if not Track(name, records, Settings(rate, momentum, "velocity", {})).wrong:
            return None
        named += diagnose_step(records, learning_rate=rate, momentum=momentum)
    if any(set(one.mistake.split(" + ")) <= CHOSEN for one in named):
        return None
    if found := [one for one in named if one.mistake in accused]:
        return about_named(about, found[0], found[0].sentence.partition(" (Only")[0])
    return about.undecided(f"is no gradient descent with momentum that is known; {ADVICE}")


def about_named(about: FunctionVerdict, named: Diagnosis, told: str) -> FunctionVerdict:
    """Return the verdict with the mistake named."""
    wrong = about.wrong(
        "value", f"{named.headline} at {about.place.quoted() if about.place else ''}"
    )
    return replace(wrong, diagnosis=(replace(named, sentence=told),))


def constants_of(source: Source) -> dict[str, float]:
    """Return the numbers that the file gives names to."""
    found: dict[str, float] = {}
    for one in source.statements:
        node = one.node
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            if isinstance(node.value.value, int | float):
                found |= {ast.unparse(t): float(node.value.value) for t in node.targets}
    return found
