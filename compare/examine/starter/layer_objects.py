"""Layers as objects, which nothing in the file puts together but its own training.

    layers = [Linear(64, 32), ReLU(), Linear(32, 10)]
    loss = CrossEntropyLoss()

are composed as they are written there, with widths of ours, into a class with a forward pass, a
loss and a backward pass, which is then compared like any class of the file. What a layer keeps
instead of returning it is read where people keep it; of a backward pass that moves its weights at a
rate, the gradients are read off the step.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from compare.examine.starter.binding import LAYERS, MOST_LAYERS
from compare.examine.starter.layer_classes import LayerClasses, Made
from compare.examine.starter.layer_losses import Cost, costs_of
from compare.examine.starter.layers_applied import is_applied
from compare.examine.starter.source import Source
from compare.examine.starter.statements import Kind, Statement, free_names

NAME = "NetworkOfItsLayers"
RATE = "1099511627776.0"
"""2^40, so large that the weights before a step are below the last digit after it."""
SMALL = "3.725290298461914e-09"
"""2^-28, at which a step changes no weight in the digits that tell networks apart."""


@dataclass(frozen=True)
class Composed:
    """A file with a class of its layers behind it; `parts` are the names that it is made of,
    `certain` says that nothing else can be meant by them."""

    source: Source
    words: str
    layers: int
    parts: frozenset[str]
    certain: bool
    slowly: Source | None = None
    proved: bool = True
    """Whether it is right where it agrees: see `Cost`."""
    """The same at a small rate, where the backward passes move the weights."""
    unapplied: str = ""
    """A softmax at its end that no training of the file applies."""


def compositions(source: Source, classes: LayerClasses) -> Iterator[list[Composed]]:
    """The networks that the layers of a file may make with each of its losses, then with each
    activation that is in none of them."""
    if not classes.weighted:
        return
    costs = list(costs_of(source, classes))
    every = list(orders(source, classes))
    for names in dict.fromkeys(one.names for one in costs):
        with_loss = [one for one in costs if one.names == names]
        bare = [composed(source, classes, order, cost) for order in every for cost in with_loss]
        yield bare + [with_its_end(source, classes, order, cost)
                      for order in ended(every, classes) for cost in with_loss]  # fmt: skip
    used = {one.name for order in every for one in order}
    for name in (one for one in classes.plain if one not in used and not SOFT.search(one)):
        order = pair(classes, name)
        yield [replace(composed(source, classes, (*order, *end), cost), certain=False)
               for cost in costs for end in ((), *ends(every))]  # fmt: skip


SOFT = re.compile("softmax", re.IGNORECASE)


def orders(source: Source, classes: LayerClasses) -> Iterator[tuple[Made, ...]]:
    """The layers one after another: as the file makes them, else two with each activation."""
    written = [tuple(one) for one in classes.made(source) if usable(one)]
    if written:
        yield max(written, key=len)
    else:
        yield from (pair(classes, name) for name in classes.plain if not SOFT.search(name))


def pair(classes: LayerClasses, name: str) -> tuple[Made, ...]:
    """Two layers with weights and one without in between."""
    weighted = classes.default(classes.weighted[0])
    return weighted, classes.default(name), weighted


def ended(every: Sequence[tuple[Made, ...]], classes: LayerClasses) -> list[tuple[Made, ...]]:
    """The same layers with a softmax behind them, where the file has one."""
    soft = [classes.default(name) for name in classes.plain if SOFT.search(name)]
    return [(*order, one) for order in every for one in soft if order[-1].weighted]


def with_its_end(
    source: Source, classes: LayerClasses, order: Sequence[Made], cost: Cost
) -> Composed:
    """A network with a softmax that was put behind it: nobody's, where no training applies it."""
    one, end = composed(source, classes, order, cost), order[-1].name
    applied = is_applied(source, classes, end)
    return one if applied else replace(one, certain=False, unapplied=end)


def ends(every: Sequence[tuple[Made, ...]]) -> list[tuple[Made, ...]]:
    """What stands behind the last weights."""
    return list(dict.fromkeys((order[-1],) for order in every if not order[-1].weighted))


def usable(order: Sequence[Made]) -> bool:
    """Whether there are as many layers with weights as are looked for."""
    return LAYERS <= sum(one.weighted for one in order) <= MOST_LAYERS


def composed(source: Source, classes: LayerClasses, order: Sequence[Made], cost: Cost) -> Composed:
    """The file with the class of these layers and this loss."""
    layers = sum(one.weighted for one in order)
    widths = ["n_in", *(f"n_h{i}" for i in range(1, layers)), "n_out"]
    made, at = [], 0
    for one in order:
        made.append(one.text(*widths[at : at + 2]) if one.weighted else one.text())
        at += one.weighted
    text = CLASS.format(
        name=NAME, widths=", ".join(widths), layers=", ".join(made), cost=cost.made,
        loss=cost.value, slope=cost.slope, moves=repr(classes.moves), rate=RATE,
        strengths=repr(dict(classes.strengths)),
    )  # fmt: skip
    behind = with_class(source, text, order[0].name)
    slowly = with_class(source, text.replace(RATE, SMALL), order[0].name) if classes.moves else None
    names = list(dict.fromkeys(one.name for one in order))
    words = " + ".join(one.name for one in order) + f" with {cost.names[0]}"
    parts = frozenset({*names, *cost.names})
    return Composed(behind, words, layers, parts, cost.certain, slowly, cost.proved)


def with_class(source: Source, text: str, beside: str) -> Source:
    """The file with one more class, which stands where the class of its first layer does."""
    (node,) = ast.parse(text).body
    first = source.definitions[beside]
    needs = frozenset(free_names(node))
    for part in ast.walk(node):
        ast.copy_location(part, first.node)
    own = Statement(first.file, node, Kind.DEFINITION, frozenset({NAME}), needs)
    return replace(source, statements=(*source.statements, own))


# The loss is held in a list: as an attribute of its own it would be called with its arguments in
# any order (`held_losses`), and only the order of the file is meant. What the strength of a penalty
# adds is compared apart (`layer_strengths`).
CLASS = """
class {name}:
    def __init__(self, {widths}):
        self.layers = [{layers}]
        self.costs = [{cost}]
        for layer in self.layers:
            for key in {strengths}.get(type(layer).__name__, ()):
                if type(vars(layer).get(key)) in (int, float):
                    setattr(layer, key, 0)
        self.places = [
            (vars(layer), key) for layer in self.layers for key, value in vars(layer).items()
            if hasattr(value, "shape") and getattr(value, "ndim", 0)
        ]
    def forward(self, x):
        for layer in self.layers:
            call = getattr(layer, "forward", layer)
            found = call(x)
            if found is None:
                found = vars(layer).get("output", vars(layer).get("out"))
            x = found
        return x
    def loss(self, out, y):
        return {loss}
    def backward(self, out, y):
        d = {slope}
        if d is None:
            d = self.costs[0].dinputs
        kept = [held[key].copy() for held, key in self.places]
        for layer in self.layers[::-1]:
            found = layer.backward(d, {rate}) if {moves} else layer.backward(d)
            if found is None:
                found = vars(layer).get("dinputs")
            d = found
        if {moves}:
            self.grads = [(old - held[key]) / {rate}
                          for old, (held, key) in zip(kept, self.places)]
            for old, (held, key) in zip(kept, self.places):
                held[key] = old
    def train(self, x, y):
        out = self.forward(x)
        value = self.loss(out, y)
        self.backward(out, y)
        return value
"""
