"""What can be started: the functions of a file, or an object of one of its classes.

Weights are put where the file itself keeps them: what its own initialiser returns shows their
containers, shapes and layout. Where it has none, what a function does with a parameter tells its
form.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice, permutations
from typing import Any

from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.examine.starter.binding import bind, plain, weights_of
from compare.examine.starter.bundles import (
    DEPTH,
    bundles_of,
    is_name,
    keys_of,
    receivers,
    source_tree,
)
from compare.examine.starter.by_place import positional
from compare.examine.starter.chain import Start, Started, places_of_weights
from compare.examine.starter.constants import Constant, constants_in
from compare.examine.starter.construct import builders
from compare.examine.starter.flow import Code, Flow, flow_of
from compare.examine.starter.held_losses import Held, losses_beside
from compare.examine.starter.networks import point
from compare.examine.starter.nodes import nodes_of
from compare.examine.starter.readings import Sizes
from compare.examine.starter.slots import set_rate
from compare.examine.starter.source import Opened, Source
from compare.examine.starter.unrolled import joins_ones, unrolled_in
from compare.guard.guard import Guard

INITIALISER = re.compile(
    r".*(init|param|weight|xavier|glorot).*|(build|create|make|setup|new|get)\w*|net\w*|model"
)
PAIR = 2
DEFAULTS: Mapping[str, str] = {}
Laid = Callable[[str], Array]
Structure = Callable[[Laid], Any]


@dataclass(frozen=True)
class Subject:
    """The functions that can be called, where to start, and by (function, parameter) the containers
    that may be handed over, and the keys that are asked for."""

    flow: Flow
    starts: Sequence[tuple[str, Start]]
    containers: Mapping[tuple[str, str], Mapping[str, Structure]] = field(default_factory=dict)
    asked: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    constants: tuple[Constant, ...] = ()
    """The strengths of penalties that the file writes down."""
    kept: bool = False
    """Whether what is named like a strength stays as it is."""

    @property
    def structures(self) -> dict[str, Structure]:
        """All containers by name."""
        return {name: one for part in self.containers.values() for name, one in part.items()}


def of_functions(source: Source, opened: Opened, guard: Guard, sizes: Sizes) -> Subject:
    """The functions of a file, as far as they were defined."""
    functions = {
        name: one.node
        for name, one in source.definitions.items()
        if isinstance(one.node, Code) and callable(vars(opened.module).get(name))
    }
    flow = flow_of(functions, [one.node for one in source.statements])
    called = {name: opened.get(name) for name in functions}
    starts: list[tuple[str, Start]] = []
    for name in functions:
        if INITIALISER.fullmatch(plain(name)):
            builds = (partial(initialised, called, name, build) for build in builders(called[name]))
            good = (start for start in builds if starts_well(start, guard, sizes))
            starts += [(name, start) for start in islice(good, 1)]
    starts.append(("", lambda sizes, values: Started(called, {})))
    containers = {
        (name, one.arg): found
        for name, node in functions.items()
        for one in flow.parameters(name)
        if (found := dict(guessed(source, node, name, one.arg, sizes.layers)))
    }
    return Subject(flow, starts, containers, keys_asked(flow))


def with_constants(
    opened: Opened, subject_at: Callable[[Sizes], Subject]
) -> Callable[[Sizes], Subject]:
    """The same with the constants of the file, read once: a search sets them to 0."""
    constants = constants_in(opened.module)
    return lambda sizes: replace(subject_at(sizes), constants=constants)


def class_of(
    source: Source, name: str, guard: Guard, made: Mapping[str, str] = DEFAULTS
) -> tuple[Opened, Callable[[Sizes], Subject]] | None:
    """A class in a file opened for it, `made` with these words, as a subject at any sizes; None if
    it is no class."""
    opened = source.load(list(source.definitions))
    node, cls = source.definitions[name].node, opened.get(name)
    if not isinstance(node, ast.ClassDef) or not inspect.isclass(cls):
        return None
    classes = {key: one.node for key, one in source.definitions.items()}
    given = {key: opened.get(one) if isinstance(classes.get(one), ast.ClassDef) else one
             for key, one in made.items()}  # fmt: skip
    at = partial(of_class, source, opened, partial(cls, **given), node, guard)
    return opened, with_constants(opened, at)


def of_class(
    source: Source,
    opened: Opened,
    cls: Callable[..., Any],
    node: ast.ClassDef,
    guard: Guard,
    sizes: Sizes,
) -> Subject:
    """The methods of an object of a class, also those it has from a class above it.

    The object is made by the class, or by a function of the file that returns one.
    """
    above = [
        source.definitions[one.id].node
        for one in node.bases
        if isinstance(one, ast.Name) and one.id in source.definitions
    ]
    methods = {
        one.name: one
        for owner in (*above, node)
        if isinstance(owner, ast.ClassDef)
        for one in owner.body
        if isinstance(one, Code)
    }
    builds = (*builders(cls), *makers_of(source, opened))
    good = builds_of(builds, methods, joins_ones(source_tree(source)), guard, sizes)
    held = losses_of(source, opened, [one for one, _ in good], methods, guard, sizes)
    nodes = methods | {name: node for name, (node, _) in held.items()}
    flow = flow_of(nodes, [one.node for one in source.statements])
    starts = [("", partial(built, build, methods, held, ones)) for build, ones in good]
    return Subject(flow, starts, {}, keys_asked(flow))


def builds_of(
    builds: Sequence[Callable[..., Any]],
    methods: Mapping[str, Code],
    joins: bool,
    guard: Guard,
    sizes: Sizes,
) -> list[tuple[Callable[..., Any], str]]:
    """The ways to make an object with a place for every weight, and whether the biases are `first`
    or `last` in the weights: which of the two only numbers tell."""
    found: list[tuple[Callable[..., Any], str]] = []
    for ones in ("", "first", "last") if joins else ("",):
        good = [(one, ones) for one in builds
                if starts_well(partial(built, one, methods, {}, ones), guard, sizes)]  # fmt: skip
        if good and not ones:
            return good[:2]
        found += good[:1]
    return found


def losses_of(
    source: Source,
    opened: Opened,
    builds: Sequence[Callable[..., Any]],
    methods: Mapping[str, Code],
    guard: Guard,
    sizes: Sizes,
) -> Held:
    """The losses beside a class without one of its own, as the first object of it has them."""
    parameters, x, targets = point(sizes, 0)
    values = {**parameters, "x": x, "y": targets}
    if not builds:
        return {}
    thing = guard.run(lambda: builds[0](sizes.widths, values), "start", None)
    return losses_beside(source, opened, thing, methods)


def makers_of(source: Source, opened: Opened) -> Iterator[Callable[..., Any]]:
    """The functions of a file that may make an object, with the ways to call them."""
    for name, one in source.definitions.items():
        made = vars(opened.module).get(name)
        if isinstance(one.node, Code) and INITIALISER.fullmatch(plain(name)) and callable(made):
            yield from builders(made)


def keys_asked(flow: Flow) -> dict[tuple[str, str], frozenset[str]]:
    """The keys that functions ask their parameters for."""
    return {
        (name, one.arg): frozenset(keys)
        for name, node in flow.functions.items()
        for one in flow.parameters(name)
        if (keys := list(keys_of(node, one.arg)))
    }


def initialised(
    functions: Mapping[str, Callable[..., Any]],
    name: str,
    build: Callable[..., Any],
    sizes: tuple[int, ...],
    values: Mapping[str, Any],
) -> Started:
    """Start from what an initialiser of the file returns."""
    return Started(functions, {name: as_lists(build(sizes, values))})


def built(
    build: Callable[..., Any],
    methods: Mapping[str, Code],
    held: Held,
    ones: str,
    sizes: tuple[int, ...],
    values: Mapping[str, Any],
) -> Started:
    """Start from an object of a class."""
    thing = build(sizes, values)
    if not all(hasattr(thing, name) for name in methods):
        raise TypeError("this makes no object of the class")
    set_rate(thing, 1.0)
    functions = {name: getattr(thing, name) for name in methods if name != "__init__"}
    functions |= {name: read(thing) for name, (_, read) in held.items()}
    return Started(functions, {"self": thing}, ones)


def starts_well(start: Start, guard: Guard, sizes: Sizes) -> bool:
    """Whether a start gives a place to every weight."""
    parameters, x, targets = point(sizes, 0)
    values = {**parameters, "x": x, "y": targets}
    try:
        started = guard.run(lambda: start(sizes.widths, values), "start", None)
    except UserCodeError:
        return False
    return any(
        set(places_of_weights(one, parameters, started.ones)) == set(parameters)
        for one in started.made.values()
    )


def as_lists(value: Any) -> Any:
    """Tuples as lists, so that our weights can be put into them."""
    if isinstance(value, tuple | list):
        return [as_lists(one) for one in value]
    if isinstance(value, dict):
        return {key: as_lists(one) for key, one in value.items()}
    return value


def guessed(
    source: Source, function: Code, name: str, parameter: str, layers: int
) -> Iterator[tuple[str, Structure]]:
    """The containers one parameter may be, by what the function does with it."""
    for place, one in enumerate(islice(followed(source, function, parameter, layers), 30)):
        yield f"{name}({parameter}){place}", one


def followed(
    source: Source, function: ast.AST, parameter: str, layers: int, depth: int = DEPTH
) -> Iterator[Structure]:
    """The containers of a parameter, or of what gets it handed on."""
    found = list(structures(source, function, parameter, layers))
    yield from found
    if not found and depth:
        for callee, name in receivers(source, function, parameter):
            yield from followed(source, callee, name, layers, depth - 1)


def structures(
    source: Source, function: ast.AST, parameter: str, layers: int
) -> Iterator[Structure]:
    """Containers of weights: one vector, by keys with known names, by keys in their order, by
    position."""
    quantities = weights_of(layers)
    yield from unrolled_in(function, source_tree(source), parameter, layers)
    for bundle in bundles_of(source, function, parameter, layers):
        if set(bundle.quantities) <= set(quantities):
            yield bundle.built
    asked = list(dict.fromkeys(keys_of(function, parameter)))
    everywhere = list(dict.fromkeys(keys_of(source_tree(source), None)))
    if asked and bind(asked, layers)[1]:
        if len(asked) < len(quantities):
            asked = [*asked, *(one for one in everywhere if one not in asked)][: len(quantities)]
        orders = permutations(quantities) if len(asked) == len(quantities) else ()
        yield from (partial(dictionary, tuple(asked), order) for order in orders)
    if not positional(function, parameter):
        return
    pairs = list(zip(quantities[::2], quantities[1::2], strict=True))
    yield lambda laid: [[laid(weight), laid(bias)] for weight, bias in pairs]
    yield lambda laid: [laid(one) for one in quantities]
    keys = [one for one in everywhere if len(one) < 12]
    for weight, bias in permutations(keys[:6], 2):
        yield partial(list_of_dictionaries, pairs, weight, bias)


def dictionary(keys: Sequence[str], order: Sequence[str], laid: Laid) -> dict[str, Array]:
    """Weights by keys."""
    return {key: laid(name) for key, name in zip(keys, order, strict=True)}


def list_of_dictionaries(
    pairs: Sequence[tuple[str, str]], weight: str, bias: str, laid: Laid
) -> list[dict[str, Array]]:
    """One dictionary for each layer."""
    return [{weight: laid(w), bias: laid(b)} for w, b in pairs]


def unpacked_into(function: ast.AST, parameter: str) -> int:
    """Into how many names a parameter is unpacked, 0 where it is not."""
    for node in nodes_of(function):
        if isinstance(node, ast.Assign) and is_name(node.value, parameter):
            if isinstance(node.targets[0], ast.Tuple | ast.List):
                return len(node.targets[0].elts)
    return 0


def walks_pairs(function: ast.AST, parameter: str) -> bool:
    """Whether a parameter is walked through by pairs: `for x, y in data`."""
    return any(is_name(node.iter, parameter) and isinstance(node.target, ast.Tuple)
               and len(node.target.elts) == PAIR for node in nodes_of(function)
               if isinstance(node, ast.For | ast.comprehension))  # fmt: skip
