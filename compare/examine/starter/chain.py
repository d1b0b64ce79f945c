"""The functions of a file called one after another, each handed what its author hands it.

`forward` gets inputs and weights, `loss` and `backward` what `forward` returned, in the author's
own containers, layout and order. All rows together, or one sample after another where the code is
made for one. Which call gets what is found by trial (`whole`); `Chain.run` does it at any point.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.examine.starter.arrays_in import (
    Leaf,
    Shapes,
    fits,
    gradients_of,
    inside,
    leaves,
    weight_named,
)
from compare.examine.starter.constants import Constant
from compare.examine.starter.numbering import FROM_ONE
from compare.examine.starter.slots import (
    LETTER,
    OTHER_NAME,
    Slot,
    laid_like,
    put_everywhere,
    set_strength,
    slots_in,
)
from compare.examine.starter.unrolled import Unrolled, taken_apart
from compare.examine.starter.with_ones import forms_of, halves_in, opened

Start = Callable[[tuple[int, ...], Mapping[str, Any]], "Started"]


PAIR, PAIRS = "[(x, y)]", "all [(x, y)]"
"""What a parameter is handed that is walked through by samples: one of them, or all."""


@dataclass(frozen=True)
class Mode:
    """How the code keeps its numbers: samples in rows, in columns, or one after another as a vector
    (`one`) or as a column (`one column`); weights (fan_in, fan_out) or transposed; biases of one
    axis, a row or a column."""

    samples: str = "rows"
    transposed: bool = False
    biases: str = "vector"

    @property
    def one_by_one(self) -> bool:
        """Whether the code takes one sample at a time."""
        return self.samples.startswith("one")

    @property
    def form(self) -> str:
        """The form of one sample, empty where the code takes a batch."""
        return {"one": "vector", "one column": "column"}.get(self.samples, "")

    def weight(self, array: Array) -> Array:
        """A weight or bias as the code keeps it."""
        if array.ndim == 2:
            return np.array(array.T if self.transposed else array, order="C")
        shape = {"vector": (-1,), "row": (1, -1), "column": (-1, 1)}[self.biases]
        return array.reshape(shape).copy()

    def rows(self, x: Array, targets: Array) -> list[dict[str, Any]]:
        """Inputs, targets and class numbers, all rows together or row by row."""
        if not self.one_by_one:
            turned = self.samples == "columns"
            laid = [np.array(one.T if turned else one, order="C") for one in (x, targets)]
            return [{"x": laid[0], "y": laid[1], "labels": targets.argmax(axis=1), "N": len(x)}]
        shape = (-1, 1) if self.samples == "one column" else (-1,)
        pairs = [(row.reshape(shape).copy(), target.reshape(shape).copy())
                 for row, target in zip(x, targets, strict=True)]  # fmt: skip
        return [
            {"x": row.copy(), "y": target.copy(), "labels": int(target.argmax()), "N": 1,
             PAIR: [(row, target)], PAIRS: pairs}
            for row, target in pairs
        ]  # fmt: skip

    def words(self) -> Iterator[str]:
        """The layout, where it is not that of the assignment."""
        if self.one_by_one:
            yield "it takes one sample at a time"
        elif self.samples == "columns":
            yield "samples are columns"
        if self.transposed:
            yield "weights are (fan_out, fan_in)"


MODES = (
    Mode(), Mode(biases="row"), Mode("columns", True, "column"), Mode("one"),
    Mode("one", True), Mode("one column", True, "column"), Mode("columns", False, "column"),
    Mode("rows", True), Mode("one", False, "row"),
)  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One function and what is passed for each of its parameters: the name of a value."""

    name: str
    passed: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(value for _, value in self.passed)})"


@dataclass(frozen=True)
class Started:
    """What there is before the first call: the functions, and values built by the file itself."""

    functions: Mapping[str, Callable[..., Any]]
    made: Mapping[str, Any]
    ones: str = ""
    """Whether the biases are the `first` or `last` rows or columns of the weights."""


