"""Losses that a file does not show, though its gradients are those of one that was not declared.

A missing factor turns the gradient of one loss into that of another: without sigma' the squared
error has that of binary cross-entropy. So gradients alone do not tell a loss. A function that gives
it does, and a line such as `cost = np.mean((A2 - Y) ** 2)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compare.contracts.errors import UserCodeError
from compare.examine.starter.binding import CERTAIN, plain
from compare.examine.starter.chain import value_of
from compare.examine.starter.inline import cost_shown
from compare.examine.starter.networks import Network, point, values_of
from compare.examine.starter.readings import Sizes
from compare.examine.starter.source import Opened, Source
from compare.examine.starter.subject import Subject
from compare.examine.starter.whole import Whole
from compare.guard.guard import Guard

ROWS = ("n", "m", "nsamples", "batchsize")
"""What people call the number of rows."""


def unshown(
    whole: Whole, subject: Subject, source: Source, opened: Opened, asked: Network, sizes: Sizes
) -> str:
    """What to declare where the loss was told by gradients alone; empty where it was not."""
    meant = whole.told.network
    if whole.loss or ends(meant) == ends(asked):
        return ""
    guard = Guard()
    try:
        named = guard.run(lambda: names_at(whole, subject, sizes), "", None)
    except UserCodeError:
        named = {}
    due = values_of(meant, sizes, 0).loss
    return "" if cost_shown(source, opened, named, due, guard) else advice(meant)


def ends(network: Network) -> tuple[object, ...]:
    """What a network ends in."""
    return network.output, network.loss, network.reduction, network.loss_factor


def advice(network: Network) -> str:
    """The loss that the gradients belong to, and how to declare it.

    Divided by the rows a gradient may lack the number of outputs: what is declared is the user's.
    """
    factor = "" if network.loss_factor == 1 else f" --loss-factor {network.loss_factor:g}"
    otherwise = (
        "; or with --reduction mean if it is the mean over all entries, rows times outputs"
        if network.reduction == "batch_mean"
        else ""
    )
    options = f"--loss {network.loss} --output {network.output} --reduction {network.reduction}"
    return (
        f"its gradients are those of {network.loss}, which no line of the file shows to be its"
        f" loss: declare it, {options}{factor}{otherwise}"
    )


def names_at(whole: Whole, subject: Subject, sizes: Sizes) -> Mapping[str, Any]:
    """The arrays at one point, by what the file calls them; none of single samples."""
    parameters, x, targets = point(sizes, 0)
    ran = whole.chain.run(dict(parameters), x, targets)
    if len(ran.answers) > 1:
        return {}
    rows = whole.chain.mode.rows(x, targets)[0]
    named = {name: rows[quantity] for name, quantity in CERTAIN.items() if quantity in ("x", "y")}
    given = [(value, name) for call in whole.chain.calls for name, value in call.passed]
    given += [one for call in whole.chain.calls for one in subject.flow.values(call.name) if one[1]]
    for value, called in given:
        if value.split(".")[0] in ran.answers[0]:
            named[plain(called)] = value_of(value, {}, ran.answers[0])
    return named | dict.fromkeys(ROWS, rows["N"])
