"""Honest variants: the same mathematics, computed as people compute it, all of them right.

Each maps a case to loss, gradients and the intermediates it shows. They differ in the order of
sums, in where 1/N is multiplied, in the formulas of softmax and slopes, and in the precision
inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

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
)
from benchmarks.power.ways import SLOW, WAYS

Variant = Callable[[Case], Answer]


MOST_SEQUENTIAL = 3e7
"""Multiplications up to which a case is summed one term after the other, in Python."""
WAYS_EACH = 12
"""How many of the other ways are asked at each point."""
IN_PYTHON = ("one term after the other", "einsum, softmax then log")


def as_shipped(case: Case) -> Answer:
    """`manual_mlp` as it is."""
    return manual_mlp.loss_and_gradients(
        case.parameters, case.x, case.targets,
        activation=case.activation, reduction=case.reduction, intermediates=True,
    )  # fmt: skip


def reordered(case: Case) -> Answer:
    """Rows and hidden units in another order, and back."""
    generator = np.random.default_rng(len(case.x))
    rows = generator.permutation(len(case.x))
    orders = [np.arange(case.x.shape[1])]
    orders += [generator.permutation(n) for n in case.sizes[1:-1]]
    orders.append(np.arange(case.sizes[-1]))
    shuffled: Arrays = {}
    for i in range(1, case.depth + 1):
        w = case.parameters[f"w{i}"][np.ix_(orders[i - 1], orders[i])]
        shuffled[f"w{i}"], shuffled[f"b{i}"] = w, case.parameters[f"b{i}"][orders[i]]
    loss, found, shown = manual_mlp.loss_and_gradients(
        shuffled, case.x[rows], case.targets[rows],
        activation=case.activation, reduction=case.reduction, intermediates=True,
    )  # fmt: skip
    gradients = {k: np.empty_like(v) for k, v in found.items()}
    for i in range(1, case.depth + 1):
        gradients[f"w{i}"][np.ix_(orders[i - 1], orders[i])] = found[f"w{i}"]
        gradients[f"b{i}"][orders[i]] = found[f"b{i}"]
    back: Arrays = {}
    for name, values in shown.items():
        digits = name.lstrip("dzhp")
        units = orders[int(digits)] if digits.isdigit() else orders[-1]
        back[name] = np.empty_like(values)
        back[name][np.ix_(rows, units)] = values
    return loss, gradients, back


def class_by_class(case: Case) -> Answer:
    """Rows in order of class, added up one after the other."""
    rows = np.argsort(case.targets.argmax(axis=1), kind="stable")
    ordered = replace(case, x=case.x[rows], targets=case.targets[rows])
    style = Style(total=sequential_total, head=stable_head)
    loss, gradients, shown = in_style(style, ordered)
    back = {name: np.empty_like(values) for name, values in shown.items()}
    for name, values in shown.items():
        back[name][rows] = values
    return loss, gradients, back


def in_chunks(case: Case) -> Answer:
    """The batch in pieces, their sums added up, divided by N at the end."""
    size = max(1, len(case.x) // 7)
    loss, gradients = case.dtype.type(0), {k: np.zeros_like(v) for k, v in case.parameters.items()}
    for start in range(0, len(case.x), size):
        piece = slice(start, start + size)
        part, more = manual_mlp.loss_and_gradients(
            case.parameters, case.x[piece], case.targets[piece],
            activation=case.activation, reduction="sum",
        )  # fmt: skip
        loss = loss + case.dtype.type(part)
        for name, gradient in more.items():
            gradients[name] += gradient
    count = len(case.x) if case.reduction == "mean" else 1
    return float(loss) / count, {k: v / case.dtype.type(count) for k, v in gradients.items()}, {}


def wide_inside(case: Case) -> Answer:
    """Products and sums accumulated in float64, every result rounded to the format."""

    def product(a: Array, b: Array) -> Array:
        return np.asarray((a.astype(np.float64) @ b.astype(np.float64)).astype(a.dtype))

    def total(a: Array) -> Array:
        return np.asarray(a.astype(np.float64).sum(axis=0).astype(a.dtype))

    return in_style(Style(product, total, stable_head), case)


def exactly(case: Case) -> Answer:
    """Everything in float64, only the results rounded."""
    widened = case.of_format(np.float64)
    loss, gradients, shown = in_style(Style(head=stable_head), widened)
    narrow: Any = case.dtype.type
    return (
        float(narrow(loss)),
        {k: v.astype(narrow) for k, v in gradients.items()},
        {k: v.astype(narrow) for k, v in shown.items()},
    )


VARIANTS: dict[str, Variant] = {
    "as shipped": as_shipped,
    "another order": reordered,
    "in chunks": in_chunks,
    "einsum, softmax then log": partial(
        in_style, Style(product=partial(np.einsum, "ij,jk->ik"), slopes="argument")
    ),
    "one term after the other": partial(
        in_style, Style(sequential_product, sequential_total, stable_head)
    ),
    "1/N last": partial(in_style, Style(head=stable_head, slopes="argument", share_last=True)),
    "class by class": class_by_class,
    "float64 sums": wide_inside,
    "float64 throughout": exactly,
}


def answers(case: Case, number: int = 0) -> Iterator[tuple[str, Answer]]:
    """Yield what every variant that makes sense for a case says, and some of the other ways.

    Sums in Python only if short; which of the ways depends on the number of the case.
    """
    some = np.random.default_rng(number).choice(list(WAYS), WAYS_EACH, replace=False)
    chosen = VARIANTS | {str(name): WAYS[str(name)] for name in some}
    for name, variant in chosen.items():
        if name in (*IN_PYTHON, *SLOW) and case.operations > MOST_SEQUENTIAL:
            continue
        try:
            yield name, variant(case)
        except NotApplicable:
            continue
