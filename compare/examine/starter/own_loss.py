"""A loss that the file shows and nobody declared: it is what the file's gradients are held against.

The search for what a file means knows cross-entropies and squared errors. Where gradients are those
of the file's loss, and both are those of a network that can be declared (a hinge, an L1 term), the
file has declared it. Where no network that is known has that loss, nobody can say that it is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from compare.contracts.result import Result, Verdict
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.networks import Network

OF_THE_LOSS = frozenset(
    {"loss", "output", "reduction", "loss_factor", "label_smoothing", "l1", "l2", "penalise",
     "penalty_over"}
)  # fmt: skip
"""What a file's own loss may declare."""
NETWORK = frozenset(one.name for one in fields(Network))
SMOOTHED = "smoothing-in-both"
UNKNOWN = (
    "your gradient is the gradient of your loss, which is none that can be declared here;"
    " whether it is the loss you want was not told"
)


def declared_by(result: Result, declared: Mapping[str, Any], loss: str) -> dict[str, Any]:
    """The settings that the file's own loss declares, by which it agrees; none if one of them was
    declared otherwise, or is no question of the loss.

    A factor of the cross-entropy alone is a mistake of its mean, and no other loss.
    """
    if result.verdict is not Verdict.DISAGREES or len(result.diagnosis) != 1:
        return {}
    (found,) = result.diagnosis
    options = found.declares or smoothing_of(result)
    factor = "loss_factor" in options and options.get("loss", loss) == "cross_entropy"
    fits = set(options) <= OF_THE_LOSS - set(declared) and None not in options.values()
    return options if fits and not factor else {}


def smoothing_of(result: Result) -> dict[str, Any]:
    """The smoothing of targets that loss and gradient share, as a setting; none where something
    else is wrong, or only one of the two is smoothed."""
    if result.verdict is not Verdict.DISAGREES or len(result.diagnosis) != 1:
        return {}
    (found,) = result.diagnosis
    shared = found.mistake == SMOOTHED and found.constant is not None
    options = {"label_smoothing": found.constant} if shared else found.declares
    return options if set(options) == {"label_smoothing"} else {}


def is_of_no_known_loss(result: Result, declared: Mapping[str, Any]) -> bool:
    """Whether gradients are those of a loss that nobody declared and nothing explains."""
    undeclared = not {"loss", "output"} & set(declared)
    disagrees = result.verdict is Verdict.DISAGREES and result.kind == "function"
    return undeclared and disagrees and not result.diagnosis


def beside_smoothing(one: FunctionVerdict, declared: Mapping[str, Any]) -> FunctionVerdict:
    """The verdict on a gradient that was compared alone, which is done without the smoothing of
    targets: undecided where that was declared."""
    smoothing = declared.get("label_smoothing")
    if not smoothing or one.role not in ALONE or one.verdict is Verdict.UNDECIDABLE:
        return one
    why = f"was compared without the declared --label-smoothing {smoothing:g}, as it stands alone"
    return replace(one.undecided(why), kind=None, worst=None, diagnosis=(), tensors={})


ALONE = ("gradient", "loss")
"""The parts of a verdict that smoothed targets change."""
