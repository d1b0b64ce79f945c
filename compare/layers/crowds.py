"""Crowds: equal terms of a sum err alike, and their errors do not cancel.

Multiply every factor of a sum by noise that is a function of the factor's own leading digits, and
run the operation again. A sum of n terms that all differ comes out with mean square `sum t**2`; in
a sum of m times the same term the noise is the same m times, and the mean square is m times that.
So the quotient of the two is the size of the crowd, without knowing any layer: repeated rows, equal
hidden units, a constant image. It is one number per operation, by which its variance is multiplied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from compare.layers.trees import finite, mapped, tensors

Sized = Callable[[Tensor], Tensor]
DRAWS = 4
FEW = 3.0
"""Below this the quotient is what four draws scatter by."""
LEADING = 34
"""Bits left out: sign, exponent and the 18 leading digits of float64 remain."""
MIXERS = (
    (31, -7046029254386353131),
    (29, -4265267296055464877),
    (32, 7809847782465536323),
)


def scrambled(bits: Tensor, seed: int) -> Tensor:
    """Return noise of mean 0 and variance 1 from integers: equal bits, equal noise."""
    for shift, odd in MIXERS:
        bits = (bits ^ seed) * odd
        bits = bits ^ ((bits >> shift) & ((1 << (64 - shift)) - 1))
    return (bits >> 11).to(torch.float64) * (3**0.5 / 2.0**52)


def absolute(tensor: Tensor) -> Tensor:
    """Return absolute values, 0 where they are no numbers."""
    return finite(tensor).abs()


class Crowds:
    """Finds crowds; the noise is drawn from a generator of its own, so that a check repeats."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(11)

    def size(
        self, func: Callable[..., Any], args: Any, kwargs: Any, sized: Sized = absolute
    ) -> float:
        """Return how many terms of a sum of products are alike, on average; 1 if they differ.

        `sized` says how much a factor counts: as much as it is, or as much as it may be off.
        """
        drawn = sum(self.drawn(func, args, kwargs, sized) for _ in range(DRAWS)) / DRAWS
        squares = mapped(lambda t: torch.square(sized(t)), args)
        apart = sum(float(q.sum()) for q in tensors(func(*squares, **kwargs)))
        m = drawn / apart if apart > 0 else 1.0
        return m if m > FEW else 1.0

    def drawn(self, func: Callable[..., Any], args: Any, kwargs: Any, sized: Sized) -> float:
        """Return the squared length of the result with every factor multiplied by its noise."""
        seed = int(torch.randint(2**62, (), generator=self.generator))

        def noisy(tensor: Tensor) -> Tensor:
            leading = finite(tensor).contiguous().view(torch.int64) >> LEADING
            return sized(tensor) * scrambled(leading, seed)

        return sum(
            float(torch.square(o).sum()) for o in tensors(func(*mapped(noisy, args), **kwargs))
        )
