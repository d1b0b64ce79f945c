"""Slips of layers with windows: strides ignored, overlaps overwritten, kernels turned, ties served.

The gradient of a convolution with respect to its input is a sum over the positions of the kernel;
code that assigns in place of adding keeps the last position that reaches an entry, or the first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from compare.layers.names.tape import Step
from compare.layers.rules import aten

MOST_POSITIONS = 64
OVERWRITTEN = "in the gradient of the input overlapping windows are overwritten in place of added"
WRONG_END = "the padding is cut off at the wrong end of {of}, all of it at the {where}"
ONE_LESS = "the sum of a window is divided by one less than its entries"
TRANSPOSED = {3: functional.conv_transpose1d, 4: functional.conv_transpose2d,
              5: functional.conv_transpose3d}  # fmt: skip


@dataclass(frozen=True)
class Windows:
    """A convolution's backward pass as loops write it: windows of the padded input.

    The window of output i and kernel position r lies at `i stride + r dilation`.
    """

    dy: Tensor
    x: Tensor
    w: Tensor
    stride: list[int]
    padding: list[int]
    dilation: list[int]
    groups: int

    @property
    def axes(self) -> int:
        """How many axes the windows move along."""
        return self.x.dim() - 2

    def reach(self, stride: Sequence[int], dilation: Sequence[int]) -> list[int]:
        """Return how far the windows reach, along every axis."""
        outs, sizes = self.dy.shape[2:], self.w.shape[2:]
        return [(o - 1) * s + d * (k - 1) + 1
                for o, s, d, k in zip(outs, stride, dilation, sizes, strict=True)]  # fmt: skip

    def dx(self, stride: list[int], dilation: list[int], crop: list[int]) -> Tensor:
        """Return the gradient of the input, cut out of that of the padded one at `crop`."""
        full = TRANSPOSED[self.x.dim()](
            self.dy, self.w, stride=stride, dilation=dilation, groups=self.groups
        )
        padded = [n + 2 * p for n, p in zip(self.x.shape[2:], self.padding, strict=True)]
        full = fitted(full, padded)
        for axis, (at, n) in enumerate(zip(crop, self.x.shape[2:], strict=True), 2):
            full = full.narrow(axis, at, n)
        return full

    def dw(self, stride: list[int], dilation: list[int], pad: list[int]) -> Tensor:
        """Return the gradient of the kernel, of the input with `pad` zeros around it."""
        around = [n for p in pad[::-1] for n in (p, p)]
        padded = fitted(functional.pad(self.x, around), self.reach(stride, dilation))
        outs = aten.convolution_backward(
            self.dy, padded, self.w, [0], stride, [0] * self.axes, dilation, False,
            [0] * self.axes, self.groups, [False, True, False],
        )  # fmt: skip
        found: Tensor = outs[1]
        return found


def fitted(x: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return a tensor cut, or filled up with zeros, at the ends of its last axes."""
    ends = [n - have for n, have in zip(sizes, x.shape[2:], strict=True)]
    return functional.pad(x, [n for end in ends[::-1] for n in (0, end)])


def of_convolution(step: Step, args: Any) -> Iterator[tuple[tuple[Tensor, ...], str]]:
    """Yield the changed gradients of a convolution: input, kernel, bias."""
    dy: Tensor = args[0]
    outs = step.func(*args)
    for changed, said in itertools.chain(
        misplaced(args), overwritten_windows(step, args), turned(step, args)
    ):
        yield tuple(new if new is not None else out
                    for new, out in zip((*changed, None), outs, strict=True)), said  # fmt: skip
    if outs[2] is None:
        return
    for axis in (0, *range(2, dy.dim())):
        n = dy.shape[axis]
        for said, at in (("first", 0), ("last", n - 1)) if n > 1 else ():
            part = dy.narrow(axis, at, 1)
            db = part.sum([a for a in range(dy.dim()) if a != 1])
            yield (*outs[:2], db), f"the bias gets only the {said} of {n} parts along axis {axis}"


def misplaced(args: Any) -> Iterator[tuple[tuple[Any, Any], str]]:
    """Yield windows that lie elsewhere: stride, dilation or padding were forgotten."""
    dy, x, w, _, stride, padding, dilation, transposed = args[:8]
    if x.dim() not in TRANSPOSED:
        return
    if transposed:
        yield from misplaced_transposed(args)
        return
    windows = Windows(dy, x, w, list(stride), list(padding), list(dilation), args[9])
    s, p, d = windows.stride, windows.padding, windows.dilation
    ones, zeros = [1] * windows.axes, [0] * windows.axes
    if s != ones:
        yield (windows.dx(ones, d, p), windows.dw(ones, d, p)), "the stride is ignored"
    if d != ones:
        yield (windows.dx(s, ones, p), windows.dw(s, ones, p)), "the dilation is ignored"
    if p != zeros:
        for crop, where in ((zeros, "end"), ([2 * n for n in p], "start")):
            yield (windows.dx(s, d, crop), None), WRONG_END.format(of="dx", where=where)
        yield (
            (None, windows.dw(s, d, zeros)),
            "the padding is left out of dw",
        )


