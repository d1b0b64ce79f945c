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

        Source: Sutskever, Martens, Dahl & Hinton 2013, ICML, equations 1 and 2, with v = -v there.

    Parameters:
        parameters: w1, b1, ...; left as they are.
        gradients: under the same names.
        state: v_w1, v_b1, ...; a missing one counts as zeros.
        learning_rate: above.
        momentum: above.

    Returns:
        New parameters and new state, in the dtype of the parameters.

    Raises:
        ValueError: a gradient or a velocity without its parameter's shape.

    Example:
        >>> w, dw, v = {"w1": np.array([1.0])}, {"w1": np.array([2.0])}, {"v_w1": np.array([4.0])}
        >>> velocity_step(w, dw, v, learning_rate=0.5, momentum=0.25)
        ({'w1': array([-1.])}, {'v_w1': array([2.])})
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

    No dampening: the first buffer is momentum times the initial one plus the whole gradient.

    Source: torch.optim.SGD, which states this difference from Sutskever et al. 2013.

    Parameters:
        parameters: w1, b1, ...; left as they are.
        gradients: under the same names.
        state: v_w1, v_b1, ...; a missing one counts as zeros.
        learning_rate: above.
        momentum: above.

    Returns:
        New parameters and new state, in the dtype of the parameters.

    Raises:
        ValueError: a gradient or a velocity without its parameter's shape.

    Example:
        >>> w, dw, v = {"w1": np.array([1.0])}, {"w1": np.array([2.0])}, {"v_w1": np.array([4.0])}
        >>> buffer_step(w, dw, v, learning_rate=0.5, momentum=0.25)
        ({'w1': array([-0.5])}, {'v_w1': array([3.])})
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
