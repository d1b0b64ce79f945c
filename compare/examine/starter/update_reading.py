"""One update read off its lines: which array is the gradient, which a velocity, which the rate.

The third part of judging updates (`loop_steps`). The lines of a weight are followed back, along one
way through the code, to what nothing there computes. Names say what that stands for; where they do
not, the update is unread, which accuses nobody.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field

from compare.examine.starter.binding import plain
from compare.examine.starter.slots import RATE
from compare.examine.starter.update_lines import Line, keys_in, word
from compare.examine.starter.update_paths import Way
from compare.examine.starter.update_reader import Unread, read
from compare.examine.starter.update_words import (
    COUNT,
    MOMENTUM,
    SHORT,
    SMALL,
    STATE,
    is_computed,
    is_weight,
    number_in,
    of_gradient,
)

NOTHING = ast.Constant(None)
OTHER_NUMBER = 0.05
"""Stands for a number of which nothing is known: a strength, a batch size."""


@dataclass(frozen=True)
class Update:
    """The lines that give a weight its next value, and what its other names stand for.

    `certain`: what is taken for the gradient is one, by its name or by how it is computed.
    `scalars` maps a number to its meaning (rate, momentum, small, count) or to itself. `carried`
    are velocities that are handed in under one name and out under another. `schedules` are numbers
    that change from update to update, with what each is worth in one.
    """

    weight: str
    number: int
    before: tuple[Line, ...]
    lines: tuple[Line, ...]
    gradient: str
    origin: str
    certain: bool
    states: tuple[str, ...]
    scalars: dict[str, float | str] = field(default_factory=dict)
    known: Set[str] = frozenset()
    counts: Mapping[str, int] = field(default_factory=dict)
    carried: Mapping[str, str] = field(default_factory=dict)
    schedules: Mapping[str, float] = field(default_factory=dict)


GRADIENTS_OF = re.compile(r"(?!.*(neg|minus|desc|upgrad|degrad))(g|.*grad.*)")
"""Names of functions that return a gradient, not its negative."""


def is_size(key: str) -> bool:
    """Return whether what is read is a size of an array or list."""
    return key.startswith("len(") or bool(re.search(r"\.shape\[|\.size$|\.shape$", key))


def update_of(
    target: Line,
    way: Way,
    constants: Mapping[str, float],
    known: Set[str] = frozenset(),
    schedules: Mapping[str, float] | None = None,
) -> Update:
    """Follow the lines of a weight back to a gradient, a velocity and the rates; `schedules` are
    names of numbers that are not followed, with what each is worth."""
    return Follower(target, way, constants, known, schedules or {}).update()


class Follower:
    """Follows one update back; `taken` are the places of its lines in `all`."""

    def __init__(
        self,
        target: Line,
        way: Way,
        constants: Mapping[str, float],
        known: Set[str],
        schedules: Mapping[str, float],
    ) -> None:
        self.target, self.way, self.constants, self.known = target, way, constants, known
        self.schedules = schedules
        self.start = len(way.before)
        lines = way.lines if target in way.lines else (*way.lines, target)
        self.all = (*way.before, *lines)
        self.taken = {self.start + lines.index(target)}
        self.opaque: dict[str, str] = {}
        self.inputs: set[str] = set()
        self.outside: set[str] = set()

    def update(self) -> Update:
        """Return the update; raises `Unread`."""
        waiting = list(self.taken)
        while waiting:
            at = waiting.pop()
            for key in read(self.all[at].value, self.known):
                waiting += self.follow(key, at)
        before = tuple(self.all[i] for i in sorted(self.taken) if i < self.start)
        lines = tuple(self.all[i] for i in sorted(self.taken) if i >= self.start)
        self.carried = dict(self.kept())
        self.inputs -= set(self.carried)
        gradient, certain = self.gradient()
        states = dict.fromkeys(one.key for one in lines if one.key != self.target.key)
        return Update(
            self.target.key, self.target.number, before, lines, gradient,
            self.origin(gradient), certain, tuple(states), self.scalars(gradient),
            self.known, dict(self.way.counts), self.carried, self.schedules,
        )  # fmt: skip

    def follow(self, key: str, at: int) -> list[int]:
        """Return the lines that give a name its value there, as far as they can be read."""
        given = [i for i, line in enumerate(self.all) if line.key == key]
        earlier = [i for i in given if i < at]
        inside = [i for i in earlier if i >= self.start]
        later = [i for i in given if i >= at and i >= self.start]
        if key == self.target.key:
            sources = [i for i in inside[-1:] if self.itself(i)]  # else where it begins
        elif inside or at < self.start:
            sources = earlier[-1:]
        else:
            sources = [*later[-1:], *[i for i in earlier if i < self.start][-1:]]
        written = all(number_in(self.all[i].value) is not None for i in sources)
        outside = written and not inside and not later
        if outside or (self.is_rate(key) and any(self.itself(i) for i in sources)):
            if key != self.target.key:
                self.inputs.add(key)
            return []
        return [i for i in sources if self.taken_up(key, i, carried=len(sources) > 1)]

    def is_rate(self, key: str) -> bool:
        """Return whether a name is that of a learning rate."""
        return bool(RATE.fullmatch(word(key)))

    def itself(self, place: int) -> bool:
        """Return whether a line changes what it had: a schedule is no matter."""
        line = self.all[place]
        return line.value is not None and line.key in keys_in(line.value)

    def taken_up(self, key: str, place: int, *, carried: bool) -> bool:
        """Take a line into the update, once; one that cannot be read is where the way back ends."""
        line = self.all[place]
        try:
            read(line.value, self.known)
        except Unread:
            if carried and place < self.start:
                return False  # the start of what is kept: zeros
            if self.itself(place) and not of_gradient(word(key)):
                raise Unread(f"what {key} keeps cannot be followed") from None
            where = self.opaque if place >= self.start else self.outside
            if isinstance(where, set):
                self.outside.add(key)
                self.inputs.add(key)
            else:
                self.opaque[key] = f"{key} of line {line.number}"
            return False
        fresh = place not in self.taken
        self.taken.add(place)
        return fresh

    def kept(self) -> Iterator[tuple[str, str]]:
        """Yield what an update before has kept, with the name under which this one hands it on."""
        for key in self.inputs:
            root = plain(re.split(r"[.\[]", key)[0])
            if not (STATE.fullmatch(word(key)) or STATE.fullmatch(root)):
                continue
            for place in sorted(self.taken):
                line = self.all[place]
                adds = isinstance(line.value, ast.BinOp) and key in keys_in(line.value)
                if adds and line.key != self.target.key and self.is_stored(line.key):
                    yield key, line.key
                    break

    def is_stored(self, name: str) -> bool:
        """Return whether a value is handed on: put into a container or returned."""
        given = [line.value for line in self.all if not line.key.isidentifier()]
        return not name.isidentifier() or name in [ast.unparse(one) for one in given if one]

    def gradient(self) -> tuple[str, bool]:
        """Return what stands for the gradient, and whether it certainly is one."""
        made = {line.key for line in self.all}
        found = set(self.opaque)
        for key in self.inputs:
            root = re.split(r"[.\[]", key)[0]
            named = any(map(of_gradient, (word(key), plain(root))))
            inside = root in made and key not in self.outside
            if is_computed(key) or (self.number(key) == "" and (named or inside)):
                found.add(key)
        unnamed = {key for key in self.outside if self.number(key) == ""}
        found = found or (unnamed if len(unnamed) == 1 else set())
        if len(found) > 1:
            raise Unread(f"its gradient is not certain ({', '.join(sorted(found))})")
        gradient = next(iter(found), "")  # none: the weight may stand in its place
        words = (word(gradient), plain(re.split(r"[.\[]", gradient)[0]))
        named = any(of_gradient(one) and "delta" not in one for one in words)
        rated = any(self.number(key) == "rate" for key in self.inputs)
        sure = named or is_computed(gradient) or rated or self.called_gradient(gradient)
        return gradient, sure

    def called_gradient(self, key: str) -> bool:
        """Return whether a name is given nothing but what a function called `grad` returns."""
        values = [line.value for line in self.all if line.key == key]
        calls = [one for one in values if isinstance(one, ast.Call)]
        names = [plain(ast.unparse(one.func).rpartition(".")[2]) for one in calls]
        return bool(names) and len(names) == len(values) and all(map(GRADIENTS_OF.fullmatch, names))

    def origin(self, gradient: str) -> str:
        """Return what tells a gradient from others of the same text: the line that gives it its
        value; of one that is computed on the spot, those of the names in it, or its own."""
        if gradient in self.opaque or not is_computed(gradient):
            return self.opaque.get(gradient, gradient)
        places = [i for i in self.taken if gradient in ast.unparse(self.all[i].value or NOTHING)]
        last = max(places, default=len(self.all))
        roots = {re.split(r"[.\[(]", name)[0] for name in re.findall(r"[A-Za-z_][\w.]*", gradient)}
        given = {line.key: line.number for line in self.all[:last] if line.key in roots}
        if not given and places:
            given = {"": self.all[last].number}
        return f"{gradient} of {sorted(given.items())}"

    def scalars(self, gradient: str) -> dict[str, float | str]:
        """Return what the numbers stand for; raises `Unread` at another weight."""
        found: dict[str, float | str] = {}
        for key in self.inputs - {gradient}:
            said = self.number(key)
            if not said and is_weight(key):
                raise Unread(f"{key} is another weight")
            still = said == 0.0 and COUNT.fullmatch(word(key))  # a strength of 0 may be another
            found[key] = said if said or still else OTHER_NUMBER
        return found

    def number(self, key: str) -> float | str:
        """Return what a name stands for that is a number, by its name or its value; else empty."""
        if is_size(key):
            return OTHER_NUMBER
        if key in self.schedules:
            return scheduled(word(key), self.schedules[key])
        name, value = word(key), self.constants.get(key)
        given = [line.value for line in self.all[: self.start] if line.key == key]
        value = number_in(given[-1]) if given else value
        meant = (
            "rate" if RATE.fullmatch(name)
            else "small" if SMALL.fullmatch(name)
            else "count" if key in dict(self.way.counts)
            else ""
        )  # fmt: skip
        if meant:
            return f"-{meant}" if value is not None and value < 0 else meant
        if value is not None:
            return "momentum" if MOMENTUM.fullmatch(name) or SHORT.fullmatch(name) else value
        if of_gradient(name) or (key in self.outside and not MOMENTUM.fullmatch(name)):
            return ""
        if MOMENTUM.fullmatch(name):
            return "momentum"
        return "count" if COUNT.fullmatch(name) else ""


def scheduled(name: str, worth: float) -> float | str:
    """Return what a number on a schedule stands for, by its name, with its sign."""
    sign = "-" if worth < 0 else ""
    if RATE.fullmatch(name):
        return f"{sign}rate"
    if not sign and (MOMENTUM.fullmatch(name) or SHORT.fullmatch(name)):
        return "momentum"
    return -OTHER_NUMBER if sign else OTHER_NUMBER
