"""The penalty of a layer as a file's own function gives it, and its derivative.

    def penalty(self, layer): return layer.l2 * np.sum(layer.weights ** 2)

is a method of the layer, or takes it, alone or in a list. It is called with weights of ours at a
strength of ours; its slope in each of them is what the strength has to add to the gradients.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from compare.contracts.arrays import Arrays
from compare.examine.starter.flow import Code
from compare.examine.starter.layer_classes import BACKWARD, FORWARD, bases_of
from compare.examine.starter.slots import Slot
from compare.examine.starter.source import Opened, Source

NEARBY = 2.0**-10
"""Half the distance of the two weights between which a slope is taken: of squares it is exact."""
NO_PENALTY = {BACKWARD, *FORWARD, "__init__"}


@dataclass(frozen=True)
class PenaltyFunction:
    """A function, or a method of `owner`, that is handed a layer (`layer`), a list of them
    (`list`), or finds it: itself (`self`), or in its attribute `held`."""

    owner: str
    name: str
    form: str
    reads: frozenset[str]
    held: str = ""

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}" if self.owner else self.name

    def value(self, opened: Opened, layer: Any) -> float:
        """What it gives for one layer."""
        if self.form == "self":
            return float(getattr(layer, self.name)())
        given = {"layer": [layer], "list": [[layer]]}.get(self.form, [])
        return float(self.called(opened, layer)(*given))

    def called(self, opened: Opened, layer: Any) -> Callable[..., Any]:
        """The function, of an object of its class where it has one."""
        cls: Any = opened.get(self.owner or self.name)
        if not self.owner:
            return cls  # type: ignore[no-any-return]  # a function of somebody's
        try:
            thing = cls()
        except TypeError:
            thing = cls.__new__(cls)
        if self.held:
            setattr(thing, self.held, [layer])
        return getattr(thing, self.name)  # type: ignore[no-any-return]


def penalty_functions(source: Source, layer: str) -> Iterator[PenaltyFunction]:
    """The functions of a file that may give the penalty of a layer."""
    own = {layer, *bases_of(source, layer)}
    for owner, method in functions_in(source):
        names = [one.arg for one in method.args.args]
        given = names[: len(names) - len(method.args.defaults)]
        inside = given[1:] if owner else given
        if method.name in NO_PENALTY or len(inside) > 1:
            continue
        if owner in own and not inside:
            if reads := read_of(method, "self"):
                yield PenaltyFunction(owner, method.name, "self", reads)
        for one in inside:
            if reads := read_of(method, one):
                yield PenaltyFunction(owner, method.name, "layer", reads)
        for target, walked in loops_in(method):
            if not (reads := read_of(method, target)):
                continue
            if walked in inside:
                yield PenaltyFunction(owner, method.name, "list", reads)
            elif owner and not inside and walked.startswith("self."):
                held = walked.removeprefix("self.")
                yield PenaltyFunction(owner, method.name, "held", reads, held)


def functions_in(source: Source) -> Iterator[tuple[str, Code]]:
    """The functions of a file, and the methods of its classes with their names."""
    for name, one in source.definitions.items():
        if isinstance(one.node, Code):
            yield "", one.node
        elif isinstance(one.node, ast.ClassDef):
            yield from ((name, part) for part in one.node.body if isinstance(part, Code))


def read_of(method: ast.AST, name: str) -> frozenset[str]:
    """The attributes of a name that are read."""
    return frozenset(one.attr for one in ast.walk(method)
                     if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Load)
                     and isinstance(one.value, ast.Name) and one.value.id == name)  # fmt: skip


def loops_in(method: ast.AST) -> Iterator[tuple[str, str]]:
    """What a method walks through, by the name of one of it."""
    for one in ast.walk(method):
        if isinstance(one, ast.For | ast.comprehension) and isinstance(one.target, ast.Name):
            yield one.target.id, ast.unparse(one.iter)


def slopes(value: Callable[[], float], slots: Mapping[str, Slot]) -> Arrays:
    """The slope of a value in every weight of a layer."""
    found: Arrays = {}
    for name, slot in slots.items():
        kept = slot.array.copy()
        slope = np.zeros_like(kept)
        for index in np.ndindex(kept.shape):
            ends = []
            for off in (NEARBY, -NEARBY):
                moved = kept.copy()
                moved[index] += off
                slot.put(moved)
                ends.append(value())
            slope[index] = (ends[0] - ends[1]) / (2 * NEARBY)
        slot.put(kept)
        found[name] = slope
    return found


def read_elsewhere(source: Source, layer: str, name: str, but: Collection[str]) -> bool:
    """Whether code reads an attribute that is neither the layer's nor one of these functions."""
    own = {layer, *bases_of(source, layer)}
    known = [method for owner, method in functions_in(source)
             if (owner in own and method.name in NO_PENALTY) or method.name in but]  # fmt: skip
    inside = {part for one in known for part in ast.walk(one)}
    return any(isinstance(part, ast.Attribute) and part.attr == name and part not in inside
               for one in source.statements for part in ast.walk(one.node))  # fmt: skip
