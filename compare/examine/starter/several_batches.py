"""A training in several batches, where a class was compared in one: does each of them step alike?

    for i in range(0, n, batch_size):
        d = (p - yb) / n                   every step is batch_size / n of the right one
        W -= lr * xb.T @ d
    b -= lr * d.sum(axis=0)                and this one is made once in an epoch

So the class trains for an epoch on four equal rows in batches of two, which are two steps on two of
them, in whatever order they are drawn. Momentum makes the second one larger, for all weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict, Slip
from compare.examine.starter.networks import point
from compare.examine.starter.readings import Sizes
from compare.examine.starter.recipe import Recipe
from compare.examine.starter.recipe_steps import SMALL
from compare.examine.starter.short_batch import MISTAKE, NOMINAL, alike, handed
from compare.examine.starter.slots import laid_like
from compare.guard.guard import Guard

TINY = 2.0**-20
"""A rate at which the second step is made of the gradient of the first one, all but exactly."""
SAME = 1e-3
SELDOM = "parameter-stepped-once-an-epoch"


def with_several_batches(
    verdict: FunctionVerdict, recipe: Recipe, sizes: Sizes, guard: Guard
) -> FunctionVerdict:
    """The verdict on a class that is right in one batch, in the light of two."""
    if recipe.online:
        return verdict
    try:
        wrong = guard.run(lambda: Epoch(recipe, sizes).wrong(), "", None)
    except UserCodeError:
        return verdict  # it is not made for four rows
    return verdict.slip(*wrong) if wrong else verdict


@dataclass(frozen=True)
class Epoch:
    """A class that is trained for an epoch on equal rows."""

    recipe: Recipe
    sizes: Sizes

    def wrong(self) -> Slip | None:
        """What is wrong with two batches; None if nothing is known to be."""
        return self.divided_by_all() or self.stepped_seldom()

    def after(self, rows: int, rate: float, parameters: Arrays | None = None) -> Arrays:
        """The weights after an epoch on so many equal rows, in batches of two."""
        begun, x, targets = point(self.sizes, 0)
        x, targets = (np.repeat(one[:1], rows, axis=0) for one in (x, targets))
        given, recipe = dict(parameters or begun), handed(self.recipe, "2")
        thing, slots, values = recipe.prepared(given, x, targets, rate)
        in_twos(thing)
        for method in recipe.methods:
            method.call(thing, values)
        return {name: laid_like(slots[name].array, one.shape) for name, one in given.items()}

    def divided_by_all(self) -> Slip | None:
        """Each of two steps is half of the right one."""
        whole, right = self.after(4, SMALL), self.after(2, SMALL)
        halves = self.after(2, SMALL / 2, self.after(2, SMALL / 2))
        if not all_alike(whole, halves) or all_alike(whole, right):
            return None
        sentence = (
            "in two batches of an epoch each step is half of the right one: the gradient of a batch"
            " is divided by the number of all rows"
        )
        return MISTAKE, sentence, "a gradient that is divided by the number of all rows"

    def stepped_seldom(self) -> Slip | None:
        """Some weights are moved once, and the others with every batch."""
        begun, _, _ = point(self.sizes, 0)
        one, two = self.after(2, TINY), self.after(4, TINY)
        times = {name: ratio(begun[name] - two[name], begun[name] - one[name]) for name in begun}
        once = [name for name, often in times.items() if np.isclose(often, 1, rtol=SAME)]
        often = [name for name, more in times.items() if more > 2 - SAME]
        if not once or len(once) + len(often) < len(times) or not often:
            return None
        which = " and ".join(once)
        sentence = (
            f"in an epoch of two batches {' and '.join(often)} moved with each of them and {which}"
            " once: a step stands outside of the loop over the batches"
        )
        return SELDOM, sentence, f"{which}: stepped once in an epoch, not with every batch"


def in_twos(thing: Any) -> None:
    """Have an object that keeps a batch size make batches of two."""
    for name, value in vars(thing).items() if hasattr(thing, "__dict__") else ():
        if NOMINAL.fullmatch(plain(name)) and type(value) is int:
            setattr(thing, name, 2)


def all_alike(one: Arrays, other: Arrays) -> bool:
    """Whether all weights are the same but for rounding."""
    return all(alike(array, other[name]) for name, array in one.items())


def ratio(one: Array, other: Array) -> float:
    """How many times an array another one is; NaN where it is none of it."""
    if not other.any():
        return np.nan
    factor = float((one * other).sum() / (other * other).sum())
    near = np.abs(one - factor * other).max() <= SAME * np.abs(other).max()
    return factor if near else np.nan
