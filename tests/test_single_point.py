"""`check`: one function at a few points, and what it says beside the verdict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare import BadInput, check
from manual_mlp import compute_layer, loss_and_gradients
from tests.kinked import with_slopes

pytestmark = pytest.mark.rounding

Array = NDArray[Any]
Arrays = dict[str, Array]


def unshifted(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
    """One layer, right, but for a softmax whose exp overflows."""
    with np.errstate(all="ignore"):
        e = np.exp(x @ parameters["w1"] + parameters["b1"])
        p = e / e.sum(axis=1, keepdims=True)
        loss = -(targets * np.log(p)).sum() / len(x)
    dlogits = (p - targets) / len(x)
    return float(loss), {"w1": x.T @ dlogits, "b1": dlogits.sum(axis=0)}


def test_a_softmax_without_a_shift_agrees_and_its_overflow_is_noted() -> None:
    result = check(unshifted, hidden=())
    assert result.exit_code == 0
    assert any("exp overflows" in note for note in result.notes)
    ours = check(loss_and_gradients, hidden=())
    assert not any("overflows" in note for note in ours.notes)


@pytest.mark.slow
def test_what_is_wrong_beside_an_overflow_is_still_named() -> None:
    def summed(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        with np.errstate(all="ignore"):
            loss, gradients = unshifted(parameters, x, targets)
        if not np.isfinite(loss):
            loss = -np.inf  # as no mistake of the catalogue gives it
        return loss, {name: len(x) * gradient for name, gradient in gradients.items()}

    result = check(summed, hidden=())
    assert [found.mistake for found in result.diagnosis] == ["gradient-summed"]
    assert any("beyond the range of exp something else differs" in one for one in result.notes)


def sloped(at_zero: float) -> Any:
    """Return a right function that takes this slope of relu exactly at 0."""

    def implementation(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        z1 = compute_layer(x, parameters["w1"], parameters["b1"])
        units = {(1, int(row), int(unit)): at_zero for row, unit in np.argwhere(z1 == 0)}
        return with_slopes(parameters, x, targets, units)

    return implementation


def test_the_same_slope_exactly_at_zero_reads_as_equality() -> None:
    (note,) = check(sloped(0.0)).notes
    assert note == "exactly at 0 both sides take the same slope of relu: 0"


@pytest.mark.parametrize("slope", [0.5, 1.0])
def test_another_slope_exactly_at_zero_is_said_of_each_side(slope: float) -> None:
    (note,) = check(sloped(slope)).notes
    assert note.startswith(f"exactly at 0 the manual side takes {slope:g} as the slope of relu")
    assert note.endswith("the reference 0; both are right")


@pytest.mark.parametrize(
    ("targets", "words"),
    [([[1, 1], [0, 1]], "row 0 of targets sums to 2"), (np.zeros((0, 2)), "x has no rows")],
)
def test_targets_that_are_no_probabilities_and_empty_batches_are_bad_input(
    targets: Any, words: str
) -> None:
    y = np.asarray(targets, dtype=np.float64)
    parameters = {"w1": np.ones((3, 2)), "b1": np.zeros(2)}
    with pytest.raises(BadInput, match=words):
        check(loss_and_gradients, parameters=parameters, x=np.ones((len(y), 3)), targets=y)
