"""What the step check could have seen: the weak updates of a run, and why they are.

Four factors make an update: learning rate, momentum, the velocity itself, and how much of it the
parameter changes by. A relative error of the promised size in any of them shows in an entry or in
a projection, or the update is weak for it: at the first update every velocity is zero and no
momentum is used, a unit that is off has no gradient, and late in a training the change of a weight
falls below its last digit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from compare.allowance.arithmetic import quiet
from compare.checks.comparison import HONEST
from compare.checks.step_projection import Projections
from compare.checks.transition import Transition
from compare.checks.weak import PROMISED
from compare.contracts.arrays import Float, Real
from compare.contracts.result import Weak

FIRST = slice(0, 512)
"""Most factors show in one of so many entries."""


@dataclass
class Short:
    """A factor without power: at how many updates, where first, the largest error missed."""

    updates: int
    epoch: int
    update: int
    size: float


@dataclass
class StepPower:
    """Counts, per parameter and factor, the updates without power."""

    dtype: str
    updates: dict[str, int] = field(default_factory=dict)
    short: dict[tuple[str, str], Short] = field(default_factory=dict)

    @quiet
    def see(
        self, name: str, now: Transition, projections: Projections, epoch: int, update: int
    ) -> None:
        """Measure one update of one parameter."""
        sizes = smallest_errors(now, projections, PROMISED[self.dtype])
        self.enter(name, sizes, epoch, update)

    def enter(self, name: str, sizes: Iterable[tuple[str, float]], epoch: int, update: int) -> None:
        """Enter the smallest error of every factor that an update of one parameter shows."""
        self.updates[name] = self.updates.get(name, 0) + 1
        for factor, size in sizes:
            if size <= PROMISED[self.dtype]:
                continue
            # Nothing at all and too little are two reasons.
            key = (f"no {factor}" if np.isinf(size) else factor, name)
            short = self.short.setdefault(key, Short(0, epoch, update, size))
            short.updates, short.size = short.updates + 1, max(short.size, size)

    def weak(self) -> list[Weak]:
        """Return one entry per factor and parameter, or one for all parameters if all are alike."""
        found: list[Weak] = []
        for factor in dict.fromkeys([*REASONS, *(what for what, _ in self.short)]):
            short = {name: one for (what, name), one in self.short.items() if what == factor}
            counts = {(one.updates, one.epoch, one.update) for one in short.values()}
            if len(short) == len(self.updates) > 1 and len(counts) == 1 and factor[:3] == "no ":
                short = {"": next(iter(short.values()))}
            found += [self._weak(factor, name, one) for name, one in short.items()]
        return found

    def _weak(self, factor: str, name: str, short: Short) -> Weak:
        made = self.updates[name] if name else max(self.updates.values())
        what = reason_of(factor).format(name=name, promised=PROMISED[self.dtype])
        if not name:
            what = OF_ALL.get(factor) or what.replace(
                f"{factor[-1]}_ was", f"every {factor[-1]} was"
            )
        reason = f"at {short.updates} of {made} updates {what}"
        size = None if np.isinf(short.size) else short.size
        return Weak("step", reason, name or None, short.epoch, short.update, size)


MISSED = "a relative error of {promised:g} in %s could have been missed"
REASONS = {
    "no gradient": "d{name} was zero everywhere, so no wrong learning rate could show",
    "gradient": MISSED % "the learning rate of {name}",
    "no momentum": "v_{name} was zero everywhere before, so no wrong momentum could show",
    "momentum": MISSED % "the momentum of {name}",
    "no velocity": "the new v_{name} was zero everywhere, so no wrong factor of it could show",
    "velocity": MISSED % "the new v_{name}",
    "no change": "{name} did not change: its update is below the last digit of every entry",
    "change": MISSED % "the change of {name}",
}
OF_ALL = {
    "no gradient": "every gradient was zero, so no wrong learning rate could show",
    "no momentum": "every velocity was zero before, so no wrong momentum could show",
    "no velocity": "every new velocity was zero, so no wrong factor of it could show",
    "no change": "no parameter changed: every update is below the last digit of what it changes",
}


def reason_of(factor: str) -> str:
    """Return why an update shows nothing of a factor; `carried m`, `fed m` are of a buffer."""
    if factor in REASONS:
        return REASONS[factor]
    *no, part, prefix = factor.split()
    buffer = f"{prefix}_{{name}}"
    if part == "carried":
        zero = f"{buffer} was zero everywhere before, so no wrong share of it could show"
        return zero if no else MISSED % f"what is kept of {buffer}"
    zero = f"nothing was added to {buffer}, so no wrong share of the gradient could show"
    return zero if no else MISSED % f"what is added to {buffer}"


def smallest_errors(
    now: Transition, projections: Projections, enough: float
) -> Iterator[tuple[str, float]]:
    """Yield every factor with a relative error in it that cannot be missed: the smallest, or one
    that is `enough`.

    A projection sees `(1 + HONEST) A / s` if it moves by s for an error of 1, and so does an entry.
    The first entries are asked first, then the projection, then all entries.
    """

    def seen(
        allowed: Callable[[slice], Float],
        term: Callable[[slice], Real],
        projected: Callable[[], float],
    ) -> float:
        size = smallest([FIRST], allowed, term)
        if size > enough:
            size = float(np.fmin(size, (1 + HONEST) * projected()))
        return size if size <= enough else min(size, smallest(now.parts, allowed, term))

    def in_state(factor: float, term: Real) -> float:
        return seen(
            now.state_allowance,
            lambda part: factor * term[part],
            lambda: projections.smallest_error(factor, term),
        )

    yield "gradient", in_state(now.into_state, now.dw)
    if now.momentum:
        yield "momentum", in_state(now.momentum, now.v)
    if now.next_v.any() or now.dw.any() or now.v.any():  # else all of it is said already
        yield "velocity", in_state(1.0, now.next_v)
        yield "change", seen(now.parameter_allowance, now.change, projections.smallest_change)


def smallest(
    parts: list[slice], allowed: Callable[[slice], Float], term: Callable[[slice], Real]
) -> float:
    """Return the smallest error that one of these entries shows; of zeros infinity."""
    found = np.inf
    for part in parts:
        relative = np.abs(term(part), dtype=np.float64)
        np.divide(allowed(part), relative, out=relative)  # of a zero: infinity
        found = float(np.fmin.reduce(relative, initial=found))
    return (1 + HONEST) * found
