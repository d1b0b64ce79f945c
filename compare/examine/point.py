"""A single check: somebody's gradient, held against torch at points chosen to have power.

No training, no data set: the answer comes in seconds, in the same words and with the same verdict
as a run's. `check` returns a `Result`; `assert_gradients_match` is `check` for tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import manual_mlp
from compare.checks.step import StepCheck
from compare.checks.structure import Structure
from compare.contracts.errors import BadInput, UserCodeError
from compare.contracts.experiment import Experiment
from compare.contracts.records import Arrays, Implementation, Optimiser
from compare.contracts.result import CheckSummary, Result, Verdict
from compare.examine.environment import environment
from compare.examine.sides import build_reference
from compare.guard.implementation import GuardedImplementation, GuardedStep
from compare.judge.conclusion import conclude
from compare.judge.point import PointJudge
from compare.judge.structure import enter_structure
from compare.points.probe import ON_KINK, SOFT, Probe, draw_probes

INPUTS, CLASSES = 13, 5
HIDDEN = (11,)
TIMEOUT = 60.0
TARGETS_OFF = 1e-3
"""By how much the rows of given targets may miss a sum of 1: what float32 makes of many classes."""


def check(
    implementation: Implementation,
    *,
    parameters: Arrays | None = None,
    x: NDArray[Any] | None = None,
    targets: NDArray[Any] | None = None,
    inputs: int = INPUTS,
    hidden: Sequence[int] = HIDDEN,
    classes: int = CLASSES,
    activation: str = "relu",
    reduction: str = "mean",
    dtype: str = "float64",
    seed: int = 0,
    step: Optimiser | None = None,
    momentum_form: str = "velocity",
    timeout: float | None = TIMEOUT,
    rows: NDArray[Any] | None = None,
) -> Result:
    """Check `implementation(parameters, x, targets) -> (loss, gradients)` against torch.

    Without `parameters`, `x` and `targets` the points are drawn: a network of `inputs`, `hidden`
    and `classes` with non-zero biases, ordinary and confident logits, one-hot and soft targets.
    With all three, that one point is checked and nothing is drawn. `rows` are real inputs to draw
    from. `reduction` declares whether the loss is the mean or the sum over the batch. `step`, if
    given, is held against `torch.optim.SGD` in `momentum_form`. `timeout` is in seconds per call.

    Errors: `BadInput` (one sentence, with the line in the user's file) if the implementation
    raises, hangs, exits or returns something else than contract 1 says, and for arguments that do
    not fit each other.
    """
    given = _given(parameters, x, targets)
    sizes = _sizes_of(given) if given else (inputs, *hidden, classes)
    experiment = Experiment(
        hidden=tuple(sizes[1:-1]), activation=activation, reduction=reduction,
        dtype=str(given.x.dtype) if given else dtype, seed=seed, momentum_form=momentum_form,
    )  # fmt: skip
    guarded = GuardedImplementation(implementation, timeout=timeout)
    reference = build_reference(experiment, sizes)
    judge = PointJudge(experiment=experiment, reference=reference, mode="check")
    probes = [given] if given else _draw(experiment, sizes, rows)
    structure = Structure() if given else enter_structure(judge, guarded, probes)
    probes = [probe for probe in probes if structure.soft or probe.note != SOFT]
    for update, probe in enumerate(probes):
        _examine(judge, guarded, update, probe)
    steps: tuple[CheckSummary, ...] = ()
    if step is not None:
        their_step = GuardedStep(step, timeout=timeout, notes=guarded.guard.notes)
        steps = _examine_step(judge, their_step, probes[0], momentum_form)
    settings = {"mode": judge.mode, "sizes": list(sizes), "batch": len(probes[0].x)}
    settings |= {name: getattr(experiment, name) for name in SETTINGS}
    result = conclude(judge, settings, environment(), guarded)
    notes = (*structure.notes, *_kink_convention(judge, probes), *guarded.notes)
    if result.verdict is Verdict.AGREES and not given:
        notes += overflowing(implementation, probes[0], activation, timeout)
    return replace(result, notes=result.notes + notes, checks=result.checks + steps)


SETTINGS = ("activation", "reduction", "dtype", "seed", "momentum_form")


def assert_gradients_match(implementation: Implementation, **options: Any) -> None:
    """Raise `Disagreement`, an `AssertionError` of one screen, unless `check` says *agrees*.

    Takes the options of `check`.
    """
    __tracebackhide__ = True
    check(implementation, **options).raise_for_disagreement()


def _given(
    parameters: Arrays | None, x: NDArray[Any] | None, targets: NDArray[Any] | None
) -> Probe | None:
    """The point the caller brought, as C-contiguous arrays, or None."""
    if parameters is None and x is None and targets is None:
        return None
    if parameters is None or x is None or targets is None:
        raise BadInput("Give parameters, x and targets together, or none of them.")
    arrays = {name: np.ascontiguousarray(array) for name, array in parameters.items()}
    probe = Probe(arrays, np.ascontiguousarray(x), np.ascontiguousarray(targets), "given point")
    if len(probe.x) == 0:
        raise BadInput("x has no rows, so nothing could be compared; give at least one sample.")
    sums = probe.targets.sum(axis=-1, dtype=np.float64)
    row = int(np.abs(sums - 1).argmax())
    if abs(sums[row] - 1) > TARGETS_OFF:
        raise BadInput(
            f"Row {row} of targets sums to {sums[row]:.6g}; every row must sum to 1 (one-hot, or "
            "soft probabilities)."
        )
    return probe


def _sizes_of(probe: Probe) -> tuple[int, ...]:
    """The layer widths that a point's parameters have; `BadInput` if they are no network."""
    depth = len(probe.parameters) // 2
    names = [f"{kind}{layer}" for layer in range(1, depth + 1) for kind in "wb"]
    if sorted(names) != sorted(probe.parameters) or depth == 0:
        raise BadInput(
            f"The parameters are named {', '.join(probe.parameters)}; a network of L layers has "
            "w1, b1, ..., wL, bL."
        )
    shapes = [probe.parameters[f"w{layer}"].shape for layer in range(1, depth + 1)]
    sizes = (probe.x.shape[-1], *(shape[-1] for shape in shapes))
    dtypes = {str(array.dtype) for array in (*probe.parameters.values(), probe.x, probe.targets)}
    if len(dtypes) != 1 or not dtypes <= {"float32", "float64"}:
        raise BadInput(
            f"parameters, x and targets are {', '.join(sorted(dtypes))}; give all of them as "
            "float64, or all as float32."
        )
    return sizes


def _draw(experiment: Experiment, sizes: Sequence[int], rows: NDArray[Any] | None) -> list[Probe]:
    return draw_probes(
        sizes,
        activation=experiment.activation,
        dtype=experiment.dtype,
        seed=experiment.seed,
        rows=rows,
    )


def _record(
    update: int, probe: Probe, loss: float, gradients: Arrays, state: Arrays
) -> manual_mlp.Record:
    return manual_mlp.Record(
        update=update,
        epoch=0,
        batch=np.arange(len(probe.x)),
        loss=loss,
        gradients=gradients,
        parameters=probe.parameters,
        state=state,
        evaluation=None,
    )


def _examine(judge: PointJudge, guarded: GuardedImplementation, update: int, probe: Probe) -> None:
    """Judge one probe."""
    loss, gradients, _ = guarded(probe.parameters, probe.x, probe.targets)
    record = _record(update, probe, loss, gradients, {})
    judge.at_point(record, probe.x, probe.targets)


def _kink_convention(judge: PointJudge, probes: Sequence[Probe]) -> list[str]:
    """Say which slope each side takes exactly on a kink, if a probe showed it."""
    if probes[-1].note != ON_KINK or not judge.ledger.tallies["same_point"].verdict == "agrees":
        return []
    update = len(probes) - 1
    slopes = [kink.slope for kink in judge.ledger.kinks if kink.update == update and kink.z == 0]
    name = judge.experiment.activation
    slope = slopes[0] if slopes else 0.0
    if slope == 0:
        return [f"exactly at 0 both sides take the same slope of {name}: 0"]
    return [
        f"exactly at 0 the manual side takes {slope:g} as the slope of {name}, the reference 0; "
        "both are right"
    ]


def overflowing(
    implementation: Implementation, probe: Probe, activation: str, timeout: float | None
) -> tuple[str, ...]:
    """Say so if a right function is not finite once exp of a logit is not: no shift by the maximum.

    The logits of ordinary points never get there, so nothing else would show it.
    """
    last = f"w{len(probe.parameters) // 2}"
    logits = manual_mlp.forward(probe.parameters, probe.x, activation=activation)["logits"]
    reach = 4 * float(np.log(np.finfo(probe.x.dtype).max))
    louder = probe.parameters[last] * probe.x.dtype.type(reach / np.abs(logits).max())
    guarded = GuardedImplementation(implementation, timeout=timeout)
    try:
        loss, gradients, _ = guarded(probe.parameters | {last: louder}, probe.x, probe.targets)
    except UserCodeError as error:
        return (f"with logits of about ±{reach:.0f}: {error}",)
    if np.isfinite(loss) and all(np.isfinite(array).all() for array in gradients.values()):
        return ()
    return (
        f"with logits of about ±{reach:.0f} it is not finite, where the reference is: exp "
        "overflows (subtract the maximum of the row first, or take log-sum-exp)",
    )


def _examine_step(
    judge: PointJudge, guarded: GuardedStep, probe: Probe, form: str
) -> tuple[CheckSummary, ...]:
    """Two consecutive updates with the user's step, from a state that is not zero."""
    generator = np.random.default_rng(judge.experiment.seed)
    dtype = probe.x.dtype

    def like(array: NDArray[Any]) -> NDArray[Any]:
        return generator.normal(scale=0.1, size=array.shape).astype(dtype)

    rate, momentum = judge.experiment.learning_rate, judge.experiment.momentum
    replay = StepCheck(judge.arithmetic, rate, momentum, form)
    now = probe.parameters
    state = {f"v_{name}": like(array) for name, array in now.items()}
    tally = judge.ledger.tallies["step"]
    for update in range(2):
        gradients = {name: like(array) for name, array in now.items()}
        before = _record(update, replace(probe, parameters=now), 0.0, gradients, state)
        now, state = guarded(now, gradients, state, learning_rate=rate, momentum=momentum)
        after = _record(update + 1, replace(probe, parameters=now), 0.0, gradients, state)
        judge.replay("manual", before, after, replay)
    sentence = f"{tally.made} step checks, worst {tally.worst_ratio:.2g} × allowance"
    return (CheckSummary("step", tally.verdict, tally.made, tally.worst_ratio, sentence),)
