"""What the pass knows of torch's whole functions: bags written out, an epsilon of its own.

Embedding bags have one kernel that no rule can follow. The cosine embedding loss adds 1e-12 to its
squared norms, which nobody can choose and no page tells: an error of the reference.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

OWN_EPSILON = 1e-12
FURTHER = ("max_norm", "norm_type", "scale_grad_by_freq", "mode", "sparse", "per_sample_weights",
           "include_last_offset", "padding_idx")  # fmt: skip
DEFAULTS = {"per_sample_weights": None, "max_norm": None, "norm_type": 2.0, "sparse": False,
            "scale_grad_by_freq": False, "include_last_offset": False,
            "padding_idx": None}  # fmt: skip


def embedding_bag(input: Tensor, weight: Tensor, offsets: Tensor | None = None,
                  *args: Any, **kwargs: Any) -> Tensor:  # fmt: skip
    """The sum or the mean of the rows of every bag; anything else is torch's own.

    Bags are rows of `input`, or begin in a list at the `offsets`.
    """
    kwargs |= dict(zip(FURTHER, args, strict=False))
    kwargs = {k: v for k, v in kwargs.items() if k not in DEFAULTS or v != DEFAULTS[k]}
    if set(kwargs) - {"mode", "per_sample_weights"} or kwargs.get("mode") == "max":
        with torch._C.DisableTorchFunction():
            return F.embedding_bag(input, weight, offsets, **kwargs)
    scale = kwargs.get("per_sample_weights")
    rows = F.embedding(input, weight)
    rows = rows if scale is None else rows * scale.unsqueeze(-1)
    if input.dim() == 2:
        return rows.sum(1) if kwargs.get("mode") == "sum" else rows.mean(1)
    assert offsets is not None
    bag = torch.searchsorted(offsets, torch.arange(len(input)), right=True) - 1
    total = torch.zeros(len(offsets), weight.shape[1]).index_add(0, bag, rows)
    if kwargs.get("mode") == "sum":
        return total
    return total / torch.bincount(bag, minlength=len(offsets)).clamp_min(1).unsqueeze(1)


class WholeFunctions(TorchFunctionMode):
    """In this block, embedding bags run as they are written here.

    `own_epsilon`: whether a function is being called that adds one of torch's own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.own_epsilon = False

    def adds(self, summand: Any) -> bool:
        """Return whether a summand is the epsilon of a function that is being called."""
        if isinstance(summand, Tensor):
            summand = summand.item() if summand.numel() == 1 else 0.0
        return self.own_epsilon and abs(float(summand) / OWN_EPSILON - 1) < 1e-6

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        run = embedding_bag if func is F.embedding_bag else func
        self.own_epsilon = self.own_epsilon or func is F.cosine_embedding_loss
        try:
            return run(*args, **(kwargs or {}))
        finally:
            self.own_epsilon = self.own_epsilon and func is not F.cosine_embedding_loss
