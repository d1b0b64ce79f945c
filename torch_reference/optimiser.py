"""One update by `torch.optim.SGD`, and the only place where the two momentum forms meet.

`step` calls the function that is inside of it; the trainer uses the optimiser itself.

torch keeps a buffer, the report a velocity:

    buffer:   v = momentum*v + dw                  w -= learning_rate*v
    velocity: v = momentum*v + learning_rate*dw    w -= v

so velocity = learning_rate * buffer.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.sgd import sgd

from torch_reference.device import find_device
from torch_reference.eager import eager
from torch_reference.layout import (
    Array,
    Arrays,
    numpy_dtype,
    require,
    require_names,
    to_array,
    to_tensor,
    torch_dtype,
    transposed,
)

FORMS = ("velocity", "buffer")


def step(
    parameters: Mapping[str, Array],
    gradients: Mapping[str, Array],
    state: Mapping[str, Array] | None,
    *,
    learning_rate: float,
    momentum: float,
    form: str = "velocity",
    device: str = "cpu",
) -> tuple[Arrays, Arrays]:
    """The parameters and the state after one update; the arguments are left as they were.

    A velocity is divided by *this* step's learning rate on its way in, so a run that changes its
    learning rate keeps its velocity, where torch left alone would keep its buffer.

    Parameters:
        parameters: w1, b1, ...; left as they are.
        gradients: under the same names.
        state: v_w1, v_b1, ... in the given form; what is absent is zero.
        learning_rate: above 0.
        momentum: of `torch.optim.SGD`.
        form: "velocity" or "buffer".
        device: where torch computes.

    Returns:
        New parameters and new state.

    Raises:
        ValueError: a wrong name, shape, dtype, form or device, or a learning rate of 0.

    Example:
        >>> import numpy as np
        >>> w, dw, v = {"w1": np.ones((1, 1))}, {"w1": np.ones((1, 1))}, {"v_w1": np.ones((1, 1))}
        >>> step(w, dw, v, learning_rate=0.5, momentum=0.25)
        ({'w1': array([[0.25]])}, {'v_w1': array([[0.75]])})
    """
    require_names("gradients", gradients, set(parameters))
    dtypes = {array.dtype for array in parameters.values()}
    if len(dtypes) != 1:
        raise ValueError(f"The parameters are of {len(dtypes)} dtypes; they must be of one.")
    place = find_device(device, torch_dtype(dtypes.pop()))
    scale = scale_of(form, learning_rate)
    for name, array in parameters.items():
        require(f"gradient {name}", gradients[name], array.shape, array.dtype)
    # An update is elementwise, so nothing is transposed here.
    stepped = {name: to_tensor(array).to(place, copy=True) for name, array in parameters.items()}
    buffers = {name: v.div_(scale) for name, v in state_tensors(stepped, state or {}).items()}
    used = {name: to_tensor(gradients[name]).to(place) for name in parameters}
    sgd(
        list(stepped.values()), list(used.values()),
        list(buffers.values()) if momentum else [None] * len(stepped),
        foreach=False, lr=learning_rate, momentum=momentum,
        weight_decay=0.0, dampening=0.0, nesterov=False, maximize=False,
    )  # fmt: skip
    # Without momentum torch keeps no buffer; what the update used, 0*v + dw, is the gradient.
    after = buffers if momentum else {name: tensor.clone() for name, tensor in used.items()}
    return (
        {name: to_array(tensor) for name, tensor in stepped.items()},
        {f"v_{name}": to_array(after[name].mul_(scale)) for name in stepped},
    )


def scale_of(form: str, learning_rate: float) -> float:
    """Return the factor from buffer to state in `form`; ValueError for an unknown form, or rate."""
    if form not in FORMS:
        names = " and ".join(FORMS)
        raise ValueError(f"There is no momentum form {form!r}; there are {names}.")
    if not learning_rate > 0:
        raise ValueError(f"The learning rate is {learning_rate}; it must be above 0.")
    return learning_rate if form == "velocity" else 1.0


def load_optimiser(
    named: Mapping[str, nn.Parameter],
    state: Mapping[str, Array] | None,
    *,
    learning_rate: float,
    momentum: float,
    form: str,
) -> SGD:
    """An SGD whose momentum buffers are `state`, zeros where absent.

    Zeros are set, not left out: a missing buffer makes torch start from `v = dw`, which equals
    `momentum*0 + dw` only because its dampening is 0. Without momentum torch keeps no buffers, and
    none are set.
    """
    scale = scale_of(form, learning_rate)
    buffers = {
        name: transposed(v) for name, v in state_tensors(in_our_layout(named), state or {}).items()
    }
    optimiser = eager(SGD)(list(named.values()), lr=learning_rate, momentum=momentum)
    if momentum:
        for name, parameter in named.items():
            optimiser.state[parameter]["momentum_buffer"] = buffers[name] / scale
    return optimiser


def read_state(optimiser: SGD, named: Mapping[str, nn.Parameter], form: str) -> Arrays:
    """The state after an update, as arrays of its own, in the given form.

    Without momentum SGD has nothing to read, and what the update used, `0*v + dw`, is the gradient.
    """
    settings = optimiser.param_groups[0]
    scale = settings["lr"] if form == "velocity" else 1.0
    state: Arrays = {}
    for name, parameter in named.items():
        stored = optimiser.state[parameter]
        buffer = stored["momentum_buffer"] if settings["momentum"] else gradient_of(parameter)
        state[f"v_{name}"] = to_array(transposed(buffer * scale))
    return state


def gradient_of(parameter: nn.Parameter) -> Tensor:
    """The gradient that `backward` left; every parameter of this network has one."""
    assert parameter.grad is not None
    return parameter.grad


def in_our_layout(named: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """The parameters, seen as the other side lays them out."""
    return {name: transposed(parameter.detach()) for name, parameter in named.items()}


def state_tensors(
    parameters: Mapping[str, Tensor], state: Mapping[str, Array]
) -> dict[str, Tensor]:
    """`state` as tensors of its own beside the parameters, completed with zeros."""
    keys = {f"v_{name}" for name in parameters}
    require_names("keys of the state", dict.fromkeys(keys) | dict(state), keys)
    tensors = {}
    for name, parameter in parameters.items():
        array = state.get(f"v_{name}")
        if array is None:
            tensors[name] = torch.zeros_like(parameter)
        else:
            require(f"v_{name}", array, tuple(parameter.shape), numpy_dtype(parameter.dtype))
            tensors[name] = to_tensor(array).to(parameter.device, copy=True)
    return tensors
