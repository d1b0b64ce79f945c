"""Checks of what is differentiated beside the gradient: twice along a vector, and row by row.

A Hessian-vector product is held against torch.func's `vjp` of `grad`, with the allowance of
Pearlmutter's lines run on pairs. The gradient of every row is held against the reference's of that
row alone, with the allowance that a batch of one row has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np

from compare.checks.comparison import Comparison, compare_entries
from compare.contracts.arrays import Arrays
from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
from compare.contracts.keywords import Declared, settings_used_by
from compare.contracts.known import require_known
from compare.contracts.limits import SECONDS, Maybe, Whole, fitted
from compare.contracts.measured import Worst
from compare.contracts.result import CheckSummary, Finding, Result, Verdict
from compare.contracts.setting import POINT
from compare.examine.at_points import SETTINGS
from compare.examine.environment import environment
from compare.examine.sides import build_reference, differentiating
from compare.guard.derivatives import GuardedProduct, GuardedSamples
from compare.judge.ledger import ENDLESS, bounded
from compare.judge.point import PointJudge
from compare.points.probe import ON_KINK, Probe, draw_probes
from compare.textbook.plain_second import (
    CURVES,
    OUTPUTS,
    has_bend,
    hessian_vector_product,
    is_smooth,
)

HIDDEN = (11,)
SEEN = {"float64": 1e-12, "float32": 1e-4}
"""A factor so far from 1 has to be seen, or the point says nothing."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What was compared at one point; `powerful`: a wrong factor would have been seen."""

    note: str
    compared: dict[str, Comparison]
    powerful: bool


def check_hessian_vector_product(
    function: Callable[..., Arrays],
    *,
    inputs: int = 13,
    classes: int = 5,
    timeout: float | None = 60.0,
    **declared: Unpack[Declared],
) -> Result:
    """Check `hessian_vector_product(parameters, x, targets, direction) -> {name: H v}`.

    H is the Hessian of the declared loss with its penalty, behind identity, sigmoid or tanh, over
    units of any activation. Points and directions are drawn, none with a unit on a kink.

    Parameters:
        function: the code under test; `direction` has the names and shapes of the parameters.
        inputs: F of the drawn networks.
        classes: K of the drawn networks.
        timeout: seconds for one call; None waits for ever.
        declared: settings of `Experiment`, as in `check`, of such a network.

    Returns:
        The verdict with everything that was found.

    Raises:
        BadInput: settings of another network than these.
        UserCodeError: the function returns something else.

    Example:
        >>> from manual_mlp.per_sample import hessian_vector_product
        >>> bool(check_hessian_vector_product(hessian_vector_product, hidden=(7, 3)))
        True
    """
    asked = experiment_of(dict(declared))
    known = is_smooth(asked.objective) and has_bend(asked.activation)
    if not (known and asked.between.plain):
        raise BadInput(
            f"a Hessian-vector product is checked of the losses {', '.join(CURVES)} behind "
            f"{', '.join(OUTPUTS)}, without normalisation and dropout"
        )
    guarded = GuardedProduct(function, timeout=fitted("timeout", Maybe(SECONDS), timeout))

    def judged(judge: PointJudge, probe: Probe) -> Judged:
        return judged_product(judge, guarded, probe)

    found = at_points(asked, inputs, classes, judged)
    return result_of(asked, found, "hessian", guarded.notes)


def check_per_sample_gradients(
    function: Callable[..., Arrays],
    *,
    inputs: int = 13,
    classes: int = 5,
    timeout: float | None = 60.0,
    **declared: Unpack[Declared],
) -> Result:
    """Check `per_sample_gradients(parameters, x, targets) -> {name: (N, shape of the parameter)}`.

    Row n is the gradient of the loss of sample n alone, as a batch of that one row has it.

    Parameters:
        function: the code under test.
        inputs: F of the drawn networks.
        classes: K of the drawn networks.
        timeout: seconds for one call; None waits for ever.
        declared: settings of `Experiment`, as in `check`.

    Returns:
        The verdict with everything that was found.

    Raises:
        BadInput: batch normalisation or dropout, whose rows have no gradient of their own.
        UserCodeError: the function returns something else.

    Example:
        >>> from manual_mlp.per_sample import per_sample_gradients
        >>> bool(check_per_sample_gradients(per_sample_gradients, hidden=(7, 3)))
        True
    """
    asked = experiment_of(dict(declared))
    weighs = asked.class_weights is not None or asked.ignore_index is not None
    if asked.between.together or asked.dropout or weighs:
        raise BadInput(
            "rows that share statistics, masks or weights have no gradients of their own: check "
            "per-sample gradients without batch normalisation, dropout and class weights"
        )
    guarded = GuardedSamples(function, timeout=fitted("timeout", Maybe(SECONDS), timeout))

    def judged(judge: PointJudge, probe: Probe) -> Judged:
        return judged_rows(judge, guarded, probe)

    found = at_points(asked, inputs, classes, judged)
    return result_of(asked, found, "per sample", guarded.notes)


def experiment_of(declared: dict[str, Any]) -> Experiment:
    """Return the settings of a check at drawn points."""
    known = tuple(name for name in settings_used_by(POINT) if name != "data")
    require_known(declared, known, "check()")
    return Experiment(**{"hidden": HIDDEN, **declared})


