"""The numbers of a run, or of a check at drawn points, that a baseline keeps: a file and in memory.

Of a run every curve of both sides and the norm of every parameter, each with its allowance:

    loss        the band of the free run: what rounding may make of the difference of two runs
    accuracy    one sample: rounding may decide a tie, and there is no finer scale
    norm        the rounding fed into the weights, or the drift it grew to if that is more

An allowance never shrinks along the run: the response to a drift can vanish at one epoch by
chance, and the drift of another machine has another direction.

Of a check the loss of both sides and the norm of every gradient at each point, each with the
allowance of two correct sides at one point.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from compare.contracts.arrays import Float
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


class Asked(NamedTuple):
    """How a baseline was asked for, for sentences about it."""

    option: str
    saving: str
    again: str


COMMAND = Asked("--baseline", "--save-baseline", "save it again with --save-baseline")
TEST = Asked("baseline", "--crosscheck-update", "keep it again with pytest --crosscheck-update")


@dataclass(frozen=True, slots=True)
class Series:
    """One number per epoch or point, and its allowance there."""

    values: Float
    allowance: Float


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is compared: settings and environment by name, and every series over `epochs`.

    `unit` says what these are: epochs of a run or the points of a check.
    """

    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    unit: str
    epochs: list[int]
    series: Mapping[str, Series]


def save(result: Result, path: Path, asked: Asked = COMMAND) -> Path:
    """Write the run or check as a baseline and return the path.

    Errors: `BadInput` for one that does not agree or was interrupted (its bands would not be
    rounding), or has neither epochs nor points, and for a path that cannot be written.
    """
    if result.exit_code is not ExitCode.AGREES:
        state = STATES[result.exit_code]
        raise BadInput(f"{asked.saving}: this run {state}; only one that agrees is a baseline.")
    if not (result.epochs or result.points):
        raise BadInput(f"{asked.saving}: a single point has no curves; save a training run.")
    document = to_document(result)
    try:
        from_document(document)
    except ValueError as problem:
        raise BadInput(f"{asked.saving}: this run cannot be one ({problem}).") from None
    try:
        write_atomically(path, render(document))
    except OSError as problem:
        reason = problem.strerror
        raise BadInput(f"{asked.saving}: {path} cannot be written ({reason}).") from None
    return path


def to_document(result: Result) -> dict[str, Any]:
    """Return the part of a result that a baseline keeps, as plain values."""
    kept = ("epoch", "manual", "reference", "drift", "band", "norms")
    content = {
        "format": FORMAT,
        "settings": plain(result.settings),
        "environment": plain(result.environment),
    }
    if result.epochs or not result.points:
        epochs = [{key: plain(getattr(row, key)) for key in kept} for row in result.epochs]
        content["epochs"] = epochs
    else:
        content["points"] = plain(result.points)
    return content | {"checksum": checksum(content)}


def checksum(document: Mapping[str, Any]) -> str:
    """Return the fingerprint of everything else in a document, whatever the order of its keys.

    The file's own bands decide what agrees, so one that was widened, cut or damaged must not pass.
    """
    content = {key: value for key, value in document.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load(path: Path, asked: Asked = COMMAND) -> Numbers:
    """Read a baseline; `BadInput`, in one sentence, for a file that is none."""
    try:
        document = read_json(path)
    except BadInput as problem:
        raise BadInput(f"{asked.option}: {problem}; {asked.again}.") from None
    if not isinstance(document, dict) or "format" not in document:
        raise BadInput(f"{asked.option}: {path} is not a baseline; {asked.again}.")
    if document["format"] != FORMAT:
        found = f"baseline format {document['format']!r}, this program reads {FORMAT}"
        raise BadInput(f"{asked.option}: {path} has {found}; {asked.again}.")
    try:
        numbers = from_document(document)
        intact = document.get("checksum") == checksum(document)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as problem:
        what = f"{path} is damaged ({type(problem).__name__}: {problem})"
        raise BadInput(f"{asked.option}: {what}; {asked.again}.") from None
    if not intact:
        what = f"{path} is not as it was saved (its checksum is another)"
        raise BadInput(f"{asked.option}: {what}; {asked.again}.")
    return numbers


def from_document(document: Mapping[str, Any]) -> Numbers:
    """Return the numbers of a document; any of Python's errors for one that is not whole."""
    unit = "point" if "points" in document else "epoch"
    rows = document[f"{unit}s"]
    epochs = [row[unit] for row in rows]
    if not rows or epochs != sorted(set(epochs)) or not all(type(e) is int for e in epochs):
        raise ValueError(f"the {unit}s are not rising")
    settings, environment = dict(document["settings"]), dict(document["environment"])
    if unit == "point":
        environment["points"] = " ".join(row["digest"] for row in rows)
        return Numbers(settings, environment, unit, epochs, at_points(rows))
    return Numbers(settings, environment, unit, epochs, curves(rows, settings) | norms(rows))


def at_points(rows: list[dict[str, Any]]) -> dict[str, Series]:
    """Return the loss of both sides and the norm of every gradient."""
    band = allowed(column(rows, "allowance"))
    losses = {f"{side} loss": Series(column(rows, side), band) for side in ("manual", "reference")}
    return losses | {
        f"norm of d{name}": Series(
            column(rows, "norms", name), allowed(column(rows, "bands", name))
        )
        for name in rows[0]["norms"]
    }


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


def column(rows: list[dict[str, Any]], *keys: str) -> Float:
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


def rising(allowance: Float) -> Float:
    """Return the largest allowance so far; ValueError for one that is none."""
    return np.maximum.accumulate(allowed(allowance))


def allowed(allowance: Float) -> Float:
    """Return the allowance; ValueError for one that is none."""
    if not (np.isfinite(allowance).all() and (allowance >= 0).all()):
        raise ValueError("an allowance is negative or not finite")
    return allowance
