"""Which candidates are explanations: they reproduce every case, and are confirmed by the numbers.

A row number may be another one in every batch; a free constant may not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import numpy as np

from compare.diagnosis.explanation import Explanation, Part
from compare.diagnosis.match import Case
from compare.mistakes.fits import Among

CONVINCING = 1e5
"""A constant fitted to a single number must reproduce it this many times better than its size.

Of the constants that people type there are 90 a decade, so some one of them fits by chance with a
probability of about 90 * 2 / ln 10 = 78 in such a `precision`, for each of the 11 mistakes that
only the loss shows: below 1 % from 1e5 on.
"""


def accepted(
    candidates: Iterable[Explanation], first: Case, cases: Sequence[Case]
) -> list[Explanation]:
    """Return the candidates that reproduce every case, best first, one for each name or two."""
    best: dict[tuple[str, ...], Explanation] = {}
    wrong = wrong_numbers(cases)
    for candidate in candidates:
        if numbers_needed(candidate) > wrong or not first.reproduced(candidate.overrides):
            continue
        fitting = as_they_fit(candidate, cases)
        if fitting and confirmed(candidate, fitting, cases):
            names = tuple(sorted(part.mistake.name for part in candidate.parts))
            best[names] = min(best.get(names, candidate), candidate, key=lambda e: e.rank)
    return sorted(narrow(list(best.values())), key=lambda explanation: explanation.rank)


def wrong_numbers(cases: Sequence[Case]) -> int:
    """Return how many numbers there are to explain."""
    return sum(case.wrong_entries for case in cases)


def narrow(found: Sequence[Explanation]) -> Sequence[Explanation]:
    """Return the explanations that need no proof of their own, or all of them if every one does.

    One that does allows so much that it fits wherever another has cast the right numbers.
    """
    return [one for one in found if not one.needs_proof] or found


def as_they_fit(candidate: Explanation, cases: Sequence[Case]) -> list[Explanation]:
    """Return the candidate as it reproduces each case; none at all if there is one it does not."""
    fitting: list[Explanation] = []
    for case in cases:
        if (fit := adapted(candidate, case)) is None:
            return []
        fitting.append(fit)
    return fitting


def adapted(explanation: Explanation, case: Case) -> Explanation | None:
    """Return the explanation as it reproduces `case`, or None; a row number may be another one."""
    for variant in (explanation, *variants(explanation, case)):
        if case.reproduced(variant.overrides):
            return variant
    return None


def variants(explanation: Explanation, case: Case) -> Iterator[Explanation]:
    """Yield the explanation with every row number of this batch."""
    choices: list[list[Part]] = []
    for part in explanation.parts:
        fit = part.mistake.fit
        varies = isinstance(fit, Among) and fit.varies
        values = fit.values(case.point) if isinstance(fit, Among) and varies else (part.constant,)
        choices.append([Part(part.mistake, value, part.layer) for value in values])
    if any(len(choice) > 1 for choice in choices):
        yield from (Explanation(chosen) for chosen in product(*choices))


def confirmed(
    candidate: Explanation, fitting: Sequence[Explanation], cases: Sequence[Case]
) -> bool:
    """Return whether more numbers are explained than constants were fitted and mistakes combined.

    A constant fitted to one number proves nothing, unless it is a number that people type and
    either holds at other points too or reproduces what was seen far better than a number drawn
    at random would; beside a guard it has to do both. A mistake with a proof of its own has to
    give that.
    """
    told = [(case, fit) for case, fit in zip(cases, fitting, strict=True) if case.disagrees]
    if candidate.needs_proof:
        return proved(candidate, [case for case, _ in told])
    explained = sum(case.explained(fit.overrides) for case, fit in told)
    explained = explained or beside_finite(told, fitting, cases)
    constants = [part.constant for part in candidate.parts if part.constant is not None]
    if explained >= len(constants) + len(candidate.parts):
        return True
    precise = max((precision(case, fit) for case, fit in told), default=0.0) > CONVINCING
    typical = all(typed(constant) for constant in constants)
    if explained < numbers_needed(candidate) or not typical:
        return False
    return precise or (len(candidate.parts) == 1 and len(cases) > 1)


def beside_finite(
    told: Sequence[tuple[Case, Explanation]],
    fitting: Sequence[Explanation],
    cases: Sequence[Case],
) -> int:
    """Return how many infinities and NaN are explained, where only such are wrong.

    They count if the mistake leaves everything else at all these points as it is seen, and some of
    that is finite: NaN is NaN whatever made it.
    """
    held = all(
        case.whole.reproduced(fit.overrides) for case, fit in zip(cases, fitting, strict=True)
    )
    if not held or not any(case.whole.shows_finite for case in cases):
        return 0
    return sum(case.strange for case, _ in told)


def numbers_needed(candidate: Explanation) -> int:
    """Return how many wrong numbers a candidate has to explain at least, to be confirmed.

    One for every constant and every mistake, one less where a guard or a number that people type
    speaks for it too.
    """
    if candidate.needs_proof:
        return 0
    constants = sum(part.constant is not None for part in candidate.parts)
    if len(candidate.parts) == 1:
        return 1
    guards = any(part.mistake.guard for part in candidate.parts)
    return constants + (1 if guards else len(candidate.parts))


def proved(candidate: Explanation, wrong: Sequence[Case]) -> bool:
    """Return whether the proof holds wherever something is wrong, and the loss is wrong there.

    Such a mistake allows so much that a right loss is within it: whoever only casts the finished
    gradients has made another one.
    """
    proofs = [part.mistake.proof for part in candidate.parts if part.mistake.proof]
    return all(case.wrong.get("loss") and all(p(case.seen) for p in proofs) for case in wrong)


def typed(constant: float) -> bool:
    """Return whether the constant has at most two digits."""
    return constant == float(f"{constant:.1e}")


def precision(case: Case, explanation: Explanation) -> float:
    """Return |seen - right| of the loss in allowances of the mistaken loss."""
    if not case.wrong.get("loss"):
        return 0.0
    mistaken = case.right.having(explanation.overrides).named("loss")
    allowance = float(mistaken.allowance)
    difference = abs(float(case.seen["loss"]) - float(case.right.named("loss").value))
    return difference / allowance if np.isfinite(difference) and allowance else 0.0
