"""Updates that go up what they are handed, seen together with the gradients of the file.

A part of a file's verdict (`starter`). Gradients of y - p are those of the log-likelihood, and
right where every update of the file adds them; where one takes them off, or where they come beside
the loss that they are to belong to, one of the two is wrong. Of two ways to update that a file
offers, one up and one down, nobody is accused for the one that is called nowhere.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import replace

from compare.contracts.result import Verdict
from compare.examine.starter.cut_names import loaded, stored
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.source import Source
from compare.examine.starter.update_verdicts import climbs

NEGATED = "target-minus-prediction"
ADDED = "its gradients are those of the log-likelihood, y - p, which the updates add"
OFFERED = "was not compared: it goes up what it is handed, nothing in the file calls it, and others"
GRADIENTS = ("gradient", "grad_ce")


def seen_with_gradients(
    found: Sequence[FunctionVerdict], source: Source, descending: Set[str]
) -> list[FunctionVerdict]:
    """Return the verdicts of a file, of which updates in some functions descend."""
    uphill = [one for one in found if climbs(one)]
    turned = [one for one in found if is_negated(one)]
    slopes = [one for one in found if one.role in GRADIENTS and one not in turned]
    right = any(one.verdict is Verdict.AGREES for one in slopes)
    if uphill and turned and not (descending or right or gives_loss(source, turned)):
        return [added(one) if one in uphill or one in turned else one for one in found]
    if uphill and descending and not turned:
        idle = [one for one in uphill if is_idle(one, source, descending)]
        return [offered(one) if one in idle else one for one in found]
    return list(found)


def is_negated(one: FunctionVerdict) -> bool:
    """Return whether gradients are wrong by their sign alone."""
    names = [known.mistake for known in one.diagnosis]
    return one.verdict is Verdict.DISAGREES and one.role in GRADIENTS and names == [NEGATED]


def gives_loss(source: Source, turned: Iterable[FunctionVerdict]) -> bool:
    """Return whether a function that returns negative gradients returns a loss beside them."""
    bodies = [source.definitions[one.name].node for one in turned if one.name in source.definitions]
    losses = {name for name, one in source.definitions.items() if is_loss(one.node)}
    return any(returns_loss(body, losses) for body in bodies)


def returns_loss(body: ast.AST, losses: Set[str]) -> bool:
    """Return whether something that a function returns is made of a logarithm, its own or that of
    a function of `losses`; what an exponential is taken of again are probabilities."""
    made: set[str] = set()

    def of_logarithm(value: ast.expr) -> bool:
        called = calls_in(value)
        if isinstance(value, ast.Call) and ast.unparse(value.func).endswith("exp"):
            return False
        taken = called & {"log", *losses} or (made & loaded(value) and "exp" not in called)
        return bool(taken)

    for one in ast.walk(body):
        if isinstance(one, ast.Assign | ast.AugAssign) and of_logarithm(one.value):
            made |= set(stored(one))
    answers = [one.value for one in ast.walk(body) if isinstance(one, ast.Return) and one.value]
    return any(map(of_logarithm, answers))


def is_loss(body: ast.AST) -> bool:
    """Return whether a function takes a logarithm of what it is given, and no exponential."""
    called = calls_in(body)
    return "log" in called and "exp" not in called


def calls_in(value: ast.AST) -> set[str]:
    """Return the last words of what is called, `log` of `np.log(p)`."""
    return {
        ast.unparse(part.func).rpartition(".")[2]
        for part in ast.walk(value)
        if isinstance(part, ast.Call)
    }


def added(one: FunctionVerdict) -> FunctionVerdict:
    """Return the verdict on gradients, or their update, that are right as they are together."""
    return replace(
        one, verdict=Verdict.AGREES, sentence="agrees", kind=None, diagnosis=(), worst=None,
        conventions=(*one.conventions, ADDED),
    )  # fmt: skip


def offered(one: FunctionVerdict) -> FunctionVerdict:
    """Return the verdict on an update that the file offers beside one that descends."""
    return replace(one, diagnosis=(), kind=None).undecided(f"{OFFERED} go down")


def is_idle(one: FunctionVerdict, source: Source, descending: Set[str]) -> bool:
    """Return whether an update stands in a function that nothing in the file calls, and in which
    none descends."""
    home = re.split(r"[ .]", one.name)[-1]
    called = (calls_in(each.node) for each in source.statements)
    alone = home in source.definitions and home not in descending
    return alone and not any(home in names for names in called)
