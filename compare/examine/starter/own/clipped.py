"""Whether steps are shorter than their rate times the slopes because their norm is held to a bound.

    total = sqrt(sum(dw**2));  dw = dw * c / total  where total > c

All weights of a turn then move by one share of their slopes, and the step is the rate times c long.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

import numpy as np

from compare.examine.starter.own.of_batch import last_of
from compare.examine.starter.own.steps import Steps
from compare.examine.starter.training.program import Program

CLIPS = re.compile(r"clip|norms?$|bound|^min$", re.IGNORECASE)
BOUND = re.compile(r"clip|norm|bound|thresh|limit|^max_?|^c$", re.IGNORECASE)
NEAR = 1e-5
"""Of a bound: `total + 1e-6` is divided by as well."""


def clipped_to(steps: Steps, factors: Sequence[float], rates: Sequence[float]) -> float:
    """Return the bound of the norm, a number of the text, that steps keep to where their factor is
    no rate; 0 where there is no such bound, or no step that keeps to it."""
    bounds = bounds_in(steps.base.loop.program)
    for rate in rates:
        short = [turn for turn, factor in zip(steps.turns, factors, strict=True)
                 if not np.isclose(factor, rate, rtol=1e-4)]  # fmt: skip
        fits = all(0 < factor < rate * (1 + 1e-4) for factor in factors)
        lengths = {turn: length(steps, turn) / rate for turn in steps.turns}
        kept = (one for one in bounds if max(lengths.values()) <= one * (1 + NEAR)
                and np.allclose([lengths[turn] for turn in short], one, rtol=NEAR))  # fmt: skip
        bound = next(kept, 0.0)
        if short and fits and bound:
            return bound
    return 0.0


def bounds_in(program: Program) -> set[float]:
    """Return the numbers of a program that may be a bound: compared with, given the name of one, or
    handed to what clips. The 1 in `g / total` is none of them."""
    found: set[float] = set()
    for node in (part for line in program.nodes for part in ast.walk(line)):
        if isinstance(node, ast.Compare):
            found |= numbers_in(*node.comparators)
        elif isinstance(node, ast.Assign) and BOUND.search(last_of(node.targets[0])):
            found |= numbers_in(node.value)
        elif isinstance(node, ast.arguments):
            named = [*node.posonlyargs, *node.args]
            named = named[len(named) - len(node.defaults) :]
            pairs = [*zip(named, node.defaults, strict=True),
                     *zip(node.kwonlyargs, node.kw_defaults, strict=True)]  # fmt: skip
            found |= numbers_in(*(value for one, value in pairs
                                  if value and BOUND.search(one.arg)))  # fmt: skip
        elif isinstance(node, ast.Call) and CLIPS.search(last_of(node.func)):
            shares = [one.left for one in node.args if isinstance(one, ast.BinOp)]
            found |= numbers_in(*node.args, *(one.value for one in node.keywords), *shares)
    return found - {0.0}


def numbers_in(*nodes: ast.expr) -> set[float]:
    """Return those of some values that are numbers, or are of a tuple of values."""
    every = [part for one in nodes for part in getattr(one, "elts", [one])]
    values = [one.value for one in every if isinstance(one, ast.Constant)]
    return {float(one) for one in values
            if isinstance(one, int | float) and not isinstance(one, bool)}  # fmt: skip


def length(steps: Steps, turn: int) -> float:
    """Return how long the step of all weights is."""
    before, after = steps.kept(turn, 0), steps.kept(turn, steps.base.loop.last)
    ways = [way for group in steps.groups for way in group.starts]
    return float(np.sqrt(sum(((after[way] - before[way]) ** 2).sum() for way in ways)))
