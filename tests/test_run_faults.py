"""Planted faults in the manual side's functions: each is found, at its place, and blamed alone.

Faults in what a side was given, in what it reports, and in the torch side are in
`test_run_records.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

import manual_mlp
from compare import Experiment, Manual
from compare.contracts.arrays import Arrays
from compare.contracts.records import Record
from compare.examine.sides import our_manual
from tests.faults import (
    SMALL,
    Array,
    Function,
    derived,
    require_blame,
    side_by_side,
    with_function,
    with_step,
    wrong_gradient,
    wrong_loss,
)

OURS = our_manual(SMALL)
SQUARE = replace(SMALL, hidden=(7,))
TENSORS = ("w1", "b1", "w2", "b2")
UPDATES = (None, 0, 3, 6)
"""Every update, the first, a middle one, and the end of training, where nothing is updated."""


@pytest.mark.parametrize("at", UPDATES)
@pytest.mark.parametrize(
    "change", [lambda loss: 2 * loss, lambda loss: loss + 1e-6, lambda loss: loss * (1 - 1e-10)],
    ids=["doubled", "offset", "scaled by 1 - 1e-10"],
)  # fmt: skip
def test_a_wrong_loss_is_found(change: Callable[[float], float], at: int | None) -> None:
    result = side_by_side(manual=wrong_loss(OURS, change, at))
    require_blame(result, "loss", "loss", update=at or 0)


@pytest.mark.slow
@pytest.mark.parametrize("at", UPDATES)
@pytest.mark.parametrize("name", TENSORS)
@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-9), ("float32", 1e-3)])
def test_a_wrong_scale_of_one_gradient_is_found(
    name: str, dtype: str, error: float, at: int | None
) -> None:
    manual = wrong_gradient(OURS, name, lambda gradient: gradient * (1 + error), at)
    result = side_by_side(replace(SMALL, dtype=dtype), manual=manual)
    require_blame(result, "derivative", f"d{name}", name, update=at or 0)


@pytest.mark.slow
@pytest.mark.parametrize("at", [0, 8, 12])
@pytest.mark.parametrize("name", TENSORS)
def test_mini_batches_say_epoch_and_update(name: str, at: int) -> None:
    experiment = replace(SMALL, batch_size=6, epochs=3)
    manual = wrong_gradient(OURS, name, lambda gradient: gradient * (1 + 1e-6), at)
    result = side_by_side(experiment, manual=manual)
    require_blame(result, "derivative", f"d{name}", name, update=at, epoch=at // 4)


@pytest.mark.parametrize("layer", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", "wb")
def test_every_layer_of_a_deep_network_is_told_apart(kind: str, layer: int) -> None:
    experiment = replace(SMALL, hidden=(6, 4, 5), activation="tanh", epochs=2)
    name = f"{kind}{layer}"
    manual = wrong_gradient(our_manual(experiment), name, lambda gradient: gradient * 1.001, 1)
    require_blame(side_by_side(experiment, manual=manual), "derivative", f"d{name}", name, update=1)


def one_entry(gradient: Array) -> Array:
    gradient.flat[1] *= 1.001
    return gradient


@pytest.mark.parametrize("name", TENSORS)
@pytest.mark.parametrize(
    "change",
    [
        lambda gradient: -gradient,
        one_entry,
        lambda gradient: np.roll(gradient, 1),
        np.zeros_like,
        lambda gradient: gradient + 1e-9,
        lambda gradient: gradient * np.nan,
        lambda gradient: np.full_like(gradient, np.inf),
    ],
    ids=["sign", "one entry", "rolled", "zero", "offset", "nan", "infinite"],
)
def test_a_wrong_gradient_of_one_update_is_found(
    change: Callable[[Array], Array], name: str
) -> None:
    result = side_by_side(manual=wrong_gradient(OURS, name, change, 2))
    require_blame(result, "derivative", f"d{name}", name, update=2)


def one_row(gradient: Array) -> Array:
    gradient[2] *= 1.01
    return gradient


def one_column(gradient: Array) -> Array:
    gradient[:, 1] *= 1.01
    return gradient


@pytest.mark.parametrize("name", ["w1", "w2"])
@pytest.mark.parametrize("change", [one_row, one_column])
def test_a_wrong_row_or_column_is_found(change: Callable[[Array], Array], name: str) -> None:
    result = side_by_side(manual=wrong_gradient(OURS, name, change, 2))
    require_blame(result, "derivative", f"d{name}", name, update=2)
    index = result.findings[0].index
    assert index is not None and (index[0] == 2 if change is one_row else index[1] == 1)


def test_a_transposed_square_gradient_is_found() -> None:
    manual = wrong_gradient(our_manual(SQUARE), "w1", lambda gradient: gradient.T, 2)
    require_blame(side_by_side(SQUARE, manual=manual), "derivative", "dw1", "w1", update=2)


@pytest.mark.slow
def test_the_finding_holds_both_values() -> None:
    result = side_by_side(manual=wrong_gradient(OURS, "b2", lambda gradient: gradient * 3))
    finding = result.findings[0]
    assert finding.check == "same_point"
    assert finding.manual is not None and finding.reference is not None
    assert finding.manual == pytest.approx(3 * finding.reference)
    assert finding.ratio is not None and finding.ratio > 1e10
    heatmap = result.heatmap
    assert heatmap is not None and heatmap[0] == "b2"
    np.testing.assert_allclose(heatmap[1], 3 * heatmap[2])


def ours(parameters: Arrays, x: Array, values: Arrays, dlogits: Array) -> Arrays:
    return manual_mlp.backward(parameters, x, values, dlogits)[0]


def without_mask(parameters: Arrays, x: Array, values: Arrays, dlogits: Array) -> Arrays:
    return manual_mlp.backward(parameters, x, values, dlogits, activation="identity")[0]


def without_mask_at_one_unit(
    parameters: Arrays, x: Array, values: Arrays, dlogits: Array
) -> Arrays:
    open_unit = values["z1"].copy()
    open_unit[:, 3] = 1.0  # its slope becomes 1 in every row
    gradients = ours(parameters, x, values | {"z1": open_unit}, dlogits)
    return gradients | {"w2": values["h1"].T @ dlogits}


def without_mean(parameters: Arrays, x: Array, values: Arrays, dlogits: Array) -> Arrays:
    return ours(parameters, x, values, dlogits * len(x))


def without_one_sample(parameters: Arrays, x: Array, values: Arrays, dlogits: Array) -> Arrays:
    kept = np.arange(len(x)) != 4
    return ours(parameters, x, values, dlogits * kept[:, None])


def without_one_class(parameters: Arrays, x: Array, values: Arrays, dlogits: Array) -> Arrays:
    return ours(parameters, x, values, dlogits * [1.0, 0.0, 1.0])


def through_new_weights(parameters: Arrays, x: Array, values: Arrays, dlogits: Array) -> Arrays:
    gradients = ours(parameters, x, values, dlogits)
    updated = parameters | {"w2": parameters["w2"] - 0.2 * gradients["w2"]}
    return ours(updated, x, values, dlogits)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backward", "stage", "parameter"),
    [
        (without_mask, "dz1", "w1"),
        (without_mask_at_one_unit, "dz1", "w1"),
        (without_mean, "dlogits", "w2"),
        (without_one_sample, "dlogits", "w2"),
        (without_one_class, "dlogits", "w2"),
        (through_new_weights, "dz1", "w1"),
    ],
)
@pytest.mark.parametrize("at", [None, 2])
def test_a_wrong_derivation_is_blamed_on_its_first_stage(
    backward: Function, stage: str, parameter: str, at: int | None
) -> None:
    manual = with_function(OURS, derived(backward), at)
    require_blame(side_by_side(manual=manual), "derivative", stage, parameter, update=at or 0)


def stale(manual: Manual, *, loss_too: bool) -> Function:
    """Gradients, and perhaps the loss, of the weights of the update before."""
    seen: list[Arrays] = []

    def implementation(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        seen.append({name: array.copy() for name, array in parameters.items()})
        loss, *_ = manual.loss_and_gradients(parameters, x, targets)
        old, gradients, *_ = manual.loss_and_gradients(seen[-2:][0], x, targets)
        return old if loss_too else loss, gradients

    return implementation


@pytest.mark.slow
def test_gradients_of_stale_weights_are_found_at_the_second_update() -> None:
    manual = with_function(OURS, stale(OURS, loss_too=False))
    require_blame(side_by_side(manual=manual), "derivative", "dlogits", "w2", update=1)


@pytest.mark.slow
def test_a_whole_pass_at_stale_weights_is_found_at_the_second_update() -> None:
    result = side_by_side(manual=with_function(OURS, stale(OURS, loss_too=True)))
    assert [finding.stage for finding in result.findings] == ["loss", "dlogits"]
    assert {(finding.epoch, finding.update) for finding in result.findings} == {(1, 1)}
    assert result.exit_code == 1 and result.kind in ("function", "loss and derivative")


Step = Callable[..., tuple[Arrays, Arrays]]
velocity_step: Step = manual_mlp.velocity_step


def rated(rate: Callable[[float], float], momentum: Callable[[float], float]) -> Step:
    def step(p: Arrays, g: Arrays, v: Arrays, **given: float) -> tuple[Arrays, Arrays]:
        return velocity_step(
            p, g, v,
            learning_rate=rate(given["learning_rate"]), momentum=momentum(given["momentum"]),
        )  # fmt: skip

    return step


def not_carried(p: Arrays, g: Arrays, v: Arrays, **given: float) -> tuple[Arrays, Arrays]:
    return velocity_step(p, g, {}, **given)


def nesterov(p: Arrays, g: Arrays, v: Arrays, **given: float) -> tuple[Arrays, Arrays]:
    _, v = velocity_step(p, g, v, **given)
    _, ahead = velocity_step(p, g, v, **given)
    return {name: w - ahead[f"v_{name}"] for name, w in p.items()}, v


def old_velocity(p: Arrays, g: Arrays, v: Arrays, **given: float) -> tuple[Arrays, Arrays]:
    return {name: w - v[f"v_{name}"] for name, w in p.items()}, velocity_step(p, g, v, **given)[1]


def ascent(p: Arrays, g: Arrays, v: Arrays, **given: float) -> tuple[Arrays, Arrays]:
    stepped, v = velocity_step(p, g, v, **given)
    return {name: 2 * p[name] - w for name, w in stepped.items()}, v


def decay(p: Arrays, g: Arrays, v: Arrays, **given: float) -> tuple[Arrays, Arrays]:
    stepped, v = velocity_step(p, g, v, **given)
    return {name: w - 1e-8 * p[name] for name, w in stepped.items()}, v


def frozen_bias(p: Arrays, g: Arrays, v: Arrays, **given: float) -> tuple[Arrays, Arrays]:
    stepped, v = velocity_step(p, g, v, **given)
    return stepped | {"b1": p["b1"]}, v


def overflown(p: Arrays, g: Arrays, v: Arrays, **given: float) -> tuple[Arrays, Arrays]:
    stepped, v = velocity_step(p, g, v, **given)
    return {name: w * np.inf for name, w in stepped.items()}, v


STEPS: dict[str, tuple[Step, str, str, int]] = {
    "momentum 0.9 + 1e-9": (rated(float, lambda m: m + 1e-9), "velocity", "w1", 1),
    "momentum not carried": (not_carried, "velocity", "w1", 1),
    "dampened": (rated(lambda rate: 0.1 * rate, float), "velocity", "w1", 0),
    "learning rate applied twice": (rated(lambda rate: rate * rate, float), "velocity", "w1", 0),
    "other momentum form": (manual_mlp.buffer_step, "velocity", "w1", 0),
    "nesterov": (nesterov, "update", "w1", 0),
    "weights before velocity": (old_velocity, "update", "w1", 0),
    "ascent": (ascent, "update", "w1", 0),
    "weight decay": (decay, "update", "w1", 0),
    "one bias not updated": (frozen_bias, "update", "b1", 0),
    "not finite": (overflown, "update", "w1", 0),
}
"""The wrong step, the stage and parameter to blame, and the first update at which it can show."""


COULD_BE_DECLARED = ("nesterov", "weight decay")
"""A convention, if it is made from the first update on."""


@pytest.mark.slow
@pytest.mark.parametrize("at", [None, 3])
@pytest.mark.parametrize("name", STEPS)
def test_a_wrong_step_is_found_and_no_gradient_is_blamed(name: str, at: int | None) -> None:
    step, stage, parameter, first = STEPS[name]
    result = side_by_side(manual=with_step(OURS, step, at))
    kind = "convention" if at is None and name in COULD_BE_DECLARED else "update"
    require_blame(result, kind, stage, parameter, update=first if at is None else at)
    assert result.findings[0].check == "step"


def test_the_velocity_form_in_a_buffer_run_is_found() -> None:
    experiment = replace(SMALL, momentum_form="buffer")
    require_blame(side_by_side(experiment, manual=OURS), "update", "velocity", "w1")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "error", "name", "at"),
    [
        ("float64", 1e-9, "w1", 0),
        ("float32", 1e-3, "b1", 0),
        ("float64", 1e-9, "w2", 100),
        ("float32", 1e-3, "w1", 200),
        ("float64", 1e-9, "b2", 200),
    ],
)
def test_one_wrong_update_of_the_default_run_is_found(
    dtype: str, error: float, name: str, at: int
) -> None:
    experiment = Experiment(dtype=dtype, threads=1)

    def until_shown(records: Iterator[Record]) -> Iterator[Record]:
        return islice(records, at + 1)

    manual = wrong_gradient(OURS, name, lambda gradient: gradient * (1 + error), at)
    result = side_by_side(
        experiment, digits(), manual=manual,
        manual_side=until_shown, reference_side=until_shown,
    )  # fmt: skip
    require_blame(result, "derivative", f"d{name}", name, update=at)


def digits() -> Any:
    from compare.data import load

    return load(None)
