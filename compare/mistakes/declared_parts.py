"""What mistakes in a declared loss, output or penalty are made of: conditions and stages.

With z the logits, o what the loss is given, t the targets as they count, and p what the network
predicts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from compare.mistakes.mistake import NetworkMistake
from compare.textbook import Pair, Pass, Point
from compare.textbook.functions import held, log
from compare.textbook.losses import (
    LOSS_RULES,
    OUTPUT_RULES,
    counting,
    output,
    penalty,
    penalty_slope,
    prediction,
)
from compare.textbook.pair import exact

Condition = Callable[[Point], bool]
Function = Callable[..., Pair]
Of = Callable[[Pass, Pair, Pair], Pair]
"""(pass, o, t) -> dL/do of the sum of all terms, or the terms themselves; (N, K)."""


def foreign(point: Point) -> bool:
    """Return whether something but softmax cross-entropy is declared."""
    return not point.minimised.plain


def minimising(*losses: str) -> Condition:
    """Return the condition that one of these losses is declared."""
    return lambda point: foreign(point) and point.minimised.loss in losses


def over_entries(point: Point) -> bool:
    """Return whether the loss is a mean over all entries, rows and outputs, of several outputs."""
    objective = point.minimised
    every = objective.reduction == "mean" and objective.loss != "cross_entropy"
    return foreign(point) and every and point.targets.shape[1] > 1


def with_output(point: Point) -> bool:
    """Return whether a function with a slope stands between the last layer and the loss."""
    return point.minimised.output != "identity"


def smoothed(point: Point) -> bool:
    """Return whether targets are smoothed."""
    return bool(point.minimised.label_smoothing)


def weighing(point: Point) -> bool:
    """Return whether classes count for more or less than 1."""
    return point.minimised.class_weights is not None


def ignoring(point: Point) -> bool:
    """Return whether rows of a class are ignored."""
    return point.minimised.ignore_index is not None


def averaged(point: Point) -> bool:
    """Return whether another loss is averaged."""
    return foreign(point) and point.minimised.reduction != "sum"


def o_and_t(net: Pass) -> tuple[Pair, Pair]:
    """Return what the loss is given and the targets as they count."""
    return output(net.logits, net.objective), counting(net.get("y"), net.objective)


def pulled(of: Of) -> Function:
    """Return the stage `error` with another derivative of the loss, sent back through the
    output."""

    def error(net: Pass, layer: int) -> Pair:
        o, t = o_and_t(net)
        return OUTPUT_RULES[net.objective.output].pulled(of(net, o, t), net.logits, o)

    return error


def straight(of: Of) -> Function:
    """Return the stage `error` or `terms` as it is, without the slope of the output."""
    return lambda net, layer: of(net, *o_and_t(net))


def slope_of_loss(net: Pass, o: Pair, t: Pair) -> Pair:
    """Return the right dL/do."""
    return LOSS_RULES[net.objective.loss].derivative(o, t)


def twice_pulled(net: Pass, layer: int) -> Pair:
    """Return an error that went back through the output twice."""
    o, t = o_and_t(net)
    rule = OUTPUT_RULES[net.objective.output]
    once = rule.pulled(slope_of_loss(net, o, t), net.logits, o)
    return rule.pulled(once, net.logits, o)


def p_of(net: Pass) -> Pair:
    """Return what the network predicts."""
    return prediction(net.logits, net.objective)


def scaled(stage: str, times: Callable[[Pass], float]) -> dict[str, Function]:
    """Return the stage `dlogits` or `loss` times a number of the network's sizes."""
    return {stage: lambda net, layer: net.right(stage, layer) * times(net)}


def shifted_guard(net: Pass, layer: int, c: float) -> Pair:
    """Return the terms of a binary cross-entropy with c inside both logarithms."""
    p, y = p_of(net), net.get("y")
    return -(y * log(p + c) + (1.0 - y) * log((1.0 - p) + c))


def clip_guard(net: Pass, layer: int, c: float) -> Pair:
    """Return the terms of a binary cross-entropy of clipped probabilities."""
    p, y = p_of(net), net.get("y")
    between = held(p, c, 1 - c)
    return -(y * log(between) + (1.0 - y) * log(1.0 - between))


def uncounted(net: Pass) -> Pair:
    """Return the targets as they were handed over."""
    return net.get("y")


def over_all_pairs(net: Pass, layer: int) -> Pair:
    """Return the loss over every row with the targets of every other, over N."""
    y = net.get("y")
    rule = LOSS_RULES[net.objective.loss]
    o = output(net.logits, net.objective)
    rolled = (np.roll(y.value, shift, axis=0) for shift in range(net.rows))
    sums = [rule.terms(o, exact(other, y.dtype)).sum() for other in rolled]
    total = sums[0]
    for more in sums[1:]:
        total = total + more
    return total * (net.share / net.rows)


def by_column(net: Pass, layer: int) -> Pair:
    """Return p - y with every column times the weight of its class."""
    objective = net.objective
    w = objective.weights(np.eye(net.classes)) if objective.weighs else np.eye(net.classes)
    return (p_of(net) - net.get("y")) * np.diag(w)


def over_the_others(net: Pass, layer: int) -> Pair:
    """Return targets smoothed over the K - 1 other classes; what the declared ones leave of it."""
    y, s, k = net.get("y"), net.objective.label_smoothing, net.classes
    return y * (1 - s) + (1.0 - y) * (s / (k - 1))


def share_of_rows(net: Pass) -> float:
    """Return D / N: what makes of a mean over the weights one over the rows."""
    return net.divisor / net.rows


def regular(kind: str, by: Callable[[Pass, Pair], Pair]) -> Function:
    """Return a gradient of the parameters with something added to what is right with its
    penalty."""

    def found(net: Pass, layer: int) -> Pair:
        parameter = net.at(kind[1:], layer)
        value = net.right(kind, layer)
        return value + by(net, parameter) if value.shape == parameter.shape else value

    return found


def penal(net: Pass, parameter: Pair) -> Pair:
    """Return what the declared penalty adds to a gradient."""
    return penalty_slope(parameter, net.rows, net.objective)


def one(
    name: str, title: str, sentence: str, slip: str, applies: Condition,
    functions: dict[str, Function], *, paired: bool = False,
) -> NetworkMistake:  # fmt: skip
    """Return a mistake in what is declared."""
    return NetworkMistake(
        name, title, sentence, slip, applies=applies, functions=functions, paired=paired,
        declared=True,
    )  # fmt: skip


def at_the_output(net: Pass) -> Pair:
    """Return dL/do f'(o), with o in place of z."""
    o, t = o_and_t(net)
    rule = OUTPUT_RULES[net.objective.output]
    return rule.pulled(slope_of_loss(net, o, t), o, rule.value(o))


def written_at_z(net: Pass) -> Pair:
    """Return dL/do with f' written in the value, z (1 - z) or 1 - z^2, of the logits."""
    o, t = o_and_t(net)
    return OUTPUT_RULES[net.objective.output].pulled(
        slope_of_loss(net, o, t), net.logits, net.logits
    )


def added(net: Pass, biases: bool = False) -> Pair:
    """Return what the declared penalty adds to the loss, or would if it was of biases."""
    parameters, objective = net.point.parameters, net.objective
    if biases:
        parameters = {name: b for name, b in parameters.items() if name[0] == "b"}
        objective = replace(objective, penalise="all")
    return penalty(parameters, net.rows, objective, net.point.dtype)
