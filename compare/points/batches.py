"""The batches of every epoch, drawn when they are asked for.

One generator draws them epoch by epoch, so epoch e is what it gives after e others; nothing is kept
but the last few, and a run of any length begins at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from compare.contracts.errors import BadInput

Batch = NDArray[np.int64]
Batches = Sequence[Batch]
HELD = 4
"""So many epochs are kept: both sides and the judge walk through them together."""


class BatchOrder(Sequence[Batches]):
    """For each of `epochs` epochs its batches of row indices; full batch keeps the natural order.

    Mini-batches are a fresh permutation per epoch, cut into pieces of `batch_size`; the last piece
    may be smaller, and no row is left out. `generator` is copied, and drawn from in order.
    """

    def __init__(
        self, rows: int, batch_size: int | None, epochs: int, generator: np.random.Generator
    ) -> None:
        if batch_size is not None and batch_size > rows:
            raise BadInput(
                f"The batch size is {batch_size}, but there are only {rows} training samples; "
                f"choose at most {rows}, or leave it out for full batch."
            )
        self.rows, self.batch_size, self.epochs = rows, batch_size, epochs
        self.start = deepcopy(generator)
        self.begin()

    def begin(self) -> None:
        """Stand before the first epoch."""
        self.generator = deepcopy(self.start)
        self.next = 0
        self.held: OrderedDict[int, Batches] = OrderedDict()

    def __len__(self) -> int:
        return self.epochs

    @overload
    def __getitem__(self, epoch: int) -> Batches: ...
    @overload
    def __getitem__(self, epoch: slice) -> list[Batches]: ...
    def __getitem__(self, epoch: Any) -> Any:
        if isinstance(epoch, slice):
            return [self[one] for one in range(*epoch.indices(self.epochs))]
        epoch = range(self.epochs)[epoch]
        if self.batch_size is None:
            return [np.arange(self.rows)]
        if epoch not in self.held and epoch < self.next:
            self.begin()
        while epoch not in self.held:
            self.draw()
        return self.held[epoch]

    def draw(self) -> None:
        """Draw the next epoch, and let the oldest go."""
        cuts = range(self.batch_size or self.rows, self.rows, self.batch_size or self.rows)
        self.held[self.next] = np.split(self.generator.permutation(self.rows), cuts)
        self.next += 1
        if len(self.held) > HELD:
            self.held.popitem(last=False)


class Shares(Sequence[Batches]):
    """The batches of an order as a rank sees them: of each only the rows that it holds."""

    def __init__(self, order: Sequence[Batches], mine: slice) -> None:
        self.order, self.mine = order, mine

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, epoch: Any) -> Any:
        return [self.held(batch) for batch in self.order[epoch]]

    def held(self, batch: Batch) -> Batch:
        """The rows of a batch that this rank holds, by their numbers in its shard."""
        here: Batch = batch[is_held(batch, self.mine)] - self.mine.start
        return here


def is_held(batch: Batch, mine: slice) -> NDArray[np.bool_]:
    """Return which rows of a batch are among those from `mine.start` to `mine.stop`."""
    found: NDArray[np.bool_] = (batch >= mine.start) & (batch < mine.stop)
    return found


def batch_of(order: Sequence[Batches], update: int) -> Batch | None:
    """Return the batch of an update, None after the last; every epoch has as many batches."""
    each = len(order[0]) if len(order) else 1
    epoch, position = divmod(update, each)
    return order[epoch][position] if epoch < len(order) else None


def updates_of(order: Sequence[Batches]) -> int:
    """Return how many updates an order makes."""
    return len(order) * len(order[0]) if len(order) else 0


def all_of(order: Sequence[Batches], rows: int) -> Iterator[Batch]:
    """Yield every batch, and the whole training set of the last record."""
    for epoch in order:
        yield from epoch
    yield np.arange(rows)
