"""`--starter FILE`: the assignment's file as students write it, function by function.

The file is opened without being run (`source`), the functions of the assignment are found by name
(`roles`) and checked (`function_check`), gradient functions are called with every meaning of their
parameters (`gradient_check`), classes are wrapped (`network_class`), updates in training loops are
taken out (`loop_steps`). What looks like a gradient and could not be compared is said (`missed`).
Then the functions are looked at together: one file keeps samples in rows or in columns, and its
gradient belongs to its loss. Where nothing is wrong so far, the training is run over rows of ours
(`training`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from compare.contracts.errors import BadInput, UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.absent_data import note_stand_ins, put_in, stand_ins
from compare.examine.starter.activation_slopes import slope_checked
from compare.examine.starter.alone.joined import pair_alone
from compare.examine.starter.alone.used import with_their_use
from compare.examine.starter.best_kept import best_by_reference
from compare.examine.starter.binary_loss import binary_loss
from compare.examine.starter.chosen_slopes import chosen_slopes
from compare.examine.starter.constants import constants_in
from compare.examine.starter.cut_check import cut_checked, places
from compare.examine.starter.expected import LOSS
from compare.examine.starter.factors import as_factors
from compare.examine.starter.forward_check import forward_checks
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.gradient_calls import ADVICE
from compare.examine.starter.gradient_check import GradientCheck
from compare.examine.starter.gradient_functions import GradientFunction, read_function
from compare.examine.starter.handed_slopes import handed_slope
from compare.examine.starter.held import Held, held_by
from compare.examine.starter.held_out import curves_of_training_rows
from compare.examine.starter.held_weights import held_weights
from compare.examine.starter.hidden import forward_passes, inside
from compare.examine.starter.inline import hidden_shown
from compare.examine.starter.layer_pairs import layer_pairs
from compare.examine.starter.layers_check import together_said
from compare.examine.starter.linear_softmax import (
    linear_checked,
    linear_functions,
    linear_softmaxes,
)
from compare.examine.starter.logistic import logistic_regressions
from compare.examine.starter.loop_steps import Updates, loop_steps
from compare.examine.starter.meanings import LAYOUTS, Layout
from compare.examine.starter.missed import missed, unseen
from compare.examine.starter.network_class import Found, classes_checked
from compare.examine.starter.networks import candidates, shows_squares_alone
from compare.examine.starter.nothing_known import nothing_known
from compare.examine.starter.numbering import is_handed_less_one
from compare.examine.starter.one_function import Declared
from compare.examine.starter.optimiser_classes import by_updates_alone
from compare.examine.starter.own_loss import beside_smoothing
from compare.examine.starter.pair_check import pairs_checked, seen_beside
from compare.examine.starter.readings import F, K, N
from compare.examine.starter.role_checks import roles_checked
from compare.examine.starter.settled import settled
from compare.examine.starter.single import (
    as_called,
)
from compare.examine.starter.source import Opened, Source, open_source
from compare.examine.starter.stepped_twice import stepped_twice
from compare.examine.starter.together import together
from compare.examine.starter.training.told import unfollowed, with_training
from compare.examine.starter.uncompared import uncompared
from compare.examine.starter.update_calls import left_where_they_were
from compare.examine.starter.update_same import same_for_all
from compare.examine.starter.uphill import seen_with_gradients
from compare.examine.starter.weight_layout import first_said, said_by
from compare.guard.blame import Place
from compare.guard.guard import A_FEW_ROWS, Guard
from compare.guard.patience import one_check

NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True)
class StarterReport:
    """Everything that was found out about a file; `gradients` are its gradient functions, bound as
    far as calling them or their names told, `updates` what became of the updates in it,
    `called` the functions that were compared as parts of a whole, `idle` those that are only named
    in such parts.
    """

    source: Source
    functions: tuple[FunctionVerdict, ...]
    gradients: tuple[GradientFunction, ...]
    reduction: str
    updates: Updates
    called: frozenset[str] = frozenset()
    idle: frozenset[str] = frozenset()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to be able to read the file, and what was left out."""
        done = (*left_out(self.source), *self.source.guard.notes.sentences())
        seen = {one.name for one in self.functions} | self.updates.functions | self.called
        uncompared = [one.name for one in self.functions if one.verdict is Verdict.UNDECIDABLE]
        names = unseen(self.source, seen, self.called, self.idle)
        return (
            *done,
            *([f"not looked at: {', '.join(names)}"] if names else []),
            *by_updates_alone(self.source),
            *layer_pairs(self.source, uncompared),
        )


