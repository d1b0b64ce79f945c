"""Best weights that are kept by reference are told; copies of every array never are."""

from __future__ import annotations

import ast

import pytest

from compare.examine.starter.best_kept import changed_afterwards

ARRAYS = """
def train(x, y, xv, yv, W, steps):
    best = 1e9
    for _ in range(steps):
        d = x.T @ (x @ W - y)
        {update}
        loss = f(xv @ W, yv)
        if loss < best:
            best, best_W = loss, {kept}
    return best_W
"""
DICTIONARY = """
def train(x, y, steps):
    p = {{"w": 1, "b": 2}}
    for _ in range(steps):
        d = gradients(p, x, y)
        for k in p:
            {update}
        if f(p) < best:
            best = f(p)
            best_p = {kept}
    return best_p
"""


def said(text: str, **parts: str) -> list[str]:
    (function,) = ast.parse(text.format(**parts)).body
    assert isinstance(function, ast.FunctionDef)
    return [one.of for one in changed_afterwards(function)]


@pytest.mark.parametrize(
    ("update", "kept", "wrong"),
    [
        ("W -= 0.1 * d", "W", True),
        ("W[:] = W - 0.1 * d", "W", True),
        ("W = W - 0.1 * d", "W", False),
        ("W -= 0.1 * d", "W.copy()", False),
        ("W -= 0.1 * d", "np.array(W)", False),
    ],
)
def test_an_array_is_changed_in_its_place_or_made_anew(update: str, kept: str, wrong: bool) -> None:
    assert said(ARRAYS, update=update, kept=kept) == (["W"] if wrong else [])


@pytest.mark.parametrize(
    ("update", "kept", "wrong"),
    [
        ("p[k] -= 0.1 * d[k]", "p", True),
        ("p[k] = p[k] - 0.1 * d[k]", "p", True),
        ("p[k] -= 0.1 * d[k]", "p.copy()", True),
        ("p[k] -= 0.1 * d[k]", "dict(p)", True),
        ("p[k] = p[k] - 0.1 * d[k]", "p.copy()", False),
        ("p[k] -= 0.1 * d[k]", "{k: v.copy() for k, v in p.items()}", False),
        ("p[k] -= 0.1 * d[k]", "copy.deepcopy(p)", False),
    ],
)
def test_a_copy_of_a_container_holds_the_same_arrays(update: str, kept: str, wrong: bool) -> None:
    assert said(DICTIONARY, update=update, kept=kept) == (["p"] if wrong else [])


def test_a_number_is_no_array_and_a_branch_that_ends_the_loop_changes_nothing_any_more() -> None:
    counting = "def f():\n for e in x:\n  n += 1\n  if g(n):\n   best_n = n\n return best_n\n"
    ending = ARRAYS.replace("best, best_W = loss, {kept}", "best_W = {kept}\n            break")
    assert said(counting) == []
    assert said(ending, update="W -= 0.1 * d", kept="W") == []
