"""Mistakes in a declared distance: squared, absolute and Huber's error, and roots of them.

With d = o - t: mse d^2, derivative 2 d; l1 |d|, sign d; huber d^2 / 2 up to 1 and |d| - 1/2 beyond,
d and sign d.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from compare.contracts.arrays import Float
from compare.mistakes.declared_hinge import with_constant
from compare.mistakes.declared_parts import (
    Function,
    foreign,
    minimising,
    o_and_t,
    one,
    pulled,
    scaled,
    straight,
)
from compare.mistakes.fits import Among, in_the_loss, or_usual
from compare.mistakes.mistake import NetworkMistake
from compare.textbook import Pair, Pass
from compare.textbook.losses import LOSS_RULES, OUTPUT_RULES
from compare.textbook.pair import exact

DELTAS = (0.01, 0.1, 0.2, 0.25, 0.5, 1.345, 1.35, 1.5, 2.0, 3.0, 5.0, 10.0)
"""What people type for the joint of a Huber gradient that does not show it otherwise."""
SQUARED = minimising("mse")
HUBER = minimising("huber")


def terms(of: Callable[[Float], Float]) -> dict[str, Function]:
    """Return the terms of a loss as another function of d = o - t, which may jump."""
    return {"terms": straight(lambda net, o, t: (o - t).jumped(of))}


def slope(of: Callable[[Float], Float]) -> dict[str, Function]:
    """Return dL/do as another function of d, which may jump, sent back through the output."""
    return {"error": pulled(lambda net, o, t: (o - t).jumped(of))}


def joined(d: Float, within: Float, beyond: Float, c: float = 1.0) -> Float:
    """Return one thing where |d| is at most c, another beyond."""
    return np.where(np.abs(d) <= c, within, beyond)


def of_the_mean(net: Pass) -> Pair:
    """Return the mean or sum that the loss is."""
    o, t = o_and_t(net)
    return LOSS_RULES[net.objective.loss].terms(o, t).sum() * net.share


def root_of_loss(net: Pass, layer: int) -> Pair:
    """Return the root of the loss."""
    found: Pair = np.sqrt(net.right("loss", 0))
    return found


def slope_of_root(net: Pass, layer: int) -> Pair:
    """Return the gradient at the logits of the root of the loss."""
    root: Pair = np.sqrt(of_the_mean(net))
    return net.right("dlogits", layer) / (2.0 * root)


def norm_of_all(net: Pass) -> Pair:
    """Return the Euclidean length of all differences together."""
    o, t = o_and_t(net)
    found: Pair = np.sqrt(LOSS_RULES["mse"].terms(o, t).sum())
    return found


def norms(net: Pass) -> Pair:
    """Return the Euclidean length of the differences of every row, (N,)."""
    o, t = o_and_t(net)
    found: Pair = np.sqrt(LOSS_RULES["mse"].terms(o, t).sum(1))
    return found


def slope_of_norms(net: Pass, layer: int) -> Pair:
    """Return the gradient at the logits of the mean length of the rows."""
    o, t = o_and_t(net)
    lengths = norms(net).arranged(lambda e: np.broadcast_to(e[:, None], t.shape))
    do = (o - t) / lengths / net.rows
    return OUTPUT_RULES[net.objective.output].pulled(do, net.logits, o)


def both(
    name: str, title: str, sentence: str, slip: str, applies: Callable[..., bool],
    functions: dict[str, Function], **more: object,
) -> NetworkMistake:  # fmt: skip
    """Return another loss with the gradient that belongs to it."""
    return NetworkMistake(
        name, title, sentence, slip, applies=applies, functions=functions, paired=False,
        declared=True, convention=True, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def own_joint(o: Pair, t: Pair, c: float) -> Pair:
    """Return Huber's loss with its joint at c: d^2 / 2, and c (|d| - c / 2) beyond."""
    return (o - t).smooth(
        lambda d: joined(d, d * d / 2, c * (np.abs(d) - c / 2), c),
        lambda d: np.clip(d, -c, c), rounding=2.0,
    )  # fmt: skip


def slope_of_own_joint(o: Pair, t: Pair, c: float) -> Pair:
    """Return its derivative."""
    return (o - t).stepped(lambda d: np.clip(d, -c, c))


def smooth_l1(o: Pair, t: Pair, c: float) -> Pair:
    """Return the same over c: d^2 / (2 c), and |d| - c / 2 beyond."""
    return own_joint(o, t, c) / c


def slope_of_smooth_l1(o: Pair, t: Pair, c: float) -> Pair:
    """Return its derivative."""
    return slope_of_own_joint(o, t, c) / c


