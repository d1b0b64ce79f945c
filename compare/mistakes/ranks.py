"""Family: several ranks train one network. A mistake here says how their parts were put together.

Rank r holds n_r of the batch's N rows, and knows the loss l_r and the gradients g_r of those alone:

    dw = sum_r c_r g_r    right with c_r = n_r / N for a mean over rows, with c_r = 1 for a sum
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

import numpy as np

from compare.contracts.arrays import Float
from compare.mistakes.mistake import Mistake

LINE = "dw = all_reduce(len(x) * dw) / N  # N rows on all ranks together"
LOSS = "loss = all_reduce(len(x) * loss) / N  # N rows on all ranks together"
WEIGHTS = "w = broadcast(w, from_rank=0)  # before the first update"
SHARD = "x = data[rank::ranks]"


@dataclass(frozen=True)
class Shares:
    """How many rows of a batch each rank has, (R,); `rank`: whose answer it is.

    `mean`: whether loss and gradients are means over rows.
    """

    rows: Float
    rank: int
    mean: bool

    @property
    def right(self) -> Float:
        """What each rank's part is multiplied by, (R,)."""
        return self.rows / float(self.rows.sum()) if self.mean else np.ones(len(self.rows))

    @property
    def own(self) -> Float:
        """1 for this rank, 0 for all others, (R,)."""
        own: Float = np.eye(len(self.rows))[self.rank]
        return own


@dataclass(frozen=True, eq=False)
class RankMistake(Mistake):
    """A mistake in putting together: `parts` are the c_r, of the `loss` or else of the gradients.

    None: no numbers of one update are wrong, and the ranks' weights or rows tell.
    """

    _: KW_ONLY
    parts: Callable[[Shares], Float] | None = None
    loss: bool = False

    @property
    def observable(self) -> tuple[str, ...]:
        """Return that what the ranks recorded shows it."""
        return ("trainer records",)


START_DIFFERENT = RankMistake(
    "weights-start-different",
    "weights that start different on the ranks",
    "Every rank draws weights of its own: what is added up afterwards are gradients at different "
    "weights. Draw with one seed, or send rank 0's weights to all.",
    "w = initial_parameters(sizes, default_rng(rank))",
    line=WEIGHTS,
)
OVERLAPPING = RankMistake(
    "batches-overlap",
    "batches of the ranks that overlap",
    "Several ranks have the same rows in one batch: those rows count more than once, others not "
    "at all. Every rank has to take other rows (torch: DistributedSampler, and set_epoch).",
    "x = data[:len(data) // ranks]",
    line=SHARD,
)

RANKS = (
    RankMistake(
        "shards-averaged-unweighted",
        "gradients averaged over ranks although their shards are unequal",
        "Every rank's mean gradient counts the same, however many rows it has: rows of small "
        "shards count more. Weight each by its rows, or divide sums by all rows.",
        "dw = all_reduce(dw) / ranks",
        line=LINE,
        trigger="shards of a batch are unequal",
        parts=lambda s: np.full(len(s.rows), 1 / len(s.rows)) if s.mean else s.right,
    ),
    RankMistake(
        "summed-over-ranks",
        "gradients summed over ranks, not averaged",
        "The ranks' mean gradients are added up and not averaged: with R ranks of equal shards "
        "every gradient is R times too large.",
        "dw = all_reduce(dw)",
        line=LINE,
        parts=lambda s: np.ones(len(s.rows)),
    ),
    RankMistake(
        "not-reduced",
        "gradients that are not reduced over ranks",
        "Every rank updates with the gradient of its own rows: the ranks train networks of their "
        "own, which drift apart.",
        "dw = dw",
        line=LINE,
        parts=lambda s: s.own,
    ),
    RankMistake(
        "reduced-twice",
        "gradients that are reduced over ranks twice",
        "What is the sum over all ranks already is added up over the ranks once more: with R ranks "
        "every gradient is R times too large.",
        "dw = all_reduce(all_reduce(len(x) * dw)) / N",
        line=LINE,
        parts=lambda s: len(s.rows) * s.right,
    ),
    RankMistake(
        "divided-by-ranks-twice",
        "gradients that are divided by the number of ranks once more",
        "What is divided by all rows already is divided by the number of ranks too, as torch's "
        "DistributedDataParallel does by itself: with R ranks every gradient is R times too small.",
        "dw = all_reduce(len(x) * dw) / N / ranks",
        line=LINE,
        parts=lambda s: s.right / len(s.rows),
    ),
    RankMistake(
        "loss-of-one-rank",
        "a loss that is the loss of one rank's rows",
        "The loss that is reported is that of one rank's rows; the gradients are those of all.",
        "loss = loss",
        line=LOSS,
        parts=lambda s: s.own,
        loss=True,
    ),
    START_DIFFERENT,
    OVERLAPPING,
)
