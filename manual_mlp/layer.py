"""One layer, forward and backward: the only place where a matrix meets a bias."""

import numpy as np

from manual_mlp.arrays import Array


def compute_layer(x: Array, w: Array, b: Array | None = None) -> Array:
    """Affine map of every row of x.

        z = x @ w + b        z_nj = sum_i x_ni w_ij + b_j
        (N, fan_in) @ (fan_in, fan_out) + (fan_out,) -> (N, fan_out), in the dtype of the operands

    The report wrote the same, with biases of shape (1, fan_out); both shapes are taken here.

    Source: Goodfellow, Bengio & Courville 2016, Deep Learning, equation 6.36.

    Parameters:
        x: (N, fan_in).
        w: (fan_in, fan_out).
        b: (fan_out,) or (1, fan_out); None for a layer without a bias.

    Returns:
        z (N, fan_out).

    Raises:
        ValueError: another shape of b, which would broadcast to something that is not a layer.

    Example:
        >>> compute_layer(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]), np.array([0.5]))
        array([[11.5]])
    """
    if b is None:
        return x @ w
    if b.shape not in (w.shape[1:], (1, *w.shape[1:])):
        raise ValueError(f"a bias for w {w.shape} has shape {w.shape[1:]}, got {b.shape}")
    z: Array = x @ w + b  # (N, fan_out)
    return z


def layer_gradients(x: Array, dz: Array) -> tuple[Array, Array]:
    """What the layer z = x @ w + b passes to its own parameters, given dz = dL/dz.

    z_nj depends on w_ij through x_ni and on b_j through 1, and every row n uses the same w and b,
    so their contributions add up over the rows:

        dw_ij = sum_n x_ni dz_nj        dw = x.T @ dz        (fan_in, fan_out)
        db_j  = sum_n    1 dz_nj        db = ones @ dz       (fan_out,)

    The sum over the rows is written as a product with ones, which is several times faster than
    `dz.sum(axis=0)` and has the same rounding errors.

    The report arrives at `(1 - y)` in place of dz for dw_o and db_h, which loses p; and its db
    leave the sum over the rows unsaid.
    """
    return x.T @ dz, np.ones(len(dz), dz.dtype) @ dz


def input_gradient(dz: Array, w: Array) -> Array:
    """What the layer z = x @ w + b passes back to its input, given dz = dL/dz.

    x_ni reaches every z_nj through w_ij:

        dx_ni = sum_j dz_nj w_ij        dx = dz @ w.T        (N, fan_in)
    """
    dx: Array = dz @ w.T  # (N, fan_in)
    return dx
