"""Allowances and promises held from above: each test fails if one becomes twice as wide.

That honest numbers stay below half an allowance holds just as well of one that is ten times too
wide. So here stand sizes from outside the code: measured ones, and formulas worked out by hand.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

import manual_mlp
from compare.allowance import LAMBDA, Arithmetic
from compare.checks.comparison import HONEST, most_spread
from compare.checks.control import negative_control
from compare.checks.examined import Expected
from compare.checks.reported import compare_reported
from compare.checks.same_point import SamePoint
from compare.checks.step import StepCheck
from compare.checks.weak import PROMISED, PROMISED_OF_ANY_SHAPE, Power
from compare.contracts.arrays import Arrays
from tests.kinked import kinked
from torch_reference import Reference

pytestmark = pytest.mark.rounding

DTYPES = ("float64", "float32")
U = {name: float(np.finfo(name).eps) / 2 for name in DTYPES}
MEASURED = {
    ("relu", (7, 6, 5, 3), 11): {
        "w1": 64.2, "b1": 61.0, "w2": 53.8, "b2": 50.4, "w3": 68.5, "b3": 60.6, "loss": 51.0,
    },
    ("tanh", (7, 6, 5, 3), 11): {
        "w1": 102.6, "b1": 71.7, "w2": 82.6, "b2": 77.9, "w3": 65.3, "b3": 63.1, "loss": 45.5,
    },
    ("relu", (64, 48, 10), 100): {
        "w1": 239.0, "b1": 128.6, "w2": 131.7, "b2": 105.6, "loss": 57.6,
    },
    ("tanh", (64, 48, 10), 100): {
        "w1": 273.2, "b1": 218.3, "w2": 227.0, "b2": 152.4, "loss": 56.6,
    },
}  # fmt: skip
"""||allowance|| / ||gradient|| in u, the median of five points, the same in both formats."""
CLOSELY = 1.6
"""By how much these may grow before somebody has to say why."""


def at_point(activation: str, sizes: tuple[int, ...], rows: int, dtype: str, seed: int) -> Expected:
    point = kinked([], sizes, rows=rows, dtype=dtype, seed=seed)
    reference = Reference(sizes, activation=activation, dtype=dtype)
    check = SamePoint(reference, Arithmetic.of(dtype), activation, "mean")
    return check.expect(point.parameters, point.x, point.targets)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("setting", MEASURED, ids=str)
def test_the_allowance_of_a_point_is_no_wider_than_measured(
    setting: tuple[str, tuple[int, ...], int], dtype: str
) -> None:
    relative: dict[str, list[float]] = {}
    for seed in range(5):
        expected = at_point(*setting, dtype, seed)
        allowances = expected.point.allowances
        for name, gradient in expected.gradients.items():
            size = float(np.linalg.norm(gradient.astype(np.float64)))
            allowed = float(np.linalg.norm(allowances.gradients[name]))
            relative.setdefault(name, []).append(allowed / size / U[dtype])
        share = allowances.forward.loss / abs(expected.loss) / U[dtype]
        relative.setdefault("loss", []).append(share)
    for name, measured in MEASURED[setting].items():
        assert np.median(relative[name]) <= CLOSELY * measured, name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["w1", "b1", "w2", "b2"])
def test_a_row_that_is_wrong_by_twice_the_measured_allowance_is_seen(name: str, dtype: str) -> None:
    """In the largest entry, of which the allowance is the smallest share."""
    setting = ("relu", (64, 48, 10), 100)
    expected = at_point(*setting, dtype, 0)
    gradients = {k: g.astype(np.float64) for k, g in expected.gradients.items()}
    largest = int(np.abs(gradients[name]).argmax())
    gradients[name].flat[largest] *= 1 + 2 * MEASURED[setting][name] * U[dtype]
    check = SamePoint(Reference(setting[1], dtype=dtype), Arithmetic.of(dtype), "relu", "mean")
    assert not check.hold(expected, expected.loss, gradients).agrees


def transition(dtype: str, form: str, **sizes: float) -> tuple[StepCheck, manual_mlp.Record]:
    """A step check at rate 1/8 and momentum 3/4, which round nothing, and a record before it."""
    generator = np.random.default_rng(0)

    def drawn(size: float) -> Arrays:
        return {"w1": (size * generator.normal(size=(9, 7))).astype(dtype)}

    before = manual_mlp.Record(
        update=0, epoch=0, batch=np.arange(3), loss=1.0, evaluation=None,
        parameters=drawn(sizes.get("w", 0.0)),
        gradients=drawn(sizes.get("dw", 0.0)),
        state={"v_w1": drawn(sizes.get("v", 0.0))["w1"]},
    )  # fmt: skip
    return StepCheck(Arithmetic.of(dtype), 0.125, 0.75, form), before


def stepped(before: manual_mlp.Record, form: str) -> manual_mlp.Record:
    parameters, state = manual_mlp.OPTIMISERS[form](
        before.parameters, before.gradients, before.state, learning_rate=0.125, momentum=0.75
    )
    return replace(before, update=1, parameters=parameters, state=state)


ROUNDINGS = {"w": ("w1", 4.0, 1.0), "dw": ("v_w1", 7.0, 0.125), "v": ("v_w1", 7.0, 0.75)}
"""The only operand that is not zero: what it ends in, its roundings, and its factor there."""


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", ["velocity", "buffer"])
@pytest.mark.parametrize("operand", ROUNDINGS)
def test_one_entry_of_a_step_that_is_off_by_more_than_its_roundings_is_seen(
    operand: str, form: str, dtype: str
) -> None:
    """By hand: n roundings of u allow lambda sqrt(n) u of the operand; 1.8 times that is wrong."""
    ends_in, roundings, factor = ROUNDINGS[operand]
    if form == "buffer" and operand == "dw":
        factor = 1.0
    check, before = transition(dtype, form, **{operand: 1.0})
    after = stepped(before, form)
    assert all(one.agrees for one in check(before, after).values())
    operands = {"w": before.parameters, "dw": before.gradients, "v": {"w1": before.state["v_w1"]}}
    size = factor * np.abs(operands[operand]["w1"][3, 2])
    table = after.state if ends_in == "v_w1" else after.parameters
    wrong = table[ends_in].astype(np.float64)
    wrong[3, 2] += 1.8 * LAMBDA * np.sqrt(roundings) * U[dtype] * size
    if ends_in == "v_w1":
        spoilt = replace(after, state={ends_in: wrong})
    else:
        spoilt = replace(after, parameters={ends_in: wrong})
    compared = check(before, spoilt)[ends_in]
    assert not compared.agrees and compared.worst.index == (3, 2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_point_of_a_curve_is_wrong_by_one_sample_or_twice_the_measured_loss(dtype: str) -> None:
    setting = ("relu", (64, 48, 10), 100)
    expected = at_point(*setting, dtype, 0)
    forward = expected.point.allowances.forward
    assert forward.ambiguous == 0, "else this test shows nothing"

    def reported(loss: float, accuracy: float) -> tuple[bool, bool]:
        found = compare_reported(loss, accuracy, expected.loss, 0.5, forward, 100)
        return found.loss.agrees, found.accuracy.agrees

    assert reported(expected.loss, 0.5) == (True, True)
    assert reported(expected.loss, 0.5 + 0.9 / 100) == (True, False)
    away = 2 * MEASURED[setting]["loss"] * U[dtype]
    assert reported(expected.loss * (1 + away), 0.5) == (False, True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_point_is_weak_just_above_the_promise(dtype: str) -> None:
    promised = {"float64": 1e-12, "float32": 1e-4}[dtype]
    for size, weak in ((0.9 * promised, False), (1.1 * promised, True)):
        gradient = np.ones((3, 2))
        allowed = mock.Mock(
            gradients={"w1": size / 1.5 * gradient}, projections={"w1": np.inf},
            lengths={"w1": 0.0},
        )  # fmt: skip
        power = Power(dtype)
        power.see({"w1": gradient}, allowed, 0, 0)
        assert (power.powerless() == ["w1"]) is weak


def test_a_point_is_weak_just_above_the_promise_for_errors_of_any_shape() -> None:
    for size, weak in ((0.9e-3, False), (1.1e-3, True)):
        gradient = np.ones((3, 2))
        allowed = mock.Mock(
            gradients={"w1": 1e-13 * gradient}, projections={"w1": np.inf},
            lengths={"w1": size / 1.5 * float(np.linalg.norm(gradient))},
        )  # fmt: skip
        power = Power("float64")
        power.see({"w1": gradient}, allowed, 0, 0)
        assert (power.powerless() == ["w1"]) is weak


def test_the_promises_are_those_that_are_published() -> None:
    page = (Path(__file__).parent.parent / "docs" / "verdict.md").read_text(encoding="utf-8")
    published = re.search(r"\((1e-\d+) in float64, (1e-\d+) in float32\)", page)
    assert published is not None
    assert PROMISED == {"float64": float(published[1]), "float32": float(published[2])}
    assert PROMISED_OF_ANY_SHAPE == 1e-3 and "of a thousandth of the gradient" in " ".join(
        page.split()
    )


@pytest.mark.parametrize(("too_wide", "caught"), [(1.0, False), (90.0, False), (110.0, True)])
def test_the_control_shows_an_entry_off_by_a_hundred_allowances(
    too_wide: float, caught: bool
) -> None:
    right = {"w1": np.linspace(1, 2, 6).reshape(2, 3)}
    allowances = {"w1": np.full((2, 3), 1e-6)}

    def accepts(gradients: Arrays) -> bool:
        return bool((np.abs(gradients["w1"] - right["w1"]) <= too_wide * 1e-6).all())

    accepted = negative_control(accepts, right, allowances).accepted
    assert accepted == (("dw1 with one entry off by 100 × allowance",) if caught else ())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["w1", "b1", "w2"])
def test_an_error_spread_over_all_entries_is_seen_below_their_allowances(
    name: str, dtype: str
) -> None:
    """Every entry is off by 0.7 of its allowance with a random sign: no entry alone is wrong."""
    sizes = (64, 48, 40)
    expected = at_point("relu", sizes, 100, dtype, 0)
    allowance = expected.point.allowances.gradients[name]
    generator = np.random.default_rng(0)
    gradients = {k: g.astype(np.float64) for k, g in expected.gradients.items()}
    check = SamePoint(Reference(sizes, dtype=dtype), Arithmetic.of(dtype), "relu", "mean")
    for part, agrees in ((0.2, True), (0.7, False)):
        signs = generator.choice([-1.0, 1.0], size=allowance.shape)
        wrong = expected.gradients[name] + part * allowance * signs
        one = check.hold(expected, expected.loss, gradients | {name: wrong}).gradients[name]
        assert one.worst.ratio < 1 and one.agrees is agrees
        assert one.spread == pytest.approx(part, rel=0.01)


@pytest.mark.parametrize(
    ("independent", "most"), [(1, 1.0), (4, 0.7), (9, 0.5333), (25, 0.5), (10_000, 0.5)]
)
def test_what_rounding_may_make_of_all_entries_together(independent: int, most: float) -> None:
    assert most_spread(independent) == pytest.approx(most, rel=1e-3)


def alike_logits(dtype: str, rows: int, seed: int) -> tuple[Arrays, np.ndarray, np.ndarray]:
    """Every sample fitted with a margin of 20; logits near 3,000, apart by some last digits."""
    generator = np.random.default_rng(seed)
    x = 1 + generator.random((rows, 4))
    w = 300 * 3000 * np.finfo(dtype).eps * generator.normal(size=(4, 16))
    b = 3000 - 20.0 * np.minimum(np.arange(16), 1) + generator.random(16)
    parameters = {"w1": w.astype(dtype), "b1": b.astype(dtype)}
    return parameters, x.astype(dtype), np.tile(np.eye(16, dtype=dtype)[:1], (rows, 1))


def test_right_code_may_err_by_nearly_half_of_its_allowance_in_every_entry_at_once() -> None:
    """What forbids `most_spread` to be less than `HONEST`: torch's own derivative of logsumexp.

    Its lse is rounded one way in all samples, and that multiplies all p of all of them alike.
    """
    parameters, x, targets = alike_logits("float64", 20_000, 0)
    w, b = (torch.from_numpy(parameters[name]).requires_grad_() for name in ("w1", "b1"))
    z = torch.from_numpy(x) @ w + b
    loss = (torch.logsumexp(z, 1) - z[:, 0]).mean()
    found = dict(zip(("w1", "b1"), torch.autograd.grad(loss, [w, b]), strict=True))
    reference = Reference((4, 16))
    check = SamePoint(reference, Arithmetic.of("float64"), "relu", "mean")
    examined = check(
        parameters, x, targets, loss.item(), {name: g.numpy() for name, g in found.items()}
    )
    one = examined.gradients["w1"]
    assert one.agrees and 0.4 < one.spread < HONEST == one.most_spread


def test_independent_errors_of_lambda_deviations_stay_below_what_all_may_be() -> None:
    """The bound by drawing: allowances are exactly lambda deviations wide, the worst there are."""
    generator = np.random.default_rng(0)
    for units in (4, 25, 100):
        ratios = generator.normal(size=(20_000, units)) / LAMBDA
        spread = np.sqrt(np.mean(ratios**2, axis=1))
        assert (spread <= most_spread(units)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", ["velocity", "buffer"])
def test_a_rate_that_is_off_within_the_allowance_of_every_entry_is_seen(
    form: str, dtype: str
) -> None:
    check, before = transition(dtype, form, dw=1.0, w=1e-3)
    after = stepped(before, form)
    wide = after.state["v_w1"].astype(np.float64)
    compared = check(before, replace(after, state={"v_w1": wide * (1 + 9 * U[dtype])}))["v_w1"]
    assert compared.worst.ratio < 1 and not compared.agrees
