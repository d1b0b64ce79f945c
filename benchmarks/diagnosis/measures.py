"""The measurements: each returns a `Score`, one line of the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np

from benchmarks.diagnosis.corruptions import CORRUPTIONS, corrupted
from benchmarks.diagnosis.networks import (
    ATTEMPTS,
    HONEST,
    Faulty,
    Implementation,
    Network,
    draw,
    honest,
    planted,
)
from compare.contracts.experiment import ACTIVATION_NAMES
from compare.contracts.result import Diagnosis
from compare.diagnosis.asking import observations
from compare.diagnosis.gradients import diagnosed, probes
from compare.diagnosis.match import Case
from compare.diagnosis.observation import Observation
from compare.mistakes.catalogue import NETWORK
from compare.mistakes.mistake import NetworkMistake

GUARDS = {mistake.name for mistake in NETWORK if mistake.guard}
IN_THE_LOSS = {"log_p", "terms", "loss"}
"""Stages that a gradient derived from p never reads."""
PAIRED = [mistake for mistake in NETWORK if mistake.paired]
"""What is looked for as one of two in the same numbers."""
UNDECLARED = {f"activation-is-{name}" for name in ACTIVATION_NAMES}
"""Mistakes that are another network, computed rightly."""


@dataclass
class Score:
    """How often the answer was right. `first`: the planted name came first, not beside others."""

    what: str
    tried: int = 0
    right: int = 0
    first: int = 0
    seconds: list[float] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)

    def add(self, right: bool, first: bool, seconds: float, miss: str) -> None:
        """Count one answer."""
        self.tried += 1
        self.right += right
        self.first += first
        self.seconds.append(seconds)
        if not right:
            self.misses.append(miss)

    def extend(self, other: Score) -> None:
        """Count the answers of another score as well."""
        self.tried += other.tried
        self.right += other.right
        self.first += other.first
        self.seconds += other.seconds
        self.misses += other.misses


def timed(implementation: Implementation, network: Network) -> tuple[tuple[Diagnosis, ...], float]:
    """Return the diagnosis and the seconds it took; a habit of the code counts as named too."""
    start = perf_counter()
    found = diagnosed(implementation, **network.options)
    seconds = perf_counter() - start
    habits = dict.fromkeys(habit.mistake for habit in found.habits)  # one on several domains is one
    beside = "".join(f" + {habit}" for habit in habits)
    return tuple(replace(one, mistake=one.mistake + beside) for one in found.diagnosis), seconds


def names(found: Sequence[Diagnosis]) -> list[str]:
    """Return the mistake named and those beside it, two together in alphabetical order.

    A network that was not declared is told first and by itself, then what is wrong in that network;
    a guard is told last and by itself.
    """
    if len(found) == 2 and (found[0].mistake in UNDECLARED or found[1].mistake in GUARDS):
        told = [f"{found[0].mistake} + {name}" for name in (found[1].mistake, *found[1].also)]
    else:
        told = [found[0].mistake, *found[0].also] if len(found) == 1 else []
    return [" + ".join(sorted(name.split(" + "))) for name in told]


def visible(implementation: Implementation, network: Network) -> list[Observation]:
    """Return what the probes show, or nothing if all of it is right."""
    observed = observations(implementation, probes(**network.options))
    return observed if any(Case(observation).disagrees for observation in observed) else []


def shows(mistake: NetworkMistake, implementation: Implementation, network: Network) -> bool:
    """Whether a mistake can be told: one made above the loss has to move a gradient, too.

    A clip of 1e-7 in loss and gradient moves no gradient of float32 by more than rounding, and is
    then the clip in the loss that is named.
    """
    observed = visible(implementation, network)
    return bool(observed) and (
        set(mistake.stages) <= IN_THE_LOSS
        or any(
            Case(one).only(name).disagrees
            for one in observed
            for name in one.order
            if name != "loss"
        )
    )


def single(networks: int, seed: int, index: int) -> Score:
    """Plant one mistake alone in `networks` random networks where it moves something."""
    mistake = NETWORK[index]
    score = Score(mistake.name)
    generator = np.random.default_rng([seed, index])
    for _ in range(ATTEMPTS):
        if score.tried == networks:
            break
        network = draw(generator)
        faulty = planted([mistake], network, generator)
        if faulty is not None and shows(mistake, faulty.implementation, network):
            found, seconds = timed(faulty.implementation, network)
            told = names(found)
            right = mistake.name in told
            score.add(right, right and told[0] == mistake.name, seconds, f"{network}: {told}")
    return score


def pairs(count: int, seed: int, block: int) -> Score:
    """Plant two mistakes of different stages, drawn at random, where both show."""
    score = Score("two mistakes of different stages")
    generator = np.random.default_rng([seed, 1001, block])
    while score.tried < count:
        network = draw(generator)
        one, other = (PAIRED[i] for i in generator.choice(len(PAIRED), 2, replace=False))
        if set(one.stages) & set(other.stages):
            continue
        faulty = planted([one, other], network, generator)
        if faulty is not None and both_show(faulty, network):
            found, seconds = timed(faulty.implementation, network)
            wanted = " + ".join(sorted((one.name, other.name)))
            told = names(found)
            first = bool(told) and told[0] == wanted
            score.add(wanted in told, first, seconds, f"{network}: {wanted}, not {told}")
    return score


def both_show(faulty: Faulty, network: Network) -> bool:
    """Return whether something is wrong and no single mistake explains it.

    Neither of the two alone, nor a convention that is the two together (loss and gradient summed).
    """
    cases = [Case(observation) for observation in visible(faulty.implementation, network)]
    alone = [*faulty.mistakes, *(mistake for mistake in NETWORK if mistake.convention)]
    return bool(cases) and not any(
        all(case.reproduced(mistake.overrides(mistake.example)) for case in cases)
        for mistake in alone
    )


def honest_runs(count: int, seed: int, block: int) -> Score:
    """Diagnose right implementations: nothing may be named."""
    score = Score("right implementations")
    generator = np.random.default_rng([seed, 1002, block])
    for index in range(count):
        network = draw(generator)
        kind = HONEST[index % len(HONEST)]
        found, seconds = timed(honest(network, kind), network)
        score.add(not found, not found, seconds, f"{network}, {kind}: {names(found)}")
    return score


def corruptions(count: int, seed: int, block: int) -> Score:
    """Diagnose corruptions outside the catalogue: nothing may be named."""
    score = Score("corruptions outside the catalogue")
    generator = np.random.default_rng([seed, 1003, block])
    for index in range(count):
        network = draw(generator)
        corruption = CORRUPTIONS[index % len(CORRUPTIONS)]
        wrong = corrupted(honest(network, HONEST[0]), corruption, network.seed)
        found, seconds = timed(wrong, network)
        told = [diagnosis.mistake for diagnosis in found]
        score.add(not found, not found, seconds, f"{network}, {corruption.__name__}: {told}")
    return score
