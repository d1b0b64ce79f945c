"""A class with a forward and a backward pass: wrapped by trial, then checked like any gradient.

How it is built, where its weights are and in which order its methods are called is found at one
point (`recipe`); the way that gives torch's gradients is its author's. Where none does, the first
way that gives gradients of all weights is judged, if nothing else can be meant.
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import BadInput, UserCodeError
from compare.contracts.experiment import Experiment
from compare.contracts.records import Implementation
from compare.contracts.result import Result, Verdict
from compare.examine.point import check
from compare.examine.sides import our_manual
from compare.examine.starter.alone.used import is_alone
from compare.examine.starter.alone.verdict import layer_alone
from compare.examine.starter.binding import plain
from compare.examine.starter.class_loss import LinesOf
from compare.examine.starter.class_options import as_made
from compare.examine.starter.class_strengths import of_layers_inside, outcome, strength_of
from compare.examine.starter.class_trials import Trial, trial_of
from compare.examine.starter.class_updates import left_by_methods
from compare.examine.starter.expected import Expected, expected
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.gradient_functions import GRADIENT
from compare.examine.starter.loss_beside import UNSHOWN
from compare.examine.starter.meanings import in_doubt
from compare.examine.starter.minibatch import put_together
from compare.examine.starter.networks import Network, Shown, candidates, point, told
from compare.examine.starter.one_function import Declared
from compare.examine.starter.optimiser_classes import is_optimiser
from compare.examine.starter.readings import UNEQUAL, Sizes
from compare.examine.starter.recipe import (
    LOSS,
    TRAIN,
    Recipe,
    setting,
)
from compare.examine.starter.recipe_steps import steps_by_its_gradient
from compare.examine.starter.several_batches import with_several_batches
from compare.examine.starter.short_batch import with_a_short_batch
from compare.examine.starter.single import handed
from compare.examine.starter.source import Opened, Source
from compare.examine.starter.unset import left_unset, not_set
from compare.examine.starter.unshown import advice, ends
from compare.examine.starter.used import used_in
from compare.examine.starter.weight_layout import in_its_shape, turned_by
from compare.examine.starter.whole_check import class_together, without_our_labels
from compare.examine.starter.zeroing import is_zeroing
from compare.guard.guard import Guard
from compare.judge.conclusion import RANDOM
from compare.judge.naming import nothing_named

NOTHING: Mapping[str, Any] = {}
DROPOUT = re.compile(r"drop|keep_?prob|mask", re.IGNORECASE)
ADVICE = (
    "wrap it in loss_and_gradients(parameters, x, targets) that sets its weights, calls it and"
    " returns its loss and gradients, and run --manual on that file (docs/bring-your-own.md)"
)


def network_classes(source: Source) -> list[str]:
    """The classes of a file with a method that looks like a backward pass or a training.

    A class that another of them makes objects of, such as a layer, is looked at inside that one.
    """
    found = {
        name: one
        for name, one in source.definitions.items()
        if isinstance(one.node, ast.ClassDef)
        and any(map(computes_gradients, one.node.body))
        and not is_optimiser(source, name)
    }
    inside = {need for name, one in found.items() for need in one.needs - {name}}
    return [name for name in found if name not in inside]


def computes_gradients(node: ast.stmt) -> bool:
    """True for a method that is named like a gradient, a loss with its gradient, or a training."""
    if not isinstance(node, ast.FunctionDef) or is_zeroing(node.name):
        return False
    named = plain(node.name)
    return bool(GRADIENT.search(named) or TRAIN.fullmatch(named) or LOSS.fullmatch(named))


@dataclass
class Found:
    """The verdicts on classes, the classes of the objects inside them, in which form they hand
    single samples to functions, where a training was run whose step was compared, and by class the
    functions that its numbers came from; `updates` are the wrong steps of mini-batches."""

    verdicts: list[FunctionVerdict] = field(default_factory=list)
    parts: set[str] = field(default_factory=set)
    handed: dict[str, str] = field(default_factory=dict)
    stepped: set[str] = field(default_factory=set)
    used: dict[str, frozenset[str]] = field(default_factory=dict)
    updates: list[FunctionVerdict] = field(default_factory=list)


def classes_checked(
    source: Source, opened: Opened, names: Sequence[str], declared: Declared
) -> Found:
    """Check classes; one that is a layer of another of them was looked at inside that one."""
    found = Found()
    for name in names:
        verdict = class_checked(source, opened, name, declared, found)
        found.verdicts.append(as_made(source, name, declared, verdict, found.parts))
    found.verdicts = [
        one
        for one in found.verdicts
        if one.name not in found.parts or not (one.verdict is Verdict.UNDECIDABLE or is_alone(one))
    ] + found.updates
    return found


def class_checked(
    source: Source, opened: Opened, name: str, declared: Declared, seen: Found
) -> FunctionVerdict:
    """Check one class; the objects inside it and what it hands to functions go to `seen`."""
    reduction, seed = declared.network.reduction, declared.seed
    place = source.where(name)
    about = FunctionVerdict(name, "gradient", place, Verdict.UNDECIDABLE, "")
    try:
        cls = opened.get(name)
    except UserCodeError as error:
        return about.undecided(f"not defined: {error}")
    if not inspect.isclass(cls):
        return about.undecided("is no class")
    best = trial_of(cls, source, name, declared)
    sizes = UNEQUAL if isinstance(best, str) else best.sizes
    due = expected(sizes, reduction, seed)
    together = isinstance(best, str) or not best.recipe.online
    if together and (isinstance(best, str) or not best.whole):
        whole = class_together(source, name, declared)
        if whole is not None:
            seen.parts |= whole.called - {name}
            seen.used[name] = whole.called
            seen.handed |= whole.handed
            if whole.right:
                form, guard = whole.handed.get(name, ""), Guard(timeout=declared.timeout)
                seen.updates += put_together(cls, name, form, place, guard)
            unset = (
                [] if isinstance(best, str) else left_unset(best.recipe, due.point, source.guard)
            )
            return judged(whole.verdict, source, best, cls, unset)
    if isinstance(best, str):
        alone = layer_alone(cls, source, name, Guard(timeout=declared.timeout), about)
        return alone or about.undecided(f"was not compared: {best}; {ADVICE}")
    seen.handed |= handed_by(best.recipe, opened, due, Guard(timeout=declared.timeout))
    seen.used[name] = used_by(best.recipe, opened, due, Guard(timeout=declared.timeout))
    unset = left_unset(best.recipe, due.point, Guard(timeout=declared.timeout))
    with nothing_named() if unset else nullcontext():  # nobody is accused by such numbers
        verdict, right = as_it_is_called(source, cls, best, declared, about)
    method = best.recipe.methods[-1]
    quiet = Guard(timeout=declared.timeout)
    seen.updates += left_by_methods(cls, best.recipe, due.point, place, quiet)
    if (
        right
        and TRAIN.fullmatch(plain(method.name))
        and steps_by_its_gradient(best.recipe, due.point, Guard(timeout=declared.timeout))
    ):
        seen.stepped.add(f"in {name}.{method.name}")
    return judged(verdict, source, best, cls, unset)


def as_it_is_called(
    source: Source, cls: type, best: Trial, declared: Declared, about: FunctionVerdict
) -> tuple[FunctionVerdict, bool]:
    """Check a class as it was read, with the penalty and of the network that it may mean.

    Returns the verdict, and whether everything that was compared is right.
    """
    quiet = Guard(timeout=declared.timeout)
    strength = strength_of(cls, best.recipe, declared.settings, best.sizes, quiet)
    declared = replace(declared, settings={**declared.settings, **strength.declared})
    network = meant_network(best, source, declared, quiet)
    other = network.declared() if network != declared.network else {}
    try:
        result = check(
            contract_1(
                cls, best.recipe, network, best.sizes, strength.passed, declared.settings
            ),
            inputs=best.sizes.F, classes=best.sizes.K, hidden=best.sizes.hidden,
            timeout=declared.timeout, seed=declared.seed, bias=best.sizes.biases,
            **{**declared.settings, **other},
        )  # fmt: skip
    except BadInput as problem:
        return about.undecided(f"was not compared: {problem}; {ADVICE}"), False
    numbers = any(value == "labels" for method in best.recipe.methods for _, value in method.passed)
    verdict = said(about, best, without_our_labels(result, numbers))
    if not best.recipe.online:
        turned = quiet.run(lambda: turned_by(best.recipe, *point(best.sizes, 0)), "", None)
        verdict = in_its_shape(verdict, turned, source)
    words = (*strength.words(), *network.words(declared.network))
    verdict = replace(verdict, conventions=(*verdict.conventions, *words))
    penalty = penalty_of({**declared.settings, **other}, best.sizes) if strength.declared else 0.0
    lines = LinesOf(cls, source, best, network, declared.seed, strength.passed, penalty)
    verdict = lines(verdict)
    if verdict.verdict is Verdict.AGREES:
        verdict = with_a_short_batch(verdict, best.recipe, best.sizes, quiet)
    if verdict.verdict is Verdict.AGREES:
        verdict = with_several_batches(verdict, best.recipe, best.sizes, quiet)
    shown = best.shows_loss or ends(network) == ends(declared.network)
    if doubtful := in_doubt_of(best, verdict):
        return about.undecided(f"was not compared: {doubtful}; {ADVICE}"), False
    unseen = (strength.lacking, "" if shown else advice(network), best.lacking)
    lacking = " and ".join(filter(None, unseen))
    agrees = verdict.verdict is Verdict.AGREES
    right = result.verdict is Verdict.AGREES
    return (verdict.undecided(lacking) if lacking and agrees else verdict), right


def penalty_of(settings: Mapping[str, Any], sizes: Sizes) -> float:
    """What the terms that are declared add to a loss, at one point."""
    ours = Experiment(**{**settings, "hidden": sizes.hidden, "bias": sizes.biases})
    losses = [our_manual(one).loss_and_gradients(*point(sizes, 0))[0]
              for one in (ours, replace(ours, l1=0.0, l2=0.0))]  # fmt: skip
    return float(losses[0] - losses[1])


def in_doubt_of(best: Trial, verdict: FunctionVerdict) -> str:
    """What of a call was guessed where nothing it gives is right and no mistake is known: nobody is
    accused of it. Empty where the names say what is handed over."""
    if verdict.verdict is not Verdict.DISAGREES or verdict.diagnosis or best.right:
        return ""
    names = [name for method in best.recipe.methods for name, _ in method.passed
             if in_doubt(name) and not setting(name)]  # fmt: skip
    return f"what {' and '.join(names)} stands for is not certain" if names else ""


def judged(
    verdict: FunctionVerdict, source: Source, best: Trial | str, cls: type, unset: list[str]
) -> FunctionVerdict:
    """The verdict, undecided where a class was accused of numbers that are no evidence: its layers
    may have penalties of their own, some of its arrays are `unset`, or it draws masks of dropout,
    which nobody can hand to torch."""
    if verdict.verdict is not Verdict.DISAGREES:
        return verdict
    sizes = UNEQUAL if isinstance(best, str) else best.sizes
    if strengths := of_layers_inside(verdict, cls, sizes):
        why = f"what {strengths} adds was not compared: it is of one layer, not of the network"
        return replace(verdict.undecided(why), worst=None, diagnosis=(), kind=None)
    if isinstance(best, str):
        return verdict
    random = any(one.mistake == RANDOM for one in verdict.diagnosis)
    if unset:
        why = f"was not compared: {not_set(unset)}; {ADVICE}"
    elif random and DROPOUT.search(source.text):
        why = "its dropout was not compared: it draws its masks itself"
    else:
        return verdict
    return replace(verdict.undecided(why), worst=None, diagnosis=(), kind=None)


def meant_network(best: Trial, source: Source, declared: Declared, guard: Guard) -> Network:
    """The network whose gradients a class computes: the declared one, or one that its text may mean
    and of which more gradients are right."""
    asked = declared.network
    if best.whole:
        return asked
    parameters, x, targets = point(best.sizes, declared.seed)
    run = functools.partial(best.recipe.outcome, dict(parameters), x, targets)
    loss, gradients = guard.run(run, "", None)
    meant = list(candidates(source.text, asked, list(declared.settings)))
    fits = {
        one: told(Shown(loss, gradients), [one], best.sizes, declared.seed).right for one in meant
    }
    return max(fits, key=lambda one: fits[one])


def handed_by(recipe: Recipe, opened: Opened, due: Expected, guard: Guard) -> dict[str, str]:
    """The functions that a class hands single samples when it is called as it was read."""
    point = due.point
    run = functools.partial(recipe.outcome, dict(point.parameters), point.x, point.targets)
    return handed(opened.module, run, guard, len(point.x))


def used_by(recipe: Recipe, opened: Opened, due: Expected, guard: Guard) -> frozenset[str]:
    """The functions of the file on which a class's gradients and loss depend."""
    point = due.point

    def numbers(functions: object) -> list[Array]:
        loss, gradients = recipe.outcome(dict(point.parameters), point.x, point.targets)
        return [*gradients.values(), np.array(np.nan if loss is None else loss)]

    return used_in(opened.module, numbers, guard)


