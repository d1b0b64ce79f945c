"""The domains of the probes: what holds on the ordinary one first, then what each other one adds.

A domain is a kind of input that code may or may not be made for: soft targets, probabilities near
0, logits beyond the range of exp. A mistake is looked for on the ordinary domain (one-hot targets,
ordinary logits), or where that is right on the first one that is not. On every other domain it
must hold as well, or together with one thing more. What more shows where probabilities are small
is a mistake like any other; what shows only on inputs the code may not be made for is a habit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from compare.diagnosis.accept import accepted, adapted, wrong_numbers
from compare.diagnosis.candidates import parts
from compare.diagnosis.explanation import Explanation
from compare.diagnosis.match import Case, telling
from compare.diagnosis.pairing import different, refitted
from compare.diagnosis.search import MOST, Cases, Finding, search, showing
from compare.points.diagnostic import CONFIDENT, EVALUATED


@dataclass(frozen=True)
class Habit:
    """What code does on a domain besides its mistakes; no explanation: nothing known fits."""

    domain: str
    explanation: Explanation | None
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Explained:
    """What explains the first wrong domain, the habits seen on others, and the base itself."""

    findings: tuple[Finding, ...] = ()
    habits: tuple[Habit, ...] = ()
    base: tuple[Case, ...] = ()


def explained(cases: Cases) -> Explained:
    """Return what explains the cases, domain by domain."""
    base = base_of(cases)
    if not base:
        return Explained()
    others = [case for case in cases if case not in base]
    findings = search(base)
    if not findings:
        return Explained(base=tuple(base))
    findings = [preferred(finding, others) for finding in findings]
    habits: list[Habit] = []
    for case in others:
        elsewhere = [other for other in others if other is not case]
        findings, more = extended(findings, case, elsewhere)
        habits += [] if more is None else [more]
    return Explained(tuple(findings), tuple(habits), tuple(base))


def base_of(cases: Cases) -> list[Case]:
    """Return the cases of the ordinary domain, with those of the first wrong one if it is right."""
    ordinary = [case for case in cases if not case.observation.special]
    if telling(ordinary):
        return ordinary
    wrong = next((case for case in cases if case.disagrees), None)
    return [*ordinary, wrong] if wrong is not None else []


def preferred(finding: Finding, others: Cases) -> Finding:
    """Return the finding with those explanations only that hold on the most other domains."""
    seen = showing(finding.tensors, others) if finding.tensors else others
    held = [[adapted(one, case) is not None for case in seen] for one in finding.explanations]
    most = max(map(sum, held))
    kept = [(e, h) for e, h in zip(finding.explanations, held, strict=True) if sum(h) == most]
    held_by_best = zip(seen, kept[0][1], strict=True)
    holding = tuple(case for case, holds in held_by_best if holds and case not in finding.cases)
    explanations = tuple(one for one, h in kept if h == kept[0][1])
    return replace(finding, explanations=explanations, cases=(*finding.cases, *holding))


def extended(
    findings: list[Finding], case: Case, elsewhere: Cases
) -> tuple[list[Finding], Habit | None]:
    """Return the findings as they hold on one more domain, and the habit it shows.

    What more there may be is told apart by the other domains. What is right in evaluation may be
    other code than what is wrong in training. Of loss and gradient explained apart
    each is extended by itself.
    """
    made: list[Finding] = []
    habit = None
    for finding in findings:
        (seen,) = showing(finding.tensors, [case]) if finding.tensors else [case]
        apart = seen.observation.label == EVALUATED.label and not seen.disagrees
        if apart or adapted(finding.explanations[0], seen) is not None:
            made.append(finding)
            continue
        more = beside(finding, seen)
        if not more:
            made.append(finding)
            habit = Habit(case.observation.label, None, (seen,))
            continue
        grown = replace(finding, explanations=tuple(more), cases=(*finding.cases, seen))
        grown = preferred(grown, elsewhere)
        small = seen.observation.label == CONFIDENT.label
        if small and len(more[0].parts) <= MOST:
            made.append(grown)
            continue
        made.append(finding)
        habit = Habit(case.observation.label, added(grown, finding), (seen,))
    return made, habit


def added(grown: Finding, finding: Finding) -> Explanation:
    """Return what the best explanation has more than the finding."""
    return Explanation(grown.explanations[0].parts[len(finding.explanations[0].parts) :])


def beside(finding: Finding, case: Case) -> list[Explanation]:
    """Return the finding's mistakes with one more that shows on this domain only."""
    given = finding.explanations[0]
    candidates = (
        Explanation((*given.parts, part))
        for part in parts(case, alone=False)
        if all(different(known, part) for known in given.parts)
    )
    cases = [*finding.cases, case]
    found = accepted(candidates, case, cases)
    return found or accepted(beside_fitted(given, case, wrong_numbers(cases)), case, cases)


def beside_fitted(given: Explanation, case: Case, numbers: int) -> Iterator[Explanation]:
    """Yield the mistakes with one more whose constant is fitted beside them."""
    for first in given.parts[:1] if len(given.parts) == 1 else ():
        yield from refitted(case, first, numbers)
