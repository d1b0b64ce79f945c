"""Blocks of rows: the loss is a sum over rows, so autograd may differentiate it part by part.

    L = sum_B L_B        dL/dw = sum_B dL_B/dw        over the blocks B of the rows of one batch

What a pass holds in memory then does not grow with the number of rows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from math import ceil

import torch
from torch import Tensor

from torch_reference.layout import Arrays, to_array
from torch_reference.network import Network

Term = Callable[[Tensor, Tensor], Tensor]
"""`(logits, targets) -> L_B`, a block's part of the loss."""
Terms = Callable[[Tensor], Iterable[tuple[slice, Term]]]
"""The blocks of a batch with these targets, each with its term."""

BLOCK_BYTES = 2**19  # a few such values fill a processor's cache
LEAST_ROWS = 512  # fewer rows would spend their time on adding gradients up


GROUP = 32
"""Each block of so many is a row shorter than the one before it: the C library then puts its arrays
where those of that block lay. An equal tensor, aligned at 64 bytes, often misses its place by a few
bytes and takes a new one, block after block."""


def row_blocks(rows: int, row_bytes: int) -> list[slice]:
    """Slices that cut the rows into blocks of about `BLOCK_BYTES`; `row_bytes` each row.

    No rows are one empty block.
    """
    most = max(LEAST_ROWS, BLOCK_BYTES // row_bytes)
    sizes = block_sizes(rows, max(1, ceil(rows / most)))
    return [slice(end - size, end) for size, end in zip(sizes, accumulate(sizes), strict=True)]


def block_sizes(rows: int, count: int) -> list[int]:
    """So many sizes that add up to `rows`: see `GROUP`. Tiny blocks are equal but for a row."""
    shorter = [k % GROUP if rows > 2 * GROUP * count else 0 for k in range(count)]
    size, more = divmod(rows + sum(shorter), count)
    return [size - less + (k < more) for k, less in enumerate(shorter)]


def add_block(
    gradients: dict[str, Tensor],
    network: Network,
    term: Term,
    x: Tensor,
    targets: Tensor,
    masks: Mapping[str, Tensor],
    see: Callable[[dict[str, Tensor]], None] | None,
) -> float:
    """Add a block's gradients to those of the blocks before it; return its part of the loss.

    Its intermediates are `see`n, and none of them outlives the call: the next block has its own.
    """
    stages = network.trace(x, masks)
    part = term(stages["logits"], targets)
    wanted = stages if see else {}
    slopes = torch.autograd.grad(part, [*network.named.values(), *wanted.values()])
    for name, slope in zip(network.named, slopes, strict=False):
        if name in gradients:
            gradients[name] += slope
        else:
            gradients[name] = slope
    if see:
        see(named_stages(stages, slopes[len(network.named) :]))
    return part.item()


def stages_of(network: Network, term: Term, x: Tensor, targets: Tensor) -> Arrays:
    """The intermediates of some rows, whose part of the loss is `term`; no gradient of a weight."""
    stages = network.trace(x)
    part = term(stages["logits"], targets)
    return arrays_of(named_stages(stages, torch.autograd.grad(part, [*stages.values()])))


def joined(blocks: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The rows of all blocks, each value in one tensor."""
    if len(blocks) == 1:
        return dict(blocks[0])
    return {name: torch.cat([block[name] for block in blocks]) for name in blocks[0]}


def rows_of(masks: Mapping[str, Tensor], rows: slice) -> dict[str, Tensor]:
    """The masks of some rows."""
    return {name: mask[rows] for name, mask in masks.items()}


def named_stages(stages: Mapping[str, Tensor], slopes: Sequence[Tensor]) -> dict[str, Tensor]:
    """`z1, h1, ..., logits` without their graph, and `dz1, dh1, ..., dlogits`."""
    values = {name: stage.detach() for name, stage in stages.items()}
    return values | {f"d{name}": slope for name, slope in zip(stages, slopes, strict=True)}


def arrays_of(stages: Mapping[str, Tensor]) -> Arrays:
    """All of them as arrays."""
    return {name: to_array(stage) for name, stage in stages.items()}
