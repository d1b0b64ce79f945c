"""Whether a computation, right or mistaken, reproduces the numbers seen.

Agreement is |seen - value| <= 1 × allowance for every entry of every tensor. Infinities and NaN
must stand at the same places; only an entry whose allowance is unbounded may be anything. That NaN
is NaN proves no mistake: the finite numbers beside it do.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.checks.ratio import ratio
from compare.diagnosis.observation import Observation
from compare.textbook import Override, Pair, Pass, Window

Overrides = frozenset[Override]
FEATURES = 16
"""How many rows of a wide dw1 are looked at first."""
FAR = 0.01
"""A tensor is far off from this share of its norm on, where rounding is far below that."""
ABOVE_ROUNDING = 1e10
"""So many times the right tensor's allowance, where that is less than `FAR`, is far off as well: no
mistake makes rounding as many times larger."""
LARGE = 1 << 17
"""Entries from which a gradient is dropped after its comparison; nothing else needs it."""


def ratios(seen: NDArray[Any], pair: Pair) -> NDArray[np.float64]:
    """Return |seen - value| / allowance, entry by entry; another shape is infinitely far."""
    if seen.shape != pair.shape:
        return np.array(np.inf)
    entries = np.asarray(seen, dtype=np.float64)
    with np.errstate(all="ignore"):
        difference = np.abs(entries - pair.value)
        strange = not np.isfinite(difference.sum() + pair.allowance.sum())
    quotient = ratio(difference, pair.allowance)
    if strange:
        same = (entries == pair.value) | (np.isnan(entries) & np.isnan(pair.value))
        quotient[same | np.isposinf(pair.allowance)] = 0.0
        quotient[np.isnan(pair.allowance) & ~same] = np.inf  # it reproduces nothing
    return quotient


def is_far(seen: NDArray[Any], pair: Pair, size: float, share: float) -> bool:
    """Return whether the values alone are apart by a share of their norm that no rounding makes.

    The norm is at least `size`: of a sum that cancels rounding may be all there is.
    """
    if seen.shape != pair.shape:
        return True
    with np.errstate(all="ignore"):
        entries = np.asarray(seen, dtype=np.float64)
        least = share * max(norm(entries), norm(pair.value), size)
        return bool(np.isfinite(least) and norm(entries - pair.value) > least)


def norm(entries: NDArray[np.float64]) -> float:
    """Return the Euclidean norm of all entries."""
    flat = entries.ravel()
    return float(np.sqrt(flat @ flat))


class Case:
    """One observation and every pass made to explain it; a comparison is made once."""

    def __init__(self, observation: Observation) -> None:
        self.observation = observation
        self.point = observation.point
        self.seen = observation.seen
        self.whole = self
        self.right = Pass(observation.point)
        self.known: dict[tuple[str, Overrides], float] = {}
        self.sizes: dict[str, tuple[float, float]] = {}
        self.untried: list[str] = []  # what a search for two mistakes left out
        self.features: NDArray[np.intp] | None = None
        self.wrong = {name: self.ratio(name, frozenset()) > 1.0 for name in observation.order}
        self.features = self._telling_features()

    def only(self, *names: str) -> Case:
        """Return the same case with some tensors seen; passes and comparisons are shared."""
        case = copy(self)
        seen = {name: self.seen[name] for name in names}
        case.observation = Observation(self.point, seen, self.observation.label)
        case.seen = case.observation.seen
        case.wrong = {name: self.wrong[name] for name in case.observation.order}
        return case

    @property
    def disagrees(self) -> bool:
        """Return whether the right computation fails to reproduce what was seen."""
        return any(self.wrong.values())

    def _telling_features(self) -> NDArray[np.intp] | None:
        """Return the inputs whose rows of dw1 are furthest off, if dw1 is wide; else None."""
        seen, parameters = self.seen.get("dw1"), self.point.parameters
        if seen is None or seen.size <= LARGE or seen.shape != parameters["w1"].shape:
            return None
        if len(seen) in [array.shape[-1] for array in parameters.values()]:
            return None  # a layer as wide as the input: the window would break that
        by_row = ratios(seen, self.right.named("dw1")).max(axis=1)
        return np.sort(np.argsort(by_row)[-FEATURES:])

    @property
    def finite(self) -> bool:
        """Return whether every number seen is finite."""
        return all(bool(np.isfinite(array).all()) for array in self.seen.values())

    def ratio(self, name: str, overrides: Overrides) -> float:
        """Return the worst ratio of the tensor `name` under `overrides`."""
        net = self.right.having(overrides)
        stage, layer = net.stage_of(name)
        relevant = net.relevant(stage, layer)
        key = (name, relevant)
        if key not in self.known:
            self.known[key] = self._compared(name, net)
        return self.known[key]

    def _compared(self, name: str, net: Pass) -> float:
        """Compare one tensor; a wide dw1 first in some features, the rest only if those agree."""
        stage, layer = net.stage_of(name)
        size, share = self._size(name) if net.overrides else (0.0, np.inf)
        if share <= FAR and is_far(self.seen[name], net.named(name), size, share):
            return np.inf
        if name == "dw1" and self.features is not None:
            part = ratios(self.seen[name][self.features], Window(net, self.features).get("dw", 1))
            if (worst := float(part.max(initial=0.0))) > 1.0:
                return worst
        worst = float(ratios(self.seen[name], net.get(stage, layer)).max(initial=0.0))
        if self.seen[name].size > LARGE:
            net.forget(stage, layer)
        return worst

    def _size(self, name: str) -> tuple[float, float]:
        """Return the norm of the right tensor and the share of it from which on values alone reject
        a mistake, so that no allowance is needed: none (inf) where rounding may be that large."""
        if name not in self.sizes:
            right = self.right.named(name)
            with np.errstate(all="ignore"):
                size, rounding = norm(right.value), norm(right.allowance)
                steady = rounding <= FAR**2 * size and not self.observation.special
                share = min(FAR, ABOVE_ROUNDING * rounding / size) if size else FAR
            self.sizes[name] = (size, share if steady else np.inf)
        return self.sizes[name]

    def reproduced(self, overrides: Overrides) -> bool:
        """Return whether every tensor is reproduced; stops at the first that is not."""
        return all(self.ratio(name, overrides) <= 1.0 for name in self.observation.order)

    def worst(self, overrides: Overrides) -> float:
        """Return the worst ratio of all tensors."""
        return max(self.ratio(name, overrides) for name in self.observation.order)

    @property
    def wrong_entries(self) -> int:
        """Return how many entries the right computation does not reproduce."""
        pairs = [(self.seen[n], self.right.named(n)) for n, wrong in self.wrong.items() if wrong]
        return sum(
            int((ratios(seen, right) > 1.0).sum()) if seen.shape == right.shape else seen.size
            for seen, right in pairs
        )

    def explained(self, overrides: Overrides) -> int:
        """Return how many finite entries only the mistake explains."""
        net = self.right.having(overrides)
        return sum(
            only_by(self.seen[name], self.right.named(name), net.named(name))
            for name in self.wrong_names
        )

    @property
    def wrong_names(self) -> list[str]:
        """Return the tensors that the right computation does not reproduce."""
        return [name for name, wrong in self.wrong.items() if wrong]

    @property
    def strange(self) -> int:
        """Return how many entries of the wrong tensors are infinite or NaN."""
        return sum(int((~np.isfinite(self.seen[name])).sum()) for name in self.wrong_names)

    @property
    def proves_something(self) -> bool:
        """Return whether a finite number is wrong here, or infinities stand beside finite ones."""
        wrong = (self.seen[name] for name in self.wrong_names)
        return self.whole.shows_finite or any(bool(np.isfinite(one).any()) for one in wrong)

    @property
    def shows_finite(self) -> bool:
        """Return whether some tensor is finite throughout."""
        return any(bool(np.isfinite(array).all()) for array in self.seen.values())


def only_by(seen: NDArray[Any], right: Pair, mistaken: Pair) -> int:
    """Return how many finite entries are wrong and would be so with the mistake's allowance too.

    An allowance that would excuse anything explains nothing.
    """
    if seen.shape != right.shape:
        return seen.size
    excused = Pair(right.value, mistaken.allowance, right.dtype)
    beyond = (ratios(seen, right) > 1.0) & (ratios(seen, excused) > 1.0)
    return int((beyond & np.isfinite(seen)).sum())


def telling(cases: Sequence[Case]) -> list[Case]:
    """Return the cases in which something is wrong, those with finite numbers first."""
    wrong = [case for case in cases if case.disagrees]
    return sorted(wrong, key=lambda case: not case.finite)
