"""Family: over what is summed, when, and what the sum is divided by."""

from __future__ import annotations

from compare.mistakes.conditions import averaged, hidden, summed
from compare.mistakes.fits import Near, whole
from compare.mistakes.mistake import NetworkMistake
from compare.mistakes.sums import SUMS

SCALES = (3, 4, 8, 10, 16, 64, 100, 128, 255, 256, 512, 1000, 1024, 4096, 65536, 0.1, 0.01, 0.001)
"""Factors that people write in front of a loss or gradient."""

SUM_AGAINST_MEAN = (
    NetworkMistake(
        "gradient-summed",
        "a gradient that is summed over the batch, not averaged",
        "The gradient is summed over the batch, the loss is averaged: every gradient is N "
        "times too large for a batch of N.",
        "dlogits = error",
        applies=averaged,
        seen=17,
    ),
    NetworkMistake(
        "gradient-averaged",
        "a gradient that is averaged over the batch, not summed",
        "The gradient is averaged over the batch, the loss is summed: every gradient is N "
        "times too small for a batch of N.",
        "dlogits = error / N",
        applies=summed,
        trigger="the loss is declared to be a sum",
    ),
    NetworkMistake(
        "loss-summed",
        "a loss that is summed over the batch, not averaged",
        "The loss is summed over the batch, the gradient belongs to the average: the loss is "
        "N times too large for a batch of N.",
        "loss = terms.sum()",
        applies=averaged,
    ),
    NetworkMistake(
        "loss-averaged",
        "a loss that is averaged over the batch, not summed",
        "The loss is averaged over the batch, the gradient belongs to the sum: the loss is N "
        "times too small for a batch of N.",
        "loss = terms.sum() / N",
        applies=summed,
        trigger="the loss is declared to be a sum",
    ),
    NetworkMistake(
        "summed-not-averaged",
        "loss and gradient summed over the batch, not averaged",
        "Loss and gradient are both summed over the batch instead of averaged: a convention, "
        "everything is N times as large for a batch of N. Declare it with `--reduction sum` "
        "(in Python `reduction='sum'`).",
        "M = 1",
        applies=averaged,
        convention=True,
    ),
    NetworkMistake(
        "averaged-not-summed",
        "loss and gradient averaged over the batch, not summed",
        "Loss and gradient are both averaged over the batch instead of summed: a convention, "
        "everything is N times as small for a batch of N. Declare it with `--reduction mean` "
        "(in Python `reduction='mean'`).",
        "M = N",
        applies=summed,
        trigger="the loss is declared to be a sum",
        convention=True,
    ),
)


