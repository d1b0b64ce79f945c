"""Diagnosis of the update: consecutive records held against every mistake of the optimiser.

Parameters do not meet in an update, so each is replayed alone: a mistake explains the records if
it reproduces every parameter that the right step does not. The search is one of its own, because
two mistakes may share the parameters; `alternatives.reproducing` names single ones by one ratio.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, dropwhile, islice, permutations
from math import isclose
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.result import Diagnosis
from compare.diagnosis.collected_seldom import collected_seldom
from compare.diagnosis.told_apart import Told
from compare.diagnosis.track import RIGHT, Recorded, Settings, Track, Version
from compare.mistakes.catalogue import STEP
from compare.mistakes.fits import rounded
from compare.mistakes.step_mistake import StepMistake
from compare.textbook.pair import Pair

Tracks = Sequence[Track]
Chains = Sequence[Sequence[Recorded]]
"""Stretches of consecutive records."""


def diagnose_step(
    records: Sequence[Recorded],
    *,
    learning_rate: float,
    momentum: float,
    form: str = "velocity",
    start: Mapping[str, NDArray[Any]] | None = None,
    pairs: bool = True,
) -> tuple[Diagnosis, ...]:
    """Return the mistakes that reproduce the updates between consecutive records, best first.

    Each record holds update number, parameters, gradients and state before its update; the state
    may be empty. `start` is the declared first state, zeros where absent. Two records tell little
    (the first velocity is often zero); three or more are better. Empty: every update is right, or
    no known mistake reproduces them. Two mistakes together are looked for only with `pairs`: that
    takes a second.
    """
    settings = Settings(learning_rate, momentum, form, start or {})
    return diagnose_chains([records], settings, pairs=pairs)


@collected_seldom()
def diagnose_chains(
    chains: Chains, settings: Settings, right: Chains = (), *, pairs: bool = True
) -> tuple[Diagnosis, ...]:
    """Return the same for several stretches of consecutive records, explained by one mistake, or
    by two together.

    `right` are updates without a fault. What stands in the code once and for all shows in them as
    well, so a mistake that does not is named only where nothing else fits.
    """
    with np.errstate(all="ignore"):
        tracks = tracked(chains, settings)
        wrong = [track for track in tracks if track.wrong]
        if not wrong:
            return ()
        single: list[tuple[Version, ...]] = [(v,) for v in versions(wrong) if explains(v, wrong)]
        apart: list[tuple[Version, ...]] = list(two(wrong)) if pairs and not single else []
        together = both(wrong) if pairs and not (single or apart) else ()
        found = single or apart or [(version,) for version in together]
        lasting = constant_in_time(found, tracked(right, settings))
        return told(in_all_of_their_kind(lasting, tracks), wrong, tracks, settings)


def tracked(chains: Chains, settings: Settings) -> list[Track]:
    """Return every parameter of every stretch."""
    return [Track(name, records, settings) for records in chains for name in records[0].parameters]


def constant_in_time(
    found: Sequence[tuple[Version, ...]], right: Tracks
) -> Sequence[tuple[Version, ...]]:
    """Return what would not show in the updates that are right, or all where everything would."""

    def begins(version: Version) -> bool:
        free_to = any(mistake.sometimes for mistake in version.made)
        return not free_to and not all(track.fits(version) for track in right)

    return [versions for versions in found if not any(map(begins, versions))] or found


def in_all_of_their_kind(
    found: Sequence[tuple[Version, ...]], tracks: Tracks
) -> Sequence[tuple[Version, ...]]:
    """Return what is in every bias if it is called one of the biases, or all if nothing is left."""
    wrong = {track.name for track in tracks if track.wrong}
    right = [track for track in tracks if track.name not in wrong]

    def partial(version: Version) -> bool:
        kinds = tuple(mistake.only for mistake in version.made if mistake.only)
        of_kind = [track for track in right if kinds and track.name.startswith(kinds)]
        return not all(track.fits(version) for track in of_kind)

    return [versions for versions in found if not any(map(partial, versions))] or found


def versions(wrong: Tracks) -> Iterator[Version]:
    """Yield every mistake that can be made with these parameters, its constant fitted."""
    for mistake in STEP:
        touched = [track for track in wrong if track.name.startswith(mistake.only)]
        if touched and not mistake.free:
            yield Version(mistake)
        elif touched:
            largest = max(touched, key=lambda track: track.seen[0].size)
            yield from (Version(mistake, c) for c in fitted(mistake, largest))


def fitted(
    mistake: StepMistake, track: Track, beside: StepMistake | None = None
) -> Iterator[float]:
    """Yield c from what was seen: seen = predicted(0) + c (predicted(1) - predicted(0))."""
    told = zip(
        track.seen,
        track.predicted(Version(mistake, 0.0, beside)),
        track.predicted(Version(mistake, 1.0, beside)),
        strict=True,
    )
    # The first parameter that shows it, or its velocity if that was recorded: what is carried on
    # from one update to the next is not linear in c.
    looked_at = 2 if track.recorded else 1
    shown = list(islice(dropwhile(lambda one: np.isinf(blur(one[1], one[2])), told), looked_at))
    if not shown:
        return
    seen, before, after = min(shown, key=lambda one: blur(one[1], one[2]))
    effect = after.value - before.value
    constant = float(((seen - before.value) * effect).sum() / (effect * effect).sum())
    yield from rounded(constant) if constant and np.isfinite(constant) else ()


def blur(before: Pair, after: Pair) -> float:
    """Return the allowance beside what a constant of 1 does: a velocity shows it better than the
    parameter that it moves a little."""
    effect = np.abs(after.value - before.value)
    size = float(np.linalg.norm(effect))
    allowed = float(np.linalg.norm(before.allowance + after.allowance))
    clear = np.isfinite(size + allowed) and (effect > before.allowance + after.allowance).any()
    return allowed / size if clear else np.inf


def explains(version: Version, wrong: Tracks) -> bool:
    """Return whether the version reproduces all these parameters and is not idle."""
    only = tuple(mistake.only for mistake in version.made)
    fits = all(any(map(track.name.startswith, only)) and track.fits(version) for track in wrong)
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


def both(wrong: Tracks) -> Iterator[Version]:
    """Yield two mistakes in the same parameters, each in lines of its own and at most one with a
    constant, which is fitted beside the other. The smallest parameter rejects most of them."""
    wrong = sorted(wrong, key=lambda track: track.seen[0].size)
    for one, other in permutations([m for m in STEP if not m.starts and not m.convention], 2):
        if other.free or (not one.free and one.name > other.name) or not one.beside(other):
            continue
        constants = fitted(one, wrong[0], other) if one.free else (None,)
        yield from (
            version
            for version in (Version(one, constant, other) for constant in constants)
            if explains(version, wrong)
        )


def told(
    found: Sequence[tuple[Version, ...]], wrong: Tracks, tracks: Tracks, settings: Settings
) -> tuple[Diagnosis, ...]:
    """Return the best explanation in words, the most specific and frequent, the others beside."""
    if not found:
        return ()
    unique = {frozenset(name_of([one]) for one in each): each for each in reversed(found)}
    best, *others = sorted(unique.values(), key=rank)
    after = max(min(track.ratio(version) for version in best) for track in wrong)
    diagnosis = Diagnosis(
        mistake=name_of(best),
        sentence=" ".join(
            sentence(version, in_only(version, tracks, " (Only {}.)"), settings) for version in best
        ),
        ratio_before=max(track.ratio(RIGHT) for track in wrong),
        ratio_after=after,
        also=tuple(map(name_of, others)),
        constant=next((version.constant for version in best if version.bound), None),
        title=" and ".join(
            mistake.title.format(constant=told_from(settings, version)) + limited
            for version in best
            for limited in (in_only(version, tracks, ", in {} only"),)
            for mistake in version.made
        ),
    )
    return (diagnosis,)


def name_of(versions: Sequence[Version]) -> str:
    """Return the names of the mistakes."""
    return " + ".join(mistake.name for version in versions for mistake in version.made)


def rank(versions: Sequence[Version]) -> tuple[int, int, int, int]:
    """Return what is preferred first: no constant, no convention, limited by name, frequent."""
    mistakes = [mistake for version in versions for mistake in version.made]
    return (
        sum(len(version.bound) for version in versions),
        sum(mistake.convention for mistake in mistakes),
        -sum(bool(mistake.only) for mistake in mistakes),
        -sum(mistake.seen for mistake in mistakes),
    )


def sentence(version: Version, where: str, settings: Settings) -> str:
    """Return the mistake's sentence and the parameters it was seen in."""
    constant = told_from(settings, version)
    said = [mistake.sentence.format(constant=constant) for mistake in version.made]
    filled = " ".join(said) + reading(version, settings)
    if version.beside is not None:
        filled = f"Two mistakes together. {filled}"
    return filled + where


