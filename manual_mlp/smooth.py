"""Activations without a corner: softplus, SiLU and the two forms of GELU.

Each has its value and its derivative (z) -> dh/dz, both finite over the whole range of the format.
SiLU and GELU fall and rise again, so their derivatives cannot be written through the value h.
"""

from math import erfc, pi, sqrt

import numpy as np

from manual_mlp.arrays import Array

ROOT_HALF = sqrt(0.5)
ROOT_2_PI = sqrt(2 / pi)
CUBIC = 0.044715
"""The coefficient of Hendrycks & Gimpel 2016, Gaussian Error Linear Units, section 2."""

_erfc = np.frompyfunc(erfc, 1, 1)


def sigmoid(z: Array) -> Array:
    """Logistic function, elementwise: sigmoid(z) = 1 / (1 + exp(-z)).

    Written with e = exp(-|z|) <= 1, which cannot overflow and keeps the small values at large
    negative z exact to rounding: 1 / (1 + e) for z >= 0 and e / (1 + e) for z < 0.
    """
    e = np.exp(-np.abs(z))
    h: Array = np.where(z < 0, e, 1) / (1 + e)
    return h


def softplus(z: Array) -> Array:
    """The smooth ReLU.

        h = log(1 + exp(z)) = max(z, 0) + log1p(exp(-|z|))

    The second form takes exp of nothing positive and keeps what a large z would absorb.

    Source: Dugas, Bengio, Belisle, Nadeau & Garcia 2001, NIPS 13, section 3.
    """
    h: Array = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    return h


def softplus_derivative(z: Array) -> Array:
    """dh/dz = exp(z) / (1 + exp(z)) = sigmoid(z)."""
    return sigmoid(z)


def silu(z: Array) -> Array:
    """Sigmoid linear unit, or swish: h = z sigmoid(z). Source: Elfwing, Uchibe & Doya 2018."""
    with np.errstate(invalid="ignore"):
        h: Array = z * sigmoid(z)
    return h


def silu_derivative(z: Array) -> Array:
    """The product rule, with s = sigmoid(z) and s' = s (1 - s).

    dh/dz = s + z s (1 - s) = s (1 + z (1 - s))
    """
    s = sigmoid(z)
    slope: Array = s * (1 + z * sigmoid(-z))  # 1 - s, without the subtraction
    return slope


def normal_cdf(z: Array) -> Array:
    """Phi(z) = erfc(-z / sqrt 2) / 2: the tail on the left keeps its digits, where 1 + erf would
    cancel. One call of the C library's erfc per entry, in float64."""
    tails: Array = np.asarray(_erfc(-ROOT_HALF * z.astype(np.float64)), dtype=np.float64)
    return (tails / 2).astype(z.dtype)


def normal_pdf(z: Array) -> Array:
    """phi(z) = exp(-z^2 / 2) / sqrt(2 pi), the derivative of Phi."""
    with np.errstate(over="ignore"):
        pdf: Array = np.exp(-z * z / 2) * (1 / sqrt(2 * pi))
    return pdf


def gelu(z: Array) -> Array:
    """Gaussian error linear unit: h = z Phi(z), Phi the distribution function of the normal.

    Source: Hendrycks & Gimpel 2016, Gaussian Error Linear Units, section 2.
    """
    h: Array = z * normal_cdf(z)
    return h


def gelu_derivative(z: Array) -> Array:
    """The product rule, with Phi' = phi: dh/dz = Phi(z) + z phi(z)."""
    slope: Array = normal_cdf(z) + z * normal_pdf(z)
    return slope


def gelu_tanh(z: Array) -> Array:
    """GELU with tanh in place of the distribution function.

    u = sqrt(2 / pi) (z + 0.044715 z^3)        h = z (1 + tanh u) / 2 = z sigmoid(2 u)

    The second form has no cancellation where tanh is near -1.

    Source: Hendrycks & Gimpel 2016, Gaussian Error Linear Units, section 2.
    """
    h: Array = z * sigmoid(2 * _inner(z))
    return h


def gelu_tanh_derivative(z: Array) -> Array:
    """The product rule through s = sigmoid(2 u).

    dh/dz = s + z s (1 - s) 2 u'        u' = sqrt(2 / pi) (1 + 3 * 0.044715 z^2)
    """
    u = _inner(z)
    with np.errstate(over="ignore", invalid="ignore"):
        du = ROOT_2_PI * (1 + 3 * CUBIC * z * z)
        s, rest = sigmoid(2 * u), sigmoid(-2 * u)
        bump = np.where(s * rest == 0, 0, 2 * z * (s * rest) * du)  # 0 times what overflows
    slope: Array = s + bump
    return slope


def _inner(z: Array) -> Array:
    with np.errstate(over="ignore"):
        u: Array = ROOT_2_PI * (z + CUBIC * z * z * z)
    return u
