"""How people spell a gradient: `dx`, `grad_x`, `x_grad`, `dW` of a `weight`, `grads["W1"]`.

An input is looked for under its own name first, then without regard to case, then under the usual
other names of the same thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SYNONYMS = (
    ("weight", "w", "gamma", "scale", "kernel", "g"),
    ("bias", "b", "beta", "shift"),
    ("x", "input", "inputs", "inp"),
)
PATTERNS = (
    "{}", "d{}", "d_{}", "grad_{}", "{}_grad", "grad{}", "{}grad", "g{}", "dL_d{}", "dl_d{}",
    "delta_{}", "nabla_{}",
)  # fmt: skip
"""Of a gradient in a dictionary; as an attribute the bare name is the input itself."""
DICTIONARIES = ("grads", "gradients", "grad", "dparams", "d_params", "gradient", "cache_grads")
PARAMETERS = ("params", "parameters", "weights")


def spellings(name: str) -> Iterator[str]:
    """Yield the names of an input, its own first."""
    yield name
    short = name.rpartition(".")[2]
    yield short
    for group in SYNONYMS:
        if short.lower() in group:
            yield from group


def looked_up(names: Mapping[str, Any], wanted: Iterator[str]) -> str | None:
    """Return the first wanted name that is there, by its letters or whatever their case."""
    lowered = {name.lower(): name for name in reversed(list(names))}
    for name in wanted:
        if name in names:
            return name
        if name.lower() in lowered:
            return lowered[name.lower()]
    return None


def gradient_key(names: Mapping[str, Any], name: str, *, bare: bool = True) -> str | None:
    """Return under which key the gradient of input `name` is; None if there is none.

    All patterns of the input's own name come before any synonym.
    """
    patterns = PATTERNS if bare else PATTERNS[1:]
    wanted = (pattern.format(spelt) for spelt in spellings(name) for pattern in patterns)
    return looked_up(names, wanted)


def attributes(thing: object) -> dict[str, Any]:
    """Return the attributes that an object has itself, properties included."""
    found = dict(getattr(thing, "__dict__", {}))
    for cls in type(thing).__mro__:
        for slot in getattr(cls, "__slots__", ()):
            if hasattr(thing, slot):
                found[slot] = getattr(thing, slot)
    return found
