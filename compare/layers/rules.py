"""What aten operations do to errors, as sets of names: the table that makes the pass general.

Every other operation is taken apart by torch's own decompositions (`decompositions`) until only
these are left. One that is in no set and has no decomposition has no rule.
"""

from __future__ import annotations

from typing import Any

import torch

aten: Any = torch.ops.aten
Packets = frozenset[Any]


def packets(names: str) -> Packets:
    """Return the aten operations of these names, as far as this torch has them."""
    return frozenset(getattr(aten, name) for name in names.split() if hasattr(aten, name))


POOLS = packets("max_pool2d_with_indices adaptive_max_pool2d")
POOLS_BACK = packets("max_pool2d_with_indices_backward adaptive_max_pool2d_backward")
"""Maxima of windows, and where they were; the way back adds up what several windows took."""

MOVES = POOLS | packets(
    "clone copy _to_copy detach neg where masked_fill gather index index_select embedding "
    "select_backward slice_backward cat stack constant_pad_nd flip roll tril triu im2col "
    "contiguous repeat scatter index_put select_scatter slice_scatter unfold_backward lift_fresh "
    "diagonal_backward masked_scatter new_empty_strided unbind sort max min topk amax amin "
    "channel_shuffle pixel_shuffle pixel_unshuffle reflection_pad1d "
    "reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d "
    "take rot90 median nanmedian kthvalue mode msort"
)
"""Exact and linear: values are copied, chosen, or added to exact zeros."""

UPSAMPLES = (
    "upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d "
    "upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d _upsample_nearest_exact1d "
    "_upsample_nearest_exact2d _upsample_nearest_exact3d _upsample_bilinear2d_aa "
    "_upsample_bicubic2d_aa"
)
INTERPOLATES = packets(
    " ".join(f"{n} {n}_backward" for n in UPSAMPLES.split() if "nearest" not in n)
)
"""Sums with weights as well, of positions that were computed."""
AVERAGES = packets(
    "avg_pool2d avg_pool2d_backward avg_pool3d avg_pool3d_backward _adaptive_avg_pool2d "
    "_adaptive_avg_pool2d_backward _adaptive_avg_pool3d _adaptive_avg_pool3d_backward"
)
"""Sums with weights: their terms cannot be counted by ones, and the division rounds."""

SUMS = (
    AVERAGES
    | POOLS_BACK
    | packets(
        "sum cumsum embedding_dense_backward col2im scatter_add index_add "
        "replication_pad1d_backward replication_pad2d_backward replication_pad3d_backward "
        "reflection_pad1d_backward reflection_pad2d_backward reflection_pad3d_backward trace "
        + UPSAMPLES
        + " "
        + " ".join(f"{name}_backward" for name in UPSAMPLES.split())
    )
)
"""Linear in every floating argument at once."""

BILINEAR = packets("mm bmm addmm baddbmm addbmm mv dot addmv convolution convolution_backward")
"""Sums of products of two factors."""

EXACT = packets(
    "neg abs where sign sgn maximum minimum clamp clamp_min clamp_max relu fill zero copy "
    "masked_fill floor round ceil trunc"
)
"""Elementwise, and nothing is rounded."""

COSTLY = packets(
    "exp expm1 exp2 log log1p log2 log10 tanh sigmoid erf erfc erfinv pow sin cos tan asin acos "
    "atan sinh cosh asinh acosh atanh atan2 rsqrt lgamma digamma logaddexp hypot"
)
"""Elementwise library functions: two roundings in place of one."""

QUIET = packets(
    "zeros_like ones_like empty_like new_zeros new_ones new_empty full_like fill_ zero_ zeros "
    "ones full empty arange scalar_tensor _local_scalar_dense argmax argmin new_full empty_strided "
    "eye linspace item is_same_size equal argsort _efficientzerotensor nonzero count_nonzero "
    "tril_indices triu_indices bincount histc searchsorted bucketize"
)
"""Results that carry no error."""

COMPARISONS = packets("gt ge lt le eq ne")
COMPARE = COMPARISONS | packets(
    "isnan isinf isfinite logical_and logical_or logical_not logical_xor bitwise_and bitwise_or "
    "bitwise_not bitwise_xor signbit any all isposinf isneginf isclose"
)
"""Results that are true or false."""

RANDOM = packets(
    "rand randn randint bernoulli bernoulli_ random_ normal normal_ uniform_ exponential_ "
    "native_dropout rand_like randn_like randint_like randperm multinomial poisson cauchy_ "
    "geometric_ log_normal_ rrelu_with_noise _fused_dropout"
)
"""Results that are drawn: a reference that draws cannot be run a second time."""

PRIMITIVE = EXACT | COSTLY | packets("add sub rsub mul div sqrt reciprocal true_divide addcmul")
KEEP = MOVES | SUMS | BILINEAR | QUIET | COMPARE | PRIMITIVE - packets("addcmul")
"""Operations that are not taken apart any further."""
