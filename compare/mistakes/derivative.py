"""Family: the derivative of the activation."""

from __future__ import annotations

import numpy as np

from compare.allowance.rules import ACTIVATION_RULES
from compare.mistakes.conditions import curved, hidden, masked, relu, smooth
from compare.mistakes.fits import Among
from compare.mistakes.lines import DB_LINE, DW_LINE, DZ_LINE
from compare.mistakes.mistake import NetworkMistake
from compare.textbook import RIGHT, Pair, Pass
from compare.textbook.functions import activate, mask, slope

FAMILY = "activation"
RIGHT_DZ = "dz = dh * f'(z)"
THRESHOLDS = tuple(m * 10.0**k for k in range(-8, 1) for m in (1, 2, 5))


def of_its_value(net: Pass, i: int) -> Pair:
    """f'(h) in place of f'(z)."""
    return slope(activate(net.h(i), net.activation), net.activation)


def of_its_input(net: Pass, i: int) -> Pair:
    """The formula for f' in the value, fed with the pre-activation."""
    rule = ACTIVATION_RULES[net.activation]
    assert rule.bend is not None
    return net.z(i).smooth(rule.slope, rule.bend)


def unsquared(net: Pass, i: int) -> Pair:
    """1 - h for 1 - h**2."""
    return 1.0 - net.h(i)


def of_another_layer(net: Pass, i: int, offset: float) -> Pair:
    """dh_i * f'(z_j) with j next to i, if the widths allow it."""
    j = i + int(offset)
    if not 0 <= j < net.depth or net.h(j).shape != net.h(i).shape:
        return RIGHT["slope"](net, i)
    return slope(net.carrier(j), net.activation)


