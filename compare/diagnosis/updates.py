"""Which mistake makes the wrong updates of a check, a dump or a run; right ones may stand between.

One mistake with one constant is looked for first; then one whose constant changes from update to
update, as a learning rate that falls or a gradient that is clipped does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from compare.contracts.result import Diagnosis
from compare.diagnosis.match import ratios
from compare.diagnosis.step import diagnose_chains
from compare.diagnosis.track import Recorded, Settings, Track

Transition = tuple[Recorded, Recorded]
RATE = "another-learning-rate"
OTHER = (
    "no known mistake of gradient descent with momentum reproduces the update (another optimiser, "
    "such as Adam or RMSProp, would look like this)"
)


def diagnose_updates(
    wrong: Sequence[Transition],
    settings: Settings,
    right: Sequence[Transition] = (),
    *,
    pairs: bool = True,
) -> tuple[Diagnosis, ...]:
    """Return the mistake that makes the wrong updates, if one does.

    `right` are updates before them. Two mistakes together are looked for only with `pairs`.
    """
    found = diagnose_chains(chains(wrong), settings, chains(right), pairs=pairs)
    return found or changing(wrong, settings, pairs=pairs)


def chains(transitions: Sequence[Transition]) -> list[list[Recorded]]:
    """Return updates that follow each other as one list of records."""
    found: list[list[Recorded]] = []
    for before, after in transitions:
        if found and found[-1][-1].update == before.update:
            found[-1][-1:] = [before, after]  # `before` has the gradients of its own update
        else:
            found.append([before, after])
    return found


def changing(
    wrong: Sequence[Transition], settings: Settings, *, pairs: bool = True
) -> tuple[Diagnosis, ...]:
    """Return the mistake that makes each update by itself, with a constant of its own."""
    each = [diagnose_chains([list(one)], settings, pairs=pairs) for one in wrong]
    if len(wrong) < 2 or not all(each) or len({found[0].mistake for found in each}) > 1:
        return ()
    constants = [found[0].constant for found in each]
    first = each[0][0]
    if any(constant is None for constant in constants):
        return ()
    said = ", ".join(f"{constant:.4g}" for constant in constants if constant is not None)
    more = f" (From update to update: {said}.)"
    after = max(found[0].ratio_after for found in each)
    return (replace(first, sentence=first.sentence + more, ratio_after=after),)


def step_facts(wrong: Sequence[Transition], settings: Settings) -> Iterator[str]:
    """Yield which parameters and velocities the first wrong update gets right, and which not."""
    records = wrong[0]
    right: list[str] = []
    off: list[str] = []
    for name in records[0].parameters:
        track = Track(name, records, settings)
        pairs = list(zip(track.seen, track.right, strict=True))
        last = pairs[-2:] if len(pairs) > 1 else pairs
        for what, (seen, expected) in zip((name, f"v_{name}"), last, strict=False):
            fits = float(ratios(seen, expected).max(initial=0.0)) <= 1.0
            (right if fits else off).append(what)
    agreeing = f"right: {', '.join(right)}" if right else "nothing is right"
    if off:  # else nothing is known of the velocities before
        yield f"After update {records[0].update}, wrong: {', '.join(off)}; {agreeing}."
