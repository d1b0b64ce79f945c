"""What the step check sees of a whole update, and which updates it calls weak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

import manual_mlp
from compare import Experiment, check, run_training
from compare.allowance import LAMBDA, Arithmetic
from compare.checks.step import StepCheck
from compare.checks.step_power import StepPower
from compare.checks.step_projection import alike_entries
from compare.checks.weak import PROMISED
from manual_mlp import Record

pytestmark = pytest.mark.rounding

Array = NDArray[Any]
DTYPES = ("float64", "float32")
FORMS = ("velocity", "buffer")
U = {name: float(np.finfo(name).eps) / 2 for name in DTYPES}
WIDE = {"float64": np.longdouble, "float32": np.float64}
RATE, MOMENTUM = 0.1, 0.9


def drawn(dtype: str, shape: tuple[int, ...] = (9, 7), seed: int = 0, **sizes: float) -> Record:
    """A record before an update, with random arrays of the sizes asked for."""
    generator = np.random.default_rng(seed)
    w, dw, v = (
        (sizes.get(name, 1.0) * generator.normal(size=shape)).astype(dtype)
        for name in ("w", "dw", "v")
    )
    return of_arrays(w, dw, v)


def of_arrays(w: Array, dw: Array, v: Array) -> Record:
    return Record(
        update=0, epoch=0, batch=np.arange(3), loss=1.0, evaluation=None,
        parameters={"w1": w}, gradients={"w1": dw}, state={"v_w1": v},
    )  # fmt: skip


def step_check(dtype: str, form: str) -> StepCheck:
    return StepCheck(Arithmetic.of(dtype), RATE, MOMENTUM, form)


def updated(
    before: Record,
    form: str,
    *,
    gradient: float = 1.0,
    momentum: float = 1.0,
    velocity: float = 1.0,
    change: float = 1.0,
) -> Record:
    """The update in the next precision, each factor times an error, rounded once at the end."""
    w, dw, v = before.parameters["w1"], before.gradients["w1"], before.state["v_w1"]
    wide = WIDE[str(w.dtype)]
    into_v, into_w = (RATE, 1.0) if form == "velocity" else (1.0, RATE)
    new = v.astype(wide) * wide(MOMENTUM) * wide(momentum)
    new += dw.astype(wide) * wide(into_v) * wide(gradient)
    moved = w.astype(wide) - new * wide(into_w) * wide(change)
    new *= wide(velocity)
    return replace(
        before,
        update=1,
        parameters={"w1": moved.astype(w.dtype)},
        state={"v_w1": new.astype(w.dtype)},
    )


def agrees(checked: StepCheck, before: Record, after: Record) -> bool:
    return all(one.agrees for one in checked(before, after).values())


def weak_factors(checked: StepCheck, before: Record, dtype: str) -> set[str]:
    power = StepPower(dtype)
    checked(before, before, power)
    return {factor.removeprefix("no ") for factor, _ in power.short}


SIZES = st.floats(-5, 5).map(lambda exponent: 10.0**exponent)
FACTORS = ("gradient", "momentum", "velocity", "change")


@given(
    form=st.sampled_from(FORMS), dtype=st.sampled_from(DTYPES), factor=st.sampled_from(FACTORS),
    w=SIZES, dw=SIZES, v=st.one_of(st.just(0.0), SIZES), sign=st.sampled_from([-1, 1]),
    rows=st.sampled_from([1, 7, 300]), seed=st.integers(0, 1000),
)  # fmt: skip
def test_an_error_of_the_promised_size_is_seen_in_every_factor_that_is_not_weak(
    form: str, dtype: str, factor: str, sign: int, rows: int, seed: int, **sizes: float
) -> None:
    checked, before = step_check(dtype, form), drawn(dtype, (rows, 5), seed, **sizes)
    assume(factor not in weak_factors(checked, before, dtype))
    wrong = {factor: 1 + sign * PROMISED[dtype]}
    assert not agrees(checked, before, updated(before, form, **wrong))


def by_hand(before: Record, dtype: str) -> float:
    """The projection's allowance where weights are large: lambda sqrt(4) u |w|, in squares."""
    w = before.parameters["w1"].astype(float)
    d = RATE * before.gradients["w1"].astype(float)
    return float(2 * LAMBDA * U[dtype] * np.sqrt(np.sum((w * d) ** 2)) / np.sum(d**2))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [9, 400])