ROOTS = (
    one("root-of-loss", "the root of the declared error as loss",
        "The loss is the root of the declared one (RMSE); the gradient is that of the error "
        "without the root.",
        "loss = np.sqrt(terms.sum() / M)", SQUARED, {"loss": root_of_loss}),
    one("gradient-of-root", "the gradient of a root of the error",
        "The gradient is that of the root of the error (RMSE): divided by twice the root; the "
        "loss is the error itself.",
        "dlogits = do / M / (2 * np.sqrt(loss))", SQUARED, {"dlogits": slope_of_root}),
    both("root-mean-square", "a root of the error, with its gradient",
        "Loss and gradient are those of the root of the declared error (RMSE).",
        "loss = np.sqrt(terms.sum() / M)\ndlogits = do / M / (2 * loss)", SQUARED,
        {"loss": root_of_loss, "dlogits": slope_of_root}),
    one("length-of-all-as-loss", "the length of all differences as loss",
        "The loss is np.linalg.norm(o - t), the root of the sum of all squares, neither squared "
        "nor averaged; the gradient is that of the declared error.",
        "loss = np.linalg.norm(o - t)", SQUARED,
        {"loss": lambda net, layer: norm_of_all(net)}),
    one("length-of-rows-as-loss", "the mean length of the rows as loss",
        "The loss is the mean of the Euclidean lengths of the rows of o - t, which are not "
        "squared; the gradient is that of the squares.",
        "loss = np.linalg.norm(o - t, axis=1).mean()", SQUARED,
        {"loss": lambda net, layer: norms(net).sum() / net.rows}),
    both("length-of-rows", "the mean length of the rows, with its gradient",
        "Loss and gradient are those of the mean Euclidean length of the rows of o - t; declared "
        "are the squares.",
        "loss = np.linalg.norm(o - t, axis=1).mean()", SQUARED,
        {"loss": lambda net, layer: norms(net).sum() / net.rows, "dlogits": slope_of_norms}),
    one("square-of-mean-as-loss", "the square of a mean as loss",
        "The loss is the square of the mean difference; the mean of the squares is due, where "
        "differences of opposite sign do not cancel. The gradient is that of the squares.",
        "loss = (o - t).mean() ** 2", SQUARED,
        {"loss": lambda net, layer: squared(mean_difference(net))}),
)  # fmt: skip


def mean_difference(net: Pass) -> Pair:
    """Return the mean of o - t over all entries."""
    o, t = o_and_t(net)
    return (o - t).sum() / (net.rows * net.classes)


def squared(one: Pair) -> Pair:
    """Return the square of a number."""
    return one.smooth(np.square, lambda e: 2 * e)


TERMS = (
    one("square-missing-in-loss", "a squared error without its square in the loss",
        "The loss is the mean of o - t, which is not squared, so that differences cancel; the "
        "gradient is that of the squares.",
        "terms = o - t", SQUARED, {"terms": straight(lambda net, o, t: o - t)}),
    one("absolute-for-square-in-loss", "absolute differences in the loss of a squared error",
        "The loss adds up |o - t|; the gradient is that of the squares.",
        "terms = np.abs(o - t)", SQUARED, terms(np.abs)),
    one("absolute-missing-in-loss", "an absolute error without its |...| in the loss",
        "The loss is the mean of o - t, so that differences cancel; the gradient is sign(o - t).",
        "terms = o - t", minimising("l1"), {"terms": straight(lambda net, o, t: o - t)}),
    one("square-for-absolute-in-loss", "squares in the loss of an absolute error",
        "The loss adds up (o - t)^2; the gradient is that of |o - t|.",
        "terms = (o - t) ** 2", minimising("l1"),
        {"terms": straight(lambda net, o, t: squared(o - t))}),
    one("absolute-as-square", "o - t in place of its sign",
        "The derivative of |o - t| is its sign; the gradient has o - t.",
        "do = o - t", minimising("l1"), {"error": pulled(lambda net, o, t: o - t)}),
    one("square-as-sign", "the sign in place of 2 (o - t)",
        "The derivative of (o - t)^2 is 2 (o - t); the gradient has the sign.",
        "do = np.sign(o - t)", SQUARED, slope(np.sign)),
    one("loss-of-no-number", "a loss that is not a number",
        "The loss is NaN whatever is computed; the gradient is right.",
        "loss = float('nan')", foreign, scaled("loss", lambda net: float("nan"))),
    one("loss-zero", "a loss that is always 0",
        "The loss is 0 whatever is computed, a number that stands in its place; the gradient is "
        "right.",
        "loss = 0.0", foreign, {"loss": lambda net, layer: exact(0.0, net.point.dtype)}),
)  # fmt: skip

