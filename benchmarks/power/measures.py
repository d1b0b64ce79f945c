"""Everything that is measured at one point, by every rule on the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.power import peers
from benchmarks.power.case import Arrays, Case
from benchmarks.power.ours import Judge, Power, median_allowance, promised
from benchmarks.power.planted import SIZES, Planting, plantings
from benchmarks.power.population import draw
from benchmarks.power.variants import answers

OURS = "this project"
RULES = (OURS, *peers.RULES, peers.GRADCHECK)
RIGHT = "as shipped"
"""The variant whose numbers the errors are planted in, and which gradcheck is shown."""
MOST_GRADCHECKED, MOST_GRADCHECKED_PLANTED = 2000, 150
"""Parameters up to which gradcheck is asked: once, and again for every planted error."""
MOST_EVALUATED = 1e6
"""Multiplications of a forward pass up to which gradcheck, which makes thousands, is asked."""
MOST_PLANTED = 3e7
"""Multiplications of a forward pass up to which errors are planted: kinks are resolved for each."""

Accepts = Callable[[Arrays], bool]


@dataclass(frozen=True, slots=True)
class Tensor:
    """What the judge could see in one gradient at one point."""

    median: float | None  # the median allowance of its entries in u, relative to them
    power: Power


@dataclass(frozen=True, slots=True)
class Detection:
    """One planted error: for every rule the largest size it accepted, or 0.

    Rules that reject the right gradient at this point are not asked, and not in `missed`.
    `widened`: the judge accepted a promised size, because too many units are on a kink to resolve
    them; it calls the point weak then.
    """

    kind: str
    tensor: str
    weak: bool
    widened: bool
    missed: dict[str, float]


@dataclass(frozen=True, slots=True)
class Point:
    """All measures of one case; empty where the reference itself is not finite."""

    number: int
    case: str
    kind: str
    dtype: str
    ratios: dict[str, tuple[float, str]]  # per honest variant the worst ratio and where
    rejected: dict[str, tuple[int, int]]  # per rule: right gradients rejected, and shown
    tensors: dict[str, Tensor]
    detections: list[Detection]

    @property
    def decided(self) -> bool:
        """Whether anything could be said here."""
        return bool(self.ratios)


def measure(seed: int, number: int) -> Point:
    """Draw a case and measure everything at it."""
    case = draw(seed, number)
    point = Point(number, describe(case), case.kind, case.dtype.name, {}, {}, {}, [])
    with np.errstate(all="ignore"):
        judge = Judge.at(case)
        if judge.finite:
            right = honest(judge, point)
            tensors(judge, point)
            detect(judge, right, point)
    return point


def honest(judge: Judge, point: Point) -> Arrays:
    """Show every rule every right answer; return the one that errors will be planted in."""
    case, reference = judge.case, judge.expected.gradients
    counts = {rule: [0, 0] for rule in RULES}
    right: Arrays = {}
    for variant, (loss, gradients, shown) in answers(case, point.number):
        worst = judge.worst(judge.hold(gradients, loss), shown)
        point.ratios[variant] = worst
        accepted = {OURS: worst[0] <= 1}
        accepted |= {name: rule(gradients, reference) for name, rule in peers.RULES.items()}
        if variant == RIGHT:
            right = gradients
            if case.entries <= MOST_GRADCHECKED and case.operations <= MOST_EVALUATED:
                accepted[peers.GRADCHECK] = peers.gradcheck(case, gradients)
        for rule, accepts in accepted.items():
            counts[rule][0] += not accepts
            counts[rule][1] += 1
    point.rejected.update({rule: (no, shown) for rule, (no, shown) in counts.items()})
    return right


def tensors(judge: Judge, point: Point) -> None:
    """Measure what could be seen in every gradient."""
    allowances = judge.expected.point.allowances.gradients
    for name, power in judge.power().items():
        median = median_allowance(judge.expected.gradients[name], allowances[name])
        point.tensors[name] = Tensor(median, power)


def detect(judge: Judge, right: Arrays, point: Point) -> None:
    """Plant errors of every kind and size, and show them to every rule that accepts `right`."""
    if judge.case.operations > MOST_PLANTED:
        return
    rules = {name: accepts for name, accepts in rules_at(judge) if accepts(right)}
    generator = np.random.default_rng(point.number)
    for planting in plantings(judge.case, right, generator):
        missed = largest_missed(planting, rules)
        power = point.tensors[planting.tensor].power
        size = missed.get(OURS, 0.0)
        widened = (
            size >= promised(planting.kind, judge.case.dtype)
            and judge.hold(planting.planted(size)).widened
        )
        found = Detection(planting.kind, planting.tensor, power.weak, widened, missed)
        point.detections.append(found)


def rules_at(judge: Judge) -> Iterator[tuple[str, Accepts]]:
    """Yield the rules, each ready to be shown gradients at the judge's case."""
    case = judge.case
    yield OURS, lambda gradients: judge.hold(gradients).agrees
    for name, rule in peers.RULES.items():
        yield name, partial(against, rule, judge.expected.gradients)
    if case.entries <= MOST_GRADCHECKED_PLANTED and case.operations <= MOST_EVALUATED:
        yield peers.GRADCHECK, partial(peers.gradcheck, case)


def against(rule: peers.Rule, reference: Arrays, manual: Arrays) -> bool:
    """Ask a rule, reference bound first."""
    return rule(manual, reference)


def largest_missed(planting: Planting, rules: dict[str, Accepts]) -> dict[str, float]:
    """Return per rule the largest size that it accepts, 0 if none: everything above is detected."""
    missed = dict.fromkeys(rules, 0.0)
    asked = dict(rules)
    for size in SIZES:
        wrong = planting.planted(size)
        for name in [name for name, accepts in asked.items() if accepts(wrong)]:
            missed[name] = size
            del asked[name]
        if not asked:
            break
    return missed


def describe(case: Case) -> str:
    """Return a case in words."""
    sizes = "-".join(map(str, case.sizes))
    return f"{sizes} {case.activation} {case.reduction}, batch of {len(case.x)}"
