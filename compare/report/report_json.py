"""report.json: a whole Result as plain values, for programs.

One top-level key per line and one epoch per line, so that two reports can be compared with `diff`.
Floats are written with as many digits as it takes to read the same float back; JSON has no NaN
and no infinity, so these three are the strings "nan", "inf" and "-inf". `report.schema.json`
beside this file describes the format.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compare.contracts.result import Result

FORMAT = 1
SCHEMA = Path(__file__).with_name("report.schema.json")


def to_json(result: Result) -> dict[str, Any]:
    """Return `result` as dictionaries, lists, strings, numbers, booleans and None.

    The heat map's two tensors stay out: they are as large as the weights, and drawn elsewhere.
    """
    document = {
        "format": FORMAT,
        "verdict": result.verdict,
        "kind": result.kind,
        "exit_code": result.exit_code,
        "sentence": result.sentence,
        "interrupted": result.interrupted,
        "failure": result.failure,
        "control_failed": result.control_failed,
        "not_compared": result.not_compared,
        "settings": result.settings,
        "environment": result.environment,
        "checks": result.checks,
        "worst": result.worst,
        "findings": result.findings,
        "kinks": result.kinks,
        "weak": result.weak,
        "diagnosis": result.diagnosis,
        "referee": result.referee,
        "notes": result.notes,
        "epochs": result.epochs,
    }
    return {key: plain(value) for key, value in document.items()}


def write_json(result: Result, path: str | Path, **extra: Any) -> Path:
    """Write `result`, with `extra` as further top-level keys, to `path` and return the path.

    Whoever reads the file meanwhile, or after a crash, finds the old report or the new one.
    """
    path = Path(path)
    document = to_json(result) | {key: plain(value) for key, value in extra.items()}
    write_atomically(path, render(document))
    return path


def plain(value: Any) -> Any:
    """Return `value` in JSON's types; TypeError for what has no place in a report."""
    match value:
        case None | bool():
            return value
        case str():
            return str(value)
        case int():
            return int(value)
        case float():
            return float(value) if math.isfinite(value) else str(float(value))
        case np.generic() | np.ndarray():
            return plain(value.tolist())
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case Sequence():
            return [plain(item) for item in value]
    if is_dataclass(value):
        public = [field.name for field in fields(value) if not field.name.startswith("_")]
        return {name: plain(getattr(value, name)) for name in public}
    raise TypeError(f"a {type(value).__name__} has no place in a report: {value!r}")


def render(document: Mapping[str, Any]) -> str:
    """Return the text of the file."""
    lines = [f"{encode(key)}: {render_value(value)}" for key, value in document.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def render_value(value: Any) -> str:
    """Return `value` on one line, a list of objects with one line for each."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(map(encode, value)) + "\n]"
    return encode(value)


def encode(value: Any) -> str:
    """Return `value` as JSON on one line."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def write_atomically(path: Path, text: str) -> None:
    """Write `text` beside `path` under another name, then put it in place in one step.

    What is not UTF-8, such as a byte of a file's name, is written as its escape, which JSON reads.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8", errors="backslashreplace")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
