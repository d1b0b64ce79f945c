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

from compare.contracts.arrays import Float, Real
from compare.contracts.objective import Objective
from compare.textbook.functions import log_softmax, softmax
from compare.textbook.pair import Pair, exact


@dataclass(frozen=True, slots=True)
class Corner:
    """Where a loss or an output has no derivative: at a margin of 0.

    `margin(o, t)` on Pairs, (N, K), of an output `margin(z, z)`; `step`: the slope beside the
    corner, in a margin; `sides`: just below and just above it; `along(step, t)` is what the
    derivative makes of these slopes, of an output `along(step, do)`; `rounded(o, t)`: the margin
    as torch rounds it, of o in its own format.
    """

    margin: Callable[[Pair, Pair], Pair]
    step: Callable[[Float], Float]
    sides: tuple[float, float]
    along: Callable[[Pair, Pair], Pair]
    rounded: Callable[[Real, Float], Float] = lambda o, t: o.astype(np.float64) - t

    def pulled(self, o: Pair, t: Pair, by: Pair) -> Pair:
        """The derivative where a margin within its allowance of 0 may have either slope."""
        return self.along(self.margin(o, t).jumped(self.step), by)


@dataclass(frozen=True, slots=True)
class LossRule:
    """`terms(o, t)` and `derivative(o, t)` on Pairs, (N, K); `corner`, if there is one."""

    terms: Callable[[Pair, Pair], Pair]
    derivative: Callable[[Pair, Pair], Pair]
    corner: Corner | None = None

    @classmethod
    def with_corner(cls, terms: Callable[[Pair, Pair], Pair], corner: Corner) -> LossRule:
        """The derivative is what the corner's slopes make."""
        return cls(terms, lambda o, t: corner.pulled(o, t, t), corner)


@dataclass(frozen=True, slots=True)
class OutputRule:
    """`value(z)` and `pulled(do, z, o)` on Pairs, (N, K); `corner`, if there is one."""

    value: Callable[[Pair], Pair]
    pulled: Callable[[Pair, Pair, Pair], Pair]
    corner: Corner | None = None

    @classmethod
    def with_corner(cls, value: Callable[[Pair], Pair], corner: Corner) -> OutputRule:
        """The derivative is what the corner's slopes make."""
        return cls(value, lambda do, z, o: corner.pulled(z, z, do), corner)


def logistic(z: Float) -> Float:
    """1 / (1 + exp(-z))."""
    return np.exp(-np.logaddexp(0.0, -z))


def sigmoid(z: Pair) -> Pair:
    """f' = s (1 - s); NumPy's float32 exp may be off by 2.5 last digits."""
    return z.smooth(logistic, lambda e: logistic(e) * logistic(-e), rounding=4.0)


def tanh(z: Pair) -> Pair:
    """f' = 1 - h^2; 2 / (1 + exp(-2 z)) - 1 rounds at the size of 1."""
    found = z.smooth(np.tanh, lambda e: 1 - np.square(np.tanh(e)))
    return found.with_more(lambda: np.asarray(2 * z.arithmetic.unit))


def positive(z: Pair) -> Pair:
    """max(z, 0)."""
    return z.stepped(lambda e: np.maximum(e, 0.0))


def square_terms(o: Pair, t: Pair) -> Pair:
    """(o - t)^2: both factors have the same error, so it counts twice, not in squares."""
    return (o - t).smooth(np.square, lambda d: 2 * d)


def bce_terms(o: Pair, t: Pair) -> Pair:
    """log(1 + exp o) - t o; of log(1 - s) whoever rounds s near 1 loses u / (1 - s)."""
    value = np.logaddexp(0.0, o.value) - t.value * o.value

    def allowed() -> Float:
        late = np.abs(1 - t.value) * np.exp(np.minimum(o.value, 700.0))
        rounding = o.arithmetic.unit * (1 + np.abs(value) + np.abs(o.value) + late)
        carried: Float = np.abs(logistic(o.value) - t.value) * o.allowance
        carried += rounding + np.abs(o.value) * t.allowance
        return carried

    return o.made(value, allowed)


def huber_terms(o: Pair, t: Pair) -> Pair:
    """d^2 / 2 for |d| <= 1, |d| - 1/2 beyond."""

    def value(d: Float) -> Float:
        size = np.abs(d)
        return np.where(size <= 1, d * d / 2, size - 0.5)

    return (o - t).smooth(value, lambda d: np.clip(d, -1, 1), rounding=2.0)