@one_check()
def check_starter(
    path: str | Path,
    *,
    reduction: str = "mean",
    seed: int = 0,
    timeout: float | None = A_FEW_ROWS,
    declared: Mapping[str, Any] = NOTHING,
) -> StarterReport:
    """Check every function of the assignment that a .py or .ipynb file defines, and its classes.

    `declared`: settings of the network by name, such as `activation`.

    Raises `BadInput` if the file cannot be read or holds nothing that could be checked.
    """
    source = open_source(path, guard=Guard(timeout=timeout))
    asked = Declared({"reduction": reduction, **declared} if declared else declared, seed, timeout)
    file = held_by(source, asked)
    if not (file.compared or holds_anything_else(source)):
        raise BadInput(nothing_known(source))
    forward = forward_passes(source, file.named)
    opened = source.load([*file.named, *forward])
    replaced = stand_ins(opened)
    note_stand_ins(replaced, source.guard.notes)
    put_in(opened.module, replaced, {"x": np.ones((N, F)), "y": np.eye(N, K)})
    of_classes = classes_checked(source, opened, file.classes, asked)
    found = roles_checked(file, opened, of_classes, reduction)
    lies = said_by(source)
    slope = GradientCheck(
        source.guard, reduction, seed, first_said(likeliest_layouts(found), lies),
        hidden_units(source, asked), asked.network.activation, lies=lies,
        prepare=lambda due: put_in(opened.module, replaced, due.quantities),
        shows=lambda activation: hidden_shown(source, activation, Guard(timeout=timeout)),
    )  # fmt: skip
    found = with_the_rest_called(file, found, opened, slope, of_classes, forward, asked)
    found, updates = with_lines(file, found, slope, of_classes)
    found = [pair_alone(source, one) for one in pairs_checked(source, found)]
    found = seen_with_gradients(found, source, updates.descending)
    found = [with_reason(one, source, opened, replaced) for one in found]
    found, trained = with_training(source, found, asked, updates.right)
    found = list(with_their_use(source, found, trained=bool(trained)))
    if updates.right and not of_classes.verdicts and file.whole is None:
        found += unfollowed(source, found)
    idle = frozenset[str]() if file.whole is None else file.whole.idle
    called = file.called | of_classes.parts
    seen = {one.name for one in found} | called | trained  # not what is called beside an update
    left = unseen(source, seen, called, idle)
    names = [name for name in left if name not in updates.functions]
    found += [*uncompared(source, names), *stepped_twice(source), *held_weights(source)]
    shifted = {one.name for one in found if is_handed_less_one(source, one.name)}
    return StarterReport(
        source,
        tuple(together(as_factors(source, found), shifted)),
        tuple(file.gradients),
        reduction,
        updates,
        called,
        idle,
    )


def with_the_rest_called(
    file: Held,
    found: list[FunctionVerdict],
    opened: Opened,
    slope: GradientCheck,
    of_classes: Found,
    forward: Iterable[str],
    asked: Declared,
) -> list[FunctionVerdict]:
    """Add gradient functions, layers, classes and forward passes, then see them together."""
    source, known = file.source, file.settled
    gradients = [one for one in file.gradients if one.name not in known]
    alone = [gradient_checked(slope, source, opened, one) for one in gradients]
    found = found + [beside_smoothing(one, asked.settings) for one in alone]
    found = as_called(source, found, of_classes.verdicts, of_classes.used)
    found += [*file.layers.verdicts, *together_said(source, file.layers, of_classes.verdicts)]
    linear = linear_softmaxes(source, {one.name for one in found} | known, slope)
    found += [beside_smoothing(one, asked.settings) for one in linear]
    done = {one.name for one in found} | known
    settings = {"reduction": slope.reduction, **asked.settings}
    found += logistic_regressions(source, done, asked.timeout, asked.seed, settings)
    done |= {one.name for one in found}
    found += [forward_checked(slope, source, opened, one) for one in forward if one not in done]
    if file.whole is not None:
        found = settled(found, file.whole)
    wrong = {one.name for one in found if one.verdict is Verdict.DISAGREES}
    every = chosen_slopes(source, slope.activations)
    by_word = {one.name: one for one in every if one.name not in wrong}
    found = [*(one for one in found if one.name not in by_word), *by_word.values()]
    return [*found, *inside(source, {one.name for one in found})]


def with_lines(
    file: Held, found: list[FunctionVerdict], slope: GradientCheck, of_classes: Found
) -> tuple[list[FunctionVerdict], Updates]:
    """Add what stands in lines that nobody can call: gradients that are cut out, and updates."""
    source = file.source
    done = {one.name for one in found} | file.called | file.layers.parts
    cut = list(cut_checked(slope, source, done))
    found = [*found, *(verdict for verdict, _ in cut)]
    found += missed(source, done | {verdict.name for verdict, _ in cut})
    signs = {verdict.name: signed for verdict, signed in cut if signed is not None}
    updates = loop_steps(source, {one.name for one in found}, signs)
    for sentence in updates.notes:
        source.guard.notes.add(sentence)
    named = {one.name for one in updates.found}
    still = [one for one in left_where_they_were(source, sorted(updates.functions))
             if one.name not in named]  # fmt: skip
    still += [*same_for_all(source), *curves_of_training_rows(source), *best_by_reference(source)]
    return found + unproved(updates.found, of_classes.stepped) + still, updates


