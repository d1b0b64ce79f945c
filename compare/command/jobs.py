"""What the command does with somebody else's work: a function, a student's file, a dump.

Each job takes the options of the command and returns a `Result`, so that everything after it
(terminal, report.json, plots, exit code) is the same as for our own run.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compare.command.parser import flag_of
from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
from compare.contracts.keywords import settings_used_by
from compare.contracts.result import Result
from compare.contracts.setting import DUMP, LAYER, POINT, STARTER, STEP, TRAIN
from compare.examine.ranks import launched
from compare.guard.derivatives import GuardedProduct, GuardedSamples
from compare.guard.implementation import GuardedReduction, GuardedUpdate
from compare.guard.manual_file import Found, Loaded, as_loaded, find
from compare.guard.optimiser import GuardedOptimiser
from manual_mlp.loss import accuracy

if TYPE_CHECKING:
    from compare.contracts.records import Manual, Optimiser
    from compare.examine.training import Progress


def judge_it(options: argparse.Namespace, on_update: Callable[[Progress], None]) -> Result:
    """Do what the options ask for: `--starter`, `--dump`, `--layer`, `--curves`, `--manual`, or our
    own run.

    An option that this way of checking does not use is named in the verdict: whoever gave it
    believes that it was checked.
    """
    require_training(options)
    if options.layer is not None:
        return layer(options).lacking(*unused(options, "--layer", LAYER))
    if options.starter is not None:
        return starter(options).lacking(*unused(options, "--starter", STARTER))
    if options.dump is not None:
        return dump(options).lacking(*unused(options, "--dump", DUMP))
    if options.curves is not None:
        return curves(options, on_update).lacking(*unused(options, "--curves", TRAIN))
    found = find(options.manual, options.timeout) if options.manual else None
    if found is not None and (code := found.derivative) is not None:
        return derivative(code, options).lacking(*unused(options, found.name, POINT))
    loaded = None if found is None else as_read(found, options)
    overlooked = () if loaded is None else loaded.overlooked
    if loaded is not None and not options.trains:
        uses = (POINT,) if loaded.step is None else (POINT, STEP)
        result = single_point(loaded, options, uses)
        return result.lacking(*overlooked, *unused(options, "--manual without --epochs", *uses))
    return training(loaded, options, on_update).lacking(*overlooked)


def as_read(found: Found, options: argparse.Namespace) -> Loaded:
    """Return what was found; `options` then declare what its step and, where it came by its path
    alone, its network say of themselves."""
    from compare.examine.unsaid import read_off

    alone = as_loaded(found, options.experiment, step=False)
    step = found.step()
    read = read_off(
        alone.implementation, step, options.experiment, options.given,
        network=bool(options.paths) and not options.trains,
    )  # fmt: skip
    options.experiment = read.experiment
    loaded = alone if read.unknown else as_loaded(found, read.experiment)
    if read.note:
        loaded.record.add(read.note)
    more = (UNKNOWN_STEP,) if read.unknown else ()
    return replace(loaded, overlooked=(*loaded.overlooked, *more))


UNKNOWN_STEP = (
    "step was not compared: it makes the updates of no optimiser that is known; --optimiser "
    "declares which one it is meant to be"
)


def unused(options: argparse.Namespace, way: str, *uses: str) -> list[str]:
    """Say which of the options given are not used by this way of checking."""
    used = settings_used_by(*uses) + (("timeout",) if DUMP not in uses else ())
    return [f"{flag_of(name)} is not used with {way}" for name in options.given if name not in used]


def require_training(options: argparse.Namespace) -> None:
    """Raise BadInput where several processes were started for what one of them does alone."""
    checked = options.layer or options.starter or options.dump or options.curves
    if launched() is not None and (checked or (options.manual and not options.trains)):
        raise BadInput("torchrun is for training runs (give --epochs); check this in one process")


def starter(options: argparse.Namespace) -> Result:
    """Check a student's file; write the adapter if one is wanted."""
    from compare.examine.starter.adapter import write_adapter
    from compare.examine.starter.starter import check_starter
    from compare.examine.starter.starter_result import starter_result
    from compare.guard.guard import A_FEW_ROWS

    asked: Experiment = options.experiment
    given = [name for name in settings_used_by(STARTER) if name in options.given]
    report = check_starter(
        options.starter, reduction=asked.reduction, seed=asked.seed,
        timeout=options.timeout if "timeout" in options.given else A_FEW_ROWS,
        declared={name: getattr(asked, name) for name in given if name != "seed"},
    )  # fmt: skip
    result = starter_result(report)
    if options.write_adapter is None:
        return result
    written = write_adapter(report, options.write_adapter)
    return replace(result, notes=(f"the adapter is {written.name}", *result.notes))


