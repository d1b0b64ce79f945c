"""Family: the activation and its derivative."""

from __future__ import annotations

import numpy as np

from compare.allowance.rules import ACTIVATION_RULES
from compare.mistakes.fits import Among
from compare.mistakes.mistake import NetworkMistake
from compare.mistakes.reduction import ERROR_LINE
from compare.textbook import RIGHT, Pair, Pass, Point
from compare.textbook.functions import activate, mask, slope

FAMILY = "activation"
DZ_LINE = "dz[i - 1] = dh[i - 1] * slope(h[i - 1])"
H_LINE = "h[i] = f(z[i])"
SETTING_LINE = "f, slope = VALUES[activation], SLOPES[activation]"
RIGHT_DZ = "dz = dh * f'(z)"
THRESHOLDS = tuple(m * 10.0**k for k in range(-8, 1) for m in (1, 2, 5))


def curved(point: Point) -> bool:
    """Return whether the activation has a derivative other than 1 somewhere in the network."""
    return point.activation != "identity" and point.depth > 1


def hidden(point: Point) -> bool:
    """Return whether there is a hidden layer."""
    return point.depth > 1


def relu(point: Point) -> bool:
    """Return whether masks are what the derivative is about."""
    return point.activation == "relu" and point.depth > 1


def smooth(point: Point) -> bool:
    """Return whether the derivative is written in the value (tanh, sigmoid)."""
    return point.activation in ("tanh", "sigmoid") and point.depth > 1


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
    return slope(net.h(j), net.activation)


def from_pre_activation(net: Pass, i: int) -> Pair:
    """h.T @ dz with the layer's input before its activation."""
    return (net.z(i - 1) if i > 1 else net.x).T @ net.dz(i)


def forward_pre_activation(net: Pass, i: int) -> Pair:
    """z = z_below @ w + b."""
    return (net.z(i - 1) if i > 1 else net.x) @ net.w(i) + net.b(i)


def activated_logits(net: Pass, i: int) -> Pair:
    """logits = f(h @ w + b)."""
    z = RIGHT["z"](net, i)
    return activate(z, net.activation) if i == net.depth else z


def masked_error(net: Pass, _: int) -> Pair:
    """dlogits = (p - y) / N * f'(z_L), read off the activated logits."""
    return RIGHT["dlogits"](net, 0) * slope(net.logits, net.activation)


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
        seen=4,
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
        seen=3,
    ),
    NetworkMistake(
        name="mask-missing-in-bias",
        family=FAMILY,
        sentence="The hidden bias gradient is summed before the activation's derivative is "
        "applied.",
        right="db = sum_n dz",
        wrong="db = sum_n dh",
        line="db[i] = dz[i].sum(axis=0)",
        slip="db[i] = (dh[i] if i < L else dz[i]).sum(axis=0)",
        stages={"db": lambda net, i: (net.dh(i) if i < net.depth else net.dz(i)).sum(0)},
        applies=curved,
        seen=1,
    ),
    NetworkMistake(
        name="mask-missing-in-weights",
        family=FAMILY,
        sentence="The hidden weight gradient is taken before the activation's derivative is "
        "applied.",
        right="dw = h.T @ dz",
        wrong="dw = h.T @ dh",
        line="dw[i] = h[i - 1].T @ dz[i]",
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
        seen=1,
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
        seen=1,
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
        seen=2,
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
        seen=1,
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
        applies=lambda point: point.activation != "relu" and point.depth > 1,
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
        "pre-activation: 1 - z**2 for 1 - tanh(z)**2.",
        right="dz = dh * (1 - h**2)        (tanh)",
        wrong="dz = dh * (1 - z**2)",
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

VALUE = (
    NetworkMistake(
        name="activation-discarded",
        family=FAMILY,
        sentence="The result of the activation is discarded: the next layer works on z.",
        right="h = f(z)",
        wrong="h = z",
        line=H_LINE,
        slip="h[i] = z[i]",
        stages={"h": lambda net, i: net.z(i)},
        applies=curved,
        seen=1,
    ),
    NetworkMistake(
        name="pre-activation-in-weight-gradient",
        family=FAMILY,
        sentence="The weight gradient uses the pre-activation z of the layer below where it needs "
        "the activated h.",
        right="dw_l = h_{l-1}.T @ dz_l",
        wrong="dw_l = z_{l-1}.T @ dz_l",
        line="dw[i] = h[i - 1].T @ dz[i]",
        slip="dw[i] = (z[i - 1] if i > 1 else x).T @ dz[i]",
        stages={"dw": from_pre_activation},
        applies=curved,
        seen=1,
    ),
    NetworkMistake(
        name="pre-activation-in-forward",
        family=FAMILY,
        sentence="The next layer is fed with the pre-activation z; the gradient uses the activated "
        "h.",
        right="z_l = h_{l-1} @ w_l + b_l",
        wrong="z_l = z_{l-1} @ w_l + b_l",
        line="z[i] = h[i - 1] @ w[i] + b[i]",
        slip="z[i] = (z[i - 1] if i > 1 else x) @ w[i] + b[i]",
        stages={"z": forward_pre_activation},
        applies=curved,
    ),
    NetworkMistake(
        name="activation-on-logits",
        family=FAMILY,
        sentence="The activation is applied to the last layer too: the softmax gets f(z), and the "
        "gradient ignores it.",
        right="logits = z_L",
        wrong="logits = f(z_L)",
        line="logits = z[L]",
        slip="logits = h[L]",
        stages={"z": activated_logits},
        applies=lambda point: point.activation != "identity",
        layers=False,
    ),
    NetworkMistake(
        name="activation-on-logits-and-gradient",
        family=FAMILY,
        sentence="The activation is applied to the last layer too, forward and backward: another "
        "network than the one declared.",
        right="logits = z_L, dz_L = dlogits",
        wrong="logits = f(z_L), dz_L = dlogits * f'(z_L)",
        line="logits = z[L]",
        slip="logits = h[L]",
        more=((ERROR_LINE, ERROR_LINE.replace("error / M", "error / M * slope(h[L])")),),
        stages={"z": activated_logits, "dlogits": masked_error},
        applies=lambda point: point.activation != "identity",
        convention=True,
        layers=False,
    ),
)


def another(activation: str) -> NetworkMistake:
    """Return the mistake of computing with `activation` where another one is declared."""
    return NetworkMistake(
        name=f"activation-is-{activation}",
        family=FAMILY,
        sentence=f"The hidden layers use {activation}, forward and backward, where another "
        "activation was declared. Check `--activation`.",
        right="h = f(z), dz = dh * f'(z)",
        wrong=f"the same with f = {activation}",
        line=SETTING_LINE,
        slip=f'f, slope = VALUES["{activation}"], SLOPES["{activation}"]',
        stages={
            "h": lambda net, i: activate(net.z(i), activation),
            "slope": lambda net, i: slope(net.h(i), activation),
        },
        applies=lambda point: point.activation != activation and point.depth > 1,
        convention=True,
    )


ACTIVATION = (
    DERIVATIVE + VALUE + tuple(another(name) for name in ("relu", "tanh", "sigmoid", "identity"))
)
