"""Curves that somebody's program logged: a CSV file with a column `epoch` and named columns.

`epoch,train_loss,val_loss,val_acc`, in any order and any usual spelling; commas, semicolons or
tabs between. A number stands for all numbers that would have been written so, rounded or cut off:
0.93 may be anything from 0.92 to 0.94, and no more may be held against it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np

from compare.contracts.arrays import Float, Mask
from compare.contracts.errors import BadInput
from compare.contracts.limits import shown

SETS = {
    "train": "train", "training": "train", "tr": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
QUANTITIES = {
    "loss": "loss", "losses": "loss", "cost": "loss", "ce": "loss", "nll": "loss",
    "accuracy": "accuracy", "acc": "accuracy", "accuracies": "accuracy",
}  # fmt: skip
FILLERS = {"set", "data", "of", "the", "percent", "pct", "cross", "entropy", "mean", "avg"}
EPOCH = ("epoch", "epochs")
OTHERWISE = frozenset(
    ("step", "steps", "iteration", "iterations", "iter", "update", "updates", "batch", "batches")
)
"""A column of these numbers the rows, and not by epochs."""
PER_CENT = re.compile(r"%|(?<![a-z])(percent|pct)(?![a-z])")
LARGEST = 1 << 24
"""Bytes; a curve of a million epochs takes less."""
LARGEST_POWER = 307
"""Of ten: every number with this many digits before the point is one of float64."""


@dataclass(frozen=True, slots=True)
class Logged:
    """The curves of a file, one row an epoch, in ascending order.

    `curves`: per name (`train_loss`, `validation_accuracy`, `test_loss`, ...) the values, NaN
    where a cell is empty; `units`: a unit of the last digit that was written; `columns`:
    per name its title in the file; `ignored`: titles of the other columns; `counted`: the file
    numbers no epochs, so its rows are counted from 1.
    """

    epochs: tuple[int, ...]
    curves: dict[str, Float]
    units: dict[str, Float]
    columns: dict[str, str]
    ignored: tuple[str, ...]
    counted: bool = False

    @property
    def from_zero(self) -> Logged:
        """The same rows with epochs from 0, the initial weights, on."""
        return replace(self, epochs=tuple(range(len(self.epochs))))

    @property
    def written(self) -> dict[str, Mask]:
        """Which cells hold a number; NaN and infinity, written out, are numbers here."""
        return {name: ~np.isnan(unit) for name, unit in self.units.items()}


def read_logged(path: Path) -> Logged:
    """Return the curves in a CSV file. Raises `BadInput`, with the line at fault."""
    header, rows = table(path)
    meant = {title: meaning(title) for title in header}
    numbered = [title for title in header if title.strip().lower() in EPOCH]
    otherwise = not numbered and any(OTHERWISE.intersection(words(title)) for title in header)
    if len(numbered) > 1 or otherwise:
        raise BadInput(
            f"{path}: needs one column called `epoch`, and has {', '.join(map(shown, header))}"
        )
    columns: dict[str, str] = {}
    for title, name in meant.items():
        if name is not None and name in columns:
            raise BadInput(
                f"{path}: {shown(columns[name])} and {shown(title)} both mean the "
                f"{name.replace('_', ' ')}: leave one out"
            )
        if name is not None:
            columns[name] = title
    if not columns:
        raise BadInput(
            f"{path}: no column is a curve; name them train_loss, train_accuracy, "
            "validation_loss, validation_accuracy, test_loss or test_accuracy"
        )
    texts = [row[numbered[0]] for row in rows] if numbered else map(str, range(1, len(rows) + 1))
    epochs = epochs_of(list(texts), path)
    order = np.argsort(epochs, kind="stable")
    curves, units = {}, {}
    for name, title in columns.items():
        texts = [rows[place][title] for place in order]
        curves[name], units[name] = numbers(texts, title, path)
    ignored = tuple(t for t in header if meant[t] is None and t not in numbered)
    return Logged(tuple(sorted(epochs)), curves, units, columns, ignored, not numbered)


def table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Return the titles of a file and its rows, each a cell per title."""
    try:
        if path.stat().st_size > LARGEST:
            raise BadInput(f"{path}: more than {LARGEST >> 20} MiB, so no table of epochs")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as problem:
        raise BadInput(f"{path} cannot be read ({problem.strerror})") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not text in UTF-8: save it as CSV") from None
    lines = [line for line in lines if line.strip() and not line.startswith("#")]
    if len(lines) < 2:
        raise BadInput(f"{path}: needs a line of titles and a line for each epoch")
    between = max(",;\t", key=lines[0].count)
    header, *cells = csv.reader(lines, delimiter=between, skipinitialspace=True)
    if len(set(header)) < len(header):
        raise BadInput(f"{path}: two columns have the same title")
    for number, row in enumerate(cells, 2):
        if len(row) != len(header):
            raise BadInput(
                f"{path}: row {number} has {len(row)} cells, and there are {len(header)} titles"
            )
    if between == ";":  # as a spreadsheet writes where the comma is the decimal sign
        cells = [[cell.replace(",", ".") for cell in row] for row in cells]
    return header, [dict(zip(header, row, strict=True)) for row in cells]


