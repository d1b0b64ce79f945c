"""Family: the derivative of the activation."""

from __future__ import annotations

from compare.mistakes.conditions import (
    curved,
    hidden,
    hidden_alike,
    masked,
    of,
    relu,
    several_alike,
    smooth,
)
from compare.mistakes.fits import Among, Near
from compare.mistakes.mistake import NetworkMistake

THRESHOLDS = (
    *(10.0**k for k in range(-12, 1)),
    *(m * 10.0**k for k in range(-8, 1) for m in (2, 5)),
)
LEAKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.3, 0.001)
"""Slopes that people write; all are tried where the slope reaches the loss, which bends with it."""

OF_ONE_LAYER = (
    (
        "derivative-of-the-first-layer",
        "the derivative of the first layer's activation in every layer",
        "Every layer of the same width takes the derivative of the activation of the first one.",
        "1",
        several_alike,
    ),
    (
        "derivative-of-the-last-layer",
        "the derivative of the last hidden layer's activation in every layer",
        "Every layer of the same width takes the derivative of the activation of the last hidden "
        "one, as code does that keeps one z or mask for all of them.",
        "L - 1",
        several_alike,
    ),
    (
        "derivatives-in-the-order-of-the-forward-pass",
        "derivatives of the activations in the order of the forward pass",
        "The derivatives of the activations are taken in the order of the forward pass, the first "
        "layer's at the last one: a list that is not walked backwards.",
        "L - (i - 1)",
        hidden_alike,
    ),
)

