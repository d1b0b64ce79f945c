"""Kinks of any layer: decisions that rounding could have turned, turned over and tried.

A comparison whose sides are closer than their allowances, a maximum that is tied, a sign at 0: the
other side may take the other branch, and in a reverse pass everything between the two slopes is
right there. So the plain program is run once more for each of them with that one result turned
over, and the observed difference has to be a combination of what that changes, with slopes between
0 and 1, within the ordinary allowance. Where nothing was rounded, all entries of an operation that
are on their kink have one slope: an implementation has one convention there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from compare.layers.orders import Script, reordered
from compare.layers.program import Program, Tensors, as_written
from compare.layers.replay import Replay
from compare.layers.walk import PICKS, name_of

ALONG_AN_AXIS = frozenset(name_of(packet) for packet in PICKS)
Flip = tuple[int, int, Any]
"""Number of the decision, flat entry, what to put there."""
MOST = 64
SNAP = 0.02
ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Tie:
    """What could be turned over; several entries at once where they share a convention.

    `places`: index and distance from the tie; `rank`: which of how many other choices this is.
    """

    operation: str
    places: tuple[tuple[tuple[int, ...], float], ...]
    flips: tuple[Flip, ...]
    rank: tuple[int, int] = (0, 1)

    @property
    def margin(self) -> float:
        """How far from the tie its first entry is."""
        return self.places[0][1]


def ties(analysis: Analysis) -> list[Tie] | None:
    """Return what rounding could have turned over; None if it is too much to tell apart.

    Of very many, those exactly on their kink are turned over together: they share a convention.
    """
    floor = analysis.format.floor
    found = [tie for n, d in enumerate(analysis.decisions) for tie in ties_of(n, d, floor)]
    if len(found) <= MOST:
        return found
    groups: dict[Any, list[Tie]] = {}
    for tie in found:
        number, _, value = tie.flips[0]
        choice = tie.rank if isinstance(value, int) and not isinstance(value, bool) else value
        alone = (tie.places, value) if tie.margin else None
        groups.setdefault((number, choice, alone), []).append(tie)
    merged = [together(group) for group in groups.values()]
    return merged if len(merged) <= MOST else None


def together(group: Sequence[Tie]) -> Tie:
    """Return several ties as one."""
    places = tuple(place for tie in group for place in tie.places)
    return Tie(group[0].operation, places, tuple(f for tie in group for f in tie.flips))


def ranked(choices: Iterable[Tie]) -> Iterator[Tie]:
    """Number the other choices of each entry."""
    by_entry: dict[int, list[Tie]] = {}
    for tie in choices:
        by_entry.setdefault(tie.flips[0][1], []).append(tie)
    for several in by_entry.values():
        yield from (replace(tie, rank=(n, len(several))) for n, tie in enumerate(several))


def ties_of(number: int, decision: Decision, floor: float) -> Iterator[Tie]:
    """Yield the entries of one decision that could have come out otherwise."""
    if decision.kind == "max_pool":
        yield from ranked(ties_in_windows(number, decision))
    elif decision.kind == "adaptive_max_pool":
        yield from ranked(ties_in_parts(number, decision))
    elif decision.kind in ALONG_AN_AXIS:
        yield from ranked(ties_along_axis(number, decision))
    elif decision.kind == "equal":
        yield from ties_of_signs(number, decision)
    elif decision.kind != "order":
        yield from one_slope(decision, ties_of_signs(number, decision), floor)


def one_slope(decision: Decision, found: Iterable[Tie], floor: float) -> Iterator[Tie]:
    """Turn those entries over together that are on their kink, and that no rounding could move."""
    still = (decision.allowance <= 2 * floor).expand_as(decision.found).flatten()
    exact: dict[Any, list[Tie]] = {}
    for tie in found:
        _, entry, other = tie.flips[0]
        if tie.margin == 0 and bool(still[entry]):
            exact.setdefault(other, []).append(tie)
        else:
            yield tie
    yield from map(together, exact.values())


def ties_of_signs(number: int, decision: Decision) -> Iterator[Tie]:
    """A comparison of a and b, or a sign: tied where |a - b| is within the allowance."""
    operands = decision.operands
    margin = operands[0] - operands[1] if len(operands) > 1 else operands[0]
    margin = torch.as_tensor(margin, dtype=torch.float64).expand_as(decision.found)
    near = margin.abs() <= LAMBDA * decision.allowance
    for entry in torch.nonzero(near.flatten()).flatten().tolist():
        index = tuple(int(i) for i in np.unravel_index(entry, tuple(margin.shape)))
        size, was = float(margin.flatten()[entry]), decision.found.flatten()[entry]
        others = [not bool(was)] if decision.found.dtype is torch.bool else [-1.0, 1.0]
        for other in others:
            if other != was.item():
                yield Tie(decision.kind, ((index, size),), ((number, entry, other),))


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
        at_tie = tuple(place), float(margin[tuple(place)])
        yield Tie(decision.kind, (at_tie,), ((number, entry, other),))


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
        other = int(place[plane, row, window])
        yield Tie("max_pool", ((where, margin),), ((number, entry, other),))


def ties_in_parts(number: int, decision: Decision) -> Iterator[Tie]:
    """The place of a maximum in one of the parts that adaptive pooling cuts an image into."""
    x, size = decision.operands
    width = x.shape[-1]
    values, allowed = x.flatten(-2), LAMBDA * decision.allowance.flatten(-2)
    places = torch.arange(values.shape[-1]).view(x.shape[-2:])
    for entry, place in enumerate(decision.found.flatten().tolist()):
        where = tuple(int(i) for i in np.unravel_index(entry, tuple(decision.found.shape)))
        rows, columns = (
            slice(i * n // parts, -(-(i + 1) * n // parts))
            for i, n, parts in zip(where[-2:], (x.shape[-2], width), pair(size), strict=True)
        )
        plane, near = values[where[:-2]], allowed[where[:-2]]
        for other in places[rows, columns].flatten().tolist():
            margin = float(plane[place] - plane[other])
            if other != place and margin <= float(near[place] + near[other]):
                yield Tie(decision.kind, ((where, margin),), ((number, entry, other),))


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
    allowed: Mapping[str, NDArray[Any]],
) -> Explained | None:
    """Return how kinks explain the manual numbers, None if there are none that could.

    `allowed`: the allowances of the judged point, which may be wider than those of a pass.
    """
    analysis, plain, allowances = walked(program, inputs, dy, judged)
    allowances = {n: torch.maximum(a, torch.from_numpy(allowed[n])) for n, a in allowances.items()}
    observed = {n: torch.from_numpy(np.asarray(manual[n], dtype=np.float64)) for n in plain}

    def run(script: Script, flips: Sequence[Flip] = ()) -> Tensors:
        with as_written(), Replay(script, by_number(flips)):
            return program.run(inputs, dy)

    script, exchanged = reordered(
        analysis.decisions, lambda tried: distance(run(tried), observed, allowances)
    )
    orders = tuple(LayerKink("sort", place, margin, 1.0) for place, margin in exchanged)
    base = run(script) if orders else plain
    difference = {n: observed[n] - base[n] for n in base}
    if orders and all(bool((difference[n].abs() <= allowances[n]).all()) for n in base):
        return Explained(0.0, orders)

    def turned(flips: Sequence[Flip]) -> Tensors:
        found = run(script, flips)
        return {name: found[name] - base[name] for name in base}

    found = by_slopes(ties(analysis) or (), turned, difference, allowances, judged)
    return None if found is None else replace(found, kinks=(*orders, *found.kinks))


def by_slopes(
    candidates: Sequence[Tie],
    turned: Callable[[Sequence[Flip]], Tensors],
    difference: Tensors,
    allowances: Tensors,
    judged: str,
) -> Explained | None:
    """Return the slopes of the candidates that come nearest to a difference, None if none does
    anything; `turned`: what the reference gains with other sides taken."""
    if not candidates:
        return None
    moved = [turned(tie.flips) for tie in candidates]
    unit = 4 * LAMBDA * FORMATS[judged].unit  # the other slope is rounded as well
    wide = {
        n: allowances[n]
        + unit * sum((m[n].abs() for m in moved), torch.zeros((), dtype=torch.float64))
        for n in difference
    }

    def weighed(tensors: Tensors) -> Tensor:
        return torch.cat([(tensors[n] / wide[n]).nan_to_num(0.0).flatten() for n in difference])

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
    kinks = (LayerKink(t.operation, i, margin, s) for t, s in used for i, margin in t.places)
    return Explained(left, tuple(kinks))


def distance(found: Tensors, observed: Tensors, allowances: Tensors) -> float:
    """Return how far one answer is from another, every tensor in units of its largest entry."""
    off = 0.0
    for name, values in observed.items():
        size = float(values.square().sum() + allowances[name].square().sum())
        off += float((found[name] - values).square().sum()) / size if size > 0 else 0.0
    return off


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
        fitted = solved(columns[:, free], rest)
        fitted += solved(columns[:, free], rest - columns[:, free] @ fitted)
        slopes[free] = fitted.clamp(0, 1)
        out = free.clone()
        out[free] = (fitted < -1e-9) | (fitted > 1 + 1e-9)
        if not bool(out.any()) or bool((free & ~out).sum() == 0):
            break
        free &= ~out
    usual = torch.round(slopes * 2) / 2
    return torch.where((slopes - usual).abs() <= SNAP, usual, slopes)


def solved(columns: Tensor, right: Tensor) -> Tensor:
    """Return the least squares solution, the shortest of several."""
    solution: Tensor = torch.linalg.lstsq(columns, right[:, None], driver="gelsd").solution
    return solution[:, 0]
