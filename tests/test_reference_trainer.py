"""The reference's trainer: what its records say, when they are taken, and to whom they belong."""

from dataclasses import astuple
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from torch_reference import FORMS, Record, Reference, step, train
from torch_reference.network import Network
from torch_reference.optimisers import Recipe

Array = NDArray[np.floating[Any]]
Arrays = dict[str, Array]
SIZES = (5, 4, 3)
WHOLE = [[np.arange(7)]] * 3
BATCHES = [[np.array([4, 0, 6]), np.array([1, 2, 3, 5])], [np.array([3, 5, 1]), np.array([6, 0])]]


def drawn(dtype: type[np.floating[Any]] = np.float64) -> tuple[Arrays, Arrays, Any, Any]:
    """Parameters, a state that is not zero, training data and validation data."""
    generator = np.random.default_rng(11)
    shapes = {"w1": (5, 4), "b1": (4,), "w2": (4, 3), "b2": (3,)}
    parameters = {name: generator.normal(size=s).astype(dtype) for name, s in shapes.items()}
    state = {f"v_{name}": generator.normal(size=s).astype(dtype) for name, s in shapes.items()}
    x = generator.normal(size=(9, 5)).astype(dtype)
    targets = generator.dirichlet(np.ones(3), 9).astype(dtype)
    return parameters, state, (x[:7], targets[:7]), (x[7:], targets[7:])


def records(
    order: list[list[NDArray[np.int64]]],
    dtype: type[np.floating[Any]] = np.float64,
    momentum: float = 0.9,
    form: str = "velocity",
) -> list[Record]:
    """A whole run."""
    reference = Reference(SIZES, dtype=dtype)
    return list(
        train(reference, *drawn(dtype), order, learning_rate=0.2, momentum=momentum, form=form)
    )


def arrays(record: Record) -> dict[str, Array]:
    """Every array of a record under a name of its own."""
    gradients = {f"d{name}": array for name, array in record.gradients.items()}
    return record.parameters | record.state | gradients


def test_updates_epochs_and_batches_are_counted_before_each_update_and_once_after() -> None:
    run = records(BATCHES)
    assert [(r.update, r.epoch) for r in run] == [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2)]
    batches = [*BATCHES[0], *BATCHES[1], np.arange(7)]
    for record, batch in zip(run, batches, strict=True):
        np.testing.assert_array_equal(record.batch, batch)
    assert [r.evaluation is not None for r in run] == [True, False, True, False, True]


@pytest.mark.parametrize("order", [WHOLE, BATCHES])
def test_loss_and_gradients_belong_to_the_recorded_weights_and_batch(
    order: list[list[NDArray[np.int64]]],
) -> None:
    reference, (_, _, (x, targets), validation) = Reference(SIZES), drawn()
    for record in records(order):
        at = record.parameters
        loss, gradients = reference.loss_and_gradients(at, x[record.batch], targets[record.batch])
        assert record.loss == pytest.approx(loss, rel=1e-14)
        for name, gradient in gradients.items():
            np.testing.assert_allclose(record.gradients[name], gradient, rtol=1e-12, atol=1e-15)
        if record.evaluation:
            values = *reference.evaluate(at, x, targets), *reference.evaluate(at, *validation)
            assert astuple(record.evaluation) == pytest.approx(values, rel=1e-14)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-4), (np.float64, 1e-13)])
def test_every_recorded_transition_is_one_step(
    form: str, momentum: float, dtype: type[np.floating[Any]], rtol: float
) -> None:
    run = records(BATCHES, dtype, momentum, form)
    for now, then in pairwise(run):
        parameters, state = step(
            now.parameters,
            now.gradients,
            now.state,
            learning_rate=0.2,
            momentum=momentum,
            form=form,
        )
        for name, array in (parameters | state).items():
            assert arrays(then)[name].dtype == dtype
            np.testing.assert_allclose(arrays(then)[name], array, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("form", FORMS)
def test_the_first_record_carries_the_given_weights_and_state_to_the_bit(form: str) -> None:
    parameters, state, _, _ = drawn()
    first = records(WHOLE, form=form)[0]
    for name, array in (parameters | state).items():
        np.testing.assert_array_equal((first.parameters | first.state)[name], array)


def test_a_run_without_state_starts_from_zeros() -> None:
    parameters, _, training, validation = drawn()
    run = train(
        Reference(SIZES),
        parameters,
        None,
        training,
        validation,
        WHOLE,
        learning_rate=0.2,
        momentum=0.9,
    )
    first, second, *_ = run
    assert not any(array.any() for array in first.state.values())
    np.testing.assert_allclose(second.state["v_w1"], 0.2 * first.gradients["w1"], rtol=1e-15)


def test_an_initial_velocity_moves_the_first_update() -> None:
    parameters, state, _, _ = drawn()
    first, second = records(WHOLE)[:2]
    expected = parameters["w1"] - 0.9 * state["v_w1"] - 0.2 * first.gradients["w1"]
    np.testing.assert_allclose(second.parameters["w1"], expected, rtol=1e-13)


def test_a_run_continued_at_another_learning_rate_keeps_its_velocity() -> None:
    _, _, training, validation = drawn()
    last = records(WHOLE)[-1]
    resumed = train(
        Reference(SIZES),
        last.parameters,
        last.state,
        training,
        validation,
        WHOLE,
        learning_rate=0.05,
        momentum=0.9,
    )
    _, second, *_ = resumed
    expected = 0.9 * last.state["v_w1"] + 0.05 * last.gradients["w1"]
    np.testing.assert_allclose(second.state["v_w1"], expected, rtol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("form", FORMS)
def test_no_later_update_changes_a_record(momentum: float, form: str) -> None:
    run = train(
        Reference(SIZES), *drawn(), BATCHES, learning_rate=0.2, momentum=momentum, form=form
    )
    kept = [(record, {n: a.copy() for n, a in arrays(record).items()}) for record in run]
    for record, copies in kept:
        for name, copy in copies.items():
            np.testing.assert_array_equal(arrays(record)[name], copy)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "amsgrad", "rmsprop", "adagrad"])
