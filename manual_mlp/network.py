"""The network: layers with an activation between them, forward and backward.

Backward mirrors forward line by line, from the last layer to the first, and a gradient is called
`d` + the name of its forward value. Both are pure: nothing is updated, nothing is remembered.
"""

from collections.abc import Collection, Mapping
from typing import Literal, overload

import numpy as np

from manual_mlp.activations import ACTIVATIONS
from manual_mlp.arrays import Array, Arrays, depth, entry
from manual_mlp.layer import compute_layer, input_gradient, layer_gradients
from manual_mlp.loss import accuracy, cross_entropy, grad_ce, softmax


def forward(parameters: Mapping[str, Array], x: Array, *, activation: str = "relu") -> Arrays:
    """Every value of the forward pass, by name: z1, h1, z2, h2, ..., logits.

        z_l = h_{l-1} @ w_l + b_l        h0 = x
        h_l = activation(z_l)            the last layer has no activation: logits = z_L

    Shapes: x (N, F), z_l and h_l (N, H_l), logits (N, K), in the dtype of the operands.

    Source: Goodfellow, Bengio & Courville 2016, Deep Learning, algorithm 6.3.
    """
    act = entry(ACTIVATIONS, activation, "activation")
    values: Arrays = {}
    last, h = depth(parameters), x
    for layer in range(1, last):
        z = compute_layer(h, parameters[f"w{layer}"], parameters[f"b{layer}"])  # (N, H)
        h = act.value(z)  # (N, H)
        values |= {f"z{layer}": z, f"h{layer}": h}
    values["logits"] = compute_layer(h, parameters[f"w{last}"], parameters[f"b{last}"])  # (N, K)
    return values


def backward(
    parameters: Mapping[str, Array],
    x: Array,
    values: Mapping[str, Array],
    dlogits: Array,
    *,
    activation: str = "relu",
) -> tuple[Arrays, Arrays]:
    """The chain rule from the logits down: gradients w1, b1, ... and intermediates dh, dz.

    With dz_L = dlogits, and for l = L, ..., 1, in the mirror order of `forward`:

        dw_l = h_{l-1}.T @ dz_l              h0 = x
        db_l = sum_n dz_l
        dh_{l-1} = dz_l @ w_l.T
        dz_{l-1} = dh_{l-1} * activation'(z_{l-1})

    `values` is what `forward` returned at the same parameters and x. Gradients have the keys and
    shapes of the parameters; the second dictionary holds dh1, dz1, ... of shape (N, H).

    The report has the same chain for two layers, with p_o - y at its top.

    Source: Goodfellow, Bengio & Courville 2016, Deep Learning, algorithm 6.4.
    """
    act = entry(ACTIVATIONS, activation, "activation")
    gradients: Arrays = {}
    intermediates: Arrays = {}
    dz = dlogits  # (N, K)
    for layer in range(depth(parameters), 0, -1):
        h = values[f"h{layer - 1}"] if layer > 1 else x  # (N, fan_in)
        gradients[f"w{layer}"], gradients[f"b{layer}"] = layer_gradients(h, dz)
        if layer > 1:
            dh = input_gradient(dz, parameters[f"w{layer}"])  # (N, fan_in)
            dz = dh * act.derivative(h)  # (N, fan_in)
            intermediates |= {f"dh{layer - 1}": dh, f"dz{layer - 1}": dz}
    return {name: gradients[name] for name in parameters}, intermediates


@overload
def loss_and_gradients(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    *,
    activation: str = ...,
    reduction: str = ...,
    intermediates: Literal[False] = ...,
) -> tuple[float, Arrays]: ...


@overload
def loss_and_gradients(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    *,
    activation: str = ...,
    reduction: str = ...,
    intermediates: Literal[True] | Collection[str],
) -> tuple[float, Arrays, Arrays]: ...


@np.errstate(over="ignore", invalid="ignore")  # a run that diverges says so in its numbers
def loss_and_gradients(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    *,
    activation: str = "relu",
    reduction: str = "mean",
    intermediates: bool | Collection[str] = False,
) -> tuple[float, Arrays] | tuple[float, Arrays, Arrays]:
    """Loss at the parameters and its gradient with respect to each of them.

        (parameters, x (N, F), targets (N, K)) -> (loss, {w1, b1, ..., wL, bL})

    The loss is a Python float; gradients have the keys, shapes and dtype of the parameters and
    belong to the caller. With `intermediates=True` a third value names everything on the way: z1,
    h1, ..., logits, p, dlogits, dh1, dz1, ...; with a collection of such names, only those.
    Infinities and NaN come out as what they are.
    """
    values = forward(parameters, x, activation=activation)
    logits = values["logits"]
    loss = cross_entropy(logits, targets, reduction=reduction)
    dlogits = grad_ce(targets, logits, reduction=reduction)  # (N, K)
    gradients, on_the_way = backward(parameters, x, values, dlogits, activation=activation)
    if not intermediates:
        return loss, gradients
    everything = values | {"p": softmax(logits), "dlogits": dlogits} | on_the_way
    wanted = everything if intermediates is True else intermediates
    return loss, gradients, {name: everything[name] for name in wanted}


@np.errstate(over="ignore", invalid="ignore")
def evaluate(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    *,
    activation: str = "relu",
    reduction: str = "mean",
) -> tuple[float, float]:
    """Loss and accuracy at the parameters, without a gradient."""
    logits = forward(parameters, x, activation=activation)["logits"]  # (N, K)
    return cross_entropy(logits, targets, reduction=reduction), accuracy(logits, targets)
