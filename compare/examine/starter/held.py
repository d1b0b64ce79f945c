"""What a file holds that may be compared, and what its layers and functions are together."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from compare.examine.starter.gradient_functions import GradientFunction, gradient_functions
from compare.examine.starter.layers_check import Layers, layers_checked
from compare.examine.starter.network_class import network_classes
from compare.examine.starter.one_function import Declared
from compare.examine.starter.roles import role_of
from compare.examine.starter.source import Source
from compare.examine.starter.whole_check import Together, functions_together


@dataclass(frozen=True)
class Held:
    """What a file holds: its functions by their roles, gradient functions, layers and classes, and
    what its functions are together."""

    source: Source
    roles: Mapping[str, str]
    gradients: Sequence[GradientFunction]
    layers: Layers
    classes: Sequence[str]
    whole: Together | None

    @property
    def compared(self) -> bool:
        """Whether there is anything that could be compared."""
        known = self.whole or self.layers.verdicts or self.roles or self.gradients or self.classes
        return bool(known)

    @property
    def named(self) -> list[str]:
        """The functions and classes that are looked at one by one."""
        return [*self.roles, *(one.name for one in self.gradients), *self.classes]

    @property
    def called(self) -> frozenset[str]:
        """What was compared as part of a whole."""
        of_whole = frozenset[str]() if self.whole is None else self.whole.called
        return of_whole | self.layers.called

    @property
    def settled(self) -> frozenset[str]:
        """What was compared so and needs no look by itself."""
        known = self.whole is None or self.whole.settled
        return self.called if known else frozenset(self.layers.called)


def held_by(source: Source, asked: Declared) -> Held:
    """Look at what a file holds, and compare what its layers and its functions are together."""
    roles = roles_in(source)
    gradients = gradient_functions(source, set(roles))
    every = network_classes(source)
    layers = layers_checked(source, every, asked)
    classes = [one for one in every if one not in layers.parts]
    return Held(source, roles, gradients, layers, classes, functions_together(source, asked))


def roles_in(source: Source) -> dict[str, str]:
    """The functions of a file whose names say what they compute."""
    return {
        name: role
        for name, one in source.definitions.items()
        if (role := role_of(name)) and not isinstance(one.node, ast.ClassDef)
    }
