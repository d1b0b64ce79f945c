"""Another learning rate than that of the update, where it changes: of the one before or after, one
that stays, a multiple, the square.

The updates are made again with these rates; one rule must make all of them right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from compare.allowance.arithmetic import quiet
from compare.checks.optimiser_step import OptimiserStep
from compare.contracts.arrays import Arrays
from compare.contracts.experiment import Experiment
from compare.contracts.result import Diagnosis
from compare.diagnosis.identity import Walked
from compare.diagnosis.shortened import known as pieces_of
from compare.diagnosis.shortened import ratio_of, share_of, typed
from compare.diagnosis.track import Recorded
from compare.mistakes.fits import rounded
from compare.mistakes.mistake import Mistake

BEFORE = Mistake(
    "learning-rate-of-update-before", "the learning rate of the update before",
    "The update is made with the learning rate of the update before: the schedule moves on after "
    "the rate was taken.",
    "learning_rate = rates[t - 1]",
)  # fmt: skip
NEXT = Mistake(
    "learning-rate-of-update-after", "the learning rate of the update after",
    "The update is made with the learning rate of the next update: the schedule moves on before "
    "the rate is used.",
    "learning_rate = rates[t + 1]",
)  # fmt: skip
CONSTANT = Mistake(
    "another-learning-rate", "a learning rate that stays at {0:.6g}",
    "The learning rate stays at {0:.6g}; the updates do not follow the rates that belong to them.",
    "learning_rate = c",
)  # fmt: skip
FACTOR = Mistake(
    "another-learning-rate", "a learning rate that is {0:.6g} times the one of its update",
    "The learning rate is {0:.6g} times the one of its update, at every update.",
    "learning_rate = c * rates[t]",
)  # fmt: skip
SQUARED = Mistake(
    "learning-rate-squared", "a learning rate that is squared",
    "The update is made with the square of the learning rate.",
    "learning_rate = rates[t] ** 2",
)  # fmt: skip

Rates = dict[int, float]
Rule = Callable[[int], float | None]


@dataclass(frozen=True, slots=True)
class AtRate:
    """A record with another learning rate."""

    update: int
    parameters: Arrays
    gradients: Arrays
    state: Arrays
    learning_rate: float


@quiet
def at_other_rates(
    chains: Sequence[Walked], declared: Experiment, *, multiples: bool = False
) -> Diagnosis | None:
    """Return which other rates make all these updates right; None where the rate never changes, or
    where fewer than two updates would tell.

    `multiples`: only those of the right rates, which much else looks like.
    """
    rates = rates_of(chains, declared.learning_rate)
    step = OptimiserStep.of(declared)
    pieces = [piece for chain in chains for piece in pieces_of(step, chain)]
    if len(set(rates.values())) < 2 or not pieces:
        return None
    before = ratio_of(step, pieces)
    if before <= 1:
        return None
    tried = factors(step, chains, rates) if multiples else rules(step, rates)
    for mistake, rule in tried:
        made = [again(chain, rule) for chain in chains]
        if any(one is None for one in made) or moved(chains, rates, rule) < 2:
            continue
        others = [piece for one in made if one for piece in pieces_of(step, one)]
        after = ratio_of(step, others) if others else 2.0
        if after <= 1:
            return Diagnosis(mistake.name, mistake.sentence, before, after, title=mistake.title)
    return None


def rates_of(chains: Sequence[Walked], declared: float) -> Rates:
    """Return the learning rate of every update that was recorded."""
    found: Rates = {}
    for record in (one for chain in chains for one in chain):
        own = getattr(record, "learning_rate", None)
        found[record.update] = declared if own is None else own
    return found


def rules(step: OptimiserStep, rates: Rates) -> Iterator[tuple[Mistake, Rule]]:
    """Yield what the rate of an update may be."""
    yield BEFORE, lambda t: rates.get(t - 1) if t else rates.get(t)
    yield NEXT, lambda t: rates.get(t + 1)
    for constant in dict.fromkeys((step.settings.learning_rate, *rates.values())):
        yield told(CONSTANT, constant), lambda t, c=constant: c  # type: ignore[misc]
    yield SQUARED, lambda t: rates[t] ** 2


def factors(
    step: OptimiserStep, chains: Sequence[Walked], rates: Rates
) -> Iterator[tuple[Mistake, Rule]]:
    """Yield what the rate of an update may be multiplied by."""
    for share in shares(step, chains):
        if typed(share):
            yield told(FACTOR, share), lambda t, c=share: c * rates[t]  # type: ignore[misc]


def told(mistake: Mistake, constant: float) -> Mistake:
    """Return a mistake with its constant in its words."""
    title, sentence = mistake.title.format(constant), mistake.sentence.format(constant)
    return replace(mistake, title=title, sentence=sentence)


def shares(step: OptimiserStep, chains: Sequence[Walked]) -> Iterator[float]:
    """Yield by what part of its step the first wrong update moves, as people type it."""
    for piece in (piece for chain in chains for piece in pieces_of(step, chain)):
        share = share_of(step, *piece)
        if share is not None:
            yield from rounded(share) if share > 0 else ()
            return


def again(chain: Walked, rule: Rule) -> list[Recorded] | None:
    """Return the records with the rates of a rule; None where one is unknown."""
    found: list[Recorded] = []
    for number, one in enumerate(chain):
        rate = rule(one.update) if number < len(chain) - 1 else 1.0  # the last one makes no update
        if rate is None:
            return None
        state = dict(one.state)
        found.append(AtRate(one.update, dict(one.parameters), dict(one.gradients), state, rate))
    return found


def moved(chains: Sequence[Walked], rates: Rates, rule: Rule) -> int:
    """Return at how many updates a rule gives another rate."""
    updates = {record.update for chain in chains for record in chain[:-1]}
    return sum(rule(t) != rates[t] for t in updates)
