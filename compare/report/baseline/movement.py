"""Holding a run against a baseline, number by number.

The allowance is the baseline's: a run under test must not choose its own tolerance. A number that
is finite on one side only has moved infinitely far; where neither is, nothing can be told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.checks.ratio import ratio
from compare.contracts.arrays import Float
from compare.contracts.errors import BadInput
from compare.contracts.result import Result, Verdict, Weak
from compare.report.baseline.numbers import (
    COMMAND,
    Asked,
    Numbers,
    Series,
    from_document,
    load,
    to_document,
)
from compare.report.baseline.report import BaselineReport, Change, Moment, Movement
from compare.report.report_json import plain


def compare(result: Result, path: Path, asked: Asked = COMMAND) -> BaselineReport:
    """Hold `result` against the baseline at `path`.

    Errors: `BadInput` for a file that is no baseline, and if the two have no epoch in common.
    """
    before = load(path, asked)
    now = from_document(to_document(result)) if result.epochs or result.points else None
    alike = now is not None and now.unit == before.unit
    epochs = sorted(set(before.epochs) & set(now.epochs if now and alike else ()))
    if now is None or not epochs:
        raise BadInput(f"{asked.option}: {path} and this run have no {before.unit} in common.")
    pairs = paired(before, now, epochs)
    ratios = {what: ratio_of(*pair) for what, pair in pairs.items()}
    moved = tuple(movements(epochs, pairs, ratios))
    decided = any(decidable(*pair).any() for pair in pairs.values())
    lacking = tuple(uncovered(before, now, epochs))
    agrees = Verdict.AGREES if decided and not lacking else Verdict.UNDECIDABLE
    return BaselineReport(
        path=path,
        verdict=Verdict.DISAGREES if moved else agrees,
        settings=tuple(changes(before.settings, now.settings)),
        environment=tuple(changes(flat(before.environment), flat(now.environment))),
        moved=moved,
        weak=(*lacking, *hidden(epochs, pairs, before.unit)),
        lacking=tuple(weak.reason for weak in lacking) if decided else (),
        compared=len(epochs),
        unit=before.unit,
        equal=all(np.array_equal(s.values, v, equal_nan=True) for s, v in pairs.values()),
        largest=largest(epochs, pairs, ratios),
    )


def paired(before: Numbers, now: Numbers, epochs: list[int]) -> dict[str, tuple[Series, Float]]:
    """Return what both have at the common epochs: the baseline's series and today's values."""
    then = np.flatnonzero(np.isin(before.epochs, epochs))
    here = np.flatnonzero(np.isin(now.epochs, epochs))
    return {
        what: (
            Series(series.values[then], series.allowance[then]),
            now.series[what].values[here],
        )
        for what, series in before.series.items()
        if what in now.series
    }


def ratio_of(series: Series, now: Float) -> Float:
    """Return `|now - before|` in multiples of the allowance; nan where nothing can be told."""
    finite = np.isfinite(now), np.isfinite(series.values)
    with np.errstate(invalid="ignore", over="ignore"):
        moved = ratio(np.abs(now - series.values), series.allowance)
    same = np.where(finite[0] == finite[1], np.nan, np.inf)
    return np.where(finite[0] & finite[1], moved, same)


def decidable(series: Series, now: Float) -> NDArray[np.bool_]:
    """Return where a change could be seen: both finite, and more than the allowance at stake."""
    finite = np.isfinite(now) & np.isfinite(series.values) & np.isfinite(series.allowance)
    return finite & (np.abs(series.values) > series.allowance)


def movements(
    epochs: list[int],
    pairs: Mapping[str, tuple[Series, Float]],
    ratios: Mapping[str, Float],
) -> Iterator[Movement]:
    """Yield every number that is more than its allowance away anywhere."""
    for what, (series, now) in pairs.items():
        (beyond,) = np.nonzero(ratios[what] > 1)
        if not beyond.size:
            continue
        worst = int(np.nanargmax(ratios[what]))
        at = [moment(epochs, series, now, ratios[what], row) for row in (beyond[0], worst, -1)]
        yield Movement(what, *at)


def moment(epochs: list[int], series: Series, now: Float, ratio: Float, row: int) -> Moment:
    """Return one number at one epoch."""
    return Moment(epochs[row], float(series.values[row]), float(now[row]), float(ratio[row]))


def largest(
    epochs: list[int],
    pairs: Mapping[str, tuple[Series, Float]],
    ratios: Mapping[str, Float],
) -> tuple[str, Moment] | None:
    """Return the largest movement of all, within allowance or not."""
    known = {what: ratio for what, ratio in ratios.items() if not np.isnan(ratio).all()}
    if not known:
        return None
    what = max(known, key=lambda name: float(np.nanmax(known[name])))
    row = int(np.nanargmax(known[what]))
    return what, moment(epochs, *pairs[what], known[what], row)


def uncovered(before: Numbers, now: Numbers, epochs: list[int]) -> Iterator[Weak]:
    """Yield what only one of the two has."""
    missing = len(before.epochs) - len(epochs)
    if missing:
        yield Weak("baseline", f"{missing} {before.unit}s of the baseline were not run")
    more = len(now.epochs) - len(epochs)
    if more:
        yield Weak("baseline", f"{more} {before.unit}s of this run are not in the baseline")
    for what in before.series.keys() ^ now.series.keys():
        yield Weak("baseline", f"{what} is in only one of the two")


def hidden(
    epochs: list[int], pairs: Mapping[str, tuple[Series, Float]], unit: str
) -> Iterator[Weak]:
    """Yield the numbers whose allowance is as large as they are, so that any change would pass."""
    for what, (series, now) in pairs.items():
        (blind,) = np.nonzero(~decidable(series, now) & (series.values != 0))
        if not blind.size:
            continue
        value, allowance = series.values[blind[0]], series.allowance[blind[0]]
        yield Weak(
            "baseline",
            f"{what} cannot be judged at {blind.size} of {len(epochs)} {unit}s: at {unit} "
            f"{epochs[blind[0]]} it was {value:.3g} and its allowance is {allowance:.3g}",
            epoch=epochs[blind[0]],
        )


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    """Yield every entry that is not what it was."""
    for name in dict.fromkeys((*before, *now)):
        if before.get(name) != now.get(name):
            yield Change(name, before.get(name), now.get(name))


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested entries under one name each: `versions numpy`.

    A list, such as that of the thread pools, is a set: its order is that in which libraries were
    loaded, and one may be loaded twice.
    """
    rows: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, list):
            members = {json.dumps(plain(one), sort_keys=True): one for one in value}
            rows[name] = [members[key] for key in sorted(members)]
        else:
            rows |= flat(value, f"{name} ") if isinstance(value, Mapping) else {name: value}
    return rows
