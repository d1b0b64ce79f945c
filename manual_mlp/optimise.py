"""Gradient descent with momentum, in the two forms people write it.

A table with one entry each. At a constant learning rate the forms walk the same path, with
velocity = learning_rate * buffer; when the rate changes they part, because `velocity` keeps the
steps taken at the old rate and `buffer` rescales them to the new one.
"""

from collections.abc import Callable, Mapping

import numpy as np

from manual_mlp.arrays import Array, Arrays, require_same_shape

Step = Callable[..., tuple[Arrays, Arrays]]


@np.errstate(over="ignore", invalid="ignore")  # a run that diverges says so in its numbers
def velocity_step(
    parameters: Mapping[str, Array],
    gradients: Mapping[str, Array],
    state: Mapping[str, Array],
    *,
    learning_rate: float,
    momentum: float,
) -> tuple[Arrays, Arrays]:
    """The report's form: the velocity is in units of the parameters, learning rate inside.

        v = momentum * v + learning_rate * dw
        w = w - v

    Keys of `state` are v_w1, v_b1, ...; a missing one counts as zeros. Pure: new dictionaries of
    new arrays come back, in the dtype of the parameters. Raises `ValueError` where a gradient or
    a velocity does not have its parameter's shape.

    Source: Sutskever, Martens, Dahl & Hinton 2013, ICML, equations 1 and 2, with v = -v there.
    """
    stepped: Arrays = {}
    velocities: Arrays = {}
    for name, w, dw, v in triples(parameters, gradients, state):
        v = momentum * v + learning_rate * dw
        velocities[f"v_{name}"], stepped[name] = v, w - v
    return stepped, velocities


@np.errstate(over="ignore", invalid="ignore")
def buffer_step(
    parameters: Mapping[str, Array],
    gradients: Mapping[str, Array],
    state: Mapping[str, Array],
    *,
    learning_rate: float,
    momentum: float,
) -> tuple[Arrays, Arrays]:
    """torch's form: the buffer is in units of the gradient, learning rate outside.

        v = momentum * v + dw
        w = w - learning_rate * v

    State, purity and errors as in `velocity_step`. No dampening: the first buffer is momentum
    times the initial one plus the whole gradient.

    Source: torch.optim.SGD, which states this difference from Sutskever et al. 2013.
    """
    stepped: Arrays = {}
    buffers: Arrays = {}
    for name, w, dw, v in triples(parameters, gradients, state):
        v = momentum * v + dw
        buffers[f"v_{name}"], stepped[name] = v, w - learning_rate * v
    return stepped, buffers


def triples(
    parameters: Mapping[str, Array], gradients: Mapping[str, Array], state: Mapping[str, Array]
) -> list[tuple[str, Array, Array, Array]]:
    """(name, w, dw, v) for every parameter, shapes checked, absent state as zeros."""
    found = []
    for name, w in parameters.items():
        dw, v = gradients[name], state.get(f"v_{name}", np.zeros_like(w))
        require_same_shape(**{name: w, f"d{name}": dw, f"v_{name}": v})
        found.append((name, w, dw, v))
    return found


OPTIMISERS: dict[str, Step] = {"velocity": velocity_step, "buffer": buffer_step}
