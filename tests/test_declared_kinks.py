"""Corners above the last layer: of absolute error, hinge and a relu output, planted.

Each sample takes one of the two slopes beside its corner, or the one slope that its implementation
has exactly there: never one for each. Next to a corner only the slope of that side is right.
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


HIDDEN, ROWS = 5, (0, 1, 2, 3)
NEAR: dict[str, tuple[dict[str, Any], tuple[float, float]]] = {
    **CORNERS,
    "absolute error of a tanh": ({"loss": "l1", "output": "tanh"}, (-1.0, 1.0)),
    "hinge of a relu": ({"loss": "hinge", "output": "relu"}, (0.0, 1.0)),
}


class Near:
    """A tanh network; entry (n, 0) of some rows is at its corner, up to rounding."""

    def __init__(self, name: str, dtype: str) -> None:
        rng = np.random.default_rng(5)
        draw = {"w1": (F, HIDDEN), "b1": (HIDDEN,), "w2": (HIDDEN, K), "b2": (K,)}
        self.parameters = {k: rng.normal(size=size).astype(dtype) for k, size in draw.items()}
        self.x = rng.normal(size=(7, F)).astype(dtype)
        declared, self.sides = NEAR[name]
        self.loss, self.output = declared["loss"], declared.get("output", "identity")
        self.asked = Experiment(hidden=(HIDDEN,), activation="tanh", dtype=dtype, **declared)
        self.y = np.eye(K)[[1, 2, 1, 2, 0, 1, 2]].astype(dtype)
        self.h = np.tanh(self.x @ self.parameters["w1"] + self.parameters["b1"])
        self._onto_corner(rng, dtype)

    def _onto_corner(self, rng: Any, dtype: str) -> None:
        """Move the first column of w2, or the targets, until the margins of the rows are 0."""
        w, b = self.parameters["w2"], self.parameters["b2"]
        if self.loss != "hinge":
            self.y = rng.normal(size=self.y.shape).astype(dtype)
        if self.loss == "l1":
            self.y[list(ROWS), 0] = self.o[list(ROWS), 0]
            return
        wanted = np.zeros(len(ROWS))
        if self.loss == "hinge":
            w[:, 1:], b[1:] = np.abs(w[:, 1:]), 4.0  # then the other outputs are above 1
            wanted = (self.o * self.y).sum(1)[list(ROWS)] - 1.0
        h = self.h[list(ROWS)].astype(np.float64)
        w[:, 0] = np.linalg.lstsq(h, wanted - b[0], rcond=None)[0]

    @property
    def z(self) -> Any:
        return self.h @ self.parameters["w2"] + self.parameters["b2"]

    @property
    def o(self) -> Any:
        return {"relu": np.maximum(self.z, 0), "tanh": np.tanh(self.z)}.get(self.output, self.z)

    def answer(self, slopes: dict[int, float]) -> tuple[float, dict[str, Any]]:
        """Loss and gradients with these slopes at entry (n, 0)."""
        o, y, at = self.o, self.y, list(slopes)
        taken, mask = list(slopes.values()), (self.z > 0) * 1.0
        if self.loss == "l1":
            loss, d = np.abs(o - y).mean(), np.sign(o - y)
            d[at, 0] = taken
        elif self.loss == "hinge":
            margins = (1 - y) * (1 - (o * y).sum(1, keepdims=True) + o)
            loss, on = np.maximum(margins, 0).mean(), (margins > 0) * 1.0
            on[at, 0] = taken
            d = on - y * on.sum(1, keepdims=True)
        else:
            loss, d = ((o - y) ** 2).mean(), 2 * (o - y)
            mask[at, 0] = taken
        d = (d * {"relu": mask, "tanh": 1 - o * o}.get(self.output, 1) / d.size).astype(o.dtype)
        dz = (d @ self.parameters["w2"].T) * (1 - self.h**2)
        grads = {"w1": self.x.T @ dz, "b1": dz.sum(0), "w2": self.h.T @ d, "b2": d.sum(0)}
        return float(loss), {name: grads[name].astype(o.dtype) for name in self.parameters}

    def judged(self, slopes: dict[int, float]) -> Any:
        reference = build_reference(self.asked, (F, HIDDEN, K))
        judge = PointJudge(experiment=self.asked, reference=reference, mode="check")
        return judge.same_point(self.parameters, self.x, self.y, *self.answer(slopes))


every_near = pytest.mark.parametrize("name", NEAR)
every_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])


@every_near
@every_dtype
def test_samples_at_a_corner_take_one_of_its_two_slopes_each(name: str, dtype: str) -> None:
    point = Near(name, dtype)
    low, high = point.sides
    for taken in ((low,) * 4, (high,) * 4, (low, high, high, low)):
        examined = point.judged(dict(zip(ROWS, taken, strict=True)))
        assert examined.agrees and not examined.widened


@every_near
@every_dtype
def test_samples_at_a_corner_share_a_slope_in_between_and_never_have_one_each(
    name: str, dtype: str
) -> None:
    point = Near(name, dtype)
    low, high = point.sides
    third, most = low + 0.3 * (high - low), low + 0.8 * (high - low)
    assert point.judged(dict(zip(ROWS, (third, low, third, high), strict=True))).agrees
    for taken in ((third, most, low, high), (low, 3 * high, low, low)):
        examined = point.judged(dict(zip(ROWS, taken, strict=True)))
        assert not examined.agrees and not examined.widened


@every_near
def test_a_wrong_factor_is_seen_beside_corners(name: str) -> None:
    point = Near(name, "float32")
    loss, gradients = point.answer({0: point.sides[1], 1: point.sides[0]})
    gradients["w2"] = gradients["w2"] * np.float32(1 + 1e-4)
    reference = build_reference(point.asked, (F, HIDDEN, K))
    judge = PointJudge(experiment=point.asked, reference=reference, mode="check")
    assert not judge.same_point(point.parameters, point.x, point.y, loss, gradients).agrees


def test_corners_too_many_to_resolve_are_allowed_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compare.checks.corners.MOST_RESOLVED", 3)
    point = Near("absolute error of a tanh", "float32")
    examined = point.judged(dict(zip(ROWS, (0.3, 0.8, -0.4, 1), strict=True)))
    assert examined.agrees and examined.widened


def test_corners_of_more_columns_than_are_kept_are_fitted_in_the_last_layer_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("compare.checks.joint_fit.MOST_ENTRIES", 100)  # 18 entries of 43, 4 corners
    point = Near("absolute error of a tanh", "float32")
    examined = point.judged(dict(zip(ROWS, (-1, 1, 1, -1), strict=True)))
    assert examined.agrees and not examined.widened
    monkeypatch.setattr("compare.checks.joint_fit.MOST_ENTRIES", 1)
    monkeypatch.setattr("compare.checks.corners.Joint", None)  # none is built
    examined = point.judged(dict(zip(ROWS, (-1, 1, 1, -1), strict=True)))
    assert examined.agrees and examined.widened
    assert not point.judged(dict(zip(ROWS, (-1, 99, 1, -1), strict=True))).agrees
