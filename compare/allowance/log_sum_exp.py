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

Where `1 - max p` is small, the sum of the exponentials is 1 and a few last digits of 1, and its
logarithm is that, less a little: so lse often lies just below the middle between two numbers, and
is always rounded down there. On average that is u, in all of these samples.

phi is computed in float64. Of numbers of float64 itself it comes out as one of very few places
where `-log max p` is about as large as lse: that says how such numbers are spaced, and nothing of
where lse lies. These samples count as independent; those of equal logits have weights besides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from compare.contracts.arrays import Float

NEXT_POWER = 1 + 2.0**-10
"""A number this close below a power of two may be rounded as one above it."""
ALONE = 3.0
"""Halves of a digit that a sample is allowed whose rounding is independent of the others': twice
one, since honest rounding takes half of an allowance, and half more since some samples add up."""
TOGETHER = 2.0
"""The same where all go one way, beside it."""
HARMONICS = 4
"""These make up 7/8 of V."""
SHARES = np.repeat(np.arange(1.0, HARMONICS + 1) ** -2, 2)
SHARES *= 2 / np.add.reduce(SHARES)  # of cosine and sine alike
CLOSE = 1 / 4
RESOLVED = 1 / 8
"""Places that are known to more than this part of a digit can look as if all were one."""


class Rounded(NamedTuple):
    """What lse may be rounded by in every sample, relative to p, (N,): in p, and in the losses."""

    p: Float
    losses: Float

    @classmethod
    def of(
        cls, p: Float, largest_logit: Float, most: Float, moved: Float, roundoff: float
    ) -> Rounded:
        """Return it from p, (K, N), and from the largest logit, p and B of each sample, (N,)."""
        shared = Shared()
        shared.see(p, largest_logit, most, moved, roundoff)
        return shared.rounded()


@dataclass
class Shared:
    """What samples have in common, added up over blocks of them, for every class and for a weight
    of 1: the losses weigh every sample so, and hidden units may.

    With `q_n = p_n size_n`: `waves`, (K + 1, 2 M + 3), are the sums of q times the waves; `alone`
    is sum q**2, `total` sum p, `squares` sum p**2. Half a digit and size of every sample are kept.
    """

    alone: Float | float = 0.0
    waves: Float | float = 0.0
    total: Float | float = 0.0
    squares: Float | float = 0.0
    half: list[Float] = field(default_factory=list)
    size: list[Float] = field(default_factory=list)

    def see(
        self, p: Float, largest_logit: Float, most: Float, moved: Float, roundoff: float
    ) -> None:
        """Take a block: p, (K, N), and the largest logit, p and B of each sample, (N,)."""
        half, size, waves = places(largest_logit, most, moved, roundoff)
        weights = np.ones((len(p) + 1, len(size)))
        weights[:-1] = p
        self.total = self.total + np.add.reduce(weights, axis=1)
        self.squares = self.squares + np.vecdot(weights, weights)
        weights *= size  # q
        self.alone = self.alone + np.vecdot(weights, weights)
        self.waves = self.waves + weights @ waves
        self.half.append(half)
        self.size.append(size)

    def rounded(self) -> Rounded:
        """Return independent errors, and a sample's share of those that samples have in common.

        What is beyond sum q**2 in V, or in (sum p_n r_n)**2 where r_n is known. Where the places
        are close, `(sum p)**2 / sum p**2` times sum q**2, by Cauchy and Schwarz.
        """
        alone, sums = np.asarray(self.alone), np.square(self.waves)
        first, known = sums[:, 0] + sums[:, 1], np.sqrt(sums[:, -2]) + np.sqrt(sums[:, -1])
        together = np.maximum(sums[:, :-3] @ SHARES, known * known)
        times = np.divide(together, alone, out=np.zeros(len(alone)), where=alone > 0)
        samples = np.square(self.total) / np.where(np.asarray(self.squares) > 0, self.squares, 1.0)
        close = first > CLOSE * sums[:, -3]
        times = np.where(close, np.maximum(times, samples), times)
        beyond = np.sqrt(np.maximum(times - 1, 0.0)) * TOGETHER
        half, size = ALONE * np.concatenate(self.half), np.concatenate(self.size)
        of_p, of_losses = float(beyond.max()), float(beyond[-1])
        return Rounded(np.hypot(half, of_p * size), np.hypot(half, of_losses * size))


def places(
    largest_logit: Float, most: Float, moved: Float, roundoff: float
) -> tuple[Float, Float, Float]:
    """Return half a digit of lse, what can be cut off of it, (N,), and the waves, (N, 2 M + 3).

    Where p is nearly 1, less than half a digit can be cut off: what the reference's own lse loses,
    and what can move it, `(1 - max p) B`. The waves are exp(2 pi i m phi), cosine and sine, then 1,
    and then, relative to what can be cut off, what always is, and what is if nothing moves it.
    """
    beyond = -np.log(most)
    half = half_digit(largest_logit + beyond, roundoff)
    digit = 2 * np.where(half > 0, half, 1.0)
    place = np.remainder(largest_logit / digit, 1.0) + beyond / digit  # phi
    place -= np.rint(place)
    shift = (1 - most) * moved / digit
    size = np.minimum(half, (np.abs(place) + shift) * digit)
    kept = np.copysign(size, place) * np.maximum(1 - 2 * shift, 0.0)
    down = np.where(beyond * beyond < 2 * roundoff, np.minimum(beyond, roundoff), 0.0)
    size += down
    wave = np.exp((2j * np.pi) * place)
    wave[np.spacing(beyond) > RESOLVED * digit] = 0.0
    found = np.zeros((len(place), 2 * HARMONICS + 3))
    power = wave
    for m in range(HARMONICS):
        found[:, 2 * m], found[:, 2 * m + 1] = power.real, power.imag
        power = power * wave
    found[:, -3] = 1.0
    np.divide(down, size, out=found[:, -2], where=size > 0)
    np.divide(kept, size, out=found[:, -1], where=size > 0)
    return half, size, found


def half_digit(size: Float, roundoff: float) -> Float:
    """Return half the last digit of numbers of that size."""
    _, exponent = np.frexp(np.abs(size) * NEXT_POWER)
    return np.where(size != 0, np.ldexp(roundoff, exponent - 1), 0.0)
