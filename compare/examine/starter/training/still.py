"""A training that moves nothing: its loop turns, and the weights stay as they are.

Where a turn leaves torch's gradients among its arrays, the step that should take them off is
missing, or is computed and thrown away. Where it leaves none, it is said that nothing moves.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from compare.contracts.arrays import Array
from compare.contracts.errors import BadInput
from compare.examine.starter.networks import Network
from compare.examine.starter.source import Source
from compare.examine.starter.training.program import Program
from compare.examine.starter.training.seen import Data, chains, data_in
from compare.examine.starter.training.stepping import steps_in
from compare.examine.starter.training.steps import Step, due_at, outputs_for, targets_for
from compare.examine.starter.training.supply import Supply, data_role
from compare.examine.starter.training.trained import distinct, left_beside, with_sizes
from compare.examine.starter.training.watch import Recorder

SECONDS = 4.0
MOST_CHAINS, MOST_BATCHES = 2, 2


@dataclass(frozen=True)
class Still:
    """A loop that moves nothing, its weights, and whether it computes their gradients."""

    loop: int
    weights: tuple[str, ...]
    gradients: bool


def nothing_moves(source: Source, program: Program, networks: Sequence[Network]) -> Still | None:
    """The loop of a program that steps and moves nothing, on all data that it may want."""
    if not any(steps_in(source, *place) for place in program.places.values()):
        return None
    until = time.process_time() + SECONDS
    networks = distinct(networks)
    best: Still | None = None
    for seen in with_sizes(program, until):
        for one in stills(source, program, seen, networks, until):
            if one.gradients:
                return one
            best = best or one
    return best


def stills(
    source: Source,
    program: Program,
    seen: tuple[Supply, Recorder],
    networks: Sequence[Network],
    until: float,
) -> Iterator[Still]:
    """The loops of one run that step, came to their second turn and moved nothing."""
    supply, recorder = seen
    for data in data_in(recorder.first, supply):
        for loop, several in recorder.runs.items():
            run = next((one for one in several if len(one) > 1), None)
            if run is None or not steps_in(source, *program.places[loop]):
                continue
            raised = {way: raised_by(way, array, place)
                      for place, (way, array) in enumerate(run[0].items(), 1)}  # fmt: skip
            found = chains([(run[0], raised)], data.x.shape[1], outputs_for([data]))
            for chain in islice(found, MOST_CHAINS):
                step = Step(chain, run[0], run[1])
                if time.process_time() > until:
                    return
                if moved(step) or not any(chain.biases):
                    continue
                yield Still(loop, chain.weights, gradients_beside(step, data, networks, until))


def raised_by(way: str, array: Array, number: int) -> Array:
    """Other numbers in the place of what may be weights: for each array of its own."""
    data = data_role(way.rpartition(".")[2]) in ("x", "y")
    return array if data or array.dtype.kind != "f" else array + number


def moved(step: Step) -> bool:
    """Whether a turn moves anything, or an array of the network is not there any more."""
    ways = step.chain.ways().values()
    return any(way not in step.after for way in ways) or any(
        one.any() for one in step.taken.values()
    )


def gradients_beside(step: Step, data: Data, networks: Sequence[Network], until: float) -> bool:
    """Whether a turn leaves torch's gradients of a network among its arrays."""
    outputs = step.parameters[f"w{len(step.chain.weights)}"].shape[1]
    for _, rows in step.batches(data)[:MOST_BATCHES]:
        for network in networks:
            if time.process_time() > until:
                return False
            for targets in targets_for(network, data.targets, outputs):
                with contextlib.suppress(ValueError, BadInput):
                    due = due_at(network, step.parameters, data.x[rows], targets[rows])
                    if left_beside(step, due).whole:
                        return True
    return False
