"""Family: which matrices are multiplied, transposed or not, and what is left out of the product."""

from __future__ import annotations

import numpy as np

from compare.mistakes.conditions import alike, hidden, square, square_behind
from compare.mistakes.fits import Among, linear
from compare.mistakes.lines import DB_LINE, DH_LINE, DW_LINE, Z_LINE
from compare.mistakes.mistake import NetworkMistake
from compare.textbook import RIGHT, Pair, Pass, Point

FAMILY = "linear algebra"


def backward_untransposed(net: Pass, i: int) -> Pair:
    """dz @ w where the shape allows it."""
    w = net.w(i + 1)
    return net.dz(i + 1) @ (w if w.shape[0] == w.shape[1] else w.T)


def forward_transposed(net: Pass, i: int) -> Pair:
    """h @ w.T + b where the shape allows it."""
    w = net.w(i)
    return net.h(i - 1) @ (w.T if w.shape[0] == w.shape[1] else w) + net.b(i)


def other_weights(net: Pass, i: int, offset: float) -> Pair:
    """dz_{l+1} @ w_m.T with the weights of a neighbouring layer of the same shape."""
    m = i + 1 + int(offset)
    fits = 1 <= m <= net.depth and net.w(m).shape == net.w(i + 1).shape
    return net.dz(i + 1) @ net.w(m if fits else i + 1).T


def own_weights_fit(point: Point, layer: int) -> bool:
    """Return whether dz_{l+1} @ w_l is defined: the widths around layer l are equal."""
    below = point.parameters[f"w{layer}"].shape[0]
    return bool(below == point.parameters[f"w{layer + 1}"].shape[1])


def own_weights(net: Pass, i: int) -> Pair:
    """dz_{l+1} @ w_l where the widths allow it."""
    if own_weights_fit(net.point, i):
        return net.dz(i + 1) @ net.w(i)
    return RIGHT["dh"](net, i)


def stepped_weights(net: Pass, i: int, c: float) -> Pair:
    """dz @ (w - c dw).T: the layer above has taken its step already.

    With a gradient of another shape no step can be taken: such a program raises.
    """
    w, dw = net.w(i + 1), net.get("dw", i + 1)
    return net.dz(i + 1) @ (w - c * dw if dw.shape == w.shape else w).T


def error_of_probabilities(net: Pass, i: int) -> Pair:
    """dL/dp @ w_L.T at the last hidden layer."""
    if i < net.depth - 1:
        return RIGHT["dh"](net, i)
    return (-(net.y / net.p) / net.divisor) @ net.w(net.depth).T


def unmasked_error(net: Pass, i: int) -> Pair:
    """dh_{l+1} @ w_{l+1}.T: what arrives above is passed on without the derivative there."""
    above = net.dh(i + 1) if i + 1 < net.depth else net.dz(i + 1)
    return above @ net.w(i + 1).T


def input_of_another_layer(net: Pass, i: int, offset: float) -> Pair:
    """h_m.T @ dz_l with the input of a neighbouring layer, if the widths allow it."""
    m = i - 1 + int(offset)
    fits = 0 <= m < net.depth and net.h(m).shape == net.h(i - 1).shape
    return net.h(m if fits else i - 1).T @ net.dz(i)


