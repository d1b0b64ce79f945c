"""`check_layer`: one call that judges a hand-written forward and backward pass against torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compare.checks.control import negative_control
from compare.contracts.arrays import Arrays
from compare.contracts.errors import BadInput
from compare.contracts.known import known_keywords
from compare.contracts.result import Finding, Result, Verdict
from compare.examine.environment import environment
from compare.guard.patience import one_check
from compare.layers import conclude
from compare.layers.analysed import as_tensors
from compare.layers.asking import Question, described, question
from compare.layers.calling import Shape
from compare.layers.child import Crashed, TooLong, in_child
from compare.layers.elsewhere import at_other_shapes
from compare.layers.equal_lengths import only_where_equal
from compare.layers.excuse import Excuses
from compare.layers.half import Closer, with_more_digits
from compare.layers.judged import Judged, State, judge
from compare.layers.manual import Manual
from compare.layers.names import Named, clip_named, name_mistake
from compare.layers.points import BESIDE
from compare.layers.program import Program
from compare.layers.recorded import read_recorded
from compare.layers.slope import contradiction, slope_test
from compare.layers.structure import NOT_LINEAR, structure
from compare.layers.survey import Surveyed, survey, unanalysed

TIMEOUT = 60.0


@known_keywords("check_layer()")
@one_check()
def check_layer(
    manual: Any,
    reference: Any,
    inputs: Mapping[str, Any] | None = None,
    *,
    dy: Any = None,
    wrt: Sequence[str] | None = None,
    seed: int = 0,
    timeout: float | None = TIMEOUT,
) -> Result:
    """Judge a layer written by hand against a torch module or function, forward and backward.

    With outputs y and `L = sum(dy * y)`, the gradient of an input x is `dx = dL/dx`. Every entry of
    y and of every dx is held against the reference's, within an allowance derived from the
    reference's own operations (`compare.layers.analysis`).

    Parameters:
        manual: a function `manual(inputs, dy) -> (y, {name: gradient})`; a pair `(forward,
            backward)` with `forward(*inputs) -> y` or `(y, cache)` and `backward(dy, cache)`
            returning a dictionary or a tuple in the order of `wrt`; an object with `forward` (or
            `__call__`) and `backward`, whose gradients are returned or attributes (`dW`, `db`,
            `grads`); a folder of numbers that were written down (`compare.layers.recorded`), which
            brings its own inputs and dy.
        reference: a `torch.nn.Module`, whose parameters are inputs by their torch names, or a
            function that takes the inputs as keywords.
        inputs: by name an array, or a shape (a tuple) to be drawn: then at three scales, in
            float32 and float64, and once each with zeros and ties, and just beside 0. Arrays are
            judged in their format.
        dy: an array like the output, or several of them; drawn if it is not given, and absent for
            a scalar loss.
        wrt: the inputs to differentiate, by default all floating ones.
        seed: of what is drawn.
        timeout: seconds for one call of the manual side, and for the analysis.

    Returns:
        The verdict with everything that was found.

    Raises:
        BadInput: arguments that do not fit, a reference that raises, or (with the line) a manual
            side that raises, hangs or returns something else.

    Example:
        >>> import numpy as np, torch
        >>> def manual(inputs, dy):
        ...     y = np.tanh(inputs["x"])
        ...     return y, {"x": dy * (1 - y * y)}
        >>> bool(check_layer(manual, torch.tanh, {"x": (4, 3)}))
        True
    """
    if timeout is not None and not timeout > 0:
        raise BadInput(f"timeout is {timeout!r}; give seconds above 0, or None for no limit")
    if isinstance(manual, str | Path):
        manual = read_recorded(Path(manual))
        inputs, dy = manual.inputs, manual.dy
    asked = question(reference, inputs or {}, dy, wrt, seed)
    surveyed = surveyed_points(asked, seed, timeout)
    shape = shape_of(surveyed[0], asked.wrt)
    called = Manual(manual, timeout)
    points = [judge(one, called(one.point, shape)) for one in surveyed]
    program = Program(asked.reference, asked.wrt)
    excuses = Excuses(program, called, shape, timeout)
    agreeing = [one for one in points if one.state is not State.DISAGREES]
    excuses.consider_all([one for one in points if one.state is State.DISAGREES])
    for one in agreeing:
        excuses.reconsider(one)
    closer = Closer()
    if called.repeatable:
        closer = with_more_digits(asked, points, shape, manual, timeout)
    points = [*points, *closer.points]
    case = Case(asked, program, called, shape, points, closer.notes, timeout, manual)
    return concluded(case, reference, seed)


def assert_layer_matches(
    manual: Any, reference: Any, inputs: Mapping[str, Any] | None = None, **options: Any
) -> None:
    """Raise `Disagreement`, an `AssertionError` of one screen, unless `check_layer` says *agrees*.

    Parameters:
        manual: as in `check_layer`.
        reference: as in `check_layer`.
        inputs: as in `check_layer`.
        options: the other options of `check_layer`.

    Raises:
        Disagreement: the verdict is *disagrees* or *undecidable*.
        BadInput: as in `check_layer`.

    Example:
        >>> import torch
        >>> wrong = lambda inputs, dy: (inputs["x"] ** 2, {"x": dy * inputs["x"]})
        >>> assert_layer_matches(wrong, torch.square, {"x": (4, 3)})
        Traceback (most recent call last):
        compare.contracts.result.Disagreement: ...
    """
    __tracebackhide__ = True
    check_layer(manual, reference, inputs, **options).raise_for_disagreement()


@dataclass(frozen=True)
class Case:
    """Everything that a verdict is made of."""

    asked: Question
    program: Program
    manual: Manual
    shape: Shape
    points: list[Judged]
    notes: Sequence[str]
    timeout: float | None
    code: Any


def surveyed_points(asked: Question, seed: int, timeout: float | None) -> list[Surveyed]:
    """Analyse the reference at every point, in a child process."""

    def work() -> list[Surveyed]:
        return survey(
            asked.reference, asked.points, asked.wrt, asked.dy, seed, asked.asked, timeout
        )

    try:
        return in_child(work, timeout)
    except TooLong as long:
        advice = f"{long}; mistakes show at smaller shapes as well, or give timeout="
        return without_analysis(asked, seed, timeout, advice)
    except Crashed as crash:
        return without_analysis(asked, seed, timeout, str(crash))


def without_analysis(asked: Question, seed: int, timeout: float | None, why: str) -> list[Surveyed]:
    """Run the plain reference alone, at the first point: the analysis took its process along."""

    def work() -> list[Surveyed]:
        return [unanalysed(asked.reference, asked.points[0], asked.wrt, asked.dy, seed, why)]

    try:
        return in_child(work, timeout)
    except Crashed as crash:
        raise BadInput(f"the reference cannot be run: {crash}") from crash


def shape_of(one: Surveyed, wrt: Sequence[str]) -> Shape:
    """Return what the manual side has to return."""
    inputs = {name: np.shape(value) for name, value in one.point.inputs.items()}
    return Shape(one.outputs, one.container, inputs, wrt)


def concluded(case: Case, reference: Any, seed: int) -> Result:
    """Return the result: probes of structure, the control, the slope test, names, sentences."""
    points = case.points
    decided = [one for one in points if one.state is not State.UNDECIDED]
    odd, notes = structure_of(case, decided)
    wrong = clearest(points)
    taylor = None
    if wrong is not None and case.manual.repeatable:
        taylor = slope_test(case.manual, case.shape, wrong)
    named = Named() if wrong is None else named_mistake(case, wrong, seed)
    verdict, kind, sentence = judged_by(points, odd, notes, named)
    against = None if wrong is None else contradiction(taylor, wrong)
    if against is not None and not named.diagnosis:
        verdict, kind, sentence = Verdict.UNDECIDABLE, None, against
    accepted = accepted_by_control(decided)
    equal = coincidences(case, seed) if verdict is Verdict.AGREES else ()
    return Result(
        verdict=verdict,
        kind=kind,
        settings=conclude.settings_of(points, described(reference), seed),
        environment=environment(),
        sentence=sentence,
        findings=(*conclude.findings_of(points), *odd),
        weak=conclude.weak_of(points),
        kinks=tuple(kink for one in points for kink in one.kinks),
        diagnosis=named.diagnosis,
        prediction=named.prediction,
        checks=(conclude.summary(points, verdict),),
        worst=conclude.worst_of(points),
        notes=(
            *(f"the judge accepted {what}" for what in accepted),
            *conclude.oddities(points, sentence), *named.facts, *notes, *case.notes,
            *case.asked.notes,
            *conclude.left_out(points, case.asked.points), *equal,
            *case.manual.notes,
        ),
        # A prediction is of the clearest point; without one the picture is of what is quoted.
        heatmap=conclude.heatmap_of([wrong] if wrong and named.prediction else points),
        referee=None if taylor is None else taylor.as_mapping(),
        control_failed=bool(accepted),
    )  # fmt: skip


def structure_of(
    case: Case, decided: Sequence[Judged]
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Return what calls show besides numbers: findings, or notes where numbers are wrong anyway."""
    if not (decided and case.manual.repeatable):
        return (), ()
    odd = tuple(structure(case.manual, case.shape, decided[0]))
    if any(one.state is State.DISAGREES for one in case.points):
        return (), tuple(one.message for one in odd)
    return odd, ()


