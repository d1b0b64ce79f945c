"""From logits to probabilities and losses: what rounding does to softmax and cross-entropy.

All of it class by class, (K, N): N is long and K short, so this is the quick way round.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compare.allowance.arithmetic import LAMBDA
from compare.allowance.batch import Batch
from compare.allowance.log_sum_exp import Rounded
from compare.allowance.operands import Where
from compare.contracts.arrays import Float

SMALL = 0.1
"""Allowances of logits below this keep the exponent of `probability_allowance` below 0.3."""
LARGEST_EXPONENT = 700.0
"""exp of this is still finite."""
ROUNDS_TO_ONE = 2.0
"""A probability that misses 1 by less than so many roundoffs may be computed as 1."""


def softmax_columns(logits: Float) -> tuple[Float, Float]:
    """Return `p = softmax(logits)` and `logits - max logits`, both (K, N), in float64."""
    shifted = logits - np.maximum.reduce(logits)
    p = np.exp(shifted)
    p /= np.add.reduce(p)
    return p, shifted


def softmax_rows(logits: Float) -> tuple[Float, Float]:
    """Return the same sample by sample, (N, K)."""
    p, shifted = softmax_columns(logits.T)
    return p.T, shifted.T


def softmax_allowance(p: Float, logits: Float, z_allowance: Float, unit: float) -> Float:
    """Return A(p), (N, K), for `p = softmax(z)` with |dz| <= A(z); see `probability_allowance`."""
    most, largest_logit = np.maximum.reduce(p.T), np.maximum.reduce(logits.T)
    moved = moved_logits(logits.T - largest_logit, z_allowance.T, unit)
    largest = np.maximum.reduce(moved)
    rounded = Rounded.of(p.T, largest_logit, most, largest, unit / LAMBDA).p
    return probability_allowance(p.T, most, moved, largest, rounded, unit).T


def moved_logits(shifted: Float, z_allowance: Float, unit: float) -> Float:
    """Return B: what A(z), the subtraction of the maximum and exp come to together, (K, N).

    The last two err like z itself, by `unit (1 + |z_k - max z|)`.
    """
    moved = shifted * -unit
    moved += z_allowance
    moved += unit
    return moved


def probability_allowance(
    p: Float, most: Float, moved: Float, largest: Float, rounded: Float, unit: float,
    to_one: int | None = None, small: bool | None = None,
) -> Float:  # fmt: skip
    """Return A(p), (K, N), from B, (K, N), the largest p and B of each sample, (N,).

        log p_k moves by at most   (1 - p_k) B_k + sum_{j!=k} p_j B_j + max_j B_j**2 / 2
        and by rounding            unit (1 + sqrt(1 + K)), but no more than 6 (1 - max p)
        and                        `rounded`, by the last digit of log sum exp z: see `Rounded`

    The square is Hoeffding's bound on what the first order leaves out, and `expm1`, clipped to 1,
    takes the result from log p to p, so saturated rows and allowances of order 1 are covered. The
    second line is the sum of the exponentials and the division: where the largest of them is all
    there is, 1 + 0 and 1 / 1 do not round at all. The third is for `exp(z - lse)`, which is how a
    derivative of log-sum-exp is computed: its rounding multiplies all p of a sample alike.

    Of some rows of a batch: `to_one` of all rows round to 1, and all B are `small`, or not.
    """
    carried = p * moved
    row = np.add.reduce(carried)
    row += largest * largest / 2
    row += rounding_of_quotient(p, most, unit, to_one)
    row += rounded
    carried *= -2
    carried += moved
    slack: Float = np.add(carried, row, out=carried)
    if are_small(largest) if small is None else small:
        slack += slack * slack  # expm1 is below this
    else:
        np.expm1(np.minimum(slack, LARGEST_EXPONENT, out=slack), out=slack)
    slack *= p
    return np.asarray(np.minimum(slack, 1.0, out=slack))


def are_small(largest: Float) -> bool:
    """Return whether all of the largest B are below `SMALL`."""
    return bool(np.maximum.reduce(largest, initial=0.0) < SMALL)


def rounding_of_quotient(
    p: Float, most: Float, unit: float, to_one: int | None = None
) -> Float | float:
    """Return what the sum of the exponentials and the division by it round, relative to p, (N,).

    Where p rounds to 1, all that 1 - p is worth is lost, and always in the same direction: errors
    of M such samples add up like M, not like sqrt(M), so each is allowed sqrt(M) / 2 of them. M is
    `to_one` where these are some rows of a batch.
    """
    usual = usual_of_quotient(len(p), unit)
    saturated, missing = saturation(p, most, unit)
    if not len(saturated):
        return usual
    found = np.full(p.shape[1], usual)
    certain = missing < ROUNDS_TO_ONE * unit / LAMBDA
    count = np.count_nonzero(certain) if to_one is None else to_one
    bias = 3 * missing * certain * np.sqrt(count)
    found[saturated] = np.maximum(np.minimum(6 * missing, usual), bias)
    return found


def usual_of_quotient(classes: int, unit: float) -> float:
    """Return what that is where no exponential is all there is."""
    return float(unit * (1 + np.sqrt(1 + classes)))


def saturation(p: Float, most: Float, unit: float) -> tuple[Where, Float]:
    """Return the samples whose largest p, (N,), is nearly 1, and by how much it misses 1."""
    usual = usual_of_quotient(len(p), unit)
    if not np.maximum.reduce(most, initial=0.0) > 1 - usual / 3:
        return np.empty(0, np.intp), np.empty(0)
    saturated = np.flatnonzero(6 * (1 - most) < 2 * usual)
    here = p[:, saturated]
    here[np.argmax(here, axis=0), np.arange(len(saturated))] = 0.0
    return saturated, np.add.reduce(here)  # 1 - max p, exactly


def round_to_one(p: Float, most: Float, unit: float) -> int:
    """Return how many samples have a p that rounds to 1."""
    _, missing = saturation(p, most, unit)
    return int(np.count_nonzero(missing < ROUNDS_TO_ONE * unit / LAMBDA))


def target_slack(batch: Batch, unit: float) -> Float | None:
    """Return by how much the targets may miss a sum of 1, (N,), or None if they are one-hot.

    Both `p - y` and `p sum_j y_j - y` are right for rows that sum to 1, but soft rows do so only up
    to the last digits, and whoever adds them up rounds. Targets that are smoothed alike miss alike:
    m of them err like m, not like sqrt(m), so each is allowed sqrt(m) of its errors.
    """
    if batch.soft is None:
        return None
    soft, missed, often = batch.soft
    slack: Float = missed + np.minimum(6 * np.abs(soft), unit * np.sqrt(1 + len(batch.y)))
    slack *= np.sqrt(often)
    return slack


def sample_loss_allowance(
    error: Float, moved: Float, largest: Float, largest_logit: Float, unit: float, soft: bool,
    rounded: Float | float = 0.0,
) -> Float:  # fmt: skip
    """Return A(loss_n), (N,), for `loss_n = log sum_k exp z_k - sum_k y_k z_k`.

        sum_k |p_k - y_k| B_k + max_j B_j**2 / 2 + unit (2 + max|z|)        error = |p - y|, (K, N)

    B as in `probability_allowance`. Whoever writes `logsumexp(z) - z_y` rounds at the size of z,
    and with soft targets K times, in the sum of the `y_k z_k`: then it is `sqrt(1 + K) max|z|`.
    That is for samples that round independently; `rounded`, where it is more, for the others.
    """
    total: Float = np.einsum("kn,kn->n", error, moved)
    total += largest * largest / 2
    own = unit * largest_logit * (np.sqrt(1 + len(error)) if soft else 1.0)
    total += np.maximum(own, rounded)
    total += 2 * unit
    return total


def ambiguous_samples(logits: NDArray[np.floating], z_allowance: Float) -> int:
    """Return how many samples have their two largest logits within the sum of their allowances."""
    if logits.shape[1] < 2:
        return 0
    rows = np.arange(len(logits))
    top, second = np.argsort(logits, axis=1)[:, :-3:-1].T
    gap = logits[rows, top] - logits[rows, second]
    return int((gap <= z_allowance[rows, top] + z_allowance[rows, second]).sum())
