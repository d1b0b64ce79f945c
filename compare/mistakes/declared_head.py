"""Mistakes in the scale of a declared loss, and in the function on the last layer.

A slip here is shown and not planted: the plain program has softmax cross-entropy only.
"""

from __future__ import annotations

from compare.mistakes.declared_parts import (
    at_the_output,
    averaged,
    foreign,
    minimising,
    o_and_t,
    one,
    over_all_pairs,
    over_entries,
    scaled,
    slope_of_loss,
    straight,
    twice_pulled,
    with_output,
    written_at_z,
)
from compare.textbook import Point


def declared_sum(point: Point) -> bool:
    """Return whether another loss than softmax cross-entropy is summed."""
    return foreign(point) and point.minimised.reduction == "sum"


SCALES = (
    one("gradient-without-factor-2", "a gradient that lacks a factor 2",
        "The gradient is half as large as it should be, the loss is right: the derivative of the "
        "square was taken without its 2, or the loss lacks a 1/2.",
        "do = o - t", foreign, scaled("dlogits", lambda net: 0.5), paired=True),
    one("gradient-with-factor-2", "a gradient with a factor 2 too many",
        "The gradient is twice as large as it should be, the loss is right.",
        "do = 2 * do", foreign, scaled("dlogits", lambda net: 2.0), paired=True),
    one("gradient-not-averaged-over-outputs", "a gradient divided by N, not by N times the outputs",
        "The loss is the mean over all entries, rows times outputs; the gradient is divided by "
        "the rows only, so it is K times too large for K outputs.",
        "dlogits = do / N", over_entries, scaled("dlogits", lambda net: net.classes), paired=True),
    one("half-gradient-not-averaged-over-outputs",
        "a gradient o - t over N for a mean of squares over all entries",
        "The loss is the mean of squares over all entries, rows times outputs; the gradient is "
        "that of half the squares, divided by the rows only: K/2 times the right one for K "
        "outputs.",
        "dlogits = (o - t) / N", over_entries, scaled("dlogits", lambda net: net.classes / 2)),
    one("gradient-not-averaged-over-rows", "a gradient that is not divided by N",
        "The loss is averaged, the gradient is not divided by the rows: N times too large for a "
        "batch of N.",
        "dlogits = do", averaged, scaled("dlogits", lambda net: net.rows), paired=True),
    one("gradient-not-averaged", "a gradient that is not averaged",
        "The loss is averaged over all entries, the gradient is a sum: N K times too large.",
        "dlogits = do", over_entries, scaled("dlogits", lambda net: net.rows * net.classes),
        paired=True),
    one("half-gradient-not-averaged", "a gradient o - t that is not averaged",
        "The loss is a mean of squares, the gradient is o - t: without the 2 of the derivative, "
        "and not averaged.",
        "dlogits = o - t", lambda point: over_entries(point) and point.minimised.loss == "mse",
        scaled("dlogits", lambda net: net.rows * net.classes / 2)),
    one("gradient-averaged-twice", "a gradient that is divided by N twice",
        "The gradient is divided by N twice: N times too small for a batch of N.",
        "dlogits = do / M / N", averaged, scaled("dlogits", lambda net: 1 / net.rows), paired=True),
    one("gradient-averaged-over-outputs", "a gradient that is averaged over the outputs too",
        "The gradient is divided by the number of outputs K, the loss is not.",
        "dlogits = do / M / K", lambda point: foreign(point) and point.targets.shape[1] > 1,
        scaled("dlogits", lambda net: 1 / net.classes), paired=True),
    one("gradient-averaged-over-entries", "a gradient that is averaged over all entries",
        "The gradient is divided by rows and outputs, N times K; the loss is a sum.",
        "dlogits = do / (N * K)", declared_sum,
        scaled("dlogits", lambda net: 1 / (net.rows * net.classes))),
    one("gradient-averaged-over-rows", "a gradient that is averaged over the rows",
        "The gradient is divided by the rows N; the loss is a sum.",
        "dlogits = do / N", declared_sum, scaled("dlogits", lambda net: 1 / net.rows)),
    one("gradient-sign", "a gradient of the wrong sign",
        "The gradient has the wrong sign: t - o for o - t.",
        "do = t - o", foreign, scaled("dlogits", lambda net: -1.0), paired=True),
    one("half-gradient-sign", "a gradient of the wrong sign that lacks a factor 2",
        "The gradient is t - o: of the wrong sign, and without the 2 of the derivative.",
        "do = t - o", minimising("mse"), scaled("dlogits", lambda net: -0.5)),
    one("loss-without-factor", "half the loss",
        "The loss is half as large as it should be; the gradient is right.",
        "loss = terms.sum() / (2 * M)", foreign, scaled("loss", lambda net: 0.5)),
    one("loss-with-factor-2", "twice the loss",
        "The loss is twice as large as it should be; the gradient is right.",
        "loss = 2 * terms.sum() / M", foreign, scaled("loss", lambda net: 2.0)),
    one("loss-not-averaged-over-outputs", "a loss divided by N, not by N times the outputs",
        "The mean over all entries is declared; the loss is divided by the rows only. The "
        "gradient is right.",
        "loss = terms.sum() / N", over_entries, scaled("loss", lambda net: net.classes)),
    one("loss-not-averaged", "a loss that is a sum", "The loss is a sum over all entries, the "
        "gradient is that of the mean.",
        "loss = terms.sum()", averaged, scaled("loss", lambda net: net.divisor)),
    one("loss-averaged-over-outputs", "a loss that is averaged over the outputs too",
        "The loss is divided by the number of outputs K, the gradient is not.",
        "loss = terms.sum() / M / K",
        lambda point: foreign(point) and point.targets.shape[1] > 1,
        scaled("loss", lambda net: 1 / net.classes)),
)  # fmt: skip

