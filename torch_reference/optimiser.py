"""One update by `torch.optim.SGD`, and the only place where the two momentum forms meet.

torch keeps a buffer, the report a velocity:

    buffer:   v = momentum*v + dw                  w -= learning_rate*v
    velocity: v = momentum*v + learning_rate*dw    w -= v

so velocity = learning_rate * buffer.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import SGD

from torch_reference.device import find_device
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

    `state` has the keys `v_w1, v_b1, ...` in the given form; what is absent is zero. A velocity is
    divided by *this* step's learning rate on its way in, so a run that changes its learning rate
    keeps its velocity, where torch left alone would keep its buffer. ValueError for a wrong name,
    shape, dtype, form or device, and for a learning rate of 0.
    """
    require_names("gradients", gradients, set(parameters))
    dtypes = {array.dtype for array in parameters.values()}
    if len(dtypes) != 1:
        raise ValueError(f"The parameters are of {len(dtypes)} dtypes; they must be of one.")
    place = find_device(device, torch_dtype(dtypes.pop()))
    named: dict[str, nn.Parameter] = {}
    for name, array in parameters.items():
        require(f"gradient {name}", gradients[name], array.shape, array.dtype)
        named[name] = nn.Parameter(transposed(to_tensor(array).to(place, copy=True)))
        named[name].grad = transposed(to_tensor(gradients[name]).to(place))
    optimiser = load_optimiser(
        named, state, learning_rate=learning_rate, momentum=momentum, form=form
    )
    optimiser.step()
    stepped = {name: to_array(transposed(p)) for name, p in named.items()}
    return stepped, read_state(optimiser, named, form)


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
    if form not in FORMS:
        names = " and ".join(FORMS)
        raise ValueError(f"There is no momentum form {form!r}; there are {names}.")
    if not learning_rate > 0:
        raise ValueError(f"The learning rate is {learning_rate}; it must be above 0.")
    scale = learning_rate if form == "velocity" else 1.0
    buffers = state_tensors(named, state or {})
    optimiser = SGD(list(named.values()), lr=learning_rate, momentum=momentum)
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


def state_tensors(
    named: Mapping[str, nn.Parameter], state: Mapping[str, Array]
) -> dict[str, Tensor]:
    """`state` in torch's layout, beside the parameters, completed with zeros."""
    keys = {f"v_{name}" for name in named}
    require_names("keys of the state", dict.fromkeys(keys) | dict(state), keys)
    tensors = {name: torch.zeros_like(parameter) for name, parameter in named.items()}
    for name, tensor in tensors.items():
        array = state.get(f"v_{name}")
        if array is not None:
            target = transposed(tensor)
            require(f"v_{name}", array, tuple(target.shape), numpy_dtype(target.dtype))
            target.copy_(to_tensor(array))
    return tensors
