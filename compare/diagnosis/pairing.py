"""Which two mistakes can be wrong together, decided before anything is computed for the pair.

A tensor that only one of two mistakes reaches must be reproduced by that one alone, and a tensor
that neither reaches must be right. Both are known from the mistakes alone, and that rejects
nearly all pairs without arithmetic. Two mistakes that cancel in a tensor are not looked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from compare.contracts.arrays import Mask
from compare.diagnosis.accept import numbers_needed
from compare.diagnosis.candidates import fitted, parts, possible, rest_is_reproduced
from compare.diagnosis.explanation import NOTHING, Explanation, Part
from compare.diagnosis.match import Case, Overrides, norm
from compare.mistakes.catalogue import network_mistakes
from compare.mistakes.fits import Among
from compare.mistakes.mistake import LAYER, NetworkMistake
from compare.textbook.scope import LAYERED

USUAL_GUARDS = tuple(10.0**-k for k in range(4, 17))
"""What people add to a probability, or raise it to, before the logarithm."""
MOST_PAIRS, MOST_FITTED = 4_000, 2_000
"""Of more pairs, and of more whose constants are fitted beside each other, as networks with
normalisation or several hidden layers have, these are tried: the ones of which one alone comes
nearest to what was seen. How many were not is said. Of 120 planted pairs the same 116 are named
with twice as many."""
FITTED_BESIDE = 20
"""About so many constants are fitted beside a mistake: of fewer mistakes all are tried anyway."""
CHEAP = 4
"""How many tensors, the cheapest first, are compared for every mistake before pairs are formed."""


@dataclass(frozen=True)
class Table:
    """For each cheap tensor and each part: does the part reach it, does it reproduce it alone."""

    reaches: list[Mask]
    alone: list[Mask]
    right: list[bool]

    @classmethod
    def of(cls, case: Case, found: list[Part]) -> Table:
        """Compare the cheap tensors under every part."""
        names = case.observation.order[:CHEAP]
        reaches, alone = [], []
        for name in names:
            nets = [case.right.having(part.overrides) for part in found]
            reaches.append(np.array([bool(n.relevant(*n.stage_of(name))) for n in nets]))
            alone.append(np.array([case.ratio(name, p.overrides) <= 1.0 for p in found]))
        return cls(reaches, alone, [not case.wrong[name] for name in names])

    def compatible(self) -> Mask:
        """Return (parts, parts): False where some cheap tensor cannot be reproduced by the two."""
        possible: Mask = np.ones((len(self.reaches[0]),) * 2, dtype=bool)
        for reaches, alone, right in zip(self.reaches, self.alone, self.right, strict=True):
            left, top = reaches[:, None], reaches[None, :]
            one = np.where(left, alone[:, None], alone[None, :])
            both = alone[:, None] & alone[None, :] if right else True
            possible &= np.where(left & top, both, np.where(left | top, one, right))
        return possible


def pairs(case: Case, numbers: int) -> Iterator[Explanation]:
    """Yield two mistakes from different stages; a free constant is fitted beside the other one."""
    found = [part for part in parts(case, alone=False) if needed(case, part, NOTHING)]
    possible = np.triu(Table.of(case, found).compatible(), 1)
    together = [(i, j) for i, j in np.argwhere(possible) if different(found[i], found[j])]
    for i, j in likeliest(case, found, together):
        yield Explanation((found[i], found[j]))
    left, ranked = MOST_FITTED, nearest(case, found)
    for place, given in enumerate(ranked):
        if left <= 0:
            case.untried.append(f"beside {len(ranked) - place:,} mistakes no other was fitted")
            return
        for fit in refitted(case, given, numbers):
            left -= 1
            yield fit


def likeliest(
    case: Case, found: Sequence[Part], together: Sequence[tuple[int, int]]
) -> Sequence[tuple[int, int]]:
    """Return the pairs to try: all, or of very many those one of which alone explains most; that
    there are others is kept in `untried`."""
    if len(together) <= MOST_PAIRS:
        return together
    near = [nearness(case, part) for part in found]
    ranked = sorted(together, key=lambda pair: -max(near[pair[0]], near[pair[1]]))
    case.untried.append(f"{len(ranked) - MOST_PAIRS:,} pairs of mistakes were not tried")
    return ranked[:MOST_PAIRS]


def nearest(case: Case, found: Sequence[Part]) -> Sequence[Part]:
    """Return the mistakes that alone explain most first, where there are very many."""
    if len(found) <= MOST_FITTED // FITTED_BESIDE:
        return found
    return sorted(found, key=lambda part: -nearness(case, part))


def nearness(case: Case, part: Part) -> float:
    """Return how far a mistake alone gives the direction of what was seen, whatever its scale and
    sign, summed over the cheap tensors that are wrong; one that is reproduced counts twice."""
    net, total = case.right.having(part.overrides), 0.0
    for name in case.observation.order[:CHEAP]:
        if not case.wrong[name]:
            continue
        if case.ratio(name, part.overrides) <= 1.0:
            total += 2.0
            continue
        seen, value = np.asarray(case.seen[name], dtype=np.float64), net.named(name).value
        if seen.shape == value.shape:
            with np.errstate(all="ignore"):
                size, along = norm(seen) * norm(value), np.abs((seen * value).sum())
                share = float(np.square(along / size))
            total += share if np.isfinite(share) else 0.0
    return total


def scaled(case: Case, numbers: int) -> Iterator[Explanation]:
    """Yield a mistake together with a wrong divisor: the only pairs worth a single tensor."""
    found = [part for part in parts(case, alone=False) if needed(case, part, NOTHING)]
    divisors = [part for part in found if set(part.mistake.stages) == {"dlogits"}]
    for one in divisors:
        yield from (Explanation((one, other)) for other in found if different(one, other))


def in_loss(case: Case, numbers: int) -> Iterator[Explanation]:
    """Yield a wrong scale of the loss together with another mistake that it shows."""
    found = [part for part in parts(case, alone=False) if needed(case, part, NOTHING)]
    for scale in (part for part in found if set(part.mistake.stages) == {"loss"}):
        yield from (Explanation((scale, other)) for other in found if different(scale, other))
        yield from refitted(case, scale, numbers)


def guarded(case: Case, numbers: int, cases: Sequence[Case]) -> Iterator[Explanation]:
    """Yield a usual guard in the logarithm with every mistake whose constant is fitted beside it.

    Of two constants that one number shows together the guard's is one of a few that people type.
    One that changes the loss in no case is none beside which anything could be told.
    """
    if not case.wrong.get("loss"):
        return
    for mistake in network_mistakes(case.point):
        if mistake.guard and mistake.paired and possible(mistake, case.point):
            guards = (Part(mistake, c) for c in USUAL_GUARDS)
            shown = (one for one in guards if any(changes_loss(each, one) for each in cases))
            for guard in (one for one in shown if needed(case, one, NOTHING)):
                yield from refitted(case, guard, numbers)


def changes_loss(case: Case, part: Part) -> bool:
    """Return whether a mistake changes the loss by more than rounding may."""
    right, mistaken = (
        case.right.having(given).named("loss") for given in (NOTHING, part.overrides)
    )
    return not np.abs(mistaken.value - right.value) <= right.allowance


def needed(case: Case, part: Part, given: Overrides) -> bool:
    """Return whether `part` reaches a tensor that `given` does not reproduce."""
    net = case.right.having(part.overrides)
    reached = (n for n in case.observation.order if net.relevant(*net.stage_of(n)))
    return any(case.ratio(name, given) > 1.0 for name in reached)


def different(one: Part, other: Part) -> bool:
    """Return whether the two mistakes are made at different stages and neither needs the other's
    value for its own."""
    if set(one.mistake.stages) & set(other.mistake.stages):
        return False
    return not (waits(one.mistake, other.mistake) and waits(other.mistake, one.mistake))


@cache
def waits(one: NetworkMistake, other: NetworkMistake) -> bool:
    """Return whether a mistake reads what the other changes, and the right computation does not."""
    return any(
        override.reaches(stage, LAYER if stage in LAYERED else 0)
        for stage in one.reads
        for override in other.overrides(1.0)
    )


def refitted(case: Case, given: Part, numbers: int) -> Iterator[Explanation]:
    """Yield `given` with every mistake whose constant has to be fitted beside it.

    `numbers`: so many are wrong in all cases; where they could not confirm the two, nothing is
    fitted.
    """
    for mistake in network_mistakes(case.point):
        if mistake.fit is None or isinstance(mistake.fit, Among) or not mistake.paired:
            continue
        for layer in mistake.choices(case.point) if possible(mistake, case.point) else ():
            part = Part(mistake, 1.0, layer)
            if (
                numbers_needed(Explanation((given, part))) <= numbers
                and different(given, part)
                and rest_is_reproduced(case, part, given.overrides)
                and needed(case, part, given.overrides)
            ):
                for second in fitted(case, mistake, layer, given.overrides):
                    yield Explanation((given, second))
