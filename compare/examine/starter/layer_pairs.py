"""A forward and a backward pass of one layer: no gradient of a network, and compared elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from compare.examine.starter.source import Source

ARGUMENTS = 2
"""What the backward pass of a layer takes at most: dy and a cache."""


def layer_pairs(source: Source, uncompared: Iterable[str]) -> Iterator[str]:
    """Say of functions that were not compared and are a layer's passes how those are compared."""
    nodes = {name: one.node for name, one in source.definitions.items()}
    functions = {name: one for name, one in nodes.items() if isinstance(one, ast.FunctionDef)}
    for name in uncompared:
        forward = name.replace("backward", "forward")
        if forward == name or not {name, forward} <= functions.keys():
            continue
        if len(functions[name].args.args) <= ARGUMENTS:
            yield (
                f"{forward} and {name} look like one layer: a file that imports them as `forward` "
                "and `backward`, and defines `reference`, a torch module, and `inputs`, the shapes "
                "of what forward takes, compares them with --layer"
            )
