"""Family: cross-entropy and its gradient at the logits."""

from __future__ import annotations

import numpy as np

from compare.mistakes.fits import in_the_loss
from compare.mistakes.lines import ERROR_LINE, LOG_LINE, LOSS_LINE, TERMS_LINE
from compare.mistakes.mistake import NetworkMistake
from compare.textbook import Pair, Pass
from compare.textbook.functions import clip, log, softmax
from compare.textbook.pair import exact

FAMILY = "cross-entropy"
RIGHT_ERROR = "dlogits = (p - y) / N"
RIGHT_LOSS = "loss = -(1/N) sum_n sum_k y_nk log p_nk"


def binary(net: Pass, _: int) -> Pair:
    """-(y log p + (1 - y) log(1 - p)), class by class."""
    return -(net.y * net.log_p + (1.0 - net.y) * log(1.0 - net.p))


def hardened(net: Pass, _: int) -> Pair:
    """Each row of the targets as a one-hot row of its largest entry."""
    chosen = net.point.targets.argmax(axis=1)
    return exact(np.eye(net.classes)[chosen], net.point.dtype)


GRADIENT = (
    NetworkMistake(
        name="diagonal-jacobian",
        family=FAMILY,
        sentence="The softmax is differentiated as if every probability depended on its own logit "
        "only: of the Jacobian p_j ([j=k] - p_k) just the diagonal p (1 - p) is used.",
        right=RIGHT_ERROR,
        wrong="dlogits = (-y/p) p (1 - p) / N = -y (1 - p) / N",
        line=ERROR_LINE,
        slip="error = -y * (1 - p)",
        stages={"error": lambda net, _: -(net.y * (1.0 - net.p))},
        seen=4,
    ),
    NetworkMistake(
        name="softmax-derivative-on-top",
        family=FAMILY,
        sentence="The error p - y is multiplied with p (1 - p) once more, but it already contains "
        "the derivative of the softmax.",
        right=RIGHT_ERROR,
        wrong="dlogits = (p - y) p (1 - p) / N",
        line=ERROR_LINE,
        slip="error = (p - y) * p * (1 - p)",
        stages={"error": lambda net, _: net.p * (1.0 - net.p) * (net.p - net.y)},
    ),
    NetworkMistake(
        name="one-minus-target",
        family=FAMILY,
        sentence="In place of p - y stands 1 - y: the probabilities are gone from the gradient.",
        right=RIGHT_ERROR,
        wrong="dlogits = (1 - y) / N",
        line=ERROR_LINE,
        slip="error = 1 - y",
        stages={"error": lambda net, _: 1.0 - net.y},
    ),
    NetworkMistake(
        name="target-minus-prediction",
        family=FAMILY,
        sentence="The sign of the gradient is flipped: y - p for p - y.",
        right=RIGHT_ERROR,
        wrong="dlogits = (y - p) / N",
        line=ERROR_LINE,
        slip="error = y - p",
        stages={"error": lambda net, _: net.y - net.p},
        seen=3,
    ),
    NetworkMistake(
        name="gradient-at-probabilities",
        family=FAMILY,
        sentence="The gradient stops at the probabilities: dL/dp is used as if it were dL/dlogits.",
        right=RIGHT_ERROR,
        wrong="dlogits = dL/dp = -(y / p) / N",
        line=ERROR_LINE,
        slip="error = -y / p",
        stages={"error": lambda net, _: -(net.y / net.p)},
        seen=8,
    ),
    NetworkMistake(
        name="target-over-log",
        family=FAMILY,
        sentence="The loss was differentiated as -y / log p.",
        right=RIGHT_ERROR,
        wrong="dlogits = -(y / log p) / N",
        line=ERROR_LINE,
        slip="error = -y / log_p",
        stages={"error": lambda net, _: -(net.y / net.log_p)},
    ),
    NetworkMistake(
        name="softmax-minus-probabilities",
        family=FAMILY,
        sentence="The gradient is softmax(p) - p: the targets are gone.",
        right=RIGHT_ERROR,
        wrong="dlogits = (softmax(p) - p) / N",
        line=ERROR_LINE,
        slip="error = softmax(p) - p",
        stages={"error": lambda net, _: softmax(net.p) - net.p},
    ),
    NetworkMistake(
        name="targets-hardened",
        family=FAMILY,
        sentence="Soft targets are replaced by the one-hot row of their largest entry: the code "
        "assumes one-hot targets.",
        right="y as given, rows that sum to 1",
        wrong="y = one-hot(argmax y)",
        line=TERMS_LINE,
        slip="y = np.eye(K, dtype=x.dtype)[y.argmax(axis=1)]\n    terms = -y * log_p",
        stages={"y": hardened},
        trigger="soft targets",
        convention=True,
    ),
)

