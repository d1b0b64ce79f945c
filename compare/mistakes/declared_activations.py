"""Slips in the derivative of an activation that is declared and not in the plain program.

Leaky ReLU, ELU, GELU and their like: the derivative of a neighbour of theirs, or a formula of
which a part is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from compare.contracts.arrays import Float
from compare.contracts.experiment import ACTIVATION_NAMES
from compare.mistakes.mistake import NetworkMistake
from compare.textbook import Pair, Pass, Point
from compare.textbook.functions import activate, slope
from compare.textbook.plain import SLOPES

LEAKS = tuple(f"leaky_relu:{c:g}" for c in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.3, 0.001))
OTHERS = (*ACTIVATION_NAMES, *LEAKS, "elu:0.5", "elu:2")
IN_THE_PLAIN_CATALOGUE = frozenset({"relu", "tanh", "sigmoid", "identity"})
"""Their derivatives are mistakes of the catalogue for every other activation."""
STEP = 1e-6
"""Of the difference that stands for the slope of a formula: only an allowance is made of it."""
ROUNDINGS = 8.0
"""Formulas of several operations round more often than once."""

_erf = np.vectorize(math.erf, otypes=[np.float64])
C = math.sqrt(2 / math.pi)


def sigmoid(z: Float) -> Float:
    """1 / (1 + exp(-z))."""
    found: Float = np.exp(-np.logaddexp(0.0, -z))
    return found


def gelu_inner(z: Float) -> Float:
    """The tanh of the approximate GELU."""
    found: Float = np.tanh(C * (z + 0.044715 * z**3))
    return found


def below(z: Float, value: Float, above: float = 1.0) -> Float:
    """Return `above` where z is positive, `value` elsewhere."""
    return np.where(z > 0, above, value)


Formula = Callable[[Float], Float]
FORMULAS: tuple[tuple[str, str, str, str, Formula], ...] = (
    ("gelu-first-term-only", "gelu", "the first term only",
     "the normal distribution function; the second term, z times the density, is missing",
     lambda z: (1 + _erf(z / math.sqrt(2))) / 2),
    ("gelu-second-term-only", "gelu", "the second term only",
     "z times the normal density; the distribution function is missing",
     lambda z: z * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)),
    ("gelu-density-without-z", "gelu", "a second term without z",
     "distribution function plus density; the density lacks its factor z",
     lambda z: (1 + _erf(z / math.sqrt(2))) / 2 + np.exp(-z * z / 2) / math.sqrt(2 * math.pi)),
    ("gelu-tanh-first-term-only", "gelu_tanh", "the first term only",
     "(1 + tanh) / 2; the second term, from the derivative of the tanh, is missing",
     lambda z: (1 + gelu_inner(z)) / 2),
    ("gelu-tanh-inner-derivative-missing", "gelu_tanh", "no derivative of what is in the tanh",
     "(1 + t) / 2 + z (1 - t^2) / 2; the derivative of what is in the tanh is missing",
     lambda z: (1 + gelu_inner(z)) / 2 + z * (1 - gelu_inner(z) ** 2) / 2),
    ("gelu-tanh-cube-without-3", "gelu_tanh", "a cube whose derivative lacks its 3",
     "right but for the derivative of the cube, which lacks its 3",
     lambda z: (1 + gelu_inner(z)) / 2
     + z * (1 - gelu_inner(z) ** 2) / 2 * C * (1 + 0.044715 * z * z)),
    ("gelu-tanh-cube-left-out", "gelu_tanh", "a cube that is not differentiated",
     "right but for the cube in the tanh, which is not differentiated",
     lambda z: (1 + gelu_inner(z)) / 2 + z * (1 - gelu_inner(z) ** 2) / 2 * C),
    ("silu-first-term-only", "silu", "the first term only",
     "s, the sigmoid; the second term z s (1 - s) is missing", sigmoid),
    ("silu-second-term-only", "silu", "the second term only",
     "z s (1 - s); the first term s is missing", lambda z: z * sigmoid(z) * sigmoid(-z)),
    ("silu-s-left-out", "silu", "a second term without s",
     "s + z (1 - s); the second term lacks its factor s", lambda z: sigmoid(z) + z * sigmoid(-z)),
    ("silu-z-left-out", "silu", "a second term without z",
     "s + s (1 - s); the second term lacks its factor z",
     lambda z: sigmoid(z) + sigmoid(z) * sigmoid(-z)),
    ("silu-one-minus-s-left-out", "silu", "a second term without 1 - s",
     "s + z s; the second term lacks its factor 1 - s", lambda z: sigmoid(z) * (1 + z)),
    ("silu-derivative-of-sigmoid", "silu", "the derivative of the sigmoid",
     "s (1 - s), that of the sigmoid", lambda z: sigmoid(z) * sigmoid(-z)),
    ("silu-value-for-z", "silu", "the value where z belongs",
     "s (1 + h (1 - s)) with the value h of the unit; it is s (1 + z (1 - s))",
     lambda z: sigmoid(z) * (1 + z * sigmoid(z) * sigmoid(-z))),
    ("elu-value-below-zero", "elu", "the value where it lacks alpha",
     "the value of the unit below 0; alpha has to be added to it",
     lambda z: below(z, np.expm1(np.minimum(z, 0.0)))),
    ("elu-one-below-zero", "elu", "a derivative that is 0 below 0",
     "1 above 0 and 0 below, that of ReLU", lambda z: below(z, np.zeros_like(z))),
    ("elu-exp-everywhere", "elu", "exp(z) above 0 too",
     "exp(z) everywhere; above 0 it is 1", lambda z: np.exp(z)),
    ("elu-negated-below-zero", "elu", "the wrong sign below 0",
     "-exp(z) below 0", lambda z: below(z, -np.exp(np.minimum(z, 0.0)))),
    ("elu-exp-of-value", "elu", "exp of the value",
     "exp(h) of the value h below 0; it is exp(z), or h + 1",
     lambda z: below(z, np.exp(np.expm1(np.minimum(z, 0.0))))),
    ("selu-scale-missing", "selu", "a missing scale",
     "right but for the scale 1.0507, which is missing",
     lambda z: below(z, 1.6732632423543772 * np.exp(np.minimum(z, 0.0)))),
    ("selu-alpha-missing", "selu", "a missing alpha",
     "right but for alpha 1.6733, which is missing below 0",
     lambda z: below(z, 1.0507009873554805 * np.exp(np.minimum(z, 0.0)), 1.0507009873554805)),
    ("softplus-derivative-of-sigmoid", "softplus", "the derivative of the sigmoid",
     "s (1 - s); the derivative of softplus is the sigmoid s itself",
     lambda z: sigmoid(z) * sigmoid(-z)),
    ("softplus-sign", "softplus", "a sigmoid of the wrong sign",
     "the sigmoid of -z; it is that of z", lambda z: sigmoid(-z)),
    ("relu6-without-upper-bound", "relu6", "a mask without its upper bound",
     "1 wherever the unit is above 0; above 6 it is 0", lambda z: below(z, np.zeros_like(z))),
    ("relu6-without-lower-bound", "relu6", "a mask without its lower bound",
     "1 wherever the unit is below 6; below 0 it is 0",
     lambda z: below(z - 6, np.ones_like(z), 0.0)),
    ("hardtanh-without-upper-bound", "hardtanh", "a mask without its upper bound",
     "1 wherever the unit is above -1; above 1 it is 0", lambda z: below(z + 1, np.zeros_like(z))),
    ("hardtanh-without-lower-bound", "hardtanh", "a mask without its lower bound",
     "1 wherever the unit is below 1; below -1 it is 0",
     lambda z: below(z - 1, np.ones_like(z), 0.0)),
    ("leaky-negated", "leaky_relu", "masks that are swapped",
     "the slope above 0 and 1 below: the two are swapped", lambda z: z),
)  # fmt: skip


def of_formula(formula: Formula) -> Callable[[Pass, int], Pair]:
    """Return the stage dz with a formula of z in place of f'(z)."""

    def ends(z: Float) -> Float:
        return (formula(z + STEP) - formula(z - STEP)) / (2 * STEP)

    return lambda net, layer: (
        arriving(net, layer) * taken(net, layer).smooth(formula, ends, ROUNDINGS)
    )