def layer(options: argparse.Namespace) -> Result:
    """Check one layer; of the experiment only the seed counts."""
    from compare.layers.layer_file import check_file

    result = check_file(options.layer, seed=options.experiment.seed, timeout=options.timeout)
    return replace(result, settings={**result.settings, "manual": Path(options.layer).name})


def dump(options: argparse.Namespace) -> Result:
    """Check a dump; what was declared counts where its run.json says nothing."""
    from compare.examine.dump.dump import check_dump

    asked: Experiment = options.experiment
    given = [name for name in settings_used_by(DUMP) if name in options.given]
    result = check_dump(options.dump, **{name: getattr(asked, name) for name in given})
    overruled = [
        f"{flag_of(name)} {getattr(asked, name)} is not used, because run.json says {said}"
        for name, said in result.settings.items()
        if name in options.given and name in settings_used_by(DUMP) and said != getattr(asked, name)
    ]
    return result.lacking(*overruled)


def curves(options: argparse.Namespace, on_update: Callable[[Progress], None]) -> Result:
    """Hold logged curves against a run of the settings."""
    from compare.examine.curves.check import check_curves

    asked: Experiment = options.experiment
    return check_curves(options.curves, asked, trains=options.trains, on_update=on_update)


def derivative(code: GuardedProduct | GuardedSamples, options: argparse.Namespace) -> Result:
    """Check a Hessian-vector product or per-sample gradients at drawn points."""
    from compare.data import load as load_data
    from compare.examine.derivatives import (
        check_hessian_vector_product,
        check_per_sample_gradients,
    )

    if options.trains or options.record is not None:
        raise BadInput(
            "a Hessian-vector product and per-sample gradients are checked at drawn points: leave "
            "--epochs and --record out"
        )
    asked: Experiment = options.experiment
    data = load_data(asked.data) if None in (options.inputs, options.classes) else None
    ends: Any = {
        "inputs": options.inputs or (data.train.x.shape[1] if data else 1),
        "classes": options.classes or (data.classes if data else 1),
    }
    declared: Any = {n: getattr(asked, n) for n in settings_used_by(POINT) if n != "data"}
    product = isinstance(code, GuardedProduct)
    check = check_hessian_vector_product if product else check_per_sample_gradients
    result = check(code.function, timeout=options.timeout, **ends, **declared)
    return replace(result, settings={**result.settings, "manual": Path(options.manual).name})


def single_point(loaded: Loaded, options: argparse.Namespace, uses: tuple[str, ...]) -> Result:
    """Check a function at probe points with the rows and the sizes of the data."""
    from compare.data import load as load_data
    from compare.examine.point import CLASSES, INPUTS, check

    if options.record is not None:
        raise BadInput("--record writes down a training run: give --epochs as well")
    asked: Experiment = options.experiment
    drawn = options.inputs is not None or options.classes is not None
    data = None if drawn else load_data(asked.data)
    step = None if loaded.step is None else loaded.step.function
    declared: Any = {name: getattr(asked, name) for name in settings_used_by(*uses)}
    del declared["data"]
    result = check(
        loaded.implementation.function,
        inputs=data.train.x.shape[1] if data else options.inputs or INPUTS,
        classes=data.classes if data else options.classes or CLASSES,
        rows=data.train.x if data else None, timeout=options.timeout, step=step,
        per_sample=options.per_sample, **declared,
    )  # fmt: skip
    settings = {
        **result.settings,
        "data": data.name if data else None,
        "manual": Path(options.manual).name,
    }
    return replace(result, settings=settings, notes=(*result.notes, *loaded.notes))


