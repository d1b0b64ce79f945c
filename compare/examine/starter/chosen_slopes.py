"""The derivatives that one function holds under several words: `act_grad(z, kind)`.

A network uses one of them, and what is right as it is used may be wrong for another word. So every
word that the function knows and that names an activation is handed to it, and what it returns is
held against the derivative of that activation.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from compare.allowance.rules import ACTIVATION_RULES
from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.activation_slopes import is_slope, meant_by, reaching, required
from compare.examine.starter.binding import plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.readings import UNEQUAL, drawn
from compare.examine.starter.source import Source
from compare.guard.copies import OnCopies
from compare.guard.guard import Guard

IDENTITY = frozenset({"linear", "none", "id", "identity"})
"""Words, without underscores, for the activation that does nothing."""
SLOPE = re.compile(r"grad|back|deriv|prime|slope|^d_?act", re.IGNORECASE)
"""In names of derivatives."""
FORMS = ("its input", "h")
"""What the derivative of an activation may be a function of."""


def chosen_slopes(source: Source, activations: Iterable[str]) -> Iterator[FunctionVerdict]:
    """The verdicts on functions that give the derivative of whichever activation a word names."""
    every = [*activations, *ACTIVATION_RULES]
    for name, one in source.definitions.items():
        if not isinstance(one.node, ast.FunctionDef) or not is_slope_name(name):
            continue
        choice, words = choice_in(one.node)
        meant = {word: named for word in words if (named := named_by(word, every))}
        function = vars(source.load([name]).module).get(name) if len(meant) > 1 else None
        if callable(function):
            found = {word: matching(function, choice, word, named)
                     for word, named in meant.items()}  # fmt: skip
            if any(found.values()):
                yield from verdict_on(source, name, choice, meant, found)


def is_slope_name(name: str) -> bool:
    """Whether a function is called like a derivative."""
    return bool(SLOPE.search(name))


def named_by(word: str, every: Iterable[str]) -> list[str]:
    """The activations that a word names, with the parameters that a file gives them."""
    if plain(word) in IDENTITY:
        return ["identity"]
    meant = meant_by(word)
    return list(dict.fromkeys(one for one in every if plain(one.partition(":")[0]) in meant))


def choice_in(node: ast.FunctionDef) -> tuple[str, list[str]]:
    """The parameter of a function that it compares with words, and these words."""
    found: dict[str, list[str]] = {one.arg: [] for one in (*node.args.args, *node.args.kwonlyargs)}
    for part in ast.walk(node):
        for name in names_in(compared_in(part)):
            found.get(name, []).extend(words_in(compared_in(part)))
    most = max(found, key=lambda name: len(found[name]), default="")
    return most, list(dict.fromkeys(found.get(most, [])))


def compared_in(node: ast.AST) -> list[ast.AST]:
    """What is held against each other by `a == b`, `a in (b, c)`, `{b: ...}[a]`, `match a`."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Dict):
        return [node.slice, *filter(None, node.value.keys)]
    if isinstance(node, ast.Match):
        return [node.subject, *(case.pattern for case in node.cases)]
    return []


def names_in(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The names that stand in some nodes: of `kind.lower()`, kind."""
    yield from (one.id for node in nodes for one in ast.walk(node) if isinstance(one, ast.Name))


def words_in(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The strings that stand in some nodes."""
    for one in (one for node in nodes for one in ast.walk(node)):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


def matching(
    function: Callable[..., Any], choice: str, word: str, activations: Iterable[str]
) -> frozenset[str] | None:
    """What the derivative that a function gives for a word is a function of, nothing if it gives
    none; None if it cannot be called so. What flows in must come out again, times the derivative.
    """
    others = [one for one in required(function) if one != choice]
    flows_in = np.random.default_rng(0).uniform(0.5, 1.5, drawn(UNEQUAL)[0].shape)
    tried = []
    for name in others[:2]:
        given = {choice: word, **dict.fromkeys(others, flows_in)}
        alone = forms_of(of_one(function, given, name, 1.0), activations)
        if len(others) == 1:
            return alone
        tried.append(forms_of(of_one(function, given, name, flows_in), activations))
        tried.append(alone and frozenset(f"{form}{ALONE}" for form in alone))
    called = [one for one in tried if one is not None]
    return frozenset[str]().union(*called) if called else None


ALONE = ", whatever flows in"


def of_one(
    function: Callable[..., Any], given: Mapping[str, Any], name: str, share: Array | float
) -> Callable[[Array], Any]:
    """A function of one of its arguments, the others being `given`, divided by a share of it."""

    def called(z: Array) -> Any:
        return np.asarray(function(**{**given, name: z})) / share

    return called


def forms_of(function: Callable[[Array], Any], activations: Iterable[str]) -> frozenset[str] | None:
    """What the derivative of an activation that a function gives is a function of, if it gives one;
    None if it cannot be called with an array."""
    call, found = OnCopies(function, Guard()), set()
    for activation in activations:
        rule = ACTIVATION_RULES[activation]
        z = reaching(drawn(UNEQUAL)[0], rule.kinks)
        for form, given in zip(FORMS, (z, rule.f(z)), strict=True):
            if is_slope(call, "z", activation, z, given):
                found.add(form)
    return frozenset(found) if found or runs(call) else None


def runs(call: OnCopies) -> bool:
    """Whether a function returns as many numbers as it is handed."""
    z = drawn(UNEQUAL)[0]
    try:
        return bool(np.shape(call({"z": z})) == z.shape)
    except (UserCodeError, ValueError):
        return False


def verdict_on(
    source: Source,
    name: str,
    choice: str,
    meant: dict[str, list[str]],
    found: dict[str, frozenset[str] | None],
) -> Iterator[FunctionVerdict]:
    """What is said of a function: of every word, or of the first that is not right."""
    about = FunctionVerdict(name, "slope", source.where(name), Verdict.AGREES, "agrees")
    tried = {word: forms for word, forms in found.items() if forms is not None}
    wrong = [word for word, forms in tried.items() if not forms]
    every = (*FORMS, *(f"{form}{ALONE}" for form in FORMS))
    shared = frozenset(every).intersection(*tried.values())
    if wrong:
        sentence = (
            f"was not compared: for {choice} = {wrong[0]!r} its numbers are not the derivative of"
            f" {' or '.join(meant[wrong[0]])}, neither of its input nor of h"
        )
        yield about.undecided(sentence)
    elif not shared:
        said = ", ".join(f"{word} of {' or '.join(sorted(of))}" for word, of in tried.items())
        yield about.undecided(f"was not compared: its derivatives are functions of {said}")
    else:
        of = next(form for form in every if form in shared)
        said = f"the derivatives of {', '.join(tried)}, as functions of {of}"
        yield replace(about, conventions=(said,))
