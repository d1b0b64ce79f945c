"""Kinks of any layer: decisions that rounding could have turned, turned over and tried.

A comparison whose sides are closer than their allowances, a maximum that is tied, a sign at 0: the
other side may take the other branch, and in a reverse pass everything between the two slopes is
right there. So the plain program is run once more for each of them with that one result turned
over, and the observed difference has to be a combination of what that changes, with slopes between
0 and 1, within the ordinary allowance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from compare.contracts.measured import LayerKink
from compare.layers.analysed import walked
from compare.layers.analysis import Analysis, Decision
from compare.layers.formats import FORMATS, LAMBDA
from compare.layers.program import Program, Tensors, as_written
from compare.layers.replay import Replay

Flip = tuple[int, int, Any]
"""Number of the decision, flat entry, what to put there."""
MOST = 64
SNAP = 0.02
ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Tie:
    """One thing that could be turned over; several entries at once where there are too many."""

    operation: str
    index: tuple[int, ...]
    margin: float
    flips: tuple[Flip, ...]


def ties(analysis: Analysis) -> list[Tie] | None:
    """Return what rounding could have turned over; None if it is too much to tell apart.

    Of very many, those exactly on their kink are turned over together: they share a convention.
    """
    found = [tie for n, d in enumerate(analysis.decisions) for tie in ties_of(n, d)]
    if len(found) <= MOST:
        return found
    groups: dict[tuple[int, Any], list[Tie]] = {}
    for tie in found:
        number, _, value = tie.flips[0]
        alone = tie.margin != 0
        groups.setdefault((number, (tie.index, value) if alone else bool(value)), []).append(tie)
    merged = [
        Tie(group[0].operation, group[0].index, group[0].margin,
            tuple(flip for tie in group for flip in tie.flips))
        for group in groups.values()
    ]  # fmt: skip
    return merged if len(merged) <= MOST else None


def ties_of(number: int, decision: Decision) -> Iterator[Tie]:
    """Yield the entries of one decision that could have come out otherwise."""
    if decision.kind == "max_pool":
        yield from ties_in_windows(number, decision)
    elif decision.kind in ("max", "min"):
        yield from ties_along_axis(number, decision)
    else:
        yield from ties_of_signs(number, decision)


def ties_of_signs(number: int, decision: Decision) -> Iterator[Tie]:
    """A comparison of a and b, or a sign: tied where |a - b| is within the allowance."""
    operands = decision.operands
    margin = operands[0] - operands[1] if decision.kind == "compare" else operands[0]
    margin = torch.as_tensor(margin, dtype=torch.float64).expand_as(decision.found)
    near = margin.abs() <= LAMBDA * decision.allowance
    for entry in torch.nonzero(near.flatten()).flatten().tolist():
        index = tuple(int(i) for i in np.unravel_index(entry, tuple(margin.shape)))
        size, was = float(margin.flatten()[entry]), decision.found.flatten()[entry]
        others = [not bool(was)] if decision.found.dtype is torch.bool else [-1.0, 1.0]
        for other in others:
            if other != was.item():
                yield Tie(decision.kind, index, size, ((number, entry, other),))


def ties_along_axis(number: int, decision: Decision) -> Iterator[Tie]:
    """The place of a maximum along an axis: tied with every other entry as large."""
    x, axis, keep = decision.operands
    index = decision.found if keep else decision.found.unsqueeze(axis)
    allowance = LAMBDA * (decision.allowance + decision.allowance.gather(axis, index))
    margin = (x - x.gather(axis, index)).abs()
    near = (margin <= allowance).scatter(axis, index, False)
    strides = torch.arange(index.numel()).view(index.shape)
    for place in torch.nonzero(near).tolist():
        other = place[axis]
        at = [0 if d == axis else i for d, i in enumerate(place)]
        entry = int(strides[tuple(at)])
        yield Tie(
            decision.kind, tuple(place), float(margin[tuple(place)]), ((number, entry, other),)
        )


def ties_in_windows(number: int, decision: Decision) -> Iterator[Tie]:
    """The place of a maximum in a window of max-pooling."""
    x, *rest = decision.operands
    kernel = pair(rest[0])
    stride = pair(rest[1]) if len(rest) > 1 and rest[1] else kernel
    padding = pair(rest[2]) if len(rest) > 2 else (0, 0)
    dilation = pair(rest[3]) if len(rest) > 3 else (1, 1)
    planes = x.reshape(-1, 1, *x.shape[-2:])
    places = torch.arange(planes[0].numel(), dtype=torch.float64).view(1, 1, *x.shape[-2:])

    def windows(values: Tensor, outside: float) -> Tensor:
        padded = F.pad(values, (padding[1], padding[1], padding[0], padding[0]), value=outside)
        return F.unfold(padded, kernel, dilation=dilation, stride=stride)

    index = decision.found.reshape(len(planes), -1)  # (planes, windows)
    if windows(places, -1.0).shape[-1] != index.shape[1]:
        return  # ceil_mode: the windows beyond the edge are not looked at
    value, place = windows(planes, -torch.inf), windows(places, -1.0).expand(len(planes), -1, -1)
    allowed = windows(decision.allowance.reshape(planes.shape), 0.0)
    top = value.amax(1, keepdim=True)
    most = torch.where(place == index.unsqueeze(1), allowed, 0.0).sum(1, keepdim=True)
    near = (top - value <= LAMBDA * (allowed + most)) & (place != index.unsqueeze(1)) & (place >= 0)
    for plane, row, window in torch.nonzero(near).tolist():
        entry = plane * index.shape[1] + window
        where = tuple(int(i) for i in np.unravel_index(entry, tuple(decision.found.shape)))
        margin = float((top - value)[plane, row if top.shape[1] > 1 else 0, window])
        yield Tie("max_pool", where, margin, ((number, entry, int(place[plane, row, window])),))


def pair(value: Any) -> tuple[int, int]:
    """Return a size for both axes of an image."""
    sizes = [value] if isinstance(value, int) else list(value)
    return int(sizes[0]), int(sizes[-1])


@dataclass(frozen=True)
class Explained:
    """The slopes that explain a difference; `left`: what remains, in allowances."""

    left: float
    kinks: tuple[LayerKink, ...]


def explain(
    program: Program,
    inputs: Tensors,
    dy: Tensors | None,
    judged: str,
    manual: Mapping[str, NDArray[Any]],
) -> Explained | None:
    """Return how kinks explain the manual numbers, None if there are none that could."""
    analysis, base, allowances = walked(program, inputs, dy, judged)
    candidates = ties(analysis)
    if not candidates:
        return None
    script = [decision.found for decision in analysis.decisions]

    def turned(flips: Sequence[Flip]) -> Tensors:
        with as_written(), Replay(script, by_number(flips)):
            found = program.run(inputs, dy)
        return {name: found[name] - base[name] for name in base}

    moved = [turned(tie.flips) for tie in candidates]
    difference = {
        n: torch.from_numpy(np.asarray(manual[n], dtype=np.float64)) - base[n] for n in base
    }
    unit = 4 * LAMBDA * FORMATS[judged].unit  # the other slope is rounded as well
    wide = {
        n: allowances[n]
        + unit * sum((m[n].abs() for m in moved), torch.zeros((), dtype=torch.float64))
        for n in base
    }

    def weighed(tensors: Tensors) -> Tensor:
        return torch.cat([(tensors[n] / wide[n]).nan_to_num(0.0).flatten() for n in base])

    columns, right = torch.stack([weighed(m) for m in moved], 1), weighed(difference)
    live = torch.nonzero(columns.abs().amax(0) > 1).flatten().tolist()
    if not live:
        return None
    slopes = bounded(columns[:, live], right)
    left = float((right - columns[:, live] @ slopes).abs().max())
    used = [(candidates[at], float(s)) for at, s in zip(live, slopes, strict=True) if s > SNAP]
    if left > 1 and all(abs(s - 1) <= 0.5 for _, s in used):  # branches of one path multiply
        together = turned([flip for tie, _ in used for flip in tie.flips])
        left = min(left, float((right - weighed(together)).abs().max()))
        used = [(tie, 1.0) for tie, _ in used]
    return Explained(left, tuple(LayerKink(t.operation, t.index, t.margin, s) for t, s in used))


def by_number(flips: Sequence[Flip]) -> dict[int, list[tuple[int, Any]]]:
    """Return the flips by the decision they turn over."""
    found: dict[int, list[tuple[int, Any]]] = {}
    for number, entry, value in flips:
        found.setdefault(number, []).append((entry, value))
    return found


def bounded(columns: Tensor, right: Tensor) -> Tensor:
    """Least squares with every slope in [0, 1]: what leaves the interval is held at its end."""
    slopes = torch.zeros(columns.shape[1], dtype=torch.float64)
    free = torch.ones(columns.shape[1], dtype=torch.bool)
    for _ in range(ROUNDS):
        rest = right - columns[:, ~free] @ slopes[~free]
        fitted = torch.linalg.lstsq(columns[:, free], rest[:, None], driver="gelsd").solution[:, 0]
        slopes[free] = fitted.clamp(0, 1)
        out = free.clone()
        out[free] = (fitted < -1e-9) | (fitted > 1 + 1e-9)
        if not bool(out.any()) or bool((free & ~out).sum() == 0):
            break
        free &= ~out
    usual = torch.round(slopes * 2) / 2
    return torch.where((slopes - usual).abs() <= SNAP, usual, slopes)
