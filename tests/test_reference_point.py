"""The reference at one point: against values worked by hand, its own slope, and its promises."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from torch_reference import Reference
from torch_reference.layout import to_tensor
from torch_reference.reference import REMEMBERED

Array = NDArray[np.floating[Any]]

X = np.array([[1.0, -2.0]])
TARGETS = np.array([[1.0, 0.0]])
PARAMETERS: dict[str, Array] = {
    "w1": np.array([[1.0, 0.0, 1.0], [0.0, 1.0, -1.0]]),
    "b1": np.array([1.0, 1.0, 0.0]),
    "w2": np.array([[1.0, -1.0], [2.0, 4.0], [0.0, 2.0]]),
    "b2": np.array([2.0, 0.0]),
}
# Worked by hand: the second unit is off, and the two logits are equal.
STAGES: dict[str, list[Any]] = {
    "z1": [[2.0, -1.0, 3.0]],
    "h1": [[2.0, 0.0, 3.0]],
    "logits": [[4.0, 4.0]],
    "p": [[0.5, 0.5]],
    "dlogits": [[-0.5, 0.5]],
    "dh1": [[-1.0, 1.0, 1.0]],
    "dz1": [[-1.0, 0.0, 1.0]],
}
GRADIENTS: dict[str, list[Any]] = {
    "w1": [[-1.0, 0.0, 1.0], [2.0, 0.0, -2.0]],
    "b1": [-1.0, 0.0, 1.0],
    "w2": [[-1.0, 1.0], [0.0, 0.0], [-1.5, 1.5]],
    "b2": [-0.5, 0.5],
}


def drawn(
    sizes: tuple[int, ...], rows: int, dtype: type[np.floating[Any]] = np.float64
) -> tuple[dict[str, Array], Array, Array]:
    """Random parameters with non-zero biases, random inputs and soft targets."""
    generator = np.random.default_rng(7)
    parameters: dict[str, Array] = {}
    for number, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        parameters[f"w{number}"] = generator.normal(size=(fan_in, fan_out)).astype(dtype)
        parameters[f"b{number}"] = generator.normal(size=fan_out).astype(dtype)
    x = generator.normal(size=(rows, sizes[0])).astype(dtype)
    return parameters, x, generator.dirichlet(np.ones(sizes[-1]), rows).astype(dtype)


def test_gradients_and_stages_are_those_worked_by_hand() -> None:
    found = Reference((2, 3, 2)).loss_and_gradients(PARAMETERS, X, TARGETS, intermediates=True)
    loss, gradients, stages = found
    assert loss == pytest.approx(np.log(2), rel=1e-15)
    assert list(gradients) == list(GRADIENTS)
    assert stages.keys() == STAGES.keys()
    for name, expected in (GRADIENTS | STAGES).items():
        np.testing.assert_allclose((gradients | stages)[name], expected, rtol=0, atol=1e-15)


def test_one_layer_at_zero_weights_has_the_gradient_worked_by_hand() -> None:
    parameters = {"w1": np.zeros((2, 3)), "b1": np.zeros(3)}
    x, targets = np.array([[1.0, 2.0], [3.0, 5.0]]), np.eye(3)[[0, 2]]
    loss, gradients = Reference((2, 3)).loss_and_gradients(parameters, x, targets)
    assert loss == pytest.approx(np.log(3), rel=1e-15)
    expected = np.array([[1.0, 4.0, -5.0], [1.0, 7.0, -8.0]]) / 6
    np.testing.assert_allclose(gradients["w1"], expected, atol=1e-15)
    np.testing.assert_allclose(gradients["b1"], np.array([-1.0, 2.0, -1.0]) / 6, atol=1e-15)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "identity"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_gradient_is_the_slope_of_the_loss(activation: str, reduction: str) -> None:
    """`L(θ + h d) - L(θ) - h <g, d>` shrinks by 4 when h is halved, for soft targets."""
    parameters, x, targets = drawn((5, 4, 6, 3), rows=7)
    reference = Reference((5, 4, 6, 3), activation=activation, reduction=reduction)
    loss, gradients = reference.loss_and_gradients(parameters, x, targets)
    generator = np.random.default_rng(8)
    direction = {name: generator.normal(size=w.shape) for name, w in parameters.items()}
    slope = sum(float(np.vdot(gradients[name], direction[name])) for name in parameters)

    def rest(h: float) -> float:
        moved = {name: w + h * direction[name] for name, w in parameters.items()}
        return abs(reference.evaluate(moved, x, targets)[0] - loss - h * slope)

    assert rest(2e-5) / rest(1e-5) == pytest.approx(4, rel=0.02)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [1, 7])
def test_results_are_contiguous_arrays_of_the_parameters_shape_and_dtype(
    dtype: type[np.floating[Any]], rows: int
) -> None:
    parameters, x, targets = drawn((5, 4, 1, 3), rows, dtype)
    reference = Reference((5, 4, 1, 3), dtype=dtype)
    _, gradients, stages = reference.loss_and_gradients(parameters, x, targets, intermediates=True)
    assert {k: v.shape for k, v in gradients.items()} == {k: v.shape for k, v in parameters.items()}
    for array in [*gradients.values(), *stages.values()]:
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        assert array.flags.writeable


def test_float32_is_the_rounding_of_float64() -> None:
    results = []
    for dtype in (np.float32, np.float64):
        parameters, x, targets = drawn((5, 4, 3), 7, dtype)
        results.append(Reference((5, 4, 3), dtype=dtype).loss_and_gradients(parameters, x, targets))
    (single, single_gradients), (double, double_gradients) = results
    assert single == pytest.approx(double, rel=1e-6)
    for name, gradient in double_gradients.items():
        np.testing.assert_allclose(single_gradients[name], gradient, rtol=0, atol=1e-6)


def test_mean_is_sum_over_rows_and_not_over_entries() -> None:
    parameters, x, targets = drawn((5, 4, 3), rows=7)
    mean = Reference((5, 4, 3)).loss_and_gradients(parameters, x, targets)
    total = Reference((5, 4, 3), reduction="sum").loss_and_gradients(parameters, x, targets)
    assert 7 * mean[0] == pytest.approx(total[0], rel=1e-14)
    for name, gradient in total[1].items():
        np.testing.assert_allclose(7 * mean[1][name], gradient, rtol=1e-13)


def test_a_call_changes_neither_its_arguments_nor_earlier_results() -> None:
    parameters, x, targets = drawn((5, 4, 3), rows=7)
    reference = Reference((5, 4, 3))
    arrays = [*parameters.values(), x, targets]
    before = [array.copy() for array in arrays]
    first = reference.loss_and_gradients(parameters, x, targets, intermediates=True)
    kept = {name: array.copy() for name, array in (first[1] | first[2]).items()}
    reference.loss_and_gradients({k: 2 * v for k, v in parameters.items()}, x, targets)
    again = reference.loss_and_gradients(parameters, x, targets, intermediates=True)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    for name, copy in kept.items():
        np.testing.assert_array_equal((first[1] | first[2])[name], copy)
        np.testing.assert_array_equal((again[1] | again[2])[name], copy)


@pytest.mark.parametrize("rows", [1, 7])
def test_no_gradient_shares_memory_with_an_argument_or_with_another_result(rows: int) -> None:
    parameters, x, targets = drawn((5, 4, 3), rows)
    reference = Reference((5, 4, 3))
    _, gradients, stages = reference.loss_and_gradients(parameters, x, targets, intermediates=True)
    others = [*parameters.values(), x, targets, *stages.values()]
    for name, gradient in gradients.items():
        for other in [*others, *(g for key, g in gradients.items() if key != name)]:
            assert not np.shares_memory(gradient, other)


def test_an_array_that_is_closed_for_writing_is_shared_and_a_part_of_one_is_that_part() -> None:
    whole = np.arange(12.0).reshape(4, 3).copy()
    for closed in (whole.view(), whole[1:], whole[::2], whole.T, whole.view(np.int64)):
        closed.flags.writeable = False
        tensor = to_tensor(closed)
        np.testing.assert_array_equal(tensor.numpy(), closed)
        shared = closed.shape == whole.shape and closed.dtype == whole.dtype
        assert np.shares_memory(tensor.numpy(), whole) == shared


def test_read_only_and_strided_inputs_are_read_like_any_other() -> None:
    parameters, x, targets = drawn((5, 4, 3), rows=7)
    reference = Reference((5, 4, 3))
    expected = reference.loss_and_gradients(parameters, x, targets)
    x.flags.writeable = False
    parameters["w1"].flags.writeable = False
    found = reference.loss_and_gradients(parameters, x[::-1], targets[::-1])
    assert found[0] == pytest.approx(expected[0], rel=1e-14)
    assert reference.loss_and_gradients(parameters, x, targets)[0] == expected[0]


def test_a_change_of_x_in_place_is_seen_on_the_cpu() -> None:
    parameters, x, targets = drawn((5, 4, 3), rows=7)
    reference = Reference((5, 4, 3))
    before = reference.loss_and_gradients(parameters, x, targets)[0]
    x *= 2
    fresh = Reference((5, 4, 3)).loss_and_gradients(parameters, x.copy(), targets)[0]
    assert reference.loss_and_gradients(parameters, x, targets)[0] == fresh != before


def test_evaluate_counts_the_rows_whose_largest_entries_coincide() -> None:
    parameters = {"w1": np.eye(3), "b1": np.zeros(3)}
    x = np.array([[3.0, 1.0, 0.0], [0.0, 1.0, 2.0], [1.0, 1.0, 0.0], [0.0, 5.0, 5.0]])
    targets = np.array([[0.6, 0.4, 0.0], [1.0, 0.0, 0.0], [0.9, 0.1, 0.0], [0.0, 0.0, 1.0]])
    reference = Reference((3, 3))
    loss, share = reference.evaluate(parameters, x, targets)
    assert share == 0.5  # rows 0 and 2; in a tie the first column is taken
    assert loss == reference.loss_and_gradients(parameters, x, targets)[0]


def test_the_random_generator_of_torch_is_left_alone() -> None:
    before = torch.get_rng_state()
    parameters, x, targets = drawn((5, 4, 3), rows=7)
    Reference((5, 4, 3)).loss_and_gradients(parameters, x, targets, intermediates=True)
    assert torch.equal(torch.get_rng_state(), before)


def test_logits_of_ten_thousand_overflow_nothing_in_float32() -> None:
    parameters = {"w1": np.eye(2, dtype=np.float32), "b1": np.zeros(2, dtype=np.float32)}
    x = np.array([[1e4, -1e4]], dtype=np.float32)
    targets = np.array([[0.0, 1.0]], dtype=np.float32)
    reference = Reference((2, 2), dtype=np.float32)
    loss, gradients = reference.loss_and_gradients(parameters, x, targets)
    assert loss == 2e4
    np.testing.assert_array_equal(gradients["b1"], [1.0, -1.0])


@pytest.mark.parametrize("device", ["abacus", "cuda:99", "meta", ""])
def test_a_device_torch_cannot_use_is_named_in_one_sentence(device: str) -> None:
    with pytest.raises(ValueError, match=rf"on the device '{device}': .*Try 'cpu'\.$"):
        Reference((5, 4, 3), device=device)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"activation": "swish"}, "no activation 'swish'; there are relu, tanh, sigmoid, identity"),
        ({"reduction": "none"}, "no reduction .none.; there are mean, batch_mean, sum"),
        ({"dtype": np.float16}, "in float32 or float64, not in float16"),
        ({"dtype": np.int64}, "in float32 or float64, not in int64"),
    ],
)
def test_an_unknown_setting_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Reference((5, 4, 3), **options)


@pytest.mark.parametrize("sizes", [(5,), (5, 0, 3)])
def test_sizes_without_a_layer_or_a_unit_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="needs inputs and classes, all at least 1"):
        Reference(sizes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"w1": np.zeros((4, 5))}, r"w1 has shape \(4, 5\); it must have shape \(5, 4\)"),
        ({"b1": np.zeros(1)}, r"b1 has shape \(1,\); it must have shape \(4,\)"),
        ({"b1": np.zeros(4, dtype=np.float32)}, "b1 is float32; it must be float64"),
        ({"w3": np.zeros((3, 3))}, "The parameters hold w3"),
    ],
)
def test_parameters_that_torch_would_bend_to_fit_are_refused(
    changes: dict[str, Array], words: str
) -> None:
    parameters, x, targets = drawn((5, 4, 3), rows=7)
    with pytest.raises(ValueError, match=words):
        Reference((5, 4, 3)).loss_and_gradients(parameters | changes, x, targets)


def test_a_missing_parameter_is_named() -> None:
    parameters, x, targets = drawn((5, 4, 3), rows=7)
    del parameters["b2"]
    with pytest.raises(ValueError, match="The parameters lack b2"):
        Reference((5, 4, 3)).evaluate(parameters, x, targets)


def test_inputs_and_targets_of_the_wrong_kind_are_refused() -> None:
    parameters, x, targets = drawn((5, 4, 3), rows=7)
    reference = Reference((5, 4, 3))
    with pytest.raises(ValueError, match="x is float32; it must be float64"):
        reference.loss_and_gradients(parameters, x.astype(np.float32), targets)
    with pytest.raises(ValueError, match="targets is int64; it must be float64"):
        reference.loss_and_gradients(parameters, x, np.eye(3, dtype=np.int64)[[0] * 7])  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match=r"targets has shape \(6, 3\); it must have shape \(7, 3\)"
    ):
        reference.loss_and_gradients(parameters, x, targets[:6])
    with pytest.raises(ValueError, match="x has no rows"):
        reference.loss_and_gradients(parameters, x[:0], targets[:0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here")
def test_a_gpu_gives_the_numbers_of_the_cpu() -> None:
    parameters, x, targets = drawn((5, 4, 3), rows=7)
    reference = Reference((5, 4, 3), device="cuda")
    for scale in (1.0, 2.0, 1.0, 3.0):
        inputs = scale * x
        expected = Reference((5, 4, 3)).loss_and_gradients(
            parameters, inputs, targets, intermediates=True
        )
        found = reference.loss_and_gradients(parameters, inputs, targets, intermediates=True)
        assert found[0] == pytest.approx(expected[0], rel=1e-13)
        for name, array in (expected[1] | expected[2]).items():
            np.testing.assert_allclose((found[1] | found[2])[name], array, atol=1e-13)


def test_arrays_sent_to_a_device_are_few_and_stay_alive() -> None:
    """While a sent array lives nobody else has its id, by which it is recognised."""
    reference = Reference((5, 4, 3))
    reference.device = torch.device("meta")  # a device without numbers, on any machine
    sent = [np.full((2, 5), float(n)) for n in range(9)]
    tensors = [reference._send(array) for array in sent]
    assert all(tensor.device.type == "meta" for tensor in tensors)
    assert reference._send(sent[-1]) is tensors[-1]
    assert len(reference._sent) == REMEMBERED
    for array in sent[-REMEMBERED:]:
        kept, tensor = reference._sent[id(array)]
        assert kept is array and tensor.shape == (2, 5)
