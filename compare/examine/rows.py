"""What a baseline keeps of a point: loss and norms of gradients, with what rounding allows."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.checks.examined import Examined
from compare.contracts.arrays import Arrays
from compare.contracts.measured import PointRow
from compare.points.probe import ON_KINK, Probe


def point_row(
    point: int, probe: Probe, loss: float, gradients: Arrays, examined: Examined
) -> PointRow | None:
    """Return the numbers of one point; None where a slope is free, or a number is not finite."""
    allowances = examined.allowances.gradients
    norms = {name: norm(gradient) for name, gradient in gradients.items()}
    bands = {name: norm(np.asarray(allowances[name])) for name in gradients}
    allowance = examined.loss.worst.allowance
    numbers = [loss, allowance, *norms.values(), *bands.values()]
    if probe.note == ON_KINK or not np.isfinite(numbers).all():
        return None
    reference = float(examined.reference_loss)
    return PointRow(point, digest(probe), float(loss), reference, allowance, norms, bands)


def norm(array: NDArray[Any]) -> float:
    """Return the Euclidean norm, to the last digit and without overflow."""
    return math.hypot(*array.ravel().tolist())


def digest(probe: Probe) -> str:
    """Return a fingerprint of a point: another NumPy may draw another one."""
    arrays = [*probe.parameters.values(), probe.x, probe.targets]
    together = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    return hashlib.sha256(together).hexdigest()[:12]
