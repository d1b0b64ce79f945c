"""Family: which rows and which weights an update looks at. Only the records of a run show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from math import ceil

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.records import Record
from compare.mistakes.mistake import Mistake
from compare.mistakes.stale import kept_forward, read_from
from compare.textbook import Override, Pass, Point
from compare.textbook.program import rerun

LINE = "for batch in order[epoch]: loss, dw = loss_and_gradients(w, x[batch], y[batch])"


@dataclass(frozen=True)
class RecordBefore:
    """One record among the others: `point` is its own point, `data` the training set.

    `records` are all that is known of the run's batches. The judge of a run keeps a few records
    around the first wrong one (`judge.run.TRAIL`), so there a batch from further away is not
    recognised; records of whole epochs show every batch.
    """

    point: Point
    data: tuple[Array, Array]
    records: Sequence[Record]
    index: int

    @property
    def record(self) -> Record:
        """Return the record itself."""
        return self.records[self.index]

    def on(self, rows: Array, targets: Array | None = None) -> Pass:
        """Return the right pass on other rows, with the targets of yet others if given."""
        x, y = self.data
        return Pass(replace(self.point, x=x[rows], targets=y[rows if targets is None else targets]))

    def others(self) -> Iterator[Array]:
        """Yield the batches of the other records of the same epoch, and of the epochs beside it."""
        for record in self.records:
            if abs(record.epoch - self.record.epoch) <= 1 and record is not self.record:
                yield record.batch


@dataclass(frozen=True, eq=False)
class RecordMistake(Mistake):
    """A mistake that `passes(moment)` reproduces: loss and gradients by one of the passes."""

    _: KW_ONLY
    passes: Callable[[RecordBefore], Iterator[Pass]]

    @property
    def observable(self) -> tuple[str, ...]:
        """Return that the records of a run show it."""
        return ("trainer records",)


def unshuffled(now: RecordBefore) -> Iterator[Pass]:
    """Yield the pass on the rows that natural order would give this update.

    Counted from the first record of the epoch, and by the number of the update, as the records may
    begin later: batches are of one size, the last of an epoch may be smaller.
    """
    rows = len(now.data[0])
    epoch = [record for record in now.records if record.epoch == now.record.epoch]
    counted = sum(len(record.batch) for record in epoch if record.update < now.record.update)
    size = max(len(record.batch) for record in now.records)
    numbered = now.record.update % ceil(rows / size) * size
    for start in sorted({counted, numbered}):
        yield now.on(np.arange(start, start + len(now.record.batch)) % rows)


def other_targets(now: RecordBefore) -> Iterator[Pass]:
    """Yield the passes on this batch's inputs with another batch's targets."""
    own = now.record.batch
    yield from (now.on(own, rows) for rows in now.others() if len(rows) == len(own))


def stepped_first(now: RecordBefore) -> Iterator[Pass]:
    """Yield the pass that goes back through the weights of the next record."""
    if now.index + 1 < len(now.records):
        after = Pass(replace(now.point, parameters=now.records[now.index + 1].parameters))
        back = Override("dh", rerun("dh", w=after))
        yield Pass(now.point).having(frozenset({back}))


def earlier(now: RecordBefore) -> Iterator[Pass]:
    """Yield the right passes of the first record and of the one before this, if they fit it."""
    x, y = now.data
    known = now.records[: now.index]
    for record in (*known[:1], *known[1:][-1:]):
        if len(record.batch) == len(now.record.batch):
            rows = {"x": x[record.batch], "targets": y[record.batch]}
            yield Pass(replace(now.point, parameters=record.parameters, **rows))


def values_kept(now: RecordBefore) -> Iterator[Pass]:
    """Yield the passes that read values of an earlier update, going back only or forward too."""
    for old in earlier(now):
        stale = (read_from(old, kept) for kept in ("h", "xh", "hp", "xhp"))
        for overrides in (*stale, kept_forward(old, "h"), kept_forward(old, "z")):
            yield Pass(now.point).having(overrides)


RECORDS = (
    RecordMistake(
        "weights-stepped-first",
        "layers that are updated before the gradient goes through them",
        "Each layer is updated as the backward pass goes by: the gradient goes on through "
        "weights that have taken their step already.",
        "for layer in reversed(layers): gradients = ...; w[layer] = step(...)",
        line="gradients = backward(w); w = step(w, gradients)",
        passes=stepped_first,
        seen=6,
    ),
    RecordMistake(
        "values-of-earlier-update",
        "values that an earlier update left behind",
        "The update reads values that the forward pass of an earlier update left behind: they "
        "belong to other weights, and to another batch if there are several.",
        "dw = backward(w, h, p, x[batch], y[batch]); h, p = forward(w, x[batch])",
        line="h, p = forward(w, x[batch]); dw = backward(w, h, p, x[batch], y[batch])",
        passes=values_kept,
        trigger="a second update",
    ),
    RecordMistake(
        "batch-of-another-update",
        "the batch of another update",
        "The update uses the batch of another update: the batches come in another order.",
        LINE.replace("order[epoch]", "another_order[epoch]"),
        line=LINE,
        passes=lambda now: (now.on(rows) for rows in now.others()),
        trigger="mini-batches",
    ),
    RecordMistake(
        "batches-not-shuffled",
        "batches in natural order",
        "The batches are cut from the data in natural order; the declared order is shuffled.",
        LINE.replace("order[epoch]", "natural_order"),
        line=LINE,
        passes=unshuffled,
        trigger="mini-batches and a shuffled order",
    ),
    RecordMistake(
        "whole-data-set-in-every-update",
        "the whole training set in every update",
        "The update uses the whole training set, not its batch.",
        LINE.replace("x[batch], y[batch]", "x, y"),
        line=LINE,
        passes=lambda now: iter([now.on(np.arange(len(now.data[0])))]),
        trigger="mini-batches",
    ),
    RecordMistake(
        "targets-of-another-batch",
        "inputs and targets of different batches",
        "Inputs and targets of the update come from different batches.",
        LINE.replace("y[batch]", "y[other_batch]"),
        line=LINE,
        passes=other_targets,
        trigger="mini-batches",
    ),
)
