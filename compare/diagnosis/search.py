"""The search: which mistakes reproduce all cases of a domain, the fewest and simplest first.

One mistake; one for the loss and one for the gradient; two together; then more where every tensor
needs at most two. The last is for derivations in which every gradient was worked out on its own: a
slip in one of them shows in that tensor alone. Where mistakes are neither combined nor fitted to
tensors, `alternatives.reproducing` is the whole search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from compare.diagnosis.accept import accepted, wrong_numbers
from compare.diagnosis.candidates import fitted, parts, possible
from compare.diagnosis.explanation import NOTHING, Explanation, Part
from compare.diagnosis.match import Case, telling
from compare.diagnosis.pairing import different, guarded, in_loss, needed, pairs, scaled
from compare.mistakes.catalogue import network_mistakes
from compare.mistakes.mistake import NetworkMistake

Cases = Sequence[Case]
Combined = Callable[[Case, int], Iterator[Explanation]]
MOST = 3
"""So many mistakes are named together; whoever combines more can explain anything."""
TRIED = 4
"""Beside so many explanations of the gradient something more in the loss is looked for."""


@dataclass(frozen=True)
class Finding:
    """Explanations of the same tensors, best first; no tensors named: of everything seen.

    `cases` are those that they reproduce.
    """

    explanations: tuple[Explanation, ...]
    cases: tuple[Case, ...]
    tensors: tuple[str, ...] = ()


def search(cases: Cases) -> list[Finding]:
    """Return what explains all these cases; empty if there is nothing to explain, or no
    explanation.

    Loss and gradient may be explained apart; one of them may stay unexplained.
    """
    if not telling(cases) or not any(case.proves_something for case in cases):
        return []
    alone = singles(cases)
    if alone:
        return whole(alone, cases) if settled(alone) else two(cases)
    if seen := views(cases):
        return in_turn(cases, *seen)
    return two(cases) or tensor_by_tensor(cases)


def in_turn(cases: Cases, loss: Cases, gradient: Cases) -> list[Finding]:
    """Return the gradient's mistakes first, and what the loss has beside them or by itself."""
    below = one(gradient) or two(gradient)
    if below and (found := with_loss(below[0], cases)):
        return found
    above = named(one(loss) or two(loss, in_loss), ("loss",))
    below = below or tensor_by_tensor(gradient)
    return few([*above, *named(below, gradient[0].observation.order)])


def named(found: Sequence[Finding], tensors: Sequence[str]) -> list[Finding]:
    """Return the findings as ones about these tensors, where they do not say which."""
    return [replace(each, tensors=each.tensors or tuple(tensors)) for each in found]


def with_loss(gradient: Finding, cases: Cases) -> list[Finding]:
    """Return the gradient's mistakes as they explain the loss too, or with one more in the loss.

    The constant of that is fitted where the loss is wrong: elsewhere rounding would be fitted.
    """
    first = next(case for case in telling(cases) if case.wrong.get("loss"))
    best = gradient.explanations[:TRIED]
    found = accepted(best, first, cases)
    if not found:
        more = (Explanation((*e.parts, part)) for e in best for part in beside_in_loss(first, e))
        found = accepted(more, first, cases)
    return whole(found, cases)


def beside_in_loss(case: Case, given: Explanation) -> Iterator[Part]:
    """Yield every mistake that only the loss shows, its constant fitted beside the given ones."""
    for mistake in network_mistakes(case.point):
        if "gradient" not in mistake.observable and possible(mistake, case.point):
            if mistake.proof is None and apart_from(given, mistake):
                yield from fitted(case, mistake, None, given.overrides)


def apart_from(given: Explanation, mistake: NetworkMistake) -> bool:
    """Return whether a mistake is made at other stages than the given ones."""
    return not set(mistake.stages) & {s for part in given.parts for s in part.mistake.stages}


def singles(cases: Cases) -> list[Explanation]:
    """Return the single mistakes that reproduce every case."""
    first = telling(cases)[0]
    return accepted((Explanation((part,)) for part in parts(first, alone=True)), first, cases)


def one(cases: Cases) -> list[Finding]:
    """Return single mistakes that reproduce every case and need no proof of their own."""
    alone = singles(cases)
    return whole(alone, cases) if settled(alone) else []


def settled(alone: Sequence[Explanation]) -> bool:
    """Return whether a single mistake explains everything without a proof of its own.

    One that needs a proof may excuse what two others compute, so they are looked for as well.
    """
    return any(not explanation.needs_proof for explanation in alone)


