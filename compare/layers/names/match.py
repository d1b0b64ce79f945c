"""Equal up to rounding, equal up to a factor: what counts as reproducing the observed numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from compare.layers.names.forms import Others, Shapes, factor_named

SLACK = 20.0
"""Allowances within which a changed program counts as reproduced: it rounds in its own way."""
CLOSER = 20.0
"""So much closer than the right numbers are it has to come, or anything would do in few digits."""
FAR = 0.1
"""The part of the wrong entries that need not: some are wrong by little more than rounding."""
LEAST = 1.0
ROUNDINGS = 8.0
EXACT, ROUGH = 4.0, 32.0
"""Roundings of an entry up to which a number is the same, and from which on it is another one."""


@dataclass(frozen=True)
class Match:
    """`right`: the reference's numbers; `manual`: the observed ones; `unit`: one rounding.

    `slack`: allowances within which a changed program counts as reproduced. `elsewhere`: the same
    at other shapes, where what coincides here comes apart.
    """

    right: dict[str, Tensor]
    manual: dict[str, Tensor]
    allowances: dict[str, Tensor]
    unit: float
    shapes: Shapes
    inputs: dict[str, Tensor]
    slack: float = SLACK
    outputs: tuple[str, ...] = ()
    elsewhere: tuple[Match, ...] = field(default=(), repr=False)

    def near(self, name: str, one: Tensor, other: Tensor, wide: float = 1.0) -> bool:
        """Return whether two versions of a tensor are equal up to rounding.

        A changed program whose numbers are larger than the right ones rounds as much more.
        """
        if one.shape != other.shape or not bool(torch.isfinite(other).all()):
            return False
        largest = self.largest[name]
        if largest > 0 and other.numel():
            wide = max(wide, float(other.abs().max()) / largest)
        least = self.allowances[name].clamp_max(1e-300) + other.abs() * ROUNDINGS * self.unit
        allowed = self.slack * torch.maximum(wide * self.allowances[name], least)
        return bool(((one - other).abs() <= allowed).all())

    @cached_property
    def largest(self) -> dict[str, float]:
        """The largest entry of every right tensor."""
        return {n: float(t.abs().max()) if t.numel() else 0.0 for n, t in self.right.items()}

    @cached_property
    def wrong(self) -> list[str]:
        """The tensors that are not the reference's."""
        return [n for n, due in self.right.items() if not self.near(n, self.manual[n], due)]

    @cached_property
    def lonely(self) -> bool:
        """Whether a single number is all that is wrong: a constant can always be fitted to it."""
        return sum(self.manual[name].numel() for name in self.wrong) == 1

    def fits(self, results: Mapping[str, Tensor]) -> bool:
        """Return whether a changed program's tensors have the shapes that are due."""
        return all(results[name].shape == right.shape for name, right in self.right.items())

    def reproduces(self, results: Mapping[str, Tensor]) -> bool:
        """Return whether a changed program gives the manual side's numbers, all of them."""
        return all(self.given_by(name, results[name]) for name in self.right)

    def given_by(self, name: str, result: Tensor) -> bool:
        """Return whether a changed program gives an observed tensor, and not by its size alone.

        One huge entry lets all others be far off; of those that are wrong, nearly all have to come
        closer than the right ones are.
        """
        if not self.near(name, self.manual[name], result):
            return False
        if not bool(result.any()) and not self.is_nothing(name):
            return False
        off = (self.manual[name] - self.right[name]).abs()
        wrong = off > self.slack * self.allowances[name]
        left = (self.manual[name] - result).abs()
        far = wrong & (left > torch.maximum(self.slack * self.allowances[name], off / CLOSER))
        return int(far.sum()) <= FAR * int(wrong.sum())

    def off(self, name: str, result: Tensor) -> Tensor:
        """Return by how many roundings of themselves observed entries are off, where wrong."""
        manual = self.manual[name]
        wrong = (manual - self.right[name]).abs() > self.slack * self.allowances[name]
        size = torch.maximum(manual.abs(), result.abs()).clamp_min(1e-300)
        return ((manual - result).abs() / size / self.unit)[wrong]

    def is_exact(self, results: Mapping[str, Tensor]) -> bool:
        """Return whether all that is wrong is given to the last digits."""
        return all(bool((self.off(n, results[n]) <= EXACT).all()) for n in self.wrong)

    def is_rough(self, results: Mapping[str, Tensor]) -> bool:
        """Return whether most entries of a wrong tensor are given in no more than size."""
        return any(
            float(off.median()) > ROUGH
            for n in self.wrong if (off := self.off(n, results[n])).numel()
        )  # fmt: skip

    def is_nothing(self, name: str) -> bool:
        """Return whether an observed tensor is zero up to one rounding of what is due.

        Where nothing flows nothing is rounded: in few digits a part of a long sum is within the
        allowance of the whole.
        """
        manual = self.manual[name]
        largest = float(manual.abs().max()) if manual.numel() else 0.0
        return largest <= self.unit * self.largest[name]

    def changes_nothing(self, results: Mapping[str, Tensor]) -> bool:
        """Return whether a changed program is the right one up to rounding."""
        return all(self.near(name, results[name], self.right[name]) for name in self.right)

    def coefficient(self, name: str, right: Tensor) -> float | None:
        """Return c if the observed tensor is c times `right`; None if it is not."""
        manual = self.manual[name]
        if manual.shape != right.shape or not bool(right.any()) or not bool(manual.any()):
            return None
        c = float((manual * right).sum() / (right * right).sum())
        near = 1e-9 < abs(c) < 1e9 and self.near(name, manual, c * right, max(1.0, abs(c)))
        return c if near else None

    def factor(
        self, name: str, right: Tensor, others: Others | None = None
    ) -> tuple[float, str | None] | None:
        """Return c and its form if the observed tensor is c times `right`; None if it is not.

        `others`: what it is at other shapes, if `right` is not the reference's own.
        """
        c = self.coefficient(name, right)
        if c is None:
            return None
        if others is None:
            telling = [o for o in self.elsewhere if bool(o.right[name].any())]
            others = [(o.coefficient(name, o.right[name]), o.shapes) for o in telling]
            if any(measured is None for measured, _ in others):
                return c, None  # that it is a factor is a matter of this shape
        return c, factor_named(c, self.shapes, self.doubt(name, right), others)

    def doubt(self, name: str, right: Tensor) -> float:
        """Return how far a factor of a tensor may be off, relatively to 1."""
        doubt = float((self.allowances[name] * right.abs()).sum() / (right * right).sum())
        return max(self.slack * doubt, 1e-9)


def slack_of(worst: float) -> float:
    """Return the slack where the manual numbers are off by `worst` allowances."""
    return min(SLACK, max(LEAST, worst / CLOSER))
