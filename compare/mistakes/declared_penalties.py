"""Mistakes in what is declared beside a loss: smoothing, weights of classes, a penalty."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from compare.mistakes.conditions import normalised
from compare.mistakes.declared_parts import (
    Condition,
    Function,
    added,
    by_column,
    ignoring,
    one,
    over_the_others,
    p_of,
    penal,
    pulled,
    regular,
    scaled,
    share_of_rows,
    smoothed,
    straight,
    uncounted,
    weighing,
)
from compare.mistakes.mistake import NetworkMistake
from compare.textbook import Pair, Pass
from compare.textbook.losses import LOSS_RULES
from compare.textbook.pair import exact
from compare.textbook.point import Point


def left_out(name: str, what: str, applies: Condition) -> tuple[NetworkMistake, ...]:
    """Return the mistakes of leaving out what rows count for, in one of loss and gradient."""
    return (
        one(f"{name}-missing-in-gradient", f"a gradient without {what}",
            f"The gradient lacks {what}, which the loss has: (p - y) over what the rows of the "
            "loss count for together.",
            "error = p - y", applies,
            {"error": lambda net, layer: p_of(net) - uncounted(net)}, paired=True),
        one(f"{name}-missing-in-gradient-of-rows", f"a gradient without {what}, over N",
            f"The gradient is (p - y) / N, without {what}, which the loss has.",
            "dlogits = (p - y) / N", applies,
            {"dlogits": lambda net, layer: (p_of(net) - uncounted(net)) / net.rows}),
        one(f"{name}-missing-in-loss", f"a loss without {what}",
            f"The loss lacks {what}, which the gradient has.",
            "terms = -y * log_p", applies,
            {"terms": straight(lambda net, o, t: LOSS_RULES["cross_entropy"].terms(
                o, uncounted(net)))}),
        one(f"{name}-gradient-over-n", "a gradient that is divided by N, not by what counts",
            "The gradient is divided by all N rows; the loss by what its rows count for together.",
            "dlogits = error / N", applies, scaled("dlogits", share_of_rows)),
        one(f"{name}-loss-over-n", "a loss that is divided by N, not by what counts",
            "The loss is divided by all N rows; the gradient by what the rows count for together.",
            "loss = terms.sum() / N", applies, scaled("loss", share_of_rows)),
    )  # fmt: skip


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
    one("smoothing-over-the-others", "label smoothing over the K - 1 other classes",
        "The share is spread over the K - 1 other classes; as declared it is spread over all K.",
        "t = y * (1 - s) + (1 - y) * s / (K - 1)", smoothed,
        {"terms": lambda net, layer: LOSS_RULES["cross_entropy"].terms(
            net.logits, over_the_others(net, 0)),
         "error": lambda net, layer: p_of(net) - over_the_others(net, 0)}),
    *left_out("class-weights", "the class weights", weighing),
    *left_out("ignored-rows", "what the ignored rows are left out by", ignoring),
    one("weights-on-targets-only", "class weights on the targets only",
        "The class weights multiply the targets in p - y, not p: p - w y for w (p - y).",
        "error = p - w * y", weighing, {"error": straight(lambda net, o, t: p_of(net) - t)}),
    one("class-weights-by-column", "class weights on the columns of the gradient",
        "Every column of p - y is multiplied with the weight of its class; every row has to be, "
        "with the weight of the row's own class.",
        "error = (p - y) * w", weighing, {"error": by_column}),
)  # fmt: skip


def penalised(name: str) -> Condition:
    """Return the condition that a penalty, l2 or l1, is declared."""
    return lambda point: bool(getattr(point.minimised, name))


def of_biases(point: Point) -> bool:
    """Return whether a penalty is declared, of the biases too."""
    return point.minimised.penalises and point.minimised.penalise != "weights"


def of_everything(point: Point) -> bool:
    """Return whether a penalty is declared of gamma and beta too, which are there."""
    return point.minimised.penalises and point.minimised.penalise == "all" and normalised(point)


def not_of_scales(point: Point) -> bool:
    """Return whether a penalty is declared, and not of gamma and beta, which are there."""
    return point.minimised.penalises and point.minimised.penalise != "all" and normalised(point)


def minus(net: Pass, parameter: Pair) -> Pair:
    """Return what takes the declared penalty off a gradient."""
    return -penal(net, parameter)


def of_scales(
    name: str, title: str, sentence: str, slip: str, applies: Condition,
    by: Callable[[Pass, Pair], Pair],
) -> tuple[NetworkMistake, ...]:  # fmt: skip
    """Return the mistakes of a penalty in the gradients of gamma and beta, of one or of both."""
    kinds = {"gamma-and-beta": ("gamma", "beta"), "gamma": ("gamma",), "beta": ("beta",)}
    line = {"gamma": "dgamma = (dn * s).sum(axis=0)", "beta": "dbeta = dn.sum(axis=0)"}
    return tuple(
        one(
            f"{name}-{word}", title.format(" and ".join(of)), sentence.format(" and ".join(of)),
            "\n".join(line[each] + slip.format(each) for each in of), applies,
            {f"d{each}": regular(f"d{each}", by) for each in of},
        )
        for word, of in kinds.items()
    )  # fmt: skip


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
    one("penalty-missing-in-gradient-of-biases", "gradients of the biases without the penalty",
        "The gradients of the biases lack the derivative of the declared penalty, which is of the "
        "biases too; the loss has it.",
        "db = dz.sum(axis=0)",
        of_biases,
        {"db": regular("db", minus)}),
    one("penalty-missing-in-every-gradient", "gradients without the declared penalty",
        "The gradients of weights and biases lack the derivative of the declared penalty, which is "
        "of both; the loss has it.",
        "dw = h.T @ dz\ndb = dz.sum(axis=0)", of_biases,
        {kind: regular(kind, minus) for kind in ("dw", "db")}),
    *of_scales(
        "penalty-missing-in-gradient-of", "the gradient of {} without the penalty",
        "The gradient of {} lacks the derivative of the declared penalty, which is of all "
        "parameters; the loss has it.", "", of_everything, minus,
    ),
    *of_scales(
        "penalty-in-gradient-of", "a declared penalty in the gradient of {} too",
        "The gradient of {} contains the derivative of the declared penalty, which is not of the "
        "scales and shifts of a normalisation.", " + l2 * {}", not_of_scales, penal,
    ),
    one("penalty-in-gradients-of-weights-alone",
        "gradients of biases, gamma and beta without the penalty",
        "Of all gradients those of the weights alone have the derivative of the declared penalty, "
        "which is of biases, gamma and beta too; the loss has it.",
        "db = dz.sum(axis=0)\ndgamma = (dn * s).sum(axis=0)\ndbeta = dn.sum(axis=0)",
        of_everything,
        {kind: regular(kind, minus) for kind in ("db", "dgamma", "dbeta")}),
    one("penalty-in-every-gradient", "a declared penalty in every gradient",
        "The gradients of biases, gamma and beta contain the derivative of the declared penalty "
        "too; in the loss it is on the weights only.",
        "db = dz.sum(axis=0) + l2 * b\ndgamma = (dn * s).sum(axis=0) + l2 * gamma\n"
        "dbeta = dn.sum(axis=0) + l2 * beta",
        lambda point: not_of_scales(point) and point.minimised.penalise == "weights",
        {kind: regular(kind, penal) for kind in ("db", "dgamma", "dbeta")}),
    one("penalty-of-biases-in-loss", "a declared penalty of the biases too in the loss",
        "The loss contains the declared penalty of the biases too; the gradient that of the "
        "weights only, as declared.",
        "loss = terms.sum() / M + l2 / 2 * ((w**2).sum() + (b**2).sum())",
        lambda point: point.minimised.penalises and point.minimised.penalise == "weights",
        {"loss": lambda net, layer: net.right("loss", 0) + added(net, biases=True)}),
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
