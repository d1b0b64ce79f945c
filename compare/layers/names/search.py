"""The search for a name: single tensors first, then changed forward passes, then backward slips."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from compare.contracts.result import Diagnosis
from compare.layers.analysed import as_tensors
from compare.layers.child import Crashed, in_child
from compare.layers.formats import FORMATS
from compare.layers.judged import Judged
from compare.layers.names.calls import in_calls
from compare.layers.names.case import IMPOSSIBLE, Case
from compare.layers.names.change import BUT_FIRST, BUT_LAST
from compare.layers.names.clipping import clipped_at_points
from compare.layers.names.counts import in_counts
from compare.layers.names.each import in_each
from compare.layers.names.explore import in_backward, in_forward, in_values
from compare.layers.names.forms import PLAIN, RATIO
from compare.layers.names.match import Match, slack_of
from compare.layers.names.products import in_tensors
from compare.layers.names.roles import in_roles
from compare.layers.names.scalars import in_scalars
from compare.layers.names.several import in_repeats, in_sequences, in_time
from compare.layers.names.single import EVERYWHERE, TIMES, shown_by
from compare.layers.names.trial import ALONE, Found
from compare.layers.program import Program
from compare.layers.rules import AVERAGES

MOST_NAMES = 3
MOST_STEPS = 1_500
"""A reference with more operations is not changed step by step: each costs some 7 ms of searches,
measured at recurrences of 60 and 100 steps, so that these take ten seconds at most."""
LATE = ("slope", "slope at", "times", "factor", "comparison")
OF_THE_SOFTMAX = ("softmax", "diagonal", "row sum", "unweighted", "unscaled", "log row sum")
FIRST = (*OF_THE_SOFTMAX, "unbounded", "rotation")
UNFIT = (*IMPOSSIBLE, ArithmeticError, MemoryError)
"""What a changed program may raise: torch of shapes and places that do not fit, Python of numbers
without a quotient, either of a tensor too large. Anything else is a fault of a search, and costs
the names of that search and of later ones, neither those before nor the verdict."""
SEARCHES: Sequence[Callable[[Case], Iterator[Found]]] = (
    in_calls, in_time, in_forward, in_values, in_backward, in_each, in_repeats,
    in_sequences, in_scalars, in_roles, in_tensors,
)  # fmt: skip


@dataclass(frozen=True)
class Named:
    """What was proved by reproduction, and plain facts where nothing was; `unsought`: why not."""

    diagnosis: tuple[Diagnosis, ...] = ()
    facts: tuple[str, ...] = ()
    prediction: tuple[str, NDArray[Any]] | None = None
    unsought: str = ""


def name_mistake(
    program: Program, judged: Judged, timeout: float | None, elsewhere: Sequence[Judged] = ()
) -> Named:
    """Return the mistakes that reproduce the manual numbers at a point, at most three.

    `elsewhere`: the same layer at other shapes, where sizes that coincide here come apart.
    """
    match = match_of(judged, elsewhere)
    wrong = [name for name in judged.wrong if name not in judged.missing]
    if judged.missing or not wrong or match is None or not match.wrong:
        return Named()
    singles = {name: shown_by(match, name) for name in wrong}
    before = max((c.worst.ratio for c in judged.compared.values()), default=float("inf"))
    found: list[Found] = []
    steps = judged.surveyed.analysed.steps
    certain = len(wrong) == 1 and is_certain(singles[wrong[0]])
    if steps <= MOST_STEPS and not judged.misshapen:
        found = searched(program, judged, match, elsewhere, timeout, certain)
    if (not found or found[0].rank) and all(is_cause(said) for said in singles.values()):
        texts = [said for said in singles.values() if said is not None]
        return Named(diagnosis=(diagnosis("tensor", "; ".join(texts), before, ()),))
    facts = tuple(said for said in singles.values() if said is not None)
    if not found:
        return Named(facts=facts, unsought=unsought(steps))
    first, *others = found
    also = tuple(other.sentence for other in others)
    shown = next((name for name in wrong if np.ndim(judged.manual[name])), None)
    named = (diagnosis(first.kind, first.sentence, before, also),)
    if shown is None:
        return Named(named)
    return Named(named, (), ("with the mistake", first.results[shown].detach().numpy()))


def clip_named(points: Sequence[Judged]) -> Named:
    """Return the bound at which gradients are clipped at several points, if nothing else is."""
    whole = [one for one in points if not (one.missing or one.misshapen)]
    found = [match for one in whole if (match := match_of(one)) is not None and match.wrong]
    said = clipped_at_points(found) if found else []
    if not said:
        return Named()
    before = max(float(c.worst.ratio) for one in points for c in one.compared.values())
    return Named((diagnosis("tensor", "; ".join(said), before, ()),))


def unsought(steps: int) -> str:
    """Say why no changed program was tried, if so."""
    if steps <= MOST_STEPS:
        return ""
    return (
        f"with {steps:,} operations the reference is too long to look for the mistake's name; "
        "at fewer steps it shows as well"
    )


def diagnosis(kind: str, text: str, before: float, also: tuple[str, ...]) -> Diagnosis:
    """Return a diagnosis; what reproduces the numbers does so within an allowance of its own."""
    return Diagnosis(kind, text, ratio_before=before, ratio_after=1.0, also=also)


def is_cause(said: str | None) -> bool:
    """Return whether a clause names a slip, and not only a factor that nobody can place."""
    return said is not None and " is due" not in said and not said.endswith(TIMES)


def is_certain(said: str | None) -> bool:
    """Return whether a cause needs no search for a better one, as plain numbers do."""
    if said is None or not is_cause(said) or RATIO in said or EVERYWHERE in said:
        return False
    return not said.endswith(PLAIN)


def match_of(judged: Judged, elsewhere: Sequence[Judged] = ()) -> Match | None:
    """Return what a changed program is held against; None where numbers are not finite."""
    analysed = judged.surveyed.analysed
    manual = {
        n: torch.from_numpy(np.asarray(a, dtype=np.float64)) for n, a in judged.manual.items()
    }
    if not all(bool(torch.isfinite(t).all()) for t in manual.values()):
        return None
    shapes = {name: np.shape(value) for name, value in judged.point.inputs.items()}
    others = [match_of(other) for other in elsewhere]
    return Match(
        {name: torch.from_numpy(np.asarray(a)) for name, a in analysed.reference.items()},
        manual,
        {name: torch.from_numpy(np.asarray(a)) for name, a in analysed.allowances.items()},
        FORMATS[judged.point.format].unit,
        shapes | dict(judged.surveyed.outputs),
        as_tensors(judged.point.inputs),
        slack_of(max((c.worst.ratio for c in judged.compared.values()), default=float("inf"))),
        tuple(judged.surveyed.outputs),
        tuple(other for other in others if other is not None),
    )


def searched(
    program: Program,
    judged: Judged,
    match: Match,
    elsewhere: Sequence[Judged],
    timeout: float | None,
    certain: bool = False,
) -> list[Found]:
    """Search both passes, in a child process; the simplest explanations first.

    `certain`: a cause is known. A factor that is a size may be a number of entries that count, or
    the size of a window.
    """

    def work() -> list[Found]:
        case = Case.at(program, judged, match)
        pairs = [(other, match_of(other)) for other in elsewhere]
        others = [(one, its) for one, its in pairs if its is not None]
        case.elsewhere = [partial(Case.at, program, one, its) for one, its in others]
        counted = in_counts(case, some_left_out=certain)
        if counted is not None:
            return [replace(counted, results=dict(counted.results))]
        if certain and not any(step.func.overloadpacket in AVERAGES for step in case.tape.steps):
            return []
        found = closest(found_by(SEARCHES, case), match)
        least = min((one.rank for one in found), default=0)
        unique = {one.sentence: one for one in found if one.rank == least}
        plain = [one for said, one in unique.items() if at_all_steps(said) not in unique]
        first = sorted(plain, key=plainness)[:MOST_NAMES]
        return [replace(one, results=dict(one.results)) for one in first]

    try:
        return in_child(work, timeout)
    except Crashed:
        return []


def found_by(searches: Iterable[Callable[[Case], Iterator[Found]]], case: Case) -> list[Found]:
    """What the searches find, up to the first that finds a mistake of its own kind.

    One of changes that fit no program leaves the others their say. A fault of a search ends them
    all, and leaves what was found: each was proved by reproduction.
    """
    found: list[Found] = []
    for search in searches:
        try:
            for one in search(case):
                found.append(one)
        except UNFIT:
            pass
        except Exception:
            break
        if any(one.rank == 0 for one in found):
            break
    return found


def at_all_steps(said: str) -> str | None:
    """Return what a sentence about most steps of a loop says of all; None of other sentences.

    Where both fit, the step that is left out plays no part.
    """
    which = next((each for each in (BUT_FIRST, BUT_LAST) if f"step {each}" in said), None)
    return None if which is None else said.replace(f"step {which}", "step")


def closest(found: list[Found], match: Match) -> list[Found]:
    """Leave out what only comes near in few digits, where something gives the very numbers."""
    if not any(match.is_exact(one.results) for one in found):
        return found
    return [one for one in found if not match.is_rough(one.results)]


def plainness(one: Found) -> tuple[bool, int, int]:
    """Order explanations: what has a name of its own, what is left out, then a mere factor.

    That the backward pass alone has another function is what a cut path or a slope looks like.
    """
    late = LATE.index(one.kind) if one.kind in LATE else -1
    late = max(late, 0) if one.sentence.startswith(ALONE) else late
    return one.kind not in FIRST, late, len(one.sentence)
