"""A loss that is the binary cross-entropy, in a file whose outputs are sigmoids and no softmax.

    def loss(prob, y):
        return -np.mean(y * np.log(prob) + (1 - y) * np.log(1 - prob))

Of the outputs of a softmax it is a mistake. Of one sigmoid output it is the loss that is meant, and
nobody has to declare it: it is called with the probabilities of one output, in every form of them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.activation_slopes import required
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.networks import EXPONENTIAL
from compare.examine.starter.readings import N
from compare.examine.starter.roles import orders_of
from compare.examine.starter.source import Source
from compare.guard.copies import OnCopies
from compare.guard.guard import Guard

SAME, NEAR = 1e-12, 1e-5
"""Relative: the rounding of a sum of N terms, and what a constant in a logarithm adds."""
SEEDS = (0, 1)
FORMS = ((N,), (N, 1), (1, N))
BOTH = 2
IS_ONE = "your loss is the binary cross-entropy of sigmoid outputs, {}"
NEARLY = (
    "is the binary cross-entropy of sigmoid outputs but for {:.1g}, as a constant in its"
    " logarithms makes it"
)
SHOWN_NOWHERE = (
    "it is the binary cross-entropy, not that of a softmax; whether the outputs are sigmoids"
    " the file does not show"
)


@dataclass(frozen=True)
class Binary:
    """How a function was called: the order of its arguments, their form and its reduction; and how
    far from the binary cross-entropy it is, relative to it."""

    order: tuple[str, ...]
    form: tuple[int, ...]
    reduction: str
    apart: float

    @property
    def likeliness(self) -> tuple[bool, bool]:
        """Order ways: in the wrong form a mean over the rows looks like a sum."""
        return self.apart > SAME, self.reduction != "mean"


def binary_loss(
    source: Source, found: FunctionVerdict, function: Callable[..., Any]
) -> FunctionVerdict:
    """The verdict on a loss, mended where it was held against a softmax that the file has not."""
    if found.verdict is not Verdict.DISAGREES or shows_softmax(source.text):
        return found
    way = way_of(function, required(function), source.guard.timeout)
    if way is None:
        return found
    about = FunctionVerdict(
        found.name, found.role, found.place, Verdict.AGREES, "agrees",
        conventions=(IS_ONE.format(way.reduction),), reduction=way.reduction,
        arguments=way.order, scores="p",
    )  # fmt: skip
    if way.apart > SAME:
        return about.undecided(f"was not compared: it {NEARLY.format(way.apart)}")
    return about if EXPONENTIAL.search(source.text) else about.undecided(SHOWN_NOWHERE)


def way_of(
    function: Callable[..., Any], parameters: Sequence[str], timeout: float | None
) -> Binary | None:
    """How a function has to be called to be the binary cross-entropy; None where it never is."""
    if len(parameters) != BOTH:
        return None
    call = OnCopies(function, Guard(timeout=timeout))
    ways = sorted(ways_of(call, parameters), key=lambda one: one.likeliness)
    return ways[0] if ways else None


def ways_of(call: OnCopies, parameters: Sequence[str]) -> Iterator[Binary]:
    """The calls that give a binary cross-entropy, or nearly one."""
    for order in orders_of("average_ce", parameters):
        for form in FORMS:
            values = [value_of(call, order, form, seed) for seed in SEEDS]
            for reduction in ("mean", "sum"):
                due = [due_of(*drawn(form, seed), reduction) for seed in SEEDS]
                apart = max(abs(one / right - 1) for one, right in zip(values, due, strict=True))
                if apart <= NEAR:
                    yield Binary(order, form, reduction, apart)


def value_of(call: OnCopies, order: Sequence[str], form: tuple[int, ...], seed: int) -> float:
    """The number that a function gives of one output; NaN where it gives none."""
    p, y = drawn(form, seed)
    given = {"scores": p, "target": y}
    try:
        value = np.asarray(call({name: given[name] for name in order}))
    except (UserCodeError, ValueError):
        return np.nan
    return float(value.item()) if value.size == 1 and value.dtype.kind == "f" else np.nan


def drawn(form: tuple[int, ...], seed: int) -> tuple[Array, Array]:
    """Probabilities and targets of one output."""
    generator = np.random.default_rng(seed)
    p = generator.uniform(0.01, 0.99, form)
    return p, (generator.uniform(size=form) < 0.5).astype(float)


def due_of(p: Array, y: Array, reduction: str) -> float:
    """The binary cross-entropy."""
    terms = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    return float(terms.mean() if reduction == "mean" else terms.sum())


@cache
def shows_softmax(text: str) -> bool:
    """Whether a text names a softmax, or sums exponentials up, outside of its comments."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return True
    if "softmax" in ast.unparse(tree).lower():
        return True
    powers = set(exponentials(tree))
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    sums = (node for node in calls if "sum" in name_of(node))
    return any(is_power(part, powers) for node in sums for part in ast.walk(node))


def exponentials(tree: ast.AST) -> Iterator[str]:
    """The names that are given an exponential."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and is_power(node.value, set()):
            yield from (ast.unparse(target) for target in node.targets)


def is_power(node: ast.AST, powers: set[str]) -> bool:
    """Whether an expression is an exponential, or a name of one."""
    if isinstance(node, ast.Call):
        return name_of(node) == "exp"
    return isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in powers


def name_of(node: ast.Call) -> str:
    """The name of what is called, without what stands before the dot."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
