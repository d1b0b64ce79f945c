"""What a training has to carry from step to step, and what some make anew instead.

Where an optimiser's gradients lie beside the weights, each of its steps is held against Adam's:
with the means and t carried on, with t standing still, with everything begun anew. A network that
is built inside the loop over epochs has other weights whenever an epoch begins.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise, product

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.function_verdict import Slip
from compare.examine.starter.source import Source
from compare.examine.starter.training.program import program_of
from compare.examine.starter.training.shares import shares_in
from compare.examine.starter.training.steps import MOST, Step, laid_beside, multiple
from compare.examine.starter.training.trained import Training, pairs_of
from compare.examine.starter.update_schedules import momentum_on_schedule

BETAS = ((0.9, 0.999), (0.9, 0.99), (0.9, 0.9), (0.5, 0.999), (0.9, 0.95))
NUMBER = re.compile(r"(?<![\w.])0?\.\d+(?![\w.])")
LARGE = 1e-2
"""Entries of the gradient that are smaller, relative to the largest, may feel the epsilon."""
CLOSE, MUCH = 1e-3, 0.05
ALIKE = 0.5
"""The correlation below which two matrices are no earlier and later state of one."""
EPOCHS = re.compile(r"\b(ep|\w*epochs?\w*)\b", re.IGNORECASE)
"""Says of a loop that it counts the runs through the data; one over restarts may begin anew."""


def begun_anew(source: Source, training: Training) -> Slip | None:
    """The mistake of an optimiser that does not carry on what it keeps."""
    steps = list(in_a_row(training))
    if not training.fit.ways or len(steps) <= 1:
        return None
    moves = [entries(training, one) for one in steps]
    if not differ(moves) or not keeps_squares(training):
        return None
    corrects = any(map(is_correction, parts_of(source)))
    for betas in betas_in(source.text):
        if follows(moves, betas, kept):
            return None
    for betas in betas_in(source.text):
        if corrects and follows(moves, betas, standing):
            said = "each of its updates is corrected like the first one: t does not go up with them"
            return "adam-constant-t", said, "a t of Adam that stays 1"
        if follows(moves, betas, anew) or follows(moves, betas, anew_at_1):
            said = (
                "each of its updates is made of its own gradient alone: the means of squares begin"
            )
            return "velocity-reset", f"{said} anew at every update", f"{ANEW} at every update"
    return None


def without_momentum(source: Source, training: Training) -> Slip | None:
    """The mistake of velocities that begin anew at every step: another momentum gives the same
    weights, though each step multiplies by it, which one that is no number shows."""
    steps = list(in_a_row(training))
    scheduled = momentum_on_schedule(parts_of(source))  # it may be 0 at first
    if training.fit.ways or len(steps) < TOLD_BY or scheduled:
        return None
    other, none = (taken_at(source, training, one) for one in (OTHER_MOMENTUM, np.nan))
    if len(other) < len(steps) or not none or not np.isnan(none[0]).all():
        return None
    own = [np.concatenate([array.ravel() for array in one.taken.values()]) for one in steps]
    if not all(np.array_equal(one, two) for one, two in zip(own, other, strict=False)):
        return None
    said = "each velocity begins at 0: what the steps before have left in it is lost"
    return "velocity-reset", said, "velocities that begin anew at every update"


def taken_at(source: Source, training: Training, momentum: float) -> list[Array]:
    """What each step takes off the weights at another momentum; nothing where no number is one."""
    program = program_of(source, momentum=momentum)
    if not program.momenta:
        return []
    runs = program.run(training.supply).runs.get(training.loop, [])
    steps = Step.of_pairs(training.chain, pairs_of(runs))
    return [np.concatenate([array.ravel() for array in one.taken.values()]) for one in steps]


def keeps_squares(training: Training) -> bool:
    """Whether an array that is there after the first step is its gradient squared, times a number:
    no such means are taken anew where none is kept."""
    step = training.steps[0]
    own = {*training.chain.ways().values(), *training.fit.ways.values()}
    for name, way in training.fit.ways.items():
        squared = laid_beside(step, way, step.taken[name]) ** 2
        for other, array in step.after.items():
            alike = other not in own and array.size == squared.size and array.dtype.kind == "f"
            if alike and multiple(laid_beside(step, other, squared), squared, step.near) > 0:
                return True
    return False


def parts_of(source: Source) -> Iterator[ast.AST]:
    """All parts of a file's code."""
    return (part for one in source.statements for part in ast.walk(one.node))


