"""Diagnosis of several ranks: how were their parts of one batch put together?

Every part is the reference's, at the weights that the rank had. What a rank reports is then one
combination of known numbers, and each mistake another one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from compare.checks.ratio import ratio
from compare.checks.same_point import SamePoint
from compare.contracts.arrays import Array, Arrays, Float
from compare.contracts.between import NOTHING, Context
from compare.contracts.result import Diagnosis
from compare.diagnosis.alternatives import reproducing
from compare.mistakes.ranks import RANKS, RankMistake, Shares

ROUNDINGS = 8.0
"""A part is weighted, added up and divided: so many roundings in the format of the gradients."""


@dataclass(frozen=True, slots=True)
class Part:
    """What the rows of one rank come to by themselves, and what rounding may explain of that."""

    rows: int
    loss: float
    gradients: Arrays
    loss_allowance: float
    allowances: Arrays


@dataclass(frozen=True, slots=True)
class Reported:
    """What rank `rank` reports of the whole batch."""

    rank: int
    loss: float
    gradients: Arrays


Ratio = Callable[[Sequence[Part], Reported, Float], float]


def diagnose_ranks(
    parts: Sequence[Part], reported: Reported, *, mean: bool
) -> tuple[Diagnosis, ...]:
    """Return the mistakes that reproduce the gradients, and the loss, that a rank reports.

    A loss that is put together like the gradients is not named once more.
    """
    shares = Shares(np.array([part.rows for part in parts], np.float64), reported.rank, mean)
    of_gradients = [one for one in RANKS if one.parts is not None and not one.loss]
    of_loss = [one for one in RANKS if one.loss]

    def tried(mistakes: Sequence[RankMistake], worst: Ratio) -> tuple[Diagnosis, ...]:
        each = [(m, None, worst(parts, reported, m.parts(shares))) for m in mistakes if m.parts]
        return reproducing(each, worst(parts, reported, shares.right))

    found = tried(of_gradients, worst_gradient)
    if found:
        same = next(m for m in of_gradients if m.name == found[0].mistake)
        assert same.parts is not None
        if worst_loss(parts, reported, same.parts(shares)) <= 1:
            return found
    return found + tried(of_loss, worst_loss)


def worst_gradient(parts: Sequence[Part], reported: Reported, by: Float) -> float:
    """Return the worst ratio of the gradients against those of the parts, each times its `by`."""
    found = [0.0]
    for name, seen in reported.gradients.items():
        value = sum(c * part.gradients[name].astype(np.float64) for c, part in together(by, parts))
        allowed = sum(abs(c) * part.allowances[name] for c, part in together(by, parts))
        unit = np.finfo(seen.dtype).eps
        error = np.abs(seen - value)
        found.append(float(ratio(error, allowed + ROUNDINGS * unit * np.abs(value)).max()))
    return max(found)


def worst_loss(parts: Sequence[Part], reported: Reported, by: Float) -> float:
    """Return the same of the loss."""
    value = sum(c * part.loss for c, part in together(by, parts))
    allowed = sum(abs(c) * part.loss_allowance for c, part in together(by, parts))
    unit = max(np.finfo(dw.dtype).eps for dw in reported.gradients.values())
    return float(ratio(abs(reported.loss - value), allowed + ROUNDINGS * unit * abs(value)))


def together(by: Float, parts: Sequence[Part]) -> Iterator[tuple[float, Part]]:
    """Yield what counts, and how often."""
    return ((float(c), part) for c, part in zip(by, parts, strict=True) if c)


def parts_of(
    same_point: SamePoint,
    weights: Sequence[Arrays],
    batches: Sequence[tuple[Array, Array]],
    contexts: Sequence[Context] | None = None,
) -> list[Part]:
    """Return what each rank's rows come to at its weights, by the reference; with the masks of
    these rows, where there are any."""
    found = []
    given = contexts or [NOTHING] * len(weights)
    for parameters, (x, targets), context in zip(weights, batches, given, strict=True):
        if not len(x):
            nothing = {name: np.zeros_like(w) for name, w in parameters.items()}
            found.append(Part(0, 0.0, nothing, 0.0, nothing))
            continue
        one = same_point.expect(parameters, x, targets, context=context)
        allowances = one.point.allowances
        allowed = dict(allowances.gradients)
        of_loss = float(np.max(allowances.forward.loss))
        found.append(Part(len(x), one.loss, dict(one.gradients), of_loss, allowed))
    return found


def starts_apart(weights: Sequence[Arrays]) -> tuple[int, str] | None:
    """Return the first rank with other weights than rank 0, and the first tensor that differs."""
    for rank, parameters in enumerate(weights):
        for name, w in weights[0].items():
            if not np.array_equal(w, parameters[name]):
                return rank, name
    return None


def keys_of(x: Array, targets: Array) -> list[bytes]:
    """Return what tells a row from others where it has no number: equal rows have one key."""
    return [one.tobytes() + other.tobytes() for one, other in zip(x, targets, strict=True)]


def shared_rows(rows: Sequence[Sequence[Hashable]]) -> list[tuple[int, int, int]]:
    """Return (rank, its rows that an earlier rank has too, its rows) where there are any.

    `rows`: what each rank's rows are told apart by, their numbers or their keys.
    """
    known: set[Hashable] = set()
    found = []
    for rank, keys in enumerate(rows):
        if count := sum(key in known for key in keys):
            found.append((rank, count, len(keys)))
        known.update(keys)
    return found


def certain(mistake: RankMistake) -> Diagnosis:
    """Return the diagnosis of what is seen without any rounding."""
    return Diagnosis(mistake.name, mistake.sentence, np.inf, 0.0, title=mistake.title)