WRONG_DIVISOR = (
    NetworkMistake(
        "gradient-divided-by-n-twice",
        "a gradient that is divided by N twice",
        "The gradient is divided by N twice, once at the logits and once more in the layers.",
        "dlogits = error / N / M",
        applies=averaged,
    ),
    NetworkMistake(
        "weight-gradient-divided-by-n-twice",
        "a weight gradient that is divided by N twice",
        "The weight gradient is divided by N once more although dlogits already is; the bias "
        "gradient is not.",
        "dw[i] = h[i - 1].T @ dz[i] / N",
        applies=averaged,
    ),
    NetworkMistake(
        "weight-gradient-averaged",
        "a weight gradient that is averaged where the rest is summed",
        "The weight gradient is averaged over the batch, the bias gradient and the loss are "
        "summed: it is N times too small for a batch of N.",
        "dw[i] = h[i - 1].T @ dz[i] / N",
        applies=summed,
        trigger="the loss is declared to be a sum",
    ),
    NetworkMistake(
        "loss-averaged-over-classes",
        "a loss that is averaged over the K classes too",
        "The loss is averaged over the K classes too, as a mean over all entries does: it is "
        "K times too small, the gradient is not.",
        "loss = terms.sum() / M / K",
        seen=9,
    ),
    NetworkMistake(
        "gradient-averaged-over-classes",
        "a gradient that is averaged over the K classes too",
        "The gradient is averaged over the K classes too, as a mean over all entries does: it "
        "is K times too small, the loss is not.",
        "dlogits = error / M / K",
    ),
    NetworkMistake(
        "averaged-over-classes",
        "loss and gradient averaged over the K classes too",
        "Loss and gradient are averaged over the K classes too, as a mean over all entries "
        "does: both are K times too small.",
        'M = N * K if reduction == "mean" else K',
        convention=True,
    ),
    NetworkMistake(
        "gradient-divided-by-features",
        "a gradient that is divided by the number of inputs F, not by N",
        "The gradient is divided by the number of inputs F, not by the batch N: `shape[1]` "
        "was taken for `shape[0]`.",
        "dlogits = error / F",
        applies=averaged,
        seen=1,
    ),
    NetworkMistake(
        "gradient-divided-by-classes",
        "a gradient that is divided by the number of classes K, not by N",
        "The gradient is divided by the number of classes K, not by the batch N: `shape[1]` "
        "was taken for `shape[0]`.",
        "dlogits = error / K",
        applies=averaged,
    ),
    NetworkMistake(
        "gradient-divided-by-hidden-units",
        "a gradient that is divided by the number of hidden units H, not by N",
        "The gradient is divided by the number of hidden units H, not by the batch N.",
        "dlogits = error / H",
        applies=lambda point: averaged(point) and hidden(point),
    ),
    NetworkMistake(
        "gradient-divided-by-data-set",
        "a gradient that is divided by {constant:.0f}, whatever the batch",
        "The gradient is divided by {constant:.0f} in a batch of any size n, so it is n / "
        "{constant:.0f} times the right one: the nominal batch size, or that of the whole data "
        "set?",
        "dlogits = error / c",
        fit=whole,
        example=32,
        trigger="a batch of another size",
    ),
    NetworkMistake(
        "loss-divided-by-a-number",
        "a loss that is divided by {constant:.0f}, whatever the batch",
        "The loss is divided by {constant:.0f} in a batch of any size n, so it is n / "
        "{constant:.0f} times the right one; the gradient is right.",
        "loss = terms.sum() / c",
        fit=whole,
        example=32,
        trigger="a batch of another size",
        paired=False,
    ),
    NetworkMistake(
        "divided-by-a-number",
        "loss and gradient divided by {constant:.0f}, whatever the batch",
        "Loss and gradient are divided by {constant:.0f} in a batch of any size n, so they are n / "
        "{constant:.0f} times the right ones: the nominal batch size?",
        "M = c",
        fit=whole,
        example=32,
        trigger="a batch of another size",
        convention=True,
    ),
    NetworkMistake(
        "gradient-times-a-number",
        "{constant:g} times the gradient",
        "Every gradient is {constant:g} times as large as it should be; the loss is right. A loss "
        "scale that is not taken out again?",
        "dlogits = c * error / M",
        fit=Near(SCALES),
        example=128,
        paired=False,
    ),
    NetworkMistake(
        "loss-times-a-number",
        "{constant:g} times the loss",
        "The loss is {constant:g} times as large as it should be; the gradient is right.",
        "loss = c * terms.sum() / M",
        fit=Near(SCALES),
        example=100,
        paired=False,
    ),
    NetworkMistake(
        "gradient-divided-by-n-minus-1",
        "a gradient that is divided by N - 1",
        "The gradient is divided by N - 1 for a batch of N, the loss by N.",
        "dlogits = error / (N - 1)",
        applies=averaged,
    ),
    NetworkMistake(
        "loss-divided-by-n-minus-1",
        "a loss that is divided by N - 1",
        "The loss is divided by N - 1 for a batch of N, the gradient by N.",
        "loss = terms.sum() / (N - 1)",
        applies=averaged,
        paired=False,
    ),
    NetworkMistake(
        "divided-by-n-minus-1",
        "loss and gradient divided by N - 1",
        "Loss and gradient are divided by N - 1 for a batch of N, as the estimate of a variance "
        "is.",
        "M = N - 1",
        applies=averaged,
        convention=True,
    ),
    NetworkMistake(
        "divided-by-classes",
        "loss and gradient divided by the number of classes K, not by N",
        "Loss and gradient are divided by the number of classes K where the batch N belongs.",
        "M = K",
        applies=averaged,
        convention=True,
        paired=False,
    ),
    NetworkMistake(
        "gradient-times-n",
        "a gradient of the mean that is multiplied by N twice",
        "The gradient is N**2 times too large for a batch of N: a sum that is multiplied by N "
        "where it should be divided.",
        "dlogits = error * N",
        applies=averaged,
        paired=False,
    ),
    NetworkMistake(
        "loss-divided-by-classes",
        "a loss that is divided by the number of classes K, not by N",
        "The loss is divided by the number of classes K, not by the batch N.",
        "loss = terms.sum() / K",
        applies=averaged,
    ),
    NetworkMistake(
        "gradient-halved",
        "half the gradient",
        "Every gradient is half as large as it should be: the 1/2 of a squared error, which "
        "cross-entropy does not have.",
        "dlogits = error / (2 * M)",
    ),
    NetworkMistake(
        "gradient-doubled",
        "twice the gradient",
        "Every gradient is twice as large as it should be: the 2 of a squared error, which "
        "cross-entropy does not have.",
        "dlogits = 2 * error / M",
    ),
    NetworkMistake(
        "loss-halved",
        "half the loss",
        "The loss is half as large as it should be, the gradient is not: the 1/2 of a squared "
        "error, which cross-entropy does not have.",
        "loss = terms.sum() / (2 * M)",
    ),
)

REDUCTION = SUM_AGAINST_MEAN + WRONG_DIVISOR + SUMS
