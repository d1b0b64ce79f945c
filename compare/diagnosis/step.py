"""Diagnosis of the update: consecutive records held against every mistake of the optimiser.

Parameters do not meet in an update, so each is replayed alone: a mistake explains the records if
it reproduces every parameter that the right step does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.result import Diagnosis
from compare.diagnosis.track import RIGHT, Recorded, Settings, Track, Version
from compare.mistakes.catalogue import STEP
from compare.mistakes.fits import rounded
from compare.mistakes.step_mistake import StepMistake

Tracks = Sequence[Track]


def diagnose_step(
    records: Sequence[Recorded],
    *,
    learning_rate: float,
    momentum: float,
    form: str = "velocity",
    start: Mapping[str, NDArray[Any]] | None = None,
) -> tuple[Diagnosis, ...]:
    """Return the mistakes that reproduce the updates between consecutive records, best first.

    Each record holds update number, parameters, gradients and state before its update; the state
    may be empty. `start` is the declared first state, zeros where absent. Two records tell little
    (the first velocity is often zero); three or more are better. Empty: every update is right, or
    no known mistake reproduces them.
    """
    return diagnose_chains([records], Settings(learning_rate, momentum, form, start or {}))


def diagnose_chains(
    chains: Sequence[Sequence[Recorded]], settings: Settings
) -> tuple[Diagnosis, ...]:
    """Return the same for several stretches of consecutive records, explained by one mistake."""
    with np.errstate(all="ignore"):
        tracks = [
            Track(name, records, settings) for records in chains for name in records[0].parameters
        ]
        wrong = [track for track in tracks if track.wrong]
        found = [v for v in versions(wrong) if explains(v, wrong)] if wrong else []
        if found:
            return told([(version,) for version in found], wrong, tracks, settings)
        return told(list(two(wrong)), wrong, tracks, settings)


def versions(wrong: Tracks) -> Iterator[Version]:
    """Yield every mistake that can be made with these parameters, its constant fitted."""
    for mistake in STEP:
        touched = [track for track in wrong if track.name.startswith(mistake.only)]
        if touched and not mistake.free:
            yield Version(mistake)
        elif touched:
            yield from (Version(mistake, c) for c in fitted(mistake, touched[0]))


def fitted(mistake: StepMistake, track: Track) -> Iterator[float]:
    """Yield c from what was seen: seen = predicted(0) + c (predicted(1) - predicted(0))."""
    told = zip(
        track.seen,
        track.predicted(Version(mistake, 0.0)),
        track.predicted(Version(mistake, 1.0)),
        strict=True,
    )
    for seen, before, after in told:
        effect = after.value - before.value
        scale = float((effect * effect).sum())
        if np.isfinite(scale) and (np.abs(effect) > before.allowance + after.allowance).any():
            constant = float(((seen - before.value) * effect).sum() / scale)
            yield from rounded(constant) if constant and np.isfinite(constant) else ()
            return


def explains(version: Version, wrong: Tracks) -> bool:
    """Return whether the version reproduces all these parameters and is not idle."""
    assert version.mistake is not None
    fits = all(
        track.name.startswith(version.mistake.only) and track.ratio(version) <= 1.0
        for track in wrong
    )
    return fits and sum(track.explained(version) for track in wrong) > len(version.bound)


def two(wrong: Tracks) -> Iterator[tuple[Version, Version]]:
    """Yield two mistakes that explain disjoint parameters (weights and biases, say)."""
    by_version = []
    for track in wrong:
        by_version += [(track.name, v) for v in versions([track]) if explains(v, [track])]
    for (_, one), (_, other) in combinations(by_version, 2):
        if one.mistake is not other.mistake and all(
            explains(one, [track]) or explains(other, [track]) for track in wrong
        ):
            yield one, other


def told(
    found: Sequence[tuple[Version, ...]], wrong: Tracks, tracks: Tracks, settings: Settings
) -> tuple[Diagnosis, ...]:
    """Return the best explanation in words, the most specific and frequent, the others beside."""
    if not found:
        return ()
    unique = {name_of(versions): versions for versions in reversed(found)}
    best, *others = sorted(unique.values(), key=rank)
    after = max(min(track.ratio(version) for version in best) for track in wrong)
    diagnosis = Diagnosis(
        mistake=name_of(best),
        sentence=" ".join(
            sentence(version, affected(version, tracks), settings) for version in best
        ),
        ratio_before=max(track.ratio(RIGHT) for track in wrong),
        ratio_after=after,
        also=tuple(map(name_of, others)),
        constant=next((version.constant for version in best if version.bound), None),
        title=" and ".join(
            version.mistake.title.format(constant=version.constant)
            for version in best
            if version.mistake
        ),
    )
    return (diagnosis,)


def name_of(versions: Sequence[Version]) -> str:
    """Return the names of the mistakes."""
    return " + ".join(version.mistake.name for version in versions if version.mistake)


def rank(versions: Sequence[Version]) -> tuple[int, int, int, int]:
    """Return what is preferred first: no constant, no convention, limited by name, frequent."""
    mistakes = [version.mistake for version in versions if version.mistake]
    return (
        sum(len(version.bound) for version in versions),
        sum(mistake.convention for mistake in mistakes),
        -sum(bool(mistake.only) for mistake in mistakes),
        -sum(mistake.seen for mistake in mistakes),
    )


def sentence(version: Version, where: str, settings: Settings) -> str:
    """Return the mistake's sentence and the parameters it was seen in."""
    assert version.mistake is not None
    filled = version.mistake.sentence.format(constant=version.constant)
    filled += reading(version, settings)
    return filled if version.mistake.only else filled + where


def reading(version: Version, settings: Settings) -> str:
    """Return another way in which the same numbers may have been written."""
    assert version.mistake is not None
    rate, name = settings.learning_rate, version.mistake.name
    if name == "weight-decay-outside" and version.constant is not None:
        return f" (That is {rate * version.constant:.4g} per update: the rate may be left out.)"
    if name == "dampened":
        return f" (A learning rate of {rate * (1 - settings.momentum):.4g} does the same.)"
    return ""


def affected(version: Version, tracks: Tracks) -> str:
    """Return in words which parameters the version explains; nothing to say if it is all."""
    fitting = [track.name for track in tracks if track.wrong and track.ratio(version) <= 1.0]
    every = list(dict.fromkeys(track.name for track in tracks))
    names = [name for name in every if name in fitting]
    if names == every:
        return ""
    for kind, letter in (("biases", "b"), ("weights", "w")):
        if names == [name for name in every if name.startswith(letter)]:
            return f" (Only the {kind}.)"
    return f" (Only {', '.join(names)}.)"
