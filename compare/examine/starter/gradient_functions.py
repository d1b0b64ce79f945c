"""Which functions of a student's file return gradients, and what their names say of them.

A training loop is none of them, however it is called: it computes gradients and keeps them.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace

from compare.examine.starter.binding import bind, gradients_named, plain
from compare.examine.starter.meanings import Meaning
from compare.examine.starter.source import Source

GRADIENT = re.compile(r"grad|back|deriv|^d_?[lwb]|delta", re.IGNORECASE)
TRAINING = re.compile(r"descent|train|^fit|optimi|^sgd|^update|momentum|^run|^main|check|numeric")
"""In the name of a function that uses gradients, or checks them."""
SETTINGS = re.compile(
    r"n?epochs?|numepochs|(?:max)?iter\w*|learningrate|lr|alpha|eta|rate|momentum|gamma"
    r"|(?:mini)?batchsize|v[wbho]\w*|velocity\w*"
)
"""Names of parameters, without underscores, that only a training loop or an update has."""
WEIGHTS = ("w1", "b1", "w2", "b2")


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
        weights = returns is not None and set(returns) <= set(WEIGHTS)
        return replace(
            self, bound=dict(meaning.bound), doubtful=(), returns=returns if weights else None
        )


def gradient_functions(source: Source, taken: set[str]) -> list[GradientFunction]:
    """Return the functions of a file that look like gradients, without those already `taken`."""
    found = []
    for name, one in source.definitions.items():
        parameters = source.signature(name)
        if name in taken or not looks_like_gradient(name, parameters):
            continue
        bound, doubtful = bind(parameters)
        returned = returned_names(one.node)
        returns = gradients_named(returned, name)
        found.append(GradientFunction(name, tuple(parameters), bound, doubtful, returned, returns))
    return found


def looks_like_gradient(name: str, parameters: list[str]) -> bool:
    """True for a function named like a gradient that is no training loop and no gradient check."""
    trains = TRAINING.search(plain(name)) or any(
        SETTINGS.fullmatch(plain(parameter)) for parameter in parameters
    )
    return bool(parameters and GRADIENT.search(name) and not trains)


def returned_names(node: ast.AST) -> tuple[str, ...]:
    """Return the names in the only `return` of a function; empty strings for what has no name."""
    returns = [one for one in ast.walk(node) if isinstance(one, ast.Return) and one.value]
    if len(returns) != 1:
        return ()
    value = returns[0].value
    if isinstance(value, ast.Dict):
        return tuple(str(key.value) if isinstance(key, ast.Constant) else "" for key in value.keys)
    parts = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
    return tuple(part.id if isinstance(part, ast.Name) else "" for part in parts)
