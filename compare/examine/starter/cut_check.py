"""Back propagations in training loops and notebook cells: cut out (`cut`) and compared.

What was cut out is a guess at what somebody meant. It accuses only with a known mistake or a
reduction that was not declared; whatever else it shows leaves the loop not compared.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import replace
from typing import Any

from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.absent_data import put_in, stand_ins
from compare.examine.starter.cut import Cut, cut_out
from compare.examine.starter.cut_gradient import is_gradient
from compare.examine.starter.cut_loops import Alone, each_loop
from compare.examine.starter.cut_loss import with_loss
from compare.examine.starter.cut_names import stored
from compare.examine.starter.cut_piece import NotCut
from compare.examine.starter.cut_rehearsal import rehearsed
from compare.examine.starter.cut_term import with_its_term
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.gradient_check import GradientCheck
from compare.examine.starter.loop_steps import updates_at
from compare.examine.starter.loss_beside import AGREE
from compare.examine.starter.missed import AGAIN, MOVE, multiplies_by_transpose, trains_inline
from compare.examine.starter.source import Source
from compare.examine.starter.statements import Kind, Statement
from compare.examine.starter.strengths import OURS, at_strength, forms
from compare.examine.starter.update_paths import TooMany
from compare.examine.starter.update_reader import Unread
from compare.examine.starter.update_sites import LOOSE, Site, constants_of, functions
from compare.guard.blame import Place


def places(source: Source, compared: Set[str]) -> Iterator[tuple[str, list[Statement]]]:
    """Yield the functions and the loose code that multiply by a transpose."""
    loose = []
    for one in source.statements:
        if isinstance(one.node, ast.FunctionDef):
            if one.node.name not in compared and computes(one):
                yield one.node.name, [one]
        elif one.kind in (Kind.LEFT_OUT, Kind.CONSTANT):
            loose.append(one)
    if any(map(computes, loose)):
        yield LOOSE, loose


def computes(one: Statement) -> bool:
    """Return whether a statement multiplies by a transpose, however deep."""
    return any(map(multiplies_by_transpose, ast.walk(one.node)))


def cut_checked(
    check: GradientCheck, source: Source, compared: Set[str]
) -> Iterator[tuple[FunctionVerdict, bool | None]]:
    """Yield the verdicts on what could be cut out and told, and whether with the signs of updates.

    None beside what stands in loose code and could not be told.
    """
    for name, statements in places(source, compared):
        first, *more = each_loop(statements)
        found = best_of(check, source, name, first.statements)
        if found is not None:
            yield found
        elif name == LOOSE and not any(trains_inline(one.node) for one in statements):
            if said := untold(statements):
                yield said, None
        for other in more:
            if found is not None or not other.looped:
                again = best_of(check, source, name, other.statements)
                yield another_loop(again, found or again, other), None


def best_of(
    check: GradientCheck, source: Source, name: str, statements: list[Statement]
) -> tuple[FunctionVerdict, bool] | None:
    """Return the verdict on what could be cut out of a place, and whether with the signs of its
    updates; None where nothing could be told."""
    tried = [(attempt(check, source, name, statements, signed=False), False)]
    if tried[0][0] is None:
        tried.insert(0, (attempt(check, source, name, statements, signed=True), True))
    known = [(one, signed) for one, signed in tried if one is not None]
    right = [one for one in known if one[0].verdict is Verdict.AGREES]
    told = [one for one in known if is_told(one[0])]
    simple = [one for one in told if is_simple(one[0])]
    lacking = [one for one in known if one[0].verdict is Verdict.UNDECIDABLE
               and one[0].sentence.startswith((DECAYS, AGREE))]  # fmt: skip
    return next(iter((*right, *simple, *told, *lacking)), None)


def another_loop(
    found: tuple[FunctionVerdict, bool] | None,
    first: tuple[FunctionVerdict, bool] | None,
    loop: Alone,
) -> FunctionVerdict:
    """Return the verdict on a further loop of a place, by its line; undecided where nothing could
    be told, or where its updates go the other way than those of the first."""
    name = f"{first[0].name if first else LOOSE}{ANOTHER if loop.looped else OUTSIDE}{loop.where}"
    if found is not None and first is not None and found[1] == first[1]:
        return replace(found[0], name=name)
    what = "another training loop, which was" if loop.looped else "gradients beside the loop, which"
    why = f"{what}{'' if loop.looped else ' were'} not compared: {MOVE}, {AGAIN}"
    place = Place(loop.file, loop.line)
    return FunctionVerdict(name, "gradient", place, Verdict.UNDECIDABLE, why)


def attempt(
    check: GradientCheck, source: Source, name: str, statements: list[Statement], *, signed: bool
) -> FunctionVerdict | None:
    """Return the verdict on one place, None where it cannot be cut out."""
    try:
        cut = cut_from(source, name, statements, signed)
        found = judged(check, cut)
        if found.verdict is Verdict.DISAGREES:
            check, found = beside_its_term(check, cut, found)
        if found.verdict is Verdict.AGREES or found.kind == "convention":
            found = beside_its_loop(check, source, cut, statements, found)
        if found.verdict is Verdict.AGREES and cut.decays:
            decaying = cut_from(source, name, statements, signed, OURS)
            found = with_decay(check, decaying, found)
        doubtful = cut.climbs and found.verdict is not Verdict.AGREES
        return None if doubtful else found
    except (NotCut, TooMany, Unread, UserCodeError):
        return None


def beside_its_term(
    check: GradientCheck, cut: Cut, found: FunctionVerdict
) -> tuple[GradientCheck, FunctionVerdict]:
    """The verdict on gradients that are right with an L2 term of numbers, and the check with it."""
    here, function = prepared(check, cut)
    with_term = with_its_term(here, function, cut.how)
    if with_term is None:
        return check, found
    right = judged(replace(check, penalty=with_term.penalty), cut)
    if right.verdict is not Verdict.AGREES:
        return check, found
    check = replace(check, penalty=with_term.penalty)
    words = f"{check.penalty.l2:.6g} times the weights, an L2 term, is part of its gradients"
    return check, replace(right, conventions=(*right.conventions, words))


def beside_its_loop(
    check: GradientCheck, source: Source, cut: Cut, statements: list[Statement],
    found: FunctionVerdict,
) -> FunctionVerdict:  # fmt: skip
    """The verdict on gradients that agree, or are summed, in the light of the loss in that loop and
    of a few batches of it."""
    here, function = prepared(check, cut)
    for activation in check.activations:
        alone = replace(here, activations=(activation,))
        called = alone.meaning(function, cut.how)
        if called is not None and called[0].verdict is found.verdict:
            found = with_loss(alone, source, cut, called[1], found)
            if found.verdict is not Verdict.AGREES:
                return found
            return rehearsed(source, cut, statements, called[1], found)
    return found


def with_decay(check: GradientCheck, cut: Cut, found: FunctionVerdict) -> FunctionVerdict:
    """The verdict on right gradients, with what a strength adds to them: a usual term, of all the
    weights, or else it was not compared."""
    named = " and ".join(sorted(cut.decays))
    for form in filter(of_weights, forms()):
        penalty = at_strength(form, OURS)
        if agrees(replace(check, penalty=penalty), cut):
            words = f"{named} adds {'l1' if penalty.l1 else 'l2'} to the gradients"
            return replace(found, conventions=(*found.conventions, words))
    return found.undecided(f"{DECAYS}: what {named} adds is no usual term of all weights")


def of_weights(form: Mapping[str, Any]) -> bool:
    """Whether a term is one that people take: of the weights, with or without a half."""
    return form["penalise"] == "weights" and 0.5 not in form.values()


DECAYS = "its decay was not compared"
ANOTHER = ", the loop at "
"""Between the name of a place and where another loop in it begins."""
OUTSIDE = ", what stands beside it at "
"""The same of what is in no loop."""


def is_simple(found: FunctionVerdict) -> bool:
    """Return whether one mistake says all."""
    return all("+" not in one.mistake for one in found.diagnosis)


def untold(statements: list[Statement]) -> FunctionVerdict | None:
    """Say that gradients of loose cells were not compared, if there are any."""
    for one in statements:
        if computes(one) and any(map(is_gradient, stored(one.node))):
            sentence = (
                f"the gradients computed outside of functions were not compared: {MOVE}, {AGAIN}"
            )
            place = Place(one.file, one.line)
            return FunctionVerdict(LOOSE, "gradient", place, Verdict.UNDECIDABLE, sentence)
    return None


def is_told(found: FunctionVerdict) -> bool:
    """Return whether a mistake is named, and not another network."""
    named = [one.mistake for one in found.diagnosis]
    if any("activation-is" in one for one in named):
        return False
    return found.verdict is Verdict.DISAGREES and bool(named or found.kind == "convention")


def cut_from(
    source: Source, name: str, statements: list[Statement], signed: bool, strength: float = 0.0
) -> Cut:
    """Return the back propagation of one place; raises `NotCut`, `TooMany` and `Unread`."""
    first = statements[0]
    if isinstance(first.node, ast.FunctionDef):
        site = next(functions(first.node, "", first.file, name))
    else:
        site = Site(tuple((one.file, one.node) for one in statements), name, loose=True)
    updates = updates_at(site, constants_of(source) | site.defaults)
    cut = cut_out(source, statements, name, updates, site.defaults, signed, strength)
    called = cut.source.closure([cut.function])
    text = "".join(ast.unparse(cut.source.definitions[one].node) for one in called
                   if one in cut.source.definitions)  # fmt: skip
    if "exp" not in text and "softmax" not in text:
        raise NotCut  # no network of the assignment
    return cut


def judged(check: GradientCheck, cut: Cut) -> FunctionVerdict:
    """Compare what was cut out like a gradient function."""
    here, function = prepared(check, cut)
    found = here(function, cut.how)
    out_of = f"the {LOOSE}" if cut.name == LOOSE else cut.name
    where = f"{cut.lines}, cut out of {out_of}"
    return replace(found, name=cut.name, place=cut.place, conventions=(*found.conventions, where))


def agrees(check: GradientCheck, cut: Cut) -> bool:
    """Return whether what was cut out is right."""
    here, function = prepared(check, cut)
    every = (replace(here, activations=(one,)) for one in check.activations)
    found = (one.meaning(function, cut.how) for one in every)
    return any(one is not None and one[0].verdict is Verdict.AGREES for one in found)


def prepared(check: GradientCheck, cut: Cut) -> tuple[GradientCheck, Callable[..., Any]]:
    """Return the check that hands its own arrays over, and what was cut out as a function."""
    opened = cut.source.load([cut.function])
    replaced = {**stand_ins(opened), **dict.fromkeys(cut.rows, "rows")}
    here = replace(
        check, pairs=False, prepare=lambda due: put_in(opened.module, replaced, due.quantities)
    )
    return here, opened.get(cut.function)
