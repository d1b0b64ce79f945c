"""What no allowance could have told from anything else is named, and never counted as agreeing."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare import Experiment, check
from compare.checks.examined import Examined
from compare.checks.weak import HIDDEN, UNBOUNDED, why_not_compared
from compare.contracts.result import ExitCode, Verdict
from compare.judge.conclusion import conclude
from compare.judge.point import PointJudge
from manual_mlp import Record, loss_and_gradients
from tests.kinked import kinked
from torch_reference import Reference

Array = NDArray[Any]
Arrays = dict[str, Array]


def examined_at(scale: float, spoilt: float = 1.0) -> tuple[Examined, Arrays]:
    """A point whose inputs are scaled, and gradients that are wrong by a factor."""
    point = kinked([], dtype="float64")
    point.x[:] *= scale
    loss, gradients = point.gradients({})
    gradients = {name: spoilt * array for name, array in gradients.items()}
    return point.judged(loss, gradients), gradients


def reasons(examined: Examined, gradients: Arrays) -> dict[str, str | None]:
    return {
        name: why_not_compared(name, gradients[name], reference, examined.allowances)
        for name, reference in examined.reference_gradients.items()
    }


def test_an_ordinary_point_is_compared_throughout() -> None:
    assert set(reasons(*examined_at(1.0)).values()) == {None}


def test_no_number_is_compared_under_an_allowance_that_is_not_finite() -> None:
    examined, gradients = examined_at(1e200, spoilt=-3.0)
    assert examined.agrees, "else this test shows nothing"
    assert set(reasons(examined, gradients).values()) == {UNBOUNDED}


def test_a_gradient_within_what_rounding_may_do_is_not_compared() -> None:
    examined, gradients = examined_at(1e-310, spoilt=-1.0)
    assert examined.gradients["w1"].agrees, "else this test shows nothing"
    assert reasons(examined, gradients)["w1"] == HIDDEN


def test_equal_tensors_are_equal_whatever_was_allowed() -> None:
    examined, _ = examined_at(1e200)
    equal = reasons(examined, examined.reference_gradients)
    assert set(equal.values()) == {None}


@pytest.mark.parametrize(("scale", "why"), [(1e200, UNBOUNDED), (1e-310, HIDDEN)])
def test_what_was_handed_in_and_not_compared_is_named_and_no_agreement(
    scale: float, why: str
) -> None:
    point = kinked([], dtype="float64")

    def wrong(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        loss, gradients = loss_and_gradients(parameters, x, targets)
        return loss, gradients | {"w1": -gradients["w1"]}

    result = check(wrong, parameters=point.parameters, x=scale * point.x, targets=point.targets)
    assert result.verdict is Verdict.UNDECIDABLE and not result
    assert result.exit_code is ExitCode.UNDECIDABLE
    assert any(one == f"dw1 at the first point ({why})" for one in result.not_compared)
    assert f"dw1 at the first point ({why})" in result.sentence
    assert "at all" not in result.sentence


def test_points_that_were_not_compared_are_not_counted_as_agreeing() -> None:
    judge = PointJudge(experiment=Experiment(), reference=Reference((7, 6, 5, 3)), mode="dump")
    for update, scale in enumerate((1.0, 1e200, 1.0)):
        point = kinked([], dtype="float64", seed=update)
        point.x[:] *= scale
        loss, gradients = point.gradients({})
        gradients = gradients if scale == 1 else {k: -g for k, g in gradients.items()}
        record = Record(update, 0, np.arange(11), loss, gradients, point.parameters, {}, None)
        judge.at_point(record, point.x, point.targets)
    result = conclude(judge, {}, {}, loss_and_gradients, referee=False)
    assert result.verdict is Verdict.UNDECIDABLE
    assert "agrees: at 2 of 3 points" in result.sentence
    assert "dw1 at step 1 (its allowance is not finite)" in result.not_compared
