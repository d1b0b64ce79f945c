"""A single check: somebody's gradient, held against torch at points chosen to have power.

No training, no data set: the answer comes in seconds, in the same words and with the same verdict
as a run's. `check` returns a `Result`; `assert_gradients_match` is `check` for tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Unpack

from numpy.typing import ArrayLike, NDArray

from compare.contracts.arrays import Array, Arrays
from compare.contracts.between import Context
from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
from compare.contracts.keywords import Declared, settings_used_by
from compare.contracts.known import require_known
from compare.contracts.limits import SECONDS, Maybe, Whole, fitted
from compare.contracts.records import Implementation, Optimiser, Update
from compare.contracts.result import Result
from compare.contracts.setting import POINT, STEP
from compare.examine.arguments import (
    given_point,
    given_rows,
    network_sizes,
    require_agreement,
)
from compare.examine.at_points import examine_points
from compare.examine.sides import build_reference, differentiating, our_manual
from compare.examine.threads import given_threads, worthwhile_threads
from compare.guard.implementation import (
    GuardedImplementation,
    GuardedPerSample,
    GuardedUpdate,
    is_update,
)
from compare.guard.manual_file import guarded_step
from compare.guard.patience import one_check
from compare.judge.point import PointJudge
from compare.points.probe import Probe, draw_probes

INPUTS, CLASSES = 13, 5
HIDDEN = (11,)
TIMEOUT = 60.0


@one_check()
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
    threads = experiment.threads or worthwhile_threads(max(len(p.x) for p in probes), sizes)
    with given_threads(threads), differentiating():
        reference = build_reference(experiment, sizes)
        judge = PointJudge(experiment=experiment, reference=reference, mode="check")
        result = examine_points(judge, guarded, their_step, probes, drawn=given is None)
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
    due = experiment.normalisation != "none" and experiment.affine
    if scales != due and len(widths):
        raise BadInput(
            f"parameters: with normalisation={experiment.normalisation!r} gamma1, beta1, ... are "
            + ("too many" if scales else "missing: affine=False is a normalisation without them")
        )
    if experiment.dropout:
        raise BadInput("dropout: leave parameters, x and targets out; a given point has no masks")
    require_agreement(asdict(experiment), found)
    return experiment


def unused_step_settings(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Say which settings only a `step` would use; there is none."""
    only = set(settings_used_by(STEP)) - set(settings_used_by(POINT))
    return tuple(f"{name} is for a step, and none is given" for name in settings if name in only)


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
