"""Family: the value of the activation, and another activation altogether."""

from __future__ import annotations

from compare.mistakes.conditions import curved
from compare.mistakes.lines import (
    DLOGITS_LINE,
    DW_LINE,
    H_LINE,
    LOGITS_LINE,
    SETTING_LINE,
    Z_LINE,
    dlogits_slip,
)
from compare.mistakes.mistake import NetworkMistake
from compare.textbook import RIGHT, Pair, Pass
from compare.textbook.functions import activate, slope

FAMILY = "activation"


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
        line=DW_LINE,
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
        line=Z_LINE,
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
        line=LOGITS_LINE,
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
        line=LOGITS_LINE,
        slip="logits = h[L]",
        more=((DLOGITS_LINE, dlogits_slip("error / M * slope(h[L])")),),
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


ACTIVATION = VALUE + tuple(another(name) for name in ("relu", "tanh", "sigmoid", "identity"))
