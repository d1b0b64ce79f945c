"""The pass: running error analysis over every operation of a torch program, forward and backward.

Beside every tensor stands a second one of variances, the squares of what its entries may be off
by. Every operation adds what it rounds itself to what its arguments bring along (first order,
independent errors, hence squares; Higham & Mary 2019 for the probabilistic view):
    out = f(a, b):    V(out) = (df/da)² V(a) + (df/db)² V(b) + (c u out)²
    out = sum t:      V(out) = m (sum V(t) + rounding of the sum)        m: size of a crowd
    out = a @ b:      V(out) = m (V(a) @ (b² + V(b)) + a² @ V(b) + rounding of the sum)
Inputs are known to half a last digit, because every way to write a layer that is exact for inputs
so close to the given ones is as good as another. Numbers of the program that are not short binary
fractions round once more, for all entries together.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compare.layers.crowds import Crowds
from compare.layers.cuts import NOTHING, left_out
from compare.layers.formats import LAMBDA, Format
from compare.layers.rules import (
    BILINEAR,
    COSTLY,
    EXACT,
    MOVES,
    POOLS,
    POOLS_BACK,
    SUMS,
    aten,
    packets,
)
from compare.layers.slopes import SLOPES
from compare.layers.sums import rounding_of_sum
from compare.layers.trees import floats, listed, mapped, tensors
from compare.layers.walk import Walk, axis_of, name_of, pointer
from compare.layers.whole_functions import OWN_EPSILON, WholeFunctions

DRAWS = 4
"""How often an operation without a rule is run with its arguments moved by their errors."""
SCALED = packets("mul div add sub")
CHOSEN = packets("sort topk max min median nanmedian kthvalue mode")
EXTREMES = packets("amax amin")
NEAREST = packets("maximum minimum clamp clamp_min clamp_max")
LOGARITHMS = packets("log log2 log10 log1p")
LOWEST = 745.0
"""Minus the logarithm of the smallest number of float64."""
FOR_INFINITY = torch.finfo(torch.float64).max
"""Of this size torch's own formulas take minus a number where they mean no number at all."""
PROBED = 4.0
"""Roundings that an operation without a rule is thought to make, at least."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A discrete result: what it was, of which operands, and how far each of them may be off."""

    kind: str
    found: Tensor
    operands: tuple[Any, ...]
    allowance: Tensor


