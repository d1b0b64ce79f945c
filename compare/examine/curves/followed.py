"""What a training would have shown if it had been measured otherwise, epoch by epoch.

Beside the right curves, which every run has, these are the curves that are drawn in their place:
means of batch means, losses of batches while the weights moved, the test data. And how many rows
of each set stand so close between two classes that rounding may turn them over.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from compare.contracts.arrays import Array, Arrays, Float
from compare.contracts.experiment import Experiment
from compare.contracts.records import Manual, Record
from compare.points.inputs import Inputs, Pair

Measured = tuple[float, float]
"""Loss and accuracy."""
SETS = ("train", "validation", "test")


class Followed:
    """Watches both sides of a run and keeps a few numbers an epoch."""

    def __init__(self, experiment: Experiment, manual: Manual, *, test: bool, hits: bool) -> None:
        self.size = experiment.batch_size
        self.means = experiment.reduction != "sum"
        self.epochs = experiment.epochs
        self.manual = manual
        self.wanted = {"test": test, "hits": hits}
        self.curves: dict[str, Float] = {}
        self.flips = {name: np.zeros(self.epochs + 1) for name in SETS}
        self.spread = 0.0
        self.batches: list[tuple[int, Measured]] = []
        self.ours: Arrays = {}

    def see_manual(self, records: Iterator[Record], inputs: Inputs) -> Iterator[Record]:
        """Pass the manual side's records on; measure at every epoch and at every batch."""
        for record in records:
            if record.evaluation is not None:
                self.boundary(record, inputs)
            if self.size is not None and self.means and record.epoch < self.epochs:
                rows = record.batch
                x, targets = inputs.training
                measured = self.manual.evaluate(record.parameters, x[rows], targets[rows])
                self.batches.append((len(rows), measured))
            yield record

    def boundary(self, record: Record, inputs: Inputs) -> None:
        """Measure what else could be shown at the weights of an epoch boundary."""
        epoch, self.ours = record.epoch, record.parameters
        if self.wanted["test"] and len(inputs.test[0]):
            self.point("test", epoch, self.manual.evaluate(record.parameters, *inputs.test))
        if self.size is None or not self.means:
            return
        for name, pair in (("train", inputs.training), ("validation", inputs.validation)):
            if len(pair[0]) % self.size:
                self.point(f"batch_means_{name}", epoch, self.mean_of_means(record, pair))
        if self.batches:
            rows, measured = (
                np.array([n for n, _ in self.batches]),
                np.array([each for _, each in self.batches]),
            )  # (batches,), (batches, 2)
            weighted = rows @ measured / rows.sum()
            self.point("running_train", epoch, (weighted[0], weighted[1]))
            self.point("last_batch_train", epoch, self.batches[-1][1])
            if len(set(rows)) > 1:
                plain = measured.mean(axis=0)
                self.point("running_means_train", epoch, (plain[0], plain[1]))
            self.batches.clear()

    def mean_of_means(self, record: Record, pair: Pair) -> Measured:
        """Return the plain mean over batches of the rows in their natural order."""
        x, targets = pair
        cuts = range(0, len(x), self.size or len(x))
        parts = [slice(start, start + cuts.step) for start in cuts]
        found = [self.manual.evaluate(record.parameters, x[rows], targets[rows]) for rows in parts]
        loss, hits = np.mean(found, axis=0)
        return float(loss), float(hits)

    def point(self, name: str, epoch: int, measured: Measured) -> None:
        """Keep loss and accuracy of one curve at one epoch."""
        for quantity, value in zip(("loss", "accuracy"), measured, strict=True):
            empty = np.full(self.epochs + 1, np.nan)
            self.curves.setdefault(f"{name}_{quantity}", empty)[epoch] = value

    def see_reference(self, records: Iterator[Record], inputs: Inputs) -> Iterator[Record]:
        """Pass the reference's records on; count the rows that rounding may turn over."""
        for record in records:
            if record.evaluation is not None and self.wanted["hits"]:
                sets = (inputs.training, inputs.validation, inputs.test)
                for name, pair in zip(SETS, sets, strict=True):
                    if len(pair[0]):
                        self.flips[name][record.epoch] = self.undecided(record, pair)
            yield record

    def undecided(self, record: Record, pair: Pair) -> int:
        """Return how many rows have their two largest logits within what rounding moved so far.

        The logits of the two sides differ by at most `spread`, and by at least the rounding of
        one product; the distance of two logits by twice as much.
        """
        ours, theirs = (self.logits(at, pair) for at in (self.ours, record.parameters))
        width = max(len(w) for name, w in record.parameters.items() if name[0] == "w")
        unit = float(np.finfo(theirs.dtype).eps) / 2
        rounding = unit * float(np.sqrt(width)) * float(np.abs(theirs).max())
        self.spread = max(self.spread, float(np.abs(ours - theirs).max()), rounding)
        second, first = np.sort(theirs, axis=1)[:, -2:].T
        return int((first - second <= 2 * self.spread).sum())

    def logits(self, parameters: Arrays, pair: Pair) -> Array:
        """Return the logits, (N, K)."""
        _, _, shown = self.manual.loss_and_gradients(parameters, *pair)
        logits: Array = shown["logits"]
        return logits
