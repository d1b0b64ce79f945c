"""A branch that no call reaches is said, and nothing else is."""

import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from compare import check
from compare.guard import branches
from manual_mlp import loss_and_gradients

SAID = "so nothing there was compared"


def many_rows(parameters: Any, x: Any, targets: Any) -> Any:
    loss, gradients = loss_and_gradients(parameters, x, targets)
    if len(x) > 10_000:
        gradients = {name: 2 * array for name, array in gradients.items()}
    return loss, gradients


def other_wise(parameters: Any, x: Any, targets: Any) -> Any:
    if x.ndim == 2:
        loss, gradients = loss_and_gradients(parameters, x, targets)
    else:
        loss, gradients = 0.0, {}
    return loss, gradients


def in_a_helper(parameters: Any, x: Any, targets: Any) -> Any:
    return helper(parameters, x, targets, "mean")


def helper(parameters: Any, x: Any, targets: Any, reduction: str) -> Any:
    loss, gradients = loss_and_gradients(parameters, x, targets)
    if reduction == "sum":
        loss = loss * len(x)
    return loss, gradients


def reached(parameters: Any, x: Any, targets: Any) -> Any:
    loss, gradients = loss_and_gradients(parameters, x, targets)
    if "w3" in parameters:
        last = gradients["w3"]
    else:
        last = gradients["w2"]
    if len(last) != len(parameters["w2"]):
        raise ValueError("the last layer is another one")
    if x.ndim == 1:
        print("one row")
    return loss, gradients


def told(function: Callable[..., Any]) -> str:
    """Return what is said of branches that never ran."""
    return " ".join(note for note in check(function).notes if SAID in note)


def in_one_line(parameters: Any, x: Any, targets: Any) -> Any:
    loss, gradients = loss_and_gradients(parameters, x, targets)
    if len(x) > 10_000: loss = 2 * loss  # noqa: E701  # fmt: skip
    return loss, gradients


def in_an_expression(parameters: Any, x: Any, targets: Any) -> Any:
    loss, gradients = loss_and_gradients(parameters, x, targets)
    return loss if len(x) < 10_000 else 2 * loss, gradients


def in_a_loop(parameters: Any, x: Any, targets: Any) -> Any:
    loss, gradients = loss_and_gradients(parameters, x, targets)
    for _ in range(len(x) // 10_000):
        loss = 2 * loss
    return loss, gradients


def in_a_while(parameters: Any, x: Any, targets: Any) -> Any:
    loss, gradients = loss_and_gradients(parameters, x, targets)
    while len(x) > 10_000:
        x, loss = x[1:], 2 * loss
    return loss, gradients


def in_a_match(parameters: Any, x: Any, targets: Any) -> Any:
    loss, gradients = loss_and_gradients(parameters, x, targets)
    match x.ndim:
        case 2:
            return loss, gradients
        case _:
            return 2 * loss, gradients


def in_a_handler(parameters: Any, x: Any, targets: Any) -> Any:
    try:
        return loss_and_gradients(parameters, x, targets)
    except ValueError:
        return 0.0, {}


@pytest.mark.parametrize(
    ("function", "kind", "quoted"),
    [
        (many_rows, "the branch", "`if len(x) > 10_000:`"),
        (other_wise, "the `else`", "`if x.ndim == 2:`"),
        (in_a_helper, "the branch", '`if reduction == "sum":`'),
        (in_one_line, "the branch", "`if len(x) > 10_000: loss"),
        (in_an_expression, "the `else`", "`return loss if len(x) < 10_000"),
        (in_a_loop, "the loop", "`for _ in range(len(x) // 10_000):`"),
        (in_a_while, "the loop", "`while len(x) > 10_000:`"),
        (in_a_match, "the `case _`", "`match x.ndim:`"),
        (in_a_handler, "the `except`", "`try:`"),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_what_no_call_reaches_is_said(function: Callable[..., Any], kind: str, quoted: str) -> None:
    assert told(function).startswith(f"no call reaches {kind} at test_guard_branches.py, line")
    assert quoted in told(function)
    assert told(function).count("test_guard_branches.py") == 1


def test_neither_a_refusal_nor_a_printed_line_nor_the_branch_that_ran_is() -> None:
    said = told(reached)
    assert said.count("(`if") == 1 and '(`if "w3" in parameters:`)' in said
    three = [note for note in check(reached, hidden=(5, 4)).notes if SAID in note]
    assert three == [said.replace("the branch", "the `else`")]


def test_only_the_first_calls_are_said_when_steps_are_no_longer_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(branches, "STEPS", 100)
    assert re.match(r"none of the first \d calls reaches the branch at test_", told(many_rows))


def test_a_debugger_goes_on_undisturbed() -> None:
    lines = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        lines += 1
        return None

    sys.settrace(trace)
    try:
        said = told(many_rows)
        kept = sys.gettrace()
    finally:
        sys.settrace(None)
    assert kept is trace and lines and not said


def late(parameters: Any, x: Any, targets: Any) -> Any:
    for _ in range(100):
        size = len(x)
    loss, gradients = loss_and_gradients(parameters, x, targets)
    if size > 0:
        loss = loss + 0.0
    return loss, gradients


def test_a_call_that_is_followed_no_further_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(branches, "STEPS", 100)
    assert told(late) == ""