def judged_by(
    points: Sequence[Judged], odd: Sequence[Finding], notes: Sequence[str], named: Named
) -> tuple[Verdict, str | None, str]:
    """Return verdict, kind and sentence as the points give them."""
    verdict = conclude.verdict_of(points, odd)
    said = [note for note in notes if NOT_LINEAR in note] + [d.sentence for d in named.diagnosis]
    sentence = conclude.sentence_of(points, odd, verdict, said)
    whole = "; ".join(each for each in (sentence, named.unsought) if each)
    return verdict, conclude.kind_of(points, odd, verdict), whole


def named_mistake(case: Case, wrong: Judged, seed: int) -> Named:
    """Return the mistakes that are proved, with other shapes to tell coincidences apart.

    None where code is wrong just beside 0 alone: a function left out there is as good as any.
    """
    if wrong.point.special == BESIDE:
        return Named()
    cut_off = unreached(case, wrong)
    if cut_off:
        return Named(unsought=conclude.cut_off(cut_off))
    others = at_other_shapes(case.asked, wrong, case.code, seed, case.timeout)
    named = name_mistake(case.program, wrong, case.timeout, others)
    if named.diagnosis or wrong.misshapen:
        return named
    disagreeing = [one for one in case.points if one.state is State.DISAGREES]
    clipped = clip_named([wrong, *(one for one in disagreeing if one is not wrong)])
    return clipped if clipped.diagnosis else named


