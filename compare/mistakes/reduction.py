"""Family: what the sum over the batch is divided by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compare.mistakes.conditions import averaged, hidden, summed
from compare.mistakes.fits import whole
from compare.mistakes.lines import (
    DIVISOR_LINE,
    DLOGITS_LINE,
    DW_LINE,
    LOSS_LINE,
    dlogits_slip,
)
from compare.mistakes.mistake import NetworkMistake
from compare.textbook import RIGHT, Pair, Pass

FAMILY = "reduction"


def error_over(divisor: Callable[[Pass], float]) -> Callable[[Pass, int], Pair]:
    """Return the stage dlogits = error / divisor."""
    return lambda net, _: net.error / divisor(net)


def loss_over(divisor: Callable[[Pass], float]) -> Callable[[Pass, int], Pair]:
    """Return the stage loss = sum terms / divisor."""
    return lambda net, _: net.terms.sum() / divisor(net)


SUM_AGAINST_MEAN = (
    NetworkMistake(
        name="gradient-summed",
        family=FAMILY,
        sentence="The gradient is summed over the batch, the loss is averaged: every gradient is "
        "N times too large for a batch of N.",
        right="dlogits = (p - y) / N",
        wrong="dlogits = p - y",
        line=DLOGITS_LINE,
        slip=dlogits_slip("error"),
        stages={"dlogits": lambda net, _: net.error},
        applies=averaged,
        seen=17,
    ),
    NetworkMistake(
        name="gradient-averaged",
        family=FAMILY,
        sentence="The gradient is averaged over the batch, the loss is summed: every gradient is "
        "N times too small for a batch of N.",
        right="dlogits = p - y",
        wrong="dlogits = (p - y) / N",
        line=DLOGITS_LINE,
        slip=dlogits_slip("error / N"),
        stages={"dlogits": error_over(lambda net: net.rows)},
        applies=summed,
        trigger="the loss is declared to be a sum",
    ),
    NetworkMistake(
        name="loss-summed",
        family=FAMILY,
        sentence="The loss is summed over the batch, the gradient belongs to the average: the loss "
        "is N times too large for a batch of N.",
        right="loss = -(1/N) sum y log p",
        wrong="loss = -sum y log p",
        line=LOSS_LINE,
        slip="loss = terms.sum()",
        stages={"loss": loss_over(lambda net: 1.0)},
        applies=averaged,
    ),
    NetworkMistake(
        name="loss-averaged",
        family=FAMILY,
        sentence="The loss is averaged over the batch, the gradient belongs to the sum: the loss "
        "is N times too small for a batch of N.",
        right="loss = -sum y log p",
        wrong="loss = -(1/N) sum y log p",
        line=LOSS_LINE,
        slip="loss = terms.sum() / N",
        stages={"loss": loss_over(lambda net: net.rows)},
        applies=summed,
        trigger="the loss is declared to be a sum",
    ),
    NetworkMistake(
        name="summed-not-averaged",
        family=FAMILY,
        sentence="Loss and gradient are both summed over the batch instead of averaged: a "
        "convention, everything is N times as large for a batch of N. Declare it with "
        "`--reduction sum`.",
        right="loss = -(1/N) sum y log p, dlogits = (p - y) / N",
        wrong="loss = -sum y log p, dlogits = p - y",
        line=DIVISOR_LINE,
        slip="M = 1",
        stages={
            "loss": loss_over(lambda net: 1.0),
            "dlogits": lambda net, _: net.error,
        },
        applies=averaged,
        convention=True,
    ),
    NetworkMistake(
        name="averaged-not-summed",
        family=FAMILY,
        sentence="Loss and gradient are both averaged over the batch instead of summed: a "
        "convention, everything is N times as small for a batch of N. Declare it with "
        "`--reduction mean`.",
        right="loss = -sum y log p, dlogits = p - y",
        wrong="loss = -(1/N) sum y log p, dlogits = (p - y) / N",
        line=DIVISOR_LINE,
        slip="M = N",
        stages={
            "loss": loss_over(lambda net: net.rows),
            "dlogits": error_over(lambda net: net.rows),
        },
        applies=summed,
        trigger="the loss is declared to be a sum",
        convention=True,
    ),
)


def weights_over_n(**own: Any) -> NetworkMistake:
    """Return an entry for a dw that is divided by N where db and the loss are not."""
    return NetworkMistake(
        family=FAMILY,
        right="dw = h.T @ dz",
        wrong="dw = h.T @ dz / N",
        line=DW_LINE,
        slip="dw[i] = h[i - 1].T @ dz[i] / N",
        stages={"dw": lambda net, i: RIGHT["dw"](net, i) / net.rows},
        **own,
    )


WRONG_DIVISOR = (
    NetworkMistake(
        name="gradient-divided-by-n-twice",
        family=FAMILY,
        sentence="The gradient is divided by N twice, once at the logits and once more in "
        "the layers.",
        right="dw = h.T @ dz with dz = (p - y) / N",
        wrong="dw = h.T @ dz / N with dz = (p - y) / N",
        line=DLOGITS_LINE,
        slip=dlogits_slip("error / N / M"),
        stages={"dlogits": error_over(lambda net: net.divisor * net.rows)},
        applies=averaged,
    ),
    weights_over_n(
        name="weight-gradient-divided-by-n-twice",
        sentence="The weight gradient is divided by N once more although dlogits already "
        "is; the bias gradient is not.",
        applies=averaged,
    ),
    weights_over_n(
        name="weight-gradient-averaged",
        sentence="The weight gradient is averaged over the batch, the bias gradient and the loss "
        "are summed: it is N times too small for a batch of N.",
        applies=summed,
        trigger="the loss is declared to be a sum",
    ),
    NetworkMistake(
        name="loss-averaged-over-classes",
        family=FAMILY,
        sentence="The loss is averaged over the K classes too, as a mean over all entries "
        "does: it is K times too small, the gradient is not.",
        right="loss = -(1/N) sum y log p",
        wrong="loss = -(1/(N K)) sum y log p",
        line=LOSS_LINE,
        slip="loss = terms.sum() / M / K",
        stages={"loss": loss_over(lambda net: net.divisor * net.classes)},
        seen=9,
    ),
    NetworkMistake(
        name="gradient-averaged-over-classes",
        family=FAMILY,
        sentence="The gradient is averaged over the K classes too, as a mean over all entries "
        "does: it is K times too small, the loss is not.",
        right="dlogits = (p - y) / N",
        wrong="dlogits = (p - y) / (N K)",
        line=DLOGITS_LINE,
        slip=dlogits_slip("error / M / K"),
        stages={"dlogits": error_over(lambda net: net.divisor * net.classes)},
    ),
    NetworkMistake(
        name="averaged-over-classes",
        family=FAMILY,
        sentence="Loss and gradient are averaged over the K classes too, as a mean over all "
        "entries does: both are K times too small.",
        right="loss = -(1/N) sum y log p",
        wrong="loss = -(1/(N K)) sum y log p, and its gradient",
        line=DIVISOR_LINE,
        slip='M = N * K if reduction == "mean" else K',
        stages={
            "loss": loss_over(lambda net: net.divisor * net.classes),
            "dlogits": error_over(lambda net: net.divisor * net.classes),
        },
        convention=True,
    ),
    NetworkMistake(
        name="gradient-divided-by-features",
        family=FAMILY,
        sentence="The gradient is divided by the number of inputs F, not by the batch "
        "N: `shape[1]` was taken for `shape[0]`.",
        right="dlogits = (p - y) / N",
        wrong="dlogits = (p - y) / F",
        line=DLOGITS_LINE,
        slip=dlogits_slip("error / F"),
        stages={"dlogits": error_over(lambda net: net.x.shape[1])},
        applies=averaged,
        seen=1,
    ),
    NetworkMistake(
        name="gradient-divided-by-classes",
        family=FAMILY,
        sentence="The gradient is divided by the number of classes K, not by the batch "
        "N: `shape[1]` was taken for `shape[0]`.",
        right="dlogits = (p - y) / N",
        wrong="dlogits = (p - y) / K",
        line=DLOGITS_LINE,
        slip=dlogits_slip("error / K"),
        stages={"dlogits": error_over(lambda net: net.classes)},
        applies=averaged,
    ),
    NetworkMistake(
        name="gradient-divided-by-hidden-units",
        family=FAMILY,
        sentence="The gradient is divided by the number of hidden units H, not by the batch N.",
        right="dlogits = (p - y) / N",
        wrong="dlogits = (p - y) / H",
        line=DLOGITS_LINE,
        slip=dlogits_slip("error / H"),
        stages={"dlogits": error_over(lambda net: net.w(net.depth).shape[0])},
        applies=lambda point: averaged(point) and hidden(point),
    ),
    NetworkMistake(
        name="gradient-divided-by-data-set",
        family=FAMILY,
        sentence="The gradient of a mini-batch is divided by {constant:.0f}: by the size of the "
        "whole data set?",
        right="dlogits = (p - y) / N",
        wrong="dlogits = (p - y) / (all samples)",
        line=DLOGITS_LINE,
        slip=dlogits_slip("error / {c:.0f}"),
        stages={"dlogits": lambda net, _, c: net.error / c},
        fit=whole,
        example=1437,
        trigger="a mini-batch smaller than the data set",
    ),
    NetworkMistake(
        name="loss-divided-by-classes",
        family=FAMILY,
        sentence="The loss is divided by the number of classes K, not by the batch N.",
        right="loss = -(1/N) sum y log p",
        wrong="loss = -(1/K) sum y log p",
        line=LOSS_LINE,
        slip="loss = terms.sum() / K",
        stages={"loss": loss_over(lambda net: net.classes)},
        applies=averaged,
    ),
    NetworkMistake(
        name="gradient-halved",
        family=FAMILY,
        sentence="Every gradient is half as large as it should be: the 1/2 of a squared error, "
        "which cross-entropy does not have.",
        right="dlogits = (p - y) / N",
        wrong="dlogits = (p - y) / (2 N)",
        line=DLOGITS_LINE,
        slip=dlogits_slip("error / (2 * M)"),
        stages={"dlogits": error_over(lambda net: 2.0 * net.divisor)},
    ),
    NetworkMistake(
        name="gradient-doubled",
        family=FAMILY,
        sentence="Every gradient is twice as large as it should be: the 2 of a squared error, "
        "which cross-entropy does not have.",
        right="dlogits = (p - y) / N",
        wrong="dlogits = 2 (p - y) / N",
        line=DLOGITS_LINE,
        slip=dlogits_slip("2 * error / M"),
        stages={"dlogits": error_over(lambda net: 0.5 * net.divisor)},
    ),
    NetworkMistake(
        name="loss-halved",
        family=FAMILY,
        sentence="The loss is half as large as it should be, the gradient is not: the 1/2 of a "
        "squared error, which cross-entropy does not have.",
        right="loss = -(1/N) sum y log p",
        wrong="loss = -(1/(2N)) sum y log p",
        line=LOSS_LINE,
        slip="loss = terms.sum() / (2 * M)",
        stages={"loss": loss_over(lambda net: 2.0 * net.divisor)},
    ),
)

REDUCTION = SUM_AGAINST_MEAN + WRONG_DIVISOR
