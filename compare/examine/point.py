"""A single check: somebody's gradient, held against torch at points chosen to have power.

No training, no data set: the answer comes in seconds, in the same words and with the same verdict
as a run's. `check` returns a `Result`; `assert_gradients_match` is `check` for tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

import manual_mlp
from compare.checks.step import StepCheck
from compare.checks.structure import Structure
from compare.contracts.arrays import Array, Arrays
from compare.contracts.between import Context
from compare.contracts.errors import BadInput, UserCodeError, WrongCall
from compare.contracts.experiment import Experiment
from compare.contracts.keywords import Declared, require_known, settings_used_by
from compare.contracts.limits import SECONDS, Maybe, Whole, fitted
from compare.contracts.measured import PointRow
from compare.contracts.records import Implementation, Optimiser, Update, depth
from compare.contracts.result import CheckSummary, Result, Verdict
from compare.contracts.setting import POINT, STEP
from compare.examine.arguments import (
    given_point,
    given_rows,
    network_sizes,
    require_agreement,
)
from compare.examine.environment import environment
from compare.examine.guards import guard_notes
from compare.examine.optimiser import examine_optimiser
from compare.examine.rows import point_row
from compare.examine.sides import build_reference, differentiating, our_manual
from compare.examine.telling import hint, told_apart
from compare.guard.implementation import (
    GuardedImplementation,
    GuardedPerSample,
    GuardedStep,
    GuardedUpdate,
    is_update,
    takes_context,
)
from compare.guard.manual_file import guarded_step
from compare.guard.optimiser import GuardedOptimiser
from compare.judge.conclusion import conclude
from compare.judge.failing import enter_failure, name_despite
from compare.judge.point import PointJudge
from compare.judge.shown import enter_shown
from compare.judge.structure import enter_structure
from compare.points.edges import edge_probes
from compare.points.probe import EVALUATION, ON_KINK, SOFT, Probe, draw_probes

INPUTS, CLASSES = 13, 5
HIDDEN = (11,)
TIMEOUT = 60.0


def check(
    implementation: Implementation | Update,
    *,
    parameters: Arrays | None = None,
    x: ArrayLike | None = None,
    targets: ArrayLike | None = None,
    inputs: int = INPUTS,
    classes: int = CLASSES,
    step: Optimiser | None = None,
    timeout: float | None = TIMEOUT,
    rows: ArrayLike | None = None,
    per_sample: bool = False,
    **declared: Unpack[Declared],
) -> Result:
    """Check `implementation(parameters, x, targets) -> (loss, gradients)` against torch.

    Compared with softmax cross-entropy over ReLU units, unless `declared` says otherwise. Without
    `parameters`, `x` and `targets` the points are drawn: non-zero biases, ordinary and confident
    logits, one-hot and soft targets. With all three, that one point is checked.

    Parameters:
        implementation: the gradient under test. An `update(parameters, x, targets, *,
            learning_rate) -> parameters` is one too: its gradients are read from the new weights,
            and no loss is compared.
        parameters: `{"w1": (F, H), "b1": (H,), ..., "wL": (H, K), "bL": (K,)}`.
        x: inputs (N, F), in the format of the parameters.
        targets: (N, K), one-hot or soft; any numbers where the loss takes them.
        inputs: F of the drawn networks.
        classes: K of the drawn networks.
        step: an update rule, held against `torch.optim.SGD` in `momentum_form`, at
            `learning_rate` and `momentum`, or against the class that `optimiser` names.
        timeout: seconds for one call; None waits for ever.
        rows: real inputs to draw from, (any, F).
        per_sample: the implementation takes one sample at a time, `x` (F,) and `targets` (K,).
        declared: settings of `Experiment`: `hidden`, `activation`, `loss`, `l2`, `dtype`, ...

    Returns:
        The verdict with everything that was found.

    Raises:
        BadInput: before the implementation is called, for arguments that do not fit.
        UserCodeError: with the line in the user's file, if it hangs, exits or returns what
            cannot be a loss and gradients. If it raises, or an array has another shape, the
            verdict is *disagrees*.

    Example:
        >>> from manual_mlp import loss_and_gradients
        >>> bool(check(loss_and_gradients, hidden=(7, 3)))
        True
    """
    timeout = fitted("timeout", Maybe(SECONDS), timeout)
    sums = declared.get("loss", "cross_entropy") in ("cross_entropy", "hinge")
    given = given_point(parameters, x, targets, sum_to_one=sums)
    experiment = _experiment(dict(declared), given)
    ends = (fitted("inputs", Whole(1), inputs), fitted("classes", Whole(1), classes))
    sizes = network_sizes(given.parameters) if given else (ends[0], *experiment.hidden, ends[1])
    drawn_from = given_rows(rows, sizes[0])
    guarded = _guarded(implementation, experiment, timeout, per_sample)
    notes = guarded.guard.notes
    their_step = None if step is None else guarded_step(step, experiment, timeout, notes)
    probes = [given] if given else _draw(experiment, sizes, drawn_from)
    with differentiating():
        reference = build_reference(experiment, sizes)
        judge = PointJudge(experiment=experiment, reference=reference, mode="check")
        result = _checked(judge, guarded, their_step, probes, drawn=given is None)
    return result.lacking(*(() if step else unused_step_settings(declared)))


def _guarded(
    implementation: Implementation | Update,
    experiment: Experiment,
    timeout: float | None,
    per_sample: bool,
) -> GuardedImplementation | GuardedUpdate:
    """Return the code under test under guard; of an update the gradients are read."""
    if per_sample and experiment.between.together:
        raise BadInput(
            "per_sample: batch normalisation takes mean and variance over the rows of a batch; "
            "code that takes one sample at a time has none"
        )
    if per_sample:
        summed = experiment.reduction == "sum"
        return GuardedPerSample(implementation, summed=summed, timeout=timeout)
    if not is_update(implementation):
        return GuardedImplementation(implementation, timeout=timeout)

    def loss_of(parameters: Arrays, x: Array, targets: Array, context: Context) -> float:
        how = {"context": context} if context else {}
        return float(our_manual(experiment).loss_and_gradients(parameters, x, targets, **how)[0])

    return GuardedUpdate(implementation, loss_of, timeout=timeout)


def _experiment(declared: dict[str, Any], given: Probe | None) -> Experiment:
    """Return the settings that the keywords declare; a given point decides widths and format."""
    known = tuple(name for name in settings_used_by(POINT, STEP) if name != "data")
    require_known(declared, known, "check()")
    if given is None:
        return Experiment(**{"hidden": HIDDEN, **declared})
    widths = network_sizes(given.parameters)[1:-1]
    found: dict[str, Any] = {"hidden": widths, "dtype": str(given.x.dtype)}
    found["bias"] = "b1" in given.parameters
    experiment = Experiment(**{**found, **declared})
    scales = "gamma1" in given.parameters
    if scales != (experiment.normalisation != "none") and len(widths):
        raise BadInput(
            f"parameters: with normalisation={experiment.normalisation!r} gamma1, beta1, ... are "
            + ("too many" if scales else "missing")
        )
    if experiment.dropout:
        raise BadInput("dropout: leave parameters, x and targets out; a given point has no masks")
    require_agreement(asdict(experiment), found)
    return experiment


def unused_step_settings(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Say which settings only a `step` would use; there is none."""
    only = set(settings_used_by(STEP)) - set(settings_used_by(POINT))
    return tuple(f"{name} is for a step, and none is given" for name in settings if name in only)


