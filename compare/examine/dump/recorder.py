"""`--record FOLDER`: write a dump of the manual side of a run, update by update.

The last record stands after the last update, so E updates give E + 1 steps and every update can
be replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
from compare.contracts.keywords import settings_used_by
from compare.contracts.records import Record
from compare.contracts.setting import DUMP
from compare.data.stored import StoredRows
from compare.examine.dump.dump_format import write_run
from compare.points.inputs import Inputs


class Recorder:
    """Passes records on and writes each to `folder`, which must not hold a dump already.

    Raises `BadInput` if the folder cannot be used.
    """

    def __init__(self, folder: Path, experiment: Experiment) -> None:
        self.folder = folder
        self.experiment = experiment
        self.inputs: Inputs | None = None
        self.trouble: str | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise BadInput(f"--record {folder}: {problem.strerror}") from problem
        if any(folder.iterdir()):
            raise BadInput(f"--record {folder}: the folder is not empty; name a new one")

    def __call__(self, records: Iterator[Record], inputs: Inputs) -> Iterator[Record]:
        """Yield the records as they come; the batch is written at the top if there is only one.

        A disk that is full ends the recording and not the run: `trouble` says so.
        """
        shared = self.experiment.batch_size is None
        self._try(lambda: self.begin(inputs, shared))
        for record in records:
            if self.trouble is None:
                self._try(lambda: self.write(record, None if shared else inputs))  # noqa: B023  # called at once
            yield record

    def _try(self, writing: Callable[[], None]) -> None:
        """Write, unless the system cannot."""
        try:
            writing()
        except OSError as problem:
            self.trouble = (
                f"--record {self.folder.name}: the dump is not whole ({problem.strerror})"
            )

    def begin(self, inputs: Inputs, shared: bool) -> None:
        """Write run.json, and the batch if all steps share it."""
        asked, self.inputs = self.experiment, inputs
        write_run(
            self.folder,
            {
                "activation": asked.activation,
                "reduction": asked.reduction,
                "learning_rate": asked.learning_rate,
                "momentum": asked.momentum,
                "form": asked.momentum_form,
                "dtype": asked.dtype,
                "names": list(inputs.parameters),
                **declared_of(asked),
            },
        )
        if shared:
            for name, array in zip(("x", "targets"), inputs.training, strict=True):
                save(self.folder / f"{name}.npy", array)

    def write(self, record: Record, inputs: Inputs | None) -> None:
        """Write one step; with `inputs` also the rows of its batch."""
        arrays: dict[str, Any] = {
            "loss": np.array(record.loss),
            **record.parameters,
            **record.state,
        }
        arrays |= {f"d{name}": gradient for name, gradient in record.gradients.items()}
        if self.experiment.schedule is not None and record.learning_rate is not None:
            arrays["learning_rate"] = np.array(record.learning_rate)
        if self.inputs is not None:
            masks = self.inputs.context(record.update, len(record.batch))
            arrays |= {name: mask.astype(np.uint8) for name, mask in masks.items()}
        if inputs is not None:
            x, targets = inputs.training
            arrays |= {"x": x[record.batch], "targets": targets[record.batch]}
        np.savez(self.folder / f"step_{record.update:05d}.npz", **arrays)


def save(path: Path, array: Any) -> None:
    """Write an array, or block by block rows that stay in their file."""
    if not isinstance(array, StoredRows):
        np.save(path, array)
        return
    copy = np.lib.format.open_memmap(path, "w+", array.dtype, array.shape)
    for rows in array.blocks():
        copy[rows] = array[rows]


def declared_of(asked: Experiment) -> dict[str, Any]:
    """Return the settings of loss and optimiser that are not the usual ones."""
    usual = Experiment()
    names = (name for name in settings_used_by(DUMP) if name not in ("activation", "reduction"))
    return {
        name: getattr(asked, name) for name in names if getattr(asked, name) != getattr(usual, name)
    }
