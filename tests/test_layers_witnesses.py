"""What needs no reference: a backward pass gives 0 for dy = 0, and belongs to its own outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from compare.checks.referee import Belongs
from compare.contracts.result import Verdict
from compare.layers.check import check_layer

X = np.random.default_rng(11).normal(size=(4, 3))


@pytest.mark.parametrize("added, verdict", [(0.0, Verdict.AGREES), (1.0, Verdict.DISAGREES)])
def test_what_is_returned_where_dy_is_zero_has_no_dy_in_it(added: float, verdict: Verdict) -> None:
    """At the points themselves the numbers agree."""

    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        return x**2, {"x": 2 * x * dy + x.dtype.type(0 if dy.any() else added)}

    result = check_layer(manual, lambda x: x**2, {"x": X})
    assert result.verdict is verdict
    assert ("dx is not 0 where dy is 0" in result.sentence) is bool(added)
    assert [finding.check for finding in result.findings] == ["structure"] * bool(added)


def by_hand(value: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Any:
    def manual(inputs: Any, dy: Any) -> Any:
        x = inputs["x"]
        return value(x), {"x": (1 if dy is None else dy) * slope(x)}

    return manual


@pytest.mark.parametrize("whole", [False, True], ids=["layer", "loss"])
@pytest.mark.parametrize("power, slope, belongs", [
    (2, lambda x: 2 * x, None),
    (3, lambda x: 3 * x**2, Belongs.YES),
    (2, lambda x: 3 * x, Belongs.NO),
])  # fmt: skip
def test_a_gradient_belongs_to_its_own_outputs_or_does_not(
    power: int, slope: Any, belongs: Belongs | None, whole: bool
) -> None:
    """x³ with its own gradient is consistent, and not x²; x² with 3 x is neither."""

    def value(x: Any) -> Any:
        return (x**power).sum() if whole else x**power

    def reference(x: Any) -> Any:
        return (x**2).sum() if whole else x**2

    result = check_layer(by_hand(value, slope), reference, {"x": X})
    assert result.verdict is (Verdict.AGREES if belongs is None else Verdict.DISAGREES)
    said = None if result.referee is None else result.referee["belongs"]
    assert said == (None if belongs is None else str(belongs))


class Odd(torch.autograd.Function):
    """x² with a gradient that belongs to nothing."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x**2

    @staticmethod
    def backward(ctx: Any, *dys: Any) -> Any:
        (x,) = ctx.saved_tensors
        return dys[0] * (2.3 * x + 0.1 * torch.cos(7 * x) + 0.2 * torch.sin(3 * x))


def odd(x: Any) -> Any:
    return Odd.apply(x)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("slope, verdict", [
    (lambda x: 2 * x, Verdict.UNDECIDABLE),
    (lambda x: 2 * x + 0.1 * np.sin(5 * x), Verdict.DISAGREES),
])  # fmt: skip
def test_a_gradient_that_belongs_to_equal_outputs_is_not_accused_by_another(
    slope: Any, verdict: Verdict
) -> None:
    result = check_layer(by_hand(lambda x: x**2, slope), odd, {"x": X})
    assert result.verdict is verdict
    assert ("the witnesses contradict each other" in result.sentence) is (
        verdict is Verdict.UNDECIDABLE
    )
