"""Where training starts, how it steps, and what its records say."""

import tracemalloc
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from manual_mlp import (
    INITIALISERS,
    Record,
    buffer_step,
    evaluate,
    initial_parameters,
    initial_velocity,
    loss_and_gradients,
    train,
    velocity_step,
)
from manual_mlp.arrays import Array, Arrays

ROWS, SIZES = 12, (4, 6, 3)


def data(rows: int, seed: int) -> tuple[Array, Array]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(rows, SIZES[0])), np.eye(SIZES[-1])[np.arange(rows) % SIZES[-1]]


def batches(epochs: int, size: int) -> list[list[Array]]:
    generator = np.random.default_rng(3)
    shuffled = [generator.permutation(ROWS) for _ in range(epochs)]
    return [np.split(rows, range(size, ROWS, size)) for rows in shuffled]


def whole(epochs: int) -> list[list[Array]]:
    return [[np.arange(ROWS)]] * epochs


def run(order: list[list[Array]], **planted: Any) -> list[Record]:
    parameters = initial_parameters(SIZES, np.random.default_rng(0))
    state = initial_velocity(parameters, weights=1e-5)
    functions: dict[str, Any] = {
        "loss_and_gradients": loss_and_gradients,
        "evaluate": evaluate,
        "step": velocity_step,
    }
    settings: dict[str, Any] = {"learning_rate": 0.1, "momentum": 0.9} | functions | planted
    return list(train(parameters, state, data(ROWS, 1), data(5, 2), order, **settings))


# Where training starts.


@pytest.mark.parametrize(
    ("scheme", "variance"), [("xavier", 2 / 500), ("he", 2 / 300), ("uniform", 1 / 900)]
)
def test_weights_have_the_variance_of_their_scheme(scheme: str, variance: float) -> None:
    w = initial_parameters((300, 200), np.random.default_rng(0), scheme=scheme)["w1"]
    # The sample variance of n values has a relative standard error of about sqrt(2 / n).
    assert np.var(w) == pytest.approx(variance, rel=5 * np.sqrt(2 / w.size))
    assert abs(np.mean(w)) < 5 * np.sqrt(variance / w.size)


def test_uniform_weights_stay_inside_their_bound() -> None:
    w = initial_parameters((100, 50), np.random.default_rng(0), scheme="uniform")["w1"]
    assert 0.099 < np.abs(w).max() <= 0.1


@pytest.mark.parametrize("scheme", sorted(INITIALISERS))
def test_float32_starts_from_the_rounded_float64_weights(scheme: str) -> None:
    double, single = (
        initial_parameters(SIZES, np.random.default_rng(7), scheme=scheme, dtype=dtype)
        for dtype in (np.float64, np.float32)
    )
    assert list(single) == ["w1", "b1", "w2", "b2"]
    for name in double:
        assert single[name].dtype == np.float32
        np.testing.assert_array_equal(single[name], double[name].astype(np.float32))


def test_biases_start_at_zero_and_only_weights_get_a_velocity() -> None:
    parameters = initial_parameters(SIZES, np.random.default_rng(0), dtype=np.float32)
    state = initial_velocity(parameters, weights=1e-5)
    assert not parameters["b1"].any()
    assert list(state) == ["v_w1", "v_b1", "v_w2", "v_b2"]
    np.testing.assert_array_equal(state["v_w1"], np.full((4, 6), 1e-5, np.float32))
    assert not state["v_b1"].any()
    assert state["v_w1"].dtype == state["v_b1"].dtype == np.float32


def test_an_unknown_initialisation_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown initialisation 'glorot': choose one of xavier"):
        initial_parameters(SIZES, np.random.default_rng(0), scheme="glorot")


# How it steps.


def test_velocity_step_of_values_worked_by_hand() -> None:
    w, dw, v = {"w1": np.array([1.0])}, {"w1": np.array([4.0])}, {"v_w1": np.array([0.5])}
    stepped, state = velocity_step(w, dw, v, learning_rate=0.25, momentum=0.5)
    np.testing.assert_equal((state["v_w1"], stepped["w1"]), ([1.25], [-0.25]))


def test_buffer_step_of_values_worked_by_hand() -> None:
    w, dw, v = {"w1": np.array([1.0])}, {"w1": np.array([4.0])}, {"v_w1": np.array([0.5])}
    stepped, state = buffer_step(w, dw, v, learning_rate=0.25, momentum=0.5)
    np.testing.assert_equal((state["v_w1"], stepped["w1"]), ([4.25], [-0.0625]))


@pytest.mark.parametrize("step", [velocity_step, buffer_step])
def test_an_absent_state_means_zeros_and_nothing_is_changed_in_place(step: Any) -> None:
    w, dw = {"w1": np.array([1.0], np.float32)}, {"w1": np.array([4.0], np.float32)}
    stepped, state = step(w, dw, {}, learning_rate=0.5, momentum=0.9)
    np.testing.assert_equal((stepped["w1"], w["w1"], dw["w1"]), ([-1], [1], [4]))
    assert stepped["w1"].dtype == state["v_w1"].dtype == np.float32


