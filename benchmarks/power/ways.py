"""More ways to write the same gradient: orders of sums, forms of softmax, places of 1/N.

Together with the variants there are more than thirty. All are right; `SORTED` are those whose terms
were put in order of size or sign on purpose, which is the worst a sum can do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

import manual_mlp
from benchmarks.power.case import Array, Arrays, Case
from benchmarks.power.style import (
    Answer,
    NotApplicable,
    Style,
    in_style,
    sequential_product,
    sequential_total,
    stable_head,
    textbook_head,
)

Head = tuple[Array, Array, Array]
"""Losses (N,), p and dlogits before 1/N (N, K)."""
MOST_TERMS = 4e6
"""Products whose terms are all written down have at most so many."""
UNSHIFTED = 80.0
"""exp of this is finite in float32."""


def terms_of(a: Array, b: Array) -> Array:
    """Return the terms of every entry of `a @ b`, (n, N, H)."""
    if a.size * b.shape[1] > MOST_TERMS:
        raise NotApplicable("too many terms to write down")
    return np.asarray(a.T[:, :, None] * b[:, None, :])


def added(terms: Array) -> Array:
    """Add up along the first axis, one after the other."""
    total = np.zeros(terms.shape[1:], terms.dtype)
    for term in terms:
        total += term
    return total


def backwards(a: Array, b: Array) -> Array:
    """From the last term to the first."""
    return sequential_product(a[:, ::-1], b[::-1])


def in_lanes(a: Array, b: Array, lanes: int) -> Array:
    """Every few terms to a sum of their own, as vector instructions do."""
    sums = [sequential_product(a[:, lane::lanes], b[lane::lanes]) for lane in range(lanes)]
    return added(np.stack(sums))


def halves(a: Array, b: Array) -> Array:
    """The first half of the terms and the second."""
    middle = a.shape[1] // 2
    return np.asarray(a[:, :middle] @ b[:middle] + a[:, middle:] @ b[middle:])


def pairwise(a: Array, b: Array) -> Array:
    """Neighbours, then their sums, and so on."""
    terms = terms_of(a, b)
    while len(terms) > 1:
        odd = terms[len(terms) - len(terms) % 2 :]
        terms = np.concatenate((terms[: len(terms) - len(odd) : 2] + terms[1::2], odd))
    return np.asarray(terms[0])


def compensated(a: Array, b: Array) -> Array:
    """Kahan's sum."""
    total = np.zeros((a.shape[0], b.shape[1]), a.dtype)
    lost = np.zeros_like(total)
    for i in range(a.shape[1]):
        term = a[:, i, None] * b[i] - lost
        after = total + term
        lost = (after - total) - term
        total = after
    return total


def dots(a: Array, b: Array) -> Array:
    """`np.dot` of a row and a column."""
    if len(a) * b.shape[1] > 20000:
        raise NotApplicable("too many dot products")
    return np.array([[np.dot(row, column) for column in b.T] for row in a], a.dtype)


def row_by_row(a: Array, b: Array) -> Array:
    """One sample after the other."""
    return np.stack([row @ b for row in a])


def columns_first(a: Array, b: Array) -> Array:
    """Samples in columns."""
    return np.ascontiguousarray(np.ascontiguousarray(b.T) @ np.ascontiguousarray(a.T)).T


def einsum_of_rows(a: Array, b: Array) -> Array:
    """`einsum` of two matrices of rows, which adds up in lanes."""
    return np.asarray(np.einsum("ik,jk->ij", np.ascontiguousarray(a), np.ascontiguousarray(b.T)))


def of_torch(a: Array, b: Array) -> Array:
    """torch's product."""
    first, second = (torch.from_numpy(np.ascontiguousarray(m)) for m in (a, b))
    return np.asarray((first @ second).numpy())


def by_value(a: Array, b: Array) -> Array:
    """From the smallest to the largest."""
    return added(np.sort(terms_of(a, b), axis=0))


def by_size(a: Array, b: Array) -> Array:
    """From the largest in size to the smallest."""
    terms = terms_of(a, b)
    order = np.argsort(-np.abs(terms), axis=0)
    return added(np.take_along_axis(terms, order, axis=0))


def by_sign(a: Array, b: Array) -> Array:
    """All positive terms, and then all negative ones."""
    terms = terms_of(a, b)
    return np.asarray(added(np.maximum(terms, 0)) + added(np.minimum(terms, 0)))


def log_sum_exp_head(logits: Array, targets: Array) -> Head:
    """The derivative of `logsumexp(z) - <y, z>` as autograd finds it."""
    most = logits.max(axis=1, keepdims=True)
    lse = most + np.log(np.exp(logits - most).sum(axis=1, keepdims=True))
    p = np.exp(logits - lse)
    return lse[:, 0] - (targets * logits).sum(axis=1), p, p - targets


def log_p_head(logits: Array, targets: Array) -> Head:
    """The derivative of `-<y, log p>` through log-softmax: `p sum y - y`."""
    losses, p, _ = stable_head(logits, targets)
    return losses, p, p * targets.sum(axis=1, keepdims=True) - targets


def jacobian_head(logits: Array, targets: Array) -> Head:
    """-y / p through the derivative of softmax, `p (d - <p, d>)`."""
    losses, p, _ = textbook_head(logits, targets)
    if p.min() < np.sqrt(np.finfo(p.dtype).tiny):
        raise NotApplicable("a quotient by a p that has nearly underflowed")
    d = -targets / p
    return losses, p, p * (d - (p * d).sum(axis=1, keepdims=True))


def unshifted_head(logits: Array, targets: Array) -> Head:
    """Softmax without the maximum taken off."""
    if np.abs(logits).max() > UNSHIFTED:
        raise NotApplicable("exp overflows")
    e = np.exp(logits)
    sums = e.sum(axis=1, keepdims=True)
    losses = np.log(sums[:, 0]) - (targets * logits).sum(axis=1)
    return losses, e / sums, e / sums - targets


