"""Whether layers that are right alone are all that a file holds: a training that was not followed
may put right layers together in a wrong way."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import replace

from compare.contracts.result import Verdict
from compare.examine.starter.alone import ALONE
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.layer_classes import BACKWARD
from compare.examine.starter.source import Source

STEPS = frozenset({BACKWARD, "step", "update"})
UNFOLLOWED = f"{ALONE} it is right; what puts it together with others was not compared"


def with_their_use(
    source: Source, found: Iterable[FunctionVerdict], *, trained: bool
) -> Iterator[FunctionVerdict]:
    """Yield the verdicts, undecided on layers alone where the file uses them in a way that nobody
    followed; `trained`: a training of the file is right."""
    used = not trained and any(uses(source))
    for one in found:
        if used and is_alone(one):
            yield replace(one.undecided(UNFOLLOWED), conventions=())
        else:
            yield one


def is_alone(one: FunctionVerdict) -> bool:
    """Whether a layer is right, and was held against its own forward pass alone."""
    said = any(words.startswith(ALONE) for words in one.conventions)
    return said and one.verdict is Verdict.AGREES


def uses(source: Source) -> Iterator[ast.Call]:
    """Yield the calls of backward passes and updates in what the file defines beside its layers: in
    functions, and in classes that are no layers."""
    for name, one in source.definitions.items():
        if isinstance(one.node, ast.ClassDef | ast.FunctionDef):
            yield from (part for part in ast.walk(one.node) if isinstance(part, ast.Call)
                        and isinstance(part.func, ast.Attribute) and part.func.attr in STEPS
                        and not on_its_own(part, name))  # fmt: skip


def on_its_own(call: ast.Call, name: str) -> bool:
    """Whether a call is one of the class above: `super().backward(dy)`."""
    assert isinstance(call.func, ast.Attribute)
    to = call.func.value
    return isinstance(to, ast.Call) and ast.unparse(to.func) in ("super", name)