def test_a_change_that_just_shows_the_promised_error_is_not_weak_and_shows_it(
    rows: int, dtype: str, form: str
) -> None:
    """It needs 3/4 of what may be needed: with allowances twice as wide it is weak, and unseen."""
    generator, shape = np.random.default_rng(0), (rows, 7)
    w, dw = generator.uniform(1, 2, (2, *shape)) * generator.choice([-1, 1], (2, *shape))
    w, dw, v = w.astype(dtype), 1e-3 * dw, np.zeros(shape, dtype)
    dw *= 1.5 * by_hand(of_arrays(w, dw, v), dtype) / (0.75 * PROMISED[dtype])
    before = of_arrays(w, dw.astype(dtype), v)
    checked = step_check(dtype, form)
    assert weak_factors(checked, before, dtype) == {"momentum"}
    assert not agrees(checked, before, updated(before, form, change=1 + PROMISED[dtype]))
    less = of_arrays(w, (dw / 2).astype(dtype), v)
    assert weak_factors(checked, less, dtype) == {"momentum", "change"}


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_projection_of_a_change_is_allowed_what_its_roundings_come_to(dtype: str) -> None:
    before = drawn(dtype, (40, 30), dw=1e-2, v=0.0)
    wrong = updated(before, "velocity", change=1 + PROMISED[dtype])
    found = step_check(dtype, "velocity")(before, wrong)["w1 projection"]
    assert found.worst.allowance == pytest.approx(by_hand(before, dtype), rel=0.02)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_rate_that_no_entry_shows_is_seen_by_the_projection(dtype: str, form: str) -> None:
    """u times 4 are the shared roundings of rate and momentum; those of 60,000 entries cancel."""
    before = drawn(dtype, (300, 200))
    shift = 1 + 6 * U[dtype]
    found = step_check(dtype, form)(before, updated(before, form, velocity=shift))
    assert found["v_w1"].agrees and not found["v_w1 projection"].agrees


def seldom_different(generator: np.random.Generator, rows: int) -> Array:
    """A column of its own per row, the same in every column: units that started equal."""
    return np.tile(generator.normal(size=(rows, 1)), (1, 60))


DRAWN: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "normal": lambda g, rows: g.normal(size=(rows, 60)),
    "constant": lambda g, rows: np.full((rows, 60), float(g.normal())),
    "equal units": seldom_different,
    "whole numbers": lambda g, rows: g.integers(-3, 4, size=(rows, 60)).astype(float),
    "mostly zeros": lambda g, rows: g.normal(size=(rows, 60)) * (g.random((rows, 60)) < 0.05),
    "one sign": lambda g, rows: g.random((rows, 60)),
}


@given(
    kinds=st.tuples(*[st.sampled_from(sorted(DRAWN))] * 3), rows=st.sampled_from([1, 20, 200]),
    form=st.sampled_from(FORMS), dtype=st.sampled_from(DTYPES), seed=st.integers(0, 10_000),
    sizes=st.tuples(*[st.floats(-4, 2).map(lambda exponent: 10.0**exponent)] * 3),
)  # fmt: skip
def test_right_updates_of_structured_arrays_stay_below_half_of_every_allowance(
    kinds: tuple[str, ...], sizes: tuple[float, ...], rows: int, form: str, dtype: str, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    arrays = [
        (size * DRAWN[kind](generator, rows)).astype(dtype)
        for kind, size in zip(kinds, sizes, strict=True)
    ]
    before, checked = of_arrays(*arrays), step_check(dtype, form)
    parameters, state = manual_mlp.OPTIMISERS[form](
        before.parameters, before.gradients, before.state,
        learning_rate=RATE, momentum=MOMENTUM,
    )  # fmt: skip
    for after in (
        replace(before, parameters=parameters, state=state),
        updated(before, form),
    ):
        assert max(one.ratio for one in checked(before, after).values()) <= 0.5


def test_equal_entries_are_counted() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 30_000))
    ones = np.ones(30_000)
    assert alike_entries(ones, a, b) == 1
    assert alike_entries(ones, ones, -ones) == 30_000
    assert alike_entries(a > 0, ones, ones) == pytest.approx(15_000, rel=0.2)
    grouped = np.tile(generator.normal(size=100), 300)
    assert alike_entries(ones, grouped, grouped) == pytest.approx(300, rel=0.5)


def of_run(**wanted: Any) -> dict[str | None, list[str]]:
    experiment = Experiment(**{"epochs": 6, "threads": 1, "hidden": (8,), **wanted})
    found: dict[str | None, list[str]] = {}
    for weak in run_training(experiment).weak:
        if weak.check == "step":
            found.setdefault(weak.parameter, []).append(weak.reason)
    return found


def test_the_first_update_of_a_run_has_no_momentum_to_show() -> None:
    reason = "at 1 of 6 updates every velocity was zero before, so no wrong momentum could show"
    assert of_run() == {None: [reason]}
    assert of_run(momentum=0.0) == {}


@pytest.mark.parametrize("dtype", DTYPES)
def test_updates_below_the_last_digit_of_the_weights_are_weak(dtype: str) -> None:
    rate = {"float64": 1e-18, "float32": 1e-10}[dtype]
    found = of_run(dtype=dtype, learning_rate=rate)
    assert any("could have been missed" in why or "did not change" in why for why in found["w1"])


def test_a_gradient_of_zeros_shows_no_learning_rate() -> None:
    zeros = np.zeros((3, 4))
    checked, power = step_check("float64", "velocity"), StepPower("float64")
    before = of_arrays(np.ones((3, 4)), zeros, zeros)
    checked(before, before, power)
    assert [weak.reason for weak in power.weak()] == [
        "at 1 of 1 updates dw1 was zero everywhere, so no wrong learning rate could show",
        "at 1 of 1 updates v_w1 was zero everywhere before, so no wrong momentum could show",
    ]


def test_a_step_that_is_checked_from_a_drawn_state_has_no_weak_update() -> None:
    step = partial(manual_mlp.OPTIMISERS["velocity"])
    result = check(manual_mlp.loss_and_gradients, step=step)
    assert [weak for weak in result.weak if weak.check == "step"] == []
    assert "w1 projection" in result.worst