def _checked(
    judge: PointJudge,
    guarded: GuardedImplementation | GuardedUpdate,
    step: GuardedStep | GuardedOptimiser | None,
    probes: list[Probe],
    *,
    drawn: bool,
) -> Result:
    """Judge all probes and the step, and conclude."""
    experiment = judge.experiment
    lacks = lacking_context(experiment, guarded.function)
    if lacks:
        probes = [probe for probe in probes if probe.note != EVALUATION]
    seen = Seen()
    named = raised = None
    try:
        seen.points(judge, guarded, probes, drawn=drawn)
    except WrongCall as failure:
        raised = enter_failure(judge, failure)
        named = name_despite(judge, guarded, network_sizes(probes[0].parameters))
    try:
        seen.updates(judge, step, probes[0])
    except WrongCall as failure:
        raised = enter_failure(judge, failure) or raised
    structure = seen.structure
    sizes = network_sizes(probes[0].parameters)
    settings = {"mode": judge.mode, "sizes": list(sizes), "batch": len(probes[0].x)}
    settings |= {name: getattr(experiment, name) for name in SETTINGS}
    if isinstance(step, GuardedOptimiser):
        settings |= {"optimiser": experiment.optimiser, **experiment.optimiser_settings}
    result = conclude(judge, settings, environment(), guarded, named=named)
    notes = (*structure.notes, *lacks, *_kink_convention(judge, probes), *guarded.notes)
    notes += (seen.said,) if seen.said else ()
    whole = type(guarded) is GuardedImplementation
    if result.verdict is Verdict.AGREES and drawn and experiment.plain and whole:
        notes += overflowing(guarded.function, probes[0], experiment.activation, guarded.timeout)
        notes += guard_notes(guarded, experiment, sizes)
    read = isinstance(guarded, GuardedUpdate)  # such gradients have a rounding of their own
    points = () if read else tuple(seen.rows)
    result = replace(
        result, notes=result.notes + notes, checks=result.checks + seen.steps, points=points,
        failure=raised,
    )  # fmt: skip
    return result.lacking(*seen.lacking)