def is_correction(node: ast.AST) -> bool:
    """True for `1 - beta**t`: without it a rate makes up for the correction of the first update."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)):
        return False
    power = node.right
    if isinstance(power, ast.Call):
        return ast.unparse(power.func).rpartition(".")[2] in ("power", "pow")
    return isinstance(power, ast.BinOp) and isinstance(power.op, ast.Pow)


ANEW = "running means that begin anew"
OTHER_MOMENTUM, TOLD_BY = 0.37, 2
Move = tuple[Array, Array]
"""Entries of a gradient, and what was taken off the weights for them."""
Ratio = Callable[[Sequence[Array], tuple[float, float]], Array]


def in_a_row(training: Training) -> Iterator[Step]:
    """The first steps of one run of the loop."""
    yield training.steps[0]
    for last, step in pairwise(training.steps):
        if step.before is not last.after:
            return
        yield step


def entries(training: Training, step: Step) -> Move:
    """All gradients of a step and what it takes off the weights, one after another."""
    names = list(step.taken)
    found = [laid_beside(step, training.fit.ways[name], step.taken[name]) for name in names]
    return (np.concatenate([one.ravel() for one in found]),
            np.concatenate([step.taken[name].ravel() for name in names]))  # fmt: skip


def differ(moves: Sequence[Move]) -> bool:
    """Whether gradients are other ones from step to step: of equal ones any mean is the same."""
    return all(np.linalg.norm(one - other) > MUCH * np.linalg.norm(one)
               for (one, _), (other, _) in pairwise(moves))  # fmt: skip


def betas_in(text: str) -> list[tuple[float, float]]:
    """The pairs of decays that a text may mean: the usual ones, and those of its own numbers."""
    written = sorted({float(one) for one in NUMBER.findall(text) if 0 < float(one) < 1})
    own = [(one, two) for one, two in product(written, repeat=2) if one <= two]
    return list(dict.fromkeys([*BETAS, *own[:20]]))


def follows(moves: Sequence[Move], betas: tuple[float, float], ratio: Ratio) -> bool:
    """Whether what was taken off is one rate times the ratio of means, at every step."""
    gradients = [np.abs(one) for one, _ in moves]
    seen = np.all([one > LARGE * one.max() for one in gradients], axis=0)
    if not seen.any():
        return False
    given = [one[seen] for one, _ in moves]
    factors = [taken[seen] / ratio(given[: place + 1], betas)
               for place, (_, taken) in enumerate(moves)]  # fmt: skip
    every = np.concatenate(factors)
    return bool(np.isfinite(every).all() and np.ptp(every) <= CLOSE * abs(np.median(every)))


def means(given: Sequence[Array], betas: tuple[float, float]) -> tuple[Array, Array]:
    """The two running means after these gradients, not corrected."""
    m, v = np.zeros_like(given[0]), np.zeros_like(given[0])
    for one in given:
        m, v = betas[0] * m + (1 - betas[0]) * one, betas[1] * v + (1 - betas[1]) * one**2
    return m, v


def corrected(means_: tuple[Array, Array], betas: tuple[float, float], t: int) -> Array:
    """The ratio of the two means, corrected as at update t."""
    m, v = means_
    found: Array = m / (1 - betas[0] ** t) / np.sqrt(v / (1 - betas[1] ** t))
    return found


def kept(given: Sequence[Array], betas: tuple[float, float]) -> Array:
    """Adam."""
    return corrected(means(given, betas), betas, len(given))


def standing(given: Sequence[Array], betas: tuple[float, float]) -> Array:
    """Adam whose t stays 1."""
    return corrected(means(given, betas), betas, 1)


def anew(given: Sequence[Array], betas: tuple[float, float]) -> Array:
    """Adam whose means begin anew, and whose t goes on."""
    return corrected(means(given[-1:], betas), betas, len(given))


def anew_at_1(given: Sequence[Array], betas: tuple[float, float]) -> Array:
    """Adam that begins anew altogether."""
    return corrected(means(given[-1:], betas), betas, 1)


def out_of_step(training: Training) -> list[str]:
    """The parameters whose steps are no share of the last one and their gradient, where those of
    the most others are."""
    far = {name for last, step in pairwise(in_a_row(training)) for name in step.taken
           if not any(shares_in(step.taken[name], last.taken[name], due[name], step.near)
                      for _, rows in step.batches(training.data)[:MOST]
                      for due in [training.due(step, rows)])}  # fmt: skip
    few = 0 < len(far) <= len(training.step.taken) // 2
    return [training.chain.ways()[name] for name in training.step.taken if name in far and few]


def made_anew(source: Source, training: Training, file: str, line: int) -> Slip | None:
    """The weights that begin anew in each epoch, though steps move them only a little."""
    if not EPOCHS.search(loop_around(source, file, line)):
        return None
    for last, step in pairwise(training.steps):
        if step.before is last.after:
            continue
        end = training.chain.parameters(last.after)
        within, across = alike(last.parameters, end), alike(end, step.parameters)
        if within > 1 - CLOSE * 100 and across < ALIKE:
            words = " and ".join(training.chain.weights)
            said = f"{words}: other weights whenever an epoch begins, what was learnt is lost"
            return "weights-made-anew", said, "weights that are made anew in every epoch"
    return None


def alike(before: Mapping[str, Array], after: Mapping[str, Array]) -> float:
    """The largest correlation between matrices before and after."""
    pairs = [(one.ravel(), after[name].ravel()) for name, one in before.items() if one.ndim > 1]
    return max(float(np.corrcoef(one, other)[0, 1]) for one, other in pairs)


def loop_around(source: Source, file: str, line: int) -> str:
    """The variable of the loop around the loop at a line, and what it runs over; empty where there
    is none."""
    nodes = [part for one in source.statements if one.file == file for part in ast.walk(one.node)]
    loops = [one for one in nodes if isinstance(one, ast.For)]
    loops = [one for one in loops if one.lineno < line <= (one.end_lineno or 0)]
    inner = max(loops, key=lambda one: one.lineno, default=None)
    return "" if inner is None else f"{ast.unparse(inner.target)} in {ast.unparse(inner.iter)}"
