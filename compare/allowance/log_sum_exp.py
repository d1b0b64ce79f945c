r"""What rounds where softmax is written `p = exp(z - lse)`, lse = log sum_k exp z_k.

That is the derivative of log-sum-exp as automatic differentiation finds it. lse is rounded at the
size of the logits, by `r_n` in sample n, and that multiplies all p of the sample alike.

The largest logit lies on the grid that lse is rounded to, so r_n depends on `-log max p` alone: on
phi_n, the place of lse between two points of its grid, in digits. Where the logits of all samples
are nearly equal, as behind inputs with a large mean, phi is too, and the errors go one way:

    r(phi) = sum_m (-1)**m sin(2 pi m phi) / (pi m)        a saw-tooth of half a digit

Two right sides have lse at different places, by a shift that such samples share. Over all shifts
the mean square of `sum_n q_n r_n` is, but for a constant,

    V = sum_m |sum_n q_n exp(2 pi i m phi_n)|**2 / m**2

(sum q)**2 if the samples are equal, and on average sum q**2 if their places are independent. Where
the places lie within a fifth of a digit (the first term of V is above a quarter of (sum q)**2), a
hidden unit that is active in some of the samples may pick those that are rounded most, and one way.
"""

from __future__ import annotations

import numpy as np

from compare.contracts.arrays import Float

NEXT_POWER = 1 + 2.0**-10
"""A number this close below a power of two may be rounded as one above it."""
ALONE = 3.0
"""Halves of a digit that a sample is allowed whose rounding is independent of the others': twice
one, since honest rounding takes half of an allowance, and half more since some samples add up."""
TOGETHER = 2.0
"""The same where all go one way, beside it."""
HARMONICS = np.arange(1.0, 5.0)
SHARES = HARMONICS**-2 / np.sum(HARMONICS**-2)
"""These make up 7/8 of V."""
CLOSE = 1 / 4


class Rounded:
    """The rounding of lse in every sample, from the largest logit, p and B of each, all (N,).

    `half`: half of its last digit; `most`: what can be cut off. Where p is nearly 1 that may be
    less: what the reference's own lse loses, and what can move it, `(1 - max p) B`. `signed`: the
    first of the two, where the second is small beside half a digit.
    """

    def __init__(self, largest_logit: Float, most: Float, moved: Float, roundoff: float) -> None:
        beyond = -np.log(most)
        self.half = half_digit(largest_logit + beyond, roundoff)
        digit = 2 * np.where(self.half > 0, self.half, 1.0)
        place = np.remainder(largest_logit / digit, 1.0) + beyond / digit  # phi
        place -= np.rint(place)
        shift = (1 - most) * moved
        self.most = np.minimum(self.half, np.abs(place) * digit + shift)
        kept = np.maximum(1 - 2 * shift / digit, 0.0)
        self.signed = np.copysign(self.most, place) * kept
        self.waves = np.exp(2j * np.pi * np.multiply.outer(place, HARMONICS))  # (N, M)

    def allowed(self, p: Float) -> Float:
        """Return what a sample is allowed, (N,), relative to its p, (K, N), one row per sum.

        Independent errors, and its share of those that samples have in common: what is beyond
        sum q**2 in V, or in (sum p_n r_n)**2 where r_n is known, with `q_n = p_n most_n`. Where the
        places are close, `(sum p)**2 / sum p**2` times sum q**2, by Cauchy and Schwarz.
        """
        q = p * self.most
        alone, total = np.vecdot(q, q), np.add.reduce(q, axis=1)
        waves = np.square(np.abs(q @ self.waves))  # (K, M)
        together = np.maximum(waves @ SHARES, np.square(p @ self.signed))
        times = np.divide(together, alone, out=np.zeros(len(q)), where=alone > 0)
        close = waves[:, 0] > CLOSE * total * total
        if close.any():
            some = p[close]
            samples = np.square(np.add.reduce(some, axis=1)) / np.vecdot(some, some)
            times[close] = np.maximum(times[close], samples)
        common = TOGETHER * np.sqrt(max(times.max(initial=1.0) - 1, 0.0))
        return np.asarray(np.hypot(ALONE * self.half, common * self.most))


def half_digit(size: Float, roundoff: float) -> Float:
    """Return half the last digit of numbers of that size."""
    _, exponent = np.frexp(np.abs(size) * NEXT_POWER)
    return np.where(size != 0, np.ldexp(roundoff, exponent - 1), 0.0)
