"""From stored images to the rows of a network: flattened, float64, finite.

The one scale that is applied is uint8's: those are pixels, and become 0 to 1 by dividing by 255.
Every other real type is taken as it is. Rows that memory has no room for stay where they are.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from compare.contracts.errors import BadInput
from compare.data.memory import fits
from compare.data.raw import Raw
from compare.data.stored import StoredRows, as_numbers


def as_rows(raw: Raw) -> NDArray[np.float64]:
    """Return (n, F) float64 from images (n, ...), or what can be indexed like it, a `StoredRows`.

    Raises `BadInput`.
    """
    values, where = raw.values, raw.where
    if values.ndim < 2 or values.size == 0:
        raise BadInput(
            f"{where} has shape {values.shape}: images need one non-empty row for each sample,"
            " shape (samples, values) or (samples, height, width)"
        )
    if values.dtype.kind not in "biuf":
        raise BadInput(
            f"{where} has values of type {values.dtype}: images must be real numbers,"
            " such as uint8 or float64"
        )
    stored = StoredRows(values, np.arange(len(values)))
    if values.dtype.kind == "f":
        check_finite(stored, where)
    if fits(2 * 8 * values.size):  # once more when the rows are shuffled
        return as_numbers(values.reshape(stored.shape))
    return cast("NDArray[np.float64]", stored)  # for those who only index it


def check_finite(rows: StoredRows, where: str) -> None:
    """Refuse NaN and infinities and say where the first one is."""
    first, count = "", 0
    for block in rows.blocks():
        finite = np.isfinite(found := rows[block])
        if finite.all():
            continue
        count += int(np.count_nonzero(~finite))
        if not first:
            row, column = np.unravel_index(np.argmin(finite), finite.shape)
            first = f"{found[row, column]} at row {block.start + row}, value {column}"
    if first:
        raise BadInput(
            f"{where} holds {first}, counted from 0"
            f" ({count:,} such in all): remove or replace what is not finite"
        )
