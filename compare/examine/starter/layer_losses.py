"""The losses of a file with layers as objects: of a class, or of two functions."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from compare.examine.starter.binding import plain
from compare.examine.starter.finals import BACKWARD
from compare.examine.starter.flow import Code
from compare.examine.starter.layer_classes import (
    LayerClasses,
    Methods,
    classes_in,
    methods_of,
    required,
)
from compare.examine.starter.loss_calls import (
    NAMES,
    OUT,
    Called,
    Order,
    calls_of_function,
    calls_of_method,
)
from compare.examine.starter.recipe import LOSS
from compare.examine.starter.roles import argument_named
from compare.examine.starter.source import Source

VALUES = ("calculate", "forward", "__call__", "loss", "compute", "value", "fn", "calc")
SLOPE_NAME = ("prime", "derivative", "slope", "dinputs")
BOTH = 2
NOTHING = "None"
KEPT = ("self.costs[0].output", OUT)


@dataclass(frozen=True)
class Cost:
    """What makes the loss object, the expressions of its value and of its slope by `out` and `y`,
    and the names that they are made of; `certain`: nothing else can be meant by its arguments."""

    made: str
    value: str
    slope: str
    names: tuple[str, ...]
    certain: bool
    proved: bool = True
    """Whether an agreement says that the file is right: the order of the arguments of its slope is
    told by names or by its own calls, or is that of output and targets where it has none."""


@dataclass(frozen=True)
class Way:
    """An order of output and targets; whether an agreement in it, and whether a disagreement,
    says something of the file."""

    order: Order
    proved: bool
    told: bool


def costs_of(source: Source, classes: LayerClasses) -> Iterator[Cost]:
    """The losses that a file may mean, those of classes first."""
    for name in loss_classes(source, classes):
        yield from of_class(source, name, methods_of(source, name))
    yield from of_functions(source)


def loss_classes(source: Source, classes: LayerClasses) -> list[str]:
    """The classes of a file that are losses."""
    known = {*classes.weighted, *classes.plain, *classes.holders}
    return [name for name in classes_in(source) if name not in known
            and any(of_class(source, name, methods_of(source, name)))]  # fmt: skip


def of_class(source: Source, name: str, methods: Methods) -> Iterator[Cost]:
    """The losses of a class with a value of two arguments and a slope."""
    if required(methods.get("__init__")):
        return
    values = [one for one in (*VALUES, *methods) if one in methods and is_value(one, methods[one])]
    slopes = [one for one in methods if is_slope(one) and len(required(methods[one])) <= BOTH]
    for value in values[:1]:
        for slope in slopes[:2]:
            given, taken = required(methods[value]), required(methods[slope])
            back = handed_back(source, slope)
            for of_value in ways_of(given, calls_of_method(source, name, value)):
                for of_slope in slopes_of(taken, calls_of_method(source, name, slope), of_value):
                    called = call(f"self.costs[0].{value}", of_value.order)
                    ways = filled(taken, of_slope.order, back)
                    told = of_value.told and of_slope.told
                    for place, way in enumerate(ways):
                        certain = told and (len(ways) == 1 or (bool(back) and not place))
                        both = called, call(f"self.costs[0].{slope}", way)
                        yield Cost(f"{name}()", *both, (name,), certain, of_slope.proved)


def of_functions(source: Source) -> Iterator[Cost]:
    """The losses of two functions: its value, and its slope."""
    taking = {name: source.signature(name) for name, one in source.definitions.items()
              if isinstance(one.node, Code)}  # fmt: skip
    for value, slope in pairs_of([name for name, given in taking.items() if len(given) == BOTH]):
        for of_value in ways_of(taking[value], calls_of_function(source, value)):
            for way in slopes_of(taking[slope], calls_of_function(source, slope), of_value):
                back = call(slope, filled(taking[slope], way.order, OUT)[0])
                told = of_value.told and way.told
                made = call(value, of_value.order)
                yield Cost(NOTHING, made, back, (value, slope), told, way.proved)


def ways_of(given: Sequence[str], called: Called) -> list[Way]:
    """What two parameters may be: as the file calls it, else by their names. Names that its calls
    clearly contradict accuse nobody."""
    named = None if silent(given) else orders_of(given)[0]
    if named is not None and not (called.clear and called.order != named):
        return [Way(named, True, True)]
    if called.order is not None:
        return [Way(called.order, True, named is None)]
    first, second = orders_of(given)
    return [Way(first, not called.any, False), Way(second, False, False)]


def slopes_of(taken: Sequence[str], called: Called, value: Way) -> list[Way]:
    """The same of a slope, which is that of its value where nothing else is told."""
    if len(taken) < BOTH:
        return [replace(value, told=True)]
    if silent(taken) and called.order is None:
        return [Way(value.order, value.proved and not called.any, False)]
    return ways_of(taken, called)


def pairs_of(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The losses among functions of two arguments, with what may be their slopes."""
    slopes = [name for name in names if is_slope(name)]
    for value in (name for name in names if name not in slopes):
        own = [name for name in slopes if name.startswith(value) or name.endswith(value)]
        yield from ((value, one) for one in own or (slopes if is_loss(value) else ()))


def is_value(name: str, method: Code) -> bool:
    """Whether a method may give a loss of two arguments."""
    return not is_slope(name) and not name.startswith("__init") and len(required(method)) == BOTH


def is_slope(name: str) -> bool:
    """Whether a name is that of a slope."""
    key = plain(name)
    return bool(BACKWARD.fullmatch(key)) or any(one in key for one in SLOPE_NAME)


def is_loss(name: str) -> bool:
    """Whether a name is that of a loss."""
    return bool(LOSS.fullmatch(plain(name)))


def orders_of(given: Sequence[str]) -> list[tuple[str, str]]:
    """The orders of output and targets that the names of two parameters allow."""
    meant = [argument_named(one) for one in given]
    if meant[0] == "target" or meant[1] == "scores":
        return [("y", "out")]
    if meant[1] == "target" or meant[0] == "scores":
        return [("out", "y")]
    return [("out", "y"), ("y", "out")]


def filled(given: Sequence[str], order: tuple[str, str], back: str) -> list[tuple[str, ...]]:
    """What may be passed to a slope: two arguments in their order, one by its name.
    What is called neither output nor targets may be what the loss keeps, as the file hands it
    `back`; all that it may be where that is not shown."""
    named = [argument_named(one) for one in given]
    places = list(order) if len(given) == BOTH else [
        "y" if one == "target" else OUT for one in named
    ]  # fmt: skip
    at = places.index(OUT) if OUT in places else -1
    if at < 0 or named[at] or (len(given) == BOTH and silent(given)) or not any(named):
        return [tuple(places)]
    kept = dict.fromkeys(filter(None, (back, *KEPT)))
    return [(*places[:at], one, *places[at + 1 :]) for one in kept]


def silent(given: Sequence[str]) -> bool:
    """Whether no name of a parameter says output or targets."""
    return not any(argument_named(one) in NAMES for one in given)


def handed_back(source: Source, slope: str) -> str:
    """What the file hands a method that is named like a slope: `loss.output` of itself, or what the
    network ends in; empty where it does not call it with two values."""
    for node in (part for one in source.statements for part in ast.walk(one.node)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr != slope or len(node.args) < BOTH:
            continue
        owner, first = ast.unparse(node.func.value), node.args[0]
        if isinstance(first, ast.Attribute) and ast.unparse(first.value) == owner:
            return f"self.costs[0].{first.attr}"
        return OUT
    return ""


def call(name: str, given: Sequence[str]) -> str:
    """A call as it is written."""
    return f"{name}({', '.join(given)})"
