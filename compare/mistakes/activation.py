"""Family: the value of the activation, and another activation altogether."""

from __future__ import annotations

from compare.mistakes.conditions import bent, curved, hidden
from compare.mistakes.fits import Among
from compare.mistakes.mistake import NetworkMistake
from compare.textbook.plain import SLOPES

VALUE = (
    NetworkMistake(
        "activation-discarded",
        "an activation whose result is discarded",
        "The result of the activation is discarded: the next layer works on z.",
        "h[i] = z[i]",
        applies=curved,
        seen=1,
    ),
    NetworkMistake(
        "pre-activation-in-weight-gradient",
        "a weight gradient from z in place of h",
        "The weight gradient uses the pre-activation z of the layer below where it needs the "
        "activated h.",
        "dw[i] = z[i - 1].T @ dz[i]",
        applies=curved,
        seen=1,
    ),
    NetworkMistake(
        "pre-activation-in-forward",
        "a layer that is fed with z in place of h",
        "The next layer is fed with the pre-activation z; the gradient uses the activated h.",
        "z[i] = z[i - 1] @ w[i] + b[i]",
        applies=curved,
    ),
    NetworkMistake(
        "activation-on-logits",
        "an activation on the logits, in the forward pass only",
        "The activation is applied to the last layer too: the softmax gets f(z), and the "
        "gradient ignores it.",
        "logits = h[L]",
        applies=bent,
        layers=False,
    ),
    NetworkMistake(
        "activation-on-logits-and-gradient",
        "an activation on the logits, forward and backward",
        "The activation is applied to the last layer too, forward and backward: another "
        "network than the one declared.",
        "logits = h[L]\ndlogits = error / M * slope(z[L], h[L])",
        applies=bent,
        convention=True,
        layers=False,
    ),
)

BOUNDS = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 50, 100)
"""At which people clip what an activation is handed."""
CLIPPED = (
    NetworkMistake(
        "activation-of-clipped",
        "an activation of what is clipped at {constant:g}",
        "What the activation is handed is clipped to [-{constant:g}, {constant:g}], in its value "
        "and in its derivative; beyond, it is another function.",
        "q = np.clip(z[i], -c, c)\nh[i] = f(q)\n"
        "q = np.clip(z[i - 1], -c, c)\ndz[i - 1] = dh[i - 1] * slope(q, f(q))",
        applies=hidden,
        fit=Among(lambda point: BOUNDS),
        example=2,
        trigger="a unit that lies beyond the bound",
        paired=False,
    ),
    NetworkMistake(
        "activation-flat-beyond",
        "an activation that is flat beyond {constant:g}",
        "What the activation is handed is clipped to [-{constant:g}, {constant:g}], and nothing "
        "flows back through what was clipped; beyond, it is another function.",
        "q = np.clip(z[i], -c, c)\nh[i] = f(q)\n"
        "q = np.clip(z[i - 1], -c, c)\n"
        "dz[i - 1] = dh[i - 1] * slope(q, f(q)) * (np.abs(z[i - 1]) < c)",
        applies=hidden,
        fit=Among(lambda point: BOUNDS),
        example=2,
        trigger="a unit that lies beyond the bound",
        convention=True,
        paired=False,
    ),
)


def another(activation: str) -> NetworkMistake:
    """Return the mistake of computing with `activation` where another one is declared."""
    return NetworkMistake(
        f"activation-is-{activation}",
        f"{activation} in the hidden layers, which was not declared",
        f"The hidden layers use {activation}, forward and backward, where another activation was "
        "declared. Check `--activation` "
        "(in Python `activation`).",
        f'f, slope = VALUES["{activation}"], SLOPES["{activation}"]',
        applies=lambda point: point.activation != activation and point.depth > 1,
        convention=True,
    )


ACTIVATION = VALUE + CLIPPED + tuple(map(another, SLOPES))