def two(cases: Cases, combined: Combined = pairs) -> list[Finding]:
    """Return two mistakes together that reproduce every case, or else one with a proof.

    They are looked for where most is wrong: elsewhere one of them may not show at all.
    """
    first, alone, numbers = telling(cases)[0], singles(cases), wrong_numbers(cases)
    most = max((first, *cases), key=lambda case: sum(case.wrong.values()))
    found = accepted(combined(most, numbers), most, cases)
    if not found and most.wrong != first.wrong:
        found = accepted(combined(first, numbers), first, cases)
    found = found or accepted(guarded(first, numbers, cases), first, cases)
    return whole([each for each in found if not each.needs_proof] or alone or found, cases)


def whole(explanations: Sequence[Explanation], cases: Cases) -> list[Finding]:
    """Return explanations of everything seen as one finding."""
    return [Finding(tuple(explanations), tuple(cases))] if explanations else []


def views(cases: Cases) -> tuple[list[Case], list[Case]] | None:
    """Return the loss alone and everything else alone, if both are seen and both are wrong."""
    names = list(dict.fromkeys(name for case in cases for name in case.observation.order))
    loss = showing(("loss",), cases)
    others = showing([name for name in names if name != "loss"], cases)
    return (loss, others) if telling(loss) and telling(others) else None


def few(found: list[Finding]) -> list[Finding]:
    """Return the findings unless they need more mistakes than anybody should combine."""
    made = {part.mistake.name for each in found for part in each.explanations[0].parts}
    return found if len(made) <= MOST else []


def tensor_by_tensor(cases: Cases) -> list[Finding]:
    """Return an explanation for each wrong tensor; all of them, or none at all.

    What a tensor needs two mistakes for is looked for last: one of the two may be what another
    tensor shows by itself.
    """
    order = telling(cases)[0].observation.order
    wrong = [name for name in order if any(case.wrong.get(name) for case in cases)]
    if len(order) < 2:
        return []
    shown = {name: showing((name,), cases) for name in wrong}
    explained = {name: one(seen) for name, seen in shown.items()}
    known = [each.explanations[0] for found in explained.values() for each in found]
    found: list[Finding] = []
    for name, seen in shown.items():
        best = explained[name] or beside_known(seen, known) or two(seen, scaled)
        if not best:
            return []
        mild = mildest(best[0].explanations, cases)
        found = joined(found, Finding(mild, tuple(seen), (name,)), cases)
    return found


def beside_known(cases: Cases, known: Sequence[Explanation]) -> list[Finding]:
    """Return what other tensors showed together with one mistake more."""
    first = telling(cases)[0]
    more = [part for part in parts(first, alone=False) if needed(first, part, NOTHING)]
    candidates = (
        Explanation((*given.parts, part))
        for given in known
        for part in more
        if all(different(made, part) for made in given.parts)
    )
    return whole(accepted(candidates, first, cases), cases)


def showing(tensors: Sequence[str], cases: Cases) -> list[Case]:
    """Return the cases that show any of these tensors, with only these seen."""
    shown = ((case, [name for name in tensors if name in case.seen]) for case in cases)
    return [case.only(*names) for case, names in shown if names]


def joined(found: Sequence[Finding], new: Finding, cases: Cases) -> list[Finding]:
    """Return the findings and a new one, as one with another that is the same mistake.

    A mistake that explains two tensors with two constants is made twice: nothing is proved of a
    tensor with the constant of another.
    """
    for index, known in enumerate(found):
        if known.explanations[0].name == new.explanations[0].name:
            if same := united(known, new, cases):
                return [*found[:index], same, *found[index + 1 :]]
    return [*found, new]


def united(known: Finding, other: Finding, cases: Cases) -> Finding | None:
    """Return what explains the tensors of both findings with the same constants and layers."""
    tensors = (*known.tensors, *other.tensors)
    seen = showing(tensors, cases)
    both = accepted((*known.explanations, *other.explanations), telling(seen)[0], seen)
    return Finding(mildest(both, cases), tuple(seen), tensors) if both else None


def mildest(alternatives: Sequence[Explanation], cases: Cases) -> tuple[Explanation, ...]:
    """Return those alternatives, in their order, that would break the fewest right tensors."""
    breaking = [len(broken(explanation, cases)) for explanation in alternatives]
    least = min(breaking)
    return tuple(each for each, count in zip(alternatives, breaking, strict=True) if count == least)


def broken(explanation: Explanation, cases: Cases) -> set[str]:
    """Return the tensors that are right and would not be, were the mistake made everywhere."""
    overrides = explanation.overrides
    return {
        name
        for case in cases
        for name, wrong in case.wrong.items()
        if not wrong and case.ratio(name, overrides) > 1.0
    }
