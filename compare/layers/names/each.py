"""Every wrong gradient with a slip of its own, which no other one shares.

The gradients of keys and values, or of the weights of a cell, are the same lines twice, and so is
what is wrong in them: a sum over heads that keeps the last one, a loop over time that overwrites.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

import torch

from compare.layers.names.backward import Slip, is_single, results_of, single_result
from compare.layers.names.case import IMPOSSIBLE, Case
from compare.layers.names.part_sums import PARTS
from compare.layers.names.recognised import COPIES
from compare.layers.names.trial import IN_BACKWARD, Found
from compare.layers.program import as_written

FEWEST = 2
"""Terms of which one may be left out."""
COPIES_OF = re.compile(r"^in the sum of the gradients of the copies of .*? (along axis \d+)")
WHERE = re.compile(r"^in the (?:matrix product|sum) of .*? (?=only |the (?:first|last) of )")
"""Names the sum that a clause is about: each gradient has another one."""


def in_each(case: Case) -> Iterator[Found]:
    """Yield slips that explain every wrong gradient, each in the steps that reach it alone."""
    match, results = case.match, dict(case.match.right)
    if set(match.wrong) & set(match.outputs):
        return
    said: dict[str, list[str]] = {}
    with torch.no_grad(), as_written():
        for name in match.wrong:
            found = own_slips(case, name)
            if not found:
                return
            results[name] = found[0][1]
            said[name] = [clause for clause, _ in found]
    if len(said) > 1:
        said = {name: [alone(clause) for clause in clauses] for name, clauses in said.items()}
    shared = [clause for clause in said[match.wrong[0]] if all(clause in c for c in said.values())]
    if shared:
        yield Found("backward", f"{IN_BACKWARD}in {joined(match.wrong)} {shared[0]}", results)
    elif len(said) > 1:
        each = "; ".join(f"in {name} {clauses[0]}" for name, clauses in said.items())
        yield Found("backward", f"{IN_BACKWARD}{each}", results, 1)


def alone(clause: str) -> str:
    """Return a clause without the name of its sum."""
    return WHERE.sub("", COPIES_OF.sub(r"of the copies \1", clause))


def own_slips(case: Case, name: str) -> list[tuple[str, torch.Tensor]]:
    """Return the slips that give one wrong gradient, in steps that reach no other result."""
    bit, found = case.reach.bits[name], []
    budget = case.budget()
    slips = itertools.chain(partial_terms(case, name), of_own_steps(case, bit))
    for slip in itertools.takewhile(lambda _: budget.spend(), slips):
        try:
            result = results_of(case.tape, slip)[name]
        except IMPOSSIBLE:
            continue
        if case.match.given_by(name, result):
            found.append((slip.sentence.removeprefix(IN_BACKWARD), result))
    return found


def of_own_steps(case: Case, bit: int) -> Iterator[Slip]:
    """Yield the slips of the steps of the backward pass that reach one result alone."""
    for at in range(case.tape.boundary, len(case.tape.steps)):
        step = case.tape.steps[at]
        if is_single(case.tape, step) and case.reach.below[step.outs[0]] == bit:
            yield from single_result(case.tape, case.names, at)


def partial_terms(case: Case, name: str) -> Iterator[Slip]:
    """Yield a gradient that several steps add to, without some of what they add."""
    step = case.names.behind_copies(case.tape.results[name])
    terms = [] if step is None else sorted(terms_of(case, step.outs[0]))
    if step is None or len(terms) < FEWEST:
        return
    for said, which in PARTS:
        values = [case.tape.values[number] for number in terms[which(len(terms))]]
        total = sum(values[1:], values[0])
        yield Slip(case.tape.maker[step.outs[0]], (total,), said.format(n=len(terms)))


def terms_of(case: Case, number: int) -> list[int]:
    """Return what is added up to a value, one addition after another."""
    step = case.names.step_of(number)
    if step is not None and step.name in COPIES and step.refs():
        return terms_of(case, step.refs()[0].number)
    if step is None or step.name != "add" or len(step.refs()) != 2 or step.kwargs:
        return [number]
    return [term for ref in step.refs() for term in terms_of(case, ref.number)]


def joined(names: Sequence[str]) -> str:
    """Return names in a row."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
