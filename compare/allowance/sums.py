r"""What a sum itself rounds: the one rule that decides how wide most allowances are.

Every addition rounds at the size of the partial sum it makes, so n additions err by about
`unit * sqrt(n) P`, with P the root mean square of the partial sums (Higham and Mary 2019). With S
the sum, and its terms and the result rounded as well,

    own**2 = unit**2 ((n + 4) P**2 + 2 S**2)

Where P is not looked at, the order of the terms may be the worst: first all of one sign, then all
of the other. Let T be the sum of the |terms|; for terms of one size that gives

    P**2 = T**2 ((1 + S/T)**3 / 4 - (S/T)**3) / 3 <= T**2 / 8 + 5/8 S**2

(T**2 / 12 if the terms cancel, T**2 / 3 if none does). T is at most the product of the norms, and
far below it where few terms count: for the weights of small networks it is added up, and 5/12 T**2
taken where that is less, which holds for terms of any size. Long sums over a layer's units, and
biases, are looked at instead where that is cheap: see `partial`.
"""

from __future__ import annotations

from typing import overload

from compare.contracts.arrays import Float

OF_TERMS, OF_SUM = 1 / 8, 5 / 8
"""Factors of T**2 and S**2 in the worst P**2."""
OF_RESULT = 2.0
"""Factor of S**2 for rounding the result, which is what counts in the shortest sums."""
SHORT = 16
"""Sums of up to this many terms are allowed the error of equal terms, whether they are or not."""


def additions(count: int) -> float:
    """Return as how many roundings of size P a sum of `count` terms counts, the terms' included."""
    return count + 4


def over_batch(count: int) -> float:
    """Return the same for a sum over samples: if they are few, they may all be alike."""
    return additions(count) + (of_alike_terms(count, count) / 2 if count <= SHORT else 0)


@overload
def of_alike_terms(count: int, alike: float) -> float: ...
@overload
def of_alike_terms(count: int, alike: Float | float) -> Float | float: ...
def of_alike_terms(count: int, alike: Float | float) -> Float | float:
    """Return as how many roundings `count` terms count beyond their additions.

    `alike`: how many terms are equal to each of them, on average. `s + t` rounds by what t has
    below the last digit of s, the same at every addition until s doubles. So m equal terms err by
    up to `m u s` in one direction, and a group that comes last meets an s of `sqrt(3) P`. Within
    half of an allowance of `LAMBDA u sqrt(c) m P` that is for `c = 12 / LAMBDA**2`, about a half;
    where all terms are equal, s is T / 2 on average, and half of that c is enough.
    """
    return count * alike / 2


@overload
def own_square(times: float, terms: float, total: float) -> float: ...
@overload
def own_square(times: Float | float, terms: Float | float, total: Float) -> Float: ...
def own_square(times: Float | float, terms: Float | float, total: Float | float) -> Float | float:
    """Return `own**2 / unit**2` of `times` roundings in the worst order, from T**2 and S**2."""
    return times * (OF_TERMS * terms + OF_SUM * total) + OF_RESULT * total


def worst_factors(times: float, unit_square: float) -> tuple[float, float]:
    """Return the factors of T**2 and of S**2 in the same `own**2`."""
    return OF_TERMS * times * unit_square, (OF_SUM * times + OF_RESULT) * unit_square
