"""The same for mistakes that show in records, repeated calls, curves and initial weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

import manual_mlp
from benchmarks.diagnosis.measures import Score, names, timed
from benchmarks.diagnosis.networks import Network, draw
from compare.contracts.result import Diagnosis
from compare.diagnosis.curves import diagnose_curves
from compare.diagnosis.records import diagnose_records
from compare.diagnosis.start import diagnose_start
from compare.diagnosis.step import diagnose_step
from compare.handbook.plain_run import run
from compare.handbook.planting import bare, plant, planted_step
from compare.mistakes.calls import CALLS, CallMistake
from compare.mistakes.catalogue import STEP
from compare.mistakes.mistake import Mistake
from compare.mistakes.order import RECORDS, RecordMistake
from compare.mistakes.reporting import CURVES, REPORTING, STAND_INS, CurveMistake
from compare.mistakes.start import DECLARED, START, StartMistake
from compare.mistakes.step_mistake import StepMistake

Arrays = Mapping[str, NDArray[Any]]
M = TypeVar("M", bound=Mistake)
UPDATES = 5
LEARNING_RATES, MOMENTA = (0.03, 0.3), (0.5, 0.95)


@dataclass(frozen=True)
class Recorded:
    """Where training stood before an update."""

    update: int
    parameters: Arrays
    gradients: Arrays
    state: Arrays


def told(score: Score, mistake: str, found: Sequence[Diagnosis], start: float, miss: str) -> None:
    """Count one answer about a planted mistake."""
    given = names(found)
    right = mistake in given
    first = right and given[0] == mistake
    score.add(right, first, perf_counter() - start, f"{miss}: {given}")


def records(
    step: Callable[..., Any],
    network: Network,
    rates: tuple[float, float],
    recorded: bool,
    generator: np.random.Generator,
) -> list[Recorded]:
    """Return consecutive records of a step with random gradients."""
    point = network.point()
    parameters, made = dict(point.parameters), []
    state: Arrays = {}
    for update in range(UPDATES):
        gradients = {
            name: generator.normal(size=w.shape).astype(w.dtype) for name, w in parameters.items()
        }
        shown = state if recorded else {}
        made.append(Recorded(update, parameters, gradients, shown))
        parameters, state = step(
            parameters, gradients, state, learning_rate=rates[0], momentum=rates[1]
        )
    return made


def each(
    mistakes: Sequence[M],
    networks: int,
    seed: tuple[int, int],
    one: Callable[[Score, M, np.random.Generator], None],
) -> Iterator[Score]:
    """Plant every mistake in as many random networks; each draws from a seed of its own."""
    for index, mistake in enumerate(mistakes):
        score = Score(mistake.name)
        generator = np.random.default_rng([seed[0], seed[1] + index])
        while score.tried < networks:
            one(score, mistake, generator)
        yield score


def steps(networks: int, seed: int) -> Iterator[Score]:
    """Plant every mistake of the update; every second time the state is not recorded."""
    return each(STEP, networks, (seed, 2000), one_step)


def one_step(score: Score, mistake: StepMistake, generator: np.random.Generator) -> None:
    """Plant one mistake of the update and diagnose it."""
    network = draw(generator)
    learning_rate = float(np.round(generator.uniform(*LEARNING_RATES), 3))
    momentum = float(np.round(generator.uniform(*MOMENTA), 3))
    faulty = planted_step(mistake)
    shown = (
        score.tried % 2 == 0 or mistake.convention
    )  # a convention is one because only the state shows it
    made = records(faulty, network, (learning_rate, momentum), shown, generator)
    start = perf_counter()
    found = diagnose_step(made, learning_rate=learning_rate, momentum=momentum)
    told(score, mistake.name, found, start, f"{network} {learning_rate} {momentum}")


def orders(networks: int, seed: int) -> Iterator[Score]:
    """Plant every mistake about batches and order in a short run on random data."""
    return each(RECORDS, networks, (seed, 6000), one_run)


def one_run(score: Score, mistake: RecordMistake, generator: np.random.Generator) -> None:
    """Plant one of them in a network of two layers."""
    inputs, width, classes, size = (int(n) for n in generator.integers(4, 12, size=4))
    parameters = manual_mlp.initial_parameters((inputs, width, classes), generator)
    targets = np.eye(classes)[generator.integers(classes, size=4 * size)]
    data = generator.normal(size=(4 * size, inputs)), targets
    order = np.split(generator.permutation(4 * size), 4)
    made = run(mistake, data, parameters, order)
    start = perf_counter()
    found = diagnose_records(made, data)
    told(score, mistake.name, found, start, f"{inputs}-{width}-{classes}, batches of {size}")


def calls(networks: int, seed: int) -> Iterator[Score]:
    """Plant every mistake that one call makes in the next."""
    return each(CALLS, networks, (seed, 3000), one_call)


def one_call(score: Score, mistake: CallMistake, generator: np.random.Generator) -> None:
    """Plant one of them and diagnose the network."""
    network = draw(generator)
    faulty = plant(mistake, activation=network.activation, reduction=network.reduction)
    start = perf_counter()
    found, _ = timed(bare(faulty), network)
    told(score, mistake.name, found, start, str(network))


def curves(networks: int, seed: int) -> Iterator[Score]:
    """Draw every wrong curve from random right ones."""
    return each(REPORTING, networks, (seed, 4000), one_drawing)


def one_drawing(score: Score, mistake: CurveMistake, generator: np.random.Generator) -> None:
    """Draw one of them beside the right curves."""
    right = {name: generator.uniform(size=12) for name in all_curves()}
    wrong = {name: curve for name, curve in mistake.curves(right).items() if name in DRAWN}
    ends = {name: np.nan_to_num(curve, nan=0.5) for name, curve in wrong.items()}
    start = perf_counter()
    told(score, mistake.name, diagnose_curves(ends, right), start, "curves")


DRAWN = (*CURVES, "test_loss", "test_accuracy")


def all_curves() -> tuple[str, ...]:
    """Return the names of the curves a run draws and of those it can be mistaken for."""
    return (*DRAWN, *STAND_INS)


def starts(networks: int, seed: int) -> Iterator[Score]:
    """Draw initial weights with every wrong standard deviation; every second draw is unknown."""
    return each(START, networks, (seed, 5000), one_start)


def one_start(score: Score, mistake: StartMistake, generator: np.random.Generator) -> None:
    """Draw initial weights with one of them."""
    sizes = tuple(int(n) for n in generator.integers(100, 300, size=3))
    right = manual_mlp.initial_parameters((*sizes, 10), generator, scheme=mistake.scheme)
    wrong = {name: respread(name, w, mistake) for name, w in right.items()}
    reference = right if score.tried % 2 else None
    start = perf_counter()
    found = diagnose_start(wrong, scheme=mistake.scheme, reference=reference)
    told(score, mistake.name, found, start, str(sizes))


def respread(name: str, w: NDArray[Any], mistake: StartMistake) -> NDArray[Any]:
    """Return weights of the right draw with another standard deviation, biases as they are."""
    if not name.startswith("w"):
        return w
    fan_in, fan_out = w.shape
    declared = DECLARED[mistake.scheme].spread(fan_in, fan_out)
    scaled: NDArray[Any] = w * (mistake.spread(fan_in, fan_out, declared) / declared)
    return scaled