def told_from(settings: Settings, version: Version) -> float | None:
    """Return the constant, which is told from the declared rate and momentum."""
    if version.constant is None:
        return None
    return Told.beside(version.constant, settings.learning_rate, settings.momentum)


def reading(version: Version, settings: Settings) -> str:
    """Return another way in which the same numbers may have been written."""
    assert version.mistake is not None
    rate, name = settings.learning_rate, version.mistake.name
    if name == "weight-decay-outside" and version.constant is not None:
        return f" (That is {rate * version.constant:.4g} per update: the rate may be left out.)"
    if name == "learning-rate-inside-and-outside" and isclose(rate, 1 - settings.momentum):
        return (
            f" (Or the gradient is weighted with 1 - momentum, a running average, which is "
            f"{rate:.4g} as well: another momentum tells the two apart.)"
        )
    if name == "dampened" and settings.form == "velocity":
        return f" (A learning rate of {rate * (1 - settings.momentum):.4g} does the same.)"
    return ""


def in_only(version: Version, tracks: Tracks, words: str) -> str:
    """Return `words` around the parameters a version is about, empty if its own name says it."""
    where = affected(version, tracks)
    named = any(mistake.only for mistake in version.made) and where in KINDS
    return words.format(where) if where and not named else ""


KINDS = {"the biases": "b", "the weights": "w"}


def affected(version: Version, tracks: Tracks) -> str:
    """Return in words which parameters the version explains; nothing to say if it is all."""
    fitting = [track.name for track in tracks if track.wrong and track.fits(version)]
    every = list(dict.fromkeys(track.name for track in tracks))
    names = [name for name in every if name in fitting]
    if names == every:
        return ""
    for kind, letter in KINDS.items():
        if names == [name for name in every if name.startswith(letter)]:
            return kind
    return ", ".join(names)
