"""Equal up to rounding, equal up to a factor: what counts as reproducing the observed numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SLACK = 20.0
"""Allowances within which a changed program counts as reproduced: it rounds in its own way."""
CLOSER = 20.0
"""So much closer than the right numbers are it has to come, or anything would do in few digits."""
LEAST = 2.0
MOST_DOUBT = 0.02
"""A factor is never believed to be another one that is further off than this, relatively."""
ROUNDINGS = 8.0
Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Match:
    """`right`: the reference's numbers; `manual`: the observed ones; `unit`: one rounding.

    `slack`: allowances within which a changed program counts as reproduced.
    """

    right: dict[str, Tensor]
    manual: dict[str, Tensor]
    allowances: dict[str, Tensor]
    unit: float
    shapes: Shapes
    inputs: dict[str, Tensor]
    slack: float = SLACK

    def near(self, name: str, one: Tensor, other: Tensor, wide: float = 1.0) -> bool:
        """Return whether two versions of a tensor are equal up to rounding."""
        if one.shape != other.shape:
            return False
        least = self.allowances[name].clamp_max(1e-300) + other.abs() * ROUNDINGS * self.unit
        allowed = wide * self.slack * torch.maximum(self.allowances[name], least)
        return bool(((one - other).abs() <= allowed).all())

    def reproduces(self, results: Mapping[str, Tensor]) -> bool:
        """Return whether a changed program gives the manual side's numbers, all of them."""
        return all(self.near(name, self.manual[name], results[name]) for name in self.right)

    def changes_nothing(self, results: Mapping[str, Tensor]) -> bool:
        """Return whether a changed program is the right one up to rounding."""
        return all(self.near(name, results[name], self.right[name]) for name in self.right)

    def factor(self, name: str, right: Tensor) -> tuple[float, str | None] | None:
        """Return c and its name if the observed tensor is c times `right`; None if it is not."""
        manual = self.manual[name]
        if manual.shape != right.shape or not bool(right.any()) or not bool(manual.any()):
            return None
        c = float((manual * right).sum() / (right * right).sum())
        if not 1e-9 < abs(c) < 1e9 or not self.near(name, manual, c * right, max(1.0, abs(c))):
            return None
        doubt = float((self.allowances[name] * right.abs()).sum() / (right * right).sum())
        return c, factor_named(c, self.shapes, max(self.slack * doubt, 1e-9))


def slack_of(worst: float) -> float:
    """Return the slack where the manual numbers are off by `worst` allowances."""
    return min(SLACK, max(LEAST, worst / CLOSER))


def factor_named(c: float, shapes: Shapes, doubt: float) -> str | None:
    """Return what a factor does: doubled, of the wrong sign, divided by the length of an axis."""
    doubt = min(doubt, MOST_DOUBT)
    for said, value in known_factors(shapes):
        for text, due in ((said, value), (f"{said}, of the wrong sign", -value)):
            if due != 1 and abs(c - due) <= doubt * abs(due):
                return text.removeprefix("unchanged, ")
    return None


def known_factors(shapes: Shapes) -> Iterator[tuple[str, float]]:
    """Yield the factors that derivations leave out or put in, with what they do."""
    yield "unchanged", 1.0
    yield "doubled", 2.0
    yield "halved", 0.5
    sizes: dict[int, str] = {}
    for name, shape in shapes.items():
        for axis, n in enumerate(shape):
            if n > 1:
                sizes.setdefault(n, f"the length of axis {axis} of {name}")
    for n, what in sizes.items():
        yield f"multiplied by {n}, {what}", float(n)
        yield f"divided by {n}, {what}", 1 / n
        yield f"multiplied by √{n}, the root of {what}", math.sqrt(n)
        yield f"divided by √{n}, the root of {what}", 1 / math.sqrt(n)
    for number in (3, 4):
        yield f"multiplied by {number}", float(number)
        yield f"divided by {number}", 1 / number
    for name, shape in shapes.items():
        for count in range(2, len(shape) + 1):
            for axes in itertools.combinations(range(len(shape)), count):
                n = math.prod(shape[axis] for axis in axes)
                where = f"the number of entries of {name} along axes {axes}"
                if n > 1:
                    yield f"multiplied by {n}, {where}", float(n)
                    yield f"divided by {n}, {where}", 1 / n
    for n, what in sizes.items():
        yield f"multiplied by ({n} - 1)/{n}, {what}", (n - 1) / n
        yield f"multiplied by {n}/({n} - 1), {what}", n / (n - 1)
        yield f"multiplied by √(({n} - 1)/{n}), {what}", math.sqrt((n - 1) / n)
        yield f"multiplied by √({n}/({n} - 1)), {what}", math.sqrt(n / (n - 1))
