"""Arrays of a class that were given none of our weights, though its numbers depend on them.

A network of more layers than it is read with, or weights under names that say something else, keep
what the class itself gave them: random numbers, or zeros. What it computes then is no evidence of
anything. Such an array is found by moving it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.examine.starter.recipe import STEP, Recipe
from compare.examine.starter.slots import OTHER_NAME, Slot, slots_in
from compare.guard.guard import Guard
from compare.textbook import Point

MOVED = 0.5
"""What is added to an array at most, to every entry another number, to see whether anything
depends on it: softmax does not see the same number added to all logits."""
CHANGED = 1e-6
"""Relative to each entry: far above what a step of `STEP` loses to rounding."""
MOST = 16
"""So many arrays are asked about."""
SEED = 0


def left_unset(recipe: Recipe, point: Point, guard: Guard) -> list[str]:
    """Return the ways to the arrays on which the numbers depend and that were not set."""
    try:
        names = guard.run(lambda: [".".join(one.way) for one in others(recipe, point)], "", None)
        right = guard.run(lambda: numbers(recipe, point, None), "", None)
    except UserCodeError:
        return []
    return [name for name in names[:MOST] if differs(recipe, point, guard, name, right)]


def differs(recipe: Recipe, point: Point, guard: Guard, name: str, right: list[Array]) -> bool:
    """Return whether the numbers change by more than rounding, or cannot be had, with an array
    moved."""
    try:
        moved = guard.run(lambda: numbers(recipe, point, name), "", None)
    except UserCodeError:
        return True
    return not all(
        np.allclose(*pair, rtol=CHANGED, atol=0.0) for pair in zip(moved, right, strict=True)
    )


def others(recipe: Recipe, point: Point) -> Iterator[Slot]:
    """Yield the arrays that an object holds before its methods are called, but for our weights and
    what an optimiser keeps: that starts as it should."""
    thing, slots, _ = recipe.prepared(dict(point.parameters), point.x, point.targets, STEP)
    ours = [slot.held for slot in slots.values()]
    for slot in slots_in(thing):
        set_by_us = any(slot.held is one for one in ours)
        if not (set_by_us or OTHER_NAME.fullmatch(slot.name)):
            yield slot


def numbers(recipe: Recipe, point: Point, moved: str | None) -> list[Array]:
    """Return the gradients and the loss, if it is shown, with the array of that way moved; the same
    draws every time."""

    def move(thing: object) -> None:
        for slot in slots_in(thing):
            if ".".join(slot.way) == moved:
                kept = slot.array
                slot.put(kept + np.linspace(0.0, MOVED, kept.size).reshape(kept.shape) ** 2)

    np.random.seed(SEED)  # noqa: NPY002 - what the class draws from
    loss, gradients = recipe.outcome(dict(point.parameters), point.x, point.targets, before=move)
    return [*gradients.values(), *([] if loss is None else [np.asarray(loss)])]


def not_set(names: list[str]) -> str:
    """Say which arrays were not set, and why that matters."""
    some = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    return (
        f"its numbers depend on {some}, beyond the weights and biases that it is read with, which"
        " kept what the class gave them"
    )
