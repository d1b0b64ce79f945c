"""The measurement of the judge's power: its points, its errors and its rules are what they say."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import manual_mlp
from benchmarks.power import peers, planted, tables
from benchmarks.power.__main__ import main
from benchmarks.power.case import Array, Arrays, Case, Setting, as_case, norm
from benchmarks.power.families import FAMILIES
from benchmarks.power.measures import OURS, RULES, Detection, Point, largest_missed
from benchmarks.power.ours import Judge, median_allowance
from benchmarks.power.planted import KINDS, SIZES, Pass, Planting, plantings
from benchmarks.power.population import ACTIVATIONS, draw
from benchmarks.power.population import KINDS as POINTS
from benchmarks.power.style import Style, in_style
from benchmarks.power.timing import network
from benchmarks.power.training import CONVERGED, along_a_run
from benchmarks.power.variants import VARIANTS
from benchmarks.power.ways import SORTED, WAYS
from compare.checks.swept import Swept
from compare.checks.weak import PROMISED

pytestmark = pytest.mark.slow

QUIET_SEED = "1"
"""A population whose first points are quickly measured."""


def small(dtype: str = "float64", activation: str = "relu") -> Case:
    """Return a point to which every kind of error applies."""
    case = network((6, 6, 5, 4), 20, dtype)
    parameters = {
        name: w + np.linspace(-0.3, 0.2, w.size).reshape(w.shape).astype(dtype)
        for name, w in case.parameters.items()
    }
    return replace(case, parameters=parameters, activation=activation)


def right(case: Case) -> Arrays:
    return manual_mlp.loss_and_gradients(
        case.parameters, case.x, case.targets,
        activation=case.activation, reduction=case.reduction,
    )[1]  # fmt: skip


def planted_in(case: Case) -> list[Planting]:
    return list(plantings(case, right(case), np.random.default_rng(0)))


def same(one: Case, other: Case) -> bool:
    pairs = zip(one.parameters.values(), other.parameters.values(), strict=True)
    return np.array_equal(one.x, other.x) and all(np.array_equal(a, b) for a, b in pairs)


def test_a_case_depends_on_seed_and_number_alone() -> None:
    for number in (0, 3, 7, 26):
        assert same(draw(0, number), draw(0, number))
        assert not same(draw(0, number), draw(1, number))


def test_the_population_covers_what_it_states() -> None:
    every = [draw(0, number) for number in range(600)]
    assert {case.kind for case in every} > set(POINTS) - set(FAMILIES)
    cases = [case for case in every if case.kind not in FAMILIES]
    assert {case.activation for case in cases} == set(ACTIVATIONS)
    assert {case.reduction for case in cases} == {"mean", "sum"}
    assert {case.dtype.name for case in cases} == set(PROMISED)
    assert {case.depth for case in cases} == {1, 2, 3, 4, 5}
    widths = [width for case in cases for width in case.sizes]
    assert min(widths) == 1 and 500 < max(widths) <= 512
    rows = [len(case.x) for case in cases]
    assert min(rows) == 1 and 2000 < max(rows) <= 2048
    assert any(len(np.unique(case.x, axis=0)) < len(case.x) > 1 for case in cases)
    scales = [float(np.abs(case.x).max()) for case in cases if case.kind == "scales"]
    assert min(scales) < 1e-4 and max(scales) > 1e4


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_draws_points_at_which_the_reference_is_finite(family: str) -> None:
    found = []
    for seed in range(3):
        setting = Setting("tanh", "mean", np.dtype(np.float64))
        with np.errstate(all="ignore"):
            drawn = FAMILIES[family](np.random.default_rng(seed), setting)
            case = as_case(family, drawn, setting)
            found.append(Judge.at(case).finite)
        assert case.targets.sum(axis=1) == pytest.approx(1)
    assert any(found)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", PROMISED)
def test_every_other_way_agrees_with_the_truth_up_to_rounding(way: str, dtype: str) -> None:
    case = small(dtype, "tanh")
    loss, gradients = exactly(case)
    rounding = 50 * float(np.finfo(dtype).eps)
    found, manual, _ = WAYS[way](case)
    assert found == pytest.approx(loss, rel=rounding)
    for key, gradient in gradients.items():
        assert manual[key].dtype == case.dtype
        peak = float(np.abs(gradient).max())
        np.testing.assert_allclose(
            manual[key], gradient.astype(np.float64), rtol=0, atol=rounding * peak
        )


def test_no_family_and_no_way_of_computing_knows_the_allowances() -> None:
    for name in ("families", "ways", "style", "networks"):
        assert "compare" not in (Path(tables.__file__).parent / f"{name}.py").read_text("utf-8")


def test_terms_sorted_on_purpose_may_take_all_of_an_allowance() -> None:
    assert {tables.most(way) for way in SORTED} == {1.0}
    assert {tables.most(way) for way in {*VARIANTS, *WAYS} - set(SORTED)} == {0.5}


def test_shares_of_the_kinds_of_points_add_up() -> None:
    assert sum(share for _, share in POINTS.values()) == pytest.approx(1)


def test_points_of_training_runs_reach_from_the_start_to_convergence() -> None:
    setting = Setting("tanh", "mean", np.dtype(np.float64))
    losses = []
    for seed in range(12):
        point = along_a_run(np.random.default_rng(seed), setting)
        losses.append(
            manual_mlp.evaluate(point.parameters, point.x, point.targets, activation="tanh")[0]
        )
    assert min(losses) < CONVERGED and max(losses) > 0.5


def exactly(case: Case) -> tuple[float, Arrays]:
    """Return loss and gradients in the widest format there is."""
    wide = case.of_format(np.longdouble)

    def head(logits: Array, targets: Array) -> tuple[Array, Array, Array]:
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return -(targets * log_p).sum(axis=1), np.exp(log_p), np.exp(log_p) - targets

    loss, gradients, _ = in_style(Style(head=head), wide)
    return loss, gradients


@pytest.mark.parametrize("dtype", PROMISED)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_every_variant_agrees_with_the_truth_up_to_rounding(
    dtype: str, activation: str, reduction: str
) -> None:
    case = replace(small(dtype, activation), reduction=reduction)
    loss, gradients = exactly(case)
    rounding = 50 * float(np.finfo(dtype).eps)
    for name, variant in VARIANTS.items():
        found, manual, shown = variant(case)
        assert found == pytest.approx(loss, rel=rounding), name
        for key, gradient in gradients.items():
            assert manual[key].dtype == case.dtype, name
            peak = float(np.abs(gradient).max())
            np.testing.assert_allclose(
                manual[key], gradient.astype(np.float64), rtol=0, atol=rounding * peak, err_msg=name
            )
        for key, value in shown.items():
            assert value.dtype == case.dtype, (name, key)


def test_every_kind_of_error_has_exactly_the_stated_relative_size() -> None:
    found = planted_in(small())
    assert [planting.kind for planting in found] == list(KINDS)
    for planting in found:
        tensor = planting.right[planting.tensor]
        for size in SIZES:
            assert norm(planting.error(size)) == pytest.approx(size * norm(tensor), rel=1e-12)
        moved = planting.planted(1e-3)
        assert norm(moved[planting.tensor] - tensor) == pytest.approx(1e-3 * norm(tensor))
        others = set(moved) - {planting.tensor}
        assert all(moved[name] is planting.right[name] for name in others)


def test_promised_sizes_are_planted() -> None:
    assert {*PROMISED.values(), 1e-3} <= set(SIZES)


def test_a_scale_error_is_a_factor() -> None:
    planting = planted_in(small())[0]
    tensor = planting.right[planting.tensor]
    np.testing.assert_allclose(planting.planted(0.1)[planting.tensor], 1.1 * tensor, rtol=1e-15)


def direction(kind: str, tensor: str) -> tuple[Arrays, np.ndarray]:
    """Return the right gradients of a small case, and D of one kind in one of them."""
    case = small()
    point = Pass.of(case, right(case))
    found = KINDS[kind](point, tensor, np.random.default_rng(0))
    assert found is not None
    return point.gradients, point.gradients[tensor] + found


def test_a_dropped_sample_is_a_right_gradient_of_the_others() -> None:
    case = small()
    _, wrong = direction("one sample", "w1")
    without = []
    for row in range(len(case.x)):
        x, targets = np.delete(case.x, row, axis=0), np.delete(case.targets, row, axis=0)
        others = right(replace(case, x=x, targets=targets, reduction="sum"))
        without.append(others["w1"] / len(case.x))
    assert any(np.allclose(wrong, gradient, rtol=1e-12, atol=1e-15) for gradient in without)


def test_a_dropped_class_leaves_a_column_of_the_last_layer_empty() -> None:
    gradients, wrong = direction("one class", "w3")
    empty = ~wrong.any(axis=0)
    assert empty.sum() == 1
    np.testing.assert_allclose(wrong[:, ~empty], gradients["w3"][:, ~empty])


def test_a_missing_mask_changes_one_unit_by_what_the_mask_removes() -> None:
    case = small()
    _, _, shown = manual_mlp.loss_and_gradients(
        case.parameters, case.x, case.targets, intermediates=True
    )
    gradients, wrong = direction("missing mask", "w2")
    (unit,) = np.flatnonzero((wrong != gradients["w2"]).any(axis=0))
    np.testing.assert_allclose(wrong[:, unit], shown["h1"].T @ shown["dh2"][:, unit])


def test_a_kind_that_makes_no_difference_is_not_planted() -> None:
    case = network((3, 2), 1, "float64")
    kinds = [planting.kind for planting in planted_in(case)]
    assert kinds == ["scale", "sign", "one row", "one column", "one entry", "one class"]


@pytest.mark.parametrize("rule", peers.RULES)
@pytest.mark.parametrize("dtype", PROMISED)
def test_every_peer_accepts_equal_and_rejects_grossly_wrong_gradients(
    rule: str, dtype: str
) -> None:
    gradients = right(small(dtype))
    doubled = {name: 2 * gradient for name, gradient in gradients.items()}
    assert peers.RULES[rule](gradients, gradients)
    assert not peers.RULES[rule](doubled, gradients)


def test_gradcheck_accepts_the_right_backward_pass_and_rejects_a_doubled_one() -> None:
    case = small()
    gradients = right(case)
    assert peers.gradcheck(case, gradients)
    assert not peers.gradcheck(case, {name: 2 * g for name, g in gradients.items()})


def test_the_largest_missed_size_is_the_first_accepted_from_above() -> None:
    planting = planted_in(small())[0]
    tensor, size = planting.right[planting.tensor], norm(planting.right[planting.tensor])

    def off(gradients: Arrays) -> float:
        return norm(gradients[planting.tensor] - tensor) / size

    rules = {
        "blind": lambda gradients: True,
        "sharp": lambda gradients: False,
        "above 2e-5": lambda gradients: off(gradients) < 2e-5,
        "odd": lambda gradients: 0.05 < off(gradients) < 0.5,
    }
    expected = {"blind": 1.0, "sharp": 0.0, "above 2e-5": 1e-5, "odd": 0.1}
    assert largest_missed(planting, rules) == expected


@pytest.mark.parametrize("dtype", PROMISED)
def test_what_is_called_guaranteed_is_detected(dtype: str) -> None:
    case = small(dtype)
    judge = Judge.at(case)
    power = judge.power()
    for planting in planted_in(case):
        size = power[planting.tensor].of(planting.kind)
        assert not power[planting.tensor].weak
        assert not judge.hold(planting.planted(size)).agrees


def test_a_gradient_of_zeros_is_weak() -> None:
    case = small()
    dead = {**case.parameters, "b1": np.full_like(case.parameters["b1"], -1e3)}
    power = Judge.at(replace(case, parameters=dead)).power()
    assert power["w1"].weak and not power["b3"].weak


def test_an_allowance_that_is_not_a_number_allows_everything() -> None:
    entries = np.ones(3)
    assert median_allowance(entries, np.full(3, np.nan)) == np.inf
    assert median_allowance(entries, np.full(3, 2.0**-53)) == 1.0
    assert median_allowance(np.zeros(3), entries) is None


def finding(
    missed: float, *, weak: bool = False, widened: bool = False, ratio: float = 0.1
) -> list[str]:
    """Return what falls short at one point with one honest ratio and one planted error."""
    rejected = dict.fromkeys(RULES, (0, 1))
    detection = Detection("one row", "w1", weak, widened, {OURS: missed})
    honest = {"as shipped": (ratio, "dw1")}
    point = Point(7, "3-2 tanh", "hard", "float32", honest, rejected, {}, [detection])
    return list(tables.failures([point]))


def test_a_missed_error_of_a_promised_size_is_a_failure_unless_the_tensor_is_weak() -> None:
    assert finding(1e-4) == []
    assert finding(1e-3, weak=True) == [] == finding(1e-3, widened=True)
    (failure,) = finding(1e-3)
    assert failure == "missed: one row of 0.001 in dw1; case 7, hard, float32, 3-2 tanh"


def test_an_honest_ratio_above_one_half_is_a_failure() -> None:
    assert "above 0.5: as shipped, dw1 at 0.6" in finding(0.0, ratio=0.6)[0]
    assert "accused: as shipped, dw1 at 1.2" in finding(0.0, ratio=1.2)[0]
    assert "accused" in finding(0.0, ratio=np.nan)[0]


def test_comparing_nothing_is_a_failure() -> None:
    assert list(tables.failures([])) == ["nothing was compared"]


def command(folder: Path) -> list[str]:
    """Return a run of two points in this process."""
    report = str(folder / "power.json")
    return ["--quick", "--points", "2", "--jobs", "1", "--seed", QUIET_SEED, "--json", report]


def test_the_quick_command_prints_tables_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(tmp_path)) == 0
    printed = capsys.readouterr().out
    assert "not reached" not in printed
    assert all(f"| {rule} |" in printed for rule in RULES)
    written = json.loads((tmp_path / "power.json").read_text("utf-8"))
    assert len(written["points"]) == 2
    assert {"numpy", "torch", "processor"} <= set(written["machine"])
    assert all(times[OURS] > 0 for times in written["time"].values())


def test_the_command_fails_when_allowances_are_too_small(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compare.allowance.arithmetic.LAMBDA", 0.1)
    monkeypatch.setattr("benchmarks.power.timing.in_reference_gradients", lambda quick: {})
    assert main(command(tmp_path)) == 1
    assert "not reached: accused" in capsys.readouterr().out


def test_the_norm_neither_overflows_nor_vanishes() -> None:
    for scale in (1e-300, 1.0, 1e300):
        assert norm(np.array([3.0, -4.0]) * scale) == pytest.approx(5 * scale)
    assert norm(np.zeros(3)) == 0


def test_planted_errors_are_rounded_to_the_format() -> None:
    planting = planted_in(small("float32"))[0]
    assert planting.planted(1e-3)[planting.tensor].dtype == np.float32
    assert planted.SIZES[0] == 1.0


def test_a_batch_of_many_blocks_is_measured_with_its_intermediates() -> None:
    case = draw(0, 118)
    judge = Judge.at(case)
    assert isinstance(judge.expected.point.values, Swept), "else this test shows nothing"
    loss, gradients, shown = VARIANTS["as shipped"](case)
    assert judge.worst(judge.hold(gradients, loss), shown)[0] <= 0.5
    wrong = shown | {"z2": shown["z2"] + 1e-3}
    assert judge.worst(judge.hold(gradients, loss), wrong) > (1, "")
