"""Mistakes in the derivative of a declared loss: binary cross-entropy; distances and the hinge have
files of their own."""

from __future__ import annotations

from compare.mistakes.declared_distances import DISTANCES
from compare.mistakes.declared_hinge import HINGE
from compare.mistakes.declared_parts import (
    clip_guard,
    minimising,
    one,
    p_of,
    shifted_guard,
    straight,
)
from compare.mistakes.fits import in_the_loss, or_usual
from compare.mistakes.mistake import NetworkMistake
from compare.textbook.functions import log

CLIPS = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Where people clip probabilities so high that a loss falls and rises again with it."""
BINARY = (
    one("sigmoid-derivative-on-top", "a factor p (1 - p) too many",
        "The error p - y is multiplied with p (1 - p) once more, but it already contains the "
        "derivative of the sigmoid.",
        "dz = (p - y) * p * (1 - p)", minimising("bce"),
        {"error": lambda net, layer: net.right("error", layer) * p_of(net) * (1.0 - p_of(net))}),
    one("binary-gradient-at-probabilities", "dL/dp where dL/dlogits belongs",
        "The gradient stops at the probabilities: dL/dp = (p - y) / (p (1 - p)) is used as if it "
        "were dL/dlogits.",
        "dz = (p - y) / (p * (1 - p))", minimising("bce"),
        {"error": lambda net, layer: net.right("error", layer) / (p_of(net) * (1.0 - p_of(net)))}),
    one("binary-second-term-sign", "a second term of the wrong sign in dL/dp",
        "The derivative of the binary cross-entropy is -(y / p) + (1 - y) / (1 - p); the sign of "
        "the second term is wrong, which leaves -y (1 - p) - (1 - y) p.",
        "dp = -(y / p + (1 - y) / (1 - p))", minimising("bce"),
        {"error": straight(lambda net, o, t: -(t * (1.0 - p_of(net)) + (1.0 - t) * p_of(net)))}),
    one("binary-second-term-missing-in-gradient", "dL/dp without its second term",
        "Of the derivative -(y / p) + (1 - y) / (1 - p) only the first term is there: -y (1 - p) "
        "is left of p - y.",
        "dp = -y / p", minimising("bce"),
        {"error": straight(lambda net, o, t: -(t * (1.0 - p_of(net))))}),
    one("binary-second-term-missing", "a binary cross-entropy without its second term",
        "The loss adds up y log p only: (1 - y) log(1 - p) is missing.",
        "terms = -y * log(p)", minimising("bce"),
        {"terms": straight(lambda net, o, t: -(t * log(p_of(net))))}),
    one("binary-squared-error-gradient", "the gradient of a squared error with a binary "
        "cross-entropy as loss",
        "The error is 2 (p - y) p (1 - p), the derivative of a squared error of a sigmoid; the "
        "loss is the binary cross-entropy.",
        "dz = 2 * (p - y) * p * (1 - p)", minimising("bce"),
        {"error": lambda net, layer: net.right("error", layer) * p_of(net) * (1.0 - p_of(net))
         * 2.0}),
    one("binary-gradient-of-logits", "z - y where p - y belongs",
        "The gradient uses the logits where it needs their sigmoid: z - y.",
        "dz = z - y", minimising("bce"), {"error": straight(lambda net, o, t: o - t)}),
    NetworkMistake(
        "epsilon-in-binary-log", "a constant {constant:.3g} inside the logarithms",
        "A constant {constant:.3g} is added inside both logarithms: the loss is that of another "
        "function and the gradient does not belong to it.",
        "terms = -(y * np.log(p + c) + (1 - y) * np.log(1 - p + c))", applies=minimising("bce"),
        functions={"terms": shifted_guard}, fit=in_the_loss(1e-30, 10.0), guard=True,
        declared=True, example=1e-5,
    ),
    NetworkMistake(
        "clip-in-binary-log", "a loss whose probabilities are clipped at {constant:.3g}",
        "Probabilities are clipped to [{constant:.3g}, 1 - {constant:.3g}] before the logarithms; "
        "the gradient is not.",
        "p = np.clip(p, c, 1 - c)", applies=minimising("bce"),
        functions={"terms": clip_guard}, fit=or_usual(in_the_loss(1e-30, 0.5), CLIPS),
        guard=True, declared=True, example=0.2,
    ),
)  # fmt: skip

LOSSES = BINARY + DISTANCES + HINGE
