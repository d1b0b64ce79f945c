"""Where training starts: weights drawn from one generator, biases and velocity.

A table with one entry each. Weights are always drawn in float64 and then rounded, so a float32
run starts from the same numbers as a float64 run with the same seed.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import sqrt

import numpy as np
from numpy.typing import DTypeLike

from manual_mlp.arrays import Array, Arrays, entry


def xavier(fan_in: int, fan_out: int, generator: np.random.Generator) -> Array:
    """Zero-mean normal with *variance* 2 / (fan_in + fan_out).

    It keeps the variances of h forward and of dz backward about equal from layer to layer.
    Source: Glorot & Bengio 2010, AISTATS, equation 12.
    """
    return generator.normal(0.0, sqrt(2 / (fan_in + fan_out)), (fan_in, fan_out))


def he(fan_in: int, fan_out: int, generator: np.random.Generator) -> Array:
    """Zero-mean normal with *variance* 2 / fan_in: the 2 makes up for the half ReLU sets to 0.

    Source: He, Zhang, Ren & Sun 2015, ICCV, equation 10.
    """
    return generator.normal(0.0, sqrt(2 / fan_in), (fan_in, fan_out))


def uniform(fan_in: int, fan_out: int, generator: np.random.Generator) -> Array:
    """Uniform between -1 / sqrt(fan_in) and 1 / sqrt(fan_in), the older rule of thumb.

    Source: Glorot & Bengio 2010, AISTATS, equation 1.
    """
    bound = 1 / sqrt(fan_in)
    return generator.uniform(-bound, bound, (fan_in, fan_out))


INITIALISERS: dict[str, Callable[[int, int, np.random.Generator], Array]] = {
    "xavier": xavier,
    "he": he,
    "uniform": uniform,
}


def initial_parameters(
    sizes: Sequence[int],
    generator: np.random.Generator,
    *,
    scheme: str = "xavier",
    dtype: DTypeLike = np.float64,
) -> Arrays:
    """Weights drawn by `scheme` and zero biases for the layer sizes (F, H, ..., K).

    Parameters:
        sizes: (F, H, ..., K).
        generator: every weight is drawn from it, layer by layer.
        scheme: a name in `INITIALISERS`.
        dtype: of the arrays.

    Returns:
        w1 (F, H), b1 (H,), ..., wL (H, K), bL (K,).

    Raises:
        ValueError: an unknown scheme.

    Example:
        >>> drawn = initial_parameters((784, 1000, 10), np.random.default_rng(0))
        >>> {name: array.shape for name, array in drawn.items()}
        {'w1': (784, 1000), 'b1': (1000,), 'w2': (1000, 10), 'b2': (10,)}
    """
    draw = entry(INITIALISERS, scheme, "initialisation")
    parameters: Arrays = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        parameters[f"w{layer}"] = draw(fan_in, fan_out, generator).astype(dtype)
        parameters[f"b{layer}"] = np.zeros(fan_out, dtype)
    return parameters


def initial_velocity(parameters: Mapping[str, Array], *, weights: float = 0.0) -> Arrays:
    """A state v_w1, v_b1, ... with `weights` in every weight's velocity and 0 in every bias's.

    The report starts its weights' velocity at 1e-5; what its biases start from it does not say.

    Parameters:
        parameters: whose shapes and dtype the state takes.
        weights: the value of every entry of the weights' velocity.

    Returns:
        v_w1, v_b1, ...

    Example:
        >>> initial_velocity({"w1": np.ones((1, 2)), "b1": np.ones(2)}, weights=1e-5)
        {'v_w1': array([[1.e-05, 1.e-05]]), 'v_b1': array([0., 0.])}
    """
    state = {f"v_{name}": np.zeros_like(array) for name, array in parameters.items()}
    for name, v in state.items():
        if weights and name.startswith("v_w"):  # zeros that nobody writes to take no memory
            v[...] = weights
    return state
