"""Functions made for one sample: who calls them with single vectors, and how such a call is judged.

    softmax(z) = exp(z) / sum(exp(z))

is right for one vector and wrong for a batch. Which of the two its file hands it is seen by running
the file's own code on a batch and watching.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.source import Source
from compare.examine.starter.statements import last_name
from compare.examine.starter.straight import is_straight
from compare.guard.guard import Guard

FORMS = {"vector": (-1,), "column": (-1, 1), "row": (1, -1)}
"""How one sample may be laid out, and the shape of it."""
BATCH = "batch"
ALONE = "one sample"
"""The layout of what is made for one."""
ONE_SAMPLE = "it takes one sample at a time: (K,)"


def handed(module: ModuleType, run: Callable[[], Any], guard: Guard, rows: int) -> dict[str, str]:
    """The functions of a module that a run on a batch of `rows` hands single samples, and the
    form of them; nothing of those that it hands a batch as well."""
    seen: dict[str, set[str]] = {}
    functions = {name: one for name, one in vars(module).items() if inspect.isfunction(one)}

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def called(*given: Any, **named: Any) -> Any:
            seen.setdefault(name, set()).update(forms_of([*given, *named.values()], rows))
            return function(*given, **named)

        return called

    vars(module).update({name: watched(name, one) for name, one in functions.items()})
    try:
        guard.run(run, "", None)
    except UserCodeError:
        return {}
    finally:
        vars(module).update(functions)
    return {name: min(forms) for name, forms in seen.items() if forms and BATCH not in forms}


def forms_of(given: Iterable[Any], rows: int) -> set[str]:
    """The forms of the arrays among some arguments; of `rows` numbers or more it is a batch."""
    found = set()
    for array in (one for one in given if isinstance(one, np.ndarray) and one.ndim):
        if array.size >= rows or array.ndim > 2 or (array.ndim == 2 and 1 not in array.shape):
            found.add(BATCH)
        elif array.ndim == 1:
            found.add("vector")
        else:
            found.add("column" if array.shape[1] == 1 else "row")
    return found


def over_samples(function: Callable[..., Any], form: str, role: str) -> Callable[..., Any]:
    """A function of one sample as one of a batch.

    The loss of the batch is the mean of those of its samples, and so is its slope:
    L = (1/N) Σ L_n, so dL/dz_n = (1/N) dL_n/dz_n.
    """

    @functools.wraps(function)
    def called(*arrays: Array) -> Any:
        answers = np.array([function(*laid(one, form)) for one in zip(*arrays, strict=True)])
        if role == "average_ce":
            return answers.mean(axis=0)
        return answers / len(answers) if role == "grad_ce" else answers

    return called


def laid(sample: Iterable[Any], form: str) -> list[Any]:
    """The arguments of one sample, as the file lays them out; a class number is a number."""
    return [np.reshape(one, FORMS[form]).copy() if np.ndim(one) else int(one) for one in sample]


def by_sample(evidence: Mapping[str, str], name: str, mapped: bool) -> str:
    """The form in which a function is handed single samples: seen, or read off the code."""
    return evidence.get(name, "vector" if mapped else "")


def called_by_sample(source: Source, name: str) -> bool:
    """True if the file hands a function one sample after another.

    As in `np.apply_along_axis(softmax, 1, z)` or `[softmax(row) for row in z]`.
    """
    for node in (part for one in source.statements for part in ast.walk(one.node)):
        if isinstance(node, ast.Call):
            mapping = last_name(node) in ("apply_along_axis", "map")
            if mapping and any(isinstance(one, ast.Name) and one.id == name for one in node.args):
                return True
        elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.For):
            loops = [node] if isinstance(node, ast.For) else node.generators
            over = {one.target.id for one in loops if isinstance(one.target, ast.Name)}
            if any(calls_on(part, name, over) for part in ast.walk(node)):
                return True
    return False


def calls_on(node: ast.AST, name: str, over: set[str]) -> bool:
    """True for `name(row)` and `name(z[i])` where `row` or `i` is a variable of a loop."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return False
    if node.func.id != name or not node.args:
        return False
    handed = node.args[0]
    index = handed.slice if isinstance(handed, ast.Subscript) else handed
    return isinstance(index, ast.Name) and index.id in over


def calls_unread(source: Source, one: FunctionVerdict, name: str) -> bool:
    """Whether a class that could not be compared calls a function."""
    return one.verdict is Verdict.UNDECIDABLE and name in source.closure([one.name])


def made_for_one(
    of_batch: FunctionVerdict, of_one: FunctionVerdict, caller: str
) -> FunctionVerdict:
    """The verdict on a function that only code which could not be run calls: wrong for a batch
    accuses nobody of what is right for one vector."""
    if of_one.layout != ALONE:
        return of_batch
    sentence = (
        f"right for one vector, not for a batch; which of them {caller} hands it is not known:"
        f" {caller} was not compared"
    )
    return replace(of_one, conventions=()).undecided(sentence)


def as_called(
    source: Source,
    found: Iterable[FunctionVerdict],
    classes: Iterable[FunctionVerdict],
    used: Mapping[str, Set[str]],
) -> list[FunctionVerdict]:
    """The verdicts on functions, those that could not be called in the light of a right class that
    uses them: it hands them what they are made for. `used`: by class, what its numbers came from.
    """
    right = [one for one in classes if one.verdict is Verdict.AGREES]
    return [used_by(source, one, [cls for cls in right if one.name in used.get(cls.name, ())])
            for one in found]  # fmt: skip


def used_by(
    source: Source, one: FunctionVerdict, callers: Sequence[FunctionVerdict]
) -> FunctionVerdict:
    """A function that could not be compared alone, right as a right class uses it.

    That tells nothing of a branch that the class does not take: only a part of a forward pass or
    what has no branch is right by it.
    """
    if one.verdict is not Verdict.UNDECIDABLE or not callers:
        return one
    if one.role not in FORWARD and not is_straight(source, one.name):
        return one
    return replace(
        one, verdict=Verdict.AGREES, sentence="agrees", kind=None,
        conventions=(f"as {callers[0].name} uses it",),
    )  # fmt: skip


FORWARD = ("relu", "softmax", "compute_layer")
"""What a forward pass is made of."""
