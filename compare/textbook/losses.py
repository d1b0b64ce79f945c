"""From the logits to the loss and back, on Pairs, for every output and loss that can be declared.

A loss is what it adds up and the derivative of that; an output is its value and how it passes a
gradient back. Both tables have the rule of rounding in each entry, for every usual way of writing
it: whoever forms probabilities first loses digits where 1 - p is small, and may.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from compare.contracts.arrays import Float
from compare.contracts.objective import Objective
from compare.textbook.functions import log_softmax, softmax
from compare.textbook.pair import Pair, exact


@dataclass(frozen=True, slots=True)
class LossRule:
    """`terms(o, t)` and `derivative(o, t)` on Pairs, (N, K); `kinked`: there are corners."""

    terms: Callable[[Pair, Pair], Pair]
    derivative: Callable[[Pair, Pair], Pair]
    kinked: bool = False


@dataclass(frozen=True, slots=True)
class OutputRule:
    """`value(z)` and `pulled(do, z, o)` on Pairs, (N, K); `kinked`: there are corners."""

    value: Callable[[Pair], Pair]
    pulled: Callable[[Pair, Pair, Pair], Pair]
    kinked: bool = False


def logistic(z: Float) -> Float:
    """1 / (1 + exp(-z))."""
    return np.exp(-np.logaddexp(0.0, -z))


def sigmoid(z: Pair) -> Pair:
    """f' = s (1 - s); NumPy's float32 exp may be off by 2.5 last digits."""
    return z.smooth(logistic, lambda e: logistic(e) * logistic(-e), rounding=4.0)


def tanh(z: Pair) -> Pair:
    """f' = 1 - h^2."""
    return z.smooth(np.tanh, lambda e: 1 - np.square(np.tanh(e)), rounding=2.0)


def positive(z: Pair) -> Pair:
    """max(z, 0)."""
    return z.stepped(lambda e: np.maximum(e, 0.0))


def square_terms(o: Pair, t: Pair) -> Pair:
    """(o - t)^2: both factors have the same error, so it counts twice, not in squares."""
    return (o - t).smooth(np.square, lambda d: 2 * d)


def bce_terms(o: Pair, t: Pair) -> Pair:
    """log(1 + exp o) - t o; of log(1 - s) whoever rounds s near 1 loses u / (1 - s)."""
    value = np.logaddexp(0.0, o.value) - t.value * o.value
    unit = o.arithmetic.unit
    with np.errstate(over="ignore"):
        late = np.abs(1 - t.value) * np.exp(np.minimum(o.value, 700.0))
    rounding = unit * (1 + np.abs(value) + np.abs(o.value) + late)
    carried = np.abs(logistic(o.value) - t.value) * o.allowance
    return o.made(value, carried + rounding + np.abs(o.value) * t.allowance)


def huber_terms(o: Pair, t: Pair) -> Pair:
    """d^2 / 2 for |d| <= 1, |d| - 1/2 beyond."""

    def value(d: Float) -> Float:
        size = np.abs(d)
        return np.where(size <= 1, d * d / 2, size - 0.5)

    return (o - t).smooth(value, lambda d: np.clip(d, -1, 1), rounding=2.0)


def margins(o: Pair, t: Pair) -> tuple[Pair, NDArray[np.bool_]]:
    """1 - o_t + o_k, (N, K), and where the row's own class is."""
    own = np.zeros(t.shape, dtype=bool)
    rows = np.arange(len(own))
    classes = t.value.argmax(axis=1)
    own[rows, classes] = True
    other = o.arranged(lambda e: np.broadcast_to(e[rows, classes][:, None], e.shape))
    return (o - other) + 1.0, own


def hinge_terms(o: Pair, t: Pair) -> Pair:
    """max(0, margin), and 0 at the row's own class."""
    margin, own = margins(o, t)
    return positive(margin) * np.where(own, 0.0, 1.0)


def hinge_derivative(o: Pair, t: Pair) -> Pair:
    """1 within the margin, and minus their number at the row's own class."""
    margin, own = margins(o, t)
    within = margin.jumped(lambda e: (e > 0).astype(np.float64)) * np.where(own, 0.0, 1.0)
    count = within.sum(1).arranged(lambda e: np.broadcast_to(e[:, None], own.shape))
    return within - count * np.where(own, 1.0, 0.0)


def entropy_terms(o: Pair, t: Pair) -> Pair:
    """-t log softmax(o)."""
    return -(t * log_softmax(o))


def entropy_derivative(o: Pair, t: Pair) -> Pair:
    """p sum_j t_j - t."""
    sums = t.sum(1).arranged(lambda e: np.broadcast_to(e[:, None], t.shape))
    return softmax(o) * sums - t


