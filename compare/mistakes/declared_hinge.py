"""Mistakes in a declared multi-class hinge: sum over k != t of max(0, 1 - o_t + o_k).

Its gradient is 1 at every class within the margin, and minus their number at the row's own class t.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from compare.contracts.arrays import Float
from compare.mistakes.declared_parts import Function, minimising, o_and_t, one, pulled, straight
from compare.mistakes.fits import Among, in_the_loss
from compare.mistakes.mistake import NetworkMistake
from compare.textbook import Pair, Pass
from compare.textbook.losses import OUTPUT_RULES, above_zero, own_class, own_column, positive

DECLARED = minimising("hinge")
MARGINS = (0.01, 0.1, 0.2, 0.25, 0.5, 1.5, 2.0, 3.0, 5.0, 10.0, 100.0)
"""What people type for the margin of a gradient that does not show it otherwise."""
Counted = Callable[[Pair], Pair]


def margins(o: Pair, t: Pair, margin: float = 1.0) -> Pair:
    """Return margin - o_t + o_k, (N, K)."""
    own = own_class(t)
    return (o - o.arranged(lambda e: np.broadcast_to(e[own][:, None], e.shape))) + margin


def others(t: Pair) -> Float:
    """Return 1 everywhere but at the row's own class, (N, K)."""
    return np.where(own_class(t), 0.0, 1.0)


def within(o: Pair, t: Pair, margin: float = 1.0) -> Pair:
    """Return 1 at every other class within the margin, (N, K)."""
    return margins(o, t, margin).jumped(above_zero) * others(t)


def at_largest(o: Pair, t: Pair) -> Float:
    """Return 1 at the other class of the largest score, else 0, (N, K)."""
    return np.where(own_column(np.where(own_class(t), -np.inf, o.value)), 1.0, 0.0)


def largest(o: Pair, t: Pair) -> Pair:
    """Return the margins, with 0 for all but the largest of the other classes, (N, K)."""
    return positive(margins(o, t)) * at_largest(o, t)


def taken_off(count: Pair, t: Pair, by: float = 1.0, more: float = 0.0) -> Pair:
    """Return what is counted, and at the row's own class minus `by` times the sum and `more`."""
    own = np.where(own_class(t), 1.0, 0.0)
    total = count.sum(1).arranged(lambda e: np.broadcast_to(e[:, None], own.shape))
    return count - (total * by + more) * own


def with_constant(of: Callable[[Pair, Pair, float], Pair], *, back: bool) -> Function:
    """Return a stage with a free constant: a slope that goes back through the output, or terms."""

    def stage(net: Pass, layer: int, c: float) -> Pair:
        o, t = o_and_t(net)
        found = of(o, t, c)
        return OUTPUT_RULES[net.objective.output].pulled(found, net.logits, o) if back else found

    return stage


def gradient(
    name: str, title: str, sentence: str, slip: str, of: Callable[[Pair, Pair], Pair]
) -> NetworkMistake:
    """Return a mistake in the gradient alone."""
    error = pulled(lambda net, o, t: of(o, t))
    return one(name, title, sentence, slip, DECLARED, {"error": error})


def loss(
    name: str, title: str, sentence: str, slip: str, of: Callable[[Pair, Pair], Pair]
) -> NetworkMistake:
    """Return a mistake in the loss alone."""
    terms = straight(lambda net, o, t: of(o, t))
    return one(name, title, sentence, slip, DECLARED, {"terms": terms})


def both(
    name: str, title: str, sentence: str, slip: str,
    terms: Callable[[Pair, Pair], Pair], slope: Callable[[Pair, Pair], Pair],
) -> NetworkMistake:  # fmt: skip
    """Return another loss of this kind, with the gradient that belongs to it."""
    return NetworkMistake(
        name, title, sentence, slip, applies=DECLARED, paired=False, declared=True,
        convention=True,
        functions={"terms": straight(lambda net, o, t: terms(o, t)),
                   "error": pulled(lambda net, o, t: slope(o, t))},
    )  # fmt: skip


def another_margin(o: Pair, t: Pair, c: float) -> Pair:
    """Return the terms with the margin c."""
    return positive(margins(o, t, c)) * others(t)


def slope_of_another(o: Pair, t: Pair, c: float) -> Pair:
    """Return the gradient with the margin c."""
    return taken_off(within(o, t, c), t)


def squared(o: Pair, t: Pair) -> Pair:
    """Return the squares of what is within the margin."""
    found = positive(margins(o, t)) * others(t)
    return found * found


def slope_of_squared(o: Pair, t: Pair) -> Pair:
    """Return the derivative of the squares."""
    return taken_off(positive(margins(o, t)) * others(t) * 2.0, t)


def slope_of_largest(o: Pair, t: Pair) -> Pair:
    """Return the derivative of the largest margin alone."""
    return taken_off(margins(o, t).jumped(above_zero) * at_largest(o, t), t)


