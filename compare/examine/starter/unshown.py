"""Losses that a file does not show, though its gradients are those of one that was not declared.

A missing factor turns the gradient of one loss into that of another: without sigma' the squared
error has that of binary cross-entropy. So gradients alone do not tell a loss. A function that gives
it does, or its derivative by the outputs, and a line such as `cost = np.mean((A2 - Y) ** 2)`. Nor
do they tell whose a term is that they add: `dW + 0.001 * W` is right if the loss has half of
0.001 sum w^2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Diagnosis
from compare.examine.starter.binding import CERTAIN, plain
from compare.examine.starter.chain import value_of
from compare.examine.starter.inline import cost_shown, loss_given
from compare.examine.starter.networks import Network, point, values_of
from compare.examine.starter.readings import Sizes
from compare.examine.starter.slope_given import slope_given
from compare.examine.starter.source import Opened, Source
from compare.examine.starter.subject import Subject
from compare.examine.starter.whole import Whole
from compare.guard.guard import Guard

TERMS = {
    "l2-in-gradient-only": ("an L2 term", "--l2 {:.6g}"),
    "l2-over-n-in-gradient-only": ("an L2 term over the rows", "--l2 {:.6g} --penalty-over rows"),
    "l2-on-biases-too": ("an L2 term, of the biases too,", "--l2 {:.6g} --penalise all"),
    "l1-in-gradient-only": ("an L1 term", "--l1 {:.6g}"),
    "smoothing-in-gradient-only": ("targets smoothed", "--label-smoothing {:.6g}"),
}
"""Mistakes that are none if the loss has the term too: what it is, and what declares it."""
ROWS = ("n", "m", "nsamples", "batchsize")
"""What people call the number of rows."""


def unshown(
    whole: Whole, subject: Subject, source: Source, opened: Opened, asked: Network, sizes: Sizes
) -> str:
    """What to declare where the loss was told by gradients alone; empty where it was not."""
    meant = whole.told.network
    if whole.loss or ends(meant) == ends(asked):
        return ""
    if slope_given(whole, subject, sizes, source.guard):
        return ""
    return "" if shown_in_a_line(whole, subject, source, opened, sizes) else advice(meant)


def term_unshown(
    whole: Whole,
    subject: Subject,
    source: Source,
    opened: Opened,
    diagnosis: Sequence[Diagnosis],
    sizes: Sizes,
) -> str:
    """What to declare where only a loss could tell whether a term of the gradients is one too many;
    empty where there is no such term, or a loss without it. No penalty has a negative strength."""
    if whole.loss or len(diagnosis) != 1 or diagnosis[0].mistake not in TERMS:
        return ""
    words, option = TERMS[diagnosis[0].mistake]
    strength = diagnosis[0].constant or 0.0
    if strength <= 0:
        return ""
    if shown_in_a_line(whole, subject, source, opened, sizes):
        return ""
    return (
        f"its gradients have {words} of strength {strength:.3g}, and no line of the file shows"
        f" whether its loss has it: declare it, {option.format(strength)}, or show the loss"
    )


def shown_in_a_line(
    whole: Whole, subject: Subject, source: Source, opened: Opened, sizes: Sizes
) -> bool:
    """Whether a line outside of functions, or one of them that nothing was handed to, gives the
    loss of the network as it was read."""
    guard = Guard()
    try:
        named = guard.run(lambda: names_at(whole, subject, sizes), "", None)
    except UserCodeError:
        named = {}
    due, targets = values_of(whole.told.network, sizes, 0), point(sizes, 0)[2]
    columns = whole.chain.mode.samples == "columns"
    p, y = (one.T if columns else one for one in (due.p, targets))
    return cost_shown(source, opened, named, due.loss, guard) or loss_given(
        source, opened, p, y, due.loss, guard
    )


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
    p = values_of(whole.told.network, sizes, 0).p
    return names_for(whole, subject, parameters, x, targets, p)


def names_for(
    whole: Whole, subject: Subject, parameters: Arrays, x: Array, targets: Array, p: Array
) -> dict[str, Any]:
    """The same of these arrays."""
    ran = whole.chain.run(dict(parameters), x, targets)
    if len(ran.answers) > 1:
        return {}
    rows = whole.chain.mode.rows(x, targets)[0]
    rows["p"] = p.T if whole.chain.mode.samples == "columns" else p
    known = ("x", "y", "p")
    named = {name: rows[quantity] for name, quantity in CERTAIN.items() if quantity in known}
    given = [(value, name) for call in whole.chain.calls for name, value in call.passed]
    given += [one for call in whole.chain.calls for one in subject.flow.values(call.name) if one[1]]
    for value, called in given:
        if value.split(".")[0] in ran.answers[0]:
            named[plain(called)] = value_of(value, {}, ran.answers[0])
    return named | dict.fromkeys(ROWS, rows["N"])
