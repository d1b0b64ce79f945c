"""The search: every mistake alone, then two from different stages, then tensor by tensor.

The last is for derivations in which every gradient was worked out on its own: a slip in one of
them shows in that tensor alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from compare.diagnosis.candidates import parts
from compare.diagnosis.explanation import Explanation, Part
from compare.diagnosis.match import Case, telling
from compare.diagnosis.pairing import pairs, scaled
from compare.mistakes.fits import Among

CONVINCING = 1e5
"""A constant fitted to a single number must reproduce it this many times better than its size."""


@dataclass(frozen=True)
class Finding:
    """Explanations of the same tensors, best first; no tensors named: of everything seen."""

    explanations: tuple[Explanation, ...]
    tensors: tuple[str, ...] = ()


def search(cases: Sequence[Case]) -> list[Finding]:
    """Return what explains all cases; empty if there is nothing to explain or no explanation."""
    wrong = telling(cases)
    if not wrong:
        return []
    together = explanations(cases, wrong[0], pairs)
    return [Finding(tuple(together))] if together else tensor_by_tensor(cases, wrong[0])


def explanations(
    cases: Sequence[Case], first: Case, combined: Callable[[Case], Iterator[Explanation]]
) -> list[Explanation]:
    """Return single mistakes, or else combined ones, that reproduce every case.

    Two are looked for where most is wrong: elsewhere one of them may not show at all. They are
    looked for beside a single one that needs a proof, too, which may excuse what they compute.
    """
    singles = (Explanation((part,)) for part in parts(first, alone=True))
    alone = accepted(singles, first, cases)
    if any(not one.needs_proof for one in alone):
        return alone
    most = max((first, *cases), key=lambda case: sum(case.wrong.values()))
    found = accepted(combined(most), most, cases)
    if not found and most is not first:
        found = accepted(combined(first), first, cases)
    return [one for one in found if not one.needs_proof] or alone or found


def tensor_by_tensor(cases: Sequence[Case], first: Case) -> list[Finding]:
    """Return an explanation for each wrong tensor; all of them, or none at all."""
    order = first.observation.order
    wrong = [name for name in order if any(case.wrong.get(name) for case in cases)]
    found: list[Finding] = []
    for name in wrong if len(order) > 1 else ():
        seen = showing((name,), cases)
        alternatives = explanations(seen, telling(seen)[0], scaled)
        if not alternatives:
            return []
        found = joined(found, Finding(mildest(alternatives, cases), (name,)), cases)
    return found


def showing(tensors: Sequence[str], cases: Sequence[Case]) -> list[Case]:
    """Return the cases that show any of these tensors, with only these seen."""
    shown = ((case, [name for name in tensors if name in case.seen]) for case in cases)
    return [case.only(*names) for case, names in shown if names]


def joined(found: Sequence[Finding], new: Finding, cases: Sequence[Case]) -> list[Finding]:
    """Return the findings and a new one, as one with another that is the same mistake.

    A mistake that explains two tensors with two constants is made twice: nothing is proved of a
    tensor with the constant of another.
    """
    for index, one in enumerate(found):
        if one.explanations[0].name == new.explanations[0].name:
            if same := united(one, new, cases):
                return [*found[:index], same, *found[index + 1 :]]
    return [*found, new]


def united(one: Finding, other: Finding, cases: Sequence[Case]) -> Finding | None:
    """Return what explains the tensors of both findings with the same constants and layers."""
    tensors = (*one.tensors, *other.tensors)
    seen = showing(tensors, cases)
    both = accepted((*one.explanations, *other.explanations), telling(seen)[0], seen)
    return Finding(mildest(both, cases), tensors) if both else None


def mildest(alternatives: Sequence[Explanation], cases: Sequence[Case]) -> tuple[Explanation, ...]:
    """Return those alternatives, in their order, that would break the fewest right tensors."""
    breaking = [len(broken(explanation, cases)) for explanation in alternatives]
    least = min(breaking)
    return tuple(one for one, count in zip(alternatives, breaking, strict=True) if count == least)


def broken(explanation: Explanation, cases: Sequence[Case]) -> set[str]:
    """Return the tensors that are right and would not be, were the mistake made everywhere."""
    overrides = explanation.overrides
    return {
        name
        for case in cases
        for name, wrong in case.wrong.items()
        if not wrong and case.ratio(name, overrides) > 1.0
    }


def accepted(
    candidates: Iterable[Explanation], first: Case, cases: Sequence[Case]
) -> list[Explanation]:
    """Return the candidates that reproduce every case, best first, one for each name or two."""
    best: dict[tuple[str, ...], Explanation] = {}
    for candidate in candidates:
        if not first.reproduced(candidate.overrides):
            continue
        fitting = [adapted(candidate, case) for case in cases]
        if all(fitting) and confirmed(candidate, fitting, cases):
            names = tuple(sorted(part.mistake.name for part in candidate.parts))
            best[names] = min(best.get(names, candidate), candidate, key=lambda e: e.rank)
    return sorted(narrow(list(best.values())), key=lambda explanation: explanation.rank)


def narrow(found: Sequence[Explanation]) -> Sequence[Explanation]:
    """Return the explanations that need no proof of their own, or all of them if every one does.

    One that does allows so much that it fits wherever another has cast the right numbers.
    """
    return [one for one in found if not one.needs_proof] or found


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
    candidate: Explanation, fitting: Sequence[Explanation | None], cases: Sequence[Case]
) -> bool:
    """Return whether more numbers are explained than constants were fitted and mistakes combined.

    A constant fitted to one number proves nothing, unless it is a number that people type and
    either holds at other points too or reproduces what was seen far better than a number drawn
    at random would. A mistake with a proof of its own has to give that.
    """
    told = [(case, fit) for case, fit in zip(cases, fitting, strict=True) if fit and case.disagrees]
    if candidate.needs_proof:
        return proved(candidate, [case for case, _ in told])
    explained = sum(case.explained(fit.overrides) for case, fit in told)
    constants = [part.constant for part in candidate.parts if part.constant is not None]
    if explained > len(constants) + len(candidate.parts) - 1:
        return True
    precise = max((precision(case, fit) for case, fit in told), default=0.0) > CONVINCING
    alone = len(candidate.parts) == 1 and explained > 0
    typical = all(typed(constant) for constant in constants)
    return alone and typical and (precise or len(cases) > 1)


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