LOSS = (
    NetworkMistake(
        name="epsilon-in-log",
        family=FAMILY,
        sentence="A constant {constant:.3g} is added inside the logarithm: the loss is that of "
        "another function and the gradient does not belong to it.",
        right=RIGHT_LOSS,
        wrong="loss = -(1/N) sum y log(p + {constant:.3g})",
        line=LOG_LINE,
        slip="log_p = np.log(p + {c})",
        stages={"log_p": lambda net, _, c: log(net.p + c)},
        fit=in_the_loss(1e-30, 10.0),
        example=1e-5,
        trigger="probabilities of true classes not far above the constant",
        seen=11,
    ),
    NetworkMistake(
        name="floor-in-log",
        family=FAMILY,
        sentence="Probabilities below {constant:.3g} are raised to it before the logarithm; the "
        "gradient is not.",
        right=RIGHT_LOSS,
        wrong="loss = -(1/N) sum y log max(p, {constant:.3g})",
        line=LOG_LINE,
        slip="log_p = np.log(np.maximum(p, {c}))",
        stages={"log_p": lambda net, _, c: log(clip(net.p, c, np.inf))},
        fit=in_the_loss(1e-30, 0.5),
        example=1e-2,
        trigger="a true class with a probability below the constant",
    ),
    NetworkMistake(
        name="clip-in-log",
        family=FAMILY,
        sentence="Probabilities are clipped to [{constant:.3g}, 1 - {constant:.3g}] before the "
        "logarithm; the gradient is not.",
        right=RIGHT_LOSS,
        wrong="loss = -(1/N) sum y log clip(p, {constant:.3g}, 1 - {constant:.3g})",
        line=LOG_LINE,
        slip="log_p = np.log(np.clip(p, {c}, 1 - {c}))",
        stages={"log_p": lambda net, _, c: log(clip(net.p, c, 1.0 - c))},
        fit=in_the_loss(1e-30, 0.5),
        example=1e-2,
        trigger="a true class whose probability is within the constant of 0 or 1",
    ),
    NetworkMistake(
        name="minus-missing-in-loss",
        family=FAMILY,
        sentence="The minus of the cross-entropy is missing: the loss is negative.",
        right=RIGHT_LOSS,
        wrong="loss = (1/N) sum y log p",
        line=TERMS_LINE,
        slip="terms = y * log_p",
        stages={"terms": lambda net, _: net.y * net.log_p},
    ),
    NetworkMistake(
        name="loss-arguments-swapped",
        family=FAMILY,
        sentence="The arguments of the cross-entropy are swapped: p log y for y log p.",
        right=RIGHT_LOSS,
        wrong="loss = -(1/N) sum p log y",
        line=TERMS_LINE,
        slip="terms = -p * np.log(y)",
        stages={"terms": lambda net, _: -(net.p * log(net.y))},
    ),
    NetworkMistake(
        name="loss-arguments-swapped-with-epsilon",
        family=FAMILY,
        sentence="The arguments of the cross-entropy are swapped: p log(y + {constant:.3g}) for "
        "y log p. The constant hides that log y is infinite.",
        right=RIGHT_LOSS,
        wrong="loss = -(1/N) sum p log(y + {constant:.3g})",
        line=TERMS_LINE,
        slip="terms = -p * np.log(y + {c})",
        stages={"terms": lambda net, _, c: -(net.p * log(net.y + c))},
        fit=in_the_loss(1e-30, 0.5),
        example=1e-5,
        seen=1,
    ),
    NetworkMistake(
        name="matrix-product-in-loss",
        family=FAMILY,
        sentence="The loss multiplies targets and logarithms as matrices: every sample is compared "
        "with the targets of every other.",
        right=RIGHT_LOSS,
        wrong="loss = -(1/N) sum (y @ log p.T)",
        line=TERMS_LINE,
        slip="terms = -y @ log_p.T",
        stages={"terms": lambda net, _: -(net.y @ net.log_p.T)},
        seen=1,
    ),
    NetworkMistake(
        name="class-product-in-loss",
        family=FAMILY,
        sentence="The loss multiplies targets and logarithms as matrices over the samples: every "
        "class is paired with every other.",
        right=RIGHT_LOSS,
        wrong="loss = -(1/N) sum (y.T @ log p)",
        line=TERMS_LINE,
        slip="terms = -y.T @ log_p",
        stages={"terms": lambda net, _: -(net.y.T @ net.log_p)},
    ),
    NetworkMistake(
        name="trace-in-loss",
        family=FAMILY,
        sentence="The loss adds up only the diagonal of y log p: sample 1 with class 1, sample 2 "
        "with class 2, and so on.",
        right=RIGHT_LOSS,
        wrong="loss = -(1/N) trace(y log p)",
        line=LOSS_LINE,
        slip="loss = np.trace(terms) / M",
        stages={"loss": lambda net, _: net.terms.arranged(np.diagonal).sum() / net.divisor},
        seen=1,
    ),
    NetworkMistake(
        name="binary-cross-entropy",
        family=FAMILY,
        sentence="The loss is the binary cross-entropy of every class, not the categorical one: "
        "it also counts (1 - y) log(1 - p).",
        right=RIGHT_LOSS,
        wrong="loss = -(1/N) sum (y log p + (1 - y) log(1 - p))",
        line=TERMS_LINE,
        slip="terms = -(y * log_p + (1 - y) * np.log(1 - p))",
        stages={"terms": binary},
        seen=1,
    ),
    NetworkMistake(
        name="log-base-2",
        family=FAMILY,
        sentence="The loss is in bits: log2 for log; its gradient would be 1/ln 2 times as large.",
        right=RIGHT_LOSS,
        wrong="loss = -(1/N) sum y log2 p",
        line=TERMS_LINE,
        slip="terms = -y * log_p / np.log(2).astype(x.dtype)",
        stages={"terms": lambda net, _: -(net.y * net.log_p) / np.log(2)},
    ),
    NetworkMistake(
        name="log-base-10",
        family=FAMILY,
        sentence="The loss takes the decimal logarithm: log10 for log.",
        right=RIGHT_LOSS,
        wrong="loss = -(1/N) sum y log10 p",
        line=TERMS_LINE,
        slip="terms = -y * log_p / np.log(10).astype(x.dtype)",
        stages={"terms": lambda net, _: -(net.y * net.log_p) / np.log(10)},
    ),
)

CROSS_ENTROPY = GRADIENT + LOSS
