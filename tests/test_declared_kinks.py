"""Corners above the last layer: of absolute error, hinge and a relu output, planted.

At a corner every slope between the two one-sided ones is right, far beyond them none: what a corner
may do there is allowed for, not resolved. Next to one only the slope of that side is right.
"""

from typing import Any

import numpy as np
import pytest

from compare.contracts.experiment import Experiment
from compare.examine.sides import build_reference
from compare.judge.point import PointJudge

F, K, N = 4, 3, 5
CORNERS: dict[str, tuple[dict[str, Any], tuple[float, float]]] = {
    "absolute error": ({"loss": "l1"}, (-1.0, 1.0)),
    "hinge": ({"loss": "hinge"}, (0.0, 1.0)),
    "relu output": ({"loss": "mse", "output": "relu"}, (0.0, 1.0)),
}
"""What is declared, and the slopes on the two sides of its corner."""
every_corner = pytest.mark.parametrize("name", CORNERS)


def at_corner(name: str, away: float) -> tuple[dict[str, Any], Any, Any]:
    """Parameters, x and targets with entry (0, 0) so far above its corner, and no other near."""
    rng = np.random.default_rng(3)
    x = np.round(rng.normal(size=(N, F)), 2)
    x[0] = 0  # then the first row's outputs are the biases, exactly
    w, b = rng.normal(size=(F, K)), np.array([0.25, -0.5, 0.75])
    y = np.eye(K)[[1, 2, 0, 1, 2]]
    if name == "absolute error":
        y = rng.normal(size=(N, K))
        y[0] = b + np.array([-away, 1.0, -2.0])
    elif name == "hinge":
        b[0] = b[1] - 1 + away  # margin 1 - o_1 + o_0
    else:
        b[0], y[0] = away, [1, 0, 0]
    return {"w1": w, "b1": b}, x, y


def answer(name: str, at: tuple[dict[str, Any], Any, Any], slope: float) -> tuple[Any, Any]:
    """Loss and gradients with this slope at entry (0, 0)."""
    (parameters, x, y), declared = at, CORNERS[name][0]
    o = x @ parameters["w1"] + parameters["b1"]
    if name == "absolute error":
        loss, d = np.abs(o - y).mean(), np.sign(o - y)
        d[0, 0] = slope
    elif name == "hinge":
        own = (o * y).sum(1, keepdims=True)
        margins = (1 - y) * (1 - own + o)
        on = (margins > 0) * 1.0
        on[0, 0] = slope
        loss, d = np.maximum(margins, 0).mean(), on - y * on.sum(1, keepdims=True)
    else:
        h, on = np.maximum(o, 0), (o > 0) * 1.0
        on[0, 0] = slope
        loss, d = ((h - y) ** 2).mean(), 2 * (h - y) * on
    d = d / (N * K)
    assert declared
    return float(loss), {"w1": x.T @ d, "b1": d.sum(0)}


def agrees(name: str, away: float, slope: float) -> bool:
    at = at_corner(name, away)
    asked = Experiment(hidden=(), **CORNERS[name][0])
    judge = PointJudge(experiment=asked, reference=build_reference(asked, (F, K)), mode="check")
    return judge.same_point(*at, *answer(name, at, slope)).agrees


@every_corner
def test_on_a_corner_both_one_sided_slopes_are_right(name: str) -> None:
    for slope in CORNERS[name][1]:
        assert agrees(name, 0.0, slope)


@every_corner
@pytest.mark.parametrize("beyond", [-3.0, 3.0])
def test_on_a_corner_no_slope_far_beyond_the_two_is_right(name: str, beyond: float) -> None:
    low, high = CORNERS[name][1]
    slope = (low if beyond < 0 else high) + beyond * (high - low)
    assert not agrees(name, 0.0, slope)


@every_corner
@pytest.mark.parametrize("away", [-1e-3, 1e-3, -1e-9, 1e-9])
def test_next_to_a_corner_only_its_own_slope_is_right(name: str, away: float) -> None:
    low, high = CORNERS[name][1]
    own, other = (high, low) if away > 0 else (low, high)
    assert agrees(name, away, own)
    assert not agrees(name, away, other)
    assert not agrees(name, away, (low + high) / 2)