def training(
    loaded: Loaded | None,
    options: argparse.Namespace,
    on_update: Callable[[Progress], None],
) -> Result:
    """Train both sides, theirs or ours as the manual one."""
    from compare.examine.dump.recorder import Recorder
    from compare.examine.large_updates import beyond_a_training
    from compare.examine.training import run_training

    asked: Experiment = options.experiment
    if loaded is not None and isinstance(loaded.implementation, GuardedUpdate):
        asked = plain_descent(options)
    tap = None if options.record is None else Recorder(options.record, asked)
    manual = None if loaded is None else manual_of(loaded, asked, Path(options.manual).name)
    ranks = launched()
    if ranks is None:
        result = run_training(asked, manual=manual, on_update=on_update, tap=tap)
        if loaded is not None and loaded.step is not None and result:
            sizes = result.settings["sizes"]
            result = result.lacking(*beyond_a_training(loaded.step.function, asked, sizes))
    else:
        from compare.examine.parallel import run_in_parallel

        result = run_in_parallel(
            asked, ranks, manual=manual, reduction=reduction_of(loaded, options.timeout),
            on_update=on_update, tap=tap, timeout=options.timeout,
        )  # fmt: skip
    if tap is not None and tap.trouble is not None:
        options.trouble.append(tap.trouble)
    notes = () if loaded is None else loaded.notes
    return replace(result, notes=(*result.notes, *notes))


def reduction_of(loaded: Loaded | None, timeout: float) -> GuardedReduction | None:
    """Return how their file adds up over ranks, if it says so."""
    if loaded is None or loaded.reduction is None:
        return None
    return GuardedReduction(loaded.reduction, timeout=timeout, notes=loaded.record)


BEYOND_DESCENT = frozenset({
    "momentum", "optimiser", "momentum_form", "nesterov", "dampening", "weight_decay", "clip_norm",
    "clip_value", "schedule",
})  # fmt: skip
"""Settings with which an update is more than w - learning_rate * dw."""


def plain_descent(options: argparse.Namespace) -> Experiment:
    """Return the experiment of an `update`, which is w - learning_rate * dw and nothing besides."""
    asked: Experiment = options.experiment
    momentum = asked.momentum if "momentum" in options.given else 0.0
    if momentum or not asked.plain_momentum:
        beyond = (name for name in options.given if name in BEYOND_DESCENT)
        more = [flag_of(name) for name in beyond if getattr(asked, name) not in (0, "sgd")]
        raise BadInput(
            "an update(parameters, x, targets, *, learning_rate) is held against plain gradient "
            f"descent: leave out {' and '.join(more)}, or bring a `step`"
        )
    return replace(asked, momentum=0.0)


def manual_of(loaded: Loaded, asked: Experiment, name: str) -> Manual:
    """Return their function as the manual side of a run.

    Their step, or ours of the form that was asked for. Curves show their loss; the accuracy is
    counted on their logits if they show them, and on ours at their weights if not.
    """
    from compare.contracts.records import Manual
    from compare.examine.carried import TrainedMomentum, TrainedStep, TrainedUpdate
    from compare.examine.identifying import Hinting
    from compare.examine.sides import our_manual

    ours = our_manual(asked)
    code = loaded.implementation
    if isinstance(code, GuardedUpdate):
        if not asked.between.plain:
            raise BadInput("an update(...) is trained without normalisation and dropout")
        code.loss_of = lambda parameters, x, targets, _: ours.evaluate(parameters, x, targets)[0]
        update = TrainedUpdate(code, asked)
        return Manual(
            update.loss_and_gradients, ours.evaluate, update.step, name, shows_state=False
        )

    def evaluate(parameters: Any, x: Any, targets: Any, **how: Any) -> tuple[float, float]:
        if not asked.between.as_in_evaluation:
            return ours.evaluate(parameters, x, targets, **how)
        loss, _, shown = code(parameters, x, targets)
        if "logits" in shown:
            return loss, accuracy(shown["logits"], targets)
        return loss, ours.evaluate(parameters, x, targets)[1]

    step: Optimiser = ours.step
    if isinstance(loaded.step, GuardedOptimiser):
        step = TrainedStep(loaded.step, asked)
    elif loaded.step is not None:
        step = Hinting(TrainedMomentum(loaded.step, asked), asked)
    return Manual(code, evaluate, step, name)
