"""A program run again and again over the same rows and the same random numbers, with some of its
numbers moved at some of its turns: what it then shows is a function of these numbers."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import GeneratorType, ModuleType
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.examine.starter.harmless import in_their_place
from compare.examine.starter.own.leaves import Leaf, array_of, leaves_of, move
from compare.examine.starter.own.marked import MARK, NAMED, Loop
from compare.examine.starter.training.calls import Calls, floats_in, other
from compare.examine.starter.training.program import Program
from compare.examine.starter.training.supply import Supply
from compare.examine.starter.training.watch import LOOP, TURN, Enough
from compare.guard.blame import Place
from compare.guard.guard import Guard

MOST_COUNTED = 1000
AT_END = " at the end of its turn"
LAST = "last"
"""What a list was given last, in the way to a number: the loss of a turn is added at its end."""
Moves = Mapping[tuple[int, int], Mapping[str, Array]]
"""What is added to which numbers, by turn and mark."""


@dataclass
class Turn:
    """One turn: what was kept at each mark of it, and the numbers that functions returned."""

    kept: dict[int, Arrays] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    silent: frozenset[str] = frozenset()
    """The functions so far that returned nothing."""


@dataclass
class Quiet:
    """What a program that fails is told to."""

    failures: list[BaseException] = field(default_factory=list, kw_only=True)

    @contextlib.contextmanager
    def failing(self, _: Mapping[str, Any]) -> Iterator[None]:
        """Go on where a training raises."""
        with contextlib.suppress(Exception):
            yield


@dataclass
class Hooks(Quiet):
    """What a marked program calls."""

    loop: Loop
    space: dict[str, Any]
    moves: Moves
    until: int
    """The number of turns after which it is stopped."""
    marks: frozenset[int] = frozenset()
    """At which of them everything that is kept is copied."""
    asked: tuple[str, ...] = ()
    """The numbers that are looked at, where not everything is."""
    squares: bool = False
    """Whether half the sums of squares of the errors are, too."""
    within: frozenset[str] | None = None
    """What alone is copied within a turn, where not everything is."""
    calls: Calls = field(default_factory=Calls)
    turns: list[Turn] = field(default_factory=list)

    def begin(self, number: int, _: Mapping[str, Any]) -> None:
        """A turn of some loop begins."""
        if number == self.loop.number and len(self.turns) == self.until:
            raise Enough

    def mark(self, place: int, local: MutableMapping[str, Any]) -> None:
        """A mark is reached."""
        if place == 0:
            self.turns.append(Turn())
            self.calls.numbers.clear()
        due = self.moves.get((len(self.turns) - 1, place))
        wanted = due or place in self.marks or place == self.loop.last or place in self.batches
        if not self.turns or not wanted:
            return
        turn = self.turns[-1]
        if due or place in self.marks:
            leaves = self.leaves(local)
            for way, by in (due or {}).items():
                if way in leaves:
                    own = {} if local is self.space else local
                    move(leaves[way], by, own, self.space[NAMED])
            if place in self.marks:
                leaves = self.leaves(local) if due else leaves
                whole = self.within is None or place in (0, self.loop.last)
                turn.kept[place] = {way: array_of(one) for way, one in leaves.items()
                                    if whole or way in (self.within or ())}  # fmt: skip
                turn.kept[place] |= {key: np.array(float(value)) for key, value
                                     in self.space[NAMED].items()}  # fmt: skip
        self.of_batch(place, local)
        if place == self.loop.last and (self.marks or len(self.turns) == self.until):
            self.end(turn, local)

    @cached_property
    def batches(self) -> frozenset[int]:
        """The marks at which a loss of a batch is evaluated."""
        return frozenset(place for place, _ in self.loop.shown)

    def of_batch(self, place: int, local: Mapping[str, Any]) -> None:
        """Evaluate the losses that are shown of all rows, of the batch of a turn."""
        if place in self.batches and (self.marks or len(self.turns) == self.until):
            scope = {**local, **self.space[NAMED]}
            for text in (one for at, one in self.loop.shown if at == place):
                with contextlib.suppress(Exception):
                    way = text if place < self.loop.last else f"{text}{AT_END}"
                    self.turns[-1].numbers[way] = float(eval(text, self.space, scope))

    def end(self, turn: Turn, local: Mapping[str, Any]) -> None:
        """A turn ends."""
        turn.silent = frozenset(self.calls.silent)
        for name, values in self.calls.numbers.items():
            turn.called.add(name)
            word = self.loop.returned.get(name, "")
            turn.numbers |= {f"{name}()#{i}{word}": value for i, value in enumerate(values[:6])}
        scope = {**self.space, **local}
        for way in self.asked:
            value = looked_up(scope, way.split("."))
            if value is not None:
                turn.numbers[way] = value
        for text in self.loop.errors if self.squares else ():
            with contextlib.suppress(Exception):
                turn.numbers[squares_of(text)] = half_squares(eval(text, self.space, dict(local)))
        if len(self.turns) == self.until:
            raise Enough

    def leaves(self, local: MutableMapping[str, Any]) -> dict[str, Leaf]:
        """Everything that is kept, in names of the program and of the function."""
        if local is self.space:
            return leaves_of(self.space)
        return leaves_of(self.space, local)

    def show(self, *values: Any, **_: Any) -> None:
        """Something is printed."""
        for value in values:
            for number in floats_in(value):
                self.calls.numbers.setdefault("print", []).append(number)


@dataclass
class Only(Calls):
    """The calls of some functions alone; of all if none are named."""

    names: frozenset[str] | None = None

    def watched(
        self, name: str, function: Callable[..., Any], space: dict[str, Any] | None = None,
        left: Iterable[str] = (),
    ) -> Callable[..., Any]:  # fmt: skip
        """Return a function that says that it was called, if it is one of them."""
        if self.names is not None and name not in self.names:
            return function
        if name == self.changed:
            function = changed_too(function)
        return super().watched(name, function, space, left)


def changed_too(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function whose numbers, and what it yields, are others."""

    @functools.wraps(function)
    def called(*given: Any, **named: Any) -> Any:
        found = function(*given, **named)
        if isinstance(found, GeneratorType):
            return (other(one) for one in found)
        return larger(found)

    return called


