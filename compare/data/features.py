"""From stored images to the rows of a network: flattened, float64, finite.

The one scale that is applied is uint8's: those are pixels, and become 0 to 1 by dividing by 255.
Every other real type is taken as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compare.contracts.errors import BadInput
from compare.data.raw import Raw


def as_rows(raw: Raw) -> NDArray[np.float64]:
    """Return (n, F) float64 from images (n, ...); raises `BadInput`."""
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
    with np.errstate(over="ignore"):  # a long double too large for float64 is found below
        rows = values.reshape(len(values), -1).astype(np.float64, order="C")  # (n, F)
    if values.dtype == np.uint8:
        rows /= 255
    check_finite(rows, where)
    return rows


def check_finite(rows: NDArray[np.float64], where: str) -> None:
    """Refuse NaN and infinities and say where the first one is."""
    finite = np.isfinite(rows)
    if finite.all():
        return
    row, column = np.unravel_index(np.argmin(finite), finite.shape)
    raise BadInput(
        f"{where} holds {rows[row, column]} at row {row}, value {column}, counted from 0"
        f" ({np.count_nonzero(~finite):,} such in all): remove or replace what is not finite"
    )
