"""Family: normalisation, over the units of a row (layer) or the rows of a batch.

Slips stand in place of lines of `textbook/plain_between.py`. Seen in hand-written code: statistics
treated as constants (pytorch#2330, mxnet#12369, stats.SE 328242).
"""

from __future__ import annotations

from compare.mistakes.conditions import (
    in_evaluation,
    normalised,
    over_the_batch,
    with_running_statistics,
)
from compare.mistakes.fits import Among
from compare.mistakes.inside import InsideMistake

MEAN = "mean(ds[i - 1], axis)"
SLOPE = "s[i - 1] * mean(ds[i - 1] * s[i - 1], axis)"
"""What flows back through the mean, and through the variance."""


def back(terms: str) -> str:
    """Return the line of dz with other terms in its brackets."""
    return f"dz[i - 1] = r[i - 1] * ({terms})"


FLOORS = tuple(10.0**k for k in range(-12, 0))
"""What people keep a variance above."""
BEFORE_IT = (
    "core = r[i - 1] * (ds[i - 1] - mean(ds[i - 1], axis)"
    " - s[i - 1] * mean(ds[i - 1] * s[i - 1], axis))\n"
    "dz[i - 1] = core * slope(q, f(q))"
)
"""What comes back through the normalisation, times the slope at q."""

