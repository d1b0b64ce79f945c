"""A list is told from a dictionary by how a function asks for what is in it."""

import ast
from pathlib import Path

import pytest

from compare.contracts.result import Verdict
from compare.examine.starter.by_place import positional
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result


@pytest.mark.parametrize(
    ("body", "takes_a_list"),
    [
        ("a, b, c = sizes", True),
        ("[one for one in sizes]", True),
        ("sizes[0]", True),
        ("for i in range(1, len(sizes)): f(sizes[i], sizes[i - 1])", True),
        ("for i in reversed(range(len(sizes))): f(sizes[i])", True),
        ("for i in range(len(sizes) // 2): f(sizes['W' + str(i)])", False),
        ("for i in range(len(sizes) // 2): f(sizes[f'W{i}'])", False),
        ("for key in names: f(sizes[key])", False),
    ],
)
def test_what_asks_for_places_takes_a_list(body: str, takes_a_list: bool) -> None:
    assert positional(ast.parse(body), "sizes") is takes_a_list


DEEP = """
import numpy as np
def init(dims):
    return {k + str(i): v for i in range(1, len(dims)) for k, v in (
        ("W", np.random.randn(dims[i], dims[i - 1]) / np.sqrt(dims[i - 1])),
        ("b", np.zeros((dims[i], 1))))}
def forward(X, weights):
    kept, A = [], X
    for i in range(1, len(weights) // 2 + 1):
        Z = weights["W" + str(i)] @ A + weights["b" + str(i)]
        kept.append((A, Z, weights["W" + str(i)]))
        A = np.maximum(Z, 0) if i < len(weights) // 2 else 1 / (1 + np.exp(-Z))
    return A, kept
def cost(A, Y, weights, lambd):
    m = Y.shape[1]
    size = sum(np.sum(weights["W" + str(i)] ** 2) for i in range(1, len(weights) // 2 + 1))
    data = -np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A)) / m
    return data + lambd / (2 * m) * size
def backward(A, Y, kept, lambd):
    m, grads = Y.shape[1], {}
    dZ = A - Y
    for i in reversed(range(len(kept))):
        before, Z, W = kept[i]
        grads["dW" + str(i + 1)] = (dZ @ before.T + lambd * W) / m
        grads["db" + str(i + 1)] = dZ.sum(axis=1, keepdims=True) / m
        if i:
            dZ = (W.T @ dZ) * (kept[i - 1][1] > 0)
    return grads
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("slip", "verdict"),
    [(("", ""), Verdict.AGREES), (("lambd * W) / m", "lambd * W / m)"), Verdict.DISAGREES),
     (("(kept[i - 1][1] > 0)", "1"), Verdict.DISAGREES)],
)  # fmt: skip
def test_layers_made_by_a_loop_over_their_sizes_are_compared_with_their_penalty(
    slip: tuple[str, str], verdict: Verdict, tmp_path: Path
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(DEEP.replace(*slip) if slip[0] else DEEP)
    found = starter_result(check_starter(path, timeout=20.0))
    assert found.verdict is verdict, found.sentence
