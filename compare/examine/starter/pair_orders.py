"""The orders in which a backward pass may take its arguments and return its gradients.

dy may come before what the forward pass kept or after it, and gradients of one shape may come in
any order. Where names say which is which, only that order is tried.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from compare.checks.comparison import Comparison, compare_entries
from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.examine.starter.binding import plain
from compare.examine.starter.function_check import as_array
from compare.examine.starter.gradient_functions import returned_names
from compare.examine.starter.pair_kinds import Passed
from compare.examine.starter.readings import Due
from compare.examine.starter.source import Source
from compare.guard.guard import Guard

INCOMING = re.compile(r"d|d(out|output|y|h|a|z|l|s|next)\d*|d?(up|upstream)|.*(grad|delta|err).*")
"""What dy is called."""


@dataclass(frozen=True)
class Backward:
    """A backward pass, with its names."""

    source: Source
    name: str
    function: Callable[..., Any]
    guard: Guard

    @property
    def parameters(self) -> list[str]:
        """The names of what it takes."""
        return list(self.source.signature(self.name))

    def last(self) -> list[bool]:
        """Whether dy may come last: both, unless only the first or the last is called like it."""
        first, *_, last = (bool(INCOMING.fullmatch(plain(one))) for one in self.parameters)
        return [False, True] if first == last else [last]

    def answers(self, passed: Passed, kept: Sequence[Any]) -> Iterator[Mapping[str, Array]]:
        """The gradients that it returns of a dy and what was kept, by the inputs they are of."""
        for last in self.last():
            dy, rest = passed.due["dy"].answer.copy(), copy.deepcopy(list(kept))
            try:
                answer = self.guard.call(self.function, *([*rest, dy] if last else [dy, *rest]))
            except UserCodeError:
                continue
            yield from self.arranged(answer, passed.kind.shapes)

    def arranged(
        self, answer: Any, shapes: Mapping[str, tuple[int, ...]]
    ) -> Iterator[Mapping[str, Array]]:
        """What came back as the gradient of each input, in every order that names leave open."""
        if isinstance(answer, Mapping):
            names, found = [str(key) for key in answer], list(answer.values())
        else:
            found = list(answer) if isinstance(answer, tuple | list) else [answer]
            names = list(returned_names(self.source.definitions[self.name].node))
        if len(found) != len(shapes):
            return
        for order in orders(names, list(shapes)):
            arrays = {one: as_array(found[at], shapes[one])
                      for one, at in zip(shapes, order, strict=True)}  # fmt: skip
            fitting = {name: one for name, one in arrays.items()
                       if one is not None and one.shape == shapes[name]}  # fmt: skip
            if len(fitting) == len(shapes):
                yield fitting


def orders(names: Sequence[str], inputs: Sequence[str]) -> list[tuple[int, ...]]:
    """Where the gradient of each input stands: as names say, else in any order."""
    said = [re.sub("^d|grad", "", plain(one)) for one in names]
    if sorted(said) == sorted(inputs):
        return [tuple(said.index(one) for one in inputs)]
    return list(permutations(range(len(inputs))))


def held(name: str, seen: Array, due: Due) -> Comparison:
    """One array against what is due."""
    return compare_entries(name, seen, due.answer, due.allowance)


def compared(
    backward: Backward, passed: Passed, kept: Sequence[Any] | None = None
) -> list[list[Comparison]]:
    """The gradients that a backward pass returns against those due, in each order."""
    answers = backward.answers(passed, passed.kept if kept is None else kept)
    return [[held(f"d{name}", one, passed.due[name]) for name, one in answer.items()]
            for answer in answers]  # fmt: skip


def best_of(tried: Sequence[list[Comparison]]) -> list[Comparison]:
    """The order in which most is right; nothing where no gradients came back."""
    return max(tried, key=lambda one: np.mean([each.agrees for each in one]), default=[])