@pytest.mark.parametrize("clips", [{}, {"clip_norm": 0.1}, {"clip_value": 0.01}])
def test_no_optimiser_and_no_clipping_writes_to_the_gradients_of_a_record(
    name: str, clips: dict[str, Any]
) -> None:
    recipe = Recipe(name, 0.1, momentum=0.9 * (name == "sgd"), weight_decay=0.1, **clips)
    parameters, _, training, validation = drawn()
    run = train(
        Reference(SIZES), parameters, {}, training, validation, BATCHES,
        learning_rate=0.1, momentum=0.0, recipe=recipe,
    )  # fmt: skip
    kept = [(record, {n: a.copy() for n, a in arrays(record).items()}) for record in run]
    assert any(np.abs(record.gradients["w1"]).max() > 0.1 for record, _ in kept)  # to be clipped
    for record, copies in kept:
        for key, copy in copies.items():
            np.testing.assert_array_equal(arrays(record)[key], copy)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_writing_into_a_record_changes_neither_the_run_nor_what_was_given_to_it(
    momentum: float,
) -> None:
    honest = records(BATCHES, momentum=momentum)
    given = drawn()
    run = train(Reference(SIZES), *given, BATCHES, learning_rate=0.2, momentum=momentum)
    for record, expected in zip(run, honest, strict=True):
        assert record.loss == expected.loss
        for array in [*record.parameters.values(), *record.gradients.values()]:
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0
        for array in record.state.values():
            array[...] = 0
        record.batch[...] = 0
    np.testing.assert_array_equal(BATCHES[0][0], [4, 0, 6])
    for part, copy in zip(given[:2], drawn()[:2], strict=True):
        for name, array in part.items():
            np.testing.assert_array_equal(array, copy[name])


def test_a_record_shows_the_weights_of_the_network_and_no_copy_of_them() -> None:
    seen: list[Network] = []
    load = Network.load

    def noting(network: Network, parameters: Any) -> None:
        seen.append(network)
        load(network, parameters)

    with patch.object(Network, "load", noting):
        for record in train(Reference(SIZES), *drawn(), BATCHES, learning_rate=0.2, momentum=0.9):
            for name, parameter in seen[0].named.items():
                gradient = parameter.grad
                assert gradient is not None
                for array, tensor in (
                    (record.parameters[name], parameter.detach()),
                    (record.gradients[name], gradient),
                ):
                    assert np.shares_memory(array, tensor.numpy())


def test_a_run_leaves_its_arguments_alone() -> None:
    given, untouched = drawn(), drawn()
    list(train(Reference(SIZES), *given, BATCHES, learning_rate=0.2, momentum=0.9))
    for part, copy in zip(given[:2], untouched[:2], strict=True):
        for name, array in part.items():
            np.testing.assert_array_equal(array, copy[name])
    np.testing.assert_array_equal(given[2][0], untouched[2][0])


def test_calling_the_reference_between_two_records_does_not_steer_the_run() -> None:
    parameters, state, training, validation = drawn()
    reference = Reference(SIZES)
    elsewhere = {name: array + 1 for name, array in parameters.items()}
    losses = []
    for record in train(
        reference, parameters, state, training, validation, BATCHES, learning_rate=0.2, momentum=0.9
    ):
        losses.append(record.loss)
        reference.loss_and_gradients(elsewhere, *training)
    assert losses == [record.loss for record in records(BATCHES)]


def test_validation_never_trains() -> None:
    parameters, state, training, (x, targets) = drawn()
    settings: dict[str, Any] = {"learning_rate": 0.2, "momentum": 0.9}
    run = train(
        Reference(SIZES), parameters, state, training, (9 * x, targets), BATCHES, **settings
    )
    for record, expected in zip(run, records(BATCHES), strict=True):
        np.testing.assert_array_equal(record.parameters["w1"], expected.parameters["w1"])


def test_a_run_is_repeatable_and_draws_no_random_number() -> None:
    before = torch.get_rng_state()
    first, second = records(BATCHES), records(BATCHES)
    assert torch.equal(torch.get_rng_state(), before)
    for one, other in zip(first, second, strict=True):
        assert (one.loss, one.evaluation) == (other.loss, other.evaluation)


def test_training_lowers_the_loss() -> None:
    parameters, _, (x, targets), validation = drawn()
    training = x, np.eye(3)[targets.argmax(axis=1)]
    settings: dict[str, Any] = {"learning_rate": 0.2, "momentum": 0.9}
    run = train(Reference(SIZES), parameters, None, training, validation, WHOLE * 20, **settings)
    losses = [record.loss for record in run]
    assert losses[-1] < 0.1 * losses[0]


def test_a_state_the_network_has_no_place_for_is_refused() -> None:
    parameters, _, training, validation = drawn()
    stray = {"v_w9": np.zeros((5, 4))}
    settings: dict[str, Any] = {"learning_rate": 0.2, "momentum": 0.9}
    with pytest.raises(ValueError, match="v_w9, which this network does not have"):
        next(train(Reference(SIZES), parameters, stray, training, validation, WHOLE, **settings))