@dataclass(frozen=True)
class Ran:
    """What every call returned, for all rows or for each; `slopes` are the functions whose numbers
    are gradients by their names, and no loss."""

    answers: tuple[Mapping[str, Any], ...]
    started: Started
    slopes: frozenset[str] = frozenset()
    rate: float = 0.0
    """Not 0 where weights are returned that have been moved at it."""
    shapes: Shapes = field(default_factory=dict)
    """Those of the weights as the code has them, where a gradient has to have the same."""


@dataclass(frozen=True)
class Chain:
    """Calls in order, from one start."""

    start: Start
    structures: Mapping[str, Callable[[Callable[[str], Array]], Any]]
    calls: tuple[Call, ...] = ()
    mode: Mode = MODES[0]
    slopes: frozenset[str] = frozenset()
    strength: float = 0.0
    """What is passed for the strength of a penalty."""
    rate: float = 1.0
    """What is passed for a learning rate."""
    constants: tuple[Constant, ...] = ()
    """Those that the file writes down once, in their place."""
    only: str = ""
    """The one strength of an object or of the file that is not 0; empty for all of them."""
    kept: bool = False
    """Whether those, and what objects have, stay as the file says: SELU has its lambda."""
    moves: bool = False
    """Whether new weights are returned: w - rate × gradient."""
    shaped: bool = False
    """Whether a gradient of another shape than its weights' is handed on as it is."""

    def at(self, strength: float) -> Chain:
        """The same calls at another strength."""
        return replace(self, strength=strength)

    def run(self, parameters: Arrays, x: Array, targets: Array) -> Ran:
        """Call everything, on weights and rows of this point."""
        sizes = widths_of(parameters)
        laid = {name: self.mode.weight(array) for name, array in parameters.items()}
        started = self.start(sizes, {**parameters, "x": x, "y": targets})
        made = dict(started.made)
        for thing in () if self.kept else started_objects(started):
            set_strength(thing, self.strength, self.only)
        for constant in self.constants:
            alone = self.strength if self.only in ("", constant.name) else 0.0
            constant.put(constant.value if self.kept else alone)
        shapes = {name: array.shape for name, array in laid.items() if array.ndim == 2}
        for value in (*made.values(), *started_objects(started)):
            found = put_weights(value, parameters, started.ones)
            shapes |= {name: one.array.shape for name, one in found.items() if name in shapes}
        passed = {value for call in self.calls for _, value in call.passed}
        forms = [one for name, one in self.structures.items()
                 if name in passed and isinstance(one, Unrolled)]  # fmt: skip
        forms += forms_of(parameters, started.ones)
        shapes = shapes if self.shaped and not forms else {}
        answers = []
        for rows in self.mode.rows(x, targets):
            held: dict[str, Any] = {**laid, **rows, **SETTINGS}
            held |= {"F": sizes[0], "H": sizes[1], "K": sizes[-1], FROM_ONE: rows["labels"] + 1}
            held |= {STRENGTH: 0.0 if self.only else self.strength, RATE: self.rate}
            held |= {name: build(lambda one: laid[one].copy())
                     for name, build in self.structures.items() if name in passed}  # fmt: skip
            returned: dict[str, Any] = {}
            for call in self.calls:
                given = {
                    name: value_of(value, held, made | returned) for name, value in call.passed
                }
                value = started.functions[call.name](**given)
                returned[call.name] = taken_apart(value, forms, parameters, self.mode.transposed)
            for thing in started_objects(started):
                returned[LEFT] = gradients_left(thing, parameters, forms, shapes)
            answers.append(returned)
        rate = self.rate if self.moves else 0.0
        return Ran(tuple(answers), started, self.slopes, rate, shapes)


def widths_of(parameters: Mapping[str, Array]) -> tuple[int, ...]:
    """The widths of all layers, the inputs first."""
    weights = [one for one in parameters.values() if one.ndim == 2]
    return (len(weights[0]), *(one.shape[1] for one in weights))


