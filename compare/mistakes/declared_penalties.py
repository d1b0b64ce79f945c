"""Mistakes in what is declared beside a loss: smoothing, weights of classes, a penalty."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from compare.mistakes.declared_parts import (
    Condition,
    Function,
    added,
    one,
    p_of,
    penal,
    pulled,
    regular,
    scaled,
    share_of_rows,
    smoothed,
    straight,
    uncounted,
    weighed,
)
from compare.textbook import Pair, Pass
from compare.textbook.losses import LOSS_RULES
from compare.textbook.pair import exact

COUNTED = (
    one("smoothing-missing-in-gradient", "a gradient without the label smoothing",
        "The gradient uses the targets as they are; the loss those that are smoothed as declared.",
        "error = p - y", smoothed,
        {"error": pulled(lambda net, o, t: LOSS_RULES["cross_entropy"].derivative(
            o, uncounted(net)))}, paired=True),
    one("smoothing-missing-in-loss", "a loss without the label smoothing",
        "The loss uses the targets as they are; the gradient those that are smoothed as declared.",
        "terms = -y * log_p", smoothed,
        {"terms": straight(lambda net, o, t: LOSS_RULES["cross_entropy"].terms(
            o, uncounted(net)))}),
    one("class-weights-missing-in-gradient", "a gradient without the class weights",
        "The gradient does not contain the declared class weights, the loss does.",
        "error = p - y", weighed,
        {"error": lambda net, layer: (p_of(net) - uncounted(net))}, paired=True),
    one("class-weights-missing-in-gradient-of-rows", "a gradient without the class weights, over N",
        "The gradient is the unweighted one, (p - y) / N; the loss contains the declared class "
        "weights.",
        "dlogits = (p - y) / N", weighed,
        {"dlogits": lambda net, layer: (p_of(net) - uncounted(net)) / net.rows}),
    one("class-weights-missing-in-loss", "a loss without the class weights",
        "The loss does not contain the declared class weights, the gradient does.",
        "terms = -y * log_p", weighed,
        {"terms": straight(lambda net, o, t: LOSS_RULES["cross_entropy"].terms(
            o, uncounted(net)))}),
    one("weighted-gradient-divided-by-rows", "a weighted gradient that is divided by N",
        "The gradient with class weights is divided by the rows N, the loss by the sum of their "
        "weights.",
        "dlogits = error / N", weighed, scaled("dlogits", share_of_rows)),
    one("weighted-loss-divided-by-rows", "a weighted loss that is divided by N",
        "The loss with class weights is divided by the rows N, the gradient by the sum of their "
        "weights.",
        "loss = terms.sum() / N", weighed, scaled("loss", share_of_rows)),
    one("weights-on-targets-only", "class weights on the targets only",
        "The class weights multiply the targets in p - y, not p: p - w y for w (p - y).",
        "error = p - w * y", weighed, {"error": straight(lambda net, o, t: p_of(net) - t)}),
)  # fmt: skip


def penalised(name: str) -> Condition:
    """Return the condition that a penalty, l2 or l1, is declared."""
    return lambda point: bool(getattr(point.minimised, name))


def both(by: Callable[[Pass, Pair], Pair]) -> dict[str, Function]:
    """Return the weight gradients with something added to what is right."""
    return {"dw": regular("dw", by)}


def as_l2(net: Pass, w: Pair) -> Pair:
    """Return what makes l1 w of l1 sign(w)."""
    share = net.objective.penalty_share(net.rows)
    return (w - exact(np.sign(w.value), w.dtype)) * (net.objective.l1 * share)


PENALTY = (
    one("penalty-missing-in-gradient", "a gradient without the declared penalty",
        "The weight gradients lack the derivative of the declared penalty; the loss has it.",
        "dw = h.T @ dz", lambda point: point.minimised.penalises,
        both(lambda net, w: -penal(net, w)), paired=True),
    one("penalty-missing-in-loss", "a loss without the declared penalty",
        "The loss lacks the declared penalty; the gradient has its derivative.",
        "loss = terms.sum() / M", lambda point: point.minimised.penalises,
        {"loss": lambda net, layer: net.right("loss", 0) - added(net)}),
    one("penalty-twice-in-gradient", "twice the declared penalty in the gradient",
        "The derivative of the declared penalty is twice as large as it should be: l2/2 sum w^2 "
        "has the derivative l2 w, and the gradient has 2 l2 w.",
        "dw = h.T @ dz + 2 * l2 * w", lambda point: point.minimised.penalises, both(penal),
        paired=True),
    one("penalty-halved-in-gradient", "half the declared penalty in the gradient",
        "The derivative of the declared penalty is half as large as it should be.",
        "dw = h.T @ dz + l2 / 2 * w", lambda point: point.minimised.penalises,
        both(lambda net, w: penal(net, w) * -0.5)),
    one("penalty-sign", "a penalty of the wrong sign in the gradient",
        "The derivative of the declared penalty is taken off where it should be added.",
        "dw = h.T @ dz - l2 * w", lambda point: point.minimised.penalises,
        both(lambda net, w: penal(net, w) * -2.0)),
    one("penalty-averaged-in-gradient", "a declared penalty that is divided by N in the gradient",
        "The derivative of the declared penalty is divided by the rows N; the penalty in the loss "
        "is not.",
        "dw = (h.T @ dz + l2 * w) / N", lambda point: point.minimised.penalises,
        both(lambda net, w: penal(net, w) * (1 / net.rows - 1))),
    one("penalty-not-averaged-in-gradient", "a declared penalty that lacks its 1/N in the gradient",
        "The derivative of the declared penalty lacks the 1/N that the penalty in the loss has.",
        "dw = h.T @ dz + l2 * w",
        lambda point: point.minimised.penalises and point.minimised.penalty_over == "rows",
        both(lambda net, w: penal(net, w) * (net.rows - 1))),
    one("penalty-of-biases-in-gradient", "a declared penalty in the gradients of the biases too",
        "The gradients of the biases contain the derivative of the declared penalty; in the loss "
        "it is on the weights only.",
        "db = dz.sum(axis=0) + l2 * b",
        lambda point: point.minimised.penalises and point.minimised.penalise == "weights",
        {"db": regular("db", penal)}, paired=True),
    one("penalty-twice-in-loss", "twice the declared penalty in the loss",
        "The penalty in the loss is twice the declared one: l2 sum w^2 for l2/2 sum w^2. The "
        "gradient has the declared one.",
        "loss = terms.sum() / M + l2 * (w**2).sum()", lambda point: point.minimised.penalises,
        {"loss": lambda net, layer: net.right("loss", 0) + added(net)}),
    one("penalty-halved-in-loss", "half the declared penalty in the loss",
        "The penalty in the loss is half the declared one; the gradient has the declared one.",
        "loss = terms.sum() / M + l2 / 4 * (w**2).sum()", lambda point: point.minimised.penalises,
        {"loss": lambda net, layer: net.right("loss", 0) - added(net) * 0.5}),
    one("l1-penalty-as-weights", "w in place of its sign in the gradient of an L1 penalty",
        "The derivative of the declared l1 sum |w| is l1 sign(w); the gradient has l1 w.",
        "dw = h.T @ dz + l1 * w", penalised("l1"), both(as_l2)),
)  # fmt: skip

BESIDE = COUNTED + PENALTY
