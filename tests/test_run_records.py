"""Planted faults in what a side was given, in what it reports, and in the torch side.

Each is blamed on its own stage and side; whatever is no number on the torch side decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from torch import Tensor

from compare import BadInput, run_training
from compare.contracts.arrays import Arrays
from compare.contracts.records import Record
from compare.contracts.result import ExitCode, Verdict
from compare.examine.sides import our_manual
from compare.judge.naming import UNKNOWN, Named
from compare.points.inputs import Inputs, draw_inputs
from tests.faults import (
    NAMING,
    SMALL,
    Array,
    Given,
    hooked,
    require_blame,
    side_by_side,
    small_data,
    with_function,
    wrong_gradient,
    wrong_loss,
    wrong_record,
    wrong_report,
)

OURS = our_manual(SMALL)
MINI = replace(SMALL, batch_size=6, epochs=3)
SEEDED = replace(SMALL, initial_velocity=1e-5)


def to_side(given: Given, side: str) -> dict[str, Any]:
    return {"manual_given" if side == "manual" else "torch_given": given}


def other_weights(inputs: Inputs) -> Inputs:
    w = inputs.parameters["w2"].copy()
    w[1, 2] = np.nextafter(w[1, 2], 2.0)
    return replace(inputs, parameters=inputs.parameters | {"w2": w})


def other_bias(inputs: Inputs) -> Inputs:
    return replace(inputs, parameters=inputs.parameters | {"b1": np.full(5, 0.01)})


def no_velocity(inputs: Inputs) -> Inputs:
    return replace(inputs, state={name: 0 * v for name, v in inputs.state.items()})


@pytest.mark.parametrize("side", ["manual", "reference"])
@pytest.mark.parametrize(("given", "name"), [(other_weights, "w2"), (other_bias, "b1")])
def test_other_initial_weights_are_found_to_the_last_bit(
    given: Given, name: str, side: str
) -> None:
    result = side_by_side(**to_side(given, side))
    require_blame(result, "data", "initial weights", name, side=side)
    assert "handed out" in result.sentence


@pytest.mark.parametrize("side", ["manual", "reference"])
def test_another_initial_velocity_is_found(side: str) -> None:
    result = side_by_side(SEEDED, **to_side(no_velocity, side))
    require_blame(result, "data", "initial state", "v_w1", side=side, alone=False)
    assert {finding.stage for finding in result.findings} == {"initial state"}


Order = Sequence[Sequence[Array]]


def swapped(order: Order) -> Order:
    first, second, *rest = order[1]
    return [order[0], [second, first, *rest], *order[2:]]


def reversed_rows(order: Order) -> Order:
    first, *rest = order[1]
    return [order[0], [first[::-1], *rest], *order[2:]]


def unshuffled(order: Order) -> Order:
    epoch = np.split(np.arange(23), [6, 12, 18])
    return [order[0], *([epoch] * (len(order) - 1))]


def with_replacement(order: Order) -> Order:
    first, *rest = order[1]
    return [order[0], [np.full_like(first, first[0]), *rest], *order[2:]]


@pytest.mark.parametrize("side", ["manual", "reference"])
@pytest.mark.parametrize("change", [swapped, reversed_rows, unshuffled, with_replacement])
def test_another_batch_order_is_found_and_no_gradient_is_blamed(
    change: Callable[[Order], Order], side: str
) -> None:
    def given(inputs: Inputs) -> Inputs:
        return replace(inputs, order=change(inputs.order))

    result = side_by_side(MINI, **to_side(given, side))
    require_blame(result, "data", "batch order", side=side, update=4, epoch=1)


def test_a_permuted_full_batch_is_another_order() -> None:
    def given(inputs: Inputs) -> Inputs:
        return replace(inputs, order=[[batch[::-1] for batch in epoch] for epoch in inputs.order])

    require_blame(side_by_side(manual_given=given), "data", "batch order")


def test_rows_other_than_the_record_says_are_a_wrong_gradient() -> None:
    def given(inputs: Inputs) -> Inputs:
        x, targets = inputs.training
        return replace(inputs, training=(np.roll(x, 1, axis=0), targets))

    result = side_by_side(MINI, manual_given=given)
    assert result.exit_code == ExitCode.DISAGREES
    assert [finding.stage for finding in result.findings][:2] == ["loss", "dlogits"]


def test_a_side_that_stops_early_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        side_by_side(manual_side=lambda records: islice(records, 4))


REPORTS: dict[str, tuple[str, Callable[[float], float]]] = {
    "train_loss": ("reporting", lambda loss: loss * (1 + 1e-9)),
    "train_accuracy": ("reporting", lambda accuracy: accuracy - 1 / 23),
    "validation_loss": ("validation", lambda loss: loss + 1e-9),
    "validation_accuracy": ("validation", lambda accuracy: accuracy + 1 / 11),
}


@pytest.mark.parametrize("side", ["manual", "reference"])
@pytest.mark.parametrize("epoch", [1, 3, 6])
@pytest.mark.parametrize("what", REPORTS)
def test_a_wrong_number_on_a_curve_is_found(what: str, epoch: int, side: str) -> None:
    stage, change = REPORTS[what]
    wrapped = wrong_report(epoch, **{what: change})
    wraps: dict[str, Any] = {f"{side}_side": wrapped}
    require_blame(side_by_side(**wraps), "reporting", stage, side=side, update=epoch)


@pytest.mark.parametrize("what", REPORTS)
def test_a_wrong_number_is_found_with_mini_batches_too(what: str) -> None:
    stage, change = REPORTS[what]
    result = side_by_side(MINI, manual_side=wrong_report(4, **{what: change}))
    require_blame(result, "reporting", stage, update=4, epoch=1)


def test_a_curve_shifted_by_one_epoch_is_found() -> None:
    def shifted(records: Iterator[Record]) -> Iterator[Record]:
        before: Any = None
        for record in records:
            yield replace(record, evaluation=before or record.evaluation)  # type: ignore[type-var]
            before = record.evaluation

    result = side_by_side(manual_side=shifted)
    require_blame(result, "reporting", "reporting", update=1, alone=False)
    assert [finding.stage for finding in result.findings] == ["reporting", "validation"]


def test_a_validation_loss_of_the_training_data_is_found() -> None:
    def swapped_data(inputs: Inputs) -> Inputs:
        return replace(inputs, validation=inputs.training)

    result = side_by_side(manual_given=swapped_data)
    require_blame(result, "reporting", "validation", alone=False)
    assert {finding.stage for finding in result.findings} == {"validation"}


@pytest.mark.slow
def test_validation_that_trains_is_found() -> None:
    def evaluate(parameters: Arrays, x: Array, targets: Array) -> tuple[float, float]:
        answer = OURS.evaluate(parameters, x, targets)
        if len(x) == 11:  # the validation set
            _, gradients, *_ = OURS.loss_and_gradients(parameters, x, targets)
            for name, gradient in gradients.items():
                parameters[name] -= 0.1 * gradient
        return answer

    result = side_by_side(manual=replace(OURS, evaluate=evaluate))
    require_blame(result, "update", "update", "w1")


def test_a_wrong_loss_is_not_blamed_again_for_being_reported() -> None:
    result = side_by_side(manual=our_manual(replace(SMALL, reduction="sum")))
    assert [finding.stage for finding in result.findings] == ["loss", "dlogits"]


AT = (0, 3, 6)


@pytest.mark.parametrize("at", AT)
@pytest.mark.parametrize("name", ["w1", "b1", "w2", "b2"])
@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-6), ("float32", 1e-2)])
def test_a_wrong_gradient_of_the_torch_side_is_found_and_clears_the_manual_side(
    name: str, dtype: str, error: float, at: int
) -> None:
    experiment = replace(SMALL, dtype=dtype)

    def hook(gradient: Tensor) -> Tensor:
        return gradient * (1 + error)

    result = side_by_side(experiment, torch_trains=hooked(experiment, name, hook, at))
    require_blame(result, "derivative", f"d{name}", name, side="reference", update=at)


@pytest.mark.parametrize("at", AT)
def test_a_wrong_loss_of_the_torch_side_is_found(at: int) -> None:
    result = side_by_side(reference_side=wrong_record(at, loss=lambda loss: loss * (1 + 1e-9)))
    require_blame(result, "loss", "loss", side="reference", update=at)


@pytest.mark.parametrize(
    ("settings", "update"),
    [({"learning_rate": 0.2 + 1e-9}, 0), ({"momentum": 0.8}, 1), ({"momentum_form": "buffer"}, 0)],
)
def test_a_wrong_step_of_the_torch_side_is_found(settings: dict[str, Any], update: int) -> None:
    result = side_by_side(torch_trains=replace(SMALL, **settings))
    require_blame(result, "update", "velocity", "w1", side="reference", update=update)


@pytest.mark.parametrize("settings", [{"activation": "tanh"}, {"reduction": "sum"}])
def test_a_torch_side_that_trains_another_network_is_found(settings: dict[str, Any]) -> None:
    result = side_by_side(torch_trains=replace(SMALL, **settings))
    assert result.exit_code == ExitCode.DISAGREES
    assert {finding.side for finding in result.findings} == {"reference"}
    assert result.findings[0].epoch == result.findings[0].update == 0


def nan(value: Any) -> Any:
    return value * np.nan


def not_a_number(arrays: Arrays) -> Arrays:
    return {name: nan(array) for name, array in arrays.items()}


@pytest.mark.parametrize("at", AT)
def test_nan_on_the_manual_side_alone_is_a_disagreement(at: int) -> None:
    result = side_by_side(manual=wrong_loss(OURS, nan, at))
    require_blame(result, "loss", "loss", update=at)
    assert "is not finite" in result.sentence
    result = side_by_side(manual=wrong_gradient(OURS, "b1", nan, at))
    require_blame(result, "derivative", "db1", "b1", update=at)
    assert result.epochs[-1].epoch == at, "nothing follows from NaN"


@pytest.mark.parametrize("at", AT)
@pytest.mark.parametrize(
    "changes",
    [{"loss": nan}, {"gradients": not_a_number}, {"parameters": not_a_number},
     {"state": not_a_number}],
    ids=["loss", "gradients", "parameters", "state"],
)  # fmt: skip
def test_nan_on_the_torch_side_is_undecidable(changes: dict[str, Any], at: int) -> None:
    result = side_by_side(reference_side=wrong_record(at, **changes))
    assert result.exit_code == ExitCode.UNDECIDABLE, result.sentence
    assert result.sentence == f"undecidable: the reference is not finite at epoch {at}"
    assert len(result.epochs) == at


@pytest.mark.parametrize("at", AT)
def test_nan_on_both_sides_is_undecidable(at: int) -> None:
    result = side_by_side(
        manual=wrong_gradient(OURS, "w1", nan, at), torch_trains=hooked(SMALL, "w1", nan, at)
    )
    assert result.exit_code == ExitCode.UNDECIDABLE, result.sentence


def test_nan_on_the_torch_curve_is_undecidable() -> None:
    result = side_by_side(reference_side=wrong_report(3, validation_loss=nan))
    assert result.exit_code == ExitCode.UNDECIDABLE


def test_what_was_found_before_the_torch_side_broke_still_counts() -> None:
    manual = wrong_gradient(OURS, "w2", lambda gradient: 2 * gradient, 1)
    result = side_by_side(manual=manual, reference_side=wrong_record(3, loss=nan))
    require_blame(result, "derivative", "dw2", "w2", update=1)


def test_a_gradient_of_another_shape_is_an_error_and_never_broadcast() -> None:
    manual = wrong_gradient(OURS, "b1", lambda gradient: gradient[:, None], 0)
    with pytest.raises(ValueError, match=r"db1: manual is \(5, 1\) and reference is \(5,\)"):
        side_by_side(manual=manual)


def test_a_gradient_that_is_missing_is_an_error() -> None:
    def without_w2(*arguments: Any) -> tuple[float, Arrays]:
        loss, gradients, *_ = OURS.loss_and_gradients(*arguments)
        return loss, {name: g for name, g in gradients.items() if name != "w2"}

    with pytest.raises(KeyError, match="w2"):
        side_by_side(manual=with_function(OURS, without_w2))


def test_data_without_features_are_refused() -> None:
    data = small_data()
    empty = {name: replace(getattr(data, name), x=getattr(data, name).x[:, :0])
             for name in ("train", "validation", "test")}  # fmt: skip
    with pytest.raises(BadInput):
        side_by_side(data=replace(data, **empty))


def test_a_gradient_without_entries_is_an_error() -> None:
    manual = wrong_gradient(OURS, "b1", lambda gradient: gradient[:0], 0)
    with pytest.raises(ValueError, match=r"db1: manual is \(0,\) and reference is \(5,\)"):
        side_by_side(manual=manual)


def test_the_sentence_on_the_free_run_names_an_update() -> None:
    """A structural finding has none, and comes first."""

    def rescaling(parameters: Arrays, x: Array, targets: Array) -> Any:
        answer = OURS.loss_and_gradients(parameters, x, targets)
        x *= 1.01
        return answer

    with patch(NAMING, return_value=Named()):
        result = run_training(SMALL, data=small_data(), manual=with_function(OURS, rescaling))
    assert result.kind == "structure" and result.findings[0].update is None
    assert "first at epoch 0, update 0, parameter -, stage loss" in result.checks[2].sentence


@pytest.mark.slow
def test_an_update_that_looks_at_other_rows_is_named_from_the_records_of_the_run() -> None:
    experiment = replace(SMALL, batch_size=6)
    everything = draw_inputs(experiment, small_data()).training
    manual = our_manual(experiment)

    def whole(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        loss, gradients, *_ = manual.loss_and_gradients(parameters, *everything)
        return loss, gradients

    result = side_by_side(experiment, manual=replace(manual, loss_and_gradients=whole))
    assert result.verdict is Verdict.DISAGREES
    assert [found.mistake for found in result.diagnosis] == ["whole-data-set-in-every-update"]
    assert UNKNOWN not in result.notes
