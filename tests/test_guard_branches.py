"""A branch that no call reaches is said, and nothing else is."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from compare import check
from compare.guard import branches
from manual_mlp import loss_and_gradients

SAID = "was not compared"


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


@pytest.mark.parametrize(
    ("function", "before", "quoted"),
    [
        (many_rows, "below test_guard_branches.py", "(`if len(x) > 10_000:`) ran in no call"),
        (other_wise, "below the `else` of test_guard_branches.py", "(`if x.ndim == 2:`) ran"),
        (in_a_helper, "below test_guard_branches.py", '(`if reduction == "sum":`) ran in no'),
    ],
    ids=["if", "else", "helper"],
)
def test_a_branch_that_never_ran_is_said(
    function: Callable[..., Any], before: str, quoted: str
) -> None:
    assert before in told(function) and quoted in told(function)


def test_neither_a_refusal_nor_a_printed_line_nor_the_branch_that_ran_is() -> None:
    said = told(reached)
    assert said.count("(`if") == 1 and '(`if "w3" in parameters:`)' in said
    three = [note for note in check(reached, hidden=(5, 4)).notes if SAID in note]
    assert three == [said.replace("below", "below the `else` of")]


def test_only_the_first_calls_are_said_when_lines_are_no_longer_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(branches, "LINES", 10)
    assert "ran in none of the first 3 calls and was" in told(many_rows)


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
