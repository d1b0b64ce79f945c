"""Activations made of pieces: straight lines and exponentials, joined at kinks.

Each has its value and its derivative (z, h) -> dh/dz. At a kink there is no derivative; the side
taken there is stated, and it is torch's. NaN stays NaN.
"""

import numpy as np

from manual_mlp.arrays import Array

SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946
"""The fixed point of mean 0 and variance 1: Klambauer, Unterthiner, Mayr & Hochreiter 2017,
Self-Normalizing Neural Networks, equation 14."""


def leaky_relu(z: Array, slope: float = 0.01) -> Array:
    """Rectified unit that lets a share of the negative side through.

        h = z           for z > 0
        h = slope * z   for z <= 0

    Source: Maas, Hannun & Ng 2013, Rectifier Nonlinearities, section 2.
    """
    return np.where(z > 0, z, slope * z)


def leaky_relu_derivative(z: Array, slope: float = 0.01) -> Array:
    """dh/dz = 1 for z > 0, `slope` for z <= 0: at the kink 0 it is `slope`, as torch has it."""
    return np.where(z > 0, 1.0, slope).astype(z.dtype)


def elu(z: Array, alpha: float = 1.0) -> Array:
    """Exponential linear unit.

        h = z                    for z > 0
        h = alpha (exp(z) - 1)   for z <= 0

    expm1 keeps the digits that exp(z) - 1 loses for small z; exp is never asked for a positive z.

    Source: Clevert, Unterthiner & Hochreiter 2016, ICLR, equation 16.
    """
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def elu_derivative(z: Array, alpha: float = 1.0) -> Array:
    """dh/dz = 1 for z > 0, alpha exp(z) for z <= 0. A kink at 0 unless alpha = 1; alpha there."""
    return np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0))).astype(z.dtype)


def selu(z: Array) -> Array:
    """Scaled exponential linear unit: h = SCALE * elu(z, ALPHA)."""
    h: Array = SELU_SCALE * elu(z, SELU_ALPHA)
    return h


def selu_derivative(z: Array) -> Array:
    """dh/dz = SCALE * elu'(z, ALPHA); at the kink 0 it is SCALE * ALPHA, the left side."""
    slope: Array = SELU_SCALE * elu_derivative(z, SELU_ALPHA)
    return slope


def relu6(z: Array) -> Array:
    """Rectified unit that stops at 6: h = min(max(z, 0), 6). Source: Krizhevsky 2010, CIFAR-10."""
    return np.clip(z, 0, 6)


def relu6_derivative(z: Array) -> Array:
    """dh/dz = 1 for 0 < z < 6, else 0; at the kinks 0 and 6 it is 0."""
    return ((z > 0) & (z < 6)).astype(z.dtype)


def hardtanh(z: Array) -> Array:
    """The straight line through 0, held between -1 and 1: h = min(max(z, -1), 1).

    Source: Collobert 2004, Large Scale Machine Learning, section 4.3.
    """
    return np.clip(z, -1, 1)


def hardtanh_derivative(z: Array) -> Array:
    """dh/dz = 1 for -1 < z < 1, else 0; at the kinks -1 and 1 it is 0."""
    return ((z > -1) & (z < 1)).astype(z.dtype)
