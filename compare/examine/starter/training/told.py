"""The verdicts on a file in the light of its training, run over rows of ours (`rehearsal`).

A right training decides what could not be compared alone: the functions that its steps are made
of, a loss that is its network's, the loop itself and a guess at what was cut out of it. It excuses
no function that was found wrong. A mistake that its steps show is one of the file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from compare.contracts.result import Verdict
from compare.examine.starter.binding import plain
from compare.examine.starter.cut_check import ANOTHER
from compare.examine.starter.cut_names import loaded
from compare.examine.starter.cut_rehearsal import OTHER
from compare.examine.starter.exchanged import exchanged
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.missed import descends
from compare.examine.starter.one_function import Declared
from compare.examine.starter.short_batch import MISTAKE
from compare.examine.starter.source import Source
from compare.examine.starter.stepped_twice import targets
from compare.examine.starter.training.rehearsal import Rehearsed, about_loop, rehearse
from compare.examine.starter.update_lines import word
from compare.examine.starter.update_sites import LOOSE
from compare.examine.starter.update_words import of_gradient

CUT, DROPPED = "cut out of", "its dropout was not compared"
UNFOLLOWED = "its updates are right, and the gradients in its loop were compared with nothing"
HOLDING = ast.For | ast.While | ast.FunctionDef
OF_DATA = re.compile(r"[xyhazo]\d*|(inp|out|hid|act|pred|prob|err|target|label|sample)\w*")
"""What inputs, units, outputs, targets and errors are called."""
OF_LOOPS = frozenset({MISTAKE, OTHER})
"""Mistakes that running a loop that was cut out has shown."""


def with_training(
    source: Source, found: Sequence[FunctionVerdict], declared: Declared, right_updates: int
) -> tuple[list[FunctionVerdict], frozenset[str]]:
    """Return the verdicts, and the functions that the steps of a right training are made of."""
    if not asked(found):
        return list(found), frozenset()
    shown = rehearse(source, declared)
    if shown is None:
        right = all(one.verdict is Verdict.AGREES for one in found)
        named = {one.name for one in found if one.role == "gradient"}
        return [*found, *(exchanged(source, named) if right else ())], frozenset()
    if shown.verdict.verdict is Verdict.UNDECIDABLE and shown.own:
        return list(with_sentence(found, shown)) or [shown.verdict], frozenset()
    if shown.verdict.verdict is Verdict.UNDECIDABLE:
        alone = all(one.verdict is Verdict.AGREES for one in found)
        known = any(one.name == shown.verdict.name and one.role == "step" for one in found)
        return [*found, *([shown.verdict] if alone and not known else [])], frozenset()
    if shown.verdict.verdict is Verdict.DISAGREES:
        more = shown.own and any(one.diagnosis for one in found)  # what was cut out says more
        return list(found) if more else with_mistake(found, shown), frozenset()
    updated = shown.followed or right_updates > 0
    if shown.penalised or not updated:
        return list(found), frozenset()
    said = [in_its_light(one, shown) for one in found]
    if not any(holds_it(one, shown) or is_part(one, shown) for one in found):
        said.append(shown.verdict)  # nothing in it has a name that says what it is
    return said, shown.parts.path


def unfollowed(source: Source, found: Sequence[FunctionVerdict]) -> Iterator[FunctionVerdict]:
    """Yield that gradients were compared with nothing, where updates alone were and what holds them
    makes their gradients, too."""
    if not all(one.role == "step" and one.verdict is Verdict.AGREES for one in found):
        return
    for one in source.statements:
        for block in (part for part in ast.walk(one.node) if isinstance(part, HOLDING)):
            parts = list(ast.walk(block))
            if any(map(descends, parts)) and any(map(makes_a_gradient, parts)):
                yield about_loop(source, one.file, block.lineno).undecided(UNFOLLOWED)
                return


def makes_a_gradient(line: ast.AST) -> bool:
    """Whether a line makes what is called a gradient of inputs, units, outputs or errors."""
    if not isinstance(line, ast.Assign | ast.AugAssign):
        return False
    named = any(of_gradient(word(ast.unparse(one))) for one in targets(line))
    made = any(isinstance(part, ast.BinOp) for part in ast.walk(line.value))
    return named and made and any(OF_DATA.fullmatch(plain(name)) for name in loaded(line.value))


def with_sentence(found: Sequence[FunctionVerdict], shown: Rehearsed) -> Iterator[FunctionVerdict]:
    """Yield the verdicts; the first one that could not be compared says what its own loss shows."""
    said = False
    for one in found:
        first = one.verdict is Verdict.UNDECIDABLE and not (said or one.lacking)
        said = said or first
        words = f"{one.sentence}; held against its own loss, {shown.verdict.sentence}"
        yield replace(one, sentence=words) if first else one


def asked(found: Sequence[FunctionVerdict]) -> bool:
    """Return whether a training has anything to say: where nothing is wrong yet, or only what was
    cut out of a loop, and updates beside it."""
    wrong = [one for one in found if one.verdict is Verdict.DISAGREES]
    cut = any(is_cut_out(one) for one in wrong)
    return all(is_cut_out(one) or (cut and one.role == "step") for one in wrong)


def is_cut_out(one: FunctionVerdict) -> bool:
    """Return whether a verdict is that on lines of a loop."""
    return any(CUT in words for words in one.conventions)


def shown_by_its_loop(one: FunctionVerdict) -> bool:
    """Return whether a mistake was seen while the loop was run, and not guessed."""
    return any(known.mistake in OF_LOOPS for known in one.diagnosis)


def with_mistake(found: Sequence[FunctionVerdict], shown: Rehearsed) -> list[FunctionVerdict]:
    """Return the verdicts with the mistake of the training, but for those on the same loop."""
    whole = shown.verdict.name
    kept = [one for one in found if not (one.name == whole or is_cut_out(one)
            or (one.name.startswith(LOOSE) and whole == LOOSE))]  # fmt: skip
    return [*kept, shown.verdict]


def in_its_light(one: FunctionVerdict, shown: Rehearsed) -> FunctionVerdict:
    """Return a verdict, right where the steps of a right training say so."""
    if one.verdict is Verdict.AGREES:
        return one
    dropped = shown.own and DROPPED in one.sentence  # it was run as it is written
    undecided = one.verdict is Verdict.UNDECIDABLE and (dropped or not one.lacking)
    words = shown.verdict.conventions
    declared = one.kind == "convention" or shown_by_its_loop(one)  # a sum is one in the loop, too
    guessed = undecided or (is_cut_out(one) and not declared)
    of_loop = holds_it(one, shown) and ANOTHER not in one.name and guessed
    told = of_loop or shown.own
    if of_loop or (undecided and is_part(one, shown)):
        return replace(
            one, verdict=Verdict.AGREES, sentence="agrees", kind=None, diagnosis=(),
            conventions=words if told else (f"as {shown.verdict.name} uses it",), lacking=False,
        )  # fmt: skip
    return one


def holds_it(one: FunctionVerdict, shown: Rehearsed) -> bool:
    """Return whether a verdict is on the function or class that a training stands in."""
    return one.name in (shown.verdict.name, shown.verdict.name.partition(".")[0])


def is_part(one: FunctionVerdict, shown: Rehearsed) -> bool:
    """Return whether a verdict is on a part of a right training: functions or classes that its
    steps are made of, its loss, or an update in one of them."""
    parts = shown.parts.path | {name.partition(".")[0] for name in shown.parts.path}
    if one.role == "step":
        places = {shown.verdict.name, *shown.parts.path}
        return shown.followed and any(f" {one.name}".endswith(f" {name}") for name in places)
    return all(name in parts or name in shown.parts.losses for name in one.name.split(", "))
