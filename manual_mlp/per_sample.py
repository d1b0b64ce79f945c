"""The gradient of every sample by itself, and the Hessian times a vector, without the Hessian."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from manual_mlp.arrays import Array, Arrays, depth, entry
from manual_mlp.between import PLAIN, Between, Context
from manual_mlp.criterion import Criterion
from manual_mlp.loss import softmax
from manual_mlp.network import NO_CONTEXT, backward, forward


def per_sample_gradients(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    *,
    activation: str = "relu",
    criterion: Criterion | None = None,
    between: Between = PLAIN,
    context: Context = NO_CONTEXT,
) -> Arrays:
    """Gradients of the loss of every sample, (N, fan_in, fan_out) and (N, fan_out).

    The gradient of a sum over the rows is a sum of outer products, of which this is each one:

        dw_nij = h_ni dz_nj            db_nj = dz_nj
        dgamma_nj = dn_nj s_nj         dbeta_nj = dn_nj

    with dz_L the gradient of the loss of one row alone: p - y for cross-entropy, the default.
    ValueError for batch normalisation, whose rows have no loss of their own in training, and where
    rows or classes weigh for more or less than 1.
    """
    criterion = criterion or Criterion()
    if between.whole_batch or criterion.weighs:
        raise ValueError("rows that share statistics or weights have no gradients of their own")
    how: dict[str, Any] = {"activation": activation, "between": between, "context": context}
    values = forward(parameters, x, **how)
    of_one_row = criterion.divisor(targets[:1])
    top = criterion.gradient_at(values["logits"], targets, of_one_row)  # (N, K)
    _, below = backward(parameters, x, values, top, **how)
    found: Arrays = {}
    last = depth(parameters)
    for layer in range(1, last + 1):
        h = values[f"h{layer - 1}"] if layer > 1 else x  # (N, fan_in)
        dz = top if layer == last else below[f"dz{layer}"]  # (N, fan_out)
        found[f"w{layer}"] = h[:, :, None] * dz[:, None, :]
        found[f"b{layer}"] = dz
        if f"dn{layer}" in below:
            dn, s = below[f"dn{layer}"], values[f"s{layer}"]
            found |= {f"gamma{layer}": dn * s, f"beta{layer}": dn}
    return {name: found[name] for name in parameters}


BENDS: dict[str, Callable[[Array], Array]] = {
    "relu": np.zeros_like,
    "identity": np.zeros_like,
    "tanh": lambda h: -2 * h * (1 - h * h),
    "sigmoid": lambda h: h * (1 - h) * (1 - 2 * h),
}
"""The second derivative d2h/dz2, written in the value h."""
SLOPES: dict[str, Callable[[Array], Array]] = {
    "relu": lambda h: (h > 0).astype(h.dtype),
    "identity": np.ones_like,
    "tanh": lambda h: 1 - h * h,
    "sigmoid": lambda h: h * (1 - h),
}


def hessian_vector_product(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    direction: Mapping[str, Array],
    *,
    activation: str = "relu",
) -> Arrays:
    """H v for the mean cross-entropy, H its Hessian, v the direction, named as the parameters are.

    R{a} = d a(w + r v) / dr at r = 0 is a derivative along v, applied to every line of the forward
    and of the backward pass (the product rule, line by line):

        R{z_l} = R{h_{l-1}} w_l + h_{l-1} v_l + v_bl       R{h_l} = f'(z_l) R{z_l}
        R{dz_L} = (R{p}) / N      R{p} = p (R{z_L} - sum_j p_j R{z_L}_j)
        R{dw_l} = R{h_{l-1}}.T dz_l + h_{l-1}.T R{dz_l}    R{db_l} = sum_n R{dz_l}
        R{dh_l} = R{dz_{l+1}} w_{l+1}.T + dz_{l+1} v_{l+1}.T
        R{dz_l} = R{dh_l} f'(z_l) + dh_l f''(z_l) R{z_l}

    Source: Pearlmutter 1994, Fast Exact Multiplication by the Hessian, Neural Computation 6.
    """
    v = direction
    bend, slope = entry(BENDS, activation, "activation"), SLOPES[activation]
    values = forward(parameters, x, activation=activation)
    last, rows = depth(parameters), len(x)
    h = {0: x} | {layer: values[f"h{layer}"] for layer in range(1, last)}
    r_h, r_z = {0: np.zeros_like(x)}, {}
    for layer in range(1, last + 1):
        r_z[layer] = r_h[layer - 1] @ parameters[f"w{layer}"] + h[layer - 1] @ v[f"w{layer}"]
        r_z[layer] = r_z[layer] + v[f"b{layer}"]
        if layer < last:
            r_h[layer] = slope(h[layer]) * r_z[layer]
    p = softmax(values["logits"])  # (N, K)
    dz = (p - targets) / rows
    r_dz = p * (r_z[last] - (p * r_z[last]).sum(axis=1, keepdims=True)) / rows
    found: Arrays = {}
    for layer in range(last, 0, -1):
        found[f"w{layer}"] = r_h[layer - 1].T @ dz + h[layer - 1].T @ r_dz
        found[f"b{layer}"] = r_dz.sum(axis=0)
        if layer > 1:
            below = layer - 1
            dh = dz @ parameters[f"w{layer}"].T
            r_dh = r_dz @ parameters[f"w{layer}"].T + dz @ v[f"w{layer}"].T
            r_dz = r_dh * slope(h[below]) + dh * bend(h[below]) * r_z[below]
            dz = dh * slope(h[below])
    return {name: found[name] for name in parameters}