@pytest.mark.parametrize("step", [velocity_step, buffer_step])
def test_a_step_refuses_a_gradient_of_another_shape(step: Any) -> None:
    with pytest.raises(ValueError, match=r"got b1 \(3,\) and db1 \(1, 3\) and v_b1 \(3,\)"):
        step({"b1": np.ones(3)}, {"b1": np.ones((1, 3))}, {}, learning_rate=1.0, momentum=0.0)


def walk(step: Any, rates: list[float], state: Arrays) -> Array:
    parameters = initial_parameters(SIZES, np.random.default_rng(0))
    for rate in rates:
        _, gradients = loss_and_gradients(parameters, *data(ROWS, 1))
        parameters, state = step(parameters, gradients, state, learning_rate=rate, momentum=0.9)
    return np.concatenate([array.ravel() for array in parameters.values()])


def test_both_momentum_forms_walk_the_same_path_at_a_constant_learning_rate() -> None:
    velocity = initial_velocity(initial_parameters(SIZES, np.random.default_rng(0)), weights=1e-2)
    buffer = {name: v / 0.1 for name, v in velocity.items()}
    rates = [0.1] * 20
    paths = walk(velocity_step, rates, velocity), walk(buffer_step, rates, buffer)
    np.testing.assert_allclose(*paths, rtol=0, atol=1e-13)


def test_the_momentum_forms_part_when_the_learning_rate_changes() -> None:
    rates = [0.1] * 10 + [0.01] * 10
    paths = walk(velocity_step, rates, {}), walk(buffer_step, rates, {})
    assert np.abs(paths[0] - paths[1]).max() > 1e-3


# What the records say.


def test_training_lowers_the_loss() -> None:
    records = run(whole(50))
    assert records[-1].loss < 0.5 * records[0].loss


@pytest.mark.parametrize(("epochs", "size"), [(0, 5), (1, 12), (3, 12), (4, 5)])
def test_records_are_one_per_update_and_one_more(epochs: int, size: int) -> None:
    order = batches(epochs, size)
    records = run(order)
    updates = sum(len(epoch) for epoch in order)
    assert [record.update for record in records] == list(range(updates + 1))
    assert [r.epoch for r in records] == [e for e, b in enumerate(order) for _ in b] + [epochs]
    assert sum(record.evaluation is not None for record in records) == epochs + 1
    np.testing.assert_array_equal(records[-1].batch, np.arange(ROWS))


def test_batches_are_taken_in_the_given_order() -> None:
    order = batches(3, 5)
    records = run(order)
    given = [batch for epoch in order for batch in epoch]
    x, targets = data(ROWS, 1)
    for record, batch in zip(records, given, strict=False):
        np.testing.assert_array_equal(record.batch, batch)
        loss, gradients = loss_and_gradients(record.parameters, x[batch], targets[batch])
        assert record.loss == loss
        np.testing.assert_equal(record.gradients, gradients)


def test_each_record_steps_to_the_next() -> None:
    records = run(batches(3, 5))
    for now, then in pairwise(records):
        parameters, state = velocity_step(
            now.parameters, now.gradients, now.state, learning_rate=0.1, momentum=0.9
        )
        np.testing.assert_equal(then.parameters, parameters)
        np.testing.assert_equal(then.state, state)


@pytest.mark.parametrize("order", [whole(3), batches(3, 5)], ids=["full batch", "mini-batches"])
def test_all_four_numbers_of_an_evaluation_are_at_the_weights_of_its_record(
    order: list[list[Array]],
) -> None:
    for record in run(order):
        if record.evaluation is not None:
            point = record.evaluation
            training = evaluate(record.parameters, *data(ROWS, 1))
            assert (point.train_loss, point.train_accuracy) == training
            validation = evaluate(record.parameters, *data(5, 2))
            assert (point.validation_loss, point.validation_accuracy) == validation


def test_a_whole_batch_that_shows_its_logits_needs_no_second_pass_over_the_training_set() -> None:
    sizes_seen: list[int] = []

    def counted(parameters: Arrays, x: Array, targets: Array) -> tuple[float, float]:
        sizes_seen.append(len(x))
        return evaluate(parameters, x, targets)

    showing = partial(loss_and_gradients, intermediates=("logits",))
    records = run(whole(3), evaluate=counted, loss_and_gradients=showing)
    assert sizes_seen == [5] * 4
    assert [r.evaluation for r in records] == [r.evaluation for r in run(whole(3))]


