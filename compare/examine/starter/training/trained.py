"""The training that a program makes: which of its loops steps, in which network, and how rightly.

The networks that a text may mean are held against what the first turns of each loop take off the
weights. Plain gradient descent takes a multiple of the gradient off; with momentum the second step
has a share of the first; other optimisers leave the gradient itself among the arrays.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import BadInput
from compare.examine.starter.networks import Network
from compare.examine.starter.training.program import Program
from compare.examine.starter.training.seen import Chain, Data, chains, data_in
from compare.examine.starter.training.steps import (
    Fit,
    Step,
    due_at,
    fit_of,
    laid_beside,
    multiple,
    nearly_due_at,
    outputs_for,
    targets_for,
)
from compare.examine.starter.training.supply import ROWS, Supply, data_role, supplies
from compare.examine.starter.training.velocities import without_velocity
from compare.examine.starter.training.watch import Recorder, Snapshot

SECONDS = 8.0
"""Of processor time in search of the network of a training, beyond what that needs elsewhere."""
MOST_MEANT = 600
"""So many meanings of a program are tried; of right ones 69 at most before theirs."""
MOST_CHAINS, MOST_BATCHES, MOST_SIZES, MOST_STEPS, FORMS, MOST_LATER = 3, 4, 12, 4, 2, 4


@dataclass(frozen=True)
class Training:
    """A loop of a program that steps: its turns, where its weights are, its data and network.

    `rows` are those of the first batch, named `batch`, `fit` how its first step fits. `other` says
    which targets it was made of, if not those of its rows.
    """

    supply: Supply
    loop: int
    steps: tuple[Step, ...]
    data: Data
    network: Network
    targets: Array
    rows: tuple[int, ...]
    batch: str
    fit: Fit
    other: str = ""
    later: tuple[Step, ...] = ()
    """The weights at the second turns of all loops, as steps that move nothing."""

    @property
    def step(self) -> Step:
        """The first step."""
        return self.steps[0]

    @property
    def chain(self) -> Chain:
        """Where the weights are."""
        return self.step.chain

    def due(self, step: Step, rows: Sequence[int]) -> Arrays:
        """torch's gradients at the weights that a step began with."""
        return due_at(self.network, step.parameters, self.data.x[list(rows)],
                      self.targets[list(rows)])  # fmt: skip

    @property
    def rank(self) -> tuple[bool, int, int]:
        """Which of two is the likelier meaning: more right gradients of more parameters."""
        return self.fit.whole, len(self.fit.right), len(self.fit.factors)


def training_of(program: Program, networks: Sequence[Network]) -> Training | None:
    """Return the training that fits best, None where nothing is seen to train.

    Where no step is made of the targets of its rows, other targets are tried: those that were
    handed over, the first ones, those of the neighbouring rows.
    """
    networks = distinct(networks)
    best: Training | None = None
    until = time.process_time() + SECONDS
    seen: list[tuple[Supply, Recorder]] = []
    tried = 0
    for supply, recorder in runs(program, until):
        before = best
        for found in islice(trainings(recorder, supply, networks, until), MOST_MEANT - tried):
            tried += 1
            if best is None or found.rank > best.rank:
                best = found
            if best.fit.whole:
                return best
        seen += [(supply, recorder)] if best is not before else []
        if time.process_time() > until or len(seen) >= FORMS or tried >= MOST_MEANT:
            break
    return of_other_targets(seen, networks) or best


def of_other_targets(
    seen: Sequence[tuple[Supply, Recorder]], networks: Sequence[Network]
) -> Training | None:
    """Return a training whose first step is made of other targets than those of its rows."""
    until = time.process_time() + SECONDS
    every = (
        found
        for supply, recorder in seen
        for found in trainings(recorder, supply, networks, until, others=True)
    )
    return next((one for one in islice(every, MOST_MEANT) if one.fit.whole), None)


def distinct(networks: Sequence[Network]) -> list[Network]:
    """Return networks of which no two differ in the scale of their loss alone."""
    kinds = {(one.activation, one.output, one.loss): one for one in reversed(networks)}
    return list(kinds.values())[::-1]


