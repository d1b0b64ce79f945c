"""Which functions of a student's file return gradients, and what their names say of them.

A training loop is none of them, however it is called: it computes gradients and keeps them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from compare.examine.starter.binding import (
    LAYERS,
    bind,
    gradients_named,
    layers_named,
    plain,
    weights_of,
)
from compare.examine.starter.bundles import Bundle, bundles_of
from compare.examine.starter.meanings import Layout, Meaning, meanings
from compare.examine.starter.nodes import nodes_of
from compare.examine.starter.numbering import counts_from_one
from compare.examine.starter.source import Source
from compare.examine.starter.zeroing import is_zeroing

GRADIENT = re.compile(r"grad|back|deriv|^d_?[lwb]|delta", re.IGNORECASE)
LOSS = re.compile(
    r"(compute|calc|calculate|get|total|average|avg|mean)?(loss|cost|crossentropy|nll|objective)"
    r"(fn|func|function)?|(softmax|categorical)?crossentropy(loss)?|nllloss"
)
"""Names, without underscores, of losses that take something else than target and prediction."""
TRAINING = re.compile(r"descent|train|^fit|optimi|^sgd|^update|momentum|^run|^main|check|numeric")
"""In the name of a function that uses gradients, or checks them."""
SETTINGS = re.compile(
    r"n?epochs?|numepochs|(?:max)?iter\w*|learningrate|lr|alpha|eta|rate|momentum|gamma"
    r"|(?:mini)?batchsize|v[wbho]\w*|velocity\w*"
)
"""Names of parameters, without underscores, that only a training loop or an update has."""


@dataclass(frozen=True, slots=True)
class GradientFunction:
    """One function that looks like it returns gradients, and how its names can be read.

    `bound` maps parameters to quantities, `doubtful` are those in doubt; `returns` names the
    gradients it returns, None if its names do not say.
    """

    name: str
    parameters: tuple[str, ...]
    bound: dict[str, str]
    doubtful: tuple[str, ...]
    returned: tuple[str, ...]
    returns: tuple[str, ...] | None
    bundles: Mapping[str, tuple[Bundle, ...]] = field(default_factory=dict)
    layers: int = LAYERS
    from_one: frozenset[str] = frozenset()
    """The parameters that may be class numbers from 1."""

    def in_words(self) -> str:
        """Say how parameters and values were bound."""
        given = ", ".join(f"{name} = {self.bound.get(name, '?')}" for name in self.parameters)
        if self.returns is None:
            return f"read with {given}; returned values by their shapes"
        named = zip(self.returned or self.returns, self.returns, strict=False)
        got = ", ".join(f"{name or self.name} = d{quantity}" for name, quantity in named)
        return f"read with {given}; {got}"

    def meant(self, meaning: Meaning, parts: tuple[str, ...]) -> GradientFunction:
        """The function with the meaning that calling it has shown."""
        returns = tuple(name.removeprefix("d") for name in parts) or self.returns
        weights = returns is not None and set(returns) <= set(weights_of(self.layers))
        return replace(
            self, bound={name: str(what) for name, what in meaning.bound.items()}, doubtful=(),
            returns=returns if weights else None,
        )  # fmt: skip


def meanings_of(
    how: GradientFunction, layouts: Sequence[Layout], among: Set[str] | None = None
) -> Iterator[Meaning]:
    """Every meaning of the parameters of a function, or with the quantities `among` these."""
    return meanings(how.parameters, layouts, how.bundles, how.layers, how.from_one, among)


def gradient_functions(source: Source, taken: set[str]) -> list[GradientFunction]:
    """Return the functions of a file that look like gradients, without those already `taken`."""
    found = []
    for name, definition in source.definitions.items():
        parameters = source.signature(name)
        if name not in taken and looks_like_gradient(name, parameters):
            found.append(read_function(source, name, definition.node))
    return found


def read_function(source: Source, name: str, node: ast.AST) -> GradientFunction:
    """Return what the names of a function's parameters and returned values say."""
    parameters = source.signature(name)
    returned = returned_names(node)
    layers = layers_named((*parameters, *returned))
    bound, doubtful = bind(parameters, layers)
    bundles = {one: bundles_of(source, node, one, layers) for one in parameters}
    functions = {one: definition.node for one, definition in source.definitions.items()}
    return GradientFunction(
        name, tuple(parameters), bound, tuple(one for one in doubtful if not bundles[one]),
        returned, gradients_named(returned, name, layers), bundles, layers,
        frozenset(one for one in parameters if counts_from_one(functions, name, one)),
    )  # fmt: skip


def looks_like_gradient(name: str, parameters: list[str]) -> bool:
    """True for a function named like a gradient, or like a loss, that is no training loop."""
    trains = TRAINING.search(plain(name)) or any(
        SETTINGS.fullmatch(plain(parameter)) for parameter in parameters
    )
    named = GRADIENT.search(name) or LOSS.fullmatch(plain(name))
    return bool(parameters and named and not trains and not is_zeroing(name))


def returned_names(node: ast.AST) -> tuple[str, ...]:
    """Return the names in the only `return` of a function; empty strings for what has no name."""
    returns = [one for one in nodes_of(node) if isinstance(one, ast.Return) and one.value]
    if len(returns) != 1:
        return ()
    value = returns[0].value
    if keys := keys_of(node, value):
        return keys
    parts = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
    return tuple(part.id if isinstance(part, ast.Name) else "" for part in parts)


def keys_of(node: ast.AST, value: ast.expr | None) -> tuple[str, ...]:
    """Return the keys of a dictionary, or of the one that a name was given in these lines, in the
    order in which they are put in; nothing of another value."""
    if isinstance(value, ast.Dict):
        return tuple(str(key.value) if isinstance(key, ast.Constant) else "" for key in value.keys)
    if not isinstance(value, ast.Name):
        return ()
    found: list[str] = []
    for one in nodes_of(node):
        target = one.targets[0] if isinstance(one, ast.Assign) else None
        if isinstance(one, ast.Assign) and isinstance(target, ast.Name) and target.id == value.id:
            found = [*keys_of(node, one.value)] if isinstance(one.value, ast.Dict) else []
        elif isinstance(target, ast.Subscript) and ast.unparse(target.value) == value.id:
            found += [str(target.slice.value)] if isinstance(target.slice, ast.Constant) else []
    return tuple(found)