NORMALISATION = (
    InsideMistake(
        "normalisation-statistics-constant",
        "mean and variance treated as constants",
        "Nothing flows back through mean and variance: dz = r ds, without the two means over ds.",
        "dz[i - 1] = r[i - 1] * ds[i - 1]",
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-variance-constant",
        "the variance treated as a constant",
        "Nothing flows back through the variance: the term s mean(ds s) is missing.",
        back(f"ds[i - 1] - {MEAN}"),
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-mean-constant",
        "the mean treated as a constant",
        "Nothing flows back through the mean: the term mean ds is missing.",
        back(f"ds[i - 1] - {SLOPE}"),
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-gamma-missing-backward",
        "gamma missing in the backward pass",
        "The scale multiplies the gradient as well: ds = dn gamma is due.",
        "ds[i - 1] = dn[i - 1]",
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-root-missing-backward",
        "the factor 1 / sqrt(v + eps) missing",
        "The factor r is missing: dz = r (ds - ...) is due.",
        f"dz[i - 1] = ds[i - 1] - {MEAN} - {SLOPE}",
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-missing-backward",
        "no normalisation in the backward pass",
        "The gradient passes the normalisation unchanged, as if n were z.",
        "dz[i - 1] = dn[i - 1]",
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-variance-sign",
        "the sign of the variance's term",
        "What flows back through the variance is added; it has to be taken off.",
        back(f"ds[i - 1] - {MEAN} + {SLOPE}"),
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-mean-sign",
        "the sign of the mean's term",
        "What flows back through the mean is added; it has to be taken off.",
        back(f"ds[i - 1] + {MEAN} - {SLOPE}"),
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-mean-doubled",
        "the mean's term twice",
        "What flows back through the mean is taken off twice.",
        back(f"ds[i - 1] - 2 * {MEAN} - {SLOPE}"),
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-variance-doubled",
        "the variance's term twice",
        "What flows back through the variance is taken off twice: the 2 of the square "
        "and the 1/2 of the root cancel.",
        back(f"ds[i - 1] - {MEAN} - 2 * {SLOPE}"),
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-variance-halved",
        "half of the variance's term",
        "Only half flows back through the variance: the 2 of the square and the 1/2 of "
        "the root cancel.",
        back(f"ds[i - 1] - {MEAN} - {SLOPE} / 2"),
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-sums-for-means",
        "sums in place of means",
        "The two terms that are taken off are sums; they have to be means.",
        "m = ds[i - 1].shape[axis]\n" + back(f"ds[i - 1] - m * {MEAN} - m * {SLOPE}"),
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-s-missing",
        "mean(ds s) without its factor s",
        "The variance's term lacks the factor s: s mean(ds s) is due.",
        back(f"ds[i - 1] - {MEAN} - mean(ds[i - 1] * s[i - 1], axis)"),
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-dgamma-of-z",
        "dgamma from z in place of s",
        "The gradient of gamma takes z; dgamma = sum dn s is due, with the standardised s.",
        "dgamma[i - 1] = (dn[i - 1] * z[i - 1]).sum(axis=0)",
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-dgamma-of-n",
        "dgamma from n in place of s",
        "The gradient of gamma takes the scaled and shifted n; dgamma = sum dn s is due.",
        "dgamma[i - 1] = (dn[i - 1] * n[i - 1]).sum(axis=0)",
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-dgamma-after-gamma",
        "dgamma and dbeta from ds",
        "Both are computed behind the factor gamma; dgamma = sum dn s and dbeta = sum dn are due.",
        "dgamma[i - 1] = (dn[i - 1] * gamma[i - 1] * s[i - 1]).sum(axis=0)\n"
        "dbeta[i - 1] = (dn[i - 1] * gamma[i - 1]).sum(axis=0)",
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-dgamma-averaged",
        "dgamma and dbeta averaged over the rows",
        "Both are means over the rows; they have to be sums: what averages the loss is in dlogits.",
        "dgamma[i - 1] = (dn[i - 1] * s[i - 1]).mean(axis=0)\n"
        "dbeta[i - 1] = dn[i - 1].mean(axis=0)",
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-unbiased-variance",
        "the variance divided by m - 1",
        "The variance divides by the count less one (ddof=1); the batch is divided by "
        "the biased variance, over the count.",
        "squares = (z[i] - mu[i]) ** 2\n"
        "unbiased = squares.sum(axis, keepdims=True) / (z[i].shape[axis] - 1)\n"
        "v[i] = running_var[i] if given and i < L else unbiased\n"
        "m = ds[i - 1].shape[axis]\n" + back(f"ds[i - 1] - {MEAN} - {SLOPE} * m / (m - 1)"),
        applies=normalised,
        convention=True,
    ),
    InsideMistake(
        "normalisation-unbiased-forward",
        "the variance divided by m - 1 in the forward pass only",
        "The forward pass divides by the count less one (ddof=1), the backward pass by the count.",
        "squares = (z[i] - mu[i]) ** 2\n"
        "unbiased = squares.sum(axis, keepdims=True) / (z[i].shape[axis] - 1)\n"
        "v[i] = running_var[i] if given and i < L else unbiased",
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-eps-outside",
        "eps outside the root",
        "The eps is added to the deviation; it has to stand inside the root, sqrt(v + eps).",
        "r[i] = 1 / (np.sqrt(v[i]) + eps)\n"
        + back(f"ds[i - 1] - {MEAN} - {SLOPE} / (1 - eps * r[i - 1])"),
        applies=normalised,
        convention=True,
    ),
    InsideMistake(
        "normalisation-eps-outside-forward",
        "eps outside the root in the forward pass only",
        "The eps is added to the deviation and the backward pass is that of sqrt(v + eps).",
        "r[i] = 1 / (np.sqrt(v[i]) + eps)",
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-eps-missing",
        "no eps in the root",
        "The root is of the variance alone; sqrt(v + eps) is due, with eps = 1e-5.",
        "eps = 0.0",
        applies=normalised,
        convention=True,
    ),
    *(
        InsideMistake(
            f"normalisation-eps-{eps}",
            f"eps = {eps} in place of 1e-5",
            f"The eps in the root is {eps}; 1e-5 is due.",
            f"eps = {eps}",
            applies=normalised,
            convention=True,
            trigger="a small variance shows it best",
        )
        for eps in ("1e-3", "1e-4", "1e-6", "1e-7", "1e-8")
    ),
    InsideMistake(
        "normalisation-variance-floored",
        "a variance that is kept above {constant:g}",
        "A variance below {constant:g} is replaced by it under the root, in both passes; "
        "sqrt(v + eps) is due however small it is.",
        "r[i] = 1 / np.sqrt(np.maximum(v[i], c) + eps)",
        applies=normalised,
        fit=Among(lambda point: FLOORS),
        example=0.1,
        trigger="a variance below the floor",
        paired=False,
    ),
    InsideMistake(
        "normalisation-by-variance",
        "division by the variance",
        "The centred z - mu is divided by v + eps; its root is due.",
        "r[i] = 1 / (v[i] + eps)\n"
        + back(f"ds[i - 1] - {MEAN}) - 2 * s[i - 1] * mean(ds[i - 1] * s[i - 1], axis"),
        applies=normalised,
        convention=True,
    ),
    InsideMistake(
        "normalisation-wrong-axis",
        "mean and variance along the wrong axis",
        "Layer normalisation takes mean and variance over the units of each row (axis "
        "1), batch normalisation over the rows of each unit (axis 0); the other was taken.",
        'axis = 0 if normalisation == "layer" else 1',
        applies=normalised,
        convention=True,
    ),
    InsideMistake(
        "normalisation-running-in-training",
        "running statistics in training",
        "Mean and variance are the running ones in training too; there those of the batch are due.",
        "given = True\nmean = nothing",
        applies=with_running_statistics,
        convention=True,
        trigger="in training",
    ),
    InsideMistake(
        "normalisation-batch-in-evaluation",
        "statistics of the batch in evaluation",
        "In evaluation mean and variance are those of the batch; the running ones are due.",
        "given = False\nmean = average",
        applies=in_evaluation(over_the_batch),
        convention=True,
        trigger="in evaluation",
    ),
    InsideMistake(
        "normalisation-after-activation",
        "a normalisation after the activation",
        "Normalised is what the activation gives, n = gamma s + beta of f(z), in both passes; "
        "declared is f(n), the activation of what was normalised.",
        "q = f(z[i]) if i < L else z[i]\n"
        "mu[i] = running_mean[i] if given and i < L else average(q, axis)\n"
        "q = f(z[i]) if i < L else z[i]\n"
        "v[i] = running_var[i] if given and i < L else average((q - mu[i]) ** 2, axis)\n"
        "q = f(z[i]) if i < L else z[i]\n"
        "s[i] = (q - mu[i]) * r[i]\n"
        "a[i] = n[i]\n"
        "dn[i - 1] = da[i - 1]\n"
        "q = z[i - 1]\n" + BEFORE_IT,
        applies=normalised,
        convention=True,
    ),
    InsideMistake(
        "normalisation-and-activation-exchanged-backward",
        "normalisation and activation in the wrong order backward",
        "The gradient goes back through the normalisation first and is multiplied with the "
        "derivative of the activation afterwards; the activation comes last in the forward pass, "
        "so it is first on the way back.",
        "dn[i - 1] = da[i - 1]\nq = n[i - 1]\n" + BEFORE_IT,
        applies=normalised,
    ),
    InsideMistake(
        "normalisation-ignored",
        "no normalisation at all",
        "The activation takes z as it is.",
        "normalises = False\nmean = nothing\nds[i - 1] = dn[i - 1]\n"
        "dgamma[i - 1] = 0 * gamma[i - 1]\ndbeta[i - 1] = 0 * beta[i - 1]",
        applies=normalised,
        convention=True,
    ),
)
