"""The network: layers with an activation between them, forward and backward.

Backward mirrors forward line by line, from the last layer to the first, and a gradient is called
`d` + the name of its forward value. Both are pure: nothing is updated, nothing is remembered.
"""

from collections.abc import Mapping

import numpy as np

from manual_mlp.activations import find
from manual_mlp.arrays import Array, Arrays, depth
from manual_mlp.between import PLAIN, Between, Context
from manual_mlp.layer import compute_layer, input_gradient, layer_gradients

NO_CONTEXT: Context = {}


def forward(
    parameters: Mapping[str, Array],
    x: Array,
    *,
    activation: str = "relu",
    between: Between = PLAIN,
    context: Context = NO_CONTEXT,
) -> Arrays:
    """Every value of the forward pass, by name: z1, h1, z2, h2, ..., logits.

        z_l = h_{l-1} @ w_l + b_l        h0 = x
        h_l = activation(z_l)            the last layer has no activation: logits = z_L

    A layer whose b_l is not among the parameters has no bias. `between` puts normalisation before
    the activation and dropout behind it, with more values then: s_l, n_l, a_l.

    Shapes: x (N, F), z_l and h_l (N, H_l), logits (N, K), in the dtype of the operands.

    Source: Goodfellow, Bengio & Courville 2016, Deep Learning, algorithm 6.3.

    Parameters:
        parameters: w1 (F, H), b1 (H,), ..., wL (H, K), bL (K,).
        x: (N, F).
        activation: a name in `ACTIVATIONS`.
        between: normalisation and dropout, none by default.
        context: masks, running statistics, whether it is training: see `between.py`.

    Returns:
        The values by name.

    Raises:
        ValueError: an unknown activation, or biases of another shape.

    Example:
        >>> parameters = {"w1": np.eye(2), "b1": np.zeros(2), "w2": np.eye(2), "b2": np.ones(2)}
        >>> forward(parameters, np.array([[-1.0, 2.0]]))["logits"]
        array([[1., 3.]])
    """
    act = find(activation)
    values: Arrays = {}
    last, h = depth(parameters), x
    for layer in range(1, last):
        z = compute_layer(h, parameters[f"w{layer}"], parameters.get(f"b{layer}"))  # (N, H)
        values |= between.forward(layer, z, act, parameters, context)
        h = values[f"h{layer}"]  # (N, H)
    logits = compute_layer(h, parameters[f"w{last}"], parameters.get(f"b{last}"))  # (N, K)
    # Stored column by column: N is long and K short, so sums over the classes run along memory.
    return values | {"logits": np.asfortranarray(logits)}


def backward(
    parameters: Mapping[str, Array],
    x: Array,
    values: Mapping[str, Array],
    dlogits: Array,
    *,
    activation: str = "relu",
    between: Between = PLAIN,
    context: Context = NO_CONTEXT,
) -> tuple[Arrays, Arrays]:
    """The chain rule from the logits down: gradients w1, b1, ... and intermediates dh1, dz1, ...

    With dz_L = dlogits, and for l = L, ..., 1, in the mirror order of `forward`:

        dw_l = h_{l-1}.T @ dz_l              h0 = x
        db_l = sum_n dz_l
        dh_{l-1} = dz_l @ w_l.T
        dz_{l-1} = dh_{l-1} * activation'(z_{l-1})

    With normalisation or dropout dz_{l-1} comes from `between`, in the same mirror order.
    The report has the same chain for two layers, with p_o - y at its top.

    Source: Goodfellow, Bengio & Courville 2016, Deep Learning, algorithm 6.4.

    Parameters:
        parameters: as in `forward`.
        x: (N, F).
        values: what `forward` returned at the same parameters and x.
        dlogits: dL/dlogits (N, K).
        activation: the one of `forward`.
        between: the one of `forward`.
        context: the one of `forward`.

    Returns:
        Gradients, with the keys and shapes of the parameters, and intermediates, (N, H).

    Raises:
        ValueError: an unknown activation.

    Example:
        >>> parameters = {"w1": np.eye(2), "b1": np.zeros(2), "w2": np.eye(2), "b2": np.ones(2)}
        >>> x = np.array([[-1.0, 2.0]])
        >>> gradients, _ = backward(parameters, x, forward(parameters, x), np.array([[1.0, 1.0]]))
        >>> gradients["b1"]
        array([0., 1.])
    """
    act = find(activation)
    gradients: Arrays = {}
    intermediates: Arrays = {}
    dz = dlogits  # (N, K)
    for layer in range(depth(parameters), 0, -1):
        below = layer - 1
        h = values[f"h{below}"] if below else x  # (N, fan_in)
        gradients[f"w{layer}"], gradients[f"b{layer}"] = layer_gradients(h, dz)
        if below:
            dh = input_gradient(dz, parameters[f"w{layer}"])  # (N, fan_in)
            more, shown = between.backward(below, dh, values, act, parameters, context)
            gradients |= more
            intermediates |= shown
            dz = shown[f"dz{below}"]  # (N, fan_in)
    return {name: gradients[name] for name in parameters}, intermediates
