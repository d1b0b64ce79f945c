"""What the arguments of somebody's gradient function may mean, the likeliest first.

A name that leaves no doubt keeps its quantity: only p and logits, which people call by each
other's names, and one-hot rows and class numbers may change places. A name that can be one of
several quantities is one of these, and a name that says nothing may be anything. Which meaning is
the author's is found by calling (`gradient_check`).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import count

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.binding import LAYERS, MOST_LAYERS, certain, possible, weights_of
from compare.examine.starter.bundles import Bundle
from compare.examine.starter.numbering import FROM_ONE, LABELS
from compare.guard.copies import Argument

QUANTITIES = (
    "x", "z1", "h1", "logits", "p", "dlogits", "y", "w2", "w1", "b1", "b2", "labels", "dz1",
)  # fmt: skip
"""Everything that may be handed to a gradient function of a network with one hidden layer."""

WEIGHTS = frozenset(one for one in weights_of(MOST_LAYERS) if one[0] == "w")
FAMILY: dict[str, tuple[str, ...]] = {
    "p": ("p", "logits"),
    "logits": ("logits", "p"),
    "y": ("y", "labels"),
    "dlogits": ("dlogits",),
}
"""What a name without doubt may mean besides its first meaning."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How samples and weights lie: rows or columns, (fan_in, fan_out) or transposed."""

    samples: str = "rows"
    transposed: bool = False

    def lay(self, name: str, array: Array) -> Array:
        """A quantity as code of this layout keeps it; biases are a row, or a column."""
        turned = (
            self.transposed if name in WEIGHTS else self.samples == "columns"
        ) and array.ndim == 2
        return np.ascontiguousarray(array.T if turned else array)

    def words(self) -> str:
        """The layout, where it is not that of the assignment."""
        samples = "samples are columns" if self.samples == "columns" else ""
        weights = "weights are (fan_out, fan_in)" if self.transposed else ""
        return " and ".join(filter(None, (samples, weights)))


Quantity = str | Bundle
"""What one parameter means: one quantity, or several in a dictionary or list."""
Choices = tuple[Quantity, ...]
NO_BUNDLES: Mapping[str, tuple[Bundle, ...]] = {}
LAYOUTS = (Layout(), Layout("columns", True), Layout("columns"), Layout("rows", True))
DATA = frozenset({"x", "y", LABELS, FROM_ONE, *weights_of(MOST_LAYERS)})


@dataclass(frozen=True, slots=True)
class Meaning:
    """One quantity for each parameter, in one layout."""

    bound: Mapping[str, Quantity]
    layout: Layout = LAYOUTS[0]

    @property
    def of_data(self) -> bool:
        """Whether nothing but data and weights is handed over: the function computes its hidden
        units itself. Those that we hand over would be right with any that its slope belongs to."""
        every = [one.quantities if isinstance(one, Bundle) else (one,)
                 for one in self.bound.values()]  # fmt: skip
        return {quantity for one in every for quantity in one} <= DATA

    def arguments(self, quantities: Mapping[str, Array]) -> dict[str, Argument]:
        """What is passed, by parameter."""

        def laid(name: str) -> Array:
            return self.layout.lay(name, quantities[name])

        return {
            name: laid(what) if isinstance(what, str) else what.built(laid)
            for name, what in self.bound.items()
        }


def choices(
    name: str, bundles: Mapping[str, tuple[Bundle, ...]] = NO_BUNDLES, layers: int = LAYERS,
    from_one: bool = False,
) -> Choices:  # fmt: skip
    """What one parameter may mean, the likeliest first; class numbers count from 0, or `from_one`
    as well."""
    if bundles.get(name):
        return bundles[name]
    if meant := certain(name, layers):
        return (*FAMILY.get(meant, (meant,)), *([FROM_ONE] if from_one and meant == "y" else []))
    return possible(name, layers) or QUANTITIES


def in_doubt(name: str, layers: int = LAYERS) -> bool:
    """True for a parameter whose name does not say what it means."""
    return not certain(name, layers)


def meanings(
    parameters: Sequence[str],
    layouts: Sequence[Layout],
    bundles: Mapping[str, tuple[Bundle, ...]] = NO_BUNDLES,
    layers: int = LAYERS,
    from_one: Set[str] = frozenset(),
    among: Set[str] | None = None,
) -> Iterator[Meaning]:
    """Every meaning of all parameters, or with the quantities `among` these: layout by layout, in
    each the likeliest first.

    The cost of a meaning is how far down its quantities stand in their lists, added up; no two
    parameters mean the same.
    """
    lists = [
        tuple(one for one in choices(name, bundles, layers, name in from_one)
              if among is None or not isinstance(one, str) or one in among)
        for name in parameters
    ]  # fmt: skip
    for layout in layouts:
        for picked in by_cost(lists):
            if len(set(picked)) == len(picked):
                yield Meaning(dict(zip(parameters, picked, strict=True)), layout)


def by_cost(lists: Sequence[Choices]) -> Iterator[tuple[Quantity, ...]]:
    """One from each list, in the order of the sum of their places."""
    if not all(lists):
        return
    order = count()
    start = (0,) * len(lists)
    waiting = [(0, next(order), start)]
    seen = {start}
    while waiting:
        cost, _, places = heapq.heappop(waiting)
        yield tuple(one[place] for one, place in zip(lists, places, strict=True))
        for index, place in enumerate(places):
            further = (*places[:index], place + 1, *places[index + 1 :])
            if place + 1 < len(lists[index]) and further not in seen:
                seen.add(further)
                heapq.heappush(waiting, (cost + 1, next(order), further))


def in_order(lists: Sequence[Choices], weights: Sequence[Quantity]) -> Iterator[Choices]:
    """Yield what parameters mean if those that may be any weight are the weights that no other one
    is, in the order of the layers, or the biases after the weights; first of them the targets, if
    no other one is these."""
    free = [place for place, one in enumerate(lists) if set(weights) <= set(one)]
    taken = {one for place, choices in enumerate(lists) if place not in free for one in choices}
    left = [one for one in weights if one not in taken]
    for order in (left, sorted(left, key=lambda one: str(one).startswith("b"))):
        for given in (order, ["y", *order]) if "y" not in taken else (order,):
            if len(given) == len(free) > 1:
                meant = dict(zip(free, given, strict=True))
                yield tuple(meant.get(place, one[0]) for place, one in enumerate(lists))
