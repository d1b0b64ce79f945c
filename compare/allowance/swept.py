"""The allowances of a batch whose values are never all in memory: added up by blocks of rows.

A gradient is a sum over the batch, and so are the squares of what its rows carry in. First come a
few rows: what the sums over units round is learnt from them. Then the blocks pass by, once:

    few rows -> rounding of every product
    blocks   -> A(logits), and the carried squares of every layer's gradients, added up
    the end  -> the loss, and what only all rows tell: who is like whom, the rounding of the sums

Of every row its logits and dlogits are kept, and thin factors of what these are allowed: see
`outputs`.

A block takes its rows' A(dlogits) from what is known so far. Where all rows tell more, because rows
are alike that lie in different blocks or are saturated, the blocks pass by once more. So they do
where errors are shared from layer to layer and a row that was not learnt from decides a gradient.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple

import numpy as np

from compare.allowance.arithmetic import quiet
from compare.allowance.at_kinks import AtKinks
from compare.allowance.batch import Batch
from compare.allowance.found import Allowances, ForwardAllowances
from compare.allowance.gradients import (
    CHEAP,
    Factors,
    Found,
    batch_sums,
    bias_rounding,
    gradient_allowances,
    weighted_squares,
)
from compare.allowance.head import Head, Losses, head_of_rows
from compare.allowance.near_duplicates import SAMPLE, SAMPLE_IF_WIDE
from compare.allowance.operands import MANY, Where
from compare.allowance.outputs import Outputs
from compare.allowance.sample import sampled
from compare.allowance.shelf import Shelf
from compare.allowance.spread import Carried, Stacked
from compare.allowance.told import Softmaxed, Told
from compare.allowance.walk import DEEP, Layer, Pass, S, scale_of, scaled
from compare.contracts.arrays import Float, Real, Values
from compare.contracts.records import depth

See = Callable[[slice, Values], None]
"""Takes a block of rows and their values."""
TOO_WIDE, TOO_NARROW = 1.25, 1 - 2.0**-6
"""A block's own A(dlogits) may be so many times what all rows tell. A 64th less accuses nobody:
right gradients take up half of an allowance at most."""

DECISIVE = 4.0
"""A row decides a gradient if one of its dz is so many times the largest that was learnt from."""
CANDIDATES = 8
"""So many rows of the largest dz are remembered, of each layer."""
HELD = 8
"""So many blocks' carried squares are kept, entries of a weight each, before they are added."""

PLACES = {SAMPLE: slice(SAMPLE), SAMPLE_IF_WIDE: slice(SAMPLE, SAMPLE + SAMPLE_IF_WIDE)}
"""Where the rows of each sample stand among those that are `seen`."""
SEEN = slice(MANY, MANY + SAMPLE + SAMPLE_IF_WIDE)
"""Where these stand among the rows that are `looked_at`: after `MANY` of them."""


NOTHING = np.empty((0, 0))


class Whole(NamedTuple):
    """What only all rows of a batch tell.

    `loss`: A(sum of the losses); `near`: whether every block took about the A(dlogits) that follows
    from `told`.
    """

    told: Told
    loss: float
    scale: float
    near: bool


@dataclass
class Gathering:
    """What the blocks have carried into one layer's gradients so far."""

    carried: list[Carried] = field(default_factory=list)
    columns: Float | float = 0.0
    weighted: Float | float = 0.0

    def carry(self, carried: Carried) -> None:
        """Add what a block carries in."""
        self.carried.append(carried)
        if len(self.carried) == HELD:
            self.carried = [self.carried[0].plus(self.carried[1:])]


@dataclass
class Heaviest:
    """The rows of the largest dz of a layer so far: their numbers, and the sizes."""

    rows: Where = field(default_factory=lambda: np.empty(0, np.intp))
    sizes: Float = field(default_factory=lambda: np.empty(0))

    def see(self, rows: slice, dz: Real) -> None:
        """Take a block."""
        sizes = np.maximum(dz.max(axis=1), -dz.min(axis=1)).astype(np.float64)
        numbers = np.concatenate((self.rows, np.arange(rows.start, rows.start + len(dz))))
        sizes = np.concatenate((self.sizes, sizes))
        kept = np.argpartition(sizes, -CANDIDATES)[-CANDIDATES:]
        self.rows, self.sizes = numbers[kept], sizes[kept]