def meaning(title: str) -> str | None:
    """Return the curve a title means: `validation_loss` of `val_loss`, `Loss/valid`, `valLoss`.

    Without a set it is the training's, as Keras writes. None for anything else.
    """
    parts = words(title)
    sets = {SETS[part] for part in parts if part in SETS}
    what = {QUANTITIES[part] for part in parts if part in QUANTITIES}
    known = {*SETS, *QUANTITIES, *FILLERS}
    if len(what) != 1 or len(sets) > 1 or not known.issuperset(parts):
        return None
    return f"{next(iter(sets), 'train')}_{what.pop()}"


def words(title: str) -> list[str]:
    """Return the words of a title, in small letters."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", title)
    return [part for part in re.split(r"[^a-z]+", apart.lower()) if part]


def names_a_set(title: str) -> bool:
    """Whether a title holds the name of a set of rows, as `val_err` does."""
    return not SETS.keys().isdisjoint(words(title))


def epochs_of(texts: Sequence[str], path: Path) -> list[int]:
    """Return the epochs of the rows, each a whole number from 0 and there once."""
    found: dict[int, int] = {}
    for number, text in enumerate(texts, 2):
        if not re.fullmatch(r"\d{1,9}(\.0*)?", text.strip()):
            raise BadInput(f"{path}: row {number}: {shown(text)} is no number of an epoch")
        epoch = int(float(text))
        if epoch in found:
            raise BadInput(f"{path}: epoch {epoch} stands in rows {found[epoch]} and {number}")
        found[epoch] = number
    return list(found)


def numbers(texts: Sequence[str], title: str, path: Path) -> tuple[Float, Float]:
    """Return the values of a column, and a unit of the last digit of each.

    A program writes a column with a fixed number of decimals or of digits, and some leave away
    the zeros at the end: what a cell alone would promise says too little, so the column counts.
    With `%` in title or cell the numbers are per cent.
    """
    cells = [text.strip().removesuffix("%").strip() for text in texts]
    scale = Decimal("0.01") if PER_CENT.search(title.lower()) or "%" in "".join(texts) else 1
    values = [scale * number(cell, title, path) if cell else None for cell in cells]
    finite = [value for value in values if value is not None and value.is_finite()]
    last = min((exponent(value) for value in finite), default=0)
    digits = max((len(value.as_tuple().digits) for value in finite), default=1)
    units = [np.nan if value is None else unit_of(value, last, digits) for value in values]
    return np.array([np.nan if v is None else float(v) for v in values]), np.array(units)


def number(text: str, title: str, path: Path) -> Decimal:
    """Return the number of a cell exactly; one that float64 cannot hold is refused."""
    where = f"{path}: {shown(text)} in column {shown(title)}"
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise BadInput(f"{where} is no number") from None
    if value.is_snan():
        raise BadInput(f"{where} is no number: write nan")
    if value.is_finite() and value.adjusted() > LARGEST_POWER:
        raise BadInput(f"{where} is larger than 1e{LARGEST_POWER}: write inf if it overflowed")
    return value


def exponent(value: Decimal) -> int:
    """Return the power of ten of the last digit."""
    found = value.as_tuple().exponent
    return found if isinstance(found, int) else 0


def unit_of(value: Decimal, last: int, digits: int) -> float:
    """Return a unit of the last digit of a value: by decimals or by digits, the larger."""
    if not value.is_finite():
        return 0.0
    by_digits = value.adjusted() - digits + 1 if value else last
    return 10.0 ** max(last, by_digits)
