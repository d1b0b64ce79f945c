"""All the ways one of the five functions can be meant, each with its right answer.

A file that keeps samples in columns or sums over the batch is not wrong, it has another
convention. So a function is called in every way its author may have meant, and each way carries
the answer that torch gives, its allowance, and the words for how it differs from the assignment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.arrays import Array
from compare.textbook import Pair

N = 17


@dataclass(frozen=True, slots=True)
class Sizes:
    """N samples, F inputs, H hidden units, K classes; other numbers with another `seed`.

    `more` are the widths of hidden layers beyond the first; without `biases` there are weights
    alone.
    """

    F: int = 13
    H: int = 11
    K: int = 5
    N: int = N
    seed: int = 0
    more: tuple[int, ...] = ()
    biases: bool = True

    @property
    def widths(self) -> tuple[int, ...]:
        """The widths of all layers, the inputs first."""
        return (self.F, *self.hidden, self.K)

    @property
    def hidden(self) -> tuple[int, ...]:
        """Those of the hidden layers."""
        return (self.H, *self.more)

    @property
    def layers(self) -> int:
        """How many layers have weights."""
        return len(self.hidden) + 1

    @property
    def parameters(self) -> int:
        """How many weights and biases there are."""
        return self.layers * (2 if self.biases else 1)

    def of_layers(self, layers: int) -> Sizes:
        """The same sizes with so many layers, no two of one width."""
        return replace(self, more=MORE[: layers - 2])


MORE = (7, 9)
"""Widths of a second and third hidden layer."""
UNEQUAL = Sizes()
"""No two alike, so that a transposed array or a wrong axis cannot pass."""
ASSIGNMENT = Sizes(F=784, H=1000, K=10)
"""Those of the assignment, for code that has them written into it."""
F, H, K = UNEQUAL.F, UNEQUAL.H, UNEQUAL.K

EXTREME = 1e4
"""A logit no exponential survives, in either direction."""


class Weight(StrEnum):
    """What a difference from the assignment means for the verdict."""

    INTERFACE = "interface"  # the same numbers, passed or laid out otherwise
    CONVENTION = "convention"  # other numbers, that can belong together
    SLIP = "slip"  # other numbers than the function's own parameter names promise


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference from the assignment, in words."""

    weight: Weight
    words: str


@dataclass(frozen=True, slots=True)
class Due:
    """The right answer and its allowance."""

    answer: Array
    allowance: NDArray[np.float64]

    @property
    def T(self) -> Due:
        """Return both transposed."""
        return Due(self.answer.T, self.allowance.T)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to mean a function: what to pass, by argument in their order, and what is due.

    `layout` is rows or columns (of samples), `reduction` mean or sum, `scores` logits or p (what
    is passed for them); each is empty where it makes no difference. `logits` is what p comes from.
    """

    arguments: dict[str, Array]
    due: Due
    differences: tuple[Difference, ...] = ()
    layout: str = ""
    reduction: str = ""
    scores: str = ""
    logits: Array = field(default_factory=lambda: np.zeros((N, K)))

    def differing(self, weight: Weight, words: str) -> Reading:
        """Return the reading with one more difference."""
        return replace(self, differences=(*self.differences, Difference(weight, words)))


def drawn(sizes: Sizes = UNEQUAL) -> tuple[Array, Array]:
    """Return logits and one-hot targets, both (N, K): no row alike, a negative number first."""
    generator = np.random.default_rng(sizes.seed)
    logits = generator.normal(scale=2.0, size=(N, sizes.K)) + generator.normal(size=(N, 1))
    logits[0, 0] = -abs(logits[0, 0])
    return logits, np.eye(sizes.K)[np.arange(N) % sizes.K]


def right(value: Any, pair: Pair) -> Due:
    """Return torch's answer with the allowance of the textbook; no entry is exactly free of it."""
    answer = value.detach().numpy()
    slack = pair.arithmetic.unit * np.abs(answer) + pair.arithmetic.tiny
    return Due(answer, pair.allowance + slack)


def one_hot(reading: Reading) -> Array:
    """The targets of a reading as rows (N, K), however they were passed."""
    target = reading.arguments["target"]
    classes = reading.logits.shape[1]
    if target.ndim == 1:
        rows: Array = np.eye(classes)[target]
        return rows
    return target if target.shape[1] == classes else target.T


def both_layouts(rows: Reading) -> Iterator[Reading]:
    """Yield a reading and its transpose, with samples in columns."""
    yield replace(rows, layout="rows")
    transposed = {name: array.T.copy() for name, array in rows.arguments.items()}
    columns = replace(rows, arguments=transposed, due=rows.due.T, layout="columns")
    yield columns.differing(Weight.INTERFACE, "samples are columns: (K, N)")


def mixed_layouts(rows: Reading) -> Iterator[Reading]:
    """Yield the readings of a function that keeps targets in rows and scores in columns, or both
    the other way round; its value, where it has one for each sample, may lie either way.
    """
    for across, along in (("scores", "target"), ("target", "scores")):
        words = f"{WORDS[along]} are rows (N, K), {WORDS[across]} columns (K, N)"
        passed = rows.arguments | {across: rows.arguments[across].T.copy()}
        arguments = {name: passed[name] for name in rows.arguments}
        for due in (rows.due, rows.due.T) if rows.due.answer.ndim == 2 else (rows.due,):
            turned = replace(rows, arguments=arguments, due=due, layout="mixed")
            yield turned.differing(Weight.INTERFACE, words)


WORDS = {"scores": "predictions", "target": "targets"}