def own_column(t: Float) -> NDArray[np.bool_]:
    """Where the largest entry of each row is, the first of equal ones, (N, K)."""
    found: NDArray[np.bool_] = np.arange(t.shape[1]) == t.argmax(axis=1)[:, None]
    return found


def own_class(t: Pair) -> NDArray[np.bool_]:
    """Where the row's own class is, (N, K)."""
    return own_column(t.value)


def margins(o: Pair, t: Pair) -> tuple[Pair, NDArray[np.bool_]]:
    """1 - o_t + o_k, (N, K), and where the row's own class is."""
    own = own_class(t)
    other = o.arranged(lambda e: np.broadcast_to(e[own][:, None], e.shape))
    return (o - other) + 1.0, own


def hinge_terms(o: Pair, t: Pair) -> Pair:
    """max(0, margin), and 0 at the row's own class."""
    margin, own = margins(o, t)
    return positive(margin) * np.where(own, 0.0, 1.0)


def above_zero(e: Float) -> Float:
    """1 above 0, else 0."""
    return (e > 0).astype(np.float64)


def hinge_margin(o: Pair, t: Pair) -> Pair:
    """1 - o_t + o_k; at the row's own class -1, since nothing is counted there."""
    margin, own = margins(o, t)
    return margin.made(
        np.where(own, -1.0, margin.value), lambda: np.where(own, 0.0, margin.allowance)
    )


def hinge_rounded(o: Real, t: Float) -> Float:
    """1 - o_t + o_k from left to right, every result rounded to the format of o."""
    own = own_column(t)
    rounded = (o.dtype.type(1) - o[own][:, None]) + o
    return np.where(own, -1.0, rounded.astype(np.float64))


def hinge_derivative(within: Pair, t: Pair) -> Pair:
    """1 within the margin, and minus their number at the row's own class."""
    own = own_class(t)
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
    "l1": LossRule.with_corner(
        lambda o, t: (o - t).smooth(np.abs, np.sign),
        Corner(lambda o, t: o - t, np.sign, (-1.0, 1.0), lambda sign, t: sign),
    ),
    "huber": LossRule(huber_terms, lambda o, t: (o - t).stepped(lambda d: np.clip(d, -1, 1))),
    "hinge": LossRule.with_corner(
        hinge_terms, Corner(hinge_margin, above_zero, (0.0, 1.0), hinge_derivative, hinge_rounded)
    ),
}
OUTPUT_RULES: dict[str, OutputRule] = {
    "identity": OutputRule(lambda z: z, lambda do, z, o: do),
    "sigmoid": OutputRule(
        sigmoid,
        lambda do, z, o: do * o.smooth(lambda e: e * (1 - e), lambda e: 1 - 2 * e, rounding=2.0),
    ),
    "tanh": OutputRule(tanh, lambda do, z, o: do * one_minus_square(o)),
    "relu": OutputRule.with_corner(
        positive,
        Corner(lambda z, _: z, above_zero, (0.0, 1.0), lambda mask, do: do * mask),
    ),
    "softmax": OutputRule(softmax, softmax_pulled),
}
INSIDE: Mapping[str, Callable[[Pair], Pair]] = {"cross_entropy": softmax, "bce": sigmoid}
"""What a loss on logits has inside, and what such a network predicts."""


def one_minus_square(o: Pair) -> Pair:
    """1 - o^2, which rounds at the size of 1."""
    found = o.smooth(lambda e: 1 - e * e, lambda e: 2 * np.abs(e))
    return found.with_more(lambda: np.asarray(o.arithmetic.unit))


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


def derivative_along(
    z: Pair, y: Pair, objective: Objective, of_loss: Pair | None, of_output: Pair | None
) -> Pair:
    """The same with the slopes at corners given, (N, K), where loss or output have corners."""
    o, t = output(z, objective), counting(y, objective)
    loss, above = LOSS_RULES[objective.loss], OUTPUT_RULES[objective.output]
    if loss.corner is None or of_loss is None:
        do = loss.derivative(o, t)
    else:
        do = loss.corner.along(of_loss, t)
    if above.corner is None or of_output is None:
        return above.pulled(do, z, o)
    return above.corner.along(of_output, do)


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