def runs(program: Program, until: float) -> Iterator[tuple[Supply, Recorder]]:
    """Yield what was seen of a program on all data that it may want.

    Where no loop came to its second turn, the shapes of what was there before the first one say
    how many inputs and classes there are.
    """
    for supply, recorder in with_sizes(program, until):
        if recorder.steps:
            yield supply, recorder


def with_sizes(program: Program, until: float) -> Iterator[tuple[Supply, Recorder]]:
    """Yield what was seen on all data, and then, of what did not step, on data of other sizes."""
    others: list[tuple[Supply, list[tuple[int, int]]]] = []
    for supply in supplies(program.text):
        if time.process_time() > until:
            return
        recorder = program.seen_on(supply)
        yield supply, recorder
        if not recorder.steps:
            others.append((supply, list(sizes_in(recorder, supply))))
    for supply, sizes in others:
        for inputs, classes in sizes:
            if time.process_time() > until:
                return
            other = replace(supply, inputs=inputs, classes=classes)
            recorder = program.seen_on(other)
            yield other, recorder
            if recorder.steps:
                break


def sizes_in(recorder: Recorder, supply: Supply) -> Iterator[tuple[int, int]]:
    """Yield the numbers of inputs and of classes that matrices there may have."""
    shapes = {array.shape for seen in recorder.first[:2] for array in seen.values()
              if array.ndim == 2 and ROWS not in array.shape}  # fmt: skip
    wide = sorted({one for shape in shapes for one in shape})
    pairs = ((one, two) for one in wide for two in (supply.classes, *wide) if two > 1)
    yield from islice(pairs, MOST_SIZES)


def trainings(
    recorder: Recorder, supply: Supply, networks: Sequence[Network], until: float, *,
    others: bool = False,
) -> Iterator[Training]:  # fmt: skip
    """Yield every meaning of the loops that were seen; with `others`, of other targets."""
    for data in data_in(recorder.first, supply):
        if supply.first and data.targets.shape[1] == 1:
            data = replace(data, targets=data.targets - supply.first)
        outputs = outputs_for([data])
        for loop, several in recorder.runs.items():
            pairs = pairs_of(several)
            if not pairs:
                continue
            for chain in islice(chains(pairs, data.x.shape[1], outputs), MOST_CHAINS):
                steps = Step.of_pairs(chain, pairs)
                if not steps or steps[0].before is not pairs[0][0]:
                    continue
                for batch, rows in steps[0].batches(data)[:MOST_BATCHES]:
                    for network in networks:
                        if time.process_time() > until:
                            return
                        about = (supply, loop, steps, data, network)
                        for one in meant(*about, batch, tuple(rows), others=others):
                            yield replace(one, later=later_turns(recorder, chain))


def later_turns(recorder: Recorder, chain: Chain) -> tuple[Step, ...]:
    """Return the weights at the second turn of each loop, as steps that move nothing."""
    turns = [run[1] for several in recorder.runs.values() for run in several[:1] if len(run) > 1]
    return Step.of_pairs(chain, [(one, one) for one in turns[:MOST_LATER]])


def pairs_of(several: Sequence[Sequence[Snapshot]]) -> list[tuple[Snapshot, Snapshot]]:
    """Return the beginning and the end of turns: of those within one run of a loop, or where each
    run has one turn, from run to run."""
    within = [pair for run in several for pair in pairwise(run)]
    first = [run[0] for run in several if run]
    return (within or list(pairwise(first)))[:MOST_STEPS]


def meant(
    supply: Supply, loop: int, steps: tuple[Step, ...], data: Data, network: Network, batch: str,
    rows: tuple[int, ...], *, others: bool,
) -> Iterator[Training]:  # fmt: skip
    """Yield the training in one network."""
    step = steps[0]
    outputs = step.parameters[f"w{len(step.chain.weights)}"].shape[1]
    x, every = data.x[list(rows)], range(len(rows))
    for targets in targets_for(network, data.targets, outputs):
        own = targets[list(rows)]
        for words, given in other_targets(step, data, targets, rows) if others else [("", own)]:
            try:
                fit = first_fit(step, nearly_due_at(network, step.parameters, x, given))
                if fit.right:
                    fit = first_fit(step, due_at(network, step.parameters, x, given))
            except (ValueError, BadInput):  # no network for targets like these
                continue
            found = Training(supply, loop, steps, data, network, targets, rows, batch, fit, words)
            of_batch = replace(data, x=x, targets=given)
            of_others = replace(found, data=of_batch, targets=given, rows=tuple(every))
            yield of_others if words else found


