"""Family: from logits to probabilities."""

from __future__ import annotations

import numpy as np

from compare.mistakes.fits import in_loss_or_gradient
from compare.mistakes.lines import ERROR_LINE, LOG_LINE, P_LINE, p_slip
from compare.mistakes.mistake import NetworkMistake
from compare.textbook import Pair, Pass
from compare.textbook.functions import exp, log, log_softmax, maximum_of_rows, softmax, sqrt

FAMILY = "softmax"


def normalised(e: Pair) -> Pair:
    """Return e divided by the sums of its rows."""
    return e / e.sum(1)[:, None]


def global_maximum(net: Pass, _: int) -> Pair:
    """exp(z - max of all) over its row sums: a row far below the maximum becomes 0 / 0."""
    return normalised(exp(net.logits - float(net.logits.value.max())))


def maximum_of_columns(net: Pass, _: int) -> Pair:
    """exp(z_nk - max_m z_mk): the shift differs within a row, so it does not cancel."""
    largest = net.logits.stepped(lambda z: np.broadcast_to(z.max(axis=0), z.shape))
    return normalised(exp(net.logits - largest))


def l2_normalised(net: Pass, _: int) -> Pair:
    """exp(z) over the Euclidean norm of its row."""
    e = exp(net.logits - maximum_of_rows(net.logits))
    return e / sqrt((e * e).sum(1))[:, None]


def shifted_sum(net: Pass, _: int, c: float) -> Pair:
    """exp(z) / (sum + c) = softmax(z) / (1 + c / sum), which errs as little as a softmax."""
    total = exp(net.logits - maximum_of_rows(net.logits)).sum(1)
    return softmax(net.logits) / (c / total + 1.0)[:, None]


def over_everything(net: Pass, _: int) -> Pair:
    """Softmax of the whole matrix as one row."""
    flat = net.logits.arranged(lambda z: z.reshape(1, -1))
    return softmax(flat).arranged(lambda p: p.reshape(net.rows, net.classes))


def sigmoid(z: Pair) -> Pair:
    """1 / (1 + exp(-z))."""
    return 1.0 / (exp(-z) + 1.0)


