"""The statements of a file as a program: its definitions, and what it does outside of them.

The body of `if __name__ == "__main__":` and of a `main()` without arguments stand in their place.
What loads data is not run, and names of data get rows of ours (`supply`); a statement that fails is
left out. A file that trains in a function which nothing calls has that function called.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import islice, product
from types import CodeType
from typing import Any

import numpy as np

from compare.contracts.errors import UserCodeError
from compare.examine.starter.bare import named_in_defaults
from compare.examine.starter.binding import plain
from compare.examine.starter.construct import HIDDEN, builders
from compare.examine.starter.cut_names import stored
from compare.examine.starter.harmless import Harmless, in_their_place
from compare.examine.starter.recipe import TRAIN, methods_of
from compare.examine.starter.source import Source
from compare.examine.starter.statements import Kind, Statement
from compare.examine.starter.training.other_numbers import Numbers
from compare.examine.starter.training.printed import Printed
from compare.examine.starter.training.same_numbers import same_numbers
from compare.examine.starter.training.some_text import texts_in
from compare.examine.starter.training.supply import Supply, data_role
from compare.examine.starter.training.terms import Terms, moved
from compare.examine.starter.training.watch import LOOP, TURN, Enough, Recorder, Watched
from compare.examine.starter.training.weights_given import weights_given
from compare.examine.starter.widened import Widened, narrow_throughout
from compare.guard.guard import Guard

SECONDS = 3.0
DEEPEST = 3
NUMBER = re.compile(r"(?<![\w.])(?:\d*\.\d+|\d+e-\d+)(?![\w.])")
Wrap = Callable[[Source, dict[str, Any]], None]


@dataclass(frozen=True)
class Program:
    """A file that can be run on any data: its definitions with their loops watched, and what it
    does outside of them; `places` are the files and lines of the loops."""

    source: Source
    main: tuple[ast.stmt, ...]
    places: dict[int, tuple[str, int]]
    text: str
    penalised: bool
    """Whether the strength of a penalty was made another one in it."""
    rates: tuple[float, ...]
    """The numbers in it that are named like a learning rate."""
    momenta: int = 0
    """How many momenta were made another one."""
    idle: dict[Supply, Recorder] = field(default_factory=dict, compare=False, repr=False)
    """What was seen on data on which no loop came to its second turn: three searches ask for it."""
    compiled: dict[int, CodeType] = field(default_factory=dict, compare=False, repr=False)
    """What the statements were compiled to, by their nodes."""

    @property
    def nodes(self) -> tuple[ast.stmt, ...]:
        """Its statements: what it does, and its definitions."""
        return (*self.main, *(one.node for one in self.source.statements))

    @property
    def numbers(self) -> list[float]:
        """The numbers with a point or an exponent that are written in it."""
        return [float(one) for one in NUMBER.findall(self.text)]

    @cached_property
    def bases(self) -> frozenset[str]:
        """The classes that other ones are made of."""
        classes = [one.node for one in self.source.definitions.values()
                   if isinstance(one.node, ast.ClassDef)]  # fmt: skip
        return frozenset(ast.unparse(base) for one in classes for base in one.bases)

    def seen_on(self, supply: Supply) -> Recorder:
        """Return what is seen of it on some data; once, where no loop steps."""
        if supply in self.idle:
            return self.idle[supply]
        recorder = self.run(supply)
        if not recorder.steps:
            self.idle[supply] = recorder
        return recorder

    def run(self, supply: Supply, wrap: Wrap | None = None) -> Recorder:
        """Run it on some data until enough was seen, and return what was; `wrap` may put others in
        the place of its functions."""
        names = {name for one in self.source.statements for name in (*one.binds, *one.needs)}
        space = vars(self.source.load(names).module)
        recorder = Recorder(space)
        space |= {LOOP: recorder.loop, TURN: recorder.turn, **in_their_place()}
        if wrap is not None:
            wrap(self.source, space)
        self.run_in(space, supply, recorder, lambda: recorder.turns > 0)
        return recorder

    def run_in(
        self, space: dict[str, Any], supply: Supply, seen: Any, done: Callable[[], bool]
    ) -> None:
        """Run it as it stands, and if no loop turns then what of it trains; `seen` is told what
        fails, and `done` says whether a loop has turned."""
        with same_numbers():
            for one in (self.execute, self.call, self.call_in_order):
                if not done():
                    run = partial(one, space, supply, seen)
                    with contextlib.suppress(UserCodeError, Enough):
                        Guard(timeout=SECONDS, of_processor=True).run(run, "the program", None)

    def execute(self, space: dict[str, Any], supply: Supply, recorder: Recorder) -> None:
        """Execute the statements one by one; one that fails, or that would load data, gives its
        names rows of ours."""
        for one in self.main:
            try:
                exec(self.code_of(one), space)
            except (Exception, SystemExit) as error:
                recorder.failures.append(error)
                space |= supplied(one, supply)
            else:
                space |= {name: value for name, value in supplied(one, supply).items()
                          if is_empty(space.get(name)) and not self.fills(name)}  # fmt: skip

    def code_of(self, one: ast.stmt) -> CodeType:
        """Return a statement compiled; once, for it is run over and over."""
        if id(one) not in self.compiled:
            self.compiled[id(one)] = compile(ast.Module([one], []), "rehearsed", "exec")
        return self.compiled[id(one)]

    def fills(self, name: str) -> bool:
        """Return whether the program fills a list of this name itself."""
        return re.search(rf"\b{re.escape(name)}\.(append|extend|insert)\(", self.text) is not None

    def call(self, space: dict[str, Any], supply: Supply, recorder: Recorder) -> None:
        """Call the functions that train and that nothing has called, and methods of classes."""
        for name, one in self.source.definitions.items():
            value = space.get(name)
            if isinstance(one.node, ast.FunctionDef) and callable(value) and has_loop(one.node):
                given = arguments(value, supply)
                unknown = [key for key, known in given.items() if known is None]
                given |= weights_given(self.source, one.node, unknown, supply)
                with recorder.failing(given):
                    value(**given)
            elif isinstance(one.node, ast.ClassDef) and inspect.isclass(value):
                if name in self.bases:
                    continue  # those that are made of it train as it does, and have what it lacks
                for method, _ in methods_of(value, TRAIN):
                    for made in built(value, supply):
                        with contextlib.suppress(Exception):
                            bound = getattr(made, method)
                            given = arguments(bound, supply)
                            with recorder.failing(given):
                                bound(**given)
                                break

    def call_in_order(self, space: dict[str, Any], supply: Supply, recorder: Recorder) -> None:
        """Call functions with a loop that name no data, with inputs and targets in this order."""
        for name, one in self.source.definitions.items():
            value = space.get(name)
            if isinstance(one.node, ast.FunctionDef) and callable(value) and loops(one.node):
                with recorder.failing({}):
                    value(supply.x.copy(), supply.y.copy())


def program_of(
    source: Source, rate: float | None = None, strength: float | None = 0.0,
    momentum: float | None = None,
) -> Program:  # fmt: skip
    """Return the program of a file; its penalties are of one strength as far as a number in it
    says them (None: as they are written), and its learning rates and momenta another one if asked
    for."""
    printed = Printed()
    nodes = [printed.visit(texts_in(copy.deepcopy(one.node))) for one in source.statements]
    if narrow_throughout(tuple(one.node for one in source.statements)):
        nodes = [Widened().visit(one) for one in nodes]
    harmless, watched = Harmless(nodes), Watched()
    numbers = Numbers(rate, strength, source.text, set(steps_of_ranges(nodes)), momentum)
    terms = Terms(strength or 0.0, frozenset(moved(nodes)))
    nodes = nodes if strength is None else [terms.visit(one) for one in nodes]
    numbers.penalised = terms.found
    defined = {one.name: one for one in nodes if isinstance(one, ast.FunctionDef)}
    definitions: list[Statement] = []
    main: list[ast.stmt] = []
    asked = set(named_in_defaults(nodes))
    for one, node in zip(source.statements, nodes, strict=True):
        watched.file = one.file
        if one.kind is Kind.DEFINITION:
            node = watched.visit(harmless.visit(numbers.visit(node)))
            definitions.append(replace(one, node=ast.fix_missing_locations(node)))
        elif one.kind is Kind.IMPORT:
            definitions.append(replace(one, node=harmless.visit(node)))
        else:
            if one.kind is Kind.CONSTANT and one.binds & asked:
                early = harmless.visit(numbers.visit(copy.deepcopy(node)))
                definitions.append(replace(one, node=early))
            for part in inlined(copy.deepcopy(node), defined):
                made = watched.visit(harmless.visit(numbers.visit(part)))
                main += made if isinstance(made, list) else [made]
    lines = tuple(map(ast.fix_missing_locations, main))
    opened = replace(source, statements=tuple(definitions))
    return Program(opened, lines, watched.places, source.text, numbers.penalised,
                   tuple(numbers.rates), numbers.momenta)  # fmt: skip


def inlined(
    node: ast.stmt, defined: Mapping[str, ast.FunctionDef], depth: int = 0
) -> Iterator[ast.stmt]:
    """Yield what a statement does: the body of the guard of a main program, and of a function that
    is called without arguments."""
    if depth > DEEPEST:
        return
    inner: list[ast.stmt] | None = None
    if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
        inner = node.body
    elif isinstance(node, ast.Expr) and isinstance(call := node.value, ast.Call):
        called = defined.get(call.func.id) if isinstance(call.func, ast.Name) else None
        if called is not None and not (call.args or call.keywords or called.args.args):
            inner = copy.deepcopy(called.body)
    if inner is None:
        if not isinstance(node, ast.Return):
            yield node
        return
    for one in inner:
        yield from inlined(one, defined, depth + 1)


def steps_of_ranges(nodes: Sequence[ast.stmt]) -> Iterator[str]:
    """Yield the names in `range(0, n, B)` of what is stepped by: sizes of batches."""
    for node in (part for one in nodes for part in ast.walk(one)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "range":
            yield from (one.id for one in node.args[2:] if isinstance(one, ast.Name))


def supplied(one: ast.stmt, supply: Supply) -> dict[str, Any]:
    """Return rows of ours for the names of data that a statement would have set."""
    found = {name: supply.named(name) for name in stored(one)}
    return {name: value for name, value in found.items() if value is not None}


def is_empty(value: Any) -> bool:
    """Return whether a name got no data: its file was not read."""
    if isinstance(value, list | tuple):
        return not value
    return value is None or (isinstance(value, np.ndarray) and not value.size)


def has_loop(node: ast.FunctionDef) -> bool:
    """Return whether there is a loop in a function, and data among its parameters."""
    takes = {data_role(one.arg) for one in node.args.args}
    return {"x", "y"} <= takes and loops(node)


def loops(node: ast.FunctionDef) -> bool:
    """Return whether there is a loop in a function."""
    return any(isinstance(one, ast.For | ast.While) for one in ast.walk(node))


def arguments(function: Callable[..., Any], supply: Supply) -> dict[str, Any]:
    """Return what a training is passed: data, sizes and numbers by their names."""
    found = {}
    for one in inspect.signature(function).parameters.values():
        value = supply.argument(one.name)
        if one.default is one.empty or data_role(one.name):
            found[one.name] = value
    return found


def built(cls: type, supply: Supply) -> Iterator[Any]:
    """Yield objects of a class, for a network of two hidden layers or of one; the first one as its
    names say, and if that is no other, with what it takes for granted."""
    made = list(islice(objects(cls, supply), 1))
    yield from made
    with contextlib.suppress(Exception):
        yield cls(**{one: value for one, value in sized(cls, supply).items() if value is not None})


def objects(cls: type, supply: Supply) -> Iterator[Any]:
    """Yield objects of a class, by every way to build one."""
    for build, sizes in product(builders(cls), (supply.sizes, supply.sizes_of_two)):
        with contextlib.suppress(Exception):
            yield build(sizes, {})


def sized(cls: type, supply: Supply) -> dict[str, Any]:
    """Return what is passed for the sizes of a network, by the names of the parameters."""
    parameters = inspect.signature(cls).parameters.values()
    return {one.name: supply.argument(one.name) for one in parameters
            if one.default is one.empty or HIDDEN.fullmatch(plain(one.name))}  # fmt: skip
