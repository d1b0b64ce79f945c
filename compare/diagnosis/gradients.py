"""Diagnosis of loss and gradient: of a function that can be called, or of recorded numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from compare.contracts.between import PLAIN, Between
from compare.contracts.objective import Objective
from compare.contracts.result import Diagnosis
from compare.diagnosis.accept import adapted
from compare.diagnosis.answer import Answer, answer
from compare.diagnosis.asking import Implementation, observations
from compare.diagnosis.calls import diagnose_calls
from compare.diagnosis.collected_seldom import collected_seldom
from compare.diagnosis.declared import undeclared
from compare.diagnosis.domains import Explained, base_of, explained
from compare.diagnosis.embedded import inside, seen_inside
from compare.diagnosis.facts import facts_of
from compare.diagnosis.match import Case
from compare.diagnosis.observation import Observation
from compare.diagnosis.prediction import explanation_of
from compare.diagnosis.search import showing, singles
from compare.guard.written import where_written
from compare.mistakes.catalogue import IN_A_CALL
from compare.points.diagnostic import kinds_for, probe, reduced
from compare.points.drawing import batch_sizes
from compare.textbook import Point

WHOLE = 37
"""Rows of one ordinary probe at least: more than the 8, 10, 16 or 32 of a chunk or batch size that
is written into the code, and a multiple of none. What only few rows show or hide is no answer."""
GUARDS = frozenset(mistake.name for mistake in IN_A_CALL if mistake.guard)
HELD = 2
"""At so many points of the full widths an explanation of a small network inside is held."""
ELSEWHERE = "(Left out: points at which the numbers are infinite or NaN.)"


def diagnose(
    implementation: Implementation,
    *,
    sizes: Sequence[int],
    activation: str = "relu",
    reduction: str = "mean",
    dtype: DTypeLike = np.float64,
    seed: int = 0,
    objective: Objective | None = None,
    bias: bool = True,
    between: Between = PLAIN,
    evaluates: bool = True,
) -> tuple[Diagnosis, ...]:
    """Return the mistakes that reproduce what `implementation` computes, best first.

        implementation(parameters, x, targets) -> (loss, gradients[, intermediates])

    With normalisation or dropout `between` it is called with `context=` as well; unless it
    `evaluates` in training only.

    `sizes` are the widths (F, H, ..., K). Wide layers are first probed at smaller widths, which is
    as good and faster; at their own if the code does not take others or is right there. Empty: it
    is right on every probe, or no known mistake reproduces it.
    """
    return diagnosed(
        implementation, sizes=sizes, activation=activation, reduction=reduction, dtype=dtype,
        seed=seed, objective=objective, bias=bias, between=between, evaluates=evaluates,
    ).diagnosis  # fmt: skip


@collected_seldom()
def diagnosed(
    implementation: Implementation,
    *,
    sizes: Sequence[int],
    special: bool = True,
    single: bool = False,
    **options: Any,
) -> Answer:
    """Return the same with habits and, where something stays unexplained, plain facts.

    Takes the options of `diagnose`. Nothing at all is said of code that is right on every probe.
    Without `special` the probes that code may not be made for are left out; nothing but one mistake
    that reproduces all numbers is looked for where it has to be `single`.
    """
    taken = True
    for widths in dict.fromkeys((reduced(sizes), tuple(sizes))):
        points = probes(widths, **options)
        observed = observations(implementation, points)
        observed = [one for one in observed if special or not one.special]
        cases = [Case(one) for one in observed]
        if single and not one_explains(cases):
            continue
        behind = left_behind(implementation, points)
        if behind:
            return Answer(behind)
        inside = None if taken else explained_inside(implementation, sizes, observed, options)
        found = with_lines(inside or answer_to(cases), implementation)
        if found.diagnosis or found.notes:
            return found
        taken = bool(observed)
    return Answer()


def explained_inside(
    implementation: Implementation,
    sizes: Sequence[int],
    observed: Sequence[Observation],
    options: Mapping[str, Any],
) -> Answer | None:
    """Return what explains code that takes no other widths, found in a small network inside.

    `observed` are random points of the full widths, which it must reproduce. None: there is no
    such network, or it is right in it, or what was found there holds nowhere else.
    """
    network = inside(sizes, options["activation"])
    plain = options.get("between", PLAIN).plain
    if network is None or not plain or not observed:
        return None
    points = probes(network.small, **options)
    seen = seen_inside(network, points, lambda some: observations(implementation, some))
    found = explain(*seen)
    cases = [Case(one) for one in observed if not one.special][:HELD]
    if found.diagnosis:
        return found if all(holds(found, case, sizes) for case in cases) else None
    return replace(found, notes=facts_of(cases)) if found.notes else None


def holds(found: Answer, case: Case, sizes: Sequence[int]) -> bool:
    """Return whether an answer reproduces every tensor of a case, and no constant is a width."""
    guards = [one for one in found.habits if all(slip.mistake in GUARDS for slip in one.slips)]
    told = [*found.diagnosis, *guards]
    if not all(one.slips for one in told) or {one.constant for one in told} & set(sizes):
        return False
    for name in case.observation.order:
        slips = tuple(slip for one in told if one.concerns(name) for slip in one.slips)
        one = replace(found.diagnosis[0], _slips=slips)
        if adapted(explanation_of(one, case), case.only(name)) is None:
            return False
    return True


def with_lines(found: Answer, implementation: Implementation) -> Answer:
    """Return the answer with the line of every guard in it, where the file tells."""

    def placed(one: Diagnosis) -> Diagnosis:
        guards = one.constant is not None and any(slip.mistake in GUARDS for slip in one.slips)
        place = where_written(implementation, one.constant or 0.0) if guards else None
        return replace(one, sentence=f"{one.sentence} ({place.quoted()}.)") if place else one

    return replace(
        found,
        diagnosis=tuple(map(placed, found.diagnosis)),
        habits=tuple(map(placed, found.habits)),
    )


def left_behind(
    implementation: Implementation, points: Sequence[tuple[str, Point]]
) -> tuple[Diagnosis, ...]:
    """Return what one call leaves behind for the next; later calls would only show that again.

    Asked at the first two points, whether or not they were observed: code that keeps values raises
    where a batch of another size came before.
    """
    (_, one), (_, other), *_ = points
    return diagnose_calls(implementation, (one, other, one, one))


def diagnose_gradients(*observed: Observation) -> tuple[Diagnosis, ...]:
    """Return the mistakes that reproduce recorded numbers, at one point or at several."""
    return explain(*observed).diagnosis


def diagnose_single(*observed: Observation) -> tuple[Diagnosis, ...]:
    """Return the same if a single known mistake reproduces all numbers, else nothing: where none
    does this is a small part of a whole diagnosis."""
    cases = [Case(observation) for observation in observed]
    return answer_to(cases).diagnosis if one_explains(cases) else ()


def one_mistake_explains(*observed: Observation) -> bool:
    """True if a single known mistake reproduces all numbers."""
    return one_explains([Case(observation) for observation in observed])


@collected_seldom()
def one_explains(cases: Sequence[Case]) -> bool:
    """Return the same of cases."""
    return any(case.disagrees for case in cases) and bool(singles(cases))


def explain(*observed: Observation) -> Answer:
    """Return the mistakes that reproduce the numbers, the habits they show, and plain facts."""
    return answer_to([Case(observation) for observation in observed])


@collected_seldom()
def answer_to(cases: Sequence[Case]) -> Answer:
    """Return the same of cases, of which every comparison is kept.

    Where the numbers are infinite or NaN at some ordinary points only, and nothing explains that,
    the other points are asked by themselves: there are many ways to overflow, and they hide what
    else is wrong.
    """
    meant = another_network(cases)
    if meant and simple(meant):
        return meant
    finite = [case for case in cases if case.finite or case.observation.special]
    found = explained(cases)
    if meant and not together(found):
        return meant
    if found.findings or not 0 < len(finite) < len(cases):
        return with_facts(answer(found), found)
    other = explained(finite)
    left = with_facts(answer(other), other)
    return replace(
        left,
        diagnosis=tuple(
            replace(one, sentence=f"{one.sentence} {ELSEWHERE}") for one in left.diagnosis
        ),
    )


def another_network(cases: Sequence[Case]) -> Answer | None:
    """Return the network that the code is of, where it is not the declared one, and what is wrong
    with it; None if the loss is that of no other network, or a single mistake explains it."""
    base = base_of(cases)
    if not any(case.disagrees for case in base) or singles(base):
        return None
    found = undeclared(base)
    if found is None:
        return None
    declaration, observed = found
    rest = explained([Case(observation) for observation in observed])
    left = with_facts(answer(rest), rest)
    return replace(left, diagnosis=(declaration, *left.diagnosis))


def simple(meant: Answer) -> bool:
    """Return whether another network leaves at most one mistake and nothing unexplained.

    Otherwise two mistakes in the declared network may say as much with less.
    """
    _, *inside = meant.diagnosis
    return sum(len(one.slips) for one in inside) <= 1 and bool(inside or not meant.notes)


def together(found: Explained) -> bool:
    """Return whether mistakes are found that explain loss and gradient together."""
    return bool(found.findings) and not any(one.tensors for one in found.findings)


def with_facts(said: Answer, found: Explained) -> Answer:
    """Return the answer with the facts about what no mistake explains."""
    named = {name for one in found.findings for name in one.tensors}
    if found.findings and not named:
        return said
    names = [n for case in found.base for n in case.observation.order if n not in named]
    open_cases = showing(tuple(dict.fromkeys(names)), found.base)
    return replace(said, notes=(*facts_of(open_cases), *said.notes))


def probes(
    sizes: Sequence[int],
    *,
    activation: str,
    reduction: str,
    dtype: DTypeLike,
    seed: int,
    objective: Objective | None = None,
    bias: bool = True,
    between: Between = PLAIN,
    evaluates: bool = True,
) -> list[tuple[str, Point]]:
    """Return the probes of a diagnosis with their labels; the first two are of equal size."""
    generator = np.random.default_rng(seed)
    few, some, many = islice(batch_sizes(sizes), 3)
    whole = next(batch_sizes(sizes, WHOLE))
    kinds = kinds_for(dtype, between, evaluates=evaluates)
    made = []
    for kind, rows in zip(
        kinds, (few, few, whole, many, some, many, some, many, some), strict=False
    ):
        point = probe(
            sizes,
            rows,
            kind,
            activation=activation,
            reduction=reduction,
            dtype=dtype,
            generator=generator,
            objective=objective,
            bias=bias,
            between=between,
        )
        made.append((kind.label, point))
    return made