DERIVATIVE = (
    NetworkMistake(
        name="mask-missing",
        family=FAMILY,
        sentence="The derivative of the activation is missing: the gradient passes it unchanged.",
        right=RIGHT_DZ,
        wrong="dz = dh",
        line=DZ_LINE,
        slip="dz[i - 1] = dh[i - 1]",
        stages={"dz": lambda net, i: net.dh(i)},
        applies=curved,
        seen=10,
    ),
    NetworkMistake(
        name="mask-always-true",
        family=FAMILY,
        sentence="The ReLU mask is tested on the activated value with >=, which is always true.",
        right="dz = dh * (h > 0)",
        wrong="dz = dh * (h >= 0)",
        line=DZ_LINE,
        slip="dz[i - 1] = dh[i - 1] * (h[i - 1] >= 0)",
        stages={"slope": lambda net, i: net.h(i).arranged(np.zeros_like) + 1.0},
        applies=relu,
    ),
    NetworkMistake(
        name="mask-missing-in-bias",
        family=FAMILY,
        sentence="The hidden bias gradient is summed before the activation's derivative is "
        "applied.",
        right="db = sum_n dz",
        wrong="db = sum_n dh",
        line=DB_LINE,
        slip="db[i] = (dh[i] if i < L else dz[i]).sum(axis=0)",
        stages={"db": lambda net, i: (net.dh(i) if i < net.depth else net.dz(i)).sum(0)},
        applies=curved,
    ),
    NetworkMistake(
        name="mask-missing-in-weights",
        family=FAMILY,
        sentence="The hidden weight gradient is taken before the activation's derivative is "
        "applied.",
        right="dw = h.T @ dz",
        wrong="dw = h.T @ dh",
        line=DW_LINE,
        slip="dw[i] = h[i - 1].T @ (dh[i] if i < L else dz[i])",
        stages={"dw": lambda net, i: net.h(i - 1).T @ (net.dh(i) if i < net.depth else net.dz(i))},
        applies=curved,
    ),
    NetworkMistake(
        name="mask-from-gradient",
        family=FAMILY,
        sentence="The ReLU mask is taken from the gradient that arrives, not from z.",
        right="dz = dh * (z > 0)",
        wrong="dz = dh * (dh > 0)",
        line=DZ_LINE,
        slip="dz[i - 1] = dh[i - 1] * (dh[i - 1] > 0)",
        stages={"slope": lambda net, i: mask(net.dh(i))},
        applies=relu,
    ),
    NetworkMistake(
        name="mask-from-another-layer",
        family=FAMILY,
        sentence="The derivative of the activation is taken at a neighbouring layer of the same "
        "width (index off by {constant:+.0f}).",
        right="dz_l = dh_l * f'(z_l)",
        wrong="dz_l = dh_l * f'(z_m) with m next to l",
        line=DZ_LINE,
        slip="j = i - 1 + {c:+.0f}\n"
        "            j = j if j < L and h[j].shape == h[i - 1].shape else i - 1\n"
        "            dz[i - 1] = dh[i - 1] * slope(h[j])",
        stages={"slope": of_another_layer},
        applies=curved,
        fit=Among(lambda point: (1, -1)),
        example=1,
        trigger="two neighbouring layers of the same width",
    ),
    NetworkMistake(
        name="mask-inverted",
        family=FAMILY,
        sentence="The ReLU mask is inverted: the gradient passes where the unit is off.",
        right="dz = dh * (z > 0)",
        wrong="dz = dh * (z <= 0)",
        line=DZ_LINE,
        slip="dz[i - 1] = dh[i - 1] * (h[i - 1] <= 0)",
        stages={"slope": lambda net, i: 1.0 - mask(net.h(i))},
        applies=relu,
    ),
    NetworkMistake(
        name="value-for-derivative",
        family=FAMILY,
        sentence="The gradient is multiplied with the activation's value, not its derivative.",
        right=RIGHT_DZ,
        wrong="dz = dh * f(z)",
        line=DZ_LINE,
        slip="dz[i - 1] = dh[i - 1] * h[i - 1]",
        stages={"slope": lambda net, i: net.h(i)},
        applies=hidden,
    ),
    NetworkMistake(
        name="gradient-replaced-by-derivative",
        family=FAMILY,
        sentence="The derivative of the activation replaces the gradient that arrives, instead of "
        "multiplying it.",
        right=RIGHT_DZ,
        wrong="dz = f'(z)",
        line=DZ_LINE,
        slip="dz[i - 1] = slope(h[i - 1])",
        stages={"dz": lambda net, i: net.get("slope", i)},
        applies=hidden,
    ),
    NetworkMistake(
        name="mask-threshold",
        family=FAMILY,
        sentence="The ReLU mask compares with about {constant:.0e}, not with 0.",
        right="dz = dh * (h > 0)",
        wrong="dz = dh * (h > {constant:.0e})",
        line=DZ_LINE,
        slip="dz[i - 1] = dh[i - 1] * (h[i - 1] > {c})",
        stages={"slope": lambda net, i, c: mask(net.h(i), c)},
        applies=relu,
        fit=Among(lambda point: THRESHOLDS),
        example=0.1,
        trigger="a unit whose value lies between 0 and the threshold",
        seen=1,
    ),
    NetworkMistake(
        name="derivative-of-tanh",
        family=FAMILY,
        sentence="The derivative is that of tanh, 1 - h**2, of another activation.",
        right=RIGHT_DZ,
        wrong="dz = dh * (1 - h**2)",
        line=DZ_LINE,
        slip="dz[i - 1] = dh[i - 1] * (1 - h[i - 1] ** 2)",
        stages={"slope": lambda net, i: 1.0 - net.h(i) * net.h(i)},
        applies=lambda point: point.activation != "tanh" and point.depth > 1,
    ),
    NetworkMistake(
        name="derivative-of-sigmoid",
        family=FAMILY,
        sentence="The derivative is that of the sigmoid, h (1 - h), of another activation.",
        right=RIGHT_DZ,
        wrong="dz = dh * h (1 - h)",
        line=DZ_LINE,
        slip="dz[i - 1] = dh[i - 1] * h[i - 1] * (1 - h[i - 1])",
        stages={"slope": lambda net, i: net.h(i) * (1.0 - net.h(i))},
        applies=lambda point: point.activation != "sigmoid" and point.depth > 1,
    ),
    NetworkMistake(
        name="derivative-of-relu",
        family=FAMILY,
        sentence="The derivative is that of ReLU, a mask h > 0, of another activation.",
        right=RIGHT_DZ,
        wrong="dz = dh * (h > 0)",
        line=DZ_LINE,
        slip="dz[i - 1] = dh[i - 1] * (h[i - 1] > 0)",
        stages={"slope": lambda net, i: mask(net.h(i))},
        applies=lambda point: not masked(point.activation) and point.depth > 1,
    ),
    NetworkMistake(
        name="derivative-at-the-value",
        family=FAMILY,
        sentence="The derivative is taken at the activated value where it needs the "
        "pre-activation: f'(h) for f'(z).",
        right=RIGHT_DZ,
        wrong="dz = dh * f'(h)",
        line=DZ_LINE,
        slip="dz[i - 1] = dh[i - 1] * slope(f(h[i - 1]))",
        stages={"slope": of_its_value},
        applies=smooth,
    ),
    NetworkMistake(
        name="derivative-formula-of-the-input",
        family=FAMILY,
        sentence="The derivative is written in the activated value but fed with the "
        "pre-activation: z stands where h belongs, 1 - z**2 for 1 - h**2 (tanh), z (1 - z) for "
        "h (1 - h) (sigmoid).",
        right="dz = dh * (1 - h**2) for tanh, dh * h (1 - h) for the sigmoid",
        wrong="dz = dh * (1 - z**2) for tanh, dh * z (1 - z) for the sigmoid",
        line=DZ_LINE,
        slip="dz[i - 1] = dh[i - 1] * slope(z[i - 1])",
        stages={"slope": of_its_input},
        applies=smooth,
    ),
    NetworkMistake(
        name="square-left-out",
        family=FAMILY,
        sentence="The square is missing in the derivative of tanh: 1 - h for 1 - h**2.",
        right="dz = dh * (1 - h**2)",
        wrong="dz = dh * (1 - h)",
        line=DZ_LINE,
        slip="dz[i - 1] = dh[i - 1] * (1 - h[i - 1])",
        stages={"slope": unsquared},
        applies=lambda point: point.activation == "tanh" and point.depth > 1,
    ),
)
