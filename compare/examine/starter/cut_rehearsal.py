"""The training loop itself, run over rows of ours, after what was cut out of it was right.

What was cut out (`cut`) is right for whatever batch it is handed. The loop may still do otherwise:

    dz2 /= batch_size                  the last batch of an epoch has fewer rows
    dz2 /= n                           or it counts all the rows
    X = X[order]                       and the labels stay where they were

So a few of its batches are run (`cut_program`). The inputs of a batch tell which rows it has, and
so which targets belong to it; its gradients are held against those of the piece for these. Where
the loop cannot be run nothing is said: what was cut out of it was compared.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.examine.starter.absent_data import put_in, stand_ins
from compare.examine.starter.cut import Cut
from compare.examine.starter.cut_loss import TARGETS
from compare.examine.starter.cut_piece import NotCut
from compare.examine.starter.cut_program import (
    BATCH,
    GRADIENT,
    NAME,
    ROWS,
    WEIGHTS,
    Program,
    program_of,
)
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.harmless import in_their_place
from compare.examine.starter.meanings import Meaning
from compare.examine.starter.networks import point
from compare.examine.starter.readings import UNEQUAL
from compare.examine.starter.short_batch import MISTAKE
from compare.examine.starter.source import Source
from compare.examine.starter.statements import Statement
from compare.guard.guard import Guard

TURNS = 6
"""How many batches are run: those of two epochs."""
SECONDS = 5.0
NEAR = 1e-6
"""How far numbers may be apart that are sums of the same terms in another order."""

OTHER, OTHER_ROWS = (
    "targets-of-another-batch",
    ("inputs and targets of a batch that do not belong together"),
)
"""A mistake of the catalogue, and its title here."""


class Enough(BaseException):
    """As many batches were run as are looked at."""


@dataclass
class Turn:
    """One batch: the weights it began with, the rows it was handed and the gradients it used."""

    weights: tuple[Any, ...]
    gradients: dict[int, Array] = field(default_factory=dict)
    batch: tuple[Any, ...] = ()


@dataclass
class Recorder:
    """What the program calls; copies, for the loop goes on with its arrays."""

    turns: list[Turn] = field(default_factory=list)

    def take_weights(self, *weights: Any) -> None:
        """A batch begins."""
        if len(self.turns) == TURNS:
            raise Enough
        self.turns.append(Turn(copy.deepcopy(weights)))

    def take_gradient(self, number: int, gradient: Any, *batch: Any) -> None:
        """An update is about to use a gradient."""
        turn = self.turns[-1]
        turn.gradients[number] = copy.deepcopy(gradient)
        turn.batch = copy.deepcopy(batch)


@dataclass(frozen=True)
class Rehearsal:
    """A loop and the piece that was cut out of it, with all the rows that the loop is handed."""

    program: Program
    cut: Cut
    meaning: Meaning
    rows: Arrays

    @property
    def batch(self) -> list[str]:
        """The parameters of the piece that are a batch, in the order they are handed over."""
        return sorted(self.program.data)

    @property
    def inputs(self) -> str:
        """The one that holds the inputs; raises `NotCut` where none does."""
        found = [name for name in self.batch if self.meaning.bound[name] == "x"]
        if len(found) != 1:
            raise NotCut
        return found[0]

    def turns(self) -> list[Turn]:
        """Run a few batches, and return those that came to their end."""
        recorder = Recorder()
        opened = self.program.source.load([NAME])
        calls = {WEIGHTS: recorder.take_weights, GRADIENT: recorder.take_gradient}
        calls |= in_their_place()
        vars(opened.module).update(calls)
        with suppress(UserCodeError):  # what it does besides is not looked at here
            Guard(timeout=SECONDS, of_processor=True).call(
                until_enough(opened.get(NAME)), **self.handed()
            )
        due = len(self.cut.wanted)
        return [turn for turn in recorder.turns if len(turn.gradients) == due]

    def handed(self) -> dict[str, Any]:
        """What the loop gets: the weights, and all the rows."""
        quantities = {name: self.meaning.bound[name] for name in self.cut.how.parameters}
        for name, whole in self.program.data.items():
            quantities[whole] = quantities.pop(name)
        meaning = replace(self.meaning, bound={**quantities, **self.program.further})
        found = copy.deepcopy(meaning.arguments(self.rows))
        return {name: found[name] for name in self.program.parameters}

    def rows_in(self, turn: Turn) -> list[int]:
        """Which rows a batch has; raises `NotCut` where its inputs are not what was handed over."""
        handed = np.asarray(turn.batch[self.batch.index(self.inputs)])
        if self.meaning.layout.samples == "columns":
            handed = handed.T
        every = self.rows["x"]
        if handed.ndim != 2 or handed.shape[1] != every.shape[1] or not len(handed):
            raise NotCut
        found = [np.flatnonzero((every == one).all(axis=1)) for one in handed]
        if not all(one.size == 1 for one in found):
            raise NotCut
        return [int(one[0]) for one in found]

    def quantities(self, rows: Sequence[int]) -> Arrays:
        """What some rows are."""
        return {name: self.rows[name][rows] for name in ("x", *TARGETS)}

    def wrong_targets(self, turn: Turn) -> str:
        """Whether the targets of a batch are not those of its rows, in words."""
        named = [name for name in self.batch if self.meaning.bound[name] in TARGETS]
        bound = {name: self.meaning.bound[name] for name in named}
        due = replace(self.meaning, bound=bound).arguments(self.quantities(self.rows_in(turn)))
        for name in named:
            handed = np.asarray(turn.batch[self.batch.index(name)])
            right = np.asarray(due[name])
            if handed.size != right.size:
                raise NotCut
            if not np.array_equal(handed.ravel(), right.ravel()):
                return (
                    f"in the loop the targets in {name} are not those of the rows in {self.inputs}:"
                    " one of the two is shuffled or cut in another way than the other"
                )
        return ""

    def due(self, turn: Turn) -> list[Array]:
        """The gradients of the piece for a batch, at the weights that it began with."""
        opened = self.cut.source.load([self.cut.function])
        replaced = {**stand_ins(opened), **dict.fromkeys(self.cut.rows, "rows")}
        put_in(opened.module, replaced, self.quantities(self.rows_in(turn)))
        weights = dict(zip(sorted(self.cut.weights), turn.weights, strict=True))
        arguments = {**weights, **dict(zip(self.batch, turn.batch, strict=True))}
        given = [arguments[name] for name in self.cut.how.parameters]
        found = Guard(timeout=SECONDS, of_processor=True).call(
            opened.get(self.cut.function), *copy.deepcopy(given)
        )
        return list(found) if len(self.cut.wanted) > 1 else [found]

    def factor(self, turn: Turn) -> float:
        """How many times the right gradients those of a batch are; NaN where no number says it."""
        factors = []
        for number, right in enumerate(self.due(turn)):
            seen, right = flat(turn.gradients[number]), flat(right)
            if seen.size != right.size or not right.any():
                raise NotCut
            factor = float(seen @ right / (right @ right))
            near = np.abs(seen - factor * right).max() <= NEAR * np.abs(right).max()
            factors.append(factor if near else np.nan)
        same = np.allclose(factors, factors[0], rtol=NEAR)
        return factors[0] if same else np.nan


def flat(value: Any) -> Array:
    """All numbers of a gradient, of a list or dictionary of them too."""
    if isinstance(value, Mapping):
        value = [value[key] for key in sorted(value)]
    if isinstance(value, list | tuple):
        return np.concatenate([flat(one) for one in value])
    return np.asarray(value, float).ravel()


def until_enough(loop: Callable[..., Any]) -> Callable[..., Any]:
    """The loop, which ends when as many batches were run as are looked at."""

    def run(**arguments: Any) -> None:
        with suppress(Enough):
            loop(**arguments)

    return run


def rehearsed(
    source: Source, cut: Cut, statements: Sequence[Statement], meaning: Meaning,
    found: FunctionVerdict,
) -> FunctionVerdict:  # fmt: skip
    """The verdict on a piece that is right, in the light of the loop it was cut out of."""
    batch = {name for name in cut.how.parameters if name not in cut.weights}
    if not all(meaning.bound[name] in ("x", *TARGETS) for name in batch):
        return found
    try:
        program = program_of(source, cut, statements, batch)
        loop = Rehearsal(program, cut, meaning, all_rows(cut.how.layers))
        turns = loop.turns()
        for turn in turns:
            if sentence := loop.wrong_targets(turn):
                return found.slip(OTHER, sentence, OTHER_ROWS)
        factors = [(len(loop.rows_in(turn)), loop.factor(turn)) for turn in turns]
    except (NotCut, UserCodeError):
        return found
    return counted(found, factors)


def counted(found: FunctionVerdict, factors: Sequence[tuple[int, float]]) -> FunctionVerdict:
    """The verdict where the gradients of some batches are another multiple of the right ones."""
    off = [(rows, factor) for rows, factor in factors if not np.isclose(factor, 1, rtol=NEAR)]
    for divisor, words in ((ROWS, "the number of all rows"), (BATCH, "the batch size")):
        if off and all(np.isclose(factor, rows / divisor, rtol=NEAR) for rows, factor in off):
            sentence = (
                f"in the loop it divides by {words}, also where a batch has fewer rows: its "
                "gradient is too small there"
            )
            return found.slip(MISTAKE, sentence, f"a gradient that is divided by {words}")
    if off:
        rows = off[0][0]
        return found.undecided(
            f"right by itself, but in the loop a batch of {rows} rows gives other numbers"
        )
    return found


def all_rows(layers: int) -> Arrays:
    """Weights of a network, and rows of which no two are alike."""
    sizes = UNEQUAL.of_layers(layers)
    parameters = {name: np.atleast_2d(one) for name, one in point(sizes, 0)[0].items()}
    drawn = np.random.default_rng(0)
    labels = drawn.permutation(np.arange(ROWS) % sizes.K)
    x = drawn.normal(size=(ROWS, sizes.F))
    return {**parameters, "x": x, "y": np.eye(sizes.K)[labels], "labels": labels}
