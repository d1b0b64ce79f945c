"""The reference in the next precision: it acquits who is nearer to the truth than torch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import manual_mlp
from compare.allowance import Arithmetic
from compare.checks.examined import Expected
from compare.checks.next_precision import in_next_precision
from compare.checks.same_point import SamePoint
from tests.allowed import DTYPES, network
from torch_reference import Reference

SIZES = (7, 9, 4)


def expected(dtype: str) -> tuple[SamePoint, Expected, Any]:
    drawn = network(SIZES, 30, dtype=dtype)
    reference = Reference(SIZES, activation="tanh", dtype=dtype)
    check = SamePoint(reference, Arithmetic.of(dtype), "tanh", "mean")
    return check, check.expect(*drawn), drawn


def worse_reference(there: Expected, allowances: float) -> Expected:
    """The same, had torch lost so many allowances in one entry of dw1."""
    moved = {name: gradient.copy() for name, gradient in there.gradients.items()}
    moved["w1"][2, 3] += allowances * there.point.allowances.gradients["w1"][2, 3]
    return replace(there, gradients=moved)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "identity"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_next_precision_gives_the_same_gradients_with_more_digits(
    dtype: str, activation: str, reduction: str
) -> None:
    drawn = network(SIZES, 30, dtype=dtype)
    reference = Reference(SIZES, activation=activation, reduction=reduction, dtype=dtype)
    found = in_next_precision(reference, *drawn, reduction, plain=True)
    assert found is not None
    wide: Any = np.longdouble
    parameters, x, targets = drawn
    loss, gradients = manual_mlp.loss_and_gradients(
        {name: w.astype(wide) for name, w in parameters.items()}, x.astype(wide),
        targets.astype(wide), activation=activation, reduction=reduction,
    )  # fmt: skip
    assert found[0] == pytest.approx(float(loss), rel=1e-14)
    for name, gradient in gradients.items():
        size = np.abs(gradient).max()
        np.testing.assert_allclose(found[1][name], gradient.astype(float), atol=1e-15 * float(size))


@pytest.mark.parametrize("dtype", DTYPES)
def test_where_the_reference_is_the_worse_side_nobody_is_accused(dtype: str) -> None:
    check, there, drawn = expected(dtype)
    answer = manual_mlp.loss_and_gradients(*drawn, activation="tanh")
    off = worse_reference(there, 3.0)
    assert check.hold(off, *answer).agrees
    assert not check.hold(replace(off, in_next_precision=lambda: None), *answer).agrees


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_wrong_gradient_is_not_excused_by_the_next_precision(dtype: str) -> None:
    check, there, drawn = expected(dtype)
    loss, gradients = manual_mlp.loss_and_gradients(*drawn, activation="tanh")
    wrong = {name: gradient.copy() for name, gradient in gradients.items()}
    wrong["w1"][2, 3] += 3 * there.point.allowances.gradients["w1"][2, 3]
    assert not check.hold(there, loss, wrong).agrees
    assert not check.hold(worse_reference(there, -3.0), loss, wrong).agrees
