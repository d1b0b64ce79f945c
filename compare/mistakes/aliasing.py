"""Family: an array that is overwritten while somebody still needs it."""

from __future__ import annotations

from compare.mistakes.conditions import hidden
from compare.mistakes.lines import DW_LINE, GRADIENTS_LINE, LOG_LINE
from compare.mistakes.mistake import NetworkMistake
from compare.textbook import Pair, Pass
from compare.textbook.functions import exp, log, log_softmax, maximum_of_rows

FAMILY = "aliasing"


def derivative_for_input(net: Pass, i: int) -> Pair:
    """f'(z_{l-1}).T @ dz_l."""
    return (net.get("slope", i - 1) if i > 1 else net.x).T @ net.dz(i)


def delta_for_input(net: Pass, i: int) -> Pair:
    """dz_{l-1}.T @ dz_l."""
    return (net.dz(i - 1) if i > 1 else net.x).T @ net.dz(i)


IN_PLACE = (
    NetworkMistake(
        name="derivative-overwrites-activation",
        family=FAMILY,
        sentence="The derivative of the activation is written into the array of the hidden values; "
        "the weight gradient of the next layer then reads the derivative.",
        right="dw_l = h_{l-1}.T @ dz_l",
        wrong="dw_l = f'(z_{l-1}).T @ dz_l",
        line=DW_LINE,
        slip="below = slope(h[i - 1]) if i > 1 else x\n        dw[i] = below.T @ dz[i]",
        stages={"dw": derivative_for_input},
        applies=hidden,
        trigger="the weight gradient is computed after the derivative",
        seen=12,
    ),
    NetworkMistake(
        name="delta-overwrites-activation",
        family=FAMILY,
        sentence="The delta dz is written into the array of the hidden values; the weight gradient "
        "of the next layer then reads dz.",
        right="dw_l = h_{l-1}.T @ dz_l",
        wrong="dw_l = dz_{l-1}.T @ dz_l",
        line=GRADIENTS_LINE,
        slip="dw = {i: (dz[i - 1] if i > 1 else x).T @ dz[i] for i in dw}\n    " + GRADIENTS_LINE,
        stages={"dw": delta_for_input},
        reads=("dz",),
        applies=hidden,
        trigger="the weight gradient is computed after dz of the layer below",
    ),
    NetworkMistake(
        name="delta-overwrites-probabilities",
        family=FAMILY,
        sentence="The error p - y is written into the array of the probabilities; the loss then "
        "takes the logarithm of p - y, which is negative: NaN.",
        right="loss from log p",
        wrong="loss from log(p - y)",
        line=LOG_LINE,
        slip="with np.errstate(invalid='ignore'):\n        log_p = np.log(p - y)",
        stages={"log_p": lambda net, _: log(net.error)},
        trigger="the loss is computed after the gradient",
    ),
    NetworkMistake(
        name="softmax-overwrites-logits",
        family=FAMILY,
        sentence="The softmax works in place: the logits hold exp(z - max z) when the loss reads "
        "them.",
        right="loss from log softmax(z)",
        wrong="loss from log softmax(exp(z - max z))",
        line=LOG_LINE,
        slip="log_p = log_softmax(np.exp(logits - logits.max(axis=1, keepdims=True)))",
        stages={"log_p": lambda net, _: log_softmax(exp(net.logits - maximum_of_rows(net.logits)))},
        trigger="the loss is computed from the logits after the softmax",
    ),
)
