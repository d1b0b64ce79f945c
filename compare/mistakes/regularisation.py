"""Family: a term that is in the loss and not in the gradient, or the other way round."""

from __future__ import annotations

from compare.mistakes.fits import linear
from compare.mistakes.mistake import NetworkMistake

REGULARISATION = (
    NetworkMistake(
        "l2-in-loss-only",
        "an L2 term in the loss only",
        "The loss contains an L2 term {constant:.3g}/2 · sum w², the gradient does not.",
        "loss = terms.sum() / M + c / 2 * sum((w[i] ** 2).sum() for i in w)",
        fit=linear,
        example=0.01,
    ),
    NetworkMistake(
        "l2-in-gradient-only",
        "an L2 term in the gradient only",
        "The weight gradients contain {constant:.3g} · w, an L2 term, the loss does not.",
        "dw[i] = h[i - 1].T @ dz[i] + c * w[i]",
        fit=linear,
        example=0.01,
    ),
    NetworkMistake(
        "l2-on-biases-too",
        "an L2 term in the gradients of weights and biases only",
        "The gradients of weights and biases contain {constant:.3g} times the parameter, an "
        "L2 term, the loss does not.",
        "dw[i] = h[i - 1].T @ dz[i] + c * w[i]\ndb[i] = dz[i].sum(axis=0) + c * b[i]",
        fit=linear,
        example=0.01,
    ),
    NetworkMistake(
        "l2-in-both",
        "an L2 term of strength {constant:.3g} that was not declared",
        "Loss and gradient contain an L2 term ({constant:.3g}/2 · sum w²) that was not declared.",
        "loss = terms.sum() / M + c / 2 * sum((w[i] ** 2).sum() for i in w)\n"
        "dw[i] = h[i - 1].T @ dz[i] + c * w[i]",
        fit=linear,
        example=0.01,
        convention=True,
    ),
    NetworkMistake(
        "l2-factor-2-missing",
        "an L2 gradient that lacks a factor 2",
        "The L2 term of the loss is {constant:.3g} · sum w², so its gradient is 2 · "
        "{constant:.3g} · w; the gradient has {constant:.3g} · w.",
        "loss = terms.sum() / M + c * sum((w[i] ** 2).sum() for i in w)\n"
        "dw[i] = h[i - 1].T @ dz[i] + c * w[i]",
        fit=linear,
        example=0.01,
    ),
    NetworkMistake(
        "l2-factor-2-too-many",
        "an L2 gradient with a factor 2 too many",
        "The L2 term of the loss is {constant:.3g}/2 · sum w², so its gradient is "
        "{constant:.3g} · w; the gradient has 2 · {constant:.3g} · w.",
        "loss = terms.sum() / M + c / 2 * sum((w[i] ** 2).sum() for i in w)\n"
        "dw[i] = h[i - 1].T @ dz[i] + 2 * c * w[i]",
        fit=linear,
        example=0.01,
    ),
    NetworkMistake(
        "smoothing-in-gradient-only",
        "label smoothing in the gradient only",
        "The gradient uses targets smoothed by {constant:.3g}, the loss does not.",
        "error = p - ((1 - c) * y + c / K)",
        fit=linear,
        example=0.1,
    ),
    NetworkMistake(
        "smoothing-in-loss-only",
        "label smoothing in the loss only",
        "The loss uses targets smoothed by {constant:.3g}, the gradient does not.",
        "terms = -((1 - c) * y + c / K) * log_p",
        fit=linear,
        example=0.1,
    ),
    NetworkMistake(
        "smoothing-in-both",
        "label smoothing by {constant:.3g} that was not declared",
        "Loss and gradient use targets smoothed by {constant:.3g}, which was not declared.",
        "y = (1 - c) * y + c / K\nterms = -y * log_p",
        fit=linear,
        example=0.1,
        convention=True,
    ),
)
