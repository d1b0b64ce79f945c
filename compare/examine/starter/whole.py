"""A file's functions together: its own forward pass, loss and backward pass as one gradient.

What each argument means is found by calling, the author's own calls first (`flow`). The network is
the one that the forward pass computes (`networks`). Then the whole is checked like any gradient of
`--manual`, guards, habits and mistakes included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain as chain_of
from itertools import islice

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.examine.starter.answered import (
    loss_from,
    mean_gradients,
    mean_loss,
    names_of,
    slopes_in,
)
from compare.examine.starter.batches import made_for_batches
from compare.examine.starter.binding import LAYERS
from compare.examine.starter.chain import (
    MODES,
    Call,
    Chain,
    Mode,
    Ran,
    shown_arrays,
    value_of,
)
from compare.examine.starter.evidence import Evidence
from compare.examine.starter.finals import finals_of, makers
from compare.examine.starter.meanings import by_cost, in_order
from compare.examine.starter.networks import (
    Network,
    Shown,
    Told,
    averaged,
    matrices_in_rows,
    point,
    told,
)
from compare.examine.starter.numbers_named import NUMBERS
from compare.examine.starter.numbers_returned import may_be_loss, only_by_value
from compare.examine.starter.readings import Sizes
from compare.examine.starter.stepped import as_update, trains
from compare.examine.starter.subject import Subject
from compare.examine.starter.unrolled import laid_alike
from compare.guard.guard import Guard

NONE: Mapping[str, Array] = {}
RUNS = 1000
"""How often the functions are called in search of what their arguments mean."""
PICKED = 5000
"""How many are looked at for one that hands no value over twice."""
EACH = 60
"""How many meanings of one function are tried from one start."""


@dataclass(frozen=True)
class Whole:
    """The calls that give gradients of all weights, the network they fit best, and the function
    that gives the loss, if one does."""

    chain: Chain
    final: str
    told: Told
    loss: str
    sure: bool
    layers: int = LAYERS

    @property
    def trusted(self) -> bool:
        """Whether this is what was meant: names or the file's own calls say so, or half of the
        gradients are a network's. Nobody is accused of a call that was guessed."""
        return self.sure or self.told.right > 1

    @property
    def rank(self) -> tuple[int, int]:
        """Its place among others."""
        return self.told.right, self.told.fit.score


