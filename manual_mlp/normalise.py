"""Normalisation between two layers: n = gamma * s + beta, s with mean 0 and variance 1.

One equation serves both kinds; they differ in the axis along which mean and variance are taken:
over the units of one row (layer), or over the rows of one unit (batch).

    mu = mean z      v = mean (z - mu)^2      r = 1 / sqrt(v + eps)      s = (z - mu) r

The variance in the batch is the biased one, divided by the count itself; eps stands inside the
root, as in torch. gamma and beta are (H,) for both kinds.
"""

from dataclasses import dataclass

import numpy as np

from manual_mlp.arrays import Array, entry

EPS = 1e-5
MOMENTUM = 0.1
"""The share of a new batch in the running statistics, which is 1 - momentum elsewhere."""
AXES = {"layer": 1, "batch": 0}


@dataclass(frozen=True, slots=True)
class Standardised:
    """z with its mean taken off and divided by its deviation, and what the way back needs.

    `s` (N, H), `r` 1 / sqrt(variance + eps), (N, 1) for layer, (1, H) for batch. `axis` is None
    where the statistics are constants: those of batch normalisation in evaluation.
    """

    s: Array
    r: Array
    axis: int | None


def standardise(z: Array, kind: str, eps: float = EPS) -> Standardised:
    """s = (z - mu) / sqrt(v + eps), with the statistics of z (N, H) itself.

    ValueError for batch normalisation of one row, where s would be 0 whatever z is.

    Source: Ioffe & Szegedy 2015, Batch Normalization, algorithm 1; Ba, Kiros & Hinton 2016, Layer
    Normalization, equation 3.
    """
    axis = entry(AXES, kind, "normalisation")
    if kind == "batch" and len(z) < 2:
        raise ValueError("batch normalisation needs at least two rows in training, got one")
    c = z - z.mean(axis=axis, keepdims=True)  # (N, H)
    v = (c * c).mean(axis=axis, keepdims=True)
    r: Array = 1 / np.sqrt(v + z.dtype.type(eps))
    return Standardised(c * r, r, axis)


def standardise_by(z: Array, mean: Array, variance: Array, eps: float = EPS) -> Standardised:
    """The same with given statistics, both (H,): batch normalisation in evaluation."""
    r: Array = 1 / np.sqrt(variance + z.dtype.type(eps))
    return Standardised((z - mean) * r, r, None)


def scaled(s: Array, gamma: Array, beta: Array) -> Array:
    """n = gamma * s + beta, (N, H)."""
    n: Array = s * gamma + beta
    return n


def scale_gradients(dn: Array, s: Array) -> tuple[Array, Array]:
    """dgamma = sum_n dn * s and dbeta = sum_n dn, both (H,): every row reads the same gamma."""
    return (dn * s).sum(axis=0), dn.sum(axis=0)


def standardise_backward(ds: Array, found: Standardised) -> Array:
    """dz, (N, H), from ds = dn * gamma.

    z_i reaches every s_j of its row or column, of m entries, through mu and v:

        ds_j/dz_i = r ([i = j] - 1/m - s_i s_j / m)

    because dmu/dz_i = 1/m, and dv/dz_i = 2 (z_i - mu) / m gives dr/dz_i = -r^2 s_i / m; the sum
    over j of ds_j times that is

        dz = r (ds - mean ds - s mean(ds * s))

    Constant statistics leave dz = r ds. Source: Ioffe & Szegedy 2015, section 3, shortened.
    """
    if found.axis is None:
        dz: Array = found.r * ds
        return dz
    mean = ds.mean(axis=found.axis, keepdims=True)
    slope = (ds * found.s).mean(axis=found.axis, keepdims=True)
    dz = found.r * (ds - mean - found.s * slope)
    return dz


def running(
    mean: Array, variance: Array, z: Array, momentum: float = MOMENTUM
) -> tuple[Array, Array]:
    """The running mean and variance, (H,), after one more batch z (N, H).

        mean <- (1 - momentum) mean + momentum mu
        variance <- (1 - momentum) variance + momentum v N / (N - 1)

    The variance that is kept is the unbiased one, although the batch was divided by the biased:
    it shall estimate that of all rows. Convention and momentum are torch's.
    """
    old, new = z.dtype.type(1 - momentum), z.dtype.type(momentum)
    return old * mean + new * z.mean(axis=0), old * variance + new * z.var(axis=0, ddof=1)
