"""Family: an array that is overwritten while somebody still needs it."""

from __future__ import annotations

from compare.mistakes.conditions import hidden
from compare.mistakes.mistake import NetworkMistake

IN_PLACE = (
    NetworkMistake(
        "derivative-overwrites-activation",
        "a derivative written into the hidden values",
        "The derivative of the activation is written into the array of the hidden values; the "
        "weight gradient of the next layer then reads the derivative.",
        "below = slope(z[i - 1], h[i - 1]) if i > 1 else x\ndw[i] = below.T @ dz[i]",
        applies=hidden,
        trigger="the weight gradient is computed after the derivative",
        seen=12,
    ),
    NetworkMistake(
        "delta-overwrites-activation",
        "dz written into the hidden values",
        "The delta dz is written into the array of the hidden values; the weight gradient of "
        "the next layer then reads dz.",
        "dz[i - 1] = dh[i - 1] * slope(z[i - 1], h[i - 1])\ndw[i] = dz[i - 1].T @ dz[i]",
        line="dz[i - 1]",
        applies=hidden,
        trigger="the weight gradient is computed after dz of the layer below",
    ),
    NetworkMistake(
        "delta-overwrites-probabilities",
        "p - y written into the probabilities before the loss",
        "The error p - y is written into the array of the probabilities; the loss then takes "
        "the logarithm of p - y, which is negative: NaN. Anything else that makes the loss NaN "
        "looks the same.",
        "log_p = np.log(p - y)",
        trigger="the loss is computed after the gradient",
    ),
    NetworkMistake(
        "bias-gradient-of-overwritten-probabilities",
        "a last bias gradient from probabilities that were overwritten",
        "The error was written into the array of the probabilities (p -= y, p /= N), and the last "
        "bias gradient takes the targets off once more, in place: it sums (dlogits - y) / N.",
        "db[i] = (dlogits - y).sum(axis=0) / M if i == L else dz[i].sum(axis=0)",
        layers=False,
        trigger="the bias gradient is computed after the error",
        paired=False,
    ),
    NetworkMistake(
        "softmax-overwrites-logits",
        "a softmax that overwrites the logits",
        "The softmax works in place: the logits hold exp(z - max z) when the loss reads them.",
        "log_p = log_softmax(np.exp(logits - logits.max(axis=1, keepdims=True)))",
        trigger="the loss is computed from the logits after the softmax",
    ),
)
