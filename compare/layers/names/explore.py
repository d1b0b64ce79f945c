"""The searches over a tape: changed forward passes, other values, slips of the backward pass.

Each yields the changes that give the manual numbers, until its evaluations are spent.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from compare.layers.names.backward import COMPARISONS, Slip, results_of, single_result, slips
from compare.layers.names.case import BOTH, IMPOSSIBLE, OFF_BY, PRECISE, Case
from compare.layers.names.change import Change
from compare.layers.names.changes import changes
from compare.layers.names.forward import size_of_window
from compare.layers.names.match import Match
from compare.layers.names.path_words import use
from compare.layers.names.single import WRONG_SIGN
from compare.layers.names.tape import Ref, Step, Tape
from compare.layers.names.trial import ALONE, IN_BACKWARD, Found, between, share, tried
from compare.layers.names.values import (
    NOT_UNDONE,
    made_forward,
    others,
    pairs_exchanged,
    readings,
    turned,
    without_dy,
)
from compare.layers.names.words import sentence
from compare.layers.program import Tensors, as_written

WHOLE = 1e-6
"""How far a number of entries may be off a whole one, relatively."""


def in_forward(case: Case) -> Iterator[Found]:
    """Yield the changed forward passes whose derivatives are the manual numbers."""
    budget, match = case.budget(), case.match
    for change in changes(case.tape, case.names):
        if not case.may_explain(change):
            continue
        if not budget.spend():
            return
        results = case.changed(change)
        if results is None or not match.fits(results) or match.changes_nothing(results):
            continue
        found = [explained(case, change, results)]
        if change.linear and found[0] is None:
            found = [scaled_path(case, change, results)]
        for one in found:
            if one is not None:
                if one.rank == 0:
                    budget.found()
                yield one


def explained(case: Case, change: Change, results: Tensors) -> Found | None:
    """Return what a change explains: everything, with factors besides, or in one pass alone."""
    match = case.match

    def text() -> str:
        return sentence(case.tape, case.names, change)

    found = tried(match, change.kind, text, results)
    if found is not None:
        return found
    if change.kind in BOTH:
        mixed = backward_only(case.tape, match, results)
        found = tried(match, change.kind, lambda: f"{ALONE}{text()}", mixed)
        if found is None:
            other = match.right | {n: results[n] for n in results if mixed[n] is match.right[n]}
            found = tried(match, change.kind, lambda: f"in the forward pass alone {text()}", other)
        if found is not None:
            return found
    factors = left_over(case, change, results)
    if not factors:
        return None
    beside = "".join(f", and {factor}" for factor in factors)
    return Found(change.kind, text() + beside, results, 1 + len(factors))


def backward_only(tape: Tape, match: Match, results: Tensors) -> Tensors:
    """Return the right outputs beside the gradients of a changed program."""
    made = made_forward(tape)
    return results | {n: match.right[n] for n, number in tape.results.items() if number in made}


def left_over(case: Case, change: Change, results: Tensors) -> list[str] | None:
    """Return the factors that single tensors still need; None if something else is left."""
    match, factors = case.match, []
    for name in match.right:
        if match.near(name, match.manual[name], results[name]):
            continue
        if match.coefficient(name, results[name]) is None:
            return None
        there = ((o.match.coefficient(name, changed[name]), o.match.shapes)
                 for o in case.others if (changed := o.changed(change)) is not None)  # fmt: skip
        found = match.factor(name, results[name], there)
        if found is None or found[1] is None:
            return None
        factors.append(f"{name} is {found[1]}")
    return factors if len(factors) < len(match.right) - 1 else None


def scaled_path(case: Case, change: Change, cut: Tensors) -> Found | None:
    """Return the path that is not cut but multiplied: gradients are linear in what flows."""
    c = share(case.match, cut, case.match.right)
    if c is None or abs(c) < 1e-6 or abs(c - 1) < 1e-9:
        return None
    found = tried(case.match, "factor", "", between(cut, case.match.right, c))
    if found is None:
        return None

    def there(other: Case) -> float | None:
        results = other.changed(change)
        return None if results is None else share(other.match, results, other.match.right)

    step = case.tape.steps[change.at]
    text = case.form(c, there)
    number = another_number(case, step, c, text) if change.kind == "cut" else None
    if number is not None:
        said = found.sentence + number + case.names.place(step)
        return Found("value", said, found.results, found.rank)
    if text is None:
        return None
    said = multiplied(case, step, change, text) + case.names.place(step)
    if text == WRONG_SIGN and any(case.names.angle(ref.number) == "sin" for ref in step.refs()):
        said = f"in the backward pass {NOT_UNDONE}: {said}"
        return Found("rotation", found.sentence + said, found.results, found.rank)
    return Found("factor", found.sentence + said, found.results, found.rank)


def another_number(case: Case, step: Step, c: float, text: str | None) -> str | None:
    """Say which number of a step is another one in its backward pass, c times what is due: the
    size of a window, a divisor or a factor; `text` says what is known of c itself."""
    size = size_of_window(step)
    if size is not None and abs(c - size) < 1e-6 * size:
        missing = f"the division by {size}, the size of the window, is missing"
        return f"in the backward pass of {case.names.noun(step.outs[0])} {missing}"
    divisor = other_divisor(case, step, c) if text is None else None
    if divisor is not None:
        return IN_BACKWARD + divisor
    plain = text is None or text == f"multiplied by {c:.3g}"
    return another_factor(case, step, c) if plain else None


def another_factor(case: Case, step: Step, c: float) -> str | None:
    """Say that a number which is a factor or divisor in the forward pass is another one in the
    backward pass, if it is one of few digits there."""
    scalar = case.names.scalar(step)
    if scalar is None or case.match.unit >= PRECISE:
        return None
    number = float(step.args[1])
    taken = c * number if step.name == "mul" else number / c
    if abs(taken - float(f"{taken:.4g}")) >= 1e-9 * abs(taken):
        return None
    return f"{scalar} is taken to be {taken:.4g} in the backward pass"


def multiplied(case: Case, step: Step, change: Change, text: str) -> str:
    """Say what flows back, through what, and by which factor it is off."""
    if change.kind == "edge":
        noun = case.names.seen(step.args[change.argument].number)
        inside = f" in {case.names.noun(step.outs[0])}"
    else:
        part = change.other if change.kind == "part" and isinstance(change.other, int) else 0
        noun, inside = case.names.noun(step.outs[part]), use(case.names, step, change)
    if not text.startswith(OFF_BY):
        return f"what flows back through {noun}{inside} is {text}"
    scalar, _, which = text.removeprefix(OFF_BY).rpartition(", which ")
    scalar += "," if ", " in scalar else ""
    return f"{scalar} {which} in what flows back through {noun}{inside}"


def other_divisor(case: Case, step: Step, c: float) -> str | None:
    """Say by what the sums of a mean and a variance are divided, if that is another whole number.

    Its size at other shapes is not asked: it may be a length of what is put together.
    """
    if step.name not in ("mean", "var_mean", "var") or not isinstance(step.args[0], Ref):
        return None
    x, out = (case.tape.values[n] for n in (step.args[0].number, step.outs[0]))
    due = x.numel() // max(1, out.numel())
    taken = round(due / c)
    if taken < 1 or taken == due or abs(due / c - taken) > WHOLE * taken:
        return None
    nouns = " and ".join(dict.fromkeys(case.names.noun(n) for n in step.outs[::-1]))
    return f"the sums of {nouns} are divided by {taken} in place of {due}"


def in_values(case: Case) -> Iterator[Found]:
    """Yield the other numbers of the forward pass that give the manual numbers."""
    budget = case.budget()
    with torch.no_grad(), as_written():
        for other in others(case.tape, case.names):
            if not case.reach.by_value([other.number]):
                continue
            if not budget.spend():
                return
            try:
                for results, said in readings(case.tape, other):
                    found = tried(case.match, "value", said, results)
                    if found is not None:
                        yield found
                        break
            except IMPOSSIBLE:
                continue
        for results, said in itertools.chain(
            without_dy(case.tape, case.names),
            pairs_exchanged(case.tape, case.names),
            turned(case.tape, case.names, case.reach),
        ):
            found = tried(case.match, "value", said, results) if budget.spend() else None
            if found is not None:
                yield found


def in_backward(case: Case) -> Iterator[Found]:
    """Yield the slips of the backward pass that give the manual numbers."""
    budget, match = case.budget(), case.match
    with torch.no_grad(), as_written():
        for slip in slips(case.tape, case.names, case.reach):
            if not budget.spend():
                return
            results = slipped(case, slip)
            if results is None or not match.fits(results):
                continue
            compares = case.tape.steps[slip.at].name in COMPARISONS
            kind = "comparison" if compares else "backward"
            found = tried(match, kind, slip.sentence, results)
            if found is None and slip.removed is not None:
                found = in_place(case, slip, results)
            if found is not None:
                if found.rank == 0:
                    budget.found()
                yield found


def slipped(case: Case, slip: Slip) -> Tensors | None:
    """Return the numbers of a slip."""
    try:
        return results_of(case.tape, slip)
    except IMPOSSIBLE:
        return None


def in_place(case: Case, slip: Slip, results: Mapping[str, Tensor]) -> Found | None:
    """Return the constant that stands where a slip has removed a factor."""
    zero = slipped(case, Slip(slip.at, tuple(0 * out for out in slip.outs), slip.sentence))
    c = None if zero is None else share(case.match, zero, results)
    if zero is None or c is None or abs(c) < 1e-9:
        return None
    found = tried(case.match, "backward", "", between(zero, results, c))
    text = None if found is None else case.form(c, lambda other: in_place_there(other, case, slip))
    if found is None or text is None:
        return None
    said = f"{slip.sentence}, and what is left is {text}"
    said = said if not found.rank else said.removeprefix("in the backward pass ")
    return Found("factor", found.sentence + said, found.results, 1 + found.rank)


def in_place_there(other: Case, case: Case, slip: Slip) -> float | None:
    """Return the constant at other shapes, where the same slip is made."""
    index = [one.sentence for one in single_result(case.tape, case.names, slip.at)].index(
        slip.sentence
    )
    its = next(itertools.islice(single_result(other.tape, other.names, slip.at), index, None), None)
    results = None if its is None else slipped(other, its)
    if its is None or results is None:
        return None
    zero = slipped(other, Slip(its.at, tuple(0 * out for out in its.outs), ""))
    return None if zero is None else share(other.match, zero, results)
