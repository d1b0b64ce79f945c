"""The negative control: a judge that accepts what it must reject fails, whatever else it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compare import run_training
from compare.checks.comparison import Comparison, compare_entries
from compare.checks.control import Control, negative_control
from compare.checks.kinks import KinkExplanation
from compare.checks.slopes import ReferencePoint
from compare.contracts.arrays import Arrays
from compare.contracts.result import Disagreement, ExitCode, Verdict
from compare.examine.sides import our_manual
from tests.faults import SMALL, Array, side_by_side, small_data, wrong_gradient

RIGHT: Arrays = {
    "w1": np.arange(6.0).reshape(2, 3),
    "b1": np.ones(3),
    "w2": np.arange(6.0).reshape(3, 2) - 2.5,
    "b2": np.array([0.25, -0.25]),
}
ALLOWANCES: Arrays = {name: np.full(array.shape, 1e-12) for name, array in RIGHT.items()}


def controlled(same: Callable[[Array, Array, Array], bool], right: Arrays = RIGHT) -> Control:
    """The control of a judge that compares tensor by tensor with `same`."""

    def accepts(gradients: Arrays) -> bool:
        return all(same(gradients[name], right[name], ALLOWANCES[name]) for name in right)

    return negative_control(accepts, right, ALLOWANCES)


def test_a_judge_that_compares_every_entry_passes() -> None:
    control = controlled(lambda one, two, allowed: compare_entries("d", one, two, allowed).agrees)
    assert control == Control((), False)


def test_a_judge_that_rejects_everything_passes_the_negative_control() -> None:
    assert controlled(lambda one, two, allowed: False).accepted == ()


def by_norm(one: Array, two: Array, allowed: Array) -> bool:
    return bool(abs(np.linalg.norm(one) - np.linalg.norm(two)) <= allowed.max())


def without_nan(one: Array, two: Array, allowed: Array) -> bool:
    return not (np.abs(one - two) > allowed).any()


def loosely(one: Array, two: Array, allowed: Array) -> bool:
    return np.allclose(one, two)


@pytest.mark.parametrize(
    ("same", "accepted"),
    [
        (by_norm, "rolled by one entry"),
        (without_nan, "with one entry NaN"),
        (loosely, "with one entry off by 100 × allowance"),
    ],
)
def test_every_spoilt_gradient_catches_its_own_kind_of_judge(
    same: Callable[[Array, Array, Array], bool], accepted: str
) -> None:
    found = controlled(same).accepted
    assert any(accepted in what for what in found), found


def test_a_judge_that_accepts_everything_is_told_all_three() -> None:
    assert len(controlled(lambda one, two, allowed: True).accepted) == 3


def test_gradients_that_a_roll_does_not_move_are_weak_not_broken() -> None:
    constant = {name: np.ones_like(array) for name, array in RIGHT.items()}
    control = controlled(lambda one, two, allowed: bool((one == two).all()), constant)
    assert control == Control((), True)


def accept_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Comparison, "agrees", property(lambda self: True))


def compare_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(name: str, _: Any, reference: Any, allowance: Any, *rest: Any) -> Comparison:
        return compare_entries(name, reference, reference, allowance, *rest)

    for module in ("same_point", "gradients_compared"):
        monkeypatch.setattr(f"compare.checks.{module}.compare_entries", blind)
    monkeypatch.setattr("compare.checks.gradients_compared.compare_projection", lambda *_: None)


def allow_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    def wide(name: str, manual: Any, reference: Any, allowance: Any, *rest: Any) -> Comparison:
        return compare_entries(name, manual, reference, np.full_like(allowance, 1e300), *rest)

    for module in ("same_point", "gradients_compared"):
        monkeypatch.setattr(f"compare.checks.{module}.compare_entries", wide)
    monkeypatch.setattr("compare.checks.gradients_compared.compare_projection", lambda *_: None)


def excuse_by_kinks(monkeypatch: pytest.MonkeyPatch) -> None:
    def anything(
        point: ReferencePoint, gradients: Arrays, difference: Arrays, allow: Any
    ) -> Iterator[Any]:
        shown = {name: gradients[name] + difference[name] for name in gradients}
        yield KinkExplanation(shown, point.allowances)

    monkeypatch.setattr("compare.checks.examined.explanations", anything)


BREAK = [accept_all, compare_nothing, allow_anything, excuse_by_kinks]


@pytest.mark.parametrize("broken", BREAK)
def test_a_run_with_a_broken_judge_exits_with_its_own_code(
    broken: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    result = run_training(SMALL, data=small_data())
    assert result.control_failed
    assert result.exit_code == ExitCode.CONTROL_FAILED
    assert any(note.startswith("the judge accepted d") for note in result.notes)
    with pytest.raises(Disagreement, match="internal error: the self-test failed"):
        result.raise_for_disagreement()


@pytest.mark.parametrize("broken", BREAK)
def test_a_broken_judge_is_never_quoted_as_agreeing_with_a_fault(
    broken: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    manual = wrong_gradient(our_manual(SMALL), "w1", lambda gradient: -gradient)
    assert side_by_side(manual=manual).exit_code == ExitCode.CONTROL_FAILED


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_honest_run_passes_its_control(dtype: str) -> None:
    result = run_training(replace(SMALL, dtype=dtype), data=small_data())
    assert result.verdict is Verdict.AGREES and not result.control_failed
    assert not any("the judge accepted" in note for note in result.notes)


def test_a_run_on_kinks_passes_its_control() -> None:
    """Every unit of a blank row is on a kink, where much can be explained."""
    data = small_data()
    x = data.train.x.copy()
    x[:15] = 0
    result = run_training(SMALL, data=replace(data, train=replace(data.train, x=x)))
    assert not result.control_failed, result.notes
