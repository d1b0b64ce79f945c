"""One update by any class of `torch.optim` that this project knows, NumPy in and NumPy out.

`optimiser.py` is for momentum, which every training run needs; here stands everything else. State
is a flat dictionary: `t`, the number of updates done, and a buffer for each parameter. What is
absent does not exist yet, as before the first update.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

from torch_reference.layout import Array, Arrays, to_array, to_tensor

BUFFERS: dict[str, dict[str, str]] = {
    "sgd": {"v": "momentum_buffer"},
    "adam": {"m": "exp_avg", "s": "exp_avg_sq"},
    "adamw": {"m": "exp_avg", "s": "exp_avg_sq"},
    "amsgrad": {"m": "exp_avg", "s": "exp_avg_sq", "r": "max_exp_avg_sq"},
    "rmsprop": {"s": "square_avg", "a": "grad_avg", "v": "momentum_buffer"},
    "adagrad": {"s": "sum"},
}
"""The buffers of an optimiser: our prefix, and the key torch keeps it under."""


def optimiser_step(
    name: str,
    parameters: Mapping[str, Array],
    gradients: Mapping[str, Array],
    state: Mapping[str, Array],
    **settings: Any,
) -> tuple[Arrays, Arrays]:
    """The parameters and the state after one update; the arguments are left as they were.

    `settings` are those of `built`. State has the keys `t` and `m_w1`, `s_w1`, ... of `BUFFERS`.
    """
    used = {key: to_tensor(w).clone().requires_grad_() for key, w in parameters.items()}
    optimiser = built(name, list(used.values()), **settings)
    done = int(state.get("t", 0))
    for key, tensor in used.items():
        tensor.grad = to_tensor(gradients[key]).clone()
        stored = {
            theirs: to_tensor(state[f"{ours}_{key}"]).clone()
            for ours, theirs in BUFFERS[name].items()
            if f"{ours}_{key}" in state
        }
        if done and name != "sgd":
            stored["step"] = torch.tensor(float(done))
        if done or (stored and name == "sgd"):
            optimiser.state[tensor].update(stored)
    optimiser.step()
    after: Arrays = {}
    for key, tensor in used.items():
        kept = optimiser.state[tensor]
        for ours, theirs in BUFFERS[name].items():
            if isinstance(kept.get(theirs), Tensor):
                after[f"{ours}_{key}"] = to_array(kept[theirs])
    return {key: to_array(tensor.detach()) for key, tensor in used.items()}, after


def built(
    name: str,
    parameters: list[Tensor],
    *,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    dampening: float,
    weight_decay: float,
    betas: tuple[float, float],
    eps: float,
    alpha: float,
    centred: bool,
) -> Optimizer:
    """The optimiser with those of the settings that it has."""
    lr, decay = learning_rate, weight_decay
    if name == "sgd":
        return SGD(
            parameters, lr=lr, momentum=momentum, dampening=dampening, weight_decay=decay,
            nesterov=nesterov, foreach=False,
        )  # fmt: skip
    if name == "rmsprop":
        return RMSprop(
            parameters, lr=lr, alpha=alpha, eps=eps, weight_decay=decay, momentum=momentum,
            centered=centred, foreach=False,
        )  # fmt: skip
    if name == "adagrad":
        return Adagrad(parameters, lr=lr, eps=eps, weight_decay=decay, foreach=False)
    kind = AdamW if name == "adamw" else Adam
    return kind(
        parameters, lr=lr, betas=betas, eps=eps, weight_decay=decay, amsgrad=name == "amsgrad",
        foreach=False,
    )  # fmt: skip
