"""The readings of average_ce and grad_ce, where most conventions are: mean or sum, p or logits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from compare.examine.starter.readings import (
    EXTREME,
    UNEQUAL,
    N,
    Reading,
    Sizes,
    Weight,
    both_layouts,
    drawn,
    mixed_layouts,
    right,
)
from compare.examine.starter.roles import orders_of, promises_logits
from compare.textbook import exact
from compare.textbook.functions import log, log_softmax, softmax

SUMS = "it sums over the batch, where the assignment averages (--reduction sum declares it)"
AVERAGES = "it averages over the batch, where --reduction sum was declared"
LABELS = "the target is class numbers, not one-hot rows"
TAKES_LOGITS = "the prediction is logits: it takes the softmax itself"
TAKES_P = "it takes probabilities, not logits"
LEAVES_OUT_SOFTMAX = "what it calls logits has to be probabilities: the softmax is left out"
AT_P = "it is dL/dp, the slope at the probabilities, not dL/dlogits"
SWAPPED = "the prediction comes before the target"


def loss_readings(
    parameters: Sequence[str], reduction: str, sizes: Sizes = UNEQUAL
) -> Iterator[Reading]:
    """Mean or sum, of probabilities or logits, one-hot rows or class numbers."""
    import torch

    logits, y = drawn(sizes)
    p = torch.softmax(torch.tensor(logits), 1)
    total = -(torch.tensor(y) * torch.log(p)).sum()
    scores = {"p": p.numpy(), "logits": logits}
    pairs = {"p": exact(p.numpy(), y.dtype), "logits": softmax(exact(logits, y.dtype))}
    for given, reduced, labels in product(scores, both(reduction), (False, True)):
        share = 1 / N if reduced == "mean" else 1.0
        pair = -(exact(y, y.dtype) * log(pairs[given])).sum() * share
        reading = Reading(
            arguments={"target": y.argmax(axis=1) if labels else y, "scores": scores[given]},
            due=right(total * share, pair), reduction=reduced, logits=logits, scores=given,
        )  # fmt: skip
        if labels:
            reading = reading.differing(Weight.INTERFACE, LABELS)
        if given == "logits":
            reading = reading.differing(Weight.INTERFACE, TAKES_LOGITS)
        yield from arranged(reading, "average_ce", parameters, reduction)


def slope_readings(
    parameters: Sequence[str], reduction: str, sizes: Sizes = UNEQUAL
) -> Iterator[Reading]:
    """At the logits or at the probabilities, from logits or from probabilities, for one-hot rows or
    class numbers."""
    import torch

    logits, y = drawn(sizes)
    z = torch.tensor(logits, requires_grad=True)
    p = torch.softmax(z, 1)
    total = -(torch.tensor(y) * torch.log(p)).sum()
    slopes = dict(zip(("logits", "p"), torch.autograd.grad(total, [z, p]), strict=True))
    scores = {"logits": logits, "p": p.detach().numpy()}
    pairs = {"logits": softmax(exact(logits, y.dtype)), "p": exact(scores["p"], y.dtype)}
    target = exact(y, y.dtype)
    for at, given, reduced, labels in product(slopes, scores, both(reduction), (False, True)):
        share = 1 / N if reduced == "mean" else 1.0
        pair = (pairs[given] - target if at == "logits" else -(target / pairs[given])) * share
        reading = Reading(
            arguments={"target": y.argmax(axis=1) if labels else y, "scores": scores[given]},
            due=right(slopes[at] * share, pair), reduction=reduced, logits=logits, scores=given,
        )  # fmt: skip
        if labels:
            reading = reading.differing(Weight.INTERFACE, LABELS)
        if given == "p" and promises_logits(parameters):
            reading = reading.differing(Weight.SLIP, LEAVES_OUT_SOFTMAX)
        elif given == "p":
            reading = reading.differing(Weight.INTERFACE, TAKES_P)
        if at == "p":
            reading = reading.differing(Weight.CONVENTION, AT_P)
        yield from arranged(reading, "grad_ce", parameters, reduction)


def extreme_entropy(role: str, meant: Reading) -> Reading | None:
    """The call that was meant with probabilities of 0 and 1, or with logits of ±1e4.

    None for a slope from probabilities, or at them, where nothing can overflow.
    """
    import torch

    _, y = drawn(Sizes(K=meant.logits.shape[1]))
    share = 1 / N if meant.reduction == "mean" else 1.0
    at_p = any(difference.words == AT_P for difference in meant.differences)
    if meant.scores == "logits" and not at_p:
        scores = EXTREME * (2 * np.roll(y, 1, axis=1) - 1)  # sure of a wrong class
    elif role == "average_ce":
        scores = EXTREME * (2 * y - 1)  # sure of the right one; its softmax is y itself
    else:
        return None
    z, target = torch.tensor(scores, requires_grad=True), exact(y, y.dtype)
    loss = torch.nn.functional.cross_entropy(z, torch.tensor(y), reduction="sum") * share
    if role == "average_ce":
        pair = -(target * log_softmax(exact(scores, y.dtype))).sum() * share
        due = right(loss, pair)
    else:
        pair = (softmax(exact(scores, y.dtype)) - target) * share
        due = right(torch.autograd.grad(loss, z)[0], pair)
    labels = y.argmax(axis=1) if meant.arguments["target"].ndim == 1 else y
    values = {"target": labels, "scores": scores if meant.scores == "logits" else y}
    arguments = {name: values[name] for name in meant.arguments}
    rows: Reading = replace(meant, arguments=arguments, due=due)
    readings: list[Reading] = [
        *both_layouts(rows),
        *(mixed_layouts(rows) if labels.ndim == 2 else ()),
    ]
    shapes = [array.shape for array in meant.arguments.values()]
    return next(
        one
        for one in readings
        if [array.shape for array in one.arguments.values()] == shapes
        and one.due.answer.shape == meant.due.answer.shape
    )


def both(reduction: str) -> tuple[str, str]:
    """Return the two reductions, the declared one first."""
    return ("mean", "sum") if reduction == "mean" else ("sum", "mean")


def arranged(
    reading: Reading, role: str, parameters: Sequence[str], declared: str
) -> Iterator[Reading]:
    """Yield a reading in the possible orders of its arguments, in both layouts."""
    if reading.reduction != declared:
        reading = reading.differing(Weight.CONVENTION, SUMS if declared == "mean" else AVERAGES)
    for index, order in enumerate(orders_of(role, parameters)):
        passed = {name: reading.arguments[name] for name in order}
        turned = replace(reading, arguments=passed)
        if index:
            turned = turned.differing(Weight.INTERFACE, SWAPPED)
        yield from both_layouts(turned)
        if turned.arguments["target"].ndim == 2:
            yield from mixed_layouts(turned)
