"""A derivative of an activation is held against the activation that its whole name says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from compare.contracts.arrays import Array
from compare.contracts.result import Verdict
from compare.examine.starter.activation_slopes import slope_checked

OF_FILE = ("relu", "tanh", "sigmoid", "leaky_relu", "leaky_relu:0.2", "elu")


def mask(z: Array) -> Array:
    return np.asarray(z > 0, float)


def leaky(z: Array) -> Array:
    return np.where(z > 0, 1.0, 0.2)


def up_to_six(z: Array) -> Array:
    return np.asarray((z > 0) & (z < 6), float)


def squared(h: Array) -> Array:
    return 1 - h**2


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("d_relu", mask, leaky),
        ("leaky_relu_derivative", leaky, mask),
        ("lReLU_grad", leaky, mask),
        ("relu6_grad", up_to_six, mask),
        ("tanh_grad", squared, mask),
        ("grad", squared, None),
        ("clipped_relu_grad", None, mask),
        ("softmax_derivative", None, squared),
    ],
)
def test_a_longer_name_is_no_shorter_one(
    name: str, right: Callable[[Array], Array] | None, wrong: Callable[[Array], Array] | None
) -> None:
    if right is not None:
        found = slope_checked(name, right, OF_FILE, None)
        assert found is not None
        assert found.verdict is Verdict.AGREES
    if wrong is not None:
        found = slope_checked(name, wrong, OF_FILE, None)
        assert found is not None
        assert found.verdict is Verdict.UNDECIDABLE
