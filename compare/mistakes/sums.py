"""Family: over what is summed, when, and what the sum is divided by; here over what and when."""

from __future__ import annotations

from compare.mistakes.conditions import averaged
from compare.mistakes.fits import Among
from compare.mistakes.mistake import NetworkMistake

SUMS = (
    NetworkMistake(
        "bias-not-summed",
        "a bias gradient that is not summed over the batch",
        "The bias gradient is not summed over the batch: it keeps one row per sample.",
        "db[i] = dz[i]",
        seen=4,
    ),
    NetworkMistake(
        "bias-averaged",
        "a bias gradient that is a mean, not a sum",
        "The bias gradient is the mean of dz over the batch, not its sum: N times too small "
        "for a batch of N.",
        "db[i] = dz[i].mean(axis=0)",
    ),
    NetworkMistake(
        "bias-gradient-summed",
        "bias gradients that are not divided by N",
        "Every db is N times as large as it should be: the mean over the batch is missing there.",
        "db[i] = (dz[i] * N).sum(axis=0)",
        applies=averaged,
    ),
    NetworkMistake(
        "weight-gradient-summed",
        "weight gradients that are not divided by N",
        "Every dw is N times as large as it should be: the mean over the batch is missing there.",
        "dw[i] = h[i - 1].T @ (dz[i] * N)",
        applies=averaged,
    ),
    NetworkMistake(
        "bias-summed-over-wrong-axis",
        "a bias gradient summed over the units, not the samples",
        "The bias gradient is summed over the units, not over the samples: it has one entry "
        "per sample.",
        "db[i] = dz[i].sum(axis=1)",
    ),
    NetworkMistake(
        "bias-summed-to-a-number",
        "a bias gradient summed to a single number",
        "The bias gradient is summed over samples and units: one number for all units.",
        "db[i] = np.full_like(b[i], dz[i].sum())",
        trigger="beyond the last layer: there the errors of a row add up to 0 of themselves",
    ),
    NetworkMistake(
        "bias-averaged-to-a-number",
        "a bias gradient averaged to a single number",
        "The bias gradient is the mean over samples and units, not the sum over the samples: one "
        "number for all units.",
        "db[i] = np.full_like(b[i], (dz[i] * c).mean())",
        fit=Among(lambda point: (1, len(point.x)), varies=True),
        example=1,
        trigger="beyond the last layer: there the errors of a row add up to 0 of themselves",
    ),
    NetworkMistake(
        "bias-from-weight-gradient",
        "a bias gradient summed over the weight gradient",
        "The bias gradient is the sum of dw over its inputs, so the inputs are in it; it is the "
        "sum of dz over the samples.",
        "db[i] = dw[i].sum(axis=0)",
    ),
    NetworkMistake(
        "bias-gradient-of-p",
        "a last bias gradient from p, without the targets",
        "The last bias gradient sums p, not p - y: the targets are not taken off.",
        "db[i] = p.sum(axis=0) / M if i == L else dz[i].sum(axis=0)",
        layers=False,
        paired=False,
    ),
    NetworkMistake(
        "bias-of-one-row",
        "a bias gradient of a single sample",
        "The bias gradient is that of one sample of the batch ({constant:+.0f}: 0 the first, -1 "
        "the last), not their sum.",
        "db[i] = dz[i][c]",
        fit=Among(lambda point: (0, -1)),
        example=0,
        paired=False,
    ),
    NetworkMistake(
        "bias-of-absolute-errors",
        "a bias gradient that adds up absolute values",
        "The bias gradient adds up |dz| over the samples; the errors have signs.",
        "db[i] = np.abs(dz[i]).sum(axis=0)",
        paired=False,
    ),
    NetworkMistake(
        "bias-gradient-negated",
        "a bias gradient of the wrong sign",
        "The bias gradient has the wrong sign; the weight gradient has the right one.",
        "db[i] = -dz[i].sum(axis=0)",
        paired=False,
    ),
    NetworkMistake(
        "weight-gradient-negated",
        "a weight gradient of the wrong sign",
        "The weight gradient has the wrong sign; the bias gradient has the right one.",
        "dw[i] = -h[i - 1].T @ dz[i]",
        paired=False,
    ),
    NetworkMistake(
        "gradient-collapsed-over-batch",
        "an error that is averaged over the batch before the layers",
        "The error at the logits is averaged over the batch before it is multiplied with the "
        "inputs of the layers: every sample's input meets the same average error.",
        "dlogits = np.ones_like(error) * error.mean(axis=0) / M",
        seen=4,
    ),
)
