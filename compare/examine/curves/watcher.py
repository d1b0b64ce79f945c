"""What a training would have shown if it had been measured otherwise, epoch by epoch.

Beside the right curves, which every run has, these are the curves that are drawn in their place:
means of batch means, losses of batches while the weights moved, the test data. And how far rounding
may have moved the test loss, and how many rows of each set stand so close between two classes that
it may turn them over.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from compare.allowance import Arithmetic
from compare.checks.comparison import Comparison
from compare.checks.same_point import SamePoint
from compare.contracts.arrays import Array, Arrays, Float
from compare.contracts.between import running
from compare.contracts.experiment import Experiment
from compare.contracts.records import Manual, Record
from compare.examine.sides import build_reference
from compare.points.inputs import Inputs, Pair

Measured = tuple[float, float]
"""Loss and accuracy."""
SETS = ("train", "validation", "test")


class CurveWatcher:
    """Watches both sides of a run and keeps a few numbers an epoch."""

    def __init__(self, experiment: Experiment, manual: Manual, *, test: bool, hits: bool) -> None:
        self.experiment = experiment
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
        self.test_band = np.zeros(self.epochs + 1)
        self.test_loss: Comparison | None = None  # at the manual side's weights
        self.check: SamePoint | None = None

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
            self.test_loss = self.reported(record, inputs)
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
        """Pass the reference's records on; see what rounding moved, and what it may turn over."""
        for record in records:
            if record.evaluation is not None and self.test_loss is not None:
                self.test_band[record.epoch] = self.moved(self.test_loss, record, inputs)
            if record.evaluation is not None and self.wanted["hits"]:
                sets = (inputs.training, inputs.validation, inputs.test)
                for name, pair in zip(SETS, sets, strict=True):
                    if len(pair[0]):
                        self.flips[name][record.epoch] = self.undecided(record, pair)
            yield record

    def moved(self, ours: Comparison, record: Record, inputs: Inputs) -> float:
        """Return what rounding may explain of the two sides' test losses, as of the other curves.

        The allowance of the loss at the manual side's weights, and what the drift to the
        reference's own has made of it.
        """
        theirs = self.reported(record, inputs).worst.reference
        return ours.worst.allowance + abs(theirs - ours.worst.reference)

    def reported(self, record: Record, inputs: Inputs) -> Comparison:
        """Hold the manual loss of the test data against the reference's at the same weights."""
        if self.check is None:
            wanted = self.experiment
            self.check = SamePoint(
                build_reference(wanted, inputs.sizes), Arithmetic.of(wanted.dtype),
                wanted.activation, wanted.reduction, wanted.objective, wanted.between,
            )  # fmt: skip
        loss = self.curves["test_loss"][record.epoch]
        state = running(record.state)
        return self.check.reported(record.parameters, *inputs.test, loss, 0.0, context=state).loss

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
