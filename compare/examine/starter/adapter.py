"""`--write-adapter ADAPTER.py`: their functions as contract 1, with the blanks marked.

What could be bound is written out; what is in doubt is a FILL that names the choices. The result
is a file for `--manual`, and runs as soon as the last FILL is gone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from compare.contracts.errors import BadInput
from compare.contracts.result import Verdict
from compare.examine.starter.binding import LAYERS, possible, weights_of
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.gradient_functions import GradientFunction
from compare.examine.starter.single import ALONE
from compare.examine.starter.source import open_source
from compare.examine.starter.starter import StarterReport
from compare.guard.guard import Guard

WEIGHTS = weights_of(LAYERS)
QUANTITIES = {"x": "x", "y": "targets", "b1": "b1[None, :]", "b2": "b2[None, :]"}
"""What a quantity is called in the adapter; the others are called what they are called."""
SHAPES = {"w1": "(F, H)", "b1": "(H,)", "w2": "(H, K)", "b2": "(K,)"}

HEAD = '''"""{theirs} as `loss_and_gradients(parameters, x, targets)`.

Replace every FILL(...) by what it asks for, then run
    python -m compare.run --manual {adapter}
The names: z1 = x @ w1 + b1, h1 = relu(z1), logits = h1 @ w2 + b2, p = softmax(logits).
"""

import numpy as np

from compare.examine.starter.adapter import FILL, functions_of
from manual_mlp import average_ce, compute_layer, relu, softmax

theirs = functions_of(__file__, "{path}")


def loss_and_gradients(parameters, x, targets):
    w1, b1, w2, b2 = (parameters[name] for name in ("w1", "b1", "w2", "b2"))
'''


class Unfilled(Exception):
    """A blank of an adapter that was not filled in."""


def FILL(what: str) -> NoReturn:
    """Stand for a blank; running into it says what belongs there."""
    raise Unfilled(f"replace this FILL: {what}")


def functions_of(adapter: str, path: str) -> ModuleType:
    """Open a student's file that lies where `path` says, seen from the adapter's folder."""
    source = open_source(Path(adapter).parent / path, guard=Guard())
    return source.load(source.definitions).module


def write_adapter(report: StarterReport, adapter: Path) -> Path:
    """Write the adapter and return its path; never overwrites a file."""
    path = report.source.path.resolve()
    beside = os.path.relpath(path, adapter.resolve().parent).replace(os.sep, "/")
    head = HEAD.format(theirs=path.name, adapter=adapter.name, path=beside)
    gradients = gradient_lines(report.gradients)
    lines = [*forward_lines(report.functions), *gradients, *return_lines()]
    text = head + "".join(f"    {line}\n" for line in lines)
    try:
        with adapter.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise BadInput(f"--write-adapter {adapter}: the file exists; name another one") from None
    except OSError as problem:
        raise BadInput(f"--write-adapter {adapter}: {problem.strerror}") from problem
    return adapter


def forward_lines(functions: Sequence[FunctionVerdict]) -> Iterator[str]:
    """Yield the forward pass in their functions, or in ours where they have none of use."""
    usable = {
        one.role: one
        for one in functions
        if one.verdict is not Verdict.UNDECIDABLE and one.layout not in ("columns", ALONE)
    }
    yield f"z1 = {called(usable, 'compute_layer', x='x', w='w1', b='b1[None, :]')}"
    yield f"h1 = {called(usable, 'relu', x='z1')}"
    yield f"logits = {called(usable, 'compute_layer', x='h1', w='w2', b='b2[None, :]')}"
    yield f"p = {called(usable, 'softmax', x='logits')}"
    scores = usable["average_ce"].scores if "average_ce" in usable else "p"
    yield f"loss = {called(usable, 'average_ce', target='targets', scores=scores)}"


def called(usable: Mapping[str, FunctionVerdict], role: str, **passed: str) -> str:
    """Return the call of their function for a role, or of ours."""
    if role in usable:
        arguments = ", ".join(passed[name] for name in usable[role].arguments)
        return f"theirs.{usable[role].name}({arguments})"
    return f"{role}({', '.join(passed.values())})"


def gradient_lines(gradients: Sequence[GradientFunction]) -> Iterator[str]:
    """Yield one call per gradient function, then a FILL for every gradient nobody returns."""
    left = set(WEIGHTS)
    for how in gradients:
        call = f"theirs.{how.name}({', '.join(argument(name, how) for name in how.parameters)})"
        if how.returns is None:
            yield f"# its names do not say what it returns: {call}"
        elif left & set(how.returns):
            yield f"{', '.join(f'd{name}' for name in how.returns)} = {call}"
            left -= set(how.returns)
    for name in WEIGHTS:
        if name in left:
            yield f'd{name} = FILL("the gradient of {name}, shape {SHAPES[name]}")'


def argument(name: str, how: GradientFunction) -> str:
    """Return what is passed for one parameter: a name, weights in a dictionary or list as the code
    asks for them, or a FILL with the choices."""
    bundles = [str(one) for one in how.bundles.get(name, ())]
    if bundles:
        asked = f"{name} of {how.name}: {' or '.join(bundles)}"
        return bundles[0] if len(bundles) == 1 else f"FILL({asked!r})"
    if name in how.bound:
        quantity = how.bound[name]
        return QUANTITIES.get(quantity, quantity)
    choices = possible(name, how.layers) or ("x", "z1", "h1", "logits", "p")
    named = " or ".join(QUANTITIES.get(one, one) for one in choices)
    return f'FILL("{name} of {how.name}: {named}")'


def return_lines() -> Iterator[str]:
    """Yield the return; gradients of biases may be (1, H)."""
    yield 'gradients = {"w1": dw1, "b1": db1, "w2": dw2, "b2": db2}'
    yield "return float(loss), {name: np.asarray(array) for name, array in gradients.items()}"
