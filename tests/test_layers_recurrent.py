"""Plain recurrences of many steps: their roundings grow together, and what fades away may be wrong.

Every right one has a wrong twin.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch

from compare.contracts.result import Verdict
from compare.layers import analysed, check, excuse
from compare.layers.analysed import walked
from compare.layers.analysis import Analysis
from compare.layers.check import check_layer
from compare.layers.formats import FORMATS, LAMBDA
from compare.layers.names import Named, search
from compare.layers.program import Program, Reference
from compare.layers.seen import hidden
from compare.layers.shaken import DRAWS, STUDENT, runs

pytestmark = pytest.mark.slow

FAR = [("float32", 8), ("float64", 28)]


def reference(x: Any, w: Any, u: Any, b: Any) -> Any:
    h, found = torch.zeros_like(x[0] @ w), []
    for row in x:
        h = torch.tanh(row @ w + h @ u + b)
        found.append(h)
    return torch.stack(found)


def last(**inputs: Any) -> Any:
    return reference(**inputs)[-1]


def recurrence(inputs: Any, dy: Any, *, factor: float = 1.0, first: int = 0) -> Any:
    """Backwards through time; `factor` on what is carried, nothing before step `first`."""
    x, w, u, b = (inputs[name] for name in "xwub")
    states = [np.zeros_like(x[0] @ w)]
    for row in x:
        states.append(np.tanh(row @ w + states[-1] @ u + b))
    dx, dw, du, db = (np.zeros_like(a) for a in (x, w, u, b))
    dh = np.zeros_like(states[0])
    dys = dy if dy.ndim == 3 else [0.0] * (len(x) - 1) + [dy]
    for t in range(len(x) - 1, first - 1, -1):
        dh = dh + dys[t]
        dz = dh * (1 - states[t + 1] ** 2)
        dx[t], dh = dz @ w.T, x.dtype.type(factor) * (dz @ u.T)
        dw, du, db = dw + x[t].T @ dz, du + states[t].T @ dz, db + dz.sum(0)
    return np.stack(states[1:]) if dy.ndim == 3 else states[-1], dict(
        x=dx, w=dw, u=du, b=db
    )  # fmt: skip


def drawn(steps: int, scale: float, form: str, seed: int, sizes: Any = (3, 2, 4)) -> Any:
    """Inputs for so many steps; `sizes`: of the batch, of an input and of a state."""
    random, (n, f, h) = np.random.default_rng(seed), sizes
    inputs = {
        "x": random.normal(size=(steps, n, f)),
        "w": random.normal(size=(f, h)) * 0.5,
        "u": scale * random.normal(size=(h, h)) / np.sqrt(h),
        "b": random.normal(size=h) * 0.1,
    }
    return {name: values.astype(form) for name, values in inputs.items()}


@pytest.fixture
def nameless(monkeypatch: Any) -> None:
    """Leave out the search for names, which no test here is about."""
    monkeypatch.setattr(check, "named_mistake", lambda *arguments: Named())


@pytest.fixture(scope="module")
def chaos() -> Any:
    """Inputs with which right float32 code is off by 5e-4: roundings grow from step to step."""
    return drawn(40, 3.0, "float32", seed=3, sizes=(2, 2, 3))


@pytest.mark.parametrize("scale, form, seed", [(1.0, "float32", 1), (1.0, "float64", 7)])
def test_a_right_recurrence_agrees_however_its_roundings_grow(
    scale: float, form: str, seed: int
) -> None:
    """By the rules alone dx is 3 and 11 times too far off."""
    result = check_layer(recurrence, last, drawn(40, scale, form, seed))
    assert result.verdict is Verdict.AGREES and result.kind is None, result.sentence
    assert result.worst["dx"].ratio < 0.5


@pytest.mark.parametrize("form, seed", FAR)
def test_what_is_right_is_no_further_off_than_half(form: str, seed: int, nameless: None) -> None:
    """By the rules alone these are 0.5 to 1 times as far off as is allowed."""
    inputs = drawn(30, 1.5, form, seed)
    right = check_layer(recurrence, last, inputs)
    assert right.verdict is Verdict.AGREES and right.worst["dx"].ratio < 0.5
    off = {"float64": 1e-12, "float32": 1e-4}[form]
    wrong = check_layer(lambda i, dy: recurrence(i, dy, factor=1 + off), last, inputs)
    assert wrong.verdict is Verdict.DISAGREES, wrong.sentence


def test_errors_that_one_direction_keeps_fade_more_slowly_than_squares_say() -> None:
    """Of a matrix of equal entries, the independent part of an error is gone after one step."""
    h, steps = 4, 20
    u = np.full((h, h), 0.9 / h)
    error, variance = np.ones(h), np.ones(h)
    for _ in range(steps):
        error, variance = error @ u, variance @ (u * u)
    assert error == pytest.approx(np.full(h, 0.9**steps))
    assert np.sqrt(variance) == pytest.approx(np.full(h, (0.9 / math.sqrt(h)) ** steps))


@pytest.mark.parametrize("form, off", [("float64", 1e-12), ("float32", 1e-4)])
def test_a_factor_on_what_is_carried_is_seen_all_the_same(
    form: str, off: float, nameless: None
) -> None:
    def wrong(inputs: Any, dy: Any) -> Any:
        return recurrence(inputs, dy, factor=1 + off)

    result = check_layer(wrong, last, drawn(30, 1.0, form, seed=1))
    assert result.verdict is Verdict.DISAGREES, result.sentence


def scaled(off: float) -> Any:
    """All of dw too large."""

    def manual(inputs: Any, dy: Any) -> Any:
        y, gradients = recurrence(inputs, dy)
        return y, gradients | {"w": inputs["w"].dtype.type(1 + off) * gradients["w"]}

    return manual


def test_what_only_growing_roundings_allow_is_right_if_it_goes_away_one_precision_up(
    chaos: Any,
) -> None:
    result = check_layer(scaled(0.0), reference, chaos)
    assert result.verdict is Verdict.AGREES and result.kind is None, result.sentence
    assert re.search(
        r"a scale error below .*0\.\d+ in dw.* could have been missed", result.sentence
    )
    least = {weak.parameter: weak.smallest_scale_error for weak in result.weak}
    assert least["dw"] is not None and 1e-4 < least["dw"] < 1e-2


@pytest.mark.parametrize("off", [1e-4, 5e-4])
def test_what_only_growing_roundings_allow_is_undecidable_if_it_stays(
    chaos: Any, off: float
) -> None:
    result = check_layer(scaled(off), reference, chaos)
    assert result.verdict is Verdict.UNDECIDABLE, result.sentence
    assert "no more than they may grow to together" in result.sentence


def test_what_is_beyond_growing_roundings_is_wrong(chaos: Any, nameless: None) -> None:
    result = check_layer(scaled(1e-2), reference, chaos)
    assert result.verdict is Verdict.DISAGREES
    assert [finding.stage for finding in result.findings] == ["dw"]


@pytest.mark.parametrize("wrong", [False, True])
def test_a_recurrence_too_long_to_look_for_names_is_judged_and_says_so(
    wrong: bool, monkeypatch: Any
) -> None:
    monkeypatch.setattr(search, "MOST_STEPS", 100)
    result = check_layer(scaled(1e-2 * wrong), last, drawn(8, 1.0, "float32", seed=1))
    assert result.verdict is (Verdict.DISAGREES if wrong else Verdict.AGREES)
    assert ("too long to look for the mistake's name" in result.sentence) is wrong


@pytest.mark.parametrize("form", ["float32", "float64"])
def test_the_spread_of_entries_that_err_alone_is_that_of_the_rules(form: str) -> None:
    """In float64 movements of single roundings would be rounded themselves: 5 % too much."""
    program = Program(Reference.of(lambda x: torch.exp(1.3 * torch.sin(x))), ("x",))
    inputs = {"x": torch.from_numpy(np.random.default_rng(0).uniform(0.5, 1, size=400))}
    dy = {"y": torch.ones(400, dtype=torch.float64)}
    allowed = walked(program, inputs, dy, form)[2]["y"] / LAMBDA / FORMATS[form].sides ** 0.5
    squares = torch.stack([moved["y"].square() for moved in runs(program, inputs, dy, form)[1]])
    assert float((squares.mean() / allowed.square().mean()).sqrt()) == pytest.approx(1, abs=0.02)


def test_the_factor_of_a_spread_is_students() -> None:
    """The sum in the docstring is that of an even number of degrees."""
    a = math.atan(STUDENT / math.sqrt(DRAWS))
    term, total = 1.0, 1.0
    for j in range(1, DRAWS // 2):
        term *= (2 * j - 1) / (2 * j) * math.cos(a) ** 2
        total += term
    assert 1 - math.sin(a) * total == pytest.approx(math.erfc(LAMBDA / math.sqrt(2)), rel=1e-3)


def test_entries_that_grew_alike_say_how_uncertain_an_entry_near_0_is() -> None:
    right = np.array([1.0, 1.0, 1e-6, 1.0])
    before, wider = np.full(4, 1e-6), np.array([1e-6, 1e-6, 1e-4, 0.6e-4])
    off = np.array([0.0, 0.0, 0.5e-4, 0.0])
    size, least = hidden(off, right, before, wider)
    assert size == pytest.approx(0.5 * 0.6e-4) and least == pytest.approx(1.5 * 0.6e-4)
    assert hidden(0 * off, right, before, wider) == (0.0, 0.0)


FADED = [("float32", 0.05), ("float64", 0.02), ("float32", 0.1)]


@pytest.mark.parametrize("form, scale", FADED)
def test_what_has_faded_away_is_not_called_clipped_where_it_may_be_cut_short(
    form: str, scale: float, nameless: None
) -> None:
    def cut_short(inputs: Any, dy: Any) -> Any:
        return recurrence(inputs, dy, first=3)

    inputs = drawn(16, scale, form, seed=1)
    result = check_layer(cut_short, last, inputs)
    assert result.verdict is Verdict.UNDECIDABLE, result.sentence
    assert "no more than a clipped tail would" in result.sentence
    assert check_layer(recurrence, last, inputs)


def test_a_tail_that_takes_too_long_to_be_doubted_is_not_believed(monkeypatch: Any) -> None:
    monkeypatch.setattr(excuse, "ASKED", 100)
    inputs = drawn(16, 0.05, "float32", seed=1)
    result = check_layer(lambda i, dy: recurrence(i, dy, first=3), last, inputs)
    assert result.verdict is Verdict.UNDECIDABLE
    assert "the reference is too long to be asked" in result.sentence
    assert check_layer(recurrence, last, inputs)


@pytest.mark.parametrize("off, blind", [(1e-13, False), (1e-11, True)])
def test_a_pass_that_only_growing_roundings_bring_near_is_believed_in_small_things_alone(
    off: float, blind: bool
) -> None:
    """The allowances of a recurrence grew a thousand times; the pass is off by less or by more."""
    right, before = torch.ones(4, dtype=torch.float64), torch.full((4,), 1e-14)
    found, wider = {"dx": right * (1 + off)}, {"dx": torch.full((4,), 1e-10)}
    analysis = Analysis(FORMATS["float64"])
    said = analysed.blind(analysis, {"dx": right}, found, {"dx": before}, wider)
    assert (said is not None and "grow so far in dx" in said) is blind


def test_zeros_whose_roundings_grow_are_uncertain_without_bound() -> None:
    for wider in (np.ones(3), np.full(3, np.inf)):
        size, least = hidden(np.full(3, 0.5), np.zeros(3), np.full(3, 0.1), wider)
        assert np.isinf(size) and np.isinf(least)
