"""The arguments of `check`, held against each other before any code under test is called.

What does not fit is the caller's, and `BadInput` says so: nothing of it may reach the function
under test and come back as a failure of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.errors import BadInput
from compare.contracts.experiment import DTYPES
from compare.contracts.limits import shown
from compare.contracts.records import depth
from compare.contracts.targets import require_classes, require_probabilities
from compare.points.probe import Probe


def given_point(parameters: Any, x: Any, targets: Any, *, sum_to_one: bool = True) -> Probe | None:
    """Return the point the caller brought, as C-contiguous arrays, or None for no point.

    Targets may be class numbers; `sum_to_one`: other rows must be probabilities. Raises `BadInput`
    for arrays that are no point of a network.
    """
    if parameters is None and x is None and targets is None:
        return None
    if parameters is None or x is None or targets is None:
        raise BadInput("Give parameters, x and targets together, or none of them.")
    if not isinstance(parameters, Mapping) or not parameters:
        raise BadInput(f"parameters: must be a dictionary w1, b1, ..., not {shown(parameters)}")
    arrays = {str(name): real_array(str(name), value) for name, value in parameters.items()}
    sizes = network_sizes(arrays)
    rows = batch("x", real_array("x", x), sizes[0])
    dtype = common_dtype((*arrays.values(), rows))
    found = target_rows(targets, len(rows), sizes[-1], dtype, sum_to_one)
    return Probe(arrays, rows, found, "given point")


def real_array(name: str, value: Any) -> Array:
    """Return a C-contiguous array of real numbers; a mask would be lost, so it is refused."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.getmaskarray(value).any():
        raise BadInput(f"{name}: has masked entries, which would be compared like all the others")
    try:
        array = np.ascontiguousarray(value)
    except (TypeError, ValueError) as problem:
        raise BadInput(f"{name}: is no array of numbers ({problem})") from None
    if array.dtype.kind not in "fiu":
        raise BadInput(f"{name}: must be an array of real numbers, not {shown(value)}")
    return array.reshape(np.shape(value))  # ascontiguousarray gives a number an axis


def network_sizes(parameters: Mapping[str, Array]) -> tuple[int, ...]:
    """Return the widths F, H, ..., K of w1, b1, ..., wL, bL; `BadInput` if they are no network."""
    layers = range(1, depth(parameters) + 1)
    kinds = "wb" if "b1" in parameters else "w"
    names = [f"{kind}{layer}" for layer in layers for kind in kinds]
    if "gamma1" in parameters:
        names += [f"{kind}{layer}" for layer in layers[:-1] for kind in ("gamma", "beta")]
    if sorted(names) != sorted(parameters) or not names:
        raise BadInput(
            f"The parameters are named {', '.join(parameters)}; a network of L layers has "
            "w1, b1, ..., wL, bL (or w1, ..., wL with bias=False; with a normalisation gamma1, "
            "beta1, ... of every hidden layer too)."
        )
    sizes: list[int] = []
    for layer in layers:
        w, b = parameters[f"w{layer}"], parameters.get(f"b{layer}")
        due = f"({sizes[-1] if sizes else 'fan_in'}, fan_out)"
        if w.ndim != 2 or 0 in w.shape or (sizes and w.shape[0] != sizes[-1]):
            raise BadInput(f"parameters: w{layer} has shape {w.shape}; {due} is due")
        if b is not None and b.shape != w.shape[1:]:
            raise BadInput(f"parameters: b{layer} has shape {b.shape}; {w.shape[1:]} is due")
        for name in (f"gamma{layer}", f"beta{layer}"):
            if name in parameters and parameters[name].shape != w.shape[1:]:
                shape = parameters[name].shape
                raise BadInput(f"parameters: {name} has shape {shape}; {w.shape[1:]} is due")
        sizes += w.shape if not sizes else w.shape[1:]
    return tuple(sizes)


def batch(name: str, rows: Array, inputs: int) -> Array:
    """Return rows (N, F) of the width that is due, at least one of them."""
    if rows.ndim != 2 or rows.shape[1] != inputs:
        raise BadInput(f"{name}: has shape {rows.shape}; (N, {inputs}) is due")
    if len(rows) == 0:
        raise BadInput(f"{name} has no rows, so nothing could be compared; give at least one.")
    return rows


def common_dtype(arrays: tuple[Array, ...]) -> np.dtype[Any]:
    """Return the one format of parameters and x."""
    dtypes = {str(array.dtype) for array in arrays}
    if len(dtypes) != 1 or not dtypes <= set(DTYPES):
        raise BadInput(
            f"parameters and x are {', '.join(sorted(dtypes))}; give all of them as float64, or "
            "all as float32."
        )
    return arrays[0].dtype


def target_rows(
    targets: Any, count: int, classes: int, dtype: np.dtype[Any], sum_to_one: bool
) -> Array:
    """Return targets (N, K): one-hot rows of class numbers, or rows that sum to 1 as they are."""
    array = real_array("targets", targets)
    if array.ndim == 1 and array.dtype.kind in "iu" and classes > 1:
        require_classes("targets: ", array, classes)
        array = np.eye(classes, dtype=dtype)[array]
    if array.shape != (count, classes):
        raise BadInput(
            f"targets: has shape {array.shape}; ({count}, {classes}), or {count} whole class "
            "numbers, is due"
        )
    if sum_to_one:
        require_probabilities("targets: ", array)
    if array.dtype != dtype:
        raise BadInput(f"targets are {array.dtype}, parameters and x {dtype}; give all as one.")
    return array


def given_rows(rows: Any, inputs: int) -> Array | None:
    """Return the real inputs to draw from, (N, F) and finite, or None for none."""
    if rows is None:
        return None
    array = batch("rows", real_array("rows", rows), inputs)
    if not np.isfinite(array).all():
        raise BadInput("rows: holds values that are not finite")
    return array


def require_agreement(declared: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise `BadInput` for a keyword that says something else than the given arrays do."""
    for name, value in given.items():
        if name in declared and declared[name] != value:
            raise BadInput(f"{name}: is {declared[name]!r}, but the given arrays have {value!r}")
