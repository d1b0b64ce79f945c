"""Family: which matrices are multiplied, transposed or not, and what is left out of the product."""

from __future__ import annotations

from compare.mistakes.conditions import (
    alike,
    alike_outputs,
    bent,
    hidden,
    own_weights_fit,
    square,
    square_behind,
)
from compare.mistakes.fits import Among, linear
from compare.mistakes.mistake import NetworkMistake

PRODUCTS = (
    NetworkMistake(
        "backward-not-transposed",
        "weights that are not transposed on the way back",
        "The weights are not transposed on the way back; the square shape hides it.",
        "dh[i - 1] = dz[i] @ (w[i] if w[i].shape[0] == w[i].shape[1] else w[i].T)",
        applies=square_behind,
        trigger="a square weight matrix",
        seen=1,
    ),
    NetworkMistake(
        "forward-transposed",
        "weights that are transposed in the forward pass",
        "The weights are transposed in the forward pass; the square shape hides it.",
        "z[i] = h[i - 1] @ (w[i].T if w[i].shape[0] == w[i].shape[1] else w[i]) + b[i]",
        applies=square,
        trigger="a square weight matrix",
    ),
    NetworkMistake(
        "weight-gradient-transposed",
        "a transposed weight gradient",
        "The weight gradient is transposed: (fan_out, fan_in) for (fan_in, fan_out).",
        "dw[i] = dz[i].T @ h[i - 1]",
    ),
    NetworkMistake(
        "wrong-weight-matrix",
        "a gradient that goes back through a neighbouring layer's weights",
        "The gradient goes back through the weights of a neighbouring layer (index off by "
        "{constant:+.0f}).",
        "m = i + c\n"
        "m = m if m in w and w[m].shape == w[i].shape else i\n"
        "dh[i - 1] = dz[i] @ w[m].T",
        applies=alike,
        fit=Among(lambda point: (-1, 1)),
        example=-1,
        trigger="two weight matrices of the same shape",
    ),
    NetworkMistake(
        "own-weights-in-backward",
        "a gradient that goes back through the layer's own weights",
        "The gradient goes back through the layer's own weights, not through those of the "
        "layer above: w_l for w_{{l+1}}.",
        "fits = w[i - 1].shape[0] == w[i].shape[1]\n"
        "dh[i - 1] = dz[i] @ (w[i - 1] if fits else w[i].T)",
        applies=own_weights_fit,
        trigger="the layers below and above are of equal width",
    ),
    NetworkMistake(
        "weights-stepped-too-early",
        "weights that are updated before the gradient goes through them",
        "The gradient goes back through weights that have been updated already (by "
        "{constant:.3g} times their gradient).",
        "stepped = w[i] - c * dw[i] if dw[i].shape == w[i].shape else w[i]\n"
        "dh[i - 1] = dz[i] @ stepped.T",
        applies=hidden,
        fit=linear,
        example=0.1,
    ),
    NetworkMistake(
        "error-without-softmax",
        "hidden layers that get dL/dp without the softmax's derivative",
        "The hidden layers get the error of the probabilities, dL/dp, without the derivative "
        "of the softmax; the last layer's own gradients have it.",
        "dh[i - 1] = (dz[i] if i < L else -y / p / M) @ w[i].T",
        applies=hidden,
        layers=False,
        seen=1,
    ),
    NetworkMistake(
        "error-skips-activation",
        "a gradient handed on without the derivative in between",
        "The gradient that is passed on to the layer below lacks the derivative of the "
        "activation in between; the weight gradients have it.",
        "dh[i - 1] = (dh[i] if i < L else dz[i]) @ w[i].T",
        applies=lambda point: point.depth > 2 and bent(point),
        trigger="two hidden layers or more",
    ),
    NetworkMistake(
        "error-of-layer-above",
        "the error of a layer further up, handed on",
        "The gradient that is passed on to the layer below is made from the error of the layer "
        "above, not from the layer's own: dz_{{l+1}} for dz_l.",
        "above = dz[i + 1] if i < L and dz[i + 1].shape == dz[i].shape else dz[i]\n"
        "dh[i - 1] = above @ w[i].T",
        applies=alike_outputs,
        trigger="two layers of the same width",
        paired=False,
    ),
    NetworkMistake(
        "input-of-another-layer",
        "a weight gradient with a neighbouring layer's input",
        "The weight gradient uses the input of a neighbouring layer of the same width (index "
        "off by {constant:+.0f}).",
        "m = i - 1 + c\n"
        "m = m if 0 <= m < L and h[m].shape == h[i - 1].shape else i - 1\n"
        "dw[i] = h[m].T @ dz[i]",
        applies=hidden,
        fit=Among(lambda point: (1, -1)),
        example=1,
        trigger="two neighbouring layers of the same width",
    ),
)

LEFT_OUT = (
    NetworkMistake(
        "bias-left-out",
        "a bias that is not added",
        "The bias is not added in the forward pass.",
        "z[i] = h[i - 1] @ w[i]",
        trigger="a bias that is not zero",
    ),
    NetworkMistake(
        "bias-subtracted",
        "a bias that is subtracted",
        "The bias is subtracted in the forward pass: z = h @ w - b.",
        "z[i] = h[i - 1] @ w[i] - b[i]",
        trigger="a bias that is not zero",
        paired=False,
    ),
    NetworkMistake(
        "bias-added-several-times",
        "a bias that the forward pass adds {constant:g} times",
        "The forward pass adds {constant:g} times the bias; the gradient is that of a bias that is "
        "added once.",
        "z[i] = h[i - 1] @ w[i] + c * b[i]",
        fit=Among(lambda point: (2, 0.5, 3)),
        example=2,
        trigger="a bias that is not zero",
        paired=False,
    ),
    NetworkMistake(
        "bias-column-of-another-number",
        "a column of {constant:g} for the bias, where 1 belongs",
        "The column that stands for the biases holds {constant:g}, not 1: they count that much, "
        "and so do their gradients.",
        "z[i] = h[i - 1] @ w[i] + c * b[i]\ndb[i] = c * dz[i].sum(axis=0)",
        fit=Among(lambda point: (0.5, 2, 0.1, 10, -1)),
        example=0.5,
        trigger="a bias that is not zero",
        convention=True,
        paired=False,
    ),
    NetworkMistake(
        "weight-gradient-in-column-order",
        "a weight gradient laid out column by column",
        "The entries of the weight gradient were written row by row and read column by column, or "
        "the other way round: the numbers are right, their places are not.",
        "g = h[i - 1].T @ dz[i]\ndw[i] = g.reshape(g.shape[1], g.shape[0]).T",
        paired=False,
    ),
    NetworkMistake(
        "bias-gradient-zero",
        "a bias gradient that stays zero",
        "The bias gradient is left at zero: the biases are never trained.",
        "db[i] = np.zeros_like(b[i])",
    ),
    NetworkMistake(
        "weight-gradient-zero",
        "a weight gradient that stays zero",
        "The weight gradient is left at zero: these weights are never trained.",
        "dw[i] = np.zeros_like(w[i])",
    ),
)

LINEAR_ALGEBRA = PRODUCTS + LEFT_OUT
