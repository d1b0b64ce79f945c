"""A forward and a backward pass of one layer as two functions, compared with torch's layer.

    out, cache = affine_forward(x, w, b)        dx, dw, db = affine_backward(dout, cache)

Which layer it is its forward pass tells: it is called as each of a table (`pair_kinds`), and its
numbers are those of one. Then the backward pass gets what the forward pass kept, in every order
that names leave open (`pair_orders`). It is accused only beside the forward pass of its own name,
and only where no convention gives its numbers (`pair_doubts`); of others it may be right with one.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from compare.checks.comparison import Comparison
from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.bundles import keys_of
from compare.examine.starter.function_verdict import FunctionVerdict, is_where
from compare.examine.starter.pair_doubts import doubt
from compare.examine.starter.pair_kinds import Kind, Passed, kinds
from compare.examine.starter.pair_orders import Backward, best_of, compared, held
from compare.examine.starter.readings import N
from compare.examine.starter.source import Source
from compare.guard.guard import Guard

SPELLINGS = (
    ("backward", "forward"), ("Backward", "Forward"), ("bwd", "fwd"), ("bprop", "fprop"),
    ("backprop", "forward"), ("backward", ""), ("back", "fwd"),
)  # fmt: skip
"""How the two are called."""
SETTINGS: Mapping[str, Any] = {
    "mode": "train", "p": 0.6, "seed": 3, "dropout": 0.6, "keep_prob": 0.6, "training": True,
    "stride": 1, "pad": 1, "pool_height": 2, "pool_width": 2,
}  # fmt: skip
"""What is handed over in a dictionary of settings; of what has a default there, that."""
CLEARLY = 1e3
"""How many allowances a right gradient by another formula cannot be off."""
OTHERS = 6
"""So many functions of other names are tried as a forward pass."""


def pairs_checked(source: Source, found: Sequence[FunctionVerdict]) -> list[FunctionVerdict]:
    """The verdicts, with those on backward passes of layers that were not compared otherwise."""
    return [pair_checked(source, one) if is_open(source, one) else cleared(source, one)
            for one in found]  # fmt: skip


def cleared(source: Source, one: FunctionVerdict) -> FunctionVerdict:
    """The verdict on a function that was accused as the gradient of another thing, such as logits:
    it is none where it is, or may be, right beside the forward pass of its own name."""
    unread = FunctionVerdict(one.name, one.role, one.place, Verdict.UNDECIDABLE, "")
    accused = one.kind == "value" and is_open(source, unread)
    if not accused or not any(counterparts(source, one.name)):
        return one
    again = pair_checked(source, unread)
    return again if again.verdict is not Verdict.DISAGREES and again.sentence else one


def seen_beside(source: Source, one: FunctionVerdict) -> FunctionVerdict:
    """The verdict on a function, or what is said of it beside the forward pass of its own name."""
    unread = FunctionVerdict(one.name, "gradient", one.place, Verdict.UNDECIDABLE, "")
    named = is_open(source, unread) and any(counterparts(source, one.name))
    again = pair_checked(source, unread) if named else unread
    return again if again.sentence else one


def is_open(source: Source, one: FunctionVerdict) -> bool:
    """Whether a function was not compared that takes a dy and what a forward pass keeps."""
    known = source.definitions.get(one.name)
    function = isinstance(known.node, ast.FunctionDef) if known is not None else False
    open_ = one.verdict is Verdict.UNDECIDABLE and not one.lacking and one.role == "gradient"
    return open_ and function and len(source.signature(one.name)) > 1


def pair_checked(source: Source, one: FunctionVerdict) -> FunctionVerdict:
    """The verdict on one of them, the same where no forward pass is a layer's."""
    quiet = Guard(timeout=source.guard.timeout)
    named = list(counterparts(source, one.name))
    for name in (*named, *islice(others(source, {one.name, *named}), OTHERS)):
        functions = vars(source.load([name, one.name]).module)
        if not all(callable(functions.get(each)) for each in (name, one.name)):
            continue
        for passed in passes(source, name, functions[name], quiet):
            handed = Backward(source, one.name, functions[one.name], quiet)
            said = best_of(compared(handed, passed))
            if said and all(each.agrees for each in said):
                return judged(one, name, passed.kind, said)
            if said and name in named:
                why = doubt(handed, passed)
                return one.undecided(why) if why else judged(one, name, passed.kind, said)
    return one