def in_columns_head(logits: Array, targets: Array) -> Head:
    """Classes in rows: sums over them go one after the other."""
    z, y = np.ascontiguousarray(logits.T), np.ascontiguousarray(targets.T)
    e = np.exp(z - z.max(axis=0))
    p = e / e.sum(axis=0)
    losses = z.max(axis=0) + np.log(e.sum(axis=0)) - (y * z).sum(axis=0)
    return losses, p.T, (p - y).T


def longest(case: Case) -> Answer:
    """Everything in the widest format there is, only the results rounded."""
    if case.operations > 3e6:
        raise NotApplicable("no BLAS for it")
    loss, gradients, _ = in_style(Style(head=stable_head), case.of_format(np.longdouble))
    narrow: Any = case.dtype.type
    return float(loss), {k: v.astype(narrow) for k, v in gradients.items()}, {}


def bias_as_a_row(case: Case) -> Answer:
    """The bias as the weight of an input of 1."""

    def affine(h: Array, w: Array, b: Array) -> Array:
        ones = np.ones((len(h), 1), h.dtype)
        return np.asarray(np.hstack([h, ones]) @ np.vstack([w, b]))

    return in_style(Style(head=stable_head, affine=affine), case)


def bias_first(case: Case) -> Answer:
    """Sums over units that start with the bias."""

    def affine(h: Array, w: Array, b: Array) -> Array:
        total = np.tile(b, (len(h), 1))
        for i in range(len(w)):
            total += h[:, i, None] * w[i]
        return total

    return in_style(Style(head=stable_head, affine=affine), case)


def reciprocal(case: Case) -> Answer:
    """1/N found first, then multiplied."""
    loss, gradients, _ = in_style(Style(head=stable_head), replace(case, reduction="sum"))
    share = case.dtype.type(1) / case.dtype.type(len(case.x) if case.reduction == "mean" else 1)
    return loss * float(share), {k: np.asarray(v * share) for k, v in gradients.items()}, {}


def by_halves_of_the_batch(case: Case) -> Answer:
    """Means over two halves of the batch, weighed together."""
    count = len(case.x)
    if count < 2 or case.reduction == "sum":
        raise NotApplicable("no halves")
    gradients: Arrays = {name: np.zeros_like(w) for name, w in case.parameters.items()}
    loss = 0.0
    for rows in (slice(0, count // 2), slice(count // 2, count)):
        part, found = manual_mlp.loss_and_gradients(
            case.parameters, case.x[rows], case.targets[rows], activation=case.activation
        )
        share = len(case.x[rows]) / count
        loss += share * float(part)
        for name, gradient in found.items():
            gradients[name] += case.dtype.type(share) * gradient
    return loss, gradients, {}


def autograd(case: Case) -> Answer:
    """torch, from `logsumexp` and products of one's own."""
    weights = {k: torch.from_numpy(w.copy()).requires_grad_() for k, w in case.parameters.items()}
    functions: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "identity": lambda z: z,
    }  # fmt: skip
    h = torch.from_numpy(case.x.copy())
    for i in range(1, case.depth + 1):
        z = h @ weights[f"w{i}"] + weights[f"b{i}"]
        h = functions[case.activation](z)
    losses = torch.logsumexp(z, 1) - (torch.from_numpy(case.targets.copy()) * z).sum(1)
    loss = losses.mean() if case.reduction == "mean" else losses.sum()
    torch.autograd.backward(loss)
    found = {k: w.grad.numpy().copy() for k, w in weights.items() if w.grad is not None}
    return float(loss.item()), found, {}


def product(of: Callable[[Array, Array], Array]) -> Callable[[Case], Answer]:
    """All products so, sums over samples one after the other."""
    return partial(in_style, Style(of, sequential_total, stable_head))


def head(of: Callable[[Array, Array], Head]) -> Callable[[Case], Answer]:
    """The last stage so."""
    return partial(in_style, Style(head=of))


WAYS: dict[str, Callable[[Case], Answer]] = {
    "backwards": product(backwards),
    "two lanes": product(partial(in_lanes, lanes=2)),
    "four lanes": product(partial(in_lanes, lanes=4)),
    "eight lanes": product(partial(in_lanes, lanes=8)),
    "halves": product(halves),
    "pairwise": product(pairwise),
    "compensated": product(compensated),
    "np.dot of rows and columns": product(dots),
    "sample by sample": product(row_by_row),
    "samples in columns": product(columns_first),
    "einsum of rows": product(einsum_of_rows),
    "torch's product": product(of_torch),
    "terms by value": product(by_value),
    "terms by size": product(by_size),
    "terms by sign": product(by_sign),
    "log-sum-exp": head(log_sum_exp_head),
    "log-softmax": head(log_p_head),
    "Jacobian of softmax": head(jacobian_head),
    "softmax unshifted": head(unshifted_head),
    "classes in rows": head(in_columns_head),
    "longdouble": longest,
    "bias as a row": bias_as_a_row,
    "bias first": bias_first,
    "1/N as a factor": reciprocal,
    "halves of the batch": by_halves_of_the_batch,
    "torch autograd of logsumexp": autograd,
}
"""Every way that is not among the variants."""
SORTED = ("terms by value", "terms by size", "terms by sign")
"""Orders in which nobody adds but on purpose."""
SLOW = (
    "backwards", "two lanes", "four lanes", "eight lanes", "pairwise", "compensated",
    "np.dot of rows and columns", "sample by sample", "einsum of rows", "bias first", *SORTED,
)  # fmt: skip
"""What sums in Python, or without BLAS."""
