"""The numbers of a run that a baseline keeps, as a file and in memory.

Every curve of both sides and the norm of every parameter, each with its allowance:

    loss        the band of the free run: what rounding may make of the difference of two runs
    accuracy    one sample: rounding may decide a tie, and there is no finer scale
    norm        the rounding fed into the weights, or the drift it grew to if that is more

An allowance never shrinks along the run: the response to a drift can vanish at one epoch by
chance, and the drift of another machine has another direction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.errors import BadInput
from compare.contracts.result import ExitCode, Result
from compare.data.json_file import read_json
from compare.report.report_json import plain, render, write_atomically

FORMAT = 1
STATES = {
    ExitCode.DISAGREES: "disagrees",
    ExitCode.UNDECIDABLE: "is undecidable",
    ExitCode.CONTROL_FAILED: "had a judge that failed its control",
    ExitCode.INTERRUPTED: "was interrupted",
}
AGAIN = "save it again with --save-baseline"
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """One number per epoch and its allowance per epoch."""

    values: Floats
    allowance: Floats


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is compared: settings and environment by name, and every series over `epochs`."""

    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    epochs: list[int]
    series: Mapping[str, Series]


def save(result: Result, path: Path) -> Path:
    """Write the run as a baseline and return the path.

    Errors: `BadInput` for a run that does not agree, was interrupted or has no epochs (its bands
    would not be rounding), and for a path that cannot be written.
    """
    if result.exit_code is not ExitCode.AGREES:
        state = STATES[result.exit_code]
        raise BadInput(f"--save-baseline: this run {state}; only one that agrees is a baseline.")
    if not result.epochs:
        raise BadInput("--save-baseline: a single point has no curves; save a training run.")
    document = to_document(result)
    try:
        from_document(document)
    except ValueError as problem:
        raise BadInput(f"--save-baseline: this run cannot be one ({problem}).") from None
    try:
        write_atomically(path, render(document))
    except OSError as problem:
        reason = problem.strerror
        raise BadInput(f"--save-baseline: {path} cannot be written ({reason}).") from None
    return path


def to_document(result: Result) -> dict[str, Any]:
    """Return the part of a result that a baseline keeps, as plain values."""
    kept = ("epoch", "manual", "reference", "drift", "band", "norms")
    content = {
        "format": FORMAT,
        "settings": plain(result.settings),
        "environment": plain(result.environment),
        "epochs": [{key: plain(getattr(row, key)) for key in kept} for row in result.epochs],
    }
    return content | {"checksum": checksum(content)}


def checksum(document: Mapping[str, Any]) -> str:
    """Return the fingerprint of everything else in a document, whatever the order of its keys.

    The file's own bands decide what agrees, so one that was widened, cut or damaged must not pass.
    """
    content = {key: value for key, value in document.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load(path: Path) -> Numbers:
    """Read a baseline; `BadInput`, in one sentence, for a file that is none."""
    try:
        document = read_json(path)
    except BadInput as problem:
        raise BadInput(f"--baseline: {problem}; {AGAIN}.") from None
    if not isinstance(document, dict) or "format" not in document:
        raise BadInput(f"--baseline: {path} is not a baseline; {AGAIN}.")
    if document["format"] != FORMAT:
        found = f"baseline format {document['format']!r}, this program reads {FORMAT}"
        raise BadInput(f"--baseline: {path} has {found}; {AGAIN}.")
    try:
        numbers = from_document(document)
        intact = document.get("checksum") == checksum(document)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as problem:
        what = f"{path} is damaged ({type(problem).__name__}: {problem})"
        raise BadInput(f"--baseline: {what}; {AGAIN}.") from None
    if not intact:
        what = f"{path} is not as it was saved (its checksum is another)"
        raise BadInput(f"--baseline: {what}; {AGAIN}.")
    return numbers


def from_document(document: Mapping[str, Any]) -> Numbers:
    """Return the numbers of a document; any of Python's errors for one that is not whole."""
    rows = document["epochs"]
    epochs = [row["epoch"] for row in rows]
    if not rows or epochs != sorted(set(epochs)) or not all(type(e) is int for e in epochs):
        raise ValueError("the epochs are not rising")
    settings, environment = dict(document["settings"]), dict(document["environment"])
    return Numbers(settings, environment, epochs, curves(rows, settings) | norms(rows))


def curves(rows: list[dict[str, Any]], settings: Mapping[str, Any]) -> dict[str, Series]:
    """Return loss and accuracy of both sides on both sets."""
    found = {}
    for split, samples in (("train", "training_samples"), ("validation", "validation_samples")):
        band = rising(column(rows, "band", f"{split}_loss"))
        # A share of samples is a rounded quotient; a little more than one sample is still one.
        one_sample = np.full(len(rows), (1 + 1e-9) / settings.get(samples, np.nan))
        for side in ("manual", "reference"):
            loss, accuracy = f"{split}_loss", f"{split}_accuracy"
            found[f"{side} {split} loss"] = Series(column(rows, side, loss), band)
            found[f"{side} {split} accuracy"] = Series(column(rows, side, accuracy), one_sample)
    return found


def norms(rows: list[dict[str, Any]]) -> dict[str, Series]:
    """Return the norm of every parameter of the manual side."""
    fed, drift = column(rows, "band", "drift"), column(rows, "drift")
    allowance = rising(np.fmax(fed, drift))
    return {
        f"norm of {name}": Series(column(rows, "norms", name), allowance)
        for name in rows[0]["norms"]
    }


def column(rows: list[dict[str, Any]], *keys: str) -> Floats:
    """Return the number at `keys` of every row; "nan" and its like are numbers too."""
    values = []
    for row in rows:
        value: Any = row
        for key in keys:
            value = value[key]
        if isinstance(value, bool):
            raise TypeError(f"{'.'.join(keys)} is not a number")
        values.append(float(value))
    return np.array(values, dtype=np.float64)


def rising(allowance: Floats) -> Floats:
    """Return the largest allowance so far; ValueError for one that is none."""
    if not (np.isfinite(allowance).all() and (allowance >= 0).all()):
        raise ValueError("an allowance is negative or not finite")
    return np.maximum.accumulate(allowance)
