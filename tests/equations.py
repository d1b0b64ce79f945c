"""The network of docs/derivation.md as bare equations, and the complex step to differentiate them.

Nothing here knows a derivative, and nothing is taken from `manual_mlp`. Numbers to put in are at
the end: no two sizes are equal, biases are not zero, targets are soft.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from manual_mlp.arrays import Array, Arrays

STEP = 1e-30


def erf(z: Array) -> Array:
    """2 / sqrt(pi) exp(-z^2) sum_n 2^n z^(2n+1) / (2n+1)!!, of complex z: nothing cancels."""
    term = total = z
    for n in range(1, 200):
        term = term * 2 * z * z / (2 * n + 1)
        total = total + term
    found: Array = 2 / np.sqrt(np.pi) * np.exp(-z * z) * total
    return found


ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": lambda z: np.where(z.real > 0, z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "identity": lambda z: z,
    "leaky_relu": lambda z: np.where(z.real > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z.real > 0, z, np.exp(z) - 1),
    "selu": lambda z: SCALE * np.where(z.real > 0, z, ALPHA * (np.exp(z) - 1)),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "gelu": lambda z: z * (1 + erf(z / np.sqrt(2))) / 2,
    "gelu_tanh": lambda z: z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))) / 2,
    "relu6": lambda z: np.where(z.real > 6, 6, np.where(z.real > 0, z, 0)),
    "hardtanh": lambda z: np.where(abs(z.real) > 1, np.sign(z.real), z),
}


def softmax(logits: Array) -> Array:
    """(1.3), for one row or many."""
    e = np.exp(logits)
    p: Array = e / e.sum(axis=-1, keepdims=True)
    return p


def lse(logits: Array) -> Any:
    """The first half of (2.2), for one row or many."""
    return np.log(np.exp(logits).sum(axis=-1))


def loss_of_p(p: Array, y: Array) -> Any:
    """(1.4)."""
    return -np.sum(y * np.log(p)) / len(y)


def loss_of_logits(logits: Array, y: Array) -> Any:
    """(1.4) after (1.3)."""
    return loss_of_p(softmax(logits), y)


def loss_of(
    parameters: Mapping[str, Array], x: Array, y: Array, activation: str, **moved: Array
) -> Any:
    """(1.1) to (1.4). What is given as z1, z2, ... is added to the z of that layer."""
    h, last = x, len(parameters) // 2
    for layer in range(1, last + 1):
        z = h @ parameters[f"w{layer}"] + parameters[f"b{layer}"] + moved.get(f"z{layer}", 0)
        h = ACTIVATIONS[activation](z) if layer < last else z
    return loss_of_logits(h, y)


def derivative(f: Callable[[Array], Any], x: Array) -> Array:
    """Every df_i/dx_j = Im f(x + i STEP e_j) / STEP, with the shape of f followed by that of x.

    No difference is formed, so nothing cancels: it is exact up to rounding.

    Source: Squire & Trapp 1998, SIAM Review 40.
    """
    columns = []
    for index in np.ndindex(x.shape):
        moved = x.astype(complex)
        moved[index] += STEP * 1j
        columns.append(np.imag(f(moved)) / STEP)
    stacked = np.array(columns).reshape(*x.shape, *np.shape(columns[0]))
    return np.moveaxis(stacked, range(x.ndim), range(-x.ndim, 0))


def same(actual: object, expected: object) -> None:
    """Equal up to the rounding of a few dozen operations on numbers of order 1, in float64."""
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=1e-12, atol=1e-13)


def normal(*shape: int, seed: int = 0, scale: float = 1.0) -> Array:
    """Normal numbers, the same in every call with the same seed."""
    return np.random.default_rng(seed).normal(0, scale, shape)


def drawn(*sizes: int) -> Arrays:
    """Parameters for layers of these sizes."""
    parameters = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        parameters[f"w{layer}"] = normal(fan_in, fan_out, seed=layer, scale=fan_in**-0.5)
        parameters[f"b{layer}"] = normal(fan_out, seed=10 + layer, scale=0.3)
    return parameters


N, F, H, K = 7, 5, 4, 3
x = normal(N, F, seed=20)
logits = normal(N, K, seed=21, scale=2.0)
y = np.random.default_rng(22).dirichlet(np.ones(K), N)
for array in (x, logits, y):
    array.setflags(write=False)
