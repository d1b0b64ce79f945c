"""Reused memory and row blocks change no number: held against the plain form of the textbook."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import manual_mlp.memory
from manual_mlp import Workspace, evaluate, loss_and_gradients
from manual_mlp.arrays import Array, Arrays, depth
from manual_mlp.memory import row_blocks
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


@pytest.mark.parametrize("block_bytes", [1, 200, 2**22])
@pytest.mark.parametrize("activation", sorted(DERIVATIVES))
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_blocks_and_workspace_stay_within_rounding_of_the_plain_form(
    sizes: tuple[int, ...], activation: str, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manual_mlp.memory, "BLOCK_BYTES", block_bytes)
    point = problem(sizes, rows=23)
    loss, gradients = loss_and_gradients(*point, activation=activation, workspace=Workspace())
    plain_loss, plain_gradients = plain(point, activation)
    assert loss == pytest.approx(plain_loss, rel=1e-14)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, plain_gradients[name], rtol=1e-12, atol=1e-15)


@given(
    shapes=st.lists(
        st.tuples(
            st.sampled_from(SIZES), st.integers(1, 20), st.sampled_from(["float32", "float64"])
        ),
        min_size=1,
        max_size=6,
    ),
    activation=st.sampled_from(sorted(DERIVATIVES)),
)
def test_one_workspace_serves_any_sequence_of_shapes_and_changes_no_number(
    shapes: list[tuple[tuple[int, ...], int, str]], activation: str
) -> None:
    workspace = Workspace()
    for sizes, rows, dtype in shapes:
        point = cast(problem(sizes, rows), dtype)
        loss, gradients = loss_and_gradients(*point, activation=activation)
        again = loss_and_gradients(*point, activation=activation, workspace=workspace)
        np.testing.assert_equal(again, (loss, gradients))
        evaluation = evaluate(*point, activation=activation, workspace=workspace)
        assert evaluation == evaluate(*point, activation=activation)
        assert evaluation[0] == loss


def test_what_a_pass_with_a_workspace_returns_belongs_to_the_caller() -> None:
    workspace = Workspace()
    point = problem((4, 7, 6, 3))
    names = ("z1", "h1", "logits", "p", "dlogits", "dh1", "dz2")
    first = loss_and_gradients(*point, intermediates=names, workspace=workspace)
    expected = loss_and_gradients(*point, intermediates=True)
    other, x, targets = problem((4, 7, 6, 3), seed=1)
    loss_and_gradients(other, x, targets, workspace=workspace)
    np.testing.assert_equal(first[:2], expected[:2])
    np.testing.assert_equal(first[2], {name: expected[2][name] for name in names})


def test_a_workspace_is_allocated_once() -> None:
    workspace = Workspace()
    point = problem((6, 5, 3))
    loss_and_gradients(*point, workspace=workspace)
    held = list(map(id, workspace._held.values()))
    loss_and_gradients(*point, workspace=workspace)
    assert list(map(id, workspace._held.values())) == held


@pytest.mark.parametrize("rows", [0, 1, 7, 100])
@pytest.mark.parametrize("block_bytes", [1, 64, 1000, 10**6])
def test_row_blocks_cover_every_row_once(
    rows: int, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manual_mlp.memory, "BLOCK_BYTES", block_bytes)
    array = np.zeros((rows, 4))
    for block in row_blocks(array):
        array[block] += 1
        assert len(array[block]) == 1 or array[block].nbytes <= block_bytes
    np.testing.assert_array_equal(array, 1)
