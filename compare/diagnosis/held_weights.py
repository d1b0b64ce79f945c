"""Weights that are held to a maximal norm beside the update: along which axis, which, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Any

import numpy as np

from compare.contracts.arrays import Real
from compare.diagnosis.identity import Asked, Identity, Walked, worst
from compare.mistakes.fits import rounded
from compare.mistakes.mistake import Mistake
from compare.textbook.functions import held, norm
from compare.textbook.pair import Pair, exact
from compare.textbook.plain_optimisers import Buffers, OptimiserSettings, Rule, Stepped

HELD = Mistake(
    "weights-held", "weights that are held within {bound:g} {when}",
    "{what} {when}: a constraint on the weights, which no option declares.",
    "w = w * min(1, c / np.linalg.norm(w, axis=0))",
)  # fmt: skip
SCALED = {
    "columns": "Columns of the weights (those into one unit)",
    "rows": "Rows of the weights (those out of one unit)",
    "wholes": "Whole weight matrices",
}
GUARDS = (0.0, 1e-12, 1e-8, 1e-7, 1e-6)
"""What people add to the norm by which they divide."""
AXES = {"columns": 0, "rows": -1, "wholes": None, "entries": None}


@dataclass(frozen=True, slots=True)
class Holding:
    """How weights are held: what of them, whether biases too, before the update or after it.

    `always`: the guard is added to the norms of what is short enough as well, as Keras does.
    """

    what: str
    biases: bool
    first: bool
    bound: float = np.inf
    guard: float = 0.0
    always: bool = False

    def of(self, w: Pair) -> Pair:
        """Return a tensor as it is held."""
        if w.value.ndim == 1 and not self.biases:
            return w
        if self.what == "entries":
            return held(w, -self.bound, self.bound)
        length = norm(w, AXES[self.what] if w.value.ndim == 2 else None, keepdims=True)
        divisor = length + self.guard if self.guard else length
        if self.always:
            return w * (held(length, 0.0, self.bound) / divisor)
        long = (length.value > self.bound) * 1.0
        return w * (long * (self.bound / divisor) + (1.0 - long))

    def rule(self, right: Rule) -> Rule:
        """Return the update with the constraint beside it."""

        def stepped(w: Any, dw: Any, old: Buffers, t: int, of: OptimiserSettings) -> Stepped:
            if self.first:
                return right(self.of(w), dw, old, t, of)
            after, buffers = right(w, dw, old, t, of)
            return self.of(after), buffers

        return stepped

    def longest(self, arrays: Mapping[str, Any]) -> float:
        """Return the length of the longest, which the bound is where something is held."""
        held_ones = [w for w in arrays.values() if w.ndim == 2 or self.biases]
        if self.what == "entries":
            return max(float(np.abs(w).max(initial=0.0)) for w in held_ones)
        lengths = [np.linalg.norm(w, axis=AXES[self.what] if w.ndim == 2 else None)
                   for w in held_ones]  # fmt: skip
        return max(float(np.max(one)) for one in lengths)

    @property
    def mistake(self) -> Mistake:
        """Return the constraint in words."""
        when = "before the update" if self.first else "after the update"
        also = ", and biases," * self.biases
        what = f"{SCALED.get(self.what)}{also} longer than {self.bound:g} are scaled down to that"
        if self.what == "entries":
            what = f"Entries of the weights{also} beyond {self.bound:g} are cut off there"
        title = HELD.title.format(bound=self.bound, when=when)
        return replace(HELD, title=title, sentence=HELD.sentence.format(what=what, when=when))


def weights_held(asked: Asked, walked: Walked, before: float) -> Identity | None:
    """Return how weights are held beside the declared update, if that makes the updates."""
    every, seen = tuple(walked[0].parameters), list(updates_of(asked, walked))
    for holding in ways(walked, seen):
        step = replace(asked.right, written=holding.rule(asked.right.rule))
        after = worst(step, walked, every)
        if after <= 1:
            return Identity(asked.experiment.optimiser, {}, holding.mistake, before, after)
    return None


@dataclass(frozen=True, slots=True)
class Moved:
    """A tensor before an update, where the declared update takes it, and where it went; `still`:
    that update does not depend on the tensor itself."""

    w: Real
    due: Real
    after: Real
    still: bool

    def is_held(self, holding: Holding) -> bool:
        """Whether it looks, but for rounding, as if something of it was held in this way: shorter
        than it would be, in the same direction."""
        if holding.first and not self.still:
            return True
        before = self.w if holding.first else self.due
        found = self.after - (self.due - self.w) if holding.first else self.after
        near = np.sqrt(np.finfo(self.w.dtype).eps)
        if holding.what == "entries":
            return bool((np.abs(found) < (1 - near) * np.abs(before)).any())
        axis = AXES[holding.what] if self.w.ndim == 2 else None
        lengths = np.linalg.norm(before, axis=axis, keepdims=True)
        share = np.linalg.norm(found, axis=axis, keepdims=True) / lengths
        alike = np.linalg.norm(found - share * before, axis=axis, keepdims=True) <= near * lengths
        return bool((alike & (share < 1 - near)).any())


def updates_of(asked: Asked, walked: Walked) -> Iterator[Moved]:
    """Yield every tensor at every update, the buffers carried along."""
    every = tuple(walked[0].parameters)
    buffers: dict[str, Buffers] = {name: {} for name in every}
    for before, after in pairwise(walked):
        now = asked.right.at(getattr(before, "learning_rate", None))
        gradients = now.clipping.pairs(before.gradients)
        for name, w in before.parameters.items():
            of = now.settings_of(name, every)
            due, buffers[name] = now.rule(
                exact(w, w.dtype), gradients[name], buffers[name], before.update + 1, of
            )
            still = not asked.experiment.weight_decay
            yield Moved(w, due.value, after.parameters[name], still)


def ways(walked: Walked, seen: Sequence[Moved]) -> Iterator[Holding]:
    """Yield the ways to hold weights that the updates may show, each with the bound that the first
    of them does."""
    for what, biases, first in product(AXES, (False, True), (False, True)):
        plain = Holding(what, biases, first)
        if not any(one.is_held(plain) for one in seen if one.w.ndim == 2 or biases):
            continue
        shown = walked[1].parameters if not first else walked[0].parameters
        guards = GUARDS[:1] if what == "entries" else GUARDS
        for bound in bounds(plain, shown, first=first):
            for guard, always in product(guards, (False, True)):
                if guard or not always:
                    yield replace(plain, bound=bound, guard=guard, always=always)


USUAL = (1.0, 2.0, 3.0, 4.0, 5.0, 0.5, 10.0)
"""Bounds that people type; what is held before an update shows none."""


def bounds(holding: Holding, shown: Mapping[str, Any], *, first: bool) -> Iterator[float]:
    """Yield what the bound may be."""
    if first:
        yield from USUAL
        return
    longest = holding.longest(shown)
    if np.isfinite(longest) and longest > 0:
        yield from dict.fromkeys(rounded(float(f"{longest:.3g}")))
