"""One mistake, run live: planted in a plain program, and what the diagnosis makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import singledispatch
from itertools import product
from textwrap import fill
from typing import Any

import numpy as np

import manual_mlp
from compare.checks.optimiser_step import OptimiserStep
from compare.checks.same_point import SamePoint
from compare.contracts.arrays import Arrays
from compare.contracts.between import PLAIN, Between
from compare.contracts.experiment import Experiment
from compare.contracts.result import Diagnosis
from compare.diagnosis.asking import observations
from compare.diagnosis.curves import diagnose_curves
from compare.diagnosis.gradients import diagnose, probes
from compare.diagnosis.match import Case
from compare.diagnosis.optimiser import identify
from compare.diagnosis.ranks import (
    Reported,
    certain,
    diagnose_ranks,
    parts_of,
    shared_rows,
    starts_apart,
)
from compare.diagnosis.records import diagnose_records
from compare.diagnosis.start import diagnose_start
from compare.diagnosis.step import diagnose_step
from compare.handbook.plain_run import run as trained
from compare.handbook.planting import bare, plant, planted_step
from compare.mistakes.calls import CallMistake
from compare.mistakes.inside import InsideMistake
from compare.mistakes.mistake import Mistake, NetworkMistake
from compare.mistakes.optimiser_mistake import OptimiserMistake
from compare.mistakes.order import RecordMistake
from compare.mistakes.ranks import START_DIFFERENT, RankMistake, Shares
from compare.mistakes.reporting import CURVES, STAND_INS, CurveMistake
from compare.mistakes.start import DECLARED, StartMistake
from compare.mistakes.step_mistake import StepMistake

SIZES = ((12, 9, 5), (12, 9, 7, 5), (8, 8, 8, 5), (7, 9, 7), (8, 8, 8, 8, 5))
ACTIVATIONS = ("relu", "tanh", "sigmoid")
REDUCTIONS = ("mean", "sum")
INSIDE = (Between("layer"), Between("batch"), Between(dropout=0.3))
LEARNING_RATE, MOMENTUM, UPDATES = 0.2, 0.9, 4
WIDTH = 96


@singledispatch
def run(mistake: Mistake) -> Iterator[str]:
    """Yield the lines of a live run of the mistake."""
    raise TypeError(f"no live run for {type(mistake).__name__}")


@run.register
def run_network(mistake: NetworkMistake) -> Iterator[str]:
    """Plant it in the first network where it shows; compare every tensor with right and wrong."""
    inside = isinstance(mistake, InsideMistake)
    made = product(SIZES, ACTIVATIONS, REDUCTIONS, INSIDE if inside else (PLAIN,))
    for sizes, activation, reduction, between in made:
        options: dict[str, Any] = {"activation": activation, "reduction": reduction}
        options["between"] = between
        points = probes(sizes, dtype=np.float64, seed=0, **options)
        if not any(mistake.applies(point) for _, point in points):
            continue
        faulty = bare(plant(mistake, **options))
        cases = [Case(observation) for observation in observations(faulty, points)]
        shown = next((case for case in cases if case.disagrees), None)
        if shown is not None:
            network = "-".join(map(str, sizes))
            yield f"Planted in a {network} network, {activation}, {reduction}{words(between)}."
            yield from table(shown, mistake)
            yield from answer(diagnose(faulty, sizes=sizes, **options))
            return


def words(between: Between) -> str:
    """Return normalisation and dropout in words, nothing of a network without them."""
    said = f", {between.normalisation} normalisation" if between.normalisation != "none" else ""
    return f"{said}, dropout {between.dropout:g}" if between.dropout else said


def table(case: Case, mistake: NetworkMistake) -> Iterator[str]:
    """Yield worst error in × allowance of every tensor, with the right and the mistaken pass."""
    overrides = mistake.overrides(mistake.example)
    yield f"At {case.observation.label}, worst error in × allowance:"
    yield f"  {'':6} {'computed rightly':>18} {'with the mistake':>18}"
    for name in case.observation.order:
        right, wrong = case.ratio(name, frozenset()), case.ratio(name, overrides)
        yield f"  {name:6} {right:18.3g} {wrong:18.3g}"


def answer(found: Sequence[Diagnosis]) -> Iterator[str]:
    """Yield what the diagnosis says."""
    if not found:
        yield "Diagnosis: no known mistake reproduces this."
    for diagnosis in found:
        also = f" or {', '.join(diagnosis.also)}" if diagnosis.also else ""
        yield f"Diagnosis: {diagnosis.mistake}{also}"
        yield fill(diagnosis.sentence, WIDTH, initial_indent="  ", subsequent_indent="  ")


@run.register
def run_calls(mistake: CallMistake) -> Iterator[str]:
    """Plant it in a network that is called three times."""
    faulty = plant(mistake)
    yield "Planted in a 12-9-5 network, called with one batch, another, and the first again."
    yield from answer(diagnose(bare(faulty), sizes=(12, 9, 5)))


@dataclass(frozen=True)
class UpdateRecord:
    """A record: where training stood before an update."""

    update: int
    parameters: Arrays
    gradients: Arrays
    state: Arrays


@run.register
def run_step(mistake: StepMistake) -> Iterator[str]:
    """Plant it in an optimiser and record a few updates with random gradients."""
    generator = np.random.default_rng(0)
    step = planted_step(mistake)
    parameters = {"w1": generator.normal(size=(6, 4)), "b1": generator.normal(size=4)}
    state: Arrays = {}
    records = []
    for update in range(UPDATES):
        gradients = {name: generator.normal(size=w.shape) for name, w in parameters.items()}
        records.append(UpdateRecord(update, parameters, gradients, state))
        parameters, state = step(
            parameters, gradients, state, learning_rate=LEARNING_RATE, momentum=MOMENTUM
        )
    rates = f"learning rate {LEARNING_RATE}, momentum {MOMENTUM}"
    yield f"{UPDATES} updates of w1 (6, 4) and b1, {rates}."
    yield from answer(diagnose_step(records, learning_rate=LEARNING_RATE, momentum=MOMENTUM))


@run.register
def run_optimiser(mistake: OptimiserMistake) -> Iterator[str]:
    """Plant it in the first optimiser it is of, and make a few updates with random gradients."""
    asked = Experiment(optimiser=mistake.of[0], learning_rate=LEARNING_RATE, **dict(mistake.needs))
    generator = np.random.default_rng(0)
    shapes = {"w1": (6, 4), "b1": (4,), "w2": (4, 3), "b2": (3,)}
    now = {name: generator.normal(size=shape) for name, shape in shapes.items()}
    rule, step = mistake.rule(asked.optimiser, mistake.example), OptimiserStep.of(asked)
    kept: dict[str, dict[str, Any]] = {name: {} for name in now}
    records = []
    for update in range(UPDATES + 1):
        gradients = {name: generator.normal(scale=0.1, size=w.shape) for name, w in now.items()}
        records.append(UpdateRecord(update, now, gradients, {}))
        own = {name: step.settings_of(name, tuple(now)) for name in now}
        with np.errstate(invalid="ignore"):
            both = {k: rule(w, gradients[k], kept[k], update + 1, own[k]) for k, w in now.items()}
        now, kept = {k: w for k, (w, _) in both.items()}, {k: old for k, (_, old) in both.items()}
    yield f"{UPDATES} updates of w1 (6, 4), b1, w2 (4, 3) and b2 by {asked.optimiser}."
    found = identify(records, asked)
    if found is None or found.mistake is None:
        yield from answer(())
    else:
        told = found.before, found.after
        yield from answer([Diagnosis(found.mistake.name, found.sentence, *told)])


@run.register
def run_records(mistake: RecordMistake) -> Iterator[str]:
    """Train a small network for a few updates with the mistake in the loop."""
    generator = np.random.default_rng(0)
    data = generator.normal(size=(12, 8)), np.eye(4)[generator.integers(4, size=12)]
    parameters = {
        "w1": generator.normal(size=(8, 6)),
        "b1": generator.normal(size=6),
        "w2": generator.normal(size=(6, 4)),
        "b2": generator.normal(size=4),
    }
    order = np.split(generator.permutation(12), 3)
    yield "3 updates of an 8-6-4 network with batches of 4 of 12 rows, in shuffled order."
    yield from answer(diagnose_records(trained(mistake, data, parameters, order), data))


@run.register
def run_start(mistake: StartMistake) -> Iterator[str]:
    """Draw weights with the wrong standard deviation."""
    generator = np.random.default_rng(0)
    shape = (64, 48)
    declared = DECLARED[mistake.scheme].spread(*shape)
    w = generator.normal(0.0, mistake.spread(*shape, declared), shape)
    scheme = mistake.scheme
    yield f"w1 (64, 48): standard deviation {w.std():.4f}, declared ({scheme}) {declared:.4f}."
    yield from answer(diagnose_start({"w1": w}, scheme=scheme))


@run.register
def run_ranks(mistake: RankMistake) -> Iterator[str]:
    """Put the parts of three ranks together wrongly."""
    from compare.allowance import Arithmetic
    from torch_reference import Reference

    generator = np.random.default_rng(0)
    w = manual_mlp.initial_parameters((8, 6, 4), generator)
    rows = (5, 4, 3)
    batches = [
        (generator.normal(size=(n, 8)), np.eye(4)[generator.integers(4, size=n)]) for n in rows
    ]
    yield "One update of an 8-6-4 network on 3 ranks that have 5, 4 and 3 rows; what rank 0 says."
    if mistake.parts is None:
        both = [w, {name: array + 0.1 for name, array in w.items()}]
        seen = starts_apart(both) if mistake is START_DIFFERENT else shared_rows([range(5)] * 3)
        yield from answer([certain(mistake)] if seen else [])
        return
    check = SamePoint(Reference((8, 6, 4)), Arithmetic.of(np.float64), "relu", "mean")
    parts, shares = parts_of(check, [w] * 3, batches), Shares(np.array(rows, float), 0, mean=True)
    by = shares.right if mistake.loss else mistake.parts(shares)
    gradients = {k: sum(c * p.gradients[k] for c, p in zip(by, parts, strict=True)) for k in w}
    loss = sum(c * p.loss for c, p in zip(mistake.parts(shares), parts, strict=True))
    yield from answer(diagnose_ranks(parts, Reported(0, float(loss), gradients), mean=True))


@run.register
def run_curves(mistake: CurveMistake) -> Iterator[str]:
    """Draw the wrong curves from right ones."""
    generator = np.random.default_rng(0)
    names = (*CURVES, "test_loss", *STAND_INS)
    right = {name: np.sort(generator.uniform(size=6))[::-1] for name in names}
    drawn = {n: c for n, c in mistake.curves(right).items() if n not in STAND_INS}
    wrong = {name: np.nan_to_num(curve, nan=0.5) for name, curve in drawn.items()}
    yield "Curves of 6 points, right and as drawn:"
    for name, curve in wrong.items():
        if not np.array_equal(curve, right[name]):
            yield f"  {name:20} {np.round(right[name], 3)} {np.round(curve, 3)}"
    yield from answer(diagnose_curves(wrong, right))
