"""A product that stands without one of its factors: the Φ of a GELU for the whole of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from compare.layers.names.friendly import Names
from compare.layers.names.recognised import COPIES
from compare.layers.names.tape import Ref

FEWEST = 3
"""Of two factors, each is a value of its own, and tried as one."""
FARTHEST = 6
"""So many steps apart two values are, at most, of which one is the other with further factors."""


def without_one_factor(names: Names, number: int) -> Iterator[tuple[str, Tensor]]:
    """Yield a product of three or more without one of them, after what is left out."""
    shape, factors = names.tape.values[number].shape, factors_of(names, number)
    tensors = [factor for factor in factors if isinstance(factor, Ref)]
    for left in tensors if len(factors) >= FEWEST and len(tensors) > 1 else ():
        rest = torch.ones((), dtype=torch.float64)
        for factor in factors:
            if factor is not left:
                value = names.tape.values[factor.number] if isinstance(factor, Ref) else factor
                rest = rest * value
        if rest.dim() <= len(shape):
            yield names.noun(left.number, 1), rest.expand(shape)


def factors_of(names: Names, number: int, depth: int = 3) -> list[Any]:
    """Return what a value is the product of, through products of products and their copies."""
    step = names.step_of(number)
    if step is None or not depth:
        return [Ref(number)]
    if step.name in COPIES and step.refs() and step.name != "expand":
        return factors_of(names, step.refs()[0].number, depth)
    if step.name != "mul":
        return [Ref(number)]
    parts = [factors_of(names, a.number, depth - 1) if isinstance(a, Ref) else [a]
             for a in step.args[:2]]  # fmt: skip
    return list(itertools.chain.from_iterable(parts))


def left_out(names: Names, due: int, taken: int) -> str | None:
    """Say by what one value has to be multiplied or divided to be another; None if by nothing."""
    words: list[str] = []
    for _ in range(FARTHEST):
        step = names.step_of(due)
        if step is not None and step.name in COPIES and step.refs():
            due = step.refs()[0].number
            continue
        if step is None or step.name not in ("mul", "div"):
            return None
        a, b = step.args[:2]
        if step.name == "mul" and b == Ref(taken):
            a, b = b, a
        by = "the division by" if step.name == "div" else "the factor"
        words.insert(0, names.scalar(step) or f"{by} {names.part(b, 1)}")
        if a == Ref(taken):
            return f"{' and '.join(words)} {'are' if len(words) > 1 else 'is'}"
        if not isinstance(a, Ref):
            return None
        due = a.number
    return None