@dataclass
class Search:
    """The search for a chain of calls; `networks` in the order in which they are tried."""

    subject: Subject
    guard: Guard
    networks: Sequence[Network]
    sizes: Sizes
    seed: int = 0
    single: bool = False
    """Whether the file hands its functions one sample after another."""
    left: int = RUNS
    best: Whole | None = None
    evidence: Evidence = field(init=False)

    def __post_init__(self) -> None:
        self.evidence = Evidence(self.subject, self.sizes)

    def __call__(self) -> Whole | None:
        """The chain that gives torch's gradients, or else the one that comes nearest."""
        finals = finals_of(self.subject.flow)
        self.evidence.built = frozenset(init for init, _ in self.subject.starts)
        for init, start in self.subject.starts if finals else ():
            for mode in MODES:
                chain = Chain(
                    start, self.subject.structures, (), mode, slopes_in(self.subject.flow),
                    constants=self.subject.constants, kept=self.subject.kept,
                )  # fmt: skip
                known = [init] if init else []
                chain, known = self.producers(chain, known, finals)
                for final in (one for one in finals if self.may_be(one, mode)):
                    self.bind(chain, known, final)
                    if self.done():
                        return self.best
                if self.best and self.best.told.fit.ahead:
                    return self.best  # its forward pass is a network's: nothing else is meant
        return self.best

    def done(self) -> bool:
        """Whether everything is right, or nothing may be tried any more."""
        return self.left <= 0 or (
            self.best is not None and self.best.told.right == len(self.evidence.weights)
        )

    def may_be(self, final: str, mode: Mode) -> bool:
        """Whether a function is tried in a mode: single samples, where what a batch gives may be
        wrong, only if it is not made for batches."""
        excused = self.best is not None and mode.one_by_one and not self.single
        of_batch = excused and made_for_batches(self.subject.flow.functions[final])
        return not of_batch and not self.inside_best(final)

    def inside_best(self, final: str) -> bool:
        """Whether a function is called by the one that was bound, as its names say: a sample's
        gradients may be right where what adds them up is not."""
        best = self.best
        bound = best is not None and best.sure and best.told.right > 0
        return bound and best is not None and final in self.subject.flow.calls(best.final)

    def producers(
        self, chain: Chain, known: list[str], finals: Sequence[str]
    ) -> tuple[Chain, list[str]]:
        """Add the calls whose values the gradients are handed, and the loss."""
        self.evidence.forget()
        for name in makers(self.subject.flow, finals):
            ranked: list[tuple[tuple[bool, bool, bool], Chain, Ran]] = []
            for longer in self.extended(chain, known, name):
                if (ran := self.ran(longer)) is None:
                    continue
                if self.recognised(ran, name):
                    ranked.append(((True, True, True), longer, ran))
                    break
                ranked.append(((False, *self.likely(ran, longer.calls[-1])), longer, ran))
            if ranked:  # of equals the first, which the names say
                rank, found, ran = max(ranked, key=lambda one: one[0])
                loss = may_be_loss(name, self.subject.flow.functions[name])
                told = rank[0] or not only_by_value(self.subject.flow, name)
                sure = self.evidence.sure(chain, known, name)
                sure = sure and (rank[1] or self.evidence.says(found.calls[-1], known))
                if told and (all(rank[1:]) or not loss or sure):
                    chain, known = found, [*known, name]
                    self.evidence.learn(ran, name, lambda one: self.told(one).fit)
        return chain, known

    def likely(self, ran: Ran, call: Call) -> tuple[bool, bool]:
        """Whether a loss is a number, and whether it was handed what the network ends in."""
        said = mean_loss(ran, call.name)
        finite = said is None or bool(np.isfinite(said))
        values = [value for _, value in call.passed if value.split(".")[0] in ran.answers[0]]
        handed = tuple(
            {value: value_of(value, {}, answer) for value in values} for answer in ran.answers
        )
        return finite, bool(values) and self.told(replace(ran, answers=handed)).fit.p

    def recognised(self, ran: Ran, name: str) -> bool:
        """Whether what a function returned is a stage or the loss of one of the networks."""
        alone = replace(ran, answers=tuple({name: one[name]} for one in ran.answers))
        return self.told(alone).fit.score > 0

    def told(self, ran: Ran, gradients: Mapping[str, Array] = NONE) -> Told:
        """The network that what the calls gave belongs to."""
        rows = len(point(self.sizes, self.seed)[1])
        arrays = tuple(matrices_in_rows(shown_arrays(ran), rows))
        shown = Shown(mean_loss(ran), dict(gradients), arrays)
        networks = averaged(self.networks) if len(ran.answers) > 1 else self.networks
        return told(shown, networks, self.sizes, self.seed)

    def bind(self, chain: Chain, known: list[str], final: str) -> None:
        """Try the meanings of the arguments of a function that returns gradients."""
        parameters = point(self.sizes, self.seed)[0]
        for called in self.extended(chain, known, final):
            if trains(self.subject.flow.functions[final], called):
                continue
            longer = as_update(called, self.returned)
            ran = self.ran(longer) if longer is not None else None
            if longer is None or ran is None:
                continue
            gradients = self.gradients(ran, final)
            if set(gradients) != set(parameters):
                continue
            fits = self.told(ran, gradients)
            unrolled = self.evidence.is_unrolled(final)
            right = fits.fit.loss or fits.fit.right > 0 if unrolled else fits.fit.ahead
            alone = not longer.calls[:-1] and not unrolled
            sure = self.evidence.sure(chain, known, final) and (right or alone)
            found = Whole(longer, final, fits, loss_from(ran), sure, self.sizes.layers)
            if self.best is None or found.rank > self.best.rank:
                self.best = found
            if self.done():
                return

    def gradients(self, ran: Ran, final: str) -> Arrays:
        """The gradients that a run gave."""
        parameters = point(self.sizes, self.seed)[0]
        return mean_gradients(ran, final, names_of(self.subject.flow, final), parameters)

    def returned(self, chain: Chain) -> tuple[Arrays, Arrays]:
        """The arrays of the form of gradients that the last call of a chain returns, and the
        weights."""
        ran = self.ran(chain)
        found = {} if ran is None else self.gradients(ran, chain.calls[-1].name)
        return found, point(self.sizes, self.seed)[0]

    def ran(self, chain: Chain) -> Ran | None:
        """Run a chain; None if it raises."""
        self.left -= 1
        parameters, x, targets = point(self.sizes, self.seed)
        try:
            ran: Ran = self.guard.run(
                lambda: chain.run(dict(parameters), x, targets), chain.calls[-1].name, None
            )
        except UserCodeError:
            return None
        return ran

    def extended(self, chain: Chain, known: list[str], name: str) -> Iterator[Chain]:
        """The chain with one more call, with every meaning its arguments may have."""
        flow = self.subject.flow
        asked = [
            (one.arg, found)
            for one in flow.parameters(name)
            if (found := self.evidence.choices(name, one.arg, known, chain))
            or one.arg not in flow.defaults(name)
        ]
        if not all(found for _, found in asked):
            return
        names, structures = [one for one, _ in asked], self.subject.structures
        tried, weights = 0, self.evidence.weights
        lists = [tuple(found) for _, found in asked]
        for picked in islice(chain_of(in_order(lists, weights), by_cost(lists)), PICKED):
            if self.left <= 0 or tried >= EACH:
                return
            arrays = [one for one in picked if one not in NUMBERS]
            if len(set(arrays)) == len(arrays) and laid_alike(
                map(structures.get, map(str, arrays))
            ):
                tried += 1
                call = Call(name, tuple(zip(names, (str(one) for one in picked), strict=True)))
                yield replace(chain, calls=(*chain.calls, call))
