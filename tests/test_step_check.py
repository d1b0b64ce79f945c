"""The step check: a recorded transition must be one step of torch's optimiser, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

import manual_mlp
from compare.allowance import Arithmetic
from compare.checks.step import StepCheck
from compare.contracts.arrays import Arrays
from compare.contracts.records import Record
from manual_mlp import Record as Moment

pytestmark = pytest.mark.rounding

FORMS = ("velocity", "buffer")
DTYPES = ("float64", "float32")
HONEST = 0.5


@dataclass(frozen=True)
class Setting:
    """One update: how it is made, and how large its operands are."""

    form: str = "velocity"
    dtype: str = "float64"
    learning_rate: float = 0.1
    momentum: float = 0.9
    weights: float = 1.0
    gradients: float = 1.0
    velocities: float = 1.0
    seed: int = 0

    @property
    def check(self) -> StepCheck:
        return StepCheck(Arithmetic.of(self.dtype), self.learning_rate, self.momentum, self.form)

    def before(self) -> Moment:
        """A record with random arrays of the sizes asked for."""
        generator = np.random.default_rng(self.seed)

        def drawn(size: float, prefix: str = "") -> Arrays:
            shapes: dict[str, tuple[int, ...]] = {"w1": (5, 4), "b1": (4,)}
            return {
                prefix + name: (size * generator.normal(size=shape)).astype(self.dtype)
                for name, shape in shapes.items()
            }

        return Moment(
            update=0, epoch=0, batch=np.arange(3), loss=1.0, evaluation=None,
            parameters=drawn(self.weights), gradients=drawn(self.gradients),
            state=drawn(self.velocities, "v_"),
        )  # fmt: skip

    def after(self, before: Moment) -> Moment:
        """Our own step."""
        parameters, state = manual_mlp.OPTIMISERS[self.form](
            before.parameters, before.gradients, before.state,
            learning_rate=self.learning_rate, momentum=self.momentum,
        )  # fmt: skip
        return replace(before, update=1, parameters=parameters, state=state)


def ratios(setting: Setting, before: Record, after: Record) -> dict[str, float]:
    return {name: one.worst.ratio for name, one in setting.check(before, after).items()}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("momentum", [0.0, 0.9, 0.999])
def test_our_step_is_torchs_step(momentum: float, dtype: str, form: str) -> None:
    setting = Setting(form=form, dtype=dtype, momentum=momentum)
    before = setting.before()
    found = ratios(setting, before, setting.after(before))
    tensors = {"w1", "b1", "v_w1", "v_b1"}
    assert tensors <= set(found) <= tensors | {f"{name} projection" for name in tensors}
    assert max(found.values()) <= HONEST


SIZES = st.floats(-8, 8).map(lambda exponent: 10.0**exponent)


@given(
    form=st.sampled_from(FORMS),
    dtype=st.sampled_from(DTYPES),
    learning_rate=st.floats(-6, 1).map(lambda exponent: 10.0**exponent),
    momentum=st.sampled_from([0.0, 0.5, 0.9, 0.99, 0.999]),
    weights=SIZES,
    gradients=SIZES,
    velocities=st.one_of(st.just(0.0), SIZES),
    seed=st.integers(0, 1000),
)
def test_honest_steps_stay_below_half_the_allowance_at_any_scale(**drawn: Any) -> None:
    setting = Setting(**drawn)
    before = setting.before()
    assert max(ratios(setting, before, setting.after(before)).values()) <= HONEST


@given(
    form=st.sampled_from(FORMS),
    dtype=st.sampled_from(DTYPES),
    name=st.sampled_from(["w1", "b1", "v_w1", "v_b1"]),
    place=st.integers(0, 3),
    seed=st.integers(0, 1000),
)
def test_one_entry_a_little_off_is_found_and_named(
    form: str, dtype: str, name: str, place: int, seed: int
) -> None:
    setting = Setting(form=form, dtype=dtype, seed=seed)
    before = setting.before()
    after = setting.after(before)
    relative = 1e-13 if dtype == "float64" else 1e-4
    array = (after.state if name.startswith("v_") else after.parameters)[name]
    assume(abs(array.flat[place]) > 0.1)
    array.flat[place] *= 1 + relative
    found = setting.check(before, after)
    wrong = [key for key, one in found.items() if not one.agrees]
    assert wrong in ([name], [name, f"{name} projection"])
    assert found[name].worst.index == np.unravel_index(place, array.shape)


@pytest.mark.parametrize("dtype", DTYPES)
def test_cancellation_is_allowed_for_by_the_operands(dtype: str) -> None:
    """The new velocity is the small difference of two large numbers."""
    setting = Setting(dtype=dtype, form="buffer")
    before = setting.before()
    for name, gradient in before.gradients.items():
        before.state[f"v_{name}"][...] = -gradient / gradient.dtype.type(setting.momentum)
    after = setting.after(before)
    assert max(float(np.abs(v).max()) for v in after.state.values()) < 1e-5
    assert max(ratios(setting, before, after).values()) <= HONEST


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_flushed_to_zero_is_allowed_for(dtype: str) -> None:
    tiny = float(np.finfo(dtype).smallest_normal)
    setting = Setting(dtype=dtype, weights=0.0, gradients=tiny, velocities=0.0)
    before = setting.before()
    after = setting.after(before)
    flushed = {name: np.zeros_like(array) for name, array in after.parameters.items()}
    no_speed = {name: np.zeros_like(array) for name, array in after.state.items()}
    assert max(ratios(setting, before, after).values()) <= HONEST
    both = replace(after, parameters=flushed, state=no_speed)
    assert all(one.agrees for one in setting.check(before, both).values())


@pytest.mark.parametrize("form", FORMS)
def test_whether_the_gradient_is_right_is_not_asked(form: str) -> None:
    setting = Setting(form=form, gradients=1e3)
    before = setting.before()
    assert max(ratios(setting, before, setting.after(before)).values()) <= HONEST


def test_other_settings_are_another_step() -> None:
    setting = Setting()
    before = setting.before()
    after = setting.after(before)
    for other in (
        replace(setting, learning_rate=0.1 * (1 + 1e-12)),
        replace(setting, momentum=0.9 * (1 + 1e-12)),
        replace(setting, form="buffer"),
    ):
        found = other.check(before, after)
        assert not found["v_w1"].agrees or not found["w1"].agrees


def nan(array: NDArray[Any]) -> NDArray[Any]:
    return np.full_like(array, np.nan)


def test_nan_in_the_new_weights_is_the_manual_sides() -> None:
    setting = Setting()
    before = setting.before()
    after = setting.after(before)
    broken = replace(after, parameters=after.parameters | {"w1": nan(after.parameters["w1"])})
    found = setting.check(before, broken)["w1"]
    assert not found.agrees and not found.manual_finite and found.reference_finite


def test_nan_in_the_recorded_gradient_makes_the_replay_undecidable() -> None:
    setting = Setting()
    before = setting.before()
    broken = replace(before, gradients=before.gradients | {"w1": nan(before.gradients["w1"])})
    found = setting.check(broken, setting.after(broken))["w1"]
    assert not found.agrees and not found.decidable


def test_a_parameter_of_another_shape_is_an_error() -> None:
    setting = Setting()
    before = setting.before()
    after = setting.after(before)
    wrong = replace(after, parameters=after.parameters | {"b1": after.parameters["b1"][None]})
    with pytest.raises(ValueError, match=r"b1: manual is \(1, 4\) and reference is \(4,\)"):
        setting.check(before, wrong)
