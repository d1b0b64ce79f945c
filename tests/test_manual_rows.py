"""Row blocks change no number: their gradients add up to the one of the plain form."""

import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import manual_mlp.rows
from manual_mlp import Criterion, Penalty, declared, evaluate, loss_and_gradients
from manual_mlp.arrays import Array, Arrays, depth
from manual_mlp.rows import GROUP, block_sizes, row_blocks
from tests.test_manual_network import SIZES, Problem, cast, problem

DERIVATIVES: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2),
    "identity": (lambda z: z, np.ones_like),
}


def plain(point: Problem, activation: str) -> tuple[float, Arrays]:
    """Loss and gradients as the equations stand, nothing shared, nothing written twice."""
    parameters, x, targets = point
    value, derivative = DERIVATIVES[activation]
    z, h, gradients = {}, {0: x}, {}
    last = depth(parameters)
    for layer in range(1, last + 1):
        z[layer] = h[layer - 1] @ parameters[f"w{layer}"] + parameters[f"b{layer}"]
        h[layer] = value(z[layer])
    p = np.exp(z[last]) / np.exp(z[last]).sum(axis=1, keepdims=True)
    dz = (p - targets) / len(x)
    for layer in range(last, 0, -1):
        gradients[f"w{layer}"] = h[layer - 1].T @ dz
        gradients[f"b{layer}"] = dz.sum(axis=0)
        if layer > 1:
            dz = (dz @ parameters[f"w{layer}"].T) * derivative(z[layer - 1])
    return float(-(targets * np.log(p)).sum() / len(x)), gradients


@pytest.fixture(params=[1, 3, 10, 2**22])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """So many rows in a block, at most."""
    rows = int(request.param)
    monkeypatch.setattr(manual_mlp.rows, "BLOCK_BYTES", 1)
    monkeypatch.setattr(manual_mlp.rows, "LEAST_ROWS", rows)
    return rows


@pytest.mark.parametrize("activation", sorted(DERIVATIVES))
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_gradients_of_row_blocks_add_up_to_the_gradient(
    sizes: tuple[int, ...], activation: str, block: int
) -> None:
    point = problem(sizes, rows=23)
    assert len(row_blocks(23, point[0])) == -(-23 // block)
    loss, gradients = loss_and_gradients(*point, activation=activation)
    plain_loss, plain_gradients = plain(point, activation)
    assert loss == pytest.approx(plain_loss, rel=1e-14)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, plain_gradients[name], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_of_row_blocks_are_those_of_all_rows(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = cast(problem((4, 7, 6, 3), rows=23), dtype)
    _, _, whole = loss_and_gradients(*point, intermediates=True)
    monkeypatch.setattr(manual_mlp.rows, "BLOCK_BYTES", 1)
    monkeypatch.setattr(manual_mlp.rows, "LEAST_ROWS", 5)
    loss, gradients, shown = loss_and_gradients(*point, intermediates=True)
    assert list(shown) == list(whole)
    for name, value in whole.items():  # a product of fewer rows may round otherwise
        np.testing.assert_allclose(
            shown[name], value, rtol=1e3 * float(np.finfo(dtype).eps), atol=1e-6
        )
    again = loss_and_gradients(*point, intermediates=("logits",))
    np.testing.assert_equal(again, (loss, gradients, {"logits": shown["logits"]}))


def test_evaluation_by_row_blocks_has_the_loss_of_the_gradient_pass(block: int) -> None:
    point = problem((6, 5, 3), rows=23)
    loss, accuracy = evaluate(*point)
    assert loss == loss_and_gradients(*point)[0]
    logits = loss_and_gradients(*point, intermediates=("logits",))[2]["logits"]
    assert accuracy == np.mean(logits.argmax(axis=1) == point[2].argmax(axis=1))


@pytest.mark.parametrize(
    "criterion",
    [
        Criterion("mse", "sigmoid", loss_factor=0.5),
        Criterion("huber", reduction="batch_mean"),
        Criterion(label_smoothing=0.1, class_weights=(1.0, 3.0, 0.5), ignore_index=1),
    ],
    ids=lambda criterion: criterion.loss,
)
def test_row_blocks_of_a_declared_network_add_up_and_its_penalty_counts_once(
    criterion: Criterion, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters, x, targets = problem((4, 7, 6, 3), rows=23)
    targets = np.eye(3)[targets.argmax(axis=1)]
    options: dict[str, Any] = {
        "activation": "gelu", "criterion": criterion, "penalty": Penalty(l2=0.3, l1=0.1)
    }  # fmt: skip
    loss, gradients, shown = declared.loss_and_gradients(parameters, x, targets, **options)
    monkeypatch.setattr(manual_mlp.rows, "BLOCK_BYTES", 1)
    monkeypatch.setattr(manual_mlp.rows, "LEAST_ROWS", 5)
    blocks = declared.loss_and_gradients(parameters, x, targets, **options)
    assert blocks[0] == pytest.approx(loss, rel=1e-14)
    assert declared.evaluate(parameters, x, targets, **options)[0] == blocks[0]
    for name, gradient in gradients.items():
        np.testing.assert_allclose(blocks[1][name], gradient, rtol=1e-12, atol=1e-15)
    for name, value in shown.items():
        np.testing.assert_allclose(blocks[2][name], value, rtol=1e-12, atol=1e-15)


@pytest.mark.slow
def test_a_pass_needs_no_more_memory_for_more_rows() -> None:
    """Beyond the data: 2 MB for a block of 512 rows, and not 40 times as much for 40 of them."""
    point = problem((6, 512, 3), rows=1)

    def peak(rows: int) -> int:
        x, targets = np.ones((rows, 6)), np.full((rows, 3), 1 / 3)
        tracemalloc.start()
        loss_and_gradients(point[0], x, targets)
        evaluate(point[0], x, targets)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(40 * 1024) < 1.1 * peak(2 * 1024)


@given(
    rows=st.integers(0, 5000),
    widths=st.lists(st.integers(1, 3000), min_size=1, max_size=3),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_row_blocks_cover_every_row_once_and_are_of_about_one_size(
    rows: int, widths: list[int], dtype: str
) -> None:
    w = {f"w{i}": np.broadcast_to(np.zeros((), dtype), (3, n)) for i, n in enumerate(widths, 1)}
    blocks = row_blocks(rows, w)
    counted = np.zeros(rows)
    for block in blocks:
        counted[block] += 1
    np.testing.assert_array_equal(counted, 1)
    sizes = [block.stop - block.start for block in blocks]
    assert max(sizes) - min(sizes) <= min(len(blocks), GROUP)
    most = manual_mlp.rows.BLOCK_BYTES // (max(widths) * np.dtype(dtype).itemsize)
    assert max(sizes) <= max(most, manual_mlp.rows.LEAST_ROWS) + GROUP / 2


@pytest.mark.parametrize("count", [2, 20, GROUP, 79])
def test_arrays_of_a_block_fit_where_those_of_the_one_before_it_lay(count: int) -> None:
    sizes = block_sizes(500 * count + 7, count)
    assert sum(sizes) == 500 * count + 7
    for k, (one, then) in enumerate(pairwise(sizes), start=1):
        assert then < one or k % GROUP == 0