DERIVATIVE = (
    NetworkMistake(
        "mask-missing",
        "a missing derivative of the activation",
        "The derivative of the activation is missing: the gradient passes it unchanged.",
        "dz[i - 1] = dh[i - 1]",
        applies=curved,
        seen=10,
    ),
    NetworkMistake(
        "mask-always-true",
        "a ReLU mask with >= on the activated value",
        "The ReLU mask is tested on the activated value with >=, which is always true.",
        "dz[i - 1] = dh[i - 1] * (h[i - 1] >= 0)",
        applies=relu,
    ),
    NetworkMistake(
        "mask-missing-in-bias",
        "a bias gradient without the derivative of the activation",
        "The hidden bias gradient is summed before the activation's derivative is applied.",
        "db[i] = (dh[i] if i < L else dz[i]).sum(axis=0)",
        applies=curved,
    ),
    NetworkMistake(
        "mask-missing-in-weights",
        "a weight gradient without the derivative of the activation",
        "The hidden weight gradient is taken before the activation's derivative is applied.",
        "dw[i] = h[i - 1].T @ (dh[i] if i < L else dz[i])",
        applies=curved,
    ),
    NetworkMistake(
        "mask-from-gradient",
        "a ReLU mask taken from the gradient",
        "The ReLU mask is taken from the gradient that arrives, not from z.",
        "dz[i - 1] = dh[i - 1] * (dh[i - 1] > 0)",
        applies=relu,
    ),
    NetworkMistake(
        "mask-from-another-layer",
        "the derivative of a neighbouring layer's activation",
        "The derivative of the activation is taken at a neighbouring layer of the same width "
        "(index off by {constant:+.0f}).",
        "j = i - 1 + c\n"
        "j = j if j < L and h[j].shape == h[i - 1].shape else i - 1\n"
        "dz[i - 1] = dh[i - 1] * slope(z[j], h[j])",
        applies=curved,
        fit=Among(lambda point: (1, -1)),
        example=1,
        trigger="two neighbouring layers of the same width",
    ),
    *(
        NetworkMistake(
            name,
            title,
            sentence,
            f"j = {layer}\n"
            "j = j if h[j].shape == h[i - 1].shape else i - 1\n"
            "dz[i - 1] = dh[i - 1] * slope(z[j], h[j])",
            applies=applies,
            layers=False,
            paired=False,
            trigger="hidden layers of the same width",
        )
        for name, title, sentence, layer, applies in OF_ONE_LAYER
    ),
    NetworkMistake(
        "mask-inverted",
        "an inverted ReLU mask",
        "The ReLU mask is inverted: the gradient passes where the unit is off.",
        "dz[i - 1] = dh[i - 1] * (h[i - 1] <= 0)",
        applies=relu,
    ),
    NetworkMistake(
        "value-for-derivative",
        "the activation's value where its derivative belongs",
        "The gradient is multiplied with the activation's value, not its derivative.",
        "dz[i - 1] = dh[i - 1] * h[i - 1]",
        applies=hidden,
    ),
    NetworkMistake(
        "gradient-replaced-by-derivative",
        "a derivative that replaces the gradient",
        "The derivative of the activation replaces the gradient that arrives, instead of "
        "multiplying it.",
        "dz[i - 1] = slope(z[i - 1], h[i - 1])",
        applies=hidden,
    ),
    NetworkMistake(
        "mask-threshold",
        "a ReLU mask that compares with {constant:.0e}, not with 0",
        "The ReLU mask compares with about {constant:.0e}, not with 0.",
        "dz[i - 1] = dh[i - 1] * (h[i - 1] > c)",
        applies=of("relu"),
        fit=Among(lambda point: THRESHOLDS),
        example=0.1,
        trigger="a unit whose value lies between 0 and the threshold",
        seen=1,
    ),
    NetworkMistake(
        "mask-with-upper-bound",
        "a ReLU mask that ends at {constant:g}",
        "The ReLU mask is 0 above {constant:g} too, as that of a ReLU that is cut off there; the "
        "forward pass is not.",
        "dz[i - 1] = dh[i - 1] * (h[i - 1] > 0) * (h[i - 1] <= c)",
        applies=of("relu"),
        fit=Among(lambda point: (1, 2, 3, 4, 5, 6)),
        example=1,
        trigger="a unit whose value lies above the bound",
        paired=False,
    ),
    NetworkMistake(
        "mask-without-bias",
        "a derivative taken before the bias is added",
        "The derivative of the activation is taken at h @ w, before the bias is added.",
        "a = z[i - 1] - b[i - 1]\ndz[i - 1] = dh[i - 1] * slope(a, f(a))",
        applies=curved,
        trigger="a bias that moves a unit across 0, or is not small",
        paired=False,
    ),
    NetworkMistake(
        "derivative-without-square",
        "the root of tanh's derivative",
        "The derivative is 1 / cosh(z), the root of 1 - h**2: the square is missing.",
        "dz[i - 1] = dh[i - 1] * np.sqrt(1 - h[i - 1] ** 2)",
        applies=of("tanh"),
        paired=False,
    ),
    NetworkMistake(
        "derivative-of-tanh",
        "the derivative of tanh for another activation",
        "The derivative is that of tanh, 1 - h**2, of another activation.",
        "dz[i - 1] = dh[i - 1] * (1 - h[i - 1] ** 2)",
        applies=lambda point: point.activation != "tanh" and point.depth > 1,
    ),
    NetworkMistake(
        "derivative-of-sigmoid",
        "the derivative of the sigmoid for another activation",
        "The derivative is that of the sigmoid, h (1 - h), of another activation.",
        "dz[i - 1] = dh[i - 1] * h[i - 1] * (1 - h[i - 1])",
        applies=lambda point: point.activation != "sigmoid" and point.depth > 1,
    ),
    NetworkMistake(
        "derivative-of-relu",
        "the derivative of ReLU for another activation",
        "The derivative is that of ReLU, a mask h > 0, of another activation.",
        "dz[i - 1] = dh[i - 1] * (h[i - 1] > 0)",
        applies=lambda point: not masked(point.activation) and point.depth > 1,
    ),
    NetworkMistake(
        "derivative-at-the-value",
        "f'(h) where f'(z) belongs",
        "The derivative is taken at the activated value where it needs the pre-activation: "
        "f'(h) for f'(z).",
        "dz[i - 1] = dh[i - 1] * slope(h[i - 1], f(h[i - 1]))",
        applies=smooth,
    ),
    NetworkMistake(
        "derivative-formula-of-the-input",
        "a derivative formula fed with z in place of h",
        "The derivative is written in the activated value but fed with the pre-activation: z "
        "stands where h belongs, 1 - z**2 for 1 - h**2 (tanh), z (1 - z) for h (1 - h) "
        "(sigmoid).",
        "dz[i - 1] = dh[i - 1] * slope(z[i - 1], z[i - 1])",
        applies=smooth,
    ),
    NetworkMistake(
        "derivative-of-the-gradient",
        "the derivative of the activation at the gradient, in its place",
        "The derivative of the activation is taken of the gradient that arrives, and the product "
        "with it is left out: f'(dh) for dh f'(z).",
        "dz[i - 1] = slope(dh[i - 1], f(dh[i - 1]))",
        applies=smooth,
        paired=False,
    ),
    NetworkMistake(
        "derivative-at-the-gradient",
        "the derivative of the activation at the gradient",
        "The derivative of the activation is taken at the gradient that arrives: dh f'(dh) for dh "
        "f'(z).",
        "dz[i - 1] = dh[i - 1] * slope(dh[i - 1], f(dh[i - 1]))",
        applies=smooth,
        paired=False,
    ),
    NetworkMistake(
        "derivative-applied-twice",
        "the derivative of the activation applied twice",
        "The gradient is multiplied with the derivative of the activation twice.",
        "dz[i - 1] = dh[i - 1] * slope(z[i - 1], h[i - 1]) * slope(z[i - 1], h[i - 1])",
        applies=smooth,
    ),
    NetworkMistake(
        "derivative-on-logits",
        "the derivative of the activation at the logits",
        "The error at the logits is multiplied with the derivative of the activation, but the last "
        "layer has no activation.",
        "dlogits = error / M * slope(logits, f(logits))",
        applies=curved,
        paired=False,
    ),
    NetworkMistake(
        "derivative-of-sigmoid-at-z",
        "the sigmoid's derivative at z for another activation",
        "The derivative is that of the sigmoid, s (1 - s) with s = sigmoid(z), of another "
        "activation.",
        "s = 1 / (1 + np.exp(-z[i - 1]))\ndz[i - 1] = dh[i - 1] * s * (1 - s)",
        applies=lambda point: point.activation != "sigmoid" and point.depth > 1,
    ),
    NetworkMistake(
        "one-left-out",
        "-h**2 where 1 - h**2 belongs",
        "The 1 is missing in the derivative of tanh: -h**2 for 1 - h**2.",
        "dz[i - 1] = -dh[i - 1] * h[i - 1] ** 2",
        applies=of("tanh"),
    ),
    NetworkMistake(
        "minus-as-plus",
        "1 + h**2 where 1 - h**2 belongs",
        "The sign is wrong in the derivative of tanh: 1 + h**2 for 1 - h**2.",
        "dz[i - 1] = dh[i - 1] * (1 + h[i - 1] ** 2)",
        applies=of("tanh"),
        paired=False,
    ),
    NetworkMistake(
        "difference-squared",
        "(1 - h)**2 where 1 - h**2 belongs",
        "The square is in the wrong place in the derivative of tanh: (1 - h)**2 for 1 - h**2.",
        "dz[i - 1] = dh[i - 1] * (1 - h[i - 1]) ** 2",
        applies=of("tanh"),
        paired=False,
    ),
    NetworkMistake(
        "factor-h-left-out",
        "1 - h where h (1 - h) belongs",
        "The factor h is missing in the derivative of the sigmoid: 1 - h for h (1 - h).",
        "dz[i - 1] = dh[i - 1] * (1 - h[i - 1])",
        applies=of("sigmoid"),
    ),
    NetworkMistake(
        "sigmoid-derivative-negated",
        "h (h - 1) where h (1 - h) belongs",
        "The derivative of the sigmoid has the wrong sign: h (h - 1) for h (1 - h).",
        "dz[i - 1] = dh[i - 1] * h[i - 1] * (h[i - 1] - 1)",
        applies=of("sigmoid"),
    ),
    NetworkMistake(
        "mask-of-value-and-gradient",
        "a ReLU that lets positive gradients pass only",
        "The gradient passes where the unit is on and the gradient itself is positive: a ReLU is "
        "applied to the gradient as well.",
        "dz[i - 1] = dh[i - 1] * (h[i - 1] > 0) * (dh[i - 1] > 0)",
        applies=relu,
        paired=False,
    ),
    NetworkMistake(
        "leaky-in-gradient-only",
        "a leaky ReLU in the gradient only",
        "The gradient is that of a leaky ReLU of slope {constant:g}; the forward pass is not.",
        "dz[i - 1] = np.where(h[i - 1] > 0, dh[i - 1], c * dh[i - 1])",
        applies=of("relu"),
        fit=Near(LEAKS),
        example=0.01,
        paired=False,
    ),
    NetworkMistake(
        "leaky-in-forward-only",
        "a leaky ReLU in the forward pass only",
        "The forward pass has a leaky ReLU of slope {constant:g}; the gradient is that of a ReLU.",
        "h[i] = np.where(z[i] > 0, z[i], c * z[i])",
        applies=of("relu"),
        fit=Among(lambda point: LEAKS),
        example=0.01,
        paired=False,
    ),
    NetworkMistake(
        "activation-is-leaky",
        "leaky ReLU of slope {constant:g}, which was not declared",
        "The hidden layers use a leaky ReLU of slope {constant:g}, forward and backward, where a "
        "ReLU was declared. Declare it with `--activation leaky_relu:{constant:g}` "
        "(in Python `activation='leaky_relu:{constant:g}'`).",
        "h[i] = np.where(z[i] > 0, z[i], c * z[i])\n"
        "dz[i - 1] = np.where(h[i - 1] > 0, dh[i - 1], c * dh[i - 1])",
        applies=of("relu"),
        fit=Among(lambda point: LEAKS),
        example=0.01,
        convention=True,
        paired=False,
    ),
    NetworkMistake(
        "square-left-out",
        "1 - h where 1 - h**2 belongs",
        "The square is missing in the derivative of tanh: 1 - h for 1 - h**2.",
        "dz[i - 1] = dh[i - 1] * (1 - h[i - 1])",
        applies=lambda point: point.activation == "tanh" and point.depth > 1,
    ),
)