@dataclass
class Sweep(Generic[S]):
    """Takes one batch block by block. `few`: the pass over some of its rows, which are let go once
    it has learnt from them.

    `seen`: x, every h and every dz of the samples that sums are judged by. `backward`: whether
    gradients are wanted. `whole`: what an earlier sweep has found.
    """

    few: Pass[S]
    batch: Batch
    seen: Values
    backward: bool
    whole: Whole | None = None
    z: dict[int, list[tuple[slice, S]]] = field(default_factory=lambda: defaultdict(list))
    logits: list[Real] = field(default_factory=list)
    dz: dict[int, list[Real]] = field(default_factory=lambda: defaultdict(list))  # narrow ones
    taken: list[Float] = field(default_factory=list)  # A(dlogits) of each block, as it was used
    gathered: dict[int, Gathering] = field(default_factory=lambda: defaultdict(Gathering))
    heaviest: dict[str, Heaviest] = field(default_factory=lambda: defaultdict(Heaviest))
    largest: dict[str, float] = field(default_factory=dict)  # |dz| of each layer learnt from
    at_kinks: AtKinks = field(init=False)
    shelf: Shelf = field(default_factory=Shelf)

    @quiet
    def __post_init__(self) -> None:
        learnt = self.few.learnt
        self.at_kinks = AtKinks.of(self.few.rule, self.few.arithmetic, backward=self.backward)
        if learnt.complete:
            return
        self.largest = {
            name: largest(value) for name, value in self.few.values.items() if name.startswith("d")
        }
        layers, errors = self.few.layers()
        if self.backward:
            head = self.few.head(layers)
            scale = scale_of(largest(self.few.values["dlogits"]))
            for _ in self.few.downwards(layers, errors, head, scale):
                pass  # on the way it learns
        learnt.complete = True
        self.few = self.few.of_rows(self.batch, {})

    @property
    def scale(self) -> float:
        """What dlogits are multiplied by."""
        return 1.0 if self.whole is None else self.whole.scale

    @property
    def weights(self) -> Float | None:
        """How often each row counts, (N,)."""
        return self.batch.often if self.whole is None else self.whole.told.weights

    @quiet
    def see(self, rows: slice, values: Values) -> None:
        """Take a block, whose logits and dlogits may be kept."""
        block = self.few.of_rows(self.batch.part(rows, self.few.form), values)
        layers, _ = block.layers()
        for layer in layers:
            self.z[layer.number].append((rows, layer.z.kept(self.shelf)))
        self.at_kinks.see(rows, layers, values)
        self.logits.append(values["logits"])
        if self.backward:
            self._gather(block, layers, rows)
            for number in range(1, len(layers) + 1):
                dz = values[self._dz(number)]
                if len(layers) >= DEEP:
                    self.heaviest[self._dz(number)].see(rows, dz)
                if number == len(layers) or len(self.batch.x) * dz.shape[1] <= CHEAP:
                    self.dz[number].append(dz)

    def decisive(self) -> Where:
        """Return rows that decide a gradient and were not learnt from, by their numbers."""
        found = [np.empty(0, np.intp)]
        for name, heaviest in self.heaviest.items():
            found.append(heaviest.rows[heaviest.sizes > DECISIVE * self.largest[name]])
        return np.unique(np.concatenate(found))

    def _dz(self, number: int) -> str:
        """What the gradient at a layer's z is called."""
        return "dlogits" if number == depth(self.few.parameters) else f"dz{number}"

    def _gather(self, block: Pass[S], layers: list[Layer[S]], rows: slice) -> None:
        head = self._head(block, layers, rows)
        self.taken.append(self.shelf.put(head.dlogits))
        weights = None if self.weights is None else self.weights[rows]
        for layer, dz, spread, _ in block.downwards(layers, None, head, self.scale):
            here = self.gathered[layer.number]
            here.carry(spread.carried(layer.h, layer.h_spread, dz, weights))
            here.columns = here.columns + dz.columns
            if weights is not None:
                here.weighted = here.weighted + weighted_squares(dz.entries, weights)

    def _head(self, block: Pass[S], layers: list[Layer[S]], rows: slice) -> Head:
        """Return the head of a block by itself, or by what all rows tell if that is known."""
        if self.whole is None:
            return block.head(layers)
        unit, spread = self.few.arithmetic.unit, layers[-1].z.entries().T
        softmaxed = Softmaxed.of(block.values["logits"], spread, unit)
        return head_of_rows(softmaxed, block.batch, self.whole.told.of_rows(rows), unit)[0]

    @property
    def outputs(self) -> Outputs:
        """What the network puts out for all rows that have passed by."""
        few, spreads = self.few, self.z[len(self.z)]
        return Outputs(few.arithmetic, self.batch, few.form, self.logits, spreads)

    @quiet
    def forward(self) -> ForwardAllowances:
        """Return what the blocks come to: the loss, and all on the way to it."""
        return self._forward(self._all_rows(), not_kept)

    def _forward(
        self, whole: Whole, unordered: Callable[[], ForwardAllowances]
    ) -> ForwardAllowances:
        z = {k: Stacked(blocks, self.at_kinks.units(k)) for k, blocks in self.z.items()}
        head = Head(NOTHING, NOTHING, NOTHING, NOTHING, whole.loss, whole.told.weights, True)
        return ForwardAllowances(
            whole.loss * self.few.top.share, head, self.outputs.rows, z, {},
            self.few.arithmetic.tiny, unordered,
        )  # fmt: skip

    def _all_rows(self) -> Whole:
        """Return what all rows tell, now that they have passed by."""
        outputs, found, near = self.outputs, list[Losses](), True
        told = outputs.told()
        for number, (head, losses) in enumerate(outputs.heads(told)):
            found.append(losses)
            near = near and (not self.backward or near_enough(self.taken[number], head.dlogits))
        dlogits = self.dz[len(self.z)]
        scale = scale_of(max(largest(block) for block in dlogits)) if self.backward else 1.0
        return Whole(told, outputs.loss(found, told), scale, near)

    @quiet
    def allowances(
        self, gradients: Values, again: Callable[[See], None], unordered: Callable[[], Allowances]
    ) -> Allowances:
        """Return those of the gradients; `again` shows the blocks once more, if that is needed.

        `unordered`: tells what single intermediates are allowed.
        """
        whole = self._all_rows()
        if not self.good_enough(whole):
            other = Sweep(self.few, self.batch, self.seen, True, whole, largest=self.largest)
            again(other.see)
            return other._allowances(gradients, whole, unordered)
        return self._allowances(gradients, whole, unordered)

    def good_enough(self, whole: Whole) -> bool:
        """Whether the blocks were taken as all rows tell."""
        if self.whole is not None:
            return True
        told = whole.told.weights
        alike = told is self.weights or (
            told is not None and self.weights is not None and np.array_equal(told, self.weights)
        )
        return alike and whole.scale == self.scale and whole.near

    def _allowances(
        self, gradients: Values, whole: Whole, unordered: Callable[[], Allowances]
    ) -> Allowances:
        self.taken.clear()  # they were good enough
        gradients = self.few.form.taken(gradients)
        weights, scale, found = whole.told.weights, whole.scale, Found({}, {})
        arithmetic = self.few.arithmetic
        sums = batch_sums(arithmetic, len(self.batch.x), weights)
        for number, gathering in self.gathered.items():
            dw, db = found.of_layer(gradients, number, scale)
            bias, columns = None, np.asarray(gathering.columns)
            if number in self.dz:
                dz = scaled(np.concatenate(self.dz[number]), scale)
                bias = bias_rounding(sums, self.batch, self.few.form.read(dz), db)
            carried = gathering.carried[0].plus(gathering.carried[1:])
            gathered = carried.gathered(columns, sums.of_terms, bias)
            found.put(
                number,
                gradient_allowances(
                    sums, self.batch, self._factors(number, gathering, columns, weights, scale),
                    gathered, dw, db, scale,
                ),
            )  # fmt: skip
        entries, projections = found.ordered(gradients)
        forward = self._forward(whole, lambda: unordered().forward)
        return Allowances(forward, entries, projections, {}, {}, scale, unordered)

    def _factors(
        self, number: int, gathering: Gathering, columns: Float, weights: Float | None, scale: float
    ) -> Factors:
        h = self.seen["x" if number == 1 else f"h{number - 1}"]
        dz = scaled(self.seen[self._dz(number)], scale)
        weighted = None if weights is None else np.asarray(gathering.weighted)
        return Factors(len(self.batch.x), h, dz, columns, weighted, PLACES)


def looked_at(batch: Batch) -> Where:
    """Return the rows of a long batch that are looked at before the blocks pass by.

    Those that proved to decide a gradient stand at the end, and are learnt from like the first.
    """
    samples = len(batch.x)
    numbers = np.arange(samples)
    several = [numbers[sampled(samples, most)] for most in (MANY, *PLACES)]
    return np.concatenate([*several, batch.decisive])


def learnt_from(batch: Batch) -> Where | slice:
    """Return which of those it is learnt from: the first, and the decisive ones."""
    if not len(batch.decisive):
        return slice(MANY)
    return np.concatenate((np.arange(MANY), SEEN.stop + np.arange(len(batch.decisive))))


def not_kept() -> ForwardAllowances:
    """Nobody holds intermediates against an evaluation without gradients."""
    raise NotImplementedError


def near_enough(taken: Float, right: Float) -> bool:
    """Whether what was taken is about right, entry by entry."""
    return bool(((taken >= right * TOO_NARROW) & (taken <= right * TOO_WIDE)).all())


def largest(block: Real) -> float:
    """Return the largest |entry|."""
    return float(np.abs(block).max(initial=0.0))