def holds_anything_else(source: Source) -> bool:
    """Whether a file holds updates, gradients outside of functions, or code that cannot be read."""
    unread = bool(source.broken and source.definitions)
    known = any(linear_functions(source)) or any(places(source, set()))
    return unread or holds_updates(source) or known


def hidden_units(source: Source, declared: Declared) -> tuple[str, ...]:
    """The activations a file may mean, the declared one alone where there is one; else relu first,
    but last where nothing in the text has a corner."""
    every = candidates(source.text, declared.network, list(declared.settings))
    return tuple(dict.fromkeys(one.activation for one in every))


def holds_updates(source: Source) -> bool:
    """Return whether weights are updated somewhere in a file."""
    updates = loop_steps(source, ())
    return bool(updates.found or updates.right)


def likeliest_layouts(found: Iterable[FunctionVerdict]) -> tuple[Layout, ...]:
    """The layouts to try, first those of the functions that agree."""
    columns = any(one.layout == "columns" for one in found if one.verdict is Verdict.AGREES)
    return tuple(sorted(LAYOUTS, key=lambda one: (one.samples == "columns") != columns))


def unproved(found: Iterable[FunctionVerdict], stepped: Iterable[str]) -> list[FunctionVerdict]:
    """The verdicts on updates without those that could not be read where the step was compared."""
    places = tuple(f" {place}" for place in stepped)
    unread = Verdict.UNDECIDABLE
    return [one for one in found if one.verdict is not unread or not one.name.endswith(places)]


def with_reason(
    one: FunctionVerdict, source: Source, opened: Opened, replaced: Mapping[str, str]
) -> FunctionVerdict:
    """Add to what could not be called that the batch stood in for an array it reads."""
    needs = source.definitions[one.name].needs if one.name in source.definitions else frozenset()
    reasons = [opened.failed[name] for name in replaced if name in needs]
    if one.verdict is not Verdict.UNDECIDABLE or not reasons:
        return one
    return replace(one, sentence="; ".join([one.sentence, *reasons]))


def gradient_checked(
    check: GradientCheck, source: Source, opened: Opened, how: GradientFunction
) -> FunctionVerdict:
    """Check one function that looks like it returns gradients."""
    place = source.where(how.name)
    try:
        function = opened.get(how.name)
    except UserCodeError as error:
        why = f"not defined: {error}"
        return FunctionVerdict(how.name, "gradient", place, Verdict.UNDECIDABLE, why)
    if slope := slope_checked(how.name, function, check.activations, check.guard.timeout):
        return replace(slope, place=place)
    if slope := handed_slope(how.name, function, check.activations, check.guard.timeout):
        return seen_beside(source, replace(slope, place=place))
    if linear := linear_checked(source, how, function, check):
        return replace(linear, place=place)
    found = replace(check(function, how), place=place)
    if found.role == LOSS:
        found = binary_loss(source, found, function)
    if found.verdict is Verdict.DISAGREES and shows_squares_alone(source.text):
        why = "its loss is no cross-entropy, and what its functions hand each other was not found"
        return found.undecided(f"{how.name} was not compared: {why}; {ADVICE}")
    if found.verdict is Verdict.DISAGREES and not found.diagnosis:
        if strengths := " and ".join(strengths_read(source, opened, how.name)):
            why = f"what {strengths} adds is not known"
            return found.undecided(f"{how.name} was not compared: {why}; {ADVICE}")
    return found


def strengths_read(source: Source, opened: Opened, name: str) -> list[str]:
    """The strengths of penalties that a file writes down and a function may read."""
    read = source.closure([name])
    return [one.name for one in constants_in(opened.module) if one.read_by(read)]


def forward_checked(
    slope: GradientCheck, source: Source, opened: Opened, name: str
) -> FunctionVerdict:
    """Check a forward pass at the point of the gradients."""
    place = source.where(name)
    try:
        function = opened.get(name)
    except UserCodeError as error:
        why = f"not defined: {error}"
        return FunctionVerdict(name, "forward", place, Verdict.UNDECIDABLE, why)
    how = read_function(source, name, source.definitions[name].node)
    found = [one(function, how) for one in forward_checks(source.guard, slope)]
    right = [one for one in found if one.verdict is Verdict.AGREES]
    return replace([*right, *found][0], place=place)


def left_out(source: Source) -> tuple[str, ...]:
    """Say which statements were not executed."""
    if not source.left_out:
        return ()
    places = [str(Place(one.file, one.line)) for one in source.left_out]
    count = f"{len(places)} statement{'s' * (len(places) > 1)}"
    return (f"not run: {count} outside of functions, the first at {places[0]}",)
