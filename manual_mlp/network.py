"""The network: layers with an activation between them, forward and backward.

Backward mirrors forward line by line, from the last layer to the first, and a gradient is called
`d` + the name of its forward value. Both are pure: nothing is updated, nothing is remembered.
(Given a `Memory` with a workspace they write only to what it lends.)
"""

from collections.abc import Callable, Mapping

import numpy as np

from manual_mlp.activations import ACTIVATIONS
from manual_mlp.arrays import Array, Arrays, depth, entry
from manual_mlp.layer import compute_layer, input_gradient, layer_gradients
from manual_mlp.memory import Memory, row_blocks

SEPARATE = Memory()


def forward(
    parameters: Mapping[str, Array],
    x: Array,
    *,
    activation: str = "relu",
    memory: Memory = SEPARATE,
) -> Arrays:
    """Every value of the forward pass, by name: z1, h1, z2, h2, ..., logits.

        z_l = h_{l-1} @ w_l + b_l        h0 = x
        h_l = activation(z_l)            the last layer has no activation: logits = z_L

    Shapes: x (N, F), z_l and h_l (N, H_l), logits (N, K), in the dtype of the operands.

    Source: Goodfellow, Bengio & Courville 2016, Deep Learning, algorithm 6.3.
    """
    act = entry(ACTIVATIONS, activation, "activation")
    dtype = np.result_type(x, parameters["w1"])
    values: Arrays = {}
    last, h = depth(parameters), x
    for layer in range(1, last):
        w, b = parameters[f"w{layer}"], parameters[f"b{layer}"]
        slot, shape = f"hidden{layer}", (len(x), w.shape[1])
        z = compute_layer(h, w, b, out=memory.array(f"z{layer}", slot, shape, dtype))  # (N, H)
        h = act.value(z, out=memory.array(f"h{layer}", slot, shape, dtype))  # (N, H)
        values |= {f"z{layer}": z, f"h{layer}": h}
    w, b = parameters[f"w{last}"], parameters[f"b{last}"]
    # Stored column by column: N is long and K short, so sums over the classes run along memory.
    logits = memory.array("logits", "logits", (len(x), w.shape[1]), dtype, "F")  # (N, K)
    values["logits"] = compute_layer(h, w, b, out=logits)
    return values


def backward(
    parameters: Mapping[str, Array],
    x: Array,
    values: Mapping[str, Array],
    dlogits: Array,
    *,
    activation: str = "relu",
    memory: Memory = SEPARATE,
) -> tuple[Arrays, Arrays]:
    """The chain rule from the logits down: gradients w1, b1, ... and intermediates dh1, dz1, ...

    With dz_L = dlogits, and for l = L, ..., 1, in the mirror order of `forward`:

        dw_l = h_{l-1}.T @ dz_l              h0 = x
        db_l = sum_n dz_l
        dh_{l-1} = dz_l @ w_l.T
        dz_{l-1} = dh_{l-1} * activation'(z_{l-1})

    `values` is what `forward` returned at the same parameters and x. Gradients have the keys and
    shapes of the parameters, intermediates are (N, H).

    The report has the same chain for two layers, with p_o - y at its top.

    Source: Goodfellow, Bengio & Courville 2016, Deep Learning, algorithm 6.4.
    """
    act = entry(ACTIVATIONS, activation, "activation")
    gradients: Arrays = {}
    intermediates: Arrays = {}
    dz = dlogits  # (N, K)
    for layer in range(depth(parameters), 0, -1):
        below = layer - 1
        h = values[f"h{below}"] if below else x  # (N, fan_in)
        gradients[f"w{layer}"], gradients[f"b{layer}"] = layer_gradients(h, dz)
        if below:
            dh = memory.own_array(f"dh{below}", h.shape, h.dtype)  # (N, fan_in)
            above, dz = dz, memory.array(f"dz{below}", f"hidden{below}", h.shape, h.dtype)
            through_layer(above, parameters[f"w{layer}"], h, act.derivative, dz=dz, dh=dh)
            intermediates |= {f"dz{below}": dz} | ({} if dh is None else {f"dh{below}": dh})
    return {name: gradients[name] for name in parameters}, intermediates


def through_layer(
    above: Array,
    w: Array,
    h: Array,
    derivative: Callable[[Array], Array],
    *,
    dz: Array,
    dh: Array | None,
) -> None:
    """Carry a gradient down one layer: dh = above @ w.T and dz = dh * activation'(z).

    Done block by block, so that dh is still in the cache when dz asks for it. It is written down
    only if it is wanted; dz may be written over h.
    """
    for rows in row_blocks(h):
        dh_rows = input_gradient(above[rows], w, out=None if dh is None else dh[rows])
        np.multiply(dh_rows, derivative(h[rows]), out=dz[rows])