def larger(found: Any) -> Any:
    """Return other real numbers, alone or among several values: gradients of one feature."""
    if isinstance(found, tuple) and not hasattr(found, "_fields"):
        return tuple(map(larger, found))
    return 1.3 * found if isinstance(found, float | np.floating) else found


def squares_of(text: str) -> str:
    """Return the name of half the sum of squares of an error."""
    return f"half the sum of the squares of {text}"


def half_squares(value: Any) -> float:
    """Return half the sum of squares of an array, or of a list of numbers."""
    return 0.5 * float(np.sum(np.square(np.asarray(value, float))))


def looked_up(value: Any, keys: list[str]) -> float | None:
    """Return the number that a way leads to."""
    for key in keys:
        if isinstance(value, Mapping):
            value = next((one for name, one in value.items() if str(name) == key), None)
        elif isinstance(value, list) and key == LAST:
            value = value[-1] if value else None
        elif isinstance(value, list | tuple):
            value = value[int(key)] if key.isdigit() and int(key) < len(value) else None
        else:
            value = getattr(value, key, None)
    if isinstance(value, np.ndarray) and value.size == 1:
        return float(value.item())
    return float(value) if isinstance(value, float | int | np.floating) else None


def replayed(
    loop: Loop, supply: Supply, until: int, moves: Moves | None = None,
    marks: frozenset[int] = frozenset(), asked: tuple[str, ...] = (), changed: str = "",
    squares: bool = False, named: frozenset[str] | None = None,
    within: frozenset[str] | None = None,
) -> list[Turn]:  # fmt: skip
    """Run a program for some turns of its loop, and return what was seen of them."""
    space = space_of(loop.program)
    hooks = Hooks(loop, space, moves or {}, until, marks, asked, squares, within,
                  Only(changed=changed, names=named))  # fmt: skip
    space |= {LOOP: nothing, TURN: hooks.begin, MARK: hooks.mark, NAMED: {}}
    hooks.calls(loop.program.source, space)
    space["print"] = hooks.show
    loop.program.run_in(space, supply, hooks, lambda: bool(hooks.turns))
    return hooks.turns


class Direct(Guard):
    """Runs definitions that were run before: nothing has to be waited for."""

    def run(self, call: Callable[[], Any], who: str, home: Place | None, hint: str = "") -> Any:
        """Return `call()`."""
        try:
            return call()
        except Exception as error:
            raise UserCodeError(f"{who} raised {error}") from error


def space_of(program: Program) -> dict[str, Any]:
    """Return the names of a program, before it runs."""
    source = program.source
    names = {name for one in source.statements for name in (*one.binds, *one.needs)}
    if source.compiled:
        source = replace(source, guard=Direct(notes=source.guard.notes))
    space = vars(source.load(names).module)
    space |= in_their_place()
    return space


def nothing(_: int) -> None:
    """What a loop calls that is not looked at."""


def data_seen(loop: Loop, supply: Supply) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the arrays that there are when the first loop begins, and those in a turn of this
    one, with the parts of arrays that its lines hand on, such as `targets[s:s + 20]`."""
    space = space_of(loop.program)
    first: dict[str, Array] = {}
    later: dict[str, Array] = {}

    def begin(_: int, local: Mapping[str, Any]) -> None:
        if not first:
            first.update(arrays_in({**space, **local}))

    def mark(place: int, local: Mapping[str, Any]) -> None:
        if place == loop.last:
            scope = {**space, **local}
            later.update(arrays_in(scope))
            for text in loop.parts:
                with contextlib.suppress(Exception):
                    later.update(arrays_in({text: eval(text, space, dict(local))}))
            raise Enough

    space |= {LOOP: nothing, TURN: begin, MARK: mark, NAMED: {}, "print": nothing_shown}
    loop.program.run_in(space, supply, Quiet(), lambda: bool(first))
    return first, later


def arrays_in(scope: Mapping[str, Any]) -> dict[str, Array]:
    """Return copies of the arrays that have names, or are attributes of what has one."""
    found = {}
    for name, value in list(scope.items()):
        inner = {} if isinstance(value, type | ModuleType) else getattr(value, "__dict__", {})
        parts = {name: value, **{f"{name}.{key}": one for key, one in inner.items()}}
        for way, one in parts.items():
            if isinstance(one, np.ndarray) and one.ndim and one.dtype.kind in "fiu":
                found[way] = one.copy()
    return found


def counted(program: Program, supply: Supply) -> list[int]:
    """Return the loops, first those that turn most often."""
    turns: dict[int, int] = {}
    space = space_of(program)

    def turn(number: int, _: Mapping[str, Any]) -> None:
        turns[number] = turns.get(number, 0) + 1
        if sum(turns.values()) > MOST_COUNTED:
            raise Enough

    space |= {LOOP: nothing, TURN: turn, "print": nothing_shown}
    program.run_in(space, supply, Quiet(), lambda: bool(turns))
    return sorted(turns, key=lambda one: (-turns[one], -one))


def nothing_shown(*_: Any, **__: Any) -> None:
    """What prints, where nobody looks."""