def counterparts(source: Source, name: str) -> Iterator[str]:
    """The forward pass of a backward pass, by its name."""
    for back, ahead in SPELLINGS:
        other = name.replace(back, ahead)
        if back in name and other in source.definitions and other != name:
            yield other


def others(source: Source, but: set[str]) -> Iterator[str]:
    """Functions that return several values and may be a forward pass."""
    for name, one in source.definitions.items():
        node = one.node
        if name not in but and isinstance(node, ast.FunctionDef) and node.args.args:
            if any(isinstance(part, ast.Return) and isinstance(part.value, ast.Tuple)
                   for part in ast.walk(node)):  # fmt: skip
                yield name


def passes(
    source: Source, name: str, forward: Callable[..., Any], guard: Guard
) -> Iterator[Passed]:
    """The layers whose numbers a function gives, with what it keeps."""
    node = source.definitions[name].node
    assert isinstance(node, ast.FunctionDef)
    given = node.args.args[: len(node.args.args) - len(node.args.defaults)]
    settings = {one.arg: settings_in(node, one.arg) for one in given}
    arrays = [one for one, asked in settings.items() if not asked]
    for kind in kinds():
        if len(arrays) != len(kind.shapes):
            continue
        inputs = kind.drawn()
        passed = dict(zip(arrays, (one.copy() for one in inputs.values()), strict=True))
        try:
            answer = guard.call(forward, *({**settings, **passed}[one.arg] for one in given))
        except UserCodeError:
            continue
        y, *kept = answer if isinstance(answer, tuple) else (answer,)
        shown = np.asarray(y) if isinstance(y, np.ndarray) else None
        mask = None if shown is None or not kind.drops else mask_in(shown, inputs["x"])
        if shown is None or (kind.drops and mask is None):
            continue
        due = kind.due(inputs, mask)
        if shown.shape == due["y"].answer.shape and held("y", shown, due["y"]).agrees:
            yield Passed(kind, inputs, due, tuple(kept))


def settings_in(node: ast.FunctionDef, parameter: str) -> dict[str, Any]:
    """The dictionary of settings that a parameter is, if it is asked for one of them by its key."""
    asked = [key for key in keys_of(node, parameter) if key in SETTINGS]
    return {key: SETTINGS[key] for key in asked}


def mask_in(y: Array, x: Array) -> Array | None:
    """What x was multiplied by, if it is 0 or one other number; else None."""
    if y.shape != x.shape:
        return None
    mask = y / x
    kept = mask[mask != 0]
    if not 0 < kept.size < mask.size or np.ptp(kept) > 1e-12 * abs(kept).max():
        return None
    return np.where(mask == 0, 0.0, np.median(kept))


def judged(
    one: FunctionVerdict, forward: str, kind: Kind, said: Sequence[Comparison]
) -> FunctionVerdict:
    """The verdict on a backward pass beside the forward pass that is this layer's."""
    words = (f"the backward pass of {kind.words}, handed what {forward} keeps",)
    worst = max(said, key=lambda each: (not each.agrees, each.worst.ratio))
    if worst.agrees:
        return replace(one, verdict=Verdict.AGREES, sentence="agrees", conventions=words,
                       worst=worst.worst)  # fmt: skip
    weights = [each for each in said if each.name != "dx"] or said
    if worst.worst.ratio < CLEARLY or all(map(is_over_rows, weights)):
        return one
    where = f"{worst.name}{list(worst.worst.index) or ''}"
    sentence = f"{where} {is_where(worst.worst)}"
    return replace(one.wrong("value", sentence, worst.worst), conventions=words)


def is_over_rows(wrong: Comparison) -> bool:
    """Whether a gradient is the right one divided by the rows, as some courses have it."""
    worst = wrong.worst
    return bool(np.isclose(worst.manual * N, worst.reference, rtol=1e-9))
