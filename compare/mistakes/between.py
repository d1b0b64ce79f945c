"""Normalisation and dropout: the wrong steps that code in the wild takes, first those seen most.

A slip replaces lines of `textbook/plain_between.py`, each known by what it assigns. Seen in
hand-written code: the mask missing in the backward pass (numpy-ml#94), the mask unscaled there
(mytorch), statistics treated as constants (pytorch#2330, mxnet#12369, stats.SE 328242).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BetweenMistake:
    """One wrong step: `slip` in place of the lines that assign the same.

    `of`: "dropout", "normalisation", "batch" or "layer": the networks in which it can be made.
    `evaluation`: whether it shows only where the network is evaluated, not trained.
    `convention`: loss and gradient still belong together.
    """

    name: str
    title: str
    sentence: str
    slip: str
    of: str = "normalisation"
    convention: bool = False
    evaluation: bool = False


DROPOUT = (
    BetweenMistake(
        "dropout-mask-missing-backward", "no dropout mask in the backward pass",
        "The gradient passes through units that dropout left out: da = dh * mask / (1 - P) is due.",
        "da = dh", "dropout",
    ),
    BetweenMistake(
        "dropout-mask-missing-but-scaled", "no dropout mask in the backward pass",
        "The gradient is divided by 1 - P, but passes through units that dropout left out.",
        "da = dh / (1 - P)", "dropout",
    ),
    BetweenMistake(
        "dropout-unscaled-backward", "dropout not scaled in the backward pass",
        "The forward pass divides by 1 - P, the backward pass only applies the mask.",
        "da = dh * mask", "dropout",
    ),
    BetweenMistake(
        "dropout-scaled-backward-only", "dropout scaled in the backward pass only",
        "The backward pass divides by 1 - P, the forward pass only applies the mask.",
        "h[i] = a[i] * mask", "dropout",
    ),
    BetweenMistake(
        "dropout-unscaled", "dropout without division by 1 - P",
        "Both passes apply the mask without dividing by 1 - P; then evaluation has to multiply.",
        "h[i] = a[i] * mask\nda = dh * mask", "dropout", convention=True,
    ),
    BetweenMistake(
        "dropout-scaled-by-p", "dropout divided by P in place of 1 - P",
        "Both passes divide by the share that is left out; 1 - P is what stays.",
        "h[i] = a[i] * mask / P\nda = dh * mask / P", "dropout", convention=True,
    ),
    BetweenMistake(
        "dropout-mask-inverted", "the dropout mask inverted",
        "The units that stay are left out: mask is True for those that stay.",
        "h[i] = a[i] * (1 - mask) / (1 - P)\nda = dh * (1 - mask) / (1 - P)", "dropout",
        convention=True,
    ),
    BetweenMistake(
        "dropout-ignored", "no dropout at all",
        "No unit is left out in either pass.",
        "drops = False", "dropout", convention=True,
    ),
    BetweenMistake(
        "dropout-in-evaluation", "dropout in evaluation",
        "Units are left out in evaluation too: context['training'] is False there.",
        "active = True", "dropout", convention=True, evaluation=True,
    ),
)  # fmt: skip
NORMALISATION = (
    BetweenMistake(
        "normalisation-statistics-constant", "mean and variance treated as constants",
        "Nothing flows back through mean and variance: dz = r ds, without the two means over ds.",
        "dz = ri * ds",
    ),
    BetweenMistake(
        "normalisation-variance-constant", "the variance treated as a constant",
        "Nothing flows back through the variance: the term s mean(ds s) is missing.",
        "dz = ri * (ds - mean(ds, axis))",
    ),
    BetweenMistake(
        "normalisation-mean-constant", "the mean treated as a constant",
        "Nothing flows back through the mean: the term mean ds is missing.",
        "dz = ri * (ds - si * mean(ds * si, axis))",
    ),
    BetweenMistake(
        "normalisation-gamma-missing-backward", "gamma missing in the backward pass",
        "ds = dn gamma is due: the scale multiplies the gradient as well.",
        "ds = dn",
    ),
    BetweenMistake(
        "normalisation-root-missing-backward", "the factor 1 / sqrt(v + eps) missing",
        "dz = r (ds - ...) is due; the factor r is missing.",
        "dz = ds - mean(ds, axis) - si * mean(ds * si, axis)",
    ),
    BetweenMistake(
        "normalisation-variance-sign", "the sign of the variance's term",
        "What flows back through the variance is added; it has to be taken off.",
        "dz = ri * (ds - mean(ds, axis) + si * mean(ds * si, axis))",
    ),
    BetweenMistake(
        "normalisation-mean-sign", "the sign of the mean's term",
        "What flows back through the mean is added; it has to be taken off.",
        "dz = ri * (ds + mean(ds, axis) - si * mean(ds * si, axis))",
    ),
    BetweenMistake(
        "normalisation-mean-doubled", "the mean's term twice",
        "What flows back through the mean is taken off twice.",
        "dz = ri * (ds - 2 * mean(ds, axis) - si * mean(ds * si, axis))",
    ),
    BetweenMistake(
        "normalisation-variance-doubled", "the variance's term twice",
        "What flows back through the variance is taken off twice: the 2 of the square and the 1/2 "
        "of the root cancel.",
        "dz = ri * (ds - mean(ds, axis) - 2 * si * mean(ds * si, axis))",
    ),
    BetweenMistake(
        "normalisation-variance-halved", "half of the variance's term",
        "Only half flows back through the variance: the 2 of the square and the 1/2 of the root "
        "cancel.",
        "dz = ri * (ds - mean(ds, axis) - si * mean(ds * si, axis) / 2)",
    ),
    BetweenMistake(
        "normalisation-sums-for-means", "sums in place of means",
        "The two terms that are taken off are sums; they have to be means.",
        "dz = ri * (ds - count(ds, axis) * (mean(ds, axis) + si * mean(ds * si, axis)))",
    ),
    BetweenMistake(
        "normalisation-s-missing", "mean(ds s) without its factor s",
        "The variance's term lacks the factor s: s mean(ds s) is due.",
        "dz = ri * (ds - mean(ds, axis) - mean(ds * si, axis))",
    ),
    BetweenMistake(
        "normalisation-dgamma-of-z", "dgamma from z in place of s",
        "dgamma = sum dn s is due, with the standardised s; z was taken.",
        'gradients[f"gamma{i - 1}"] = (dn * z[i - 1]).sum(axis=0)',
    ),
    BetweenMistake(
        "normalisation-dgamma-of-n", "dgamma from n in place of s",
        "dgamma = sum dn s is due, with the standardised s; the scaled and shifted n was taken.",
        'gradients[f"gamma{i - 1}"] = (dn * n[i - 1]).sum(axis=0)',
    ),
    BetweenMistake(
        "normalisation-dgamma-after-gamma", "dgamma and dbeta from ds",
        "dgamma = sum dn s and dbeta = sum dn are due; they were computed behind the factor gamma.",
        'gradients[f"gamma{i - 1}"] = (dn * parameters[f"gamma{i - 1}"] * si).sum(axis=0)\n'
        'gradients[f"beta{i - 1}"] = (dn * parameters[f"gamma{i - 1}"]).sum(axis=0)',
    ),
    BetweenMistake(
        "normalisation-dgamma-averaged", "dgamma and dbeta averaged over the rows",
        "dgamma and dbeta are sums over the rows; 1/N is in dlogits already.",
        'gradients[f"gamma{i - 1}"] = (dn * si).mean(axis=0)\n'
        'gradients[f"beta{i - 1}"] = dn.mean(axis=0)',
    ),
    BetweenMistake(
        "normalisation-unbiased-variance", "the variance divided by m - 1",
        "The variance divides by the count less one (ddof=1); the batch is divided by the biased "
        "variance, over the count.",
        "v = z[i].var(axis=axis, keepdims=True, ddof=1)\n"
        "dz = ri * (ds - mean(ds, axis) - si * (ds * si).sum(axis, keepdims=True)"
        " / (count(ds, axis) - 1))", convention=True,
    ),
    BetweenMistake(
        "normalisation-unbiased-forward", "the variance divided by m - 1 in the forward pass only",
        "The forward pass divides by the count less one (ddof=1), the backward pass by the count.",
        "v = z[i].var(axis=axis, keepdims=True, ddof=1)",
    ),
    BetweenMistake(
        "normalisation-eps-outside", "eps outside the root",
        "eps is added to the deviation; it has to stand inside the root, sqrt(v + eps).",
        "r[i] = 1 / (np.sqrt(v) + eps)\n"
        "dz = ri * (ds - mean(ds, axis) - si * mean(ds * si, axis) / (1 - eps * ri))",
        convention=True,
    ),
    BetweenMistake(
        "normalisation-eps-outside-forward", "eps outside the root in the forward pass only",
        "eps is added to the deviation and the backward pass is that of sqrt(v + eps).",
        "r[i] = 1 / (np.sqrt(v) + eps)",
    ),
    BetweenMistake(
        "normalisation-eps-missing", "no eps in the root",
        "The root is of the variance alone; sqrt(v + eps) is due, with eps = 1e-5.",
        "eps = 0.0", convention=True,
    ),
    *(
        BetweenMistake(
            f"normalisation-eps-{value}", f"eps = {value} in place of 1e-5",
            f"eps is {value}; 1e-5 is due.",
            f"eps = {value}", convention=True,
        )
        for value in ("1e-3", "1e-4", "1e-6", "1e-7", "1e-8")
    ),
    BetweenMistake(
        "normalisation-by-variance", "division by the variance",
        "z - mu is divided by v + eps; its root is due.",
        "r[i] = 1 / (v + eps)\n"
        "dz = ri * (ds - mean(ds, axis)) - 2 * si * mean(ds * si, axis)", convention=True,
    ),
    BetweenMistake(
        "normalisation-wrong-axis", "mean and variance along the wrong axis",
        "Layer normalisation takes mean and variance over the units of each row (axis 1), batch "
        "normalisation over the rows of each unit (axis 0); the other was taken.",
        'axis = 1 if normalisation == "batch" else 0', convention=True,
    ),
    BetweenMistake(
        "normalisation-running-in-training", "running statistics in training",
        "Mean and variance are the running ones in training too; there those of the batch are due.",
        'given = True', "batch", convention=True,
    ),
    BetweenMistake(
        "normalisation-batch-in-evaluation", "statistics of the batch in evaluation",
        "In evaluation mean and variance are those of the batch; the running ones are due.",
        "given = False", "batch", convention=True, evaluation=True,
    ),
    BetweenMistake(
        "normalisation-ignored", "no normalisation at all",
        "z goes into the activation as it is.",
        "normalises = False", convention=True,
    ),
)  # fmt: skip
BETWEEN = (*DROPOUT, *NORMALISATION)
