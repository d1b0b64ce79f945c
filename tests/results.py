"""Handmade Results, realistic to look at, one function per way a run can end.

Terminal, report.json, plots and page are tested on these, so that no training is needed to see
how a disagreement at epoch 3 or a NaN is drawn. Everything is drawn from one fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.experiment import Experiment
from compare.contracts.measured import Band, Curves, EpochRow, Index, Kink, Worst
from compare.contracts.result import CheckSummary, Diagnosis, Finding, Result, Verdict, Weak

Array = NDArray[np.float64]
INPUTS, CLASSES, SAMPLES = 64, 10, 1437
ENVIRONMENT: dict[str, Any] = {
    "versions": {"python": "3.12.4", "numpy": "2.1.0", "torch": "2.5.0"},
    "platform": "Linux x86_64",
    "cpus": 2,
    "device": "cpu",
    "thread_pools": [
        {"library": "openblas", "version": "0.3.27", "architecture": "Haswell", "threads": 2}
    ],
    "torch_threads": 2,
}
DEEP = tuple(range(30, 49))  # 20 layers, 40 parameters, no two widths equal


def settings(**changes: Any) -> dict[str, Any]:
    """Return the settings of the default experiment with `changes`, as a run completes them."""
    asked = Experiment(**changes).as_settings()
    return asked | {"data": "digits", "sizes": [INPUTS, *asked["hidden"], CLASSES]}


def agreeing(*, epochs: int = 200, hidden: tuple[int, ...] = (48,), **changes: Any) -> Result:
    """Return an honest run: every difference is a fraction of its allowance."""
    rng = np.random.default_rng(0)
    shapes = parameter_shapes(hidden)
    return Result(
        verdict=Verdict.AGREES,
        kind=None,
        settings=settings(epochs=epochs, hidden=hidden, **changes),
        environment=ENVIRONMENT,
        sentence="agrees: both sides are the same computation up to rounding",
        epochs=tuple(epoch_row(epoch, shapes, rng) for epoch in range(epochs + 1)),
        checks=summaries(epochs),
        worst=run_worst(shapes, rng),
    )


def with_kinks(count: int = 3) -> Result:
    """Return an honest run in which `count` units sat on the kink of ReLU."""
    kinks = tuple(
        Kink(update=40 * n, epoch=40 * n, sample=17 + n, layer=1, unit=5 + n, z=0.0, slope=1.0)
        for n in range(count)
    )
    sentence = f"agrees up to {count} kinks: both sides are the same computation up to rounding"
    return replace(agreeing(), kinks=kinks, sentence=sentence)


def with_weak_points() -> Result:
    """Return an honest run in which two checks could not have seen a fault everywhere."""
    weak = (
        Weak("same_point", "every entry of the gradient is zero", "db1", epoch=0, update=0),
        Weak("step", "the velocity is zero", epoch=0, update=0, smallest_scale_error=math.inf),
    )
    return replace(agreeing(), weak=weak)


def disagreeing(*, epoch: int = 0, parameter: str = "w1", epochs: int = 200) -> Result:
    """Return a run whose manual gradient of `parameter` is N times too large from `epoch` on."""
    run = agreeing(epochs=epochs)
    rng = np.random.default_rng(1)
    reference = rng.normal(scale=1e-3, size=dict(parameter_shapes((48,)))[parameter])
    manual = reference * SAMPLES
    bad = largest(manual, reference, allowance=2e-17)
    finding = gradient_finding(epoch, parameter, bad)
    return replace(
        run,
        verdict=Verdict.DISAGREES,
        kind="derivative",
        sentence=f"disagrees (derivative): {finding.message}",
        epochs=tuple(
            row if row.epoch < epoch else spoiled(row, parameter, bad) for row in run.epochs
        ),
        findings=(finding,),
        checks=tuple(disagreement(check, bad) for check in run.checks),
        worst={**run.worst, f"d{parameter}": bad},
        diagnosis=(summed_not_averaged(bad),),
        heatmap=(f"d{parameter}", manual, reference),
        referee={
            "parameter": parameter,
            "direction": "manual - reference",
            "slope": 1.0,
            "power": 1e-7,
            "belongs": "slope 1: the gradient does not belong to the loss",
        },
    )


def non_finite(*, epoch: int = 12, epochs: int = 200) -> Result:
    """Return a run whose manual loss and gradients are NaN from `epoch` on."""
    run = agreeing(epochs=epochs)
    bad = Worst(math.nan, 2.1e-15, math.inf, (3, 7), math.nan, 0.0123)
    finding = Finding(
        "same_point",
        "logits",
        f"dw1[3, 7] = nan is not finite at epoch {epoch}, update {epoch}",
        epoch=epoch,
        update=epoch,
        parameter="w1",
        index=bad.index,
        manual=bad.manual,
        reference=bad.reference,
        ratio=bad.ratio,
    )
    return replace(
        run,
        verdict=Verdict.DISAGREES,
        kind="non-finite",
        sentence=f"disagrees (non-finite): {finding.message}",
        epochs=tuple(row if row.epoch < epoch else not_a_number(row, bad) for row in run.epochs),
        findings=(finding,),
        worst={**run.worst, "dw1": bad},
    )


def undecidable(*, epoch: int = 8) -> Result:
    """Return a run in which both sides left the finite numbers at `epoch`, and so ended."""
    run = agreeing()
    rows = (*run.epochs[:epoch], both_not_a_number(run.epochs[epoch]))
    return replace(
        run,
        verdict=Verdict.UNDECIDABLE,
        sentence=f"undecidable: the reference is not finite from epoch {epoch} on",
        epochs=rows,
        weak=(Weak("same_point", "the reference is not finite", epoch=epoch, update=epoch),),
    )


def interrupted(*, after: int = 37) -> Result:
    """Return an honest run that the user stopped during epoch `after`."""
    run = agreeing()
    return replace(
        run,
        interrupted=True,
        epochs=run.epochs[:after],
        checks=summaries(after),
    )


def control_failed() -> Result:
    """Return a run whose judge accepted a rolled tensor, which voids its verdict."""
    return replace(agreeing(), control_failed=True, sentence="the judge accepted a rolled dw1")


def parameter_shapes(hidden: Sequence[int]) -> list[tuple[str, Index]]:
    """Return `(name, shape)` of w1, b1, ..., wL, bL."""
    sizes = (INPUTS, *hidden, CLASSES)
    return [
        entry
        for layer, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1)
        for entry in ((f"w{layer}", (fan_in, fan_out)), (f"b{layer}", (fan_out,)))
    ]


def epoch_row(
    epoch: int, shapes: Sequence[tuple[str, Index]], rng: np.random.Generator
) -> EpochRow:
    """Return one point of two curves that fall together and drift by accumulated rounding."""
    fall = math.exp(-epoch / 40)
    reference = Curves(0.08 + 2.3 * fall, 0.98 - 0.88 * fall, 0.15 + 2.2 * fall, 0.96 - 0.86 * fall)
    manual = replace(
        reference,
        train_loss=reference.train_loss + rng.normal(scale=1e-16),
        validation_loss=reference.validation_loss + rng.normal(scale=1e-16),
    )
    return EpochRow(
        epoch=epoch,
        manual=manual,
        reference=reference,
        drift=1e-16 * epoch**0.7,
        band=Band(4e-15, 5e-15, 1e-15 * epoch),
        worst={name: honest(rng, shape) for name, shape in shapes},
    )


def honest(rng: np.random.Generator, shape: Index) -> Worst:
    """Return a worst entry somewhere in `shape` with a ratio between 0.01 and 0.3."""
    allowance = 10.0 ** rng.uniform(-17, -15)
    ratio = rng.uniform(0.01, 0.3)
    reference = float(rng.normal(scale=1e-2))
    index = tuple(int(rng.integers(n)) for n in shape)
    error = ratio * allowance
    return Worst(error, allowance, ratio, index, reference + error, reference)


def run_worst(shapes: Sequence[tuple[str, Index]], rng: np.random.Generator) -> dict[str, Worst]:
    """Return the worst entry over a run of loss, gradients, projections, curves and steps."""
    worst = {"loss": replace(honest(rng, ()), manual=2.41, reference=2.41)}
    worst |= {f"d{name}": honest(rng, shape) for name, shape in shapes}
    worst |= {f"d{name} projection": honest(rng, ()) for name, _ in shapes}
    worst |= {f"{curve} (manual)": honest(rng, ()) for curve in ("train loss", "validation loss")}
    for prefix in ("", "v_"):
        worst |= {f"{prefix}{name}": honest(rng, shape) for name, shape in shapes}
    return worst


def summaries(updates: int) -> tuple[CheckSummary, ...]:
    """Return the three checks of an honest run of `updates` updates."""
    explained = f"the curves differ by at most 3.1e-16 by epoch {updates}: rounding"
    same_point = f"every one of the {updates + 1} same-point checks holds"
    step = f"every one of the {2 * updates} step checks holds"
    return (
        CheckSummary("same_point", Verdict.AGREES, updates + 1, 0.28, same_point),
        CheckSummary("step", Verdict.AGREES, 2 * updates, 0.12, step),
        CheckSummary("free_run", Verdict.AGREES, updates + 1, 0.09, explained),
    )


def largest(manual: Array, reference: Array, *, allowance: float) -> Worst:
    """Return the entry where the two tensors differ most, under one allowance for all."""
    difference = np.abs(manual - reference)
    index = tuple(int(i) for i in np.unravel_index(difference.argmax(), difference.shape))
    error = float(difference[index])
    return Worst(
        error, allowance, error / allowance, index, float(manual[index]), float(reference[index])
    )


def gradient_finding(epoch: int, parameter: str, bad: Worst) -> Finding:
    """Return the finding that a wrong gradient leaves."""
    place = f"d{parameter}{list(bad.index)}"
    return Finding(
        check="same_point",
        stage=f"d{parameter}",
        message=f"{place} = {bad.manual!r} is {bad.ratio:.3g} × allowance away from the "
        f"reference's {bad.reference!r} at epoch {epoch}, update {epoch}",
        epoch=epoch,
        update=epoch,
        parameter=parameter,
        index=bad.index,
        manual=bad.manual,
        reference=bad.reference,
        ratio=bad.ratio,
    )


def summed_not_averaged(bad: Worst) -> Diagnosis:
    """Return the diagnosis of a gradient without its 1/N."""
    sentence = (
        "the gradient is summed over the batch, the loss is averaged: "
        f"everything is N = {SAMPLES} times too large"
    )
    return Diagnosis("missing-batch-mean", sentence, bad.ratio, 0.21, constant=float(SAMPLES))


def disagreement(check: CheckSummary, bad: Worst) -> CheckSummary:
    """Return the same-point summary of a wrong run; the other checks stay as they were."""
    if check.check != "same_point":
        return check
    return replace(
        check,
        verdict=Verdict.DISAGREES,
        worst_ratio=bad.ratio,
        sentence=f"{check.made} same-point checks, not explained by rounding",
    )


def spoiled(row: EpochRow, parameter: str, bad: Worst) -> EpochRow:
    """Return `row` with curves that come apart and one wrong gradient."""
    manual = replace(
        row.manual,
        train_loss=row.manual.train_loss + 0.05,
        validation_loss=row.manual.validation_loss + 0.07,
        train_accuracy=row.manual.train_accuracy - 0.04,
    )
    return replace(row, manual=manual, drift=0.3, worst={**row.worst, parameter: bad})


def not_a_number(row: EpochRow, bad: Worst) -> EpochRow:
    """Return `row` with a manual side that is not finite."""
    nowhere = Curves(math.nan, 0.1, math.nan, 0.1)
    return replace(row, manual=nowhere, drift=math.nan, worst={name: bad for name in row.worst})


def both_not_a_number(row: EpochRow) -> EpochRow:
    """Return `row` with neither side finite."""
    bad = Worst(math.nan, math.nan, math.nan, (0, 0), math.nan, math.nan)
    nowhere = Curves(math.inf, 0.1, math.nan, 0.1)
    return replace(not_a_number(row, bad), manual=nowhere, reference=nowhere)
