"""What a pass over a network finds: the allowance of every number on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from compare.allowance.arithmetic import quiet
from compare.allowance.head import Head
from compare.allowance.outputs import Output
from compare.allowance.softmax import ambiguous_samples
from compare.allowance.spread import Spread, Stacked
from compare.allowance.squares import length
from compare.contracts.arrays import Float


@dataclass(frozen=True)
class ForwardAllowances:
    """Allowances of a loss and of everything on the way to it.

    `outputs` yields what the reference puts out, perhaps block by block of rows: then `head` holds
    nothing of single rows. `z` and `h` hold squared allowances per layer. `unordered` makes the
    same without a look at the order of any sum: intermediates that a side shows are held against
    those. `shown`: those of what stands inside a hidden layer, by name; there `z` is of what the
    activation takes.
    """

    loss: float
    head: Head
    outputs: Callable[[], Iterable[Output]]
    z: Mapping[int, Spread | Stacked]
    h: Mapping[int, Spread]
    tiny: float
    unordered: Callable[[], ForwardAllowances]
    shown: Mapping[str, Spread] = field(default_factory=dict)

    @property
    def probabilities(self) -> Iterator[Float]:
        """Softmax of the reference's logits in float64, (N, K), block by block of rows."""
        return (block.p for block in self.outputs())

    @cached_property
    def ambiguous(self) -> int:
        """How many samples may change class by rounding: two accuracies may differ by as many."""
        return sum(ambiguous_samples(block.logits, block.allowed) for block in self.outputs())

    def intermediate(self, name: str) -> Float | None:
        """Return the allowance of `z1`, `h1`, ..., `logits` or `p`, or None."""
        found = self._unordered
        if name == "p":
            return found.head.p.T + self.tiny
        if name == "logits":
            return _roots(found.z[len(found.z)]) + self.tiny
        spread = found.shown.get(name) or _numbered(name, z=found.z, h=found.h)
        return None if spread is None else _roots(spread) + self.tiny

    @cached_property
    @quiet
    def _unordered(self) -> ForwardAllowances:
        return self.unordered()


@dataclass(frozen=True)
class Allowances:
    """Allowances of one evaluation with its gradients.

    `gradients` is keyed by parameter (`w1`, ...) and has its shapes. `projections` allows for
    `<manual - reference, reference> / <reference, reference>`, one number per parameter. `dh` and
    `dz` hold squared allowances per layer of numbers multiplied by `scale`.
    """

    forward: ForwardAllowances
    gradients: dict[str, Float]
    projections: dict[str, float]
    dh: Mapping[int, Spread]
    dz: Mapping[int, Spread]
    scale: float
    unordered: Callable[[], Allowances]
    shown: Mapping[str, Spread] = field(default_factory=dict)

    @cached_property
    @quiet
    def lengths(self) -> dict[str, float]:
        """The 2-norms of the allowances of all gradients."""
        return {name: length(entries) for name, entries in self.gradients.items()}

    def intermediate(self, name: str) -> Float | None:
        """Return the allowance of the intermediate `name` (`z1`, `dz1`, `logits`, ...), or None."""
        if not name.startswith("d"):
            return self.forward.intermediate(name)
        found = self._unordered
        if name == "dlogits":
            return _roots(found.dz[len(found.dz)]) / found.scale
        spread = found.shown.get(name) or _numbered(name, dz=found.dz, dh=found.dh)
        return None if spread is None else _roots(spread) / found.scale

    @cached_property
    @quiet
    def _unordered(self) -> Allowances:
        return self.unordered()


def _numbered(
    name: str, **tables: Mapping[int, Spread] | Mapping[int, Spread | Stacked]
) -> Spread | Stacked | None:
    """Return entry 1 of the table `z` for the name `z1`, or None."""
    for prefix, table in tables.items():
        number = name.removeprefix(prefix)
        if number.isdigit():
            return table.get(int(number))
    return None


def _roots(spread: Spread | Stacked) -> Float:
    roots: Float = np.sqrt(spread.entries())
    return roots