def of_padding(step: Step, args: Any, of: str) -> Iterator[tuple[Tensor, str]]:
    """Yield the gradient of what was padded, with the padding cut off at one end alone."""
    x, ends = args[0], list(args[1])
    if max(ends, default=0) > 0:
        return
    pairs = list(zip(ends[::2], ends[1::2], strict=True))
    for where, crop in (
        ("end", [n for a, b in pairs for n in (0, a + b)]),
        ("start", [n for a, b in pairs for n in (a + b, 0)]),
    ):
        if crop != ends:
            yield step.func(x, crop, *args[2:]), WRONG_END.format(of=of, where=where)


def misplaced_transposed(args: Any) -> Iterator[tuple[tuple[Any, Any], str]]:
    """Yield the same for a transposed convolution, whose gradient is a convolution of dy."""
    dy, x, w, _, stride, padding, dilation = args[:7]
    axes, groups = x.dim() - 2, args[9]
    s, p, d = list(stride), list(padding), list(dilation)
    ones, zeros = [1] * axes, [0] * axes

    def moved(stride: list[int], pad: list[int], dilation: list[int]) -> tuple[Tensor, Tensor]:
        around = [n for q in pad[::-1] for n in (q, q)]
        windows = Windows(x, dy, w, stride, pad, dilation, groups)
        given = fitted(functional.pad(dy, around), windows.reach(stride, dilation))
        outs = (zeros, dilation, False, zeros, groups)
        dx = aten.convolution(given, w, None, stride, *outs)
        mask = [False, True, False]
        return dx, aten.convolution_backward(x, given, w, [0], stride, *outs, mask)[1]

    for due, other, said in ((s, (ones, p, d), "the stride is ignored"),
                             (d, (s, p, ones), "the dilation is ignored"),
                             (p, (s, zeros, d), "the padding is ignored")):  # fmt: skip
        if due != (zeros if due is p else ones):
            dx, dw = moved(*other)
            for changed, alone in (((dx, dw), ""), ((dx, None), " in dx"), ((None, dw), " in dw")):
                yield changed, f"{said}{alone}, in the backward pass of the transposed convolution"


def overwritten_windows(step: Step, args: Any) -> Iterator[tuple[tuple[Any, Any], str]]:
    """Yield gradients that are overwritten in place of added, as loops leave them."""
    dy, x, w, _, *further = args
    for positions in orders(w):
        yield (overwritten(step, args, positions), None), OVERWRITTEN
        if further[5] == 1 and not further[3] and w.shape[0] > 1:
            one = (dy[:, -1:], x, w[-1:], [1], *further)
            yield (overwritten(step, one, positions), None), f"{OVERWRITTEN}, and filters as well"
    moving = x if further[3] else dy
    said = "the gradient of the kernel is overwritten in place of added, at every position"
    for first in (1, 0):
        last = torch.zeros_like(moving)
        keep = (slice(-1, None) if first == 0 else slice(None), slice(None),
                *(slice(-1, None) for _ in range(moving.dim() - 2)))  # fmt: skip
        last[keep] = moving[keep]
        given = (dy, last) if further[3] else (last, x)
        dw = step.func(*given, *args[2:])[1]
        yield (None, dw), said if first else f"{said} and row"


def turned(step: Step, args: Any) -> Iterator[tuple[tuple[Any, Any], str]]:
    """Yield a kernel with two of its axes exchanged."""
    dy, x, w = args[:3]
    for one, other in itertools.combinations(range(2, w.dim()), 2):
        if w.shape[one] == w.shape[other]:
            dx = step.func(dy, x, w.transpose(one, other), *args[3:])[0]
            said = "in the gradient of the input the axes of the kernel are exchanged"
            yield (dx, None), said


def orders(w: Tensor) -> Iterator[Sequence[int]]:
    """Yield the positions of a kernel, counted through, as loops meet them: up and down."""
    count = w[0, 0].numel()
    if 1 < count <= MOST_POSITIONS:
        yield range(count)
        yield range(count)[::-1]


def overwritten(step: Step, args: Any, positions: Sequence[int]) -> Tensor:
    """Return the gradient of the input where each position of the kernel overwrites the others."""
    dy, x, w = args[:3]
    out = torch.zeros_like(x)
    for position in positions:
        ones = torch.zeros_like(w)
        ones.view(*w.shape[:2], -1)[..., position] = 1
        part = step.func(dy, x, ones * w, *args[3:])[0]
        reached = step.func(torch.ones_like(dy), x, ones, *args[3:])[0] != 0
        out = torch.where(reached, part, out)
    return out