@dataclass
class Seen:
    """What the points and the updates of a check showed, as far as the code under test took us."""

    structure: Structure = field(default_factory=Structure)
    rows: list[PointRow] = field(default_factory=list)
    lacking: dict[str, None] = field(default_factory=dict)
    steps: tuple[CheckSummary, ...] = ()
    said: str = ""

    def points(
        self,
        judge: PointJudge,
        guarded: GuardedImplementation | GuardedUpdate,
        probes: list[Probe],
        *,
        drawn: bool,
    ) -> None:
        """Judge all probes; those with soft targets only if the code takes them."""
        experiment = judge.experiment
        if drawn:
            self.structure = enter_structure(judge, guarded, probes)
            probes[:] = [one for one in probes if self.structure.soft or one.note != SOFT]
        for update, probe in enumerate(probes):
            lacking, row = _examine(judge, guarded, update, probe)
            self.lacking |= dict.fromkeys(lacking)
            self.rows += [] if row is None else [row]
        if drawn and experiment.plain and not judge.ledger.findings:
            for update, probe in enumerate(_edges(experiment, probes[0]), start=len(probes)):
                _examine(judge, guarded, update, probe)

    def updates(
        self, judge: PointJudge, step: GuardedStep | GuardedOptimiser | None, probe: Probe
    ) -> None:
        """Judge the step, if there is one."""
        if isinstance(step, GuardedOptimiser):
            summary, self.said = examine_optimiser(judge, step, probe)
            self.steps = (summary,)
        elif step is not None:
            form = judge.experiment.momentum_form
            try:
                self.steps = _examine_step(judge, step, probe, form)
            except UserCodeError as error:
                more = hint(step.function, judge.experiment, probe.parameters)
                raise type(error)(f"{error}{more}") from error
            if judge.ledger.tallies["step"].failed:
                judge.walked = told_apart(step.function, judge.experiment, probe.parameters)


SETTINGS = (
    "activation", "reduction", "dtype", "seed", "momentum_form", "loss", "output", "loss_factor",
    "l2", "l1", "penalise", "penalty_over", "label_smoothing", "class_weights", "ignore_index",
    "bias", "normalisation", "dropout",
)  # fmt: skip


