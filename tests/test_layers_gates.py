"""Gates of a recurrence that are exchanged are named over many steps as over few, and soon."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from compare.contracts.result import Verdict
from compare.layers.analysed import as_tensors
from compare.layers.check import check_layer
from compare.layers.names.changes import pairs_of
from compare.layers.names.match import Match
from compare.layers.names.reach import Reach
from compare.layers.names.tape import record
from compare.layers.program import Program, Reference
from compare.layers.shaken import HOPELESS, hopeless

pytestmark = pytest.mark.slow


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


def lstm(x: Any, w: Any, u: Any, b: Any) -> Any:
    h = c = torch.zeros(x.shape[1], u.shape[0], dtype=x.dtype)
    found = []
    for row in x:
        i, f, g, o = (row @ w + h @ u + b).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        found.append(h)
    return torch.stack(found)


def by_hand(order: tuple[int, ...] = (0, 1, 2, 3), back: tuple[int, ...] | None = None) -> Any:
    """An LSTM whose gates lie in an order of their own, in the second pass in another one."""
    back = order if back is None else back

    def manual(inputs: Any, dy: Any) -> Any:
        x, w, u, b = (inputs[name] for name in "xwub")
        h = c = np.zeros((x.shape[1], u.shape[0]), x.dtype)
        kept: Any = []
        for row in x:
            parts = np.split(row @ w + h @ u + b, 4, axis=1)
            i, f, g, o = (parts[at] for at in order)
            i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
            new = f * c + i * g
            kept.append((h, c, i, f, g, o, np.tanh(new)))
            h, c = o * np.tanh(new), new
        dx, dw, du, db = (np.zeros_like(a) for a in (x, w, u, b))
        dh = dc = np.zeros_like(h)
        for t in reversed(range(len(x))):
            h0, c0, i, f, g, o, tc = kept[t]
            dh = dh + dy[t]
            dc = dc + dh * o * (1 - tc**2)
            slopes = (dc * g * i * (1 - i), dc * c0 * f * (1 - f), dc * i * (1 - g**2),
                      dh * tc * o * (1 - o))  # fmt: skip
            da = np.hstack([slopes[back.index(at)] for at in range(4)])
            dx[t], dh, dc = da @ w.T, da @ u.T, dc * f
            dw, du, db = dw + x[t].T @ da, du + h0.T @ da, db + da.sum(0)
        return np.stack([k[5] * k[6] for k in kept]), dict(x=dx, w=dw, u=du, b=db)

    return manual


SHAPES = {"x": (10, 3, 2), "w": (2, 16), "u": (4, 16), "b": (16,)}


def drawn() -> dict[str, Any]:
    random = np.random.default_rng(5)
    return {name: random.normal(size=shape) for name, shape in SHAPES.items()}


@pytest.mark.parametrize("manual, said", [
    (by_hand(), None),
    (by_hand((0, 1, 3, 2)), "parts 3 and 4 of"),
    (by_hand(back=(0, 1, 3, 2)), "in the backward pass parts 3 and 4 of"),
    (by_hand(back=(1, 0, 2, 3)), "in the backward pass parts 1 and 2 of"),
], ids=["right", "both", "backward", "input and forget"])  # fmt: skip
def test_exchanged_gates_of_ten_steps(manual: Any, said: str | None) -> None:
    result = check_layer(manual, lstm, drawn())
    assert result.verdict is (Verdict.AGREES if said is None else Verdict.DISAGREES)
    assert [d.sentence.partition(" of ")[0] + " of" for d in result.diagnosis] == [said] * bool(
        said
    )
    assert all("exchanged, at every step" in d.sentence for d in result.diagnosis)
    assert all(("tanh and the sigmoid, are" in d.sentence) is ("3 and 4" in d.sentence)
               for d in result.diagnosis)  # fmt: skip


def test_a_difference_that_a_few_random_roundings_call_hopeless_is_so_but_once_in_ten_million() -> (
    None
):
    for runs, times in HOPELESS.items():
        m = runs // 2
        y = m / times**2
        assert y**m / math.factorial(m) < 1.1e-7


@pytest.mark.parametrize("off, ends", [(0.0, False), (40.0, False), (4e4, True)])
def test_the_spread_ends_early_only_where_something_is_too_far_off(off: float, ends: bool) -> None:
    due = {"dx": torch.ones(3, dtype=torch.float64)}
    allowed = {"dx": torch.full((3,), 1e-9, dtype=torch.float64)}
    observed = {"dx": due["dx"] + off * allowed["dx"]}
    assert hopeless(observed, due, allowed, allowed, HOPELESS[2]) is ends


def test_changes_that_do_not_reach_what_is_wrong_are_not_tried() -> None:
    """Of `y = tanh(x w) v`, a slip in what follows the product `x w` reaches dx and dw alone."""
    program = Program(Reference.of(lambda x, w, v: torch.tanh(x @ w) @ v), ("x", "w", "v"))
    inputs = as_tensors({"x": np.ones((2, 3)), "w": np.ones((3, 4)) / 3, "v": np.ones((4, 2))})
    dy = {"y": torch.ones(2, 2, dtype=torch.float64)}
    tape = record(program, inputs, dy)
    right = {name: tape.values[number].detach() for name, number in tape.results.items()}

    def reach(**wrong: Any) -> Reach:
        allowed = {name: t.abs() * 1e-9 + 1e-12 for name, t in right.items()}
        shapes = {name: tuple(t.shape) for name, t in right.items()}
        return Reach(
            tape, Match(right, right | wrong, allowed, 1e-16, shapes, inputs, outputs=("y",))
        )

    product = next(step.outs[0] for step in tape.steps if step.name == "mm")
    x, w, v = (tape.inputs[name] for name in "xwv")
    noise = torch.arange(12.0, dtype=torch.float64).reshape(3, 4)
    wrong_w, doubled = reach(dw=noise), reach(dw=2 * right["dw"])
    assert wrong_w.by_derivative([product]) and not wrong_w.by_derivative([v])
    assert wrong_w.by_derivative([w]) and not wrong_w.by_derivative([x])
    assert doubled.by_derivative([x])  # a factor may be a mistake of its own
    assert not reach(dv=noise.reshape(4, 3)[:, :2]).by_derivative([product])
    assert not reach(y=noise[:2, :2]).by_derivative([product])
    assert not reach(y=noise[:2, :2]).by_second_pass([product])
    assert reach(y=noise[:2, :2]).by_both([product])


def test_of_many_parts_only_those_at_the_ends_are_exchanged() -> None:
    """Parts are gates while they are few, and the steps of a sequence otherwise."""
    assert len(list(pairs_of(4))) == 6
    assert list(pairs_of(30)) == [(0, 1), (28, 29), (0, 29)]
