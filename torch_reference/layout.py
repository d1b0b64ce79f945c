"""The edge between NumPy and torch, and the only place where a weight is transposed.

Outside, weights are `(fan_in, fan_out)`; `nn.Linear` wants `(out, in)`. Only the *view* is
transposed: the entries keep the order `(fan_in, fan_out)` in memory, torch's gradients inherit it,
and so nothing is ever reshuffled on the way.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

Array = NDArray[np.floating[Any]]
Arrays = dict[str, Array]

DTYPES: dict[np.dtype[Any], torch.dtype] = {
    np.dtype(np.float32): torch.float32,
    np.dtype(np.float64): torch.float64,
}


def transposed(tensor: Tensor) -> Tensor:
    """The same numbers in the other side's layout: a weight `(a, b)` is `(b, a)` there."""
    return tensor.T if tensor.ndim == 2 else tensor


def to_tensor(array: NDArray[Any]) -> Tensor:
    """`array` as a CPU tensor, sharing its memory wherever torch allows that.

    torch warns about read-only arrays and refuses negative strides, hence the copy. Whoever means
    to write into the result must copy it first. What is no array, but gives rows when it is
    indexed, becomes what gives them as tensors.
    """
    if not isinstance(array, np.ndarray):
        return cast("Tensor", OnDemand(array))  # for those who only index it
    array = opened(array)
    shareable = array.flags.writeable and array.flags.c_contiguous
    return torch.from_numpy(array if shareable else array.copy())


def opened(array: NDArray[Any]) -> NDArray[Any]:
    """The array itself where this is a view of all of it that was only closed for writing."""
    whole = array.base
    if array.flags.writeable or not isinstance(whole, np.ndarray) or not whole.flags.writeable:
        return array
    all_of_it = array.shape == whole.shape and array.strides == whole.strides
    return whole if all_of_it and array.dtype == whole.dtype else array


@dataclass(frozen=True, eq=False)
class OnDemand:
    """Rows that are no array but give arrays when they are indexed, as tensors on `device`."""

    rows: Any
    device: torch.device | str = "cpu"

    def to(self, device: torch.device) -> "OnDemand":
        """The same rows on another device."""
        return OnDemand(self.rows, device)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: slice | Tensor) -> Tensor:
        wanted = at if isinstance(at, slice) else at.numpy(force=True)
        return to_tensor(self.rows[wanted]).to(self.device)


def to_array(tensor: Tensor) -> Array:
    """`tensor` as a C-contiguous array, which shares memory with a contiguous CPU tensor.

    A trap: `.numpy()` of a parameter or of a momentum buffer changes under the reader's hands at
    the next update. Hand over tensors that nobody writes to again, or clones.
    """
    array: Array = tensor.detach().cpu().numpy()
    return np.ascontiguousarray(array)


def owned(tensor: Tensor) -> Array:
    """A parameter, or what has its shape, as an array of its own in the outside layout."""
    return to_array(transposed(tensor.detach()).clone())


def closed(tensor: Tensor) -> Array:
    """The same without a copy, closed for writing: see `Network.renew` before the next update."""
    array = to_array(transposed(tensor.detach())).view()
    array.flags.writeable = False
    return array


def torch_dtype(dtype: DTypeLike) -> torch.dtype:
    """torch's name for a NumPy dtype; ValueError for anything but float32 and float64."""
    if np.dtype(dtype) not in DTYPES:
        raise ValueError(f"The reference computes in float32 or float64, not in {np.dtype(dtype)}.")
    return DTYPES[np.dtype(dtype)]


def numpy_dtype(dtype: torch.dtype) -> np.dtype[Any]:
    """The inverse of `torch_dtype`."""
    return next(ours for ours, theirs in DTYPES.items() if theirs == dtype)


def require(name: str, array: NDArray[Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """ValueError unless shape and dtype are these: torch would broadcast and convert silently."""
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; it must have shape {shape}.")
    if array.dtype != dtype:
        raise ValueError(f"{name} is {array.dtype}; it must be {dtype} like the rest.")


def require_names(what: str, arrays: Mapping[str, object], names: set[str]) -> None:
    """ValueError unless the keys of `arrays` are exactly `names`."""
    if missing := sorted(names - arrays.keys()):
        raise ValueError(f"The {what} lack {', '.join(missing)}.")
    if unknown := sorted(arrays.keys() - names):
        raise ValueError(f"The {what} hold {', '.join(unknown)}, which this network does not have.")