OUTPUTS = (
    one("gradient-of-cross-entropy", "the gradient of a cross-entropy",
        "The gradient at the logits is (o - t) / N, that of a cross-entropy with this output; the "
        "loss is another one, whose derivative goes through the output.",
        "dz = (o - t) / N",
        lambda point: point.minimised.output in ("softmax", "sigmoid"),
        {"dlogits": lambda net, layer: (o_and_t(net)[0] - net.get("y")) / net.rows}),
    one("gradient-of-binary-cross-entropy", "the gradient of a binary cross-entropy",
        "The gradient at the logits is (o - t) over all entries, that of a binary cross-entropy; "
        "the loss is another one, whose derivative goes through the output.",
        "dz = (o - t) / (N * K)",
        lambda point: point.minimised.output in ("softmax", "sigmoid"),
        {"dlogits": lambda net, layer: (o_and_t(net)[0] - net.get("y"))
         / (net.rows * net.classes)}),
    one("loss-over-all-pairs-of-rows", "a loss over all N x N pairs of rows",
        "Outputs and targets are broadcast against each other, (N, 1) against (N,): the loss is "
        "the mean over every row with the targets of every other.",
        "loss = ((o[:, None] - t[None]) ** 2).mean()", foreign, {"loss": over_all_pairs}),
    one("output-derivative-missing", "a missing derivative of the output",
        "The derivative of the function on the last layer is missing: the gradient at the output "
        "is used as if it were that at the logits.",
        "dz = do", with_output, {"error": straight(slope_of_loss)}, paired=True),
    one("output-derivative-twice", "a derivative of the output that is applied twice",
        "The gradient is multiplied with the derivative of the output twice.",
        "dz = do * slope(o) * slope(o)", with_output, {"error": twice_pulled}),
    one("output-derivative-of-the-output", "a derivative of the output taken at its value",
        "The derivative of the output is a formula of z, and the value o is put into it: f'(o) "
        "for f'(z).",
        "dz = do * slope(f(o))", lambda point: point.minimised.output in ("sigmoid", "tanh"),
        {"error": lambda net, layer: at_the_output(net)}),
    one("output-derivative-of-the-logits", "a derivative of the output with z for o",
        "The derivative is written in the value o of the output, and the logits z are put into "
        "it.",
        "dz = do * z * (1 - z)", lambda point: point.minimised.output in ("sigmoid", "tanh"),
        {"error": lambda net, layer: written_at_z(net)}),
    one("softmax-jacobian-diagonal", "a softmax of whose Jacobian only the diagonal is used",
        "The softmax on the last layer is differentiated as if every output depended on its own "
        "logit only: o (1 - o).",
        "dz = do * o * (1 - o)", lambda point: point.minimised.output == "softmax",
        {"error": straight(lambda net, o, t: slope_of_loss(net, o, t) * o * (1.0 - o))}),
)  # fmt: skip

HEAD = SCALES + OUTPUTS