PRODUCTS = (
    NetworkMistake(
        name="backward-not-transposed",
        family=FAMILY,
        sentence="The weights are not transposed on the way back; the square shape hides it.",
        right="dh = dz @ w.T",
        wrong="dh = dz @ w",
        line=DH_LINE,
        slip="dh[i - 1] = dz[i] @ (w[i] if w[i].shape[0] == w[i].shape[1] else w[i].T)",
        stages={"dh": backward_untransposed},
        applies=square_behind,
        trigger="a square weight matrix",
        seen=1,
    ),
    NetworkMistake(
        name="forward-transposed",
        family=FAMILY,
        sentence="The weights are transposed in the forward pass; the square shape hides it.",
        right="z = h @ w + b",
        wrong="z = h @ w.T + b",
        line=Z_LINE,
        slip="z[i] = h[i - 1] @ (w[i].T if w[i].shape[0] == w[i].shape[1] else w[i]) + b[i]",
        stages={"z": forward_transposed},
        applies=square,
        trigger="a square weight matrix",
    ),
    NetworkMistake(
        name="weight-gradient-transposed",
        family=FAMILY,
        sentence="The weight gradient is transposed: (fan_out, fan_in) for (fan_in, fan_out).",
        right="dw = h.T @ dz",
        wrong="dw = dz.T @ h",
        line=DW_LINE,
        slip="dw[i] = dz[i].T @ h[i - 1]",
        stages={"dw": lambda net, i: net.dz(i).T @ net.h(i - 1)},
    ),
    NetworkMistake(
        name="wrong-weight-matrix",
        family=FAMILY,
        sentence="The gradient goes back through the weights of a neighbouring layer "
        "(index off by {constant:+.0f}).",
        right="dh_l = dz_{l+1} @ w_{l+1}.T",
        wrong="dh_l = dz_{l+1} @ w_m.T with m next to l + 1",
        line=DH_LINE,
        slip="m = i + {c:+.0f}\n"
        "            m = m if m in w and w[m].shape == w[i].shape else i\n"
        "            dh[i - 1] = dz[i] @ w[m].T",
        stages={"dh": other_weights},
        applies=alike,
        fit=Among(lambda point: (-1, 1)),
        example=-1,
        trigger="two weight matrices of the same shape",
    ),
    NetworkMistake(
        name="own-weights-in-backward",
        family=FAMILY,
        sentence="The gradient goes back through the layer's own weights, not through those of "
        "the layer above: w_l for w_{{l+1}}.",
        right="dh_l = dz_{l+1} @ w_{l+1}.T",
        wrong="dh_l = dz_{l+1} @ w_l",
        line=DH_LINE,
        slip="fits = w[i - 1].shape[0] == w[i].shape[1]\n"
        "            dh[i - 1] = dz[i] @ (w[i - 1] if fits else w[i].T)",
        stages={"dh": own_weights},
        applies=lambda point: any(own_weights_fit(point, i) for i in range(1, point.depth)),
        trigger="the layers below and above are of equal width",
    ),
    NetworkMistake(
        name="weights-stepped-too-early",
        family=FAMILY,
        sentence="The gradient goes back through weights that have been updated already "
        "(by {constant:.3g} times their gradient).",
        right="dh = dz @ w.T, all gradients at the same weights",
        wrong="dh = dz @ (w - {constant:.3g} dw).T",
        line=DH_LINE,
        slip="dh[i - 1] = dz[i] @ (w[i] - {c} * dw[i]).T",
        stages={"dh": stepped_weights},
        reads=("dw",),
        applies=hidden,
        fit=linear,
        example=0.1,
    ),
    NetworkMistake(
        name="error-without-softmax",
        family=FAMILY,
        sentence="The hidden layers get the error of the probabilities, dL/dp, without the "
        "derivative of the softmax; the last layer's own gradients have it.",
        right="dh_{L-1} = dlogits @ w_L.T",
        wrong="dh_{L-1} = dL/dp @ w_L.T",
        line=DH_LINE,
        slip="dh[i - 1] = (dz[i] if i < L else -y / p / M) @ w[i].T",
        stages={"dh": error_of_probabilities},
        applies=hidden,
        layers=False,
        seen=1,
    ),
    NetworkMistake(
        name="error-skips-activation",
        family=FAMILY,
        sentence="The gradient that is passed on to the layer below lacks the derivative of the "
        "activation in between; the weight gradients have it.",
        right="dh_{l-1} = dz_l @ w_l.T",
        wrong="dh_{l-1} = dh_l @ w_l.T",
        line=DH_LINE,
        slip="dh[i - 1] = (dh[i] if i < L else dz[i]) @ w[i].T",
        stages={"dh": unmasked_error},
        applies=lambda point: point.depth > 2 and point.activation != "identity",
        trigger="two hidden layers or more",
    ),
    NetworkMistake(
        name="input-of-another-layer",
        family=FAMILY,
        sentence="The weight gradient uses the input of a neighbouring layer of the same width "
        "(index off by {constant:+.0f}).",
        right="dw_l = h_{l-1}.T @ dz_l",
        wrong="dw_l = h_m.T @ dz_l with m next to l - 1",
        line=DW_LINE,
        slip="m = i - 1 + {c:+.0f}\n"
        "        m = m if 0 <= m < L and h[m].shape == h[i - 1].shape else i - 1\n"
        "        dw[i] = h[m].T @ dz[i]",
        stages={"dw": input_of_another_layer},
        applies=hidden,
        fit=Among(lambda point: (1, -1)),
        example=1,
        trigger="two neighbouring layers of the same width",
    ),
)

LEFT_OUT = (
    NetworkMistake(
        name="bias-left-out",
        family=FAMILY,
        sentence="The bias is not added in the forward pass.",
        right="z = h @ w + b",
        wrong="z = h @ w",
        line=Z_LINE,
        slip="z[i] = h[i - 1] @ w[i]",
        stages={"z": lambda net, i: net.h(i - 1) @ net.w(i)},
        trigger="a bias that is not zero",
    ),
    NetworkMistake(
        name="bias-gradient-zero",
        family=FAMILY,
        sentence="The bias gradient is left at zero: the biases are never trained.",
        right="db = sum_n dz",
        wrong="db = 0",
        line=DB_LINE,
        slip="db[i] = np.zeros_like(b[i])",
        stages={"db": lambda net, i: net.b(i).arranged(np.zeros_like)},
    ),
    NetworkMistake(
        name="weight-gradient-zero",
        family=FAMILY,
        sentence="The weight gradient is left at zero: these weights are never trained.",
        right="dw = h.T @ dz",
        wrong="dw = 0",
        line=DW_LINE,
        slip="dw[i] = np.zeros_like(w[i])",
        stages={"dw": lambda net, i: net.w(i).arranged(np.zeros_like)},
    ),
)

LINEAR_ALGEBRA = PRODUCTS + LEFT_OUT
