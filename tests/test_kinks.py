"""Kinks: any slope between the one-sided ones is right there, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import manual_mlp
from compare import Experiment, Manual, Result
from compare.allowance.rules import ACTIVATION_RULES, ActivationRule
from compare.checks.examined import Examined
from compare.checks.kink_fit import Units
from compare.checks.slopes import ReferencePoint, apart, one_sided, substituted
from compare.checks.stages import first_wrong_stage
from compare.contracts.arrays import Arrays
from compare.data import DataSet
from compare.examine.sides import our_manual
from compare.points.inputs import draw_inputs
from tests.faults import SMALL, Array, require_blame, side_by_side, small_data, with_function
from tests.kinked import Kinked, Unit, kinked, moved_onto, of_reference, with_slopes

DTYPES = ("float32", "float64")
pytestmark = pytest.mark.rounding


def other_slope(point: Kinked, unit: Unit) -> float:
    """The one-sided slope that the reference did not take."""
    return 0.0 if point.z(unit) > 0 else 1.0


def found(examined: Examined) -> set[Unit]:
    slopes = examined.slopes
    return {
        (layer, int(row), int(unit))
        for layer in slopes.change
        for row, unit in zip(slopes.rows[layer], slopes.units[layer], strict=True)
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("unit", [(1, 4, 2), (1, 0, 0), (2, 7, 3), (2, 3, 0)])
def test_the_other_slope_at_a_kink_agrees_and_is_named(unit: Unit, dtype: str) -> None:
    point = kinked([unit], dtype=dtype)
    assert abs(point.z(unit)) < (1e-5 if dtype == "float32" else 1e-13)
    examined = point.judged(*point.gradients({unit: other_slope(point, unit)}))
    assert examined.agrees
    assert found(examined) == {unit}


@pytest.mark.parametrize("rows", [200, 300])
@pytest.mark.parametrize("seed", range(6))
def test_intermediates_of_the_other_slope_agree_too_however_many_samples_there_are(
    seed: int, rows: int
) -> None:
    unit = (1, 0, 0)
    point = kinked([unit], (7, 12, 10), rows=rows, seed=seed)
    slope = other_slope(point, unit)
    examined = point.judged(*point.gradients({unit: slope}))
    values = manual_mlp.forward(point.parameters, point.x)
    dlogits = manual_mlp.grad_ce(point.targets, values["logits"])
    mask = of_reference(point.parameters, point.x)["z1"] > 0
    mask[0, 0] = slope
    shown = {"dlogits": dlogits, "dz1": (dlogits @ point.parameters["w2"].T) * mask}
    assert examined.agrees
    assert first_wrong_stage(examined, shown, 2) is None
    shown["dz1"] = shown["dz1"] * np.float32(1.001)
    wrong = first_wrong_stage(examined, shown, 2)
    assert wrong is not None and wrong.name == "dz1"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("slope", [0.5, 0.25, 0.53, 0.98])
def test_any_slope_in_between_agrees(slope: float, dtype: str) -> None:
    unit = (2, 7, 3)
    point = kinked([unit], dtype=dtype)
    examined = point.judged(*point.gradients({unit: slope}))
    assert examined.agrees
    own = 1.0 if point.z(unit) > 0 else 0.0
    assert own + examined.slopes.change[2][0] == pytest.approx(slope, abs=1e-3)


@pytest.mark.parametrize("slope", [-0.5, 1.5, 2.0, -1.0])
def test_a_slope_outside_the_two_one_sided_ones_disagrees(slope: float) -> None:
    unit = (2, 7, 3)
    point = kinked([unit])
    assert not point.judged(*point.gradients({unit: slope})).agrees


SEVERAL: list[Unit] = [(1, 0, 1), (1, 2, 4), (2, 5, 0), (2, 7, 3), (1, 8, 1)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_several_kinks_in_several_layers_are_resolved_at_once(dtype: str) -> None:
    point = kinked(SEVERAL, dtype=dtype)
    slopes = {unit: other_slope(point, unit) for unit in SEVERAL}
    examined = point.judged(*point.gradients(slopes))
    assert examined.agrees
    assert found(examined) == set(SEVERAL)


def test_the_same_slope_as_torch_needs_no_kink() -> None:
    point = kinked(SEVERAL)
    torch_took = {unit: 1.0 - other_slope(point, unit) for unit in SEVERAL}
    examined = point.judged(*point.gradients(torch_took))
    assert examined.agrees and len(examined.slopes) <= len(SEVERAL)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_unit_that_is_no_kink_has_one_slope(dtype: str) -> None:
    point = kinked(SEVERAL, dtype=dtype)
    flipped: Unit = (1, 4, 2)
    assert abs(point.z(flipped)) > 1e-3
    slopes = {unit: other_slope(point, unit) for unit in [*SEVERAL, flipped]}
    assert not point.judged(*point.gradients(slopes)).agrees


@pytest.mark.parametrize("name", ["w1", "b1", "w2", "b2", "w3", "b3"])
def test_kinks_excuse_no_wrong_gradient(name: str) -> None:
    point = kinked(SEVERAL)
    loss, gradients = point.gradients({SEVERAL[0]: other_slope(point, SEVERAL[0])})
    gradients[name] = gradients[name] * np.float32(1.01)
    assert not point.judged(loss, gradients).agrees


def test_a_unit_that_is_on_only_on_its_kink_is_resolved() -> None:
    """Off in every other row, so torch's gradient of its weights is zero or one sample's."""
    unit: Unit = (1, 4, 2)
    point = kinked([unit])
    lowered = point.x.copy()
    w, b = point.parameters["w1"][:, 2], point.parameters["b1"][2]
    z = lowered @ w + b
    others = np.arange(len(lowered)) != 4
    lowered[others] -= np.outer((np.abs(z[others]) + 1 + z[others]), w / (w @ w))
    point = replace(point, x=lowered)
    for slope in (0.0, 0.5, 1.0):
        assert point.judged(*point.gradients({unit: slope})).agrees


def blank(dtype: str) -> Kinked:
    """Zero biases and two blank rows: z is exactly 0 in every unit of these rows."""
    point = kinked([], dtype=dtype)
    x = point.x.copy()
    x[[3, 6]] = 0
    biases = {name: 0 * array for name, array in point.parameters.items() if name[0] == "b"}
    return replace(point, x=x, parameters=point.parameters | biases)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("slope", [1.0, 0.5])
def test_a_convention_at_exactly_zero_is_one_slope_for_all_units(slope: float, dtype: str) -> None:
    point = blank(dtype)
    zeros: list[Unit] = [(1, row, unit) for row in (3, 6) for unit in range(6)]
    zeros += [(2, row, unit) for row in (3, 6) for unit in range(5)]
    examined = point.judged(*point.gradients(dict.fromkeys(zeros, slope)))
    assert examined.agrees
    assert found(examined) == set(zeros)
    for change in examined.slopes.change.values():
        np.testing.assert_allclose(change, slope)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_flip_that_stays_within_its_allowance_is_resolved_beyond_half_of_it(dtype: str) -> None:
    unit = (1, 4, 2)
    point = kinked([unit], (7, 6, 3), dtype=dtype)
    row = unit[1]
    p = manual_mlp.softmax(manual_mlp.forward(point.parameters, point.x)["logits"][[row]])[0]
    wrong = point.targets[row] - p
    for quieter in 2.0 ** np.arange(0, 60, 0.25):  # until the flip moves too little to be seen
        point.targets[row] = p + wrong / quieter
        loss, gradients = point.gradients({unit: other_slope(point, unit)})
        right = point.gradients({})[1]
        allowances = point.judged(loss, right).allowances.gradients
        ratio = max(float((np.abs(gradients[k] - right[k]) / allowances[k]).max()) for k in right)
        if 0.6 < ratio < 0.9:
            examined = point.judged(loss, gradients)
            assert found(examined) == {unit}
            assert max(one.worst.ratio for one in examined.comparisons.values()) <= 0.5
            return
    pytest.fail("no flip of this size was found")


def half_blank(dtype: str, rows: int = 40, units: int = 12) -> Kinked:
    """Half of the rows are blank and there are no biases: hundreds of units are exactly at 0."""
    point = kinked([], (9, units, 4), rows=rows, dtype=dtype)
    point.parameters["b1"][:] = 0
    point.x[: rows // 2] = 0
    return point


def ones_at_zero(point: Kinked) -> dict[Unit, float]:
    """The slope 1 at every unit whose z is exactly 0."""
    rows, units = np.nonzero(manual_mlp.forward(point.parameters, point.x)["z1"] == 0)
    return {(1, int(row), int(unit)): 1.0 for row, unit in zip(rows, units, strict=True)}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["w1", "b1"])
def test_units_that_no_rounding_moves_excuse_no_wrong_gradient(name: str, dtype: str) -> None:
    point = half_blank(dtype)
    for slopes in ({}, ones_at_zero(point)):
        loss, gradients = point.gradients(slopes)
        assert point.judged(loss, gradients).agrees
        gradients[name].flat[0] *= 1.01
        examined = point.judged(loss, gradients)
        assert not examined.agrees
        assert not examined.widened


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["w1", "b1", "b2"])
def test_no_rounding_moves_the_units_behind_a_blank_layer_either(name: str, dtype: str) -> None:
    point = kinked([], (200, 12, 10, 4), rows=40, dtype=dtype)
    for bias in ("b1", "b2"):
        point.parameters[bias][:] = 0
    point.x[:20] = 0
    loss, gradients = point.gradients({})
    assert point.judged(loss, gradients).agrees
    gradients[name].flat[0] *= 1.01
    examined = point.judged(loss, gradients)
    assert not examined.agrees
    assert not examined.widened


@pytest.mark.parametrize("slope", [1.0, 0.5])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_convention_at_blank_rows_and_a_flip_elsewhere_are_resolved_together(
    dtype: str, slope: float
) -> None:
    point = half_blank(dtype)
    row = len(point.x) - 1
    point.x[row] = moved_onto(point.parameters, point.x[row].astype(np.float64), (1, row, 3))
    flipped = 0.0 if point.z((1, row, 3)) > 0 else 1.0
    zeros = dict.fromkeys(ones_at_zero(point), slope)
    examined = point.judged(*point.gradients(zeros | {(1, row, 3): flipped}))
    assert examined.agrees
    assert not examined.widened


@pytest.mark.slow
@given(seed=st.integers(0, 10_000), dtype=st.sampled_from(DTYPES), data=st.data())
@settings(max_examples=60)
def test_random_flips_agree_and_only_they_are_named(
    seed: int, dtype: str, data: st.DataObject
) -> None:
    sizes = data.draw(st.sampled_from([(5, 6, 3), (4, 7, 5, 3), (6, 4, 5, 4, 3)]))
    rows = data.draw(st.permutations(range(9)))[: data.draw(st.integers(1, 3))]
    units: list[Unit] = []
    for row in rows:
        layer = data.draw(st.integers(1, len(sizes) - 2))
        units.append((layer, row, data.draw(st.integers(0, sizes[layer] - 1))))
    try:
        point = kinked(units, sizes, rows=9, dtype=dtype, seed=seed)
    except AssertionError:
        assume(False)
    flipped = {unit: other_slope(point, unit) for unit in units if abs(point.z(unit)) < 1e-6}
    examined = point.judged(*point.gradients(flipped))
    assert examined.agrees
    assert found(examined) <= set(flipped)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_a_layer_cannot_tell_apart_the_layers_below_decide(dtype: str) -> None:
    """One unit below, so z = 0 fixes its value: both kinks have the same column of dw2 and db2."""
    units: list[Unit] = [(2, 0, 1), (2, 3, 1), (2, 6, 1)]
    point = kinked([], (5, 1, 4, 3), dtype=dtype)
    w1, b1, w2 = (point.parameters[name].astype(np.float64) for name in ("w1", "b1", "w2"))
    point.parameters["b2"][1] = -0.7 * w2[0, 1]
    for _, row, _ in units:
        x = point.x[row].astype(np.float64)
        point.x[row] = x + (0.7 - x @ w1[:, 0] - b1[0]) * w1[:, 0] / (w1[:, 0] @ w1[:, 0])
    assert max(abs(point.z(unit)) for unit in units) < 1e-6
    for flipped in (units[:1], units[1:2], units[1:]):
        slopes = {unit: other_slope(point, unit) for unit in flipped}
        assert point.judged(*point.gradients(slopes)).agrees


def on_a_grid(seed: int, dtype: str) -> tuple[Kinked, Arrays, float]:
    """Multiples of 0.1, whose sums are 0 or nearly 0 depending on their order, and both orders."""
    generator = np.random.default_rng(seed)
    point = kinked([], (13, 2, 18, 4, 3), rows=132, dtype=dtype)
    arrays = {
        name: (generator.integers(-6, 7, size=array.shape) * 0.1).astype(dtype)
        for name, array in point.parameters.items()
    }
    x = (generator.integers(-4, 5, size=point.x.shape) * 0.1).astype(dtype)
    point = replace(point, parameters=arrays, x=x)
    other = generator.permutation(13)
    moved = arrays | {"w1": arrays["w1"][other]}
    loss, gradients = manual_mlp.loss_and_gradients(moved, x[:, other], point.targets)
    gradients["w1"] = gradients["w1"][np.argsort(other)]
    return point, gradients, loss


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_in_another_order_agree_on_a_grid_full_of_kinks(dtype: str) -> None:
    resolved = 0
    for seed in range(8):
        point, gradients, loss = on_a_grid(seed, dtype)
        examined = point.judged(loss, gradients)
        assert examined.agrees
        resolved += len(examined.slopes)
        wrong_above_every_kink = gradients | {"w4": gradients["w4"] * 1.01}
        assert not point.judged(loss, wrong_above_every_kink).agrees
    assert resolved > 0, "else this test shows nothing"


@pytest.mark.parametrize("dtype", DTYPES)
def test_past_some_dozens_the_allowance_is_widened_and_the_point_weak(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compare.checks.kink_fit.MOST_FITTED", 2)
    monkeypatch.setattr("compare.checks.kink_fit.MOST_RESOLVED", 2)
    units = [(4, 2), (11, 0), (7, 2)]
    result = run_with_flips(dtype, units, on=units)
    assert result.exit_code == 0, result.sentence
    assert any("too many units on a kink" in weak.reason for weak in result.weak)
    assert result.kinks == ()
    flipped_elsewhere = run_with_flips(dtype, [*units, (1, 1)], on=units)
    require_blame(flipped_elsewhere, "derivative", "dz1", "w1")


def on_kinks(experiment: Experiment, units: list[tuple[int, int]]) -> DataSet:
    """Small data whose training `row` lies on the kink of hidden `unit` before the first update."""
    data = small_data()
    w = draw_inputs(experiment, data).parameters["w1"].astype(np.float64)
    x = data.train.x.copy()
    for row, unit in units:
        x[row] -= (x[row] @ w[:, unit]) * w[:, unit] / (w[:, unit] @ w[:, unit])
    return replace(data, train=replace(data.train, x=x))


def flipping(manual: Manual, units: list[tuple[int, int]]) -> Manual:
    """The manual side with the other slope at these units, at the first update only."""

    def flipped(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        z = of_reference(parameters, x)["z1"]
        slopes = {(1, row, unit): float(z[row, unit] <= 0) for row, unit in units}
        return with_slopes(parameters, x, targets, slopes)

    return with_function(manual, flipped, at=0)


def run_with_flips(dtype: str, units: list[tuple[int, int]], on: list[tuple[int, int]]) -> Result:
    experiment = replace(SMALL, dtype=dtype)
    return side_by_side(
        experiment, on_kinks(experiment, on), manual=flipping(our_manual(experiment), units)
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", [[(4, 2)], [(4, 2), (11, 0), (7, 2)]])
def test_a_run_agrees_up_to_its_kinks(units: list[tuple[int, int]], dtype: str) -> None:
    result = run_with_flips(dtype, units, on=units)
    assert result.exit_code == 0, result.sentence
    several = "kinks" if len(units) > 1 else "kink"
    assert result.sentence.startswith(f"agrees up to {len(units)} {several}: ")
    assert {(kink.sample, kink.unit) for kink in result.kinks} == set(units)
    for kink in result.kinks:
        assert (kink.update, kink.epoch, kink.layer) == (0, 0, 1)
        assert abs(kink.z) < 1e-6 and kink.slope == pytest.approx(float(kink.z <= 0), abs=1e-3)


def test_the_sample_of_a_kink_is_a_row_of_the_training_set() -> None:
    experiment = replace(SMALL, batch_size=6, dtype="float32")
    data = small_data()
    row = int(draw_inputs(experiment, data).order[0][0][3])
    data = on_kinks(experiment, [(row, 2)])
    manual = flipping(our_manual(experiment), [(3, 2)])  # the fourth row of the first batch
    result = side_by_side(experiment, data, manual=manual)
    assert result.exit_code == 0, result.sentence
    assert [(kink.sample, kink.unit) for kink in result.kinks] == [(row, 2)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_run_with_a_flip_where_there_is_no_kink_disagrees(dtype: str) -> None:
    result = run_with_flips(dtype, [(4, 2), (11, 0)], on=[(4, 2)])
    require_blame(result, "derivative", "dz1", "w1")
    assert result.kinks == ()


@pytest.mark.parametrize("slope", [1.0, 0.5])
def test_a_convention_at_blank_rows_agrees_and_is_stated(slope: float) -> None:
    data = small_data()
    x = data.train.x.copy()
    x[[2, 9]] = 0

    def conventional(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        zeros = {(1, row, unit): slope for row in (2, 9) for unit in range(5)}
        return with_slopes(parameters, x, targets, zeros)

    manual = with_function(our_manual(SMALL), conventional, at=0)
    data = replace(data, train=replace(data.train, x=x))
    result = side_by_side(data=data, manual=manual)
    assert result.exit_code == 0, result.sentence
    assert len(result.kinks) == 10
    assert {(kink.z, kink.slope) for kink in result.kinks} == {(0.0, slope)}


def test_zero_is_no_convention_where_a_unit_below_may_be_on_its_other_side() -> None:
    """Rows 1 and 3 have nothing to add up in layer 2; in row 3 a unit of layer 1 is undecided."""
    parameters = {
        "w1": np.array([[1.0, 0.1], [0.0, 0.1]]),
        "b1": np.zeros(2),
        "w2": np.ones((2, 1)),
        "b2": np.zeros(1),
    }
    parameters |= {"w3": np.ones((1, 2)), "b3": np.zeros(2)}
    x, zeros = np.array([[1.0, 1.0], [0.0, 0.0], [1.0, 0.0], [-1.0, 1.1]]), np.zeros((4, 2))
    values = {"z1": x @ parameters["w1"], "h1": zeros, "z2": zeros[:, :1], "h2": zeros[:, :1]}
    nothing: Any = None  # apart asks for no allowance
    point = ReferencePoint(parameters, x, values, nothing, "relu")
    undecided = np.array([3]), np.array([1])
    exact, others = apart(point, {2: (np.array([1, 3]), np.array([0, 0])), 1: undecided})
    assert [place.tolist() for place in exact[2]] == [[1], [0]]
    assert [place.tolist() for place in others[2]] == [[3], [0]]
    assert [place.tolist() for place in others[1]] == [[3], [1]] and 1 not in exact


@pytest.mark.parametrize("dtype", DTYPES)
def test_slopes_in_between_are_one_for_all_kinks_and_never_one_for_each(dtype: str) -> None:
    point = kinked(SEVERAL, dtype=dtype)
    assert point.judged(*point.gradients(dict.fromkeys(SEVERAL, 0.3))).agrees
    each = dict(zip(SEVERAL, (0.3, 0.7, 0.2, 0.45, 0.6), strict=True))
    assert not point.judged(*point.gradients(each)).agrees
    two = {SEVERAL[0]: 0.3, SEVERAL[3]: 0.7}
    assert not point.judged(*point.gradients(two)).agrees


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_slope_in_between_at_some_kinks_and_the_other_side_at_others_agree(dtype: str) -> None:
    point = kinked(SEVERAL, dtype=dtype)
    mixed = {SEVERAL[0]: 0.3, SEVERAL[3]: 0.3, SEVERAL[1]: other_slope(point, SEVERAL[1])}
    examined = point.judged(*point.gradients(mixed))
    assert examined.agrees
    assert found(examined) == set(mixed)


WHOLE = np.array([[a, b] for a in range(-2, 3) for b in range(-2, 3)], dtype=float)
"""A grid of whole numbers: its sums round nothing, so z is exactly 0 at many units."""


def on_whole_numbers(seed: int, dtype: str) -> Kinked:
    """Is one input the other's sign, by three hidden units without biases."""
    generator = np.random.default_rng(seed)
    parameters: Arrays = {
        "w1": np.array([[1, 1, -1], [1, -1, 1]]),
        "b1": np.zeros(3),
        "w2": generator.normal(size=(3, 2)),
        "b2": generator.normal(size=2) / 10,
    }
    targets = np.eye(2)[(WHOLE[:, 0] * WHOLE[:, 1] > 0).astype(int)]
    arrays = {name: array.astype(dtype) for name, array in parameters.items()}
    return Kinked(arrays, WHOLE.astype(dtype), targets.astype(dtype), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("factor", [0.0, 0.9, 1.1])
@pytest.mark.parametrize(("name", "part"), [("b1", 0), ("b1", slice(None)), ("w1", (0, 1))])
def test_kinks_of_whole_numbers_excuse_no_bias_gradient_that_is_lost_or_scaled(
    name: str, part: Any, factor: float, seed: int, dtype: str
) -> None:
    point = on_whole_numbers(seed, dtype)
    for slopes in ({}, ones_at_zero(point)):
        loss, gradients = point.gradients(slopes)
        assert point.judged(loss, gradients).agrees
        gradients[name][part] *= factor
        examined = point.judged(loss, gradients)
        assert not examined.agrees and not examined.widened


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("slope", [1.0, 0.5, 0.3])
def test_whole_numbers_on_a_kink_have_one_convention(slope: float, dtype: str) -> None:
    point = on_whole_numbers(0, dtype)
    zeros = dict.fromkeys(ones_at_zero(point), slope)
    examined = point.judged(*point.gradients(zeros))
    assert examined.agrees
    assert found(examined) == set(zeros)
    some = dict(list(zeros.items())[:4])
    assert not point.judged(*point.gradients(some)).agrees


def relu6() -> ActivationRule:
    """min(max(z, 0), 6), with two kinks."""
    return ActivationRule(
        slope=lambda h: ((h > 0) & (h < 6)).astype(h.dtype),
        steepest=lambda h: 1.0,
        value=0.0,
        bend=None,
        steepest_bend=0.0,
        slope_rounding=0.0,
        kinks={0.0: (0.0, 1.0), 6.0: (1.0, 0.0)},
    )


def test_an_activation_with_two_kinks_takes_its_slopes_from_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(ACTIVATION_RULES, "relu6", relu6())
    generator = np.random.default_rng(0)
    w2 = generator.normal(size=(3, 2))
    z1 = np.array([[0.0, 6.0, 2.0], [-1.0, 7.0, 6.0]])
    h1, dlogits = np.clip(z1, 0, 6), generator.normal(size=(2, 2))
    dz1 = (dlogits @ w2.T) * ((h1 > 0) & (h1 < 6))
    values = {"z1": z1, "h1": h1, "logits": h1 @ w2, "dlogits": dlogits, "dz1": dz1}
    parameters = {"w1": np.eye(3), "b1": np.zeros(3), "w2": w2, "b2": np.zeros(2)}
    nothing: Any = None  # no allowance is asked for
    point = ReferencePoint(parameters, z1, values, nothing, "relu6")
    at = np.array([0, 0, 1]), np.array([0, 1, 2])
    assert [side.tolist() for side in one_sided(point, 1, *at)] == [[0, 0, 0], [1, 1, 1]]
    slopes = Units.of(point, {1: at}).slopes(np.array([1.0, 0.5, 0.0]))
    assert slopes.change[1].tolist() == [1.0, 0.5]  # the third keeps the slope it has
    changed = substituted(point, slopes)
    expected = dlogits @ w2.T * np.array([[1.0, 0.5, 1.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(changed["dz1"], expected)
    assert (relu6().slope(changed["h1"][0]) == 1).all()
    np.testing.assert_allclose(changed["h1"], h1, atol=1e-14)