def arriving(net: Pass, layer: int) -> Pair:
    """Return what the derivative is multiplied with: dh, or da behind dropout."""
    return net.get("da" if net.inside else "dh", layer)


def taken(net: Pass, layer: int) -> Pair:
    """Return what the activation takes: z, or n behind a normalisation."""
    return net.get("n" if net.inside else "z", layer)


def swapped(net: Pass, layer: int) -> Pair:
    """Return the stage dz with the two slopes of a leaky ReLU swapped."""
    z = taken(net, layer)
    mask = slope(z, net.get("a" if net.inside else "h", layer), net.activation)
    low = activate(z * 0.0 - 1.0, net.activation)
    return arriving(net, layer) * ((1.0 - low) - mask)


def of_another(name: str) -> Callable[[Pass, int], Pair]:
    """Return the stage dz with the derivative of another activation, taken at z."""

    def dz(net: Pass, layer: int) -> Pair:
        z = taken(net, layer)
        return arriving(net, layer) * slope(z, activate(z, name), name)

    return dz


def beyond_plain(point: Point) -> bool:
    """Return whether a hidden layer has an activation that the plain program does not."""
    return point.activation not in SLOPES and point.depth > 1


def declared_as(name: str) -> Callable[[Point], bool]:
    """Return the condition that this activation is declared, with whatever constant."""
    return lambda point: point.activation.partition(":")[0] == name and point.depth > 1


def neighbour(name: str) -> NetworkMistake:
    """Return the mistake of differentiating another activation than the one computed."""
    return NetworkMistake(
        f"derivative-of-{name.replace('_', '-').replace(':', '-')}",
        f"the derivative of {name} for another activation",
        f"The derivative is that of {name}; the activation is another one.",
        f'dz = dh * slope(z, "{name}")',
        applies=lambda point: beyond_plain(point) and point.activation != name,
        functions={"dz": of_another(name)}, paired=False, declared=True,
    )  # fmt: skip


def of_parts(name: str, activation: str, short: str, what: str, formula: Formula) -> NetworkMistake:
    """Return the mistake of a derivative of which a part is wrong."""
    stage = swapped if name == "leaky-negated" else of_formula(formula)
    return NetworkMistake(
        name,
        f"a derivative of {activation} with {short}",
        f"The derivative of {activation} is {what}.",
        "dz = dh * slope(z)",
        applies=declared_as(activation), functions={"dz": stage}, paired=False, declared=True,
    )  # fmt: skip


ACTIVATIONS = (
    *(of_parts(*row) for row in FORMULAS),
    *(neighbour(name) for name in OTHERS if name not in IN_THE_PLAIN_CATALOGUE),
)