TRUE_CLASS = (
    gradient("hinge-true-class-once", "a hinge gradient of -1 at the true class",
        "At the true class the gradient is minus the number of classes within the margin; it has "
        "-1 there.",
        "do[rows, y] = -1", lambda o, t: taken_off(within(o, t), t, 0.0, 1.0)),
    gradient("hinge-true-class-sign", "a hinge gradient of the wrong sign at the true class",
        "At the true class the gradient is minus the number of classes within the margin; it has "
        "plus that number.",
        "do[rows, y] += within.sum(axis=1)", lambda o, t: taken_off(within(o, t), t, -1.0)),
    gradient("hinge-true-class-left-out", "a hinge gradient that leaves the true class out",
        "At the true class the gradient is minus the number of classes within the margin; it has "
        "0 there.",
        "do[rows, y] = 0", lambda o, t: within(o, t)),
    gradient("hinge-true-class-counts-itself", "a hinge gradient that counts the true class",
        "At the true class the gradient is minus the number of the other classes within the "
        "margin; the true class, whose own margin is 1, is counted with them: minus one too many.",
        "do[rows, y] = -(margin > 0).sum(axis=1)",
        lambda o, t: taken_off(within(o, t), t, 1.0, 1.0)),
    gradient("hinge-true-class-as-another", "a hinge gradient of 1 at the true class",
        "At the true class the gradient is minus the number of classes within the margin; it is "
        "taken for another class and has 1 there, as its own margin is 1.",
        "do = margin > 0", lambda o, t: taken_off(within(o, t), t, 0.0, -1.0)),
    loss("hinge-true-class-in-loss", "a hinge that counts the true class",
        "The loss adds up the margin of the true class with itself, which is always 1: one too "
        "many in every row. The gradient does not.",
        "terms = np.maximum(0, margin)", lambda o, t: positive(margins(o, t))),
)  # fmt: skip

MARGIN = (
    gradient("hinge-margin-missing", "a hinge gradient without the margin",
        "The gradient counts classes whose score is above that of the true one; the loss those "
        "within the margin of 1.",
        "within = o - o_true > 0", lambda o, t: taken_off(within(o, t, 0.0), t)),
    loss("hinge-margin-missing-in-loss", "a hinge without its margin in the loss",
        "The loss adds up by how much other scores are above that of the true class; the gradient "
        "is that with the margin of 1.",
        "terms = np.maximum(0, o - o_true)", lambda o, t: another_margin(o, t, 0.0)),
    both("hinge-without-margin", "a hinge with a margin of 0",
        "Loss and gradient are those of a hinge without its margin of 1: max(0, o_k - o_t).",
        "margin = o - o_true", lambda o, t: another_margin(o, t, 0.0),
        lambda o, t: slope_of_another(o, t, 0.0)),
    NetworkMistake(
        "hinge-another-margin", "a hinge with a margin of {constant:.4g}",
        "Loss and gradient are those of a hinge with the margin {constant:.4g}; it is 1.",
        "margin = o - o_true + c", applies=DECLARED, paired=False, declared=True, convention=True,
        functions={"terms": with_constant(another_margin, back=False),
                   "error": with_constant(slope_of_another, back=True)},
        fit=in_the_loss(1e-3, 1e3, beyond_loss=True), example=2.0,
    ),
    NetworkMistake(
        "hinge-another-margin-in-gradient", "a margin of {constant:.4g} in the gradient of a hinge",
        "The gradient counts the classes within a margin of {constant:.4g}; the loss has 1.",
        "within = o - o_true + c > 0", applies=DECLARED, paired=False, declared=True,
        functions={"error": with_constant(slope_of_another, back=True)},
        fit=Among(lambda point: MARGINS), example=0.5,
    ),
    NetworkMistake(
        "hinge-another-margin-in-loss", "a margin of {constant:.4g} in the loss of a hinge",
        "The margin in the loss is {constant:.4g}; the gradient has 1.",
        "terms = np.maximum(0, o - o_true + c)", applies=DECLARED, paired=False, declared=True,
        functions={"terms": with_constant(another_margin, back=False)},
        fit=in_the_loss(1e-3, 1e3), example=2.0,
    ),
)  # fmt: skip

CUT = (
    gradient("hinge-gradient-not-cut", "a hinge gradient of classes beyond the margin too",
        "The gradient is 1 at every other class; where the margin is kept it is 0.",
        "do = np.ones_like(o)",
        lambda o, t: taken_off((o - o) + others(t), t)),
    loss("hinge-loss-not-cut", "a hinge without its max(0, ...) in the loss",
        "The loss adds up all margins, negative ones too; the gradient is that of max(0, margin).",
        "terms = o - o_true + 1", lambda o, t: margins(o, t) * others(t)),
    gradient("hinge-margins-for-mask", "the margins in place of their mask in a hinge gradient",
        "The gradient has the margins where 1 belongs: that is the derivative of half the square.",
        "do = np.maximum(0, margin)",
        lambda o, t: taken_off(positive(margins(o, t)) * others(t), t)),
    gradient("hinge-gradient-of-largest", "a hinge gradient of the largest margin alone",
        "The gradient is that of the largest margin of each row; the loss adds up all of them.",
        "do[rows, worst] = 1", slope_of_largest),
    loss("hinge-loss-of-largest", "a hinge of the largest margin alone in the loss",
        "The loss is the largest margin of each row; the gradient is that of all of them.",
        "terms = margin.max(axis=1)", largest),
    both("hinge-of-largest", "a hinge of the largest margin alone",
        "Loss and gradient are those of the largest margin of each row (Crammer and Singer); "
        "declared is the sum over all classes.",
        "margin = margin.max(axis=1)", largest, slope_of_largest),
    gradient("hinge-gradient-of-square", "the gradient of a squared hinge",
        "The gradient is 2 max(0, margin), that of the squared hinge; the loss is not squared.",
        "do = 2 * np.maximum(0, margin)", slope_of_squared),
    loss("hinge-loss-squared", "a squared hinge in the loss",
        "The loss adds up the squares of the margins; the gradient is that of the margins.",
        "terms = np.maximum(0, margin) ** 2", squared),
    both("hinge-squared", "a squared hinge",
        "Loss and gradient are those of the squared hinge; declared is the hinge itself.",
        "terms = np.maximum(0, margin) ** 2\ndo = 2 * np.maximum(0, margin)",
        squared, slope_of_squared),
)  # fmt: skip

HINGE = TRUE_CLASS + MARGIN + CUT
