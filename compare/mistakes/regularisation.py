"""Family: a term that is in the loss and not in the gradient, or the other way round."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from compare.mistakes.fits import each_norm, largest_entry, linear, whole_norm
from compare.mistakes.mistake import NetworkMistake
from compare.textbook import Pair, Pass
from compare.textbook.program import NETWORK


def scaled_down(stage: str, net: Pass, layer: int, c: float, guard: float = 0.0) -> Pair:
    """Return a gradient times min(1, c / norm of all gradients, to which a guard is added)."""
    every = [net.right(*net.stage_of(name)) for name in net.point.names if name != "loss"]
    total = np.sqrt(sum(np.square(g.value).sum() for g in every))  # a NumPy number: may be 0
    return net.right(stage, layer) * min(1.0, float(c / (total + guard)))


TOTAL = "total = np.sqrt(sum((dw[i] ** 2).sum() + (db[i] ** 2).sum() for i in dw))"
# The norm needs every gradient at once, and so each stage all the others.
TOGETHER: dict[str, Any] = {
    "line": "gradients", "functions_read": ("dw", "db"), "fit": whole_norm, "example": 0.05,
    "layers": False, "paired": False,
}  # fmt: skip


def together(length: str) -> str:
    """Return the lines that scale all gradients down by the length of all of them."""
    lines = (f"d{k} = {{i: d{k}[i] * min(1, c / {length}) for i in d{k}}}" for k in "wb")
    return "\n".join((TOTAL, *lines, NETWORK["gradients"].text))


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
        "l2-over-n-in-both",
        "an L2 term of strength {constant:.3g} / N that was not declared",
        "Loss and gradient contain an L2 term ({constant:.3g}/(2 N) · sum w²) that was not "
        "declared: its strength is divided by the batch N.",
        "loss = terms.sum() / M + c / (2 * N) * sum((w[i] ** 2).sum() for i in w)\n"
        "dw[i] = h[i - 1].T @ dz[i] + c / N * w[i]",
        fit=linear,
        example=0.5,
        convention=True,
    ),
    NetworkMistake(
        "l2-over-n-in-loss-only",
        "an L2 term over N in the loss only",
        "The loss contains an L2 term {constant:.3g}/(2 N) · sum w², the gradient does not.",
        "loss = terms.sum() / M + c / (2 * N) * sum((w[i] ** 2).sum() for i in w)",
        fit=linear,
        example=0.5,
        paired=False,
    ),
    NetworkMistake(
        "l2-over-n-in-gradient-only",
        "an L2 term over N in the gradient only",
        "The weight gradients contain {constant:.3g}/N · w, an L2 term, the loss does not.",
        "dw[i] = h[i - 1].T @ dz[i] + c / N * w[i]",
        fit=linear,
        example=0.5,
    ),
    NetworkMistake(
        "l2-not-divided-in-gradient",
        "an L2 gradient that is not divided by N",
        "The L2 term of the loss is {constant:.3g}/(2 N) · sum w², so its gradient is "
        "{constant:.3g}/N · w; the gradient has {constant:.3g} · w: the 1/N is missing.",
        "loss = terms.sum() / M + c / (2 * N) * sum((w[i] ** 2).sum() for i in w)\n"
        "dw[i] = h[i - 1].T @ dz[i] + c * w[i]",
        fit=linear,
        example=0.01,
        paired=False,
    ),
    NetworkMistake(
        "l2-not-divided-in-loss",
        "an L2 loss that is not divided by N",
        "The L2 term of the gradient is {constant:.3g}/N · w, so that of the loss is "
        "{constant:.3g}/(2 N) · sum w²; the loss has {constant:.3g}/2 · sum w²: the 1/N is "
        "missing.",
        "loss = terms.sum() / M + c / 2 * sum((w[i] ** 2).sum() for i in w)\n"
        "dw[i] = h[i - 1].T @ dz[i] + c / N * w[i]",
        fit=linear,
        example=0.01,
        paired=False,
    ),
    NetworkMistake(
        "l2-over-n-factor-2-missing",
        "an L2 gradient over N that lacks a factor 2",
        "The L2 term of the loss is {constant:.3g}/N · sum w², so its gradient is 2 · "
        "{constant:.3g}/N · w; the gradient has {constant:.3g}/N · w.",
        "loss = terms.sum() / M + c / N * sum((w[i] ** 2).sum() for i in w)\n"
        "dw[i] = h[i - 1].T @ dz[i] + c / N * w[i]",
        fit=linear,
        example=0.5,
        paired=False,
    ),
    NetworkMistake(
        "l2-over-n-factor-2-too-many",
        "an L2 gradient over N with half its size",
        "The L2 term of the loss is {constant:.3g}/(2 N) · sum w², so its gradient is "
        "{constant:.3g}/N · w; the gradient has half of that.",
        "loss = terms.sum() / M + c / (2 * N) * sum((w[i] ** 2).sum() for i in w)\n"
        "dw[i] = h[i - 1].T @ dz[i] + c / (2 * N) * w[i]",
        fit=linear,
        example=0.5,
        paired=False,
    ),
    NetworkMistake(
        "l2-sign",
        "an L2 gradient of the wrong sign",
        "The L2 term {constant:.3g}/2 · sum w² is in the loss, and its gradient is taken off "
        "where it should be added: dw - {constant:.3g} w.",
        "loss = terms.sum() / M + c / 2 * sum((w[i] ** 2).sum() for i in w)\n"
        "dw[i] = h[i - 1].T @ dz[i] - c * w[i]",
        fit=linear,
        example=0.01,
        paired=False,
    ),
    NetworkMistake(
        "l2-norm-for-square",
        "an L2 loss of the norm, not of its square",
        "The L2 term of the loss is {constant:.3g} times the norm of each weight matrix, that "
        "of the gradient is {constant:.3g} · w, which belongs to the square.",
        "loss = terms.sum() / M + c * sum(np.linalg.norm(w[i]) for i in w)\n"
        "dw[i] = h[i - 1].T @ dz[i] + c * w[i]",
        fit=linear,
        example=0.01,
        paired=False,
    ),
    NetworkMistake(
        "l2-with-biases-in-both",
        "an L2 term on weights and biases that was not declared",
        "Loss and gradient contain an L2 term ({constant:.3g}/2 · sum of squares) of weights "
        "and biases that was not declared.",
        "loss = terms.sum() / M + c / 2 * sum((w[i] ** 2).sum() + (b[i] ** 2).sum() for i in "
        "w)\n"
        "dw[i] = h[i - 1].T @ dz[i] + c * w[i]\n"
        "db[i] = dz[i].sum(axis=0) + c * b[i]",
        fit=linear,
        example=0.01,
        convention=True,
        paired=False,
    ),
    NetworkMistake(
        "l1-in-both",
        "an L1 term of strength {constant:.3g} that was not declared",
        "Loss and gradient contain an L1 term ({constant:.3g} · sum |w|) that was not declared.",
        "loss = terms.sum() / M + c * sum(np.abs(w[i]).sum() for i in w)\n"
        "dw[i] = h[i - 1].T @ dz[i] + c * np.sign(w[i])",
        fit=linear,
        example=0.01,
        convention=True,
        paired=False,
    ),
    NetworkMistake(
        "l1-in-loss-only",
        "an L1 term in the loss only",
        "The loss contains an L1 term {constant:.3g} · sum |w|, the gradient does not.",
        "loss = terms.sum() / M + c * sum(np.abs(w[i]).sum() for i in w)",
        fit=linear,
        example=0.01,
        paired=False,
    ),
    NetworkMistake(
        "l1-in-gradient-only",
        "an L1 term in the gradient only",
        "The weight gradients contain {constant:.3g} · sign(w), an L1 term, the loss does not.",
        "dw[i] = h[i - 1].T @ dz[i] + c * np.sign(w[i])",
        fit=linear,
        example=0.01,
        paired=False,
    ),
    NetworkMistake(
        "l1-as-weights",
        "an L1 term whose gradient is that of an L2 term",
        "The loss contains {constant:.3g} · sum |w|, whose gradient is {constant:.3g} · "
        "sign(w); the gradient has {constant:.3g} · w.",
        "loss = terms.sum() / M + c * sum(np.abs(w[i]).sum() for i in w)\n"
        "dw[i] = h[i - 1].T @ dz[i] + c * w[i]",
        fit=linear,
        example=0.01,
        paired=False,
    ),
    NetworkMistake(
        "l1-absolute-in-gradient",
        "an L1 term whose gradient is |w|",
        "The loss contains {constant:.3g} · sum |w|, whose gradient is {constant:.3g} · "
        "sign(w); the gradient has {constant:.3g} · |w|.",
        "loss = terms.sum() / M + c * sum(np.abs(w[i]).sum() for i in w)\n"
        "dw[i] = h[i - 1].T @ dz[i] + c * np.abs(w[i])",
        fit=linear,
        example=0.01,
        paired=False,
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
    NetworkMistake(
        "smoothing-by-one-over-k",
        "label smoothing that adds 1/K for {constant:.3g}/K",
        "Loss and gradient use targets (1 - {constant:.3g}) y + 1/K: the rows add up to more "
        "than 1, so p - y is not the gradient; {constant:.3g}/K should be added.",
        "y = (1 - c) * y + 1 / K\nterms = -y * log_p",
        fit=linear,
        example=0.1,
        paired=False,
    ),
    NetworkMistake(
        "smoothing-not-divided",
        "label smoothing that adds {constant:.3g} to every class",
        "Loss and gradient use targets (1 - {constant:.3g}) y + {constant:.3g}: the rows add "
        "up to more than 1, so p - y is not the gradient; {constant:.3g}/K should be added.",
        "y = (1 - c) * y + c\nterms = -y * log_p",
        fit=linear,
        example=0.1,
        paired=False,
    ),
    NetworkMistake(
        "value-clip",
        "gradients clipped at {constant:.3g} in the gradient function",
        "Entries of the gradient beyond ±{constant:.3g} are set to it inside the gradient "
        "function, or they were recorded after it; clipping belongs to the step.",
        "dw[i] = np.clip(h[i - 1].T @ dz[i], -c, c)\ndb[i] = np.clip(dz[i].sum(axis=0), -c, c)",
        fit=largest_entry,
        example=0.05,
        trigger="a gradient with an entry beyond the constant",
        paired=False,
    ),
    NetworkMistake(
        "norm-clip-each",
        "each gradient scaled down to the norm {constant:.3g}",
        "Every gradient whose norm is above {constant:.3g} is scaled down to it inside the "
        "gradient function, each by itself, or recorded after it; clipping belongs to the step.",
        "g = h[i - 1].T @ dz[i]\n"
        "dw[i] = g * np.minimum(1, c / np.linalg.norm(g))\n"
        "g = dz[i].sum(axis=0)\n"
        "db[i] = g * np.minimum(1, c / np.linalg.norm(g))",
        fit=each_norm,
        example=0.05,
        trigger="a gradient of a larger norm",
        paired=False,
    ),
    NetworkMistake(
        "norm-clip",
        "all gradients scaled down to the norm {constant:.3g}",
        "The gradients are scaled down together where their norm is above {constant:.3g}, inside "
        "the gradient function, or were recorded after it: one common factor, another one at every "
        "point. Clipping belongs to the step.",
        together("total"),
        functions={kind: partial(scaled_down, kind) for kind in ("dw", "db")},
        trigger="gradients of a larger norm",
        **TOGETHER,
    ),
    NetworkMistake(
        "norm-clip-with-guard",
        "all gradients scaled down to the norm {constant:.3g}, as torch does it",
        "The gradients are scaled down together by {constant:.3g} over their norm + 1e-6, as "
        "torch.nn.utils.clip_grad_norm_ has it, inside the gradient function, or were recorded "
        "after it. Clipping belongs to the step.",
        together("(total + 1e-6)"),
        functions={kind: partial(scaled_down, kind, guard=1e-6) for kind in ("dw", "db")},
        trigger="gradients of a larger norm",
        **TOGETHER,
    ),
)