def test_a_whole_batch_is_handed_over_without_copying_its_rows() -> None:
    training = data(ROWS, 1)
    handed: list[bool] = []

    def watched(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        handed.append(np.shares_memory(x, training[0]))
        return loss_and_gradients(parameters, x, targets)

    parameters = initial_parameters(SIZES, np.random.default_rng(0))
    order = [[np.arange(ROWS)], [np.arange(ROWS)[::-1]]]
    list(
        train(parameters, {}, training, data(5, 2), order, loss_and_gradients=watched,
              evaluate=evaluate, step=velocity_step, learning_rate=0.1, momentum=0.9)
    )  # fmt: skip
    assert handed == [True, False, True]


def test_validation_never_trains() -> None:
    def blind(parameters: Arrays, x: Array, targets: Array) -> tuple[float, float]:
        return 0.0, 0.0

    for seen, unseen in zip(run(batches(3, 5)), run(batches(3, 5), evaluate=blind), strict=True):
        np.testing.assert_equal(seen.parameters, unseen.parameters)


def test_who_reads_a_record_cannot_steer_the_run() -> None:
    honest = run(batches(2, 5))
    parameters = initial_parameters(SIZES, np.random.default_rng(0))
    order = batches(2, 5)
    records = []
    for record in train(
        parameters, initial_velocity(parameters, weights=1e-5), data(ROWS, 1), data(5, 2), order,
        loss_and_gradients=loss_and_gradients, evaluate=evaluate, step=velocity_step,
        learning_rate=0.1, momentum=0.9,
    ):  # fmt: skip
        records.append(record.loss)
        for arrays in (record.parameters, record.gradients, record.state):
            for name, array in arrays.items():
                with pytest.raises(ValueError, match="read-only"):
                    array[...] = np.nan
                arrays[name] = np.full_like(array, np.nan)
        record.batch[...] = 0
    assert records == [record.loss for record in honest]
    np.testing.assert_equal(order, batches(2, 5))


def test_a_step_that_works_in_place_cannot_rewrite_a_record() -> None:
    def in_place(w: Arrays, dw: Arrays, v: Arrays, **rates: float) -> tuple[Arrays, Arrays]:
        stepped, state = velocity_step(w, dw, v, **rates)
        for name in w:
            w[name][...], v[f"v_{name}"][...] = stepped[name], state[f"v_{name}"]
            dw[name][...] = 0
        return w, v

    for honest, planted in zip(run(batches(2, 5)), run(batches(2, 5), step=in_place), strict=True):
        np.testing.assert_equal(planted.parameters, honest.parameters)
        np.testing.assert_equal(planted.state, honest.state)
        np.testing.assert_equal(planted.gradients, honest.gradients)


def test_functions_that_keep_their_arrays_cannot_rewrite_a_record() -> None:
    kept: Arrays = {}

    def in_kept(arrays: Arrays, kind: str) -> Arrays:
        for name, array in arrays.items():
            kept.setdefault(kind + name, np.empty_like(array))[...] = array
        return {name: kept[kind + name] for name in arrays}

    def keeping(*point: Any) -> tuple[float, Arrays]:
        loss, gradients = loss_and_gradients(*point)
        return loss, in_kept(gradients, "d")

    def step(*given: Any, **rates: Any) -> tuple[Arrays, Arrays]:
        parameters, state = velocity_step(*given, **rates)
        return in_kept(parameters, "to "), in_kept(state, "to ")

    planted = run(batches(2, 5), loss_and_gradients=keeping, step=step)
    for honest, one in zip(run(batches(2, 5)), planted, strict=True):
        np.testing.assert_equal(one.parameters, honest.parameters)
        np.testing.assert_equal(one.state, honest.state)
        np.testing.assert_equal(one.gradients, honest.gradients)


def test_weights_that_a_gradient_writes_to_are_what_is_stepped_from() -> None:
    def halving(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        found = loss_and_gradients(parameters, x, targets)
        parameters["w1"] *= 0.5
        return found

    first, second, *_ = run(batches(1, 5), loss_and_gradients=halving)
    expected = first.parameters["w1"] / 2 - second.state["v_w1"]
    np.testing.assert_array_equal(second.parameters["w1"], expected)


def test_between_two_records_only_what_they_show_is_kept() -> None:
    parameters = initial_parameters((300, 200, 3), np.random.default_rng(0))
    state = initial_velocity(parameters)
    rows = np.ones((4, 300)), np.full((4, 3), 1 / 3)
    tracemalloc.start()
    for record in train(
        parameters, state, rows, rows, [[np.arange(4)]] * 4,
        loss_and_gradients=loss_and_gradients, evaluate=evaluate, step=velocity_step,
        learning_rate=0.1, momentum=0.9,
    ):  # fmt: skip
        shown = (record.parameters, record.gradients, record.state)
        of_record = sum(array.nbytes for arrays in shown for array in arrays.values())
        del shown
        assert tracemalloc.get_traced_memory()[0] < 1.1 * of_record
        del record
    tracemalloc.stop()