def coincidences(case: Case, seed: int) -> tuple[str, ...]:
    """Return what is right only where two lengths coincide."""
    plain = [one for one in case.points if one.state is State.AGREES and not one.point.special]
    precise = [one for one in plain if one.point.format == "float64"] or plain
    if not precise:
        return ()
    return only_where_equal(case.asked, precise[0], case.code, seed, case.timeout)


def unreached(case: Case, wrong: Judged) -> list[str]:
    """Return the inputs that have no part in the reference, if nothing else is wrong."""
    try:
        names = in_child(
            lambda: case.program.unreached(as_tensors(wrong.point.inputs)), case.timeout
        )
    except (Crashed, BadInput):
        return []
    return list(names) if set(wrong.wrong) <= {f"d{name}" for name in names} else []


def clearest(points: Sequence[Judged]) -> Judged | None:
    """Return the point that disagrees and has the most digits: float64 before float32."""
    wrong = [one for one in points if one.state is State.DISAGREES]
    ordinary = [one for one in wrong if not one.point.special] or wrong
    precise = [one for one in ordinary if one.point.format == "float64"] or ordinary
    return precise[0] if precise else None


def accepted_by_control(points: Sequence[Judged]) -> tuple[str, ...]:
    """Show the judge what it must reject, at the first point; return what it accepted."""
    if not points:
        return ()
    surveyed = points[0].surveyed
    right, allowances = surveyed.analysed.reference, surveyed.analysed.allowances
    names = [name for name in right if name not in surveyed.outputs and right[name].size]
    if not names:
        return ()

    def accepts(gradients: Arrays) -> bool:
        numbers = right | {f"d{name}": values for name, values in gradients.items()}
        return not judge(surveyed, numbers).wrong

    return negative_control(
        accepts,
        {name[1:]: right[name] for name in names},
        {name[1:]: allowances[name] for name in names},
    ).accepted
