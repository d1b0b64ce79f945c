"""Arguments and results of aten operations: tensors, or lists, tuples and dictionaries of them.

Only float64 tensors carry errors; masks, indices and numbers pass as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def floats(value: Any) -> bool:
    """Return whether a value is a tensor that can carry an error."""
    return isinstance(value, Tensor) and value.dtype is torch.float64


def mapped(function: Callable[[Tensor], Tensor], tree: Any) -> Any:
    """Return the tree with `function` applied to every floating tensor."""
    if isinstance(tree, Tensor):
        return function(tree) if floats(tree) else tree
    if isinstance(tree, list | tuple):
        return type(tree)(mapped(function, item) for item in tree)
    if isinstance(tree, dict):
        return {key: mapped(function, item) for key, item in tree.items()}
    return tree


def tensors(tree: Any) -> list[Tensor]:
    """Return every floating tensor of the tree, in order."""
    if floats(tree):
        return [tree]
    if isinstance(tree, list | tuple):
        return [tensor for item in tree for tensor in tensors(item)]
    if isinstance(tree, dict):
        return [tensor for item in tree.values() for tensor in tensors(item)]
    return []


def finite(tensor: Tensor) -> Tensor:
    """Return the tensor with 0 where it is not a number one can sum."""
    return torch.where(torch.isfinite(tensor), tensor, 0.0)


def listed(result: Any) -> list[Any]:
    """Return the results of an operation that has one or several."""
    return [result] if isinstance(result, Tensor) else list(result)
