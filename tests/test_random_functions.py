"""A function that draws random numbers is called random, first and with its line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import manual_mlp
from compare import check

pytestmark = pytest.mark.slow

Array = NDArray[Any]
Arrays = dict[str, Array]
SEEN: list[Array] = []


def global_mask(theta: Arrays, x: Array, t: Array) -> Any:
    keep = np.random.rand(*x.shape) < 0.8  # noqa: NPY002
    return manual_mlp.loss_and_gradients(theta, x * keep, t)


def own_mask(theta: Arrays, x: Array, t: Array) -> Any:
    keep = np.random.default_rng().random(x.shape) < 0.8
    return manual_mlp.loss_and_gradients(theta, x * keep, t)


@pytest.mark.parametrize("function", [global_mask, own_mask])
def test_a_random_function_is_called_random_with_its_line(function: Callable[..., Any]) -> None:
    result = check(function)
    assert result.exit_code == 1 and result.kind == "structure"
    assert [one.mistake for one in result.diagnosis] == ["random-function"]
    assert result.sentence.startswith("disagrees (structure): a function that is random: ")
    assert "test_random_functions.py, line" in result.sentence and "keep = " in result.sentence
    assert not any("no known mistake" in note for note in result.notes)


def test_a_mask_that_keeps_everything_is_not_held_against_anybody() -> None:
    def unused(theta: Arrays, x: Array, t: Array) -> Any:
        keep = np.random.rand(*x.shape) < 2  # noqa: NPY002
        return manual_mlp.loss_and_gradients(theta, x * keep, t)

    assert check(unused).exit_code == 0


def test_what_is_kept_between_calls_is_not_called_random() -> None:
    def kept(theta: Arrays, x: Array, t: Array) -> Any:
        SEEN.append(x)
        return manual_mlp.loss_and_gradients(theta, x + 0.01 * len(SEEN), t)

    result = check(kept)
    assert result.exit_code == 1
    assert "random-function" not in [one.mistake for one in result.diagnosis]
    assert "is kept or overwritten between calls" in result.findings[0].message
