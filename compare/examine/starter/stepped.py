"""Functions that return new weights in place of gradients: their gradient is read off a step.

    w(r) = w - r g        so that w(1) - w = w(2) - w(1), where gradients do not depend on r.

At a rate of 2^40 the step is the gradient to rounding, (w - w(r)) / r = g. What depends on the rate
in another way is neither, and not judged here.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from compare.contracts.arrays import Arrays
from compare.examine.starter.chain import RATE, Chain
from compare.examine.starter.cut_names import stored
from compare.examine.starter.flow import Code
from compare.examine.starter.nodes import nodes_of
from compare.examine.starter.recipe import STEP

SAME = 1e-9
"""Relative to the largest entry of a step."""


def as_update(chain: Chain, run: Callable[[Chain], tuple[Arrays, Arrays]]) -> Chain | None:
    """The chain itself where what it returns does not depend on a rate, the chain at a large rate
    where new weights are returned, else None. `run` gives what is returned, and the weights."""
    if not any(value == RATE for call in chain.calls for _, value in call.passed):
        return chain
    once, weights = run(chain)
    twice, _ = run(replace(chain, rate=2.0))
    if not once or set(once) != set(twice):
        return None
    if all(np.array_equal(once[name], twice[name]) for name in once):
        return chain
    if any(once[name].shape != weights[name].shape for name in once):
        return None
    first = {name: once[name] - weights[name] for name in once}
    second = {name: twice[name] - once[name] for name in once}
    if not all(near(first[name], second[name]) for name in once):
        return None
    return replace(chain, rate=STEP, moves=True)


def trains(function: Code, chain: Chain) -> bool:
    """Whether a function returns arguments of its own that it has changed, and is handed no rate:
    the weights after a training, and no gradients."""
    rated = any(value == RATE for call in chain.calls for _, value in call.passed)
    own = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
    returned = [one.value for one in nodes_of(function) if isinstance(one, ast.Return)]
    last = returned[-1] if returned else None
    names = [ast.unparse(one) for one in getattr(last, "elts", [last] if last else [])]
    return not rated and bool(names) and set(names) <= own & set(stored(function))


def near(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two steps are the same but for the rounding of the weights."""
    return bool(np.abs(one - other).max() <= SAME * max(np.abs(one).max(), np.abs(other).max()))
