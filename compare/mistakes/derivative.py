"""Family: the derivative of the activation."""

from __future__ import annotations

from compare.mistakes.conditions import curved, hidden, masked, relu, smooth
from compare.mistakes.fits import Among
from compare.mistakes.mistake import NetworkMistake

THRESHOLDS = tuple(m * 10.0**k for k in range(-8, 1) for m in (1, 2, 5))

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
        applies=relu,
        fit=Among(lambda point: THRESHOLDS),
        example=0.1,
        trigger="a unit whose value lies between 0 and the threshold",
        seen=1,
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
        "square-left-out",
        "1 - h where 1 - h**2 belongs",
        "The square is missing in the derivative of tanh: 1 - h for 1 - h**2.",
        "dz[i - 1] = dh[i - 1] * (1 - h[i - 1])",
        applies=lambda point: point.activation == "tanh" and point.depth > 1,
    ),
)
