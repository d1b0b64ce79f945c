"""The gradient of every sample by itself, and the Hessian times a vector, without the Hessian."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from manual_mlp.activations import ACTIVATIONS, find
from manual_mlp.arrays import Array, Arrays, depth, entry
from manual_mlp.between import PLAIN, Between, Context
from manual_mlp.criterion import Criterion
from manual_mlp.curvature import BENDS, CURVES
from manual_mlp.curvature import find as bend_of
from manual_mlp.losses import LOSSES
from manual_mlp.network import NO_CONTEXT, backward, forward
from manual_mlp.outputs import OUTPUTS
from manual_mlp.penalty import Penalty

NO_PENALTY = Penalty()


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


def hessian_vector_product(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    direction: Mapping[str, Array],
    *,
    activation: str = "relu",
    criterion: Criterion | None = None,
    penalty: Penalty = NO_PENALTY,
) -> Arrays:
    """H v, H the Hessian of the loss, v the direction, named as the parameters are.

    R{a} = d a(w + r v) / dr at r = 0 is a derivative along v, applied to every line of the forward
    and of the backward pass (the product rule, line by line):

        R{z_l} = R{h_{l-1}} w_l + h_{l-1} v_l + v_bl       R{h_l} = f'(z_l) R{z_l}
        R{dz_L} = (R{p}) / N      R{p} = p (R{z_L} - sum_j p_j R{z_L}_j)
        R{dw_l} = R{h_{l-1}}.T dz_l + h_{l-1}.T R{dz_l}    R{db_l} = sum_n R{dz_l}
        R{dh_l} = R{dz_{l+1}} w_{l+1}.T + dz_{l+1} v_{l+1}.T
        R{dz_l} = R{dh_l} f'(z_l) + dh_l f''(z_l) R{z_l}

    Written out is the mean cross-entropy, the default. `criterion`: another loss, of those in
    `CURVES`; an output with an entry in `BENDS` (sigmoid, tanh, relu) is one more f. `penalty` adds
    its own Hessian times v, l2 v.
    ValueError for an activation, output or loss whose second derivative is not in the tables.
    Source: Pearlmutter 1994, Fast Exact Multiplication by the Hessian, Neural Computation 6.
    """
    v, bend = direction, bend_of(activation)
    slope = find(activation).derivative
    values = forward(parameters, x, activation=activation)
    last = depth(parameters)
    z = {layer: values[f"z{layer}"] for layer in range(1, last)}
    h = {0: x} | {layer: values[f"h{layer}"] for layer in range(1, last)}
    r_h, r_z = {0: np.zeros_like(x)}, {}
    for layer in range(1, last + 1):
        r_z[layer] = r_h[layer - 1] @ parameters[f"w{layer}"] + h[layer - 1] @ v[f"w{layer}"]
        r_z[layer] = r_z[layer] + v.get(f"b{layer}", 0)
        if layer < last:
            r_h[layer] = slope(z[layer], h[layer]) * r_z[layer]
    dz, r_dz = at_the_top(criterion or Criterion(), values["logits"], targets, r_z[last])
    found: Arrays = {}
    for layer in range(last, 0, -1):
        found[f"w{layer}"] = r_h[layer - 1].T @ dz + h[layer - 1].T @ r_dz
        found[f"b{layer}"] = r_dz.sum(axis=0)
        if layer > 1:
            below = layer - 1
            dh = dz @ parameters[f"w{layer}"].T
            r_dh = r_dz @ parameters[f"w{layer}"].T + dz @ v[f"w{layer}"].T
            steep = slope(z[below], h[below])
            r_dz = r_dh * steep + dh * bend(z[below], h[below]) * r_z[below]
            dz = dh * steep
    for name, curved in penalty.moved_along(v, rows=len(x)).items():
        found[name] = found[name] + curved
    return {name: found[name] for name in parameters}


def at_the_top(
    criterion: Criterion, logits: Array, targets: Array, r_z: Array
) -> tuple[Array, Array]:
    """dlogits and R{dlogits}, (N, K), with o = f(z) the output and d = dL/do.

    dz = d f'(z)      R{o} = f'(z) R{z}      R{dz} = R{d} f'(z) + d f''(z) R{z}
    """
    output = criterion.output
    bend = entry(BENDS, output if output in OUTPUTS else "", "output of a Hessian")
    curve = entry(CURVES, criterion.loss, "loss of a Hessian")
    o, t = OUTPUTS[output].value(logits), criterion.counting(targets)
    steep = ACTIVATIONS[output].derivative(logits, o)
    d = LOSSES[criterion.loss].derivative(o, t)
    share = logits.dtype.type(criterion.loss_factor / criterion.divisor(targets))
    r_dz = curve(o, t, steep * r_z) * steep + d * bend(logits, o) * r_z
    return d * steep * share, r_dz * share