SOFTMAX = (
    NetworkMistake(
        name="missing-max-shift",
        family=FAMILY,
        sentence="The softmax does not subtract the maximum of the row: exp overflows and the row "
        "becomes NaN.",
        right="p = exp(z - max z) / sum exp(z - max z)",
        wrong="p = exp(z) / sum exp(z)",
        line=P_LINE,
        slip=p_slip("np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)"),
        stages={"p": lambda net, _: normalised(exp(net.logits))},
        trigger="logits above 88 in float32, above 709 in float64",
        seen=24,
    ),
    NetworkMistake(
        name="global-maximum",
        family=FAMILY,
        sentence="The softmax subtracts one maximum of the whole batch: rows far below it become "
        "0/0.",
        right="p_n = exp(z_n - max_k z_nk) / ...",
        wrong="p_n = exp(z_n - max_mk z_mk) / ...",
        line=P_LINE,
        slip=p_slip("(e := np.exp(logits - logits.max())) / e.sum(axis=1, keepdims=True)"),
        stages={"p": global_maximum},
        trigger="a row more than 103 (float32) or 745 (float64) below the largest logit",
        seen=9,
    ),
    NetworkMistake(
        name="maximum-of-columns",
        family=FAMILY,
        sentence="The softmax subtracts the maximum of each class over the batch, not of each row: "
        "the shift does not cancel.",
        right="p_nk = exp(z_nk - max_j z_nj) / ...",
        wrong="p_nk = exp(z_nk - max_m z_mk) / ...",
        line=P_LINE,
        slip=p_slip("(e := np.exp(logits - logits.max(axis=0))) / e.sum(axis=1, keepdims=True)"),
        stages={"p": maximum_of_columns},
    ),
    NetworkMistake(
        name="softmax-twice",
        family=FAMILY,
        sentence="The softmax is applied twice, in loss and gradient: the probabilities are "
        "squeezed together.",
        right="p = softmax(z)",
        wrong="p = softmax(softmax(z))",
        line=P_LINE,
        slip=p_slip("softmax(softmax(logits))"),
        stages={"p": lambda net, _: softmax(softmax(net.logits))},
        seen=1,
    ),
    NetworkMistake(
        name="softmax-twice-in-loss",
        family=FAMILY,
        sentence="The loss takes the softmax of probabilities, as a cross-entropy of logits does "
        "when it is handed p; the gradient does not.",
        right="loss from log softmax(z)",
        wrong="loss from log softmax(p)",
        line=LOG_LINE,
        slip="log_p = log_softmax(p)",
        stages={"log_p": lambda net, _: log_softmax(net.p)},
    ),
    NetworkMistake(
        name="softmax-twice-in-gradient",
        family=FAMILY,
        sentence="The gradient takes the softmax of probabilities: `grad_ce` expects logits and "
        "was handed p.",
        right="dlogits = (softmax(z) - y) / N",
        wrong="dlogits = (softmax(p) - y) / N",
        line=ERROR_LINE,
        slip="error = softmax(p) - y",
        stages={"error": lambda net, _: softmax(net.p) - net.y},
    ),
    NetworkMistake(
        name="softmax-left-out-of-gradient",
        family=FAMILY,
        sentence="The gradient uses the logits where it needs their softmax: `grad_ce` expects "
        "probabilities and was handed logits.",
        right="dlogits = (softmax(z) - y) / N",
        wrong="dlogits = (z - y) / N",
        line=ERROR_LINE,
        slip="error = logits - y",
        stages={"error": lambda net, _: net.logits - net.y},
    ),
    NetworkMistake(
        name="softmax-over-batch",
        family=FAMILY,
        sentence="The softmax runs over the samples (axis 0), not over the classes (axis 1).",
        right="p_nk = exp(z_nk) / sum_j exp(z_nj)",
        wrong="p_nk = exp(z_nk) / sum_m exp(z_mk)",
        line=P_LINE,
        slip=p_slip("softmax(logits.T).T"),
        stages={"p": lambda net, _: softmax(net.logits.T).T},
        seen=3,
    ),
    NetworkMistake(
        name="softmax-over-everything",
        family=FAMILY,
        sentence="The softmax is normalised over the whole batch: all N·K probabilities together "
        "add up to 1.",
        right="p_nk = exp(z_nk) / sum_j exp(z_nj)",
        wrong="p_nk = exp(z_nk) / sum_mj exp(z_mj)",
        line=P_LINE,
        slip=p_slip("softmax(logits.reshape(1, -1)).reshape(N, K)"),
        stages={"p": over_everything},
    ),
    NetworkMistake(
        name="softmax-of-single-entries",
        family=FAMILY,
        sentence="The softmax runs over an axis of length 1: every probability is 1 and the loss "
        "is 0.",
        right="p_nk = exp(z_nk) / sum_j exp(z_nj)",
        wrong="p_nk = exp(z_nk) / exp(z_nk) = 1",
        line=P_LINE,
        slip=p_slip("softmax(logits.reshape(-1, 1)).reshape(N, K)"),
        stages={"p": lambda net, _: net.logits.arranged(np.zeros_like) + 1.0},
    ),
    NetworkMistake(
        name="softmax-by-l2-norm",
        family=FAMILY,
        sentence="The exponentials are divided by their Euclidean norm, not by their sum.",
        right="p = e / sum e",
        wrong="p = e / sqrt(sum e**2)",
        line=P_LINE,
        slip=p_slip(
            "(e := np.exp(logits - logits.max(axis=1, keepdims=True)))"
            " / np.linalg.norm(e, axis=1, keepdims=True)"
        ),
        stages={"p": l2_normalised},
    ),
    NetworkMistake(
        name="softmax-not-normalised",
        family=FAMILY,
        sentence="The exponentials are not divided by their sum at all.",
        right="p = e / sum e",
        wrong="p = e = exp(z - max z)",
        line=P_LINE,
        slip=p_slip("np.exp(logits - logits.max(axis=1, keepdims=True))"),
        stages={"p": lambda net, _: exp(net.logits - maximum_of_rows(net.logits))},
    ),
    NetworkMistake(
        name="epsilon-in-softmax",
        family=FAMILY,
        sentence="A constant {constant:.3g} is added to the sum of the exponentials: the "
        "probabilities do not add up to 1.",
        right="p = e / sum e",
        wrong="p = e / (sum e + {constant:.3g})",
        line=P_LINE,
        slip=p_slip(
            "(e := np.exp(logits - logits.max(axis=1, keepdims=True)))"
            " / (e.sum(axis=1, keepdims=True) + {c})"
        ),
        stages={"p": shifted_sum},
        fit=in_loss_or_gradient(1e-30, 10.0, small=1e-3),
        example=1e-5,
        trigger="the constant is above the rounding of the dtype",
    ),
    NetworkMistake(
        name="sigmoid-for-softmax",
        family=FAMILY,
        sentence="The output is a sigmoid of each logit, not a softmax over the classes.",
        right="p = softmax(z)",
        wrong="p = 1 / (1 + exp(-z))",
        line=P_LINE,
        slip=p_slip("1 / (1 + np.exp(-logits))"),
        stages={"p": lambda net, _: sigmoid(net.logits)},
    ),
    NetworkMistake(
        name="log-of-zero",
        family=FAMILY,
        sentence="The loss takes the logarithm of a probability that has underflowed to 0: it is "
        "infinite (or NaN, where 0 meets log 0) and the right one is not.",
        right="log p = z - max z - log sum exp(z - max z)",
        wrong="log p = log(softmax(z))",
        line=LOG_LINE,
        slip="log_p = np.log(p)",
        stages={"log_p": lambda net, _: log(net.p)},
        trigger="logits of one row more than 103 (float32) or 745 (float64) apart",
    ),
)
