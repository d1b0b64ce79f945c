"""Family: a term that is in the loss and not in the gradient, or the other way round."""

from __future__ import annotations

from compare.mistakes.fits import linear
from compare.mistakes.lines import DB_LINE, DW_LINE, ERROR_LINE, LOSS_LINE, TERMS_LINE
from compare.mistakes.mistake import NetworkMistake
from compare.textbook import RIGHT, Pair, Pass

FAMILY = "loss against gradient"
LOSS_SLIP = LOSS_LINE + " + {share} * sum((w[i] ** 2).sum() for i in w)"
SMOOTHED = "((1 - {c}) * y + {c} / K)"


def penalised_loss(net: Pass, _: int, c: float) -> Pair:
    """loss + c/2 sum w**2."""
    return RIGHT["loss"](net, 0) + net.get("penalty") * (0.5 * c)


def penalised_gradient(net: Pass, i: int, c: float) -> Pair:
    """dw + c w."""
    return RIGHT["dw"](net, i) + net.w(i) * c


def smoothed(net: Pass, c: float) -> Pair:
    """(1 - c) y + c / K."""
    return net.y * (1.0 - c) + c / net.classes


def smoothed_error(net: Pass, _: int, c: float) -> Pair:
    """p - smoothed y."""
    return net.p - smoothed(net, c)


def smoothed_terms(net: Pass, _: int, c: float) -> Pair:
    """-(smoothed y) log p."""
    return -(smoothed(net, c) * net.log_p)


REGULARISATION = (
    NetworkMistake(
        name="l2-in-loss-only",
        family=FAMILY,
        sentence="The loss contains an L2 term {constant:.3g}/2 · sum w², the gradient does not.",
        right="loss = -(1/N) sum y log p",
        wrong="loss = -(1/N) sum y log p + ({constant:.3g}/2) sum w**2, dw without it",
        line=LOSS_LINE,
        slip=LOSS_SLIP.replace("{share}", "{c} / 2"),
        stages={"loss": penalised_loss},
        fit=linear,
        example=0.01,
    ),
    NetworkMistake(
        name="l2-in-gradient-only",
        family=FAMILY,
        sentence="The weight gradients contain {constant:.3g} · w, an L2 term, the loss does not.",
        right="dw = h.T @ dz",
        wrong="dw = h.T @ dz + {constant:.3g} w",
        line=DW_LINE,
        slip=DW_LINE + " + {c} * w[i]",
        stages={"dw": penalised_gradient},
        fit=linear,
        example=0.01,
    ),
    NetworkMistake(
        name="l2-on-biases-too",
        family=FAMILY,
        sentence="The gradients of weights and biases contain {constant:.3g} times the parameter, "
        "an L2 term, the loss does not.",
        right="dw = h.T @ dz, db = sum_n dz",
        wrong="dw = h.T @ dz + {constant:.3g} w, db = sum_n dz + {constant:.3g} b",
        line=DW_LINE,
        slip=DW_LINE + " + {c} * w[i]",
        more=((DB_LINE, DB_LINE + " + {c} * b[i]"),),
        stages={
            "dw": penalised_gradient,
            "db": lambda net, i, c: RIGHT["db"](net, i) + c * net.b(i),
        },
        fit=linear,
        example=0.01,
    ),
    NetworkMistake(
        name="l2-in-both",
        family=FAMILY,
        sentence="Loss and gradient contain an L2 term ({constant:.3g}/2 · sum w²) that was not "
        "declared.",
        right="no L2 term",
        wrong="loss + ({constant:.3g}/2) sum w**2, dw + {constant:.3g} w",
        line=LOSS_LINE,
        slip=LOSS_SLIP.replace("{share}", "{c} / 2"),
        more=((DW_LINE, DW_LINE + " + {c} * w[i]"),),
        stages={"loss": penalised_loss, "dw": penalised_gradient},
        fit=linear,
        example=0.01,
        convention=True,
    ),
    NetworkMistake(
        name="l2-factor-2-missing",
        family=FAMILY,
        sentence="The L2 term of the loss is {constant:.3g} · sum w², so its gradient is "
        "2 · {constant:.3g} · w; the gradient has {constant:.3g} · w.",
        right="loss + c sum w**2, dw + 2 c w",
        wrong="loss + c sum w**2, dw + c w",
        line=LOSS_LINE,
        slip=LOSS_SLIP.replace("{share}", "{c}"),
        more=((DW_LINE, DW_LINE + " + {c} * w[i]"),),
        stages={
            "loss": lambda net, i, c: penalised_loss(net, i, 2 * c),
            "dw": penalised_gradient,
        },
        fit=linear,
        example=0.01,
    ),
    NetworkMistake(
        name="l2-factor-2-too-many",
        family=FAMILY,
        sentence="The L2 term of the loss is {constant:.3g}/2 · sum w², so its gradient is "
        "{constant:.3g} · w; the gradient has 2 · {constant:.3g} · w.",
        right="loss + (c/2) sum w**2, dw + c w",
        wrong="loss + (c/2) sum w**2, dw + 2 c w",
        line=LOSS_LINE,
        slip=LOSS_SLIP.replace("{share}", "{c} / 2"),
        more=((DW_LINE, DW_LINE + " + 2 * {c} * w[i]"),),
        stages={
            "loss": penalised_loss,
            "dw": lambda net, i, c: penalised_gradient(net, i, 2 * c),
        },
        fit=linear,
        example=0.01,
    ),
    NetworkMistake(
        name="smoothing-in-gradient-only",
        family=FAMILY,
        sentence="The gradient uses targets smoothed by {constant:.3g}, the loss does not.",
        right="dlogits = (p - y) / N",
        wrong="dlogits = (p - (1 - {constant:.3g}) y - {constant:.3g}/K) / N",
        line=ERROR_LINE,
        slip=f"error = p - {SMOOTHED}",
        stages={"error": smoothed_error},
        fit=linear,
        example=0.1,
    ),
    NetworkMistake(
        name="smoothing-in-loss-only",
        family=FAMILY,
        sentence="The loss uses targets smoothed by {constant:.3g}, the gradient does not.",
        right="loss = -(1/N) sum y log p",
        wrong="loss = -(1/N) sum ((1 - {constant:.3g}) y + {constant:.3g}/K) log p",
        line=TERMS_LINE,
        slip=f"terms = -{SMOOTHED} * log_p",
        stages={"terms": smoothed_terms},
        fit=linear,
        example=0.1,
    ),
    NetworkMistake(
        name="smoothing-in-both",
        family=FAMILY,
        sentence="Loss and gradient use targets smoothed by {constant:.3g}, which was not "
        "declared.",
        right="y as given",
        wrong="y = (1 - {constant:.3g}) y + {constant:.3g}/K",
        line=TERMS_LINE,
        slip=f"y = {SMOOTHED}\n    terms = -y * log_p",
        stages={"error": smoothed_error, "terms": smoothed_terms},
        fit=linear,
        example=0.1,
        convention=True,
    ),
)