class Analysis(Walk):  # type: ignore[no-untyped-call]  # torch's __init_subclass__
    """Variances by storage. `decisions` in the order of the walk; `unruled`: what has no rule."""

    def __init__(self, judged: Format) -> None:
        super().__init__()
        self.format = judged
        self.steps = 0
        self.held: dict[int, tuple[Any, Tensor]] = {}
        self.decisions: list[Decision] = []
        self.unruled: set[str] = set()
        self.overflowing: set[str] = set()
        self.crowds = Crowds()
        self.functions = WholeFunctions()
        self.bytes, self.most_bytes = 0, half_of_memory()

    def variance(self, x: Tensor) -> Tensor | None:
        """Return the variances of a tensor's entries; None if all of them are exact."""
        held = self.held.get(pointer(x))
        if held is None:
            return None
        return held[1].as_strided(x.size(), x.stride(), x.storage_offset())

    def known(self, x: Tensor) -> Tensor:
        """Return the variances of a tensor's entries, zeros where all are exact."""
        found = self.variance(x)
        return torch.zeros_like(x) if found is None else found

    def sigma(self, x: Tensor) -> Tensor:
        """Return what the entries of a tensor may be off by, before the constant."""
        return torch.sqrt(self.known(x)) + self.format.floor

    def put(self, x: Tensor, variance: Tensor | float) -> None:
        """Set the variances of a tensor, in the shadow of its memory."""
        at = pointer(x)
        if at == 0:
            return
        storage = x.untyped_storage()
        if at not in self.held:  # the storage is kept, so that its address is not used again
            self.make_room(storage.nbytes())
            size = storage.nbytes() // x.element_size()
            self.held[at] = storage, torch.zeros(size, dtype=torch.float64)
        shadow = self.held[at][1].as_strided(x.size(), x.stride(), x.storage_offset())
        shadow.copy_(torch.as_tensor(variance, dtype=torch.float64))

    def make_room(self, size: int) -> None:
        """Count a storage and its shadow; `MemoryError` beyond half of the machine's memory."""
        self.bytes += 2 * size
        if self.bytes > self.most_bytes:
            raise MemoryError(
                f"it needs more than {self.most_bytes / 2**30:.1f} GiB, half of the machine's "
                "memory; mistakes show at smaller shapes as well"
            )

    def leaf(self, x: Tensor) -> Tensor:
        """Enter an input: known to half a last digit unless it is a small binary fraction."""
        grid, most = self.format.grid, self.format.exact
        rounded = (x / grid != torch.round(x / grid)) | (x.abs() > most)
        self.put(x, torch.where(rounded & torch.isfinite(x), self.format.unit * x.abs(), 0.0) ** 2)
        return x

    def copied(self, target: Tensor, source: Any) -> None:
        if floats(target) and isinstance(source, Tensor):
            self.put(target, self.known(source).expand_as(target) if floats(source) else 0.0)

    def decide(self, kind: str, found: Tensor, operands: tuple[Any, ...]) -> Tensor:
        sigmas = [self.sigma(x) for x in operands if floats(x)]
        allowance = sum(sigmas[1:], sigmas[0])
        kept = tuple(x.detach().clone() if isinstance(x, Tensor) else x for x in operands)
        self.decisions.append(Decision(kind, found, kept, allowance))
        return found

    def rectify(self, func: Any, z: Tensor) -> Tensor:
        """A unit that is off only just may be on for the other side, as far as z may be off."""
        out = super().rectify(func, z)
        variance = self.variance(z)
        if variance is not None:
            near = z.abs() <= LAMBDA * torch.sqrt(variance)
            self.put(out, torch.where((z > 0) | near, variance, 0.0))
        return out

    def apart(self, packet: Any, how: Any, args: Any, kwargs: Any) -> Any:
        """Add what torch's own formula leaves out: the reference is off by it."""
        out = super().apart(packet, how, args, kwargs)
        cut = left_out(packet, args, kwargs, out)
        if cut is not None and bool(cut.any()):
            self.put(out, self.known(out) + cut**2)
        return out

    def carry(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        self.steps += 1
        if not tensors(out):
            return
        self.look_for_overflow(func, out)
        packet = func.overloadpacket
        if packet in EXTREMES and self.shifting:
            return
        if packet is aten.where:
            self.choose(args, out)
        elif packet in CHOSEN | EXTREMES | POOLS:
            self.gather(packet, args, kwargs, out)
        elif packet in MOVES:
            self.move(func, args, kwargs, out)
        elif packet in SUMS or packet in BILINEAR:
            self.sum(func, args, kwargs, out)
        elif packet in SLOPES:
            self.elementwise(packet, args, kwargs, out)
        else:
            self.probe(func, args, kwargs, out)

    def look_for_overflow(self, func: Any, out: Any) -> None:
        """Note an operation whose result the judged format cannot hold."""
        if math.isinf(self.format.largest):
            return
        for x in tensors(out):
            size = x.abs()
            if bool(((size >= self.format.largest) & (size < FOR_INFINITY)).any()):
                self.overflowing.add(name_of(func.overloadpacket))

    def choose(self, args: Any, out: Tensor) -> None:
        """`where`: the variance of what was chosen."""
        zero = torch.zeros((), dtype=torch.float64)
        a, b = (self.variance(x) if floats(x) else None for x in args[1:3])
        chosen = torch.where(args[0], zero if a is None else a, zero if b is None else b)
        self.put(out, chosen.expand_as(out))

    def gather(self, packet: Any, args: Any, kwargs: Any, out: Any) -> None:
        """Selections: the variance of the entry that was taken, where its place is known."""
        variance = self.variance(args[0])
        if variance is None:
            return
        if packet in POOLS:
            value, index = out
            taken = variance.flatten(-2).gather(-1, index.flatten(-2)).view_as(value)
            self.put(value, taken)
        elif isinstance(out, tuple) and out[1].dim() == args[0].dim():
            self.put(out[0], variance.gather(axis_of(packet, args, kwargs), out[1]))
        elif isinstance(out, tuple) and args[0].dim():
            axis = axis_of(packet, args, kwargs)
            self.put(out[0], variance.gather(axis, out[1].unsqueeze(axis)).squeeze(axis))
        else:
            value = listed(out)[0]
            dims, keep = (args[1] if len(args) > 1 else []), len(args) > 2 and args[2]
            self.put(value, torch.amax(variance, dims, keep) if dims else variance.max())

    def move(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """Copies and choices are linear: variances take the same way."""
        if any(self.variance(t) is not None for t in tensors((args, kwargs))):
            moved = func(*mapped(self.known, args), **kwargs)
            for o, v in zip(tensors(out), tensors(moved), strict=True):
                self.put(o, v.abs())

    def sum(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """Sums, plain or of products: what the terms bring, and what adding them rounds."""
        m = self.alike(func, args, kwargs, out)
        own = rounding_of_sum(func, args, kwargs, out, m)
        outs = listed(out)
        brought: list[Any] = [0.0] * len(outs)
        together = m
        if any(self.variance(t) is not None for t in tensors(args)):
            if func.overloadpacket in BILINEAR:
                brought = self.products(func, args, kwargs)
            elif func.overloadpacket in POOLS_BACK:
                brought = [func(self.known(args[0]), *args[1:], **kwargs)]
            else:
                brought = listed(func(*mapped(self.known, args), **kwargs))
                together = m if m == 1 else self.crowds.size(func, args, kwargs, self.spread)
        unit2 = self.format.unit**2
        for o, b, w in zip(outs, brought, own, strict=True):
            if floats(o) and w is not None:
                # underflow of a single term; a sum itself is exact where it is that small
                self.put(o, b * together + w * unit2 + self.underflow(o))

    def spread(self, x: Tensor) -> Tensor:
        """Return the roots of a tensor's variances: equal terms that are exact bring nothing."""
        return torch.sqrt(self.known(x))

    def alike(self, func: Any, args: Any, kwargs: Any, out: Any) -> float:
        """Return the size of the crowds; of zeros, whose errors are what is left, that of those."""
        if any(bool(o.any()) for o in tensors(out)):
            return self.crowds.size(func, args, kwargs)
        return self.crowds.size(func, mapped(self.spread, args), kwargs)

    def products(self, func: Any, args: Any, kwargs: Any) -> list[Any]:
        """`(a² + V_a)(b² + V_b) - a² b²` summed as the operation sums `a b`, without cancelling."""
        packet = func.overloadpacket
        square, known = torch.square, self.known
        if packet in (aten.addmm, aten.baddbmm, aten.addbmm, aten.addmv):
            c, a, b = args[:3]
            one = func(known(c), known(a), square(b) + known(b))
            return [one + func(torch.zeros_like(c), square(a), known(b))]
        if packet in (aten.mm, aten.bmm, aten.mv, aten.dot):
            a, b = args
            return [func(known(a), square(b) + known(b)) + func(square(a), known(b))]
        if packet is aten.convolution:
            a, b, c = args[:3]
            one = func(known(a), square(b) + known(b), None if c is None else known(c), *args[3:])
            return [one + func(square(a), known(b), None, *args[3:])]
        g, x, w = args[:3]
        one = func(known(g), square(x) + known(x), square(w) + known(w), *args[3:])
        two = func(square(g), known(x), known(w), *args[3:])
        pairs = zip(one[:2], two[:2], strict=True)
        return [None if a is None else a + b for a, b in pairs] + [one[2]]

    def elementwise(self, packet: Any, args: Any, kwargs: Any, out: Tensor) -> None:
        """`V(out) = sum (df/da)² V(a) + (c u out)²`."""
        roundings = 0.0 if packet in EXACT else 2.0 if packet in COSTLY else 1.0
        if packet in SCALED and any(rounded(a) for a in (*args, *kwargs.values())):
            roundings += 1.0
        total = (roundings * self.format.unit * out.abs()) ** 2
        if roundings:
            total = total + self.underflow(out)
        for argument, slope in zip(args, SLOPES[packet](args, out), strict=False):
            if not floats(argument) or slope is None:
                continue
            variance = self.variance(argument)
            if variance is None:
                continue
            if packet in NEAREST:  # the other side may choose another one that is as near
                finite = torch.nan_to_num(argument, math.nan, math.inf, -LOWEST)
                slope = (finite - out).abs() <= LAMBDA * torch.sqrt(variance)
            total = total + torch.as_tensor(slope, dtype=torch.float64) ** 2 * variance
        total = total + self.second_order(packet, args)
        if packet is aten.add and self.functions.adds(args[1]):
            total = total + OWN_EPSILON**2
        known = torch.isfinite(out) & torch.isfinite(total)
        total = torch.where(known, total, 0.0).expand_as(out)
        if packet in LOGARITHMS:  # of a 0 that is only rounded: anything down to its smallest
            nothing = torch.isneginf(out) & (self.known(args[0]) > 0)
            total = torch.where(nothing, LOWEST**2, total)
        if packet is aten.sigmoid:  # never 0 in truth
            total = torch.where((out < NOTHING) & torch.isfinite(args[0]), NOTHING**2, total)
        self.put(out, total)

    def second_order(self, packet: Any, args: Any) -> Tensor | float:
        """What a product of two errors adds: all there is where both factors are 0.

        Independent errors add `V(a) V(b)`. Those of a square are one and the same, and its mean is
        not 0: the fourth moment of a normal error, `3 V(a)²`.
        """
        if packet is aten.pow and not isinstance(args[1], Tensor) and args[1] == 2:
            return 3 * self.known(args[0]) ** 2
        if packet is not aten.mul or not all(floats(a) for a in args[:2]):
            return 0.0
        one, other = self.variance(args[0]), self.variance(args[1])
        if one is None or other is None:
            return 0.0
        return one * other * (3.0 if args[0] is args[1] else 1.0)

    def underflow(self, out: Tensor) -> Tensor:
        """What may have been lost below the smallest number; an exact 0 lost nothing."""
        return torch.where(out != 0, self.format.floor**2, 0.0)

    def probe(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """An operation without a rule: run it with its arguments moved by their errors."""
        self.unruled.add(name_of(func.overloadpacket))
        generator = torch.Generator().manual_seed(7)
        wide = 1.0 if self.format.unit > 2.0**-30 else 2.0**9  # float64 must see itself move

        def moved(x: Tensor) -> Tensor:
            noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
            return x + wide * torch.sqrt(self.known(x)) * noise

        squares = [torch.zeros_like(o) for o in tensors(out)]
        for _ in range(DRAWS):
            again = func(*mapped(moved, args), **mapped(moved, kwargs))
            for q, o, other in zip(squares, tensors(out), tensors(again), strict=True):
                q += ((other - o) / wide) ** 2 / DRAWS
        for o, q in zip(tensors(out), squares, strict=True):
            spread = torch.maximum(q, q.mean()) if q.numel() else q
            sigma = torch.sqrt(spread) + PROBED * self.format.unit * o.abs()
            self.put(o, torch.where(torch.isfinite(sigma), sigma, 0.0) ** 2)


def half_of_memory() -> float:
    """Return half of the machine's memory in bytes; no bound where it cannot be asked."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2
    except (AttributeError, ValueError, OSError):
        return math.inf


def rounded(value: Any) -> bool:
    """Return whether a number of the program is not a short binary fraction."""
    scaled = value * 4096 if isinstance(value, float) else 0.0
    return math.isfinite(scaled) and scaled != round(scaled)
