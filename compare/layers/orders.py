"""Which of equal entries a sort or a top-k takes first: any order of them is as right as torch's.

Their order is found by exchange: two that are equal change places while that brings the reference
nearer to the manual numbers. What is tried is always an order, so that no entry is taken twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from compare.layers.analysis import Decision
from compare.layers.formats import LAMBDA

Script = list[Tensor]
"""Every discrete result of a walk, by its number."""
Place = tuple[int, ...]
MOST = 256
"""So many exchanges are tried in one round, at most."""
ROUNDS = 6
NEARER = 1e-9
"""Part of a distance by which an exchange must shorten it."""


def reordered(
    decisions: Sequence[Decision], distance: Callable[[Script], float]
) -> tuple[Script, list[tuple[Place, float]]]:
    """Return the script with the order of equals that is nearest, and which places were exchanged.

    A place is one of the result of the sort; the number beside it is how far apart its two are.
    """
    script = [decision.found for decision in decisions]
    found = [
        (number, exchange)
        for number, decision in enumerate(decisions)
        if decision.kind == "order"
        for exchange in exchanges(decision)
    ]
    if not found or len(found) > MOST:
        return script, []
    least, turned = distance(script), {}
    for _ in range(ROUNDS):
        before = least
        for number, exchange in found:
            tried = list(script)
            tried[number] = exchange.done(script[number])
            off = distance(tried)
            if off < least * (1 - NEARER):
                least, script = off, tried
                turned[number, exchange.place] = exchange.margin
        if least == before:
            break
    return script, [(place, margin) for (_, place), margin in turned.items()]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Entry `taken` comes to `place`, and what stood there to where that was; `margin`: between."""

    place: Place
    axis: int
    taken: int
    margin: float

    def done(self, index: Tensor) -> Tensor:
        """Return the places after the exchange."""
        result = index.clone(memory_format=torch.contiguous_format)
        *before, at = self.place[: self.axis + 1]
        lines = result.movedim(self.axis, -1)
        line = lines[(*before, *self.place[self.axis + 1 :])]
        line[line == self.taken] = line[at].clone()
        line[at] = self.taken
        return result


def exchanges(decision: Decision) -> Iterator[Exchange]:
    """Yield every entry that could as well stand where an equal one does."""
    x, axis = decision.operands
    near = LAMBDA * decision.allowance
    allowed = near.gather(axis, decision.found).unsqueeze(axis + 1) + near.unsqueeze(axis)
    margins = (x.gather(axis, decision.found).unsqueeze(axis + 1) - x.unsqueeze(axis)).abs()
    for found in torch.nonzero(margins <= allowed).tolist():
        place, taken = (*found[: axis + 1], *found[axis + 2 :]), found[axis + 1]
        if int(decision.found[place]) != taken:
            yield Exchange(place, axis, taken, float(margins[tuple(found)]))
