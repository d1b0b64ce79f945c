"""What a sum of n terms rounds, in any order a hand-written layer may add them in.

With S = sum t, T = sum |t|, Q = sum t² of the n terms, adding them one after another makes n - 1
roundings of partial sums. Partial sums of terms in random order have mean square `Q/2 + S²/2`; of
terms sorted by sign or by class, which is how classes and masks arrange them, up to
`T²/8 + 5/8 S²`. The latter is taken, and never more than T². Products round once each (Q), and
what is left after the last addition rounds once more (S²). All in units of u².

The weights of an interpolation are what is behind the point of a position, which is anything up to
the length of the axis and rounds as that: n²/3 T² in the mean of all positions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from compare.layers.rules import AVERAGES, BILINEAR, INTERPOLATES, aten
from compare.layers.trees import finite, floats, listed, mapped


def rounding_of_sum(
    func: Any, args: Any, kwargs: Any, out: Any, alike: float
) -> list[Tensor | None]:
    """Return the squared own error of every result, in units of u²; `alike`: size of a crowd."""
    if func.overloadpacket is aten.cumsum:
        squares = func(*mapped(torch.square, args), **kwargs)
        return [args[0].shape[args[1]] * squares + torch.square(out)]
    args = mapped(finite, args)

    def again(power: Callable[[Tensor], Tensor]) -> list[Any]:
        return listed(func(*mapped(power, args), **kwargs))

    counts = again(lambda t: (t != 0).to(t.dtype))
    absolutes, squares = again(torch.abs), again(torch.square)
    average = func.overloadpacket in AVERAGES | INTERPOLATES
    positions = length_of(func.overloadpacket, args) ** 2 / 3
    found: list[Tensor | None] = []
    for s, n, t, q in zip(listed(out), counts, absolutes, squares, strict=True):
        if not floats(s):
            found.append(None)
            continue
        additions = (n.round() - 1).clamp_min(0)
        if average:
            additions = torch.full_like(s, max(1.0, 4 * args[0].numel() / max(1, s.numel())))
        partial = torch.minimum(t * t / 8 + 0.625 * s * s, t * t)
        products = q if func.overloadpacket in BILINEAR else 0.0
        last = s * s * (additions > 0) * (3 if average else 1)
        found.append(alike * (additions * partial + products) + last + positions * t * t)
    return found


def length_of(packet: Any, args: Any) -> int:
    """Return the length of the longest axis that is interpolated along; 0 for other operations."""
    if packet not in INTERPOLATES:
        return 0
    shape = args[2] if "backward" in str(packet) else args[0].shape
    return int(max(shape[2:]))
