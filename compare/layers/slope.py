"""The referee of a layer: does the manual gradient belong to the manual side's own output?

The test of `compare.checks.referee` on `L(x) = sum(dy * y(x))`, with y computed by the manual side
in float64: it asks neither torch nor the analysis.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from compare.checks.referee import Belongs, Taylor, taylor_test
from compare.contracts.arrays import Arrays
from compare.contracts.errors import UserCodeError
from compare.layers.calling import Shape
from compare.layers.judged import Judged
from compare.layers.manual import Manual


def slope_test(manual: Manual, shape: Shape, judged: Judged) -> Taylor | None:
    """Test the first wrong gradient along its difference from the reference's; None without one."""
    right = judged.surveyed.analysed.reference
    for name in judged.wrong:
        if name in judged.surveyed.outputs or name not in judged.compared:
            continue
        gradient = np.asarray(judged.manual[name], dtype=np.float64)
        difference = gradient - right[name]
        if not np.isfinite(difference).all() or not difference.any():
            continue
        nothing = np.zeros(0)
        parameters = {input: judged.point.inputs[input] for input in shape.wrt}
        loss = loss_of(manual, shape, judged)
        try:
            return taylor_test(loss, parameters, nothing, nothing, name[1:], gradient, difference)
        except UserCodeError:
            return None  # code that takes no float64
    return None


def loss_of(manual: Manual, shape: Shape, judged: Judged) -> Any:
    """Return `L = sum(dy * y)` as an implementation of contract 1."""
    point = judged.point

    def loss(parameters: Arrays, x: Any, targets: Any) -> tuple[float, Arrays]:
        moved = replace(point, inputs=point.inputs | parameters, format="float64")
        found = manual(moved, shape)
        if point.dy is None:
            return float(sum(float(found[name]) for name in shape.outputs)), {}
        return float(sum(np.vdot(point.dy[name], found[name]) for name in shape.outputs)), {}

    return loss


def contradiction(taylor: Taylor | None, judged: Judged) -> str | None:
    """Say so if outputs agree, the manual gradient belongs to them, and the reference's differs."""
    if taylor is None or taylor.belongs is not Belongs.YES:
        return None
    if any(name in judged.surveyed.outputs for name in judged.wrong):
        return None
    return (
        "undecidable: the witnesses contradict each other; the outputs are equal, the manual "
        f"d{taylor.parameter} belongs to them (slope 2), and yet the reference has another one"
    )