def lacking_context(experiment: Experiment, function: Callable[..., Any]) -> tuple[str, ...]:
    """Say what a function that does not name `context` cannot be asked for; BadInput for masks."""
    if experiment.between.as_in_evaluation or takes_context(function):
        return ()
    if experiment.dropout:
        raise BadInput(
            "dropout: the function must name an argument `context`, a dictionary with the masks "
            "mask1, ... (N, H), True for units that stay; both sides get the same"
        )
    return (
        "evaluation with running statistics was not asked for: the function has no argument "
        "`context`, a dictionary with training, running_mean1, running_var1, ...",
    )


class CheckOptions(Declared, total=False):
    """The keywords of `check`, for type checkers."""

    parameters: Arrays
    x: ArrayLike
    targets: ArrayLike
    inputs: int
    classes: int
    step: Optimiser
    timeout: float | None
    rows: ArrayLike
    per_sample: bool


def assert_gradients_match(
    implementation: Implementation | Update, **options: Unpack[CheckOptions]
) -> None:
    """Raise `Disagreement`, an `AssertionError` of one screen, unless `check` says *agrees*.

    Parameters:
        implementation: as in `check`.
        options: the options of `check`.

    Raises:
        Disagreement: the verdict is *disagrees* or *undecidable*.
        BadInput: as in `check`.

    Example:
        >>> from manual_mlp import loss_and_gradients
        >>> assert_gradients_match(loss_and_gradients, hidden=(7, 3))
    """
    __tracebackhide__ = True
    try:
        result = check(implementation, **options)
    except BadInput as problem:  # raised anew: the frames between are none of the reader's
        raise type(problem)(str(problem)) from None
    result.raise_for_disagreement()


def _draw(experiment: Experiment, sizes: Sequence[int], rows: NDArray[Any] | None) -> list[Probe]:
    return draw_probes(
        sizes,
        activation=experiment.activation,
        dtype=experiment.dtype,
        seed=experiment.seed,
        rows=rows,
        objective=experiment.objective,
        bias=experiment.bias,
        between=experiment.between,
    )


def _edges(experiment: Experiment, probe: Probe) -> list[Probe]:
    return edge_probes(
        network_sizes(probe.parameters),
        activation=experiment.activation,
        dtype=experiment.dtype,
        seed=experiment.seed,
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


def _examine(
    judge: PointJudge, guarded: GuardedImplementation | GuardedUpdate, update: int, probe: Probe
) -> tuple[list[str], PointRow | None]:
    """Judge one probe; return what it shows that is not compared, and what a baseline keeps."""
    loss, gradients, shown = guarded(probe.parameters, probe.x, probe.targets, **probe.how)
    record = _record(update, probe, loss, gradients, {})
    examined = judge.at_point(record, probe.x, probe.targets, context=probe.context)
    row = point_row(update, probe, loss, gradients, examined)
    return enter_shown(judge, record, examined, shown), row


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
    last = f"w{depth(probe.parameters)}"
    values = manual_mlp.forward(probe.parameters, probe.x, activation=activation)
    logits = values["logits"]
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
    state = judge.state = {f"v_{name}": like(array) for name, array in now.items()}
    tally = judge.ledger.tallies["step"]
    for update in range(2):
        gradients = {name: like(array) for name, array in now.items()}
        before = _record(update, replace(probe, parameters=now), 0.0, gradients, state)
        now, state = guarded(now, gradients, state, learning_rate=rate, momentum=momentum)
        after = _record(update + 1, replace(probe, parameters=now), 0.0, gradients, state)
        judge.replay("manual", before, after, replay)
    sentence = f"{tally.made} step checks, worst {tally.worst_ratio:.2g} × allowance"
    return (CheckSummary("step", tally.verdict, tally.made, tally.worst_ratio, sentence),)
