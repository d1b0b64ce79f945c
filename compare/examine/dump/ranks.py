"""A dump of several ranks: `rank_0/step_00000.npz`, `rank_1/step_00000.npz`, ... of one training.

Each rank has a folder like a dump's: its own rows of every batch, and the loss and the gradients
that it updates with, which are those of all rows together. They are held against the reference at
the batch that the ranks' rows make up; where that fails, each way of putting parts together wrongly
is tried on them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from compare.contracts.errors import BadInput
from compare.contracts.result import Diagnosis, Finding
from compare.examine.dump.dump_format import entries
from compare.examine.dump.dump_step import Step
from compare.judge.point import PointJudge

if TYPE_CHECKING:
    from compare.mistakes.ranks import RankMistake

RANK = re.compile(r"rank_(\d+)", re.ASCII)
FORWARD = re.compile(r"[zh][1-9]\d*|logits|p")
"""Intermediates of some rows that are those rows of the whole batch's."""

NUMBERED = "numbers of the rows in the data, recorded as `rows`, tell equal rows apart"


def rank_folders(folder: Path) -> list[Path]:
    """Return the folders of the ranks in order, none for the dump of a single process."""
    found = {
        int(match[1]): path
        for path in entries(folder)
        if path.is_dir() and (match := RANK.fullmatch(path.name))
    }
    if found and sorted(found) != list(range(len(found))):
        missing = next(rank for rank in range(max(found) + 1) if rank not in found)
        raise BadInput(f"{folder} holds rank_{max(found)} and no rank_{missing}")
    return [found[rank] for rank in sorted(found)]


def in_step(folders: Sequence[Path], walks: Sequence[Iterator[Step]]) -> Iterator[list[Step]]:
    """Yield the same step of all ranks; raises `BadInput` where one lacks it."""
    for steps in zip_longest(*walks):
        numbers = [None if step is None else step.number for step in steps]
        if len(set(numbers)) > 1:
            least = min(number for number in numbers if number is not None)
            lacking = folders[next(i for i, number in enumerate(numbers) if number != least)]
            raise BadInput(f"{lacking} has no step {least}, which another rank has")
        yield list(steps)


def merged(steps: Sequence[Step]) -> Step:
    """Return what rank 0 reports, of the rows of all ranks."""
    shown = {
        name: np.concatenate([step.shown[name] for step in steps])
        for name in steps[0].shown
        if FORWARD.fullmatch(name) and all(name in step.shown for step in steps)
    }
    x = np.concatenate([step.x for step in steps])
    record = replace(steps[0].record, batch=np.arange(len(x)))
    return replace(
        steps[0], record=record, x=x,
        targets=np.concatenate([step.targets for step in steps]), shown=shown,
    )  # fmt: skip


@dataclass
class OfRanks:
    """Looks at what the ranks say of one step after the other; `found`: what is wrong, if named."""

    judge: PointJudge
    found: tuple[Diagnosis, ...] = ()
    notes: list[str] = field(default_factory=list)
    seen: int = 0
    apart: bool = False

    def see(self, steps: Sequence[Step], look: Callable[[Step], None]) -> None:
        """Check one step of all ranks; `look` checks that of one process, and its update."""
        from compare.diagnosis.ranks import starts_apart
        from compare.mistakes.ranks import START_DIFFERENT

        weights = [step.record.parameters for step in steps]
        other = starts_apart(weights)
        if other is not None and not self.apart:
            self.apart = True
            self.other_weights(*other, steps[0].number)
            if not self.seen:
                self.name(START_DIFFERENT)
        self.in_common(steps)
        self.seen += 1
        if self.apart:  # what they say belongs to no common weights
            return
        whole = merged(steps)
        look(whole)
        for step in steps[1:]:
            record = replace(step.record, batch=whole.record.batch)
            self.judge.at_point(record, whole.x, whole.targets)
        if self.judge.suspect is not None and not self.found:
            self.found = self.put_together(steps)

    def in_common(self, steps: Sequence[Step]) -> None:
        """Name batches that are those of other ranks.

        A row is told by what it holds, and by its number in the data where every rank records it:
        a data set may hold a row several times, by right. Rows that are all different within a rank
        and all found on others are no such chance.
        """
        from compare.diagnosis.ranks import keys_of, shared_rows
        from compare.mistakes.ranks import OVERLAPPING

        keys: list[list[Hashable]] = [[*keys_of(step.x, step.targets)] for step in steps]
        numbers = [step.rows.tolist() for step in steps if step.rows is not None]
        told = len(numbers) == len(steps)
        if told:
            keys = [list(zip(*both, strict=True)) for both in zip(numbers, keys, strict=True)]
        for rank, count, rows in shared_rows(keys):
            said = f"rank {rank} has {count} of its {rows} rows in common with earlier ranks"
            said += f" at step {steps[0].number}"
            if count == rows > 1 and len(set(keys[rank])) == rows:
                self.find("batch order", said if told else f"{said} ({NUMBERED})")
                self.name(OVERLAPPING)
            elif not self.notes:
                self.notes.append(said if told else f"{said}, or they are equal: {NUMBERED}")

    def put_together(self, steps: Sequence[Step]) -> tuple[Diagnosis, ...]:
        """Return how the parts were put together, from the first rank that shows it."""
        from compare.diagnosis.ranks import Reported, diagnose_ranks, parts_of

        if not self.judge.experiment.plain:
            return ()  # a penalty, or statistics of a batch, are no sum over its rows
        weights = [step.record.parameters for step in steps]
        parts = parts_of(self.judge.same_point, weights, [(step.x, step.targets) for step in steps])
        mean = self.judge.experiment.reduction == "mean"
        for rank, step in enumerate(steps):
            seen = Reported(rank, step.record.loss, step.record.gradients)
            if found := diagnose_ranks(parts, seen, mean=mean):
                return found
        return ()

    def other_weights(self, rank: int, name: str, number: int) -> None:
        """Enter that a rank has other weights than rank 0."""
        self.find("initial weights", f"rank {rank}: {name} at step {number} is not that of rank 0")

    def find(self, stage: str, message: str) -> None:
        """Enter what is wrong with the ranks."""
        self.judge.ledger.find(Finding("free_run", stage, message, side="manual"))
        self.judge.ledger.tallies["free_run"].failed += 1

    def name(self, mistake: RankMistake) -> None:
        """Name what is seen without any rounding."""
        from compare.diagnosis.ranks import certain

        if all(one.mistake != mistake.name for one in self.found):
            self.found = (*self.found, certain(mistake))