LEFT = "(left behind)"
"""Among the answers: the gradients that an object keeps after the calls."""
STRENGTH, RATE, KEPT, DROPPED = "strength", "rate", "share kept", "share dropped"
SETTINGS: dict[str, Any] = {KEPT: 1, DROPPED: 0.0}
"""What is passed for a parameter that is no array: neither a penalty nor dropout."""


def started_objects(started: Started) -> list[Any]:
    """The objects whose methods are called."""
    owners = [getattr(one, "__self__", None) for one in started.functions.values()]
    return [one for one in owners[:1] if one is not None]


def value_of(name: str, held: Mapping[str, Any], returned: Mapping[str, Any]) -> Any:
    """A value by its name: handed over as a copy, as every step of a training computes it anew."""
    if name in held:
        return duplicate(held[name])
    whole, *places = name.split(".")
    value = returned[whole]
    for place in places:
        value = dict(inside(value))[place] if isinstance(value, Mapping) else value[int(place)]
    return duplicate(value)


def duplicate(value: Any) -> Any:
    """A copy of arrays in containers; an object is handed over itself."""
    if isinstance(value, np.ndarray | list | tuple | dict):
        return copy.deepcopy(value)
    return value


def put_weights(thing: Any, parameters: Arrays, ones: str = "") -> dict[str, Slot]:
    """Give what the file built our weights, in its own layout; returns where they are."""
    found = places_of_weights(thing, parameters, ones)
    laid = {
        name: laid_like(parameters[name], one.array.shape).copy() for name, one in found.items()
    }
    put_everywhere(thing, found, laid)
    return found


def places_of_weights(thing: Any, parameters: Arrays, ones: str = "") -> dict[str, Slot]:
    """Where w1, b1, ... are in an object or container, by name, and else by shape; in matrices with
    the biases in front or behind where they are the `first` or `last`."""
    every = [slot for slot in slots_in(thing) if not slot.of_gradients]
    slots = [slot for slot in every if not OTHER_NAME.fullmatch(slot.name)]
    if ones:
        letters = [slot for slot in every if LETTER.fullmatch(slot.name)]
        halves = list(halves_in([*slots, *letters], parameters, ones))
        return dict(reversed(halves))  # the first of each name counts
    found: dict[str, Slot] = {}
    for slot in slots:
        if name := weight_named(Leaf(slot.way, slot.array), parameters):
            found.setdefault(name, slot)
    for slot in slots:
        for name, array in parameters.items():
            used = any(slot is one for one in found.values())
            if name not in found and not used and fits(slot.array, array.shape):
                found[name] = slot
    return found


def gradients_left(
    thing: Any, parameters: Arrays, forms: Sequence[Unrolled], shapes: Shapes
) -> Arrays:
    """The gradients that an object keeps, under names of gradients."""
    left = [leaf for leaf in leaves(thing) if leaf.of_gradient]
    return gradients_of(list(opened(left, forms, parameters)), parameters, shapes)


def shown_arrays(ran: Ran) -> list[Array]:
    """The matrices that the calls returned; of single samples one row for each."""
    if len(ran.answers) == 1:
        return [leaf.array for one in values_in(ran.answers[0]) for leaf in leaves(one)]
    rows = [[leaf.array.ravel() for one in values_in(answer) for leaf in leaves(one)]
            for answer in ran.answers]  # fmt: skip
    return [
        np.stack(column)
        for column in zip(*rows, strict=False)
        if len({len(one) for one in column}) == 1
    ]


def values_in(answer: Mapping[str, Any]) -> list[Any]:
    """What the calls returned, without what an object keeps."""
    return [one for name, one in answer.items() if name != LEFT]


def number_in(answer: Any) -> float | None:
    """The loss in what a function returned: a number, alone or among several values."""
    parts: Sequence[Any] = answer if isinstance(answer, tuple | list) else [answer]
    for part in parts:
        if isinstance(part, float | int | np.number) and not isinstance(part, bool):
            return float(part)
        if isinstance(part, np.ndarray) and part.ndim == 0 and part.dtype.kind == "f":
            return float(part)
    return None
