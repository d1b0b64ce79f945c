"""Code that takes no widths but its own is asked about a small network inside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare.diagnosis.asking import observations
from compare.diagnosis.embedded import inside
from compare.diagnosis.gradients import diagnose, diagnosed, probes
from compare.diagnosis.match import Case
from compare.mistakes.catalogue import named
from compare.textbook import Pass, Point

pytestmark = pytest.mark.slow

Arrays = dict[str, NDArray[Any]]
SIZES = (40, 30, 5)
OPTIONS: dict[str, Any] = {"activation": "relu", "reduction": "mean", "seed": 0}
Change = Callable[[Arrays], Arrays]


def fixed(*names: str, change: Change = dict) -> Callable[..., Any]:
    """Return the textbook pass with mistakes, for these widths and no others."""

    def loss_and_gradients(theta: Arrays, x: NDArray[Any], t: NDArray[Any]) -> Any:
        if x.shape[1] != SIZES[0] or len(theta["b1"]) != SIZES[1]:
            raise ValueError("written for other sizes")
        made = [named(name).overrides() for name in names]  # type: ignore[attr-defined]
        net = Pass(Point(theta, x, t), frozenset().union(*made))
        gradients = {name: net.named(f"d{name}").value for name in theta}
        return float(net.named("loss").value), change(gradients)

    return loss_and_gradients


@pytest.mark.parametrize(
    "names",
    [
        ("mask-missing",),
        ("bias-summed-to-a-number",),
        ("gradient-divided-by-features",),
        ("gradient-divided-by-hidden-units",),
        ("gradient-summed", "value-for-derivative"),
    ],
    ids="+".join,
)
def test_a_mistake_in_code_of_fixed_widths_is_named(names: tuple[str, ...]) -> None:
    (found,) = diagnose(fixed(*names), sizes=SIZES)
    assert set(found.mistake.split(" + ")) == set(names)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_small_network_inside_has_the_numbers_of_the_small_one(activation: str) -> None:
    network = inside(SIZES, activation)
    assert network is not None
    points = probes(network.small, **OPTIONS | {"activation": activation}, dtype=np.float64)

    def right(theta: Arrays, x: NDArray[Any], t: NDArray[Any]) -> Any:
        net = Pass(Point(theta, x, t, activation))
        return float(net.named("loss").value), {k: net.named(f"d{k}").value for k in theta}

    for label, point in points:
        (seen,) = observations(right, [(label, network.point(point))])
        assert seen.seen["dw1"].shape == SIZES[:2]
        assert not Case(network.seen(seen, point)).disagrees


def test_what_is_wrong_in_a_silent_unit_only_is_not_taken_for_right() -> None:
    def last_unit(gradients: Arrays) -> Arrays:
        doubled = gradients["w1"].copy()
        doubled[:, -1] *= 1.7
        return gradients | {"w1": doubled}

    found = diagnosed(fixed(change=last_unit), sizes=SIZES, dtype=np.float64, **OPTIONS)
    assert not found.diagnosis
    assert any("dw1 is wrong in 1 of 30 columns: 29." in note for note in found.notes)


def test_facts_about_code_of_fixed_widths_number_its_own_units() -> None:
    def odd(gradients: Arrays) -> Arrays:
        factors = 1 + 0.3 * (np.arange(SIZES[1]) % 7 == 3)
        return gradients | {"w1": gradients["w1"] * factors}

    found = diagnosed(fixed(change=odd), sizes=SIZES, dtype=np.float64, **OPTIONS)
    assert not found.diagnosis
    assert any("of 30 columns: 3, 10, " in note for note in found.notes)


def test_no_network_is_put_inside_where_a_unit_cannot_be_silent() -> None:
    assert inside(SIZES, "sigmoid") is None
    assert inside((9, 7, 5), "relu") is None
    assert inside((40, 26, 26), "relu") is None  # the classes keep their number, the units do not