JOINTS = (
    one("huber-not-limited", "a Huber gradient that is not limited",
        "The gradient is o - t everywhere; beyond 1 it is sign(o - t).",
        "do = o - t", HUBER, {"error": pulled(lambda net, o, t: o - t)}),
    one("huber-as-sign", "the sign in place of the Huber gradient",
        "The gradient is sign(o - t) everywhere; within 1 it is o - t.",
        "do = np.sign(o - t)", HUBER, slope(np.sign)),
    one("huber-swapped", "a Huber gradient with its two pieces swapped",
        "The gradient is o - t beyond 1 and sign(o - t) within: the two pieces are swapped.",
        "do = np.where(abs(o - t) > 1, o - t, np.sign(o - t))", HUBER,
        slope(lambda d: joined(d, np.sign(d), d))),
    one("huber-zero-beyond", "a Huber gradient that is zero beyond 1",
        "Beyond 1 the gradient is 0 where it is sign(o - t).",
        "do = (o - t) * (abs(o - t) <= 1)", HUBER, slope(lambda d: joined(d, d, 0 * d))),
    one("huber-sign-missing-beyond", "a Huber gradient of 1 beyond 1, without its sign",
        "Beyond 1 the gradient is 1 whichever way the difference goes; it is sign(o - t).",
        "do = np.where(abs(o - t) <= 1, o - t, 1)", HUBER, slope(lambda d: joined(d, d, d**0))),
    one("huber-gradient-doubled-within", "a Huber gradient of 2 (o - t) within 1",
        "Within 1 the gradient is 2 (o - t), that of a square without 1/2; it is o - t.",
        "do = np.where(abs(o - t) <= 1, 2 * (o - t), np.sign(o - t))", HUBER,
        slope(lambda d: joined(d, 2 * d, np.sign(d)))),
    one("huber-half-missing-in-square", "a Huber loss without 1/2 in its square",
        "Within 1 the loss is (o - t)^2 without its 1/2, so that it jumps at 1; the gradient is "
        "right.",
        "terms = np.where(abs(d) <= 1, d**2, abs(d) - 0.5)", HUBER,
        terms(lambda d: joined(d, d * d, np.abs(d) - 0.5))),
    one("huber-half-missing-beyond", "a Huber loss without its - 1/2 beyond 1",
        "Beyond 1 the loss is |o - t| without - 1/2, so that it jumps at 1; the gradient is right.",
        "terms = np.where(abs(d) <= 1, d**2 / 2, abs(d))", HUBER,
        terms(lambda d: joined(d, d * d / 2, np.abs(d)))),
    one("huber-whole-taken-off-beyond", "a Huber loss of |o - t| - 1 beyond 1",
        "Beyond 1 the loss is |o - t| - 1; |o - t| - 1/2 is due, which meets the square at 1.",
        "terms = np.where(abs(d) <= 1, d**2 / 2, abs(d) - 1)", HUBER,
        terms(lambda d: joined(d, d * d / 2, np.abs(d) - 1))),
    both("huber-square-doubled", "a Huber loss and gradient without 1/2 in the square",
        "Within 1 the loss is (o - t)^2 and the gradient 2 (o - t), both without the 1/2: the loss "
        "jumps at 1.",
        "terms = np.where(abs(d) <= 1, d**2, abs(d) - 0.5)\n"
        "do = np.where(abs(d) <= 1, 2 * d, np.sign(d))", HUBER,
        terms(lambda d: joined(d, d * d, np.abs(d) - 0.5))
        | slope(lambda d: joined(d, 2 * d, np.sign(d)))),
    both("huber-another-joint", "a Huber loss whose joint is at {constant:.4g}",
        "Loss and gradient are those of Huber's error with its joint (delta) at {constant:.4g}; it "
        "is at 1.",
        "terms = np.where(abs(d) <= c, d**2 / 2, c * (abs(d) - c / 2))\ndo = np.clip(d, -c, c)",
        HUBER,
        {"terms": with_constant(own_joint, back=False),
         "error": with_constant(slope_of_own_joint, back=True)},
        fit=or_usual(in_the_loss(1e-3, 1e3, beyond_loss=True), DELTAS), example=2.0),
    both("huber-as-smooth-l1", "a smooth absolute error with beta {constant:.4g}",
        "Loss and gradient are those of the smooth L1 error with beta {constant:.4g}, Huber's "
        "error over its joint; at beta 1 the two are the same.",
        "terms = np.where(abs(d) <= c, d**2 / (2 * c), abs(d) - c / 2)\n"
        "do = np.clip(d / c, -1, 1)", HUBER,
        {"terms": with_constant(smooth_l1, back=False),
         "error": with_constant(slope_of_smooth_l1, back=True)},
        fit=in_the_loss(1e-3, 1e3, beyond_loss=True), example=2.0),
    NetworkMistake(
        "huber-another-joint-in-gradient", "a Huber gradient whose joint is at {constant:.4g}",
        "The gradient is limited to {constant:.4g}; the loss has its joint at 1.",
        "do = np.clip(o - t, -c, c)", applies=HUBER, paired=False, declared=True,
        functions={"error": with_constant(slope_of_own_joint, back=True)},
        fit=Among(lambda point: DELTAS), example=0.5,
    ),
    NetworkMistake(
        "huber-another-joint-in-loss", "a Huber loss with its joint at {constant:.4g}, not so its "
        "gradient",
        "The loss has its joint (delta) at {constant:.4g}; the gradient at 1.",
        "terms = np.where(abs(d) <= c, d**2 / 2, c * (abs(d) - c / 2))", applies=HUBER,
        paired=False, declared=True, functions={"terms": with_constant(own_joint, back=False)},
        fit=or_usual(in_the_loss(1e-3, 1e3), DELTAS), example=2.0,
    ),
)  # fmt: skip

DISTANCES = ROOTS + TERMS + JOINTS
