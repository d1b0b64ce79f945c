"""Wrong running statistics, named: what reproduces them all, where nothing else is wrong."""

from __future__ import annotations

from dataclasses import replace

from compare.contracts.result import Diagnosis
from compare.judge.point import PointJudge

NAMED = {
    one.mistake: one
    for one in (
        Diagnosis(
            "running-variance-over-n",
            "The running variance takes in the variance of the batch over N; torch takes it in "
            "over N - 1, though it normalises with that over N.",
            0.0,
            1.0,
            title="a running variance over N",
        ),
        Diagnosis(
            "running-shares-exchanged",
            "The running statistics keep 0.1 of what they were and take 0.9 of the batch; torch "
            "takes 0.1 of the batch (its momentum is the share of the new).",
            0.0,
            1.0,
            title="shares of the running statistics that are exchanged",
        ),
    )
}


def statistics_named(judge: PointJudge) -> Diagnosis | None:
    """Return the slip that reproduces every wrong running statistic, if gradients and updates are
    right."""
    names = set(judge.statistics)
    if len(names) != 1 or None in names or judge.suspect is not None or judge.updates.wrong:
        return None
    (name,) = (one for one in names if one is not None)
    tallies = judge.ledger.tallies
    ratio = max(tallies[check].worst_ratio for check in ("step", "same_point"))
    return replace(NAMED[name], ratio_before=ratio)
