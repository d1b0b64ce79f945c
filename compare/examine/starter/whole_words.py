"""How the functions of a file were called together, in words, and what was left out of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from compare.examine.starter.chain import DROPPED, KEPT, RATE, STRENGTH
from compare.examine.starter.loss_beside import UNSHOWN
from compare.examine.starter.networks import Network
from compare.examine.starter.strengths import Strength
from compare.examine.starter.subject import Subject
from compare.examine.starter.whole import Whole


def said(whole: Whole, subject: Subject, asked: Network, strength: Strength) -> Iterator[str]:
    """How the functions were called, and what of the network was not declared."""
    calls = []
    for call in whole.chain.calls:
        given = ", ".join(value_in_words(whole, subject, value) for _, value in call.passed)
        calls.append(f"{call.name}({given})")
    yield "read as " + ", then ".join(calls)
    yield from whole.chain.mode.words()
    yield from whole.told.network.words(asked)
    yield from strength.words()
    if whole.chain.moves:
        yield "it returns new weights: its gradients were read off their step"
    if not whole.loss:
        yield UNSHOWN


def without_dropout(whole: Whole, subject: Subject) -> Iterator[str]:
    """Say that nothing was dropped, where something may be."""
    given = [
        one for call in whole.chain.calls for one in call.passed
        if one[1] in (KEPT, DROPPED) and reads(subject.flow.functions[call.name], one[0])
    ]  # fmt: skip
    if given:
        name, value = given[0]
        yield f"its dropout was not compared: it was called with {name} = {NEUTRAL[value]}"


def reads(function: ast.AST, name: str) -> bool:
    """Whether a function does anything with one of its parameters."""
    return any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(function))


NEUTRAL = {KEPT: "1", DROPPED: "0"}


def value_in_words(whole: Whole, subject: Subject, value: str) -> str:
    """A value by the name that its function gives it."""
    if value == STRENGTH:
        return f"{whole.chain.strength:g}"
    if value == RATE:
        return f"{whole.chain.rate:g}"
    value = NEUTRAL.get(value, value)
    if value in subject.structures:
        return "weights"
    base = value.split(".")[0]
    if base not in subject.flow.functions:
        return value
    called = dict(subject.flow.values(base)).get(value, "")
    return called or f"what {base} returns"