def softmax_pulled(do: Pair, z: Pair, p: Pair) -> Pair:
    """p (do - sum_j do_j p_j)."""
    inner = (do * p).sum(1).arranged(lambda e: np.broadcast_to(e[:, None], p.shape))
    return p * (do - inner)


LOSS_RULES: dict[str, LossRule] = {
    "cross_entropy": LossRule(entropy_terms, entropy_derivative),
    "bce": LossRule(bce_terms, lambda o, t: sigmoid(o) - t),
    "mse": LossRule(square_terms, lambda o, t: (o - t) * 2.0),
    "l1": LossRule(lambda o, t: (o - t).smooth(np.abs, np.sign), lambda o, t: sign(o - t), True),
    "huber": LossRule(huber_terms, lambda o, t: (o - t).stepped(lambda d: np.clip(d, -1, 1))),
    "hinge": LossRule(hinge_terms, hinge_derivative, True),
}
OUTPUT_RULES: dict[str, OutputRule] = {
    "identity": OutputRule(lambda z: z, lambda do, z, o: do),
    "sigmoid": OutputRule(
        sigmoid,
        lambda do, z, o: do * o.smooth(lambda e: e * (1 - e), lambda e: 1 - 2 * e, rounding=2.0),
    ),
    "tanh": OutputRule(tanh, lambda do, z, o: do * one_minus_square(o)),
    "relu": OutputRule(
        positive, lambda do, z, o: do * z.jumped(lambda e: (e > 0).astype(np.float64)), True
    ),
    "softmax": OutputRule(softmax, softmax_pulled),
}
INSIDE: Mapping[str, Callable[[Pair], Pair]] = {"cross_entropy": softmax, "bce": sigmoid}
"""What a loss on logits has inside, and what such a network predicts."""


def sign(d: Pair) -> Pair:
    """-1, 0 or 1: at a distance within its allowance of 0 it may be any of them."""
    return d.jumped(np.sign)


def one_minus_square(o: Pair) -> Pair:
    """1 - o^2, which rounds at the size of 1."""
    found = o.smooth(lambda e: 1 - e * e, lambda e: 2 * np.abs(e))
    return found.made(found.value, found.allowance + o.arithmetic.unit)


def counting(y: Pair, objective: Objective) -> Pair:
    """The targets as they count: smoothed, weighted, ignored; (N, K)."""
    t = y
    if objective.label_smoothing:
        s = objective.label_smoothing
        t = y * (1 - s) + s / y.shape[1]
    return t * objective.weights(y.value) if objective.weighs else t


def output(z: Pair, objective: Objective) -> Pair:
    """What the loss is given, (N, K)."""
    return OUTPUT_RULES[objective.output].value(z)


def prediction(z: Pair, objective: Objective) -> Pair:
    """What the network predicts: the output, or the probabilities that the loss has inside."""
    o = output(z, objective)
    return INSIDE[objective.loss](o) if objective.loss in INSIDE else o


def terms(z: Pair, y: Pair, objective: Objective) -> Pair:
    """What the loss adds up, before factor and reduction, (N, K)."""
    rule = LOSS_RULES[objective.loss]
    return rule.terms(output(z, objective), counting(y, objective))


def derivative(z: Pair, y: Pair, objective: Objective) -> Pair:
    """The derivative of the sum of all terms with respect to the logits, (N, K)."""
    o = output(z, objective)
    do = LOSS_RULES[objective.loss].derivative(o, counting(y, objective))
    return OUTPUT_RULES[objective.output].pulled(do, z, o)


def penalty(
    parameters: Mapping[str, NDArray[np.floating]],
    rows: int,
    objective: Objective,
    dtype: DTypeLike,
) -> Pair:
    """(l2 / 2 sum w^2 + l1 sum |w|) / M."""
    total = exact(0.0, dtype)
    for name in objective.penalised(parameters):
        w = exact(parameters[name], dtype)
        if objective.l2:
            total = total + w.smooth(np.square, lambda e: 2 * e).sum() * (objective.l2 / 2)
        if objective.l1:
            total = total + w.smooth(np.abs, np.sign).sum() * objective.l1
    return total * objective.penalty_share(rows)


def penalty_slope(w: Pair, rows: int, objective: Objective) -> Pair:
    """(l2 w + l1 sign w) / M."""
    slope = w * objective.l2
    if objective.l1:
        slope = slope + exact(np.sign(w.value) * objective.l1, w.dtype)
    return slope * objective.penalty_share(rows)
