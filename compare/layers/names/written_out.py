"""Functions that torch fuses or splits in its own way, written out as people write them.

A scale of attention stands in one place, the gates of a cell are one line each, and every value in
between can be changed. The numbers are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from compare.layers.whole_functions import embedding_bag


def attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
    dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """`softmax(q kᵀ / √d + mask) v`."""
    if enable_gqa:
        times = query.shape[-3] // key.shape[-3]
        key, value = (x.repeat_interleave(times, -3) for x in (key, value))
    s = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(s.shape[-2:], dtype=torch.bool).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        s = s.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        s = s + attn_mask
    return torch.softmax(s, -1) @ value


def linear(x: Tensor, w: Tensor, b: Tensor | None) -> Tensor:
    """`x wᵀ + b`."""
    return x @ w.t() if b is None else x @ w.t() + b


def gru_cell(
    x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor,
    b_ih: Tensor | None = None, b_hh: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """`h' = (1 - z) n + z h`, with `n = tanh(x_n + r h_n)`."""
    x_r, x_z, x_n = linear(x, w_ih, b_ih).chunk(3, 1)
    h_r, h_z, h_n = linear(h, w_hh, b_hh).chunk(3, 1)
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    n = torch.tanh(x_n + r * h_n)
    return (1 - z) * n + z * h


def lstm_cell(
    x: Tensor, hx: Any, w_ih: Tensor, w_hh: Tensor,
    b_ih: Tensor | None = None, b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`c' = f c + i g`, `h' = o tanh(c')`."""
    h, c = hx
    i, f, g, o = (linear(x, w_ih, b_ih) + linear(h, w_hh, b_hh)).chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def rnn_cell(activation: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """`h' = f(x w_ihᵀ + h w_hhᵀ)`."""

    def cell(
        x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor,
        b_ih: Tensor | None = None, b_hh: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        return activation(linear(x, w_ih, b_ih) + linear(h, w_hh, b_hh))

    return cell


def instance_norm(
    x: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None,
    weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True,
    momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """`(x - mean) / √(var + ε)` over the axes behind the channels."""
    return affine(standardised(x, list(range(2, x.dim())), eps), weight, bias)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """`(x - mean) / √(var + ε)` over every group of channels, times γ and plus β by channel."""
    groups = input.reshape(len(input), num_groups, -1)
    return affine(standardised(groups, [2], eps).reshape(input.shape), weight, bias)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels of the groups in turn: taken apart as groups x the rest, and transposed."""
    n, channels, *rest = input.shape
    parts = input.reshape(n, groups, channels // groups, *rest)
    return parts.transpose(1, 2).reshape(input.shape)


def standardised(x: Tensor, axes: list[int], eps: float) -> Tensor:
    """`(x - mean) / √(var + ε)`."""
    var, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(var + eps)


def affine(h: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """`γ h + β`, of one number for each channel."""
    shape = (1, -1, *(1 for _ in range(h.dim() - 2)))
    h = h if weight is None else h * weight.view(shape)
    return h if bias is None else h + bias.view(shape)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """`<a, b> / (|a| |b|)`."""
    a, b = (torch.linalg.vector_norm(x, dim=dim) for x in (x1, x2))
    product: Tensor = torch.sum(x1 * x2, dim)
    below: Tensor = a.clamp_min(eps) * b.clamp_min(eps)
    return product / below


def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """`-(1 - e) log p_y - e mean(log p)`, for rows and labels; anything else is torch's."""
    plain = weight is None and reduction == "mean" and input.dim() == 2
    if not plain or not label_smoothing or target.is_floating_point() or (target < 0).any():
        with torch._C.DisableTorchFunction():
            return F.cross_entropy(
                input, target, weight, size_average, ignore_index, reduce, reduction,
                label_smoothing,
            )  # fmt: skip
    logs = torch.log_softmax(input, 1)
    own = torch.gather(logs, 1, target.unsqueeze(1)).squeeze(1)
    e = label_smoothing
    return -(own * (1 - e) + torch.mean(logs, 1) * e).mean()


WRITTEN_OUT: dict[Any, Callable[..., Any]] = {
    F.scaled_dot_product_attention: attention,
    torch.gru_cell: gru_cell,
    torch.lstm_cell: lstm_cell,
    torch.rnn_tanh_cell: rnn_cell(torch.tanh),
    torch.rnn_relu_cell: rnn_cell(torch.relu),
    F.instance_norm: instance_norm,
    F.group_norm: group_norm,
    F.channel_shuffle: channel_shuffle,
    F.embedding_bag: embedding_bag,
    F.cross_entropy: cross_entropy,
    torch.cosine_similarity: cosine_similarity,
    F.cosine_similarity: cosine_similarity,
}


class WrittenOut(TorchFunctionMode):
    """In this block, those functions run as they are written here."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return WRITTEN_OUT.get(func, func)(*args, **(kwargs or {}))