def of_pooling(args: Any) -> Iterator[tuple[Tensor, str]]:
    """Yield the changed gradient of a max-pooling: spread, ties all served, overwritten."""
    dy, x, kernel, stride, padding, dilation, ceil, index = args
    if list(dilation) == [1, 1]:
        spread = aten.avg_pool2d_backward(
            dy, x, kernel, stride or kernel, padding, ceil, True, None
        )
        yield spread, "the gradient is spread evenly over the window, as in mean pooling"
    if list(padding) != [0, 0] or list(dilation) != [1, 1] or x.dim() != 4:
        return
    step = tuple(stride) or tuple(kernel)
    windows = functional.unfold(x.flatten(0, 1).unsqueeze(1), kernel, stride=step)
    largest = windows.amax(1, keepdim=True)
    if largest.shape[-1] != dy[0, 0].numel():
        return
    size = tuple(x.shape[2:])

    def folded(parts: Tensor) -> Tensor:
        return functional.fold(parts, size, kernel, stride=step).reshape(x.shape)

    each = dy.reshape(*largest.shape)
    yield folded((windows == largest).to(dy.dtype) * each), (
        "every tied maximum gets the whole gradient")  # fmt: skip
    yield folded(torch.ones_like(windows) * each), "every entry of a window gets its gradient"
    flat = torch.zeros_like(x).flatten(2)
    yield flat.scatter(2, index.flatten(2), dy.flatten(2)).reshape(x.shape), OVERWRITTEN


def of_mean_pooling(args: Any) -> Iterator[tuple[Tensor, str]]:
    """Yield the changed gradient of a mean-pooling: divided by another number of entries."""
    dy, x, kernel, stride, padding, ceil, counted, divisor = args
    rest = (dy, x, kernel, stride, padding, ceil)
    yield (
        aten.avg_pool2d_backward(*rest, counted, 1),
        "the division by the size is missing",
    )
    if divisor is None:
        n = kernel[0] * kernel[-1]
        if n > 1 and not any(padding):
            yield aten.avg_pool2d_backward(*rest, counted, n - 1), ONE_LESS
        said = f"the window's sum is divided by {n} everywhere, also where it meets the padding"
        said = said if not counted else "the zeros of the padding are not counted in the mean"
        yield aten.avg_pool2d_backward(*rest, not counted, None), said
    yield from of_overlaps(dy, x, kernel, stride or kernel, padding, n=kernel[0] * kernel[-1])


def of_adaptive_pooling(args: Any) -> Iterator[tuple[Tensor, str]]:
    """Yield the changed gradient of an adaptive mean-pooling, whose windows have several sizes."""
    dy, x = args[:2]
    rows, columns = (
        sizes_of_parts(n, parts) for n, parts in zip(x.shape[-2:], dy.shape[-2:], strict=True)
    )
    n = (rows[:, None] * columns).to(dy.dtype)

    def divided_by(taken: Tensor | float) -> Tensor:
        found: Tensor = aten._adaptive_avg_pool2d_backward(dy * (n / taken), x)
        return found

    yield divided_by(1.0), "the division by the size is missing"
    if bool((n > 1).all()):
        yield divided_by(n - 1), ONE_LESS
    for size in (n.min(), n.max()) if bool((n != n.max()).any()) else ():
        yield divided_by(size), f"every window is taken to have {int(size)} entries"


def sizes_of_parts(n: int, parts: int) -> Tensor:
    """Return how many of n entries each part has: from floor(i n / parts) to the next one's end."""
    at = torch.arange(parts)
    return (n * (at + 1) + parts - 1) // parts - n * at // parts


def of_overlaps(
    dy: Tensor, x: Tensor, kernel: Any, stride: Any, padding: Any, n: int
) -> Iterator[tuple[Tensor, str]]:  # fmt: skip
    """Yield the gradient of a mean-pooling by loops: overwritten, or of windows side by side."""
    if any(padding) or dy[0, 0].numel() > MOST_POSITIONS or len(kernel) != 2:
        return
    over, beside = torch.zeros_like(x), torch.zeros_like(x)
    for i, j in itertools.product(range(dy.shape[-2]), range(dy.shape[-1])):
        each = dy[..., i : i + 1, j : j + 1] / n
        for out, step in ((over, stride), (beside, kernel)):
            top, left = i * step[0], j * step[-1]
            window = out[..., top : top + kernel[0], left : left + kernel[-1]]
            window.copy_(each.expand_as(window)) if out is over else window.add_(each)
    yield over, OVERWRITTEN
    if list(stride) != list(kernel):
        yield beside, "the stride is taken to be the window's size"


def of_upsampling(args: Any) -> Iterator[tuple[Tensor, str]]:
    """Yield the gradient of a nearest upsampling taken from one copy of an entry alone."""
    dy, _, shape = args[:3]
    axes = len(shape) - 2
    times = [big // small for big, small in zip(dy.shape[2:], shape[2:], strict=True)]
    if any(small * r != big for small, r, big in zip(shape[2:], times, dy.shape[2:], strict=True)):
        return
    count = math.prod(times)
    for said, at in (("first", [0] * axes), ("last", [r - 1 for r in times])):
        taken = tuple(slice(first, None, r) for first, r in zip(at, times, strict=True))
        clause = f"that of the {said} of its {count} copies, not their sum"
        yield dy[(..., *taken)], f"the gradient of an entry is {clause}"