def at_points(
    asked: Experiment, inputs: int, classes: int, judged: Callable[[PointJudge, Probe], Judged]
) -> list[Judged]:
    """Judge every drawn point but the one with a unit on its kink."""
    ends = fitted("inputs", Whole(1), inputs), fitted("classes", Whole(1), classes)
    sizes = (ends[0], *asked.hidden, ends[1])
    probes = draw_probes(
        sizes, activation=asked.activation, dtype=asked.dtype, seed=asked.seed,
        objective=asked.objective, bias=asked.bias, between=asked.between,
    )  # fmt: skip
    with differentiating():
        reference = build_reference(asked, sizes)
        judge = PointJudge(experiment=asked, reference=reference, mode="check")
        return [judged(judge, probe) for probe in probes if probe.note != ON_KINK]


def judged_product(judge: PointJudge, guarded: GuardedProduct, probe: Probe) -> Judged:
    """Hold one product against torch's, along a random direction."""
    from torch_reference.second_order import hessian_vector_product as torch_product

    asked, dtype = judge.experiment, probe.x.dtype
    drawn = np.random.default_rng((asked.seed, len(probe.note)))
    v = {k: drawn.normal(size=w.shape).astype(dtype) for k, w in probe.parameters.items()}
    at = probe.parameters, probe.x, probe.targets
    ours, theirs = guarded(*at, v), torch_product(judge.reference, *at, v)
    pairs = hessian_vector_product(
        *at, v, activation=asked.activation, objective=asked.objective, dtype=dtype
    )
    compared = {
        f"H{name}": compare_entries(f"H{name}", ours[name], theirs[name], pairs[name].allowance)
        for name in ours
    }
    powers = [seen(theirs[name], pairs[name].allowance) for name in ours]
    return Judged(probe.note, compared, any(powers))


def judged_rows(judge: PointJudge, guarded: GuardedSamples, probe: Probe) -> Judged:
    """Hold the gradient of every row against the reference's of that row, kinks resolved."""
    each = guarded(probe.parameters, probe.x, probe.targets)
    compared: dict[str, Comparison] = {}
    powerful = False
    for n in range(len(probe.x)):
        rows = slice(n, n + 1)
        expected = judge.same_point.expect(probe.parameters, probe.x[rows], probe.targets[rows])
        own = {name: array[n] for name, array in each.items()}
        examined = judge.same_point.hold(expected, expected.loss, own)
        for name, one in examined.gradients.items():
            key = f"d{name}"
            if key not in compared or not one.ratio <= compared[key].ratio:
                compared[key] = of_row(one, key, n)
            allowed = np.asarray(examined.allowances.gradients[name])
            powerful |= seen(np.asarray(expected.gradients[name]), allowed)
    return Judged(probe.note, compared, powerful)


def of_row(one: Comparison, name: str, n: int) -> Comparison:
    """Return a comparison of one row with the row in front of its index."""
    worst = one.worst
    moved = Worst(
        worst.error, worst.allowance, worst.ratio, (n, *worst.index), worst.manual, worst.reference
    )
    return Comparison(
        name, moved, one.manual_finite, one.reference_finite, one.spread, one.most_spread
    )


def seen(reference: Any, allowance: Any) -> bool:
    """Return whether a wrong factor of some entry would be beyond its allowance."""
    dtype = str(reference.dtype)
    return bool((SEEN[dtype] * np.abs(reference.astype(np.float64)) > 2 * allowance).any())


def result_of(
    asked: Experiment, points: list[Judged], check: str, notes: tuple[str, ...]
) -> Result:
    """Conclude from the points: one finding for every wrong tensor, the first place of each."""
    findings = tuple(findings_of(points))
    worst: dict[str, Worst] = {}
    for point in points:
        for name, one in point.compared.items():
            if name not in worst or not one.worst.ratio <= worst[name].ratio:
                worst[name] = one.worst
    largest = max(one.ratio for one in worst.values())
    verdict = Verdict.AGREES if any(one.powerful for one in points) else Verdict.UNDECIDABLE
    verdict = Verdict.DISAGREES if findings else verdict
    names = ", ".join(worst)
    said = {
        Verdict.AGREES: f"agrees: {names} at {len(points)} points, worst {largest:.2g} × allowance",
        Verdict.UNDECIDABLE: "undecidable: no point could have shown a wrong factor",
        Verdict.DISAGREES: f"disagrees (derivative): {findings[0].message if findings else ''}",
    }
    settings = {"mode": check, **{name: getattr(asked, name) for name in SETTINGS}}
    sentence = f"{len(points)} points, worst {bounded(largest)} × allowance"
    return Result(
        verdict, "derivative" if findings else None, settings, environment(), said[verdict],
        findings=findings, worst=worst, notes=notes,
        checks=(CheckSummary(check, verdict, len(points), largest, sentence),),
    )  # fmt: skip


def findings_of(points: list[Judged]) -> Iterator[Finding]:
    """Yield the first wrong place of every tensor."""
    known: set[str] = set()
    for number, point in enumerate(points):
        for name, one in point.compared.items():
            if not one.agrees and name not in known:
                known.add(name)
                at = one.worst
                place = f"{name}[{', '.join(map(str, at.index))}]" if at.index else name
                size = f"{at.ratio:.3g} × allowance; " if at.ratio <= ENDLESS else ""
                message = (
                    f"{place} is {at.manual:.7g}; the reference has {at.reference:.7g} "
                    f"({size}{point.note})"
                )
                yield Finding.at(at, "same_point", name, message, parameter=name[1:], update=number)
