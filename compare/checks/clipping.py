"""What clipping makes of recorded gradients, with what rounding may change in it.

    norm:   g * min(1, largest / (||g|| + guard))      ||g|| of all gradients together
    value:  every entry held between -largest and largest

The guard is a convention in which libraries differ: torch adds 1e-6 to the norm, TensorFlow, JAX
and optax nothing, and what people write adds something as small, or asks `if norm > largest` first.
All of these are right. A side is judged in the form that it has, which its updates tell.

Sources: torch.nn.utils.clip_grad_norm_ and clip_grad_value_; Pascanu, Mikolov & Bengio 2013, ICML,
algorithm 1 (`if norm >= largest: g = largest / norm * g`); optax.clip_by_global_norm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.textbook.functions import held
from compare.textbook.pair import Pair, arithmetic_of, exact

GUARD = 1e-6
"""What torch adds to the norm."""
GUARDS = (GUARD, 0.0, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12, 1e-15)
"""What may be added to it: nothing larger than torch does is a mere guard."""
ROUNDINGS = 3.0
"""Of the factor that all entries share: root, sum, quotient."""


@dataclass(frozen=True, slots=True)
class Clipping:
    """How gradients are held in check before the step; None: not at all.

    `guard` is added to the norm. `longer`: only what is longer than the norm is shortened, where
    with a guard alone what is a little shorter is too.
    """

    norm: float | None = None
    value: float | None = None
    guard: float = GUARD
    longer: bool = False

    def pairs(self, gradients: Mapping[str, NDArray[Any]]) -> dict[str, Pair]:
        """Return the gradients that the step uses."""
        found = {name: exact(g, g.dtype) for name, g in gradients.items()}
        if self.norm is not None:
            share, error = self.shortened(gradients)
            found = {
                name: scaled(pair, share, error) if share < 1 or error else pair
                for name, pair in found.items()
            }
        if self.value is not None:
            bound = self.value
            found = {name: held(pair, -bound, bound) for name, pair in found.items()}
        return found

    def shortened(self, gradients: Mapping[str, NDArray[Any]]) -> tuple[float, float]:
        """Return the factor of clipping by norm, and its relative allowance.

        A factor of exactly 1 has no rounding. Where rounding decides whether a gradient is longer
        than the norm, it may be left as it is.
        """
        assert self.norm is not None
        whole, error = norm_of(gradients), rounding_of(gradients)
        share = self.norm / (whole + self.guard)
        if self.longer and abs(whole - self.norm) <= error * self.norm:
            return share, error + self.guard / self.norm
        share = self.share(whole)
        if not share * (1 - error) < 1:  # also of a norm that is not finite
            return 1.0, 0.0
        return share, error

    def share(self, whole: float) -> float:
        """Return the factor of gradients whose norm is `whole`."""
        assert self.norm is not None
        if self.longer and whole <= self.norm:
            return 1.0
        return min(self.norm / (whole + self.guard), 1.0)

    def forms(self) -> list[Clipping]:
        """Return the other forms in which the same may be written; none without a norm."""
        if self.norm is None:
            return []
        both = [replace(self, guard=g, longer=longer) for longer in (False, True) for g in GUARDS]
        return [one for one in both if one != self and (one.guard or not one.longer)]

    def note(self) -> str:
        """Say which form it is, if not torch's."""
        if self.norm is None or (self.guard == GUARD and not self.longer):
            return ""
        c, where = f"{self.norm:g}", " where the norm is above it" if self.longer else ""
        written = f"{c} / (norm + {self.guard:g}){where}"
        if not self.guard:
            written = f"{c} / norm where the norm is above it, with nothing to be seen added to it"
        return (
            f"the step clips by {written}; torch by {c} / (norm + {GUARD:g}): a convention in "
            "which libraries differ, and it was judged in its own form"
        )


def norm_of(gradients: Mapping[str, NDArray[Any]]) -> float:
    """Return the norm of all gradients together."""
    wide = [g.astype(np.float64).reshape(-1) for g in gradients.values()]
    return sqrt(sum(float(np.vdot(g, g)) for g in wide))


def rounding_of(gradients: Mapping[str, NDArray[Any]]) -> float:
    """Return the relative allowance of a factor made of the norm.

    A sum of n squares rounds by sqrt(n) units at most, its root by half of that.
    """
    entries = sum(g.size for g in gradients.values())
    unit = arithmetic_of(next(iter(gradients.values())).dtype).unit
    return unit * (ROUNDINGS + sqrt(entries) / 2)


def told_apart(forms: Sequence[Clipping], gradients: Mapping[str, NDArray[Any]]) -> bool:
    """Return whether these gradients, clipped in these forms, are more than rounding apart.

    A quarter of its allowance: less than that is no form of its own.
    """
    whole = norm_of(gradients)
    shares = [one.share(whole) for one in forms if one.norm is not None]
    return (
        bool(shares) and not max(shares) - min(shares) <= rounding_of(gradients) * min(shares) / 4
    )


def scaled(pair: Pair, share: float, error: float) -> Pair:
    """Return the entries times a factor that is known up to a relative error."""
    product = pair * share
    return product.with_more(lambda: error * np.abs(product.value))
