"""`--curves FILE.csv`: are these the curves of the declared training, and if not, which others?

The declared network is trained, both sides, from the declared start. A curve agrees where every
number that was logged is the reference's, to its last digit: a unit of it, and what rounding did
to the two sides of the run, is the allowance. Where a curve is another one, the known
mistakes of reporting are tried on the right curves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
from compare.contracts.result import Result, Verdict
from compare.data.logged import Logged, read_logged
from compare.examine.curves.held import held_against, overlaid
from compare.examine.curves.verdict import judged
from compare.examine.curves.watcher import CurveWatcher
from compare.examine.sides import our_manual
from compare.examine.training import Progress, run_training

MOST_EPOCHS = 1_000_000
COUNTED = "the file has no column `epoch`: its rows are counted from {} on"


def check_curves(
    path: str | Path,
    experiment: Experiment,
    *,
    trains: bool = False,
    on_update: Callable[[Progress], None] | None = None,
) -> Result:
    """Hold the curves in a CSV file against a run of the declared settings.

    Parameters:
        path: a file with a column `epoch` and columns such as `train_loss`, `val_accuracy`. Rows
            without an epoch are counted from 1, or from 0 where they agree so.
        experiment: what was trained; the number of epochs is the file's unless it is declared.
        trains: whether the number of epochs is declared.
        on_update: called after every update of the run.

    Returns:
        What was found, the logged curves as the manual side.

    Raises:
        BadInput: a file or settings that cannot be used.
    """
    logged = read_logged(Path(path))
    if logged.counted and trains and len(logged.epochs) == experiment.epochs + 1:
        logged = logged.from_zero
    last = logged.epochs[-1]
    if trains and last > experiment.epochs:
        raise BadInput(
            f"{path} goes to epoch {last}, and --epochs declares {experiment.epochs}: leave it out"
        )
    if last > MOST_EPOCHS:
        raise BadInput(f"{path}: epoch {last} is too far to be trained for a comparison")
    declared = experiment if trains else replace(experiment, epochs=last)
    run, watcher = trained(declared, logged, on_update)
    settings = {**run.settings, "mode": "curves", "manual": Path(path).name}
    if run.verdict is not Verdict.AGREES or run.interrupted:
        return replace(run, settings=settings)  # there is nothing to hold the curves against
    if len(run.epochs) <= declared.epochs:
        return replace(run, settings=settings).lacking(
            f"the logged curves: the declared training ended at epoch {len(run.epochs) - 1}, and "
            f"{Path(path).name} goes to epoch {last}"
        )
    found = holding(logged, run, watcher, settings)
    if logged.counted and found.verdict is not Verdict.AGREES and logged.epochs[0]:
        other = holding(logged.from_zero, run, watcher, settings)
        found = other if other.verdict is Verdict.AGREES else found
    return found


def holding(logged: Logged, run: Result, watcher: CurveWatcher, settings: dict[str, Any]) -> Result:
    """Return what curves are, held against a run of the declared training."""
    held = held_against(logged, run, watcher)
    found = judged(held, replace(run, settings=settings | described(logged)))
    counted = COUNTED.format(logged.epochs[0]) if logged.counted else ""
    notes = (*filter(None, [counted]), *found.notes)
    return replace(found, epochs=tuple(overlaid(held, run)), notes=notes)


def trained(
    declared: Experiment, logged: Logged, on_update: Callable[[Progress], None] | None
) -> tuple[Result, CurveWatcher]:
    """Train both sides, and watch what the file may show in place of the right curves."""
    manual = our_manual(declared)
    watcher = CurveWatcher(
        declared,
        manual,
        test=any(name.startswith("test") for name in logged.curves),
        hits=any(name.endswith("accuracy") for name in logged.curves),
    )
    run = run_training(
        declared,
        manual=manual,
        on_update=on_update,
        tap=watcher.see_manual,
        reference_tap=watcher.see_reference,
    )
    return run, watcher


def described(logged: Logged) -> dict[str, Any]:
    """Return what the file was understood to hold, for the reports."""
    return {
        "curves": {name.replace("_", " "): title for name, title in logged.columns.items()},
        "columns_ignored": ", ".join(logged.ignored) or None,
        "epochs_logged": len(logged.epochs),
    }
