"""The last batch of an epoch, shorter than the others, in a training that is handed a batch size.

    for i in range(0, n, batch_size):
        xb = X[i:i + batch_size]
        d = (p - yb) / batch_size      right but for the last batch, which has fewer rows

With as many rows as the batch size this cannot be seen. So the training is called with a batch size
of twice the rows, where each gradient is then n / batch_size times the right one, and with three
equal rows in batches of two, which are two steps if a short batch is stepped at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.networks import point
from compare.examine.starter.readings import Sizes
from compare.examine.starter.recipe import Recipe
from compare.examine.starter.recipe_steps import SMALL
from compare.guard.guard import Guard

NOMINAL = re.compile(r"(mini)?batch(size|sz)|bs|batch")
MISTAKE = "gradient-divided-by-data-set"


def with_a_short_batch(
    verdict: FunctionVerdict, recipe: Recipe, sizes: Sizes, guard: Guard
) -> FunctionVerdict:
    """The verdict on a class that is right in batches of the size that it is handed, in the light
    of one that is shorter."""
    names = list(nominal(recipe))
    if not names or recipe.online:
        return verdict
    try:
        wrong = guard.run(
            lambda: halved(recipe, sizes) and steps_too_little(recipe, sizes), "", None
        )
    except UserCodeError:
        return verdict  # it is not made for a batch size above the number of rows
    if not wrong:
        return verdict
    sentence = (
        f"it divides by {names[0]}, also where the last batch of an epoch has fewer rows: the"
        f" gradient of n rows is n / {names[0]} times the right one"
    )
    title = f"a gradient that is divided by {names[0]}, whatever the batch"
    return verdict.slip(MISTAKE, sentence, title)


def nominal(recipe: Recipe) -> Iterator[str]:
    """The parameters that are named like a batch size and were handed the number of rows."""
    for name, value in recipe.methods[-1].passed:
        if value == "N" and NOMINAL.fullmatch(plain(name)):
            yield name


def handed(recipe: Recipe, value: str) -> Recipe:
    """The recipe with another batch size."""
    names = set(nominal(recipe))
    last = recipe.methods[-1]
    passed = tuple((name, value if name in names else old) for name, old in last.passed)
    return replace(recipe, methods=(*recipe.methods[:-1], replace(last, passed=passed)))


def halved(recipe: Recipe, sizes: Sizes) -> bool:
    """Whether some gradients are half as large with a batch size of twice the rows."""
    parameters, x, targets = point(sizes, 0)
    right = recipe.outcome(dict(parameters), x, targets)[1]
    short = handed(recipe, "2N").outcome(dict(parameters), x, targets)[1]
    same = {name: alike(short[name], one) for name, one in right.items()}
    half = {name: alike(2 * short[name], one) for name, one in right.items()}
    return any(half.values()) and all(same[name] or half[name] for name in right)


def steps_too_little(recipe: Recipe, sizes: Sizes) -> bool:
    """Whether three equal rows in batches of two are neither one right step nor two."""
    parameters, x, targets = point(sizes, 0)
    one: Arrays = recipe.after(dict(parameters), x[:1], targets[:1], SMALL)
    two = recipe.after(one, x[:1], targets[:1], SMALL)
    rows, given = np.repeat(x[:1], 3, axis=0), np.repeat(targets[:1], 3, axis=0)
    found = handed(recipe, "2").after(dict(parameters), rows, given, SMALL)
    return not any(all(alike(found[name], due[name]) for name in found) for due in (one, two))


def alike(one: Array, other: Array) -> bool:
    """Whether two arrays are the same but for rounding."""
    return bool(np.allclose(one, other, rtol=1e-9, atol=1e-12))
