"""Logged curves beside the right ones: what may be between them, and what is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compare.checks.ratio import ratio
from compare.contracts.arrays import Float, Mask
from compare.contracts.measured import Band, Curves, EpochRow, Worst
from compare.contracts.result import Result
from compare.data.logged import Logged
from compare.examine.curves.watcher import CurveWatcher
from compare.mistakes.reporting import CURVES

SAMPLES = {
    "train": "training_samples",
    "validation": "validation_samples",
    "test": "test_samples",
}


@dataclass(frozen=True, slots=True)
class LoggedCurves:
    """Logged curves beside the right ones, over the epochs 0 to E.

    `right` holds the stand-ins of the run as well; `allowance` and `there` are of the logged ones:
    what rounding up to that epoch and the digits explain, and where there is a number. `widest`
    has the rounding of the whole run at every epoch: a mistake may show numbers of a later one.
    """

    logged: Logged
    seen: dict[str, Float]
    right: dict[str, Float]
    allowance: dict[str, Float]
    widest: dict[str, Float]
    there: dict[str, Mask]
    rows: dict[str, int]

    def ratios(self, name: str) -> Float:
        """Return |logged - right| / allowance at every epoch, 0 where there is nothing."""
        there, found = self.there[name], np.zeros(len(self.seen[name]))
        unit = np.finfo(np.float64).eps / 2
        allowed = self.allowance[name] + unit * np.abs(self.right[name])
        error = np.abs(self.seen[name] - self.right[name])
        found[there] = ratio(error[there], allowed[there])
        return found

    def unit(self, name: str) -> Float:
        """Return a unit of the last digit at every epoch."""
        return spread_out(self.logged.units[name], list(self.logged.epochs), len(self.seen[name]))

    def worst(self, name: str) -> Worst:
        """Return the worst entry of a curve; its index is the epoch."""
        at = int(np.argmax(self.ratios(name)))
        seen, right = float(self.seen[name][at]), float(self.right[name][at])
        allowed = float(self.allowance[name][at])
        return Worst(abs(seen - right), allowed, float(self.ratios(name)[at]), (at,), seen, right)


def held_against(logged: Logged, run: Result, watcher: CurveWatcher) -> LoggedCurves:
    """Put the logged curves beside those of the run; each epoch has bands of its own."""
    samples = {name: int(run.settings[key]) for name, key in SAMPLES.items()}
    right = {
        name: np.array([getattr(row.reference, name) for row in run.epochs]) for name in CURVES
    } | watcher.curves
    if watcher.means:
        for name in ("train", "validation"):
            right[f"summed_{name}_loss"] = samples[name] * right[f"{name}_loss"]
    bands = {
        "train": np.array([row.band.train_loss for row in run.epochs]),
        "validation": np.array([row.band.validation_loss for row in run.epochs]),
        "test": watcher.test_band,
    }
    known = [name for name in logged.curves if name in right and not np.isnan(right[name]).all()]
    rows = list(logged.epochs)
    seen: dict[str, Float] = {}
    allowance: dict[str, Float] = {}
    widest: dict[str, Float] = {}
    there: dict[str, Mask] = {}
    for name in known:
        which, _, quantity = name.partition("_")
        seen[name] = spread_out(logged.curves[name], rows, len(run.epochs))
        unit = spread_out(logged.units[name], rows, len(run.epochs))
        there[name] = ~np.isnan(unit)
        loss = quantity == "loss"
        moved = bands[which] if loss else watcher.flips[which] / samples[which]
        allowance[name] = np.nan_to_num(unit) + moved
        widest[name] = np.nan_to_num(unit) + moved.max() if loss else allowance[name]
    return LoggedCurves(logged, seen, right, allowance, widest, there, samples)


def spread_out(values: Float, epochs: list[int], points: int) -> Float:
    """Return the values at their epochs, NaN at all others."""
    curve = np.full(points, np.nan)
    curve[epochs] = values
    return curve


def overlaid(held: LoggedCurves, run: Result) -> list[EpochRow]:
    """Return the epochs with the logged curves as the manual side, for the pictures; of a curve
    that nobody logged neither side, since its absence is no NaN."""
    rows, unknown = list[EpochRow](), np.full(len(run.epochs), np.nan)
    for at in held.logged.epochs:
        row = run.epochs[at]
        theirs = Curves(*(float(held.seen.get(name, unknown)[at]) for name in CURVES))
        ours = Curves(
            *(getattr(row.reference, name) if name in held.seen else np.nan for name in CURVES)
        )
        train, validation = (
            float(held.allowance.get(f"{name}_loss", unknown)[at])
            for name in ("train", "validation")
        )
        band = Band(train, validation, np.nan)
        rows.append(EpochRow(row.epoch, theirs, ours, np.nan, band, {}))
    return rows