def other_targets(
    step: Step, data: Data, targets: Array, rows: tuple[int, ...]
) -> Iterator[tuple[str, Array]]:
    """Yield other targets for the rows of a batch, and where they are: the first ones, those of the
    neighbouring rows, and those that lie among the arrays."""
    count, outputs = len(rows), targets.shape[1]
    found = [(" of the first rows", targets[:count])]
    found += [(f" of row n {way:+d}", np.roll(targets, -way, axis=0)[list(rows)])
              for way in (1, -1)]  # fmt: skip
    found += [(" in the other order", targets[::-1][list(rows)])]
    for seen in (step.after, step.before):
        for way, array in seen.items():
            laid = laid_as_targets(way, array, outputs, columns=data.columns)
            lying = [] if laid is None else [laid, laid[:count]]
            found += [(f" in {way}", one) for one in lying]
    for words, given in found:
        if given.shape == (count, outputs) and not np.array_equal(given, targets[list(rows)]):
            yield words, given


def laid_as_targets(way: str, array: Array, outputs: int, *, columns: bool) -> Array | None:
    """An array as rows of targets: class numbers, one-hot rows, or whatever is called targets."""
    laid = array.T if columns and array.ndim == 2 else array
    if not laid.ndim:
        return None
    if laid.ndim == 1 and outputs > 1:
        numbers = laid.dtype.kind in "iu" and 0 <= laid.min() and laid.max() < outputs
        return np.eye(outputs)[laid] if numbers else None
    laid = laid.reshape(len(laid), -1)
    hot = outputs > 1 and set(np.unique(laid)) == {0, 1} and (laid.sum(axis=1) == 1).all()
    called = data_role(way.rpartition(".")[2]) == "y"
    return laid.astype(float) if laid.shape[1] == outputs and (hot or called) else None


def first_fit(step: Step, due: Mapping[str, Array]) -> Fit:
    """What the first step takes off the weights, beside a velocity that is not 0 before it.

    Where only some of it is right, that of the last weights tells more than gradients that lie
    beside them: what the others are moved by can be asked for.
    """
    fit = best_fit(step, due)
    if fit.whole:
        return fit
    begun, last = without_velocity(step, due), f"w{len(step.chain.weights)}"
    more = len(begun.right) - len(fit.right)
    told = last in begun.right and (more > 0 or (more == 0 and bool(fit.ways)))
    return begun if begun.whole or told else fit


def best_fit(step: Step, due: Mapping[str, Array]) -> Fit:
    """What a step takes off the weights, or else the gradients that lie beside them.

    Where the last weights are moved by their gradient, the others are meant to be, too.
    """
    taken = fit_of(step.taken, due, step.near)
    if taken.whole or f"w{len(step.chain.weights)}" in taken.right:
        return taken
    beside = left_beside(step, due)
    return beside if len(beside.right) > len(taken.right) else taken


def left_beside(step: Step, due: Mapping[str, Array]) -> Fit:
    """The arrays beside the weights that are a multiple of a gradient."""
    factors: dict[str, float] = {}
    ways: dict[str, str] = {}
    own = {*step.chain.weights, *step.chain.biases}
    for name, one in due.items():
        for way, array in step.after.items():
            if way in own or array.size != one.size or not array.ndim or array.dtype.kind != "f":
                continue
            factor = multiple(laid_beside(step, way, one), one, step.near)
            if factor > 0 and (name not in factors or abs(factor - 1) < abs(factors[name] - 1)):
                factors[name], ways[name] = factor, way
    return Fit({name: factors.get(name, np.nan) for name in due}, ways)
