"""What the judge says of generated hand-ins: right ones, one mistake, two, and corruptions."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import partial
from time import process_time

import numpy as np

import compare
from benchmarks.outside.handins import (
    CORRUPTIONS,
    MISTAKES,
    Planted,
    Style,
    drawn_style,
    loaded,
    source,
)
from benchmarks.workers import Mapped
from compare.contracts.result import Result

INPUTS, HIDDEN, CLASSES = 9, (7,), 4
GROUPS = {"one mistake": 0.97, "two mistakes": 0.90, "right": 1.0, "corrupted": 1.0}
"""What must be reached in each group."""
SHARES = {"one mistake": 0.6, "two mistakes": 0.15, "right": 0.15, "corrupted": 0.1}


@dataclass
class Group:
    """How often the answer was right, with what was said where it was not."""

    name: str
    tried: int = 0
    right: int = 0
    seconds: float = 0.0
    misses: list[str] = field(default_factory=list)

    @property
    def reached(self) -> bool:
        """Return whether the figure is reached."""
        return self.right >= GROUPS[self.name] * self.tried

    @property
    def line(self) -> str:
        """Return one line of the table."""
        mean = self.seconds / max(self.tried, 1)
        return f"{self.name:14} {self.right:5} of {self.tried:5}  {mean:5.2f} s of CPU each"


def measured(count: int, seed: int, mapped: Mapped) -> list[Group]:
    """Return the groups for `count` hand-ins in all."""
    groups = []
    for name, share in SHARES.items():
        group = Group(name)
        draws = range(max(4, round(count * share)))
        for right, seconds, miss in mapped(partial(answer, name, seed), draws):
            group.tried += 1
            group.right += right
            group.seconds += seconds
            group.misses += [] if right else [miss]
        groups.append(group)
        print(group.line, flush=True)
    return groups


def answer(group: str, seed: int, draw: int) -> tuple[bool, float, str]:
    """Return whether one hand-in is judged right, the seconds it took, and what was said."""
    number = list(GROUPS).index(group)
    generator = np.random.default_rng([seed, number, draw])
    style = drawn_style(generator)
    planted = chosen(style, {"one mistake": 1, "two mistakes": 2}.get(group, 0), generator)
    corruption = str(generator.choice(CORRUPTIONS)) if group == "corrupted" else "pass"
    function = loaded(source(style, planted, corruption))
    start = process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = compare.check(
            function, inputs=INPUTS, hidden=HIDDEN, classes=CLASSES,
            activation=style["activation"],
        )  # fmt: skip
    seconds = process_time() - start
    right = fits(group, planted, result)
    said = "; ".join(one.mistake for one in result.diagnosis) or str(result.verdict)
    wanted = " + ".join(one.names[0] for one in planted) or corruption
    return right, seconds, f"seed {seed}, {group} {draw}: {wanted}, said {said}, {style}"


def chosen(style: Style, count: int, generator: np.random.Generator) -> tuple[Planted, ...]:
    """Return so many mistakes in different pieces that can be made with this activation."""
    possible = [one for one in MISTAKES if style["activation"] in one.activations]
    order = generator.permutation(len(possible))
    made: list[Planted] = []
    for index in order:
        if len(made) < count and possible[index].piece not in [one.piece for one in made]:
            made.append(possible[index])
    return tuple(made)


def fits(group: str, planted: tuple[Planted, ...], result: Result) -> bool:
    """Return whether verdict and names are right."""
    if group == "right":
        return result.verdict == "agrees" and not result.diagnosis
    if group == "corrupted":
        return result.verdict == "disagrees" and not result.diagnosis
    named = {name for one in result.diagnosis for name in one.mistake.split(" + ")}
    also = {name for one in result.diagnosis for other in one.also for name in other.split(" + ")}
    said = all(set(one.names) & (named | also) for one in planted)
    return result.verdict == "disagrees" and said and len(named) <= len(planted)
