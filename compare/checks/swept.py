"""The reference's intermediates where a batch has many blocks of rows: never all in memory.

Whoever wants every row lets the blocks pass by (`each`); whoever wants some gets them computed
again. Only what is as wide as the classes is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from compare.allowance import Allowances, Arithmetic, Batch, network_allowances
from compare.allowance.network import sweep_over
from compare.allowance.shelf import Shelf
from compare.allowance.swept import See, Sweep, looked_at
from compare.checks.slopes import Change, places_of
from compare.contracts.arrays import Arrays, Real, Values

if TYPE_CHECKING:
    from torch_reference import Reference

KEPT = ("logits", "dlogits")
"""What is kept of every row."""
REMEMBERED = 2
"""So many choices of rows are computed once."""
Numbers = NDArray[np.int64]


@dataclass(eq=False)
class Swept(Mapping[str, Real]):
    """What `Reference.loss_and_gradients` shows of a batch, by name, computed when it is asked for.

    `change`: what other slopes at kinks make of it. Its values can be indexed by rows, and by rows
    and units, like arrays; `whole` makes arrays of them.
    """

    reference: Reference
    reduction: str
    parameters: Arrays
    x: NDArray[Any]
    targets: NDArray[Any]
    change: Change | None = None
    _kept: dict[str, list[Real]] = field(default_factory=dict)
    _chosen: list[tuple[Numbers, Values]] = field(default_factory=list)
    _shelf: Shelf = field(default_factory=Shelf)
    _all: dict[str, Real] = field(default_factory=dict)

    def sweep(self, arithmetic: Arithmetic, batch: Batch, *, backward: bool = True) -> Sweep[Any]:
        """Return what takes all rows block by block for their allowances; `batch` is of x."""
        rows = looked_at(batch)
        shown = self.reference.stages(
            self.parameters, self.x, self.targets, rows, backward=backward
        )
        return sweep_over(
            arithmetic, self.parameters, batch, self.changed_rows(rows, shown),
            activation=self.reference.activation, reduction=self.reduction, backward=backward,
        )  # fmt: skip

    def learnt_again(self, sweep: Sweep[Any]) -> Sweep[Any]:
        """Return a sweep that all rows have passed, learnt from those that decide a gradient."""
        decisive = sweep.decisive()
        if not len(decisive):
            return sweep
        sweep.batch.note(decisive)
        other = self.sweep(sweep.few.arithmetic, sweep.batch)
        self.each(other.see)
        return other

    def unordered(self, sweep: Sweep[Any], gradients: Values) -> Callable[[], Allowances]:
        """Return what tells how far single intermediates may be off, once for all of them.

        The sweep itself, with what it has gathered, is not kept for it.
        """
        arithmetic, batch = sweep.few.arithmetic, sweep.batch

        @cache
        def found() -> Allowances:
            return network_allowances(
                arithmetic, self.parameters, batch, self.whole(), gradients,
                activation=self.reference.activation, reduction=self.reduction,
            ).unordered()  # fmt: skip

        return found

    def evaluate(self, sweep: Sweep[Any]) -> tuple[float, Arrays]:
        """Show all rows, block by block; return the loss and the gradients of the whole.

        All stages of the rows that have a unit at a kink are kept, if the sweep notes them.
        """
        self._begin()
        numbers: list[Numbers] = []
        found: dict[str, list[Real]] = {}

        def watch(rows: slice, stages: Arrays) -> None:
            self._shown(sweep.see, rows, stages)
            numbers.append(sweep.at_kinks.last_rows())
            for name, stage in stages.items() if len(numbers[-1]) else ():
                found.setdefault(name, []).append(stage[numbers[-1] - rows.start])

        answer = self.reference.loss_and_gradients(
            self.parameters, self.x, self.targets, watch=watch
        )
        if found and sweep.at_kinks.noted is not None:
            stages = {name: np.concatenate(found.pop(name)) for name in list(found)}
            self._chosen = [(np.concatenate(numbers), stages)]
        return answer

    def _shown(self, see: See, rows: slice, stages: Arrays) -> None:
        kept = {name: self._shelf.put(stages[name]) for name in self._kept if name in stages}
        for name, stage in kept.items():
            self._kept[name].append(stage)
        see(rows, self.changed_rows(rows, stages | kept))

    def _begin(self) -> None:
        self._kept, self._shelf = {name: [] for name in KEPT}, Shelf()

    def report(self, sweep: Sweep[Any]) -> tuple[float, float]:
        """Show all rows without their gradients; return the loss and the accuracy."""
        self._begin()
        watch = partial(self._shown, sweep.see)
        return self.reference.evaluate(self.parameters, self.x, self.targets, watch=watch)

    def each(self, see: See) -> None:
        """Show all rows, block by block, without the gradients of the weights."""
        self._begin()
        for rows in self.reference.row_blocks(len(self.x)):
            stages = self.reference.stages(self.parameters, self.x, self.targets, rows)
            self._shown(see, rows, stages)

    def at(self, numbers: Numbers, *, backward: bool = True) -> Values:
        """Return all stages of some rows, or at least those of the forward pass.

        As they were: a product of other rows may round otherwise, and a unit on a kink would have
        another slope than it had in the gradients. So whole blocks are computed again.
        """
        for known, stages in self._chosen:
            here, places = places_of(numbers, known)
            if here.all() and ("dlogits" in stages or not backward):
                return {name: stage[places] for name, stage in stages.items()}
        found: dict[str, list[Real]] = {}
        order = np.argsort(numbers, kind="stable")
        blocks = self.reference.row_blocks(len(self.x))
        for block in blocks if len(numbers) else blocks[:1]:
            mine = numbers[order]
            mine = mine[(mine >= block.start) & (mine < block.stop)] - block.start
            if len(mine) or not len(numbers):
                for name, stage in self.block(block, backward=backward).items():
                    found.setdefault(name, []).append(stage[mine])
        stages = {name: np.concatenate(found.pop(name)) for name in list(found)}
        if not np.array_equal(order, np.arange(len(order))):
            back = np.argsort(order)
            stages = {name: stage[back] for name, stage in stages.items()}
        self._chosen = [*self._chosen, (numbers, stages)][-REMEMBERED:]
        return stages

    def block(self, rows: slice, *, backward: bool = True) -> Values:
        """Return all stages of a block of rows, or those of the forward pass."""
        stages = self.reference.stages(
            self.parameters, self.x, self.targets, rows, backward=backward
        )
        return self.changed_rows(rows, stages)

    def changed_rows(self, rows: slice | Numbers, stages: Values) -> Values:
        """Return the stages of some rows with the slopes changed."""
        if self.change is None:
            return stages
        return self.change.made(np.arange(len(self.x))[rows], stages)

    def changed(self, change: Change) -> Swept:
        """Return the same with other slopes at kinks."""
        return Swept(self.reference, self.reduction, self.parameters, self.x, self.targets, change)

    def whole(self) -> dict[str, Real]:
        """Return every stage of every row: memory for all of the batch, from then on."""
        if not self._all:
            found: dict[str, list[Real]] = {}

            def keep(_: slice, stages: Values) -> None:
                for name, stage in stages.items():
                    found.setdefault(name, []).append(stage)

            self.each(keep)
            self._all = {name: np.concatenate(blocks) for name, blocks in found.items()}
        return dict(self._all)

    def __getitem__(self, name: str) -> Real:
        if name in self._kept:
            return np.concatenate(self._kept[name])
        if name not in self._names():
            raise KeyError(name)
        return cast("Real", SomeRows(self, name))  # for those who only index it

    def _names(self) -> list[str]:
        depth = len(self.reference.sizes) - 1
        stages = [f"{kind}{i}" for i in range(1, depth) for kind in "zh"]
        return [name for stage in (*stages, "logits") for name in (stage, f"d{stage}")]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())


@dataclass(frozen=True, slots=True)
class SomeRows:
    """One stage of a batch, of which some rows, or some units of these, are looked at."""

    source: Swept
    name: str

    def __getitem__(self, key: slice | Numbers | tuple[Numbers, Numbers]) -> Real:
        if isinstance(key, slice):
            return self.source.block(key, backward=self.backward)[self.name]
        if not isinstance(key, tuple):
            return self.source.at(key, backward=self.backward)[self.name]
        rows, places = np.unique(key[0], return_inverse=True)
        return self.source.at(rows, backward=self.backward)[self.name][places, key[1]]

    @property
    def backward(self) -> bool:
        """Whether it is a stage of the backward pass."""
        return self.name[0] == "d"
