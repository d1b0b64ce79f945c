"""What the methods of a class do to its weights besides leaving gradients: how often they move, and
by what (`recipe`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compare.contracts.arrays import Arrays
from compare.contracts.errors import UserCodeError
from compare.examine.starter.recipe import STEP, Recipe
from compare.guard.guard import Guard
from compare.textbook import Point

SMALL = 0.125
"""A learning rate at which three steps of a row and one of their sum come far apart."""


def moves_after_every_sample(recipe: Recipe, point: Point) -> bool:
    """Whether training on a row three times over is training on it, and again, and again.

    Summed or averaged over the batch it is one step, whatever the order in which rows are drawn.
    """
    row, target = point.x[:1], point.targets[:1]
    once: Arrays = dict(point.parameters)
    for _ in range(3):
        once = recipe.after(once, row, target, SMALL)
    rows, targets = np.repeat(row, 3, axis=0), np.repeat(target, 3, axis=0)
    thrice = recipe.after(dict(point.parameters), rows, targets, SMALL)
    return all(np.allclose(thrice[name], one, rtol=1e-12, atol=1e-13) for name, one in once.items())


def steps_by_its_gradient(recipe: Recipe, point: Point, guard: Guard) -> bool:
    """Whether the last method moves the weights by rate × gradient, with the gradients found."""
    alone = Point(point.parameters, point.x[:1], point.targets[:1]) if recipe.online else point
    given = dict(alone.parameters), alone.x, alone.targets
    try:
        _, gradients = guard.run(lambda: replace(recipe, online=False).outcome(*given), "", None)
        after = guard.run(lambda: recipe.after(*given, STEP), "", None)
    except UserCodeError:
        return False
    return all(
        np.allclose((array - after[name]) / STEP, gradients[name], rtol=1e-9, atol=1e-11)
        for name, array in alone.parameters.items()
    )
