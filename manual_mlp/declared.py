"""The network with any activation, criterion and penalty, with biases or without.

The chain rule is that of `network.py`; only its two ends are others.

    z_l = h_{l-1} @ w_l + b_l      h_l = f(z_l)                    h0 = x, logits = z_L
    L = criterion(logits, y) + R(w)
    dw_l = h_{l-1}.T @ dz_l + dR/dw_l    db_l = sum_n dz_l         dz_L = dlogits
    dh_{l-1} = dz_l @ w_l.T        dz_{l-1} = dh_{l-1} * f'(z_{l-1})
"""

from collections.abc import Collection, Mapping

import numpy as np

from manual_mlp.arrays import Array, Arrays, depth
from manual_mlp.criterion import Criterion
from manual_mlp.functions import find
from manual_mlp.layer import input_gradient, layer_gradients
from manual_mlp.loss import correct
from manual_mlp.objective import added, joined, wanted
from manual_mlp.penalty import Penalty
from manual_mlp.rows import row_blocks

NOTHING = Penalty()
CROSS_ENTROPY = Criterion()


def forward(parameters: Mapping[str, Array], x: Array, *, activation: str = "relu") -> Arrays:
    """z1, h1, z2, h2, ..., logits; a layer without a bias adds none."""
    f = find(activation)
    values: Arrays = {}
    last, h = depth(parameters), x
    for layer in range(1, last + 1):
        z = h @ parameters[f"w{layer}"]  # (N, fan_out)
        if f"b{layer}" in parameters:
            z = z + parameters[f"b{layer}"]
        if layer == last:
            return values | {"logits": z}
        h = f.value(z)
        values |= {f"z{layer}": z, f"h{layer}": h}
    raise ValueError("the parameters hold no weights: w1, ..., wL are due")


def backward(
    parameters: Mapping[str, Array],
    x: Array,
    values: Mapping[str, Array],
    dlogits: Array,
    *,
    activation: str = "relu",
) -> tuple[Arrays, Arrays]:
    """Gradients of the criterion, and the intermediates dh1, dz1, ...; `forward` in reverse."""
    f = find(activation)
    gradients: Arrays = {}
    intermediates: Arrays = {}
    dz = dlogits  # (N, K)
    for layer in range(depth(parameters), 0, -1):
        h = values[f"h{layer - 1}"] if layer > 1 else x  # (N, fan_in)
        gradients[f"w{layer}"], gradients[f"b{layer}"] = layer_gradients(h, dz)
        if layer > 1:
            dh = input_gradient(dz, parameters[f"w{layer}"])  # (N, fan_in)
            dz = dh * f.derivative(values[f"z{layer - 1}"], h)
            intermediates |= {f"dh{layer - 1}": dh, f"dz{layer - 1}": dz}
    return {name: gradients[name] for name in parameters}, intermediates


@np.errstate(over="ignore", invalid="ignore")  # a run that diverges says so in its numbers
def loss_and_gradients(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    *,
    activation: str = "relu",
    criterion: Criterion = CROSS_ENTROPY,
    penalty: Penalty = NOTHING,
    intermediates: bool | Collection[str] = True,
) -> tuple[float, Arrays, Arrays]:
    """Loss, gradients and values on the way, as the `loss_and_gradients` of the network.

    Added up over blocks of rows: each divides by the D of the whole batch, and the penalty, which
    is no sum over rows, is added once.
    """
    divisor = criterion.divisor(targets)
    loss, gradients = penalty.loss_at(parameters, len(x)), Arrays()
    kept: list[Arrays] = []
    for rows in row_blocks(len(x), parameters):
        values = forward(parameters, x[rows], activation=activation)
        loss += criterion.loss_at(values["logits"], targets[rows], divisor)
        dlogits = criterion.gradient_at(values["logits"], targets[rows], divisor)
        block, below = backward(parameters, x[rows], values, dlogits, activation=activation)
        gradients = added(gradients, block)
        kept.append(wanted(values | {"dlogits": dlogits} | below, intermediates))
    for name, more in penalty.gradients_at(parameters, len(x)).items():
        gradients[name] = gradients[name] + more
    return loss, gradients, joined(kept)


@np.errstate(over="ignore", invalid="ignore")
def evaluate(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    *,
    activation: str = "relu",
    criterion: Criterion = CROSS_ENTROPY,
    penalty: Penalty = NOTHING,
) -> tuple[float, float]:
    """Loss and accuracy at the parameters, without a gradient."""
    divisor = criterion.divisor(targets)
    loss, hits = penalty.loss_at(parameters, len(x)), 0
    for rows in row_blocks(len(x), parameters):
        logits = forward(parameters, x[rows], activation=activation)["logits"]  # (N, K)
        loss += criterion.loss_at(logits, targets[rows], divisor)
        hits += correct(logits, targets[rows])
    return loss, hits / len(x)