def contract_1(
    cls: type, recipe: Recipe, network: Network, sizes: Sizes = UNEQUAL, strength: float = 0.0,
    settings: Mapping[str, Any] = NOTHING,
) -> Implementation:  # fmt: skip
    """The class as a function of contract 1, whose failures are blamed on its own lines.

    It is called at a `strength` of its penalty. Where it shows no loss it is given that of the
    network with these `settings`, its penalty for one.
    """
    asked: dict[str, Any] = {**settings, **network.declared(), "hidden": sizes.hidden}
    asked["bias"] = sizes.biases
    ours = our_manual(Experiment(**asked)).loss_and_gradients

    def loss_and_gradients(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        loss, gradients = outcome(cls, recipe, strength, parameters, x, targets)
        return ours(parameters, x, targets)[0] if loss is None else loss, gradients

    called_as = inspect.signature(loss_and_gradients)
    functools.update_wrapper(loss_and_gradients, getattr(cls, recipe.methods[-1].name))
    loss_and_gradients.__name__ = cls.__name__
    loss_and_gradients.__signature__ = called_as  # type: ignore[attr-defined]  # not its method's
    return loss_and_gradients


def said(about: FunctionVerdict, best: Trial, result: Result) -> FunctionVerdict:
    """The verdict of the check, as that of one function of the file."""
    unseen = () if best.shows_loss else (UNSHOWN,)
    agrees = result.verdict is Verdict.AGREES
    sentence = "agrees" if agrees else result.sentence.partition(": ")[2] or result.sentence
    return replace(
        about.compared_as(result), verdict=result.verdict, sentence=sentence,
        diagnosis=result.diagnosis,
        kind=None if agrees else "convention" if result.kind == "convention" else "value",
        conventions=(f"read as {best.recipe}", *unseen, *result.notes),
    )  # fmt: skip
