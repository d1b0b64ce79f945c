"""Which functions of a file were compared when its functions were called together.

Those on which the judged gradients and loss depend (`used`), and those of the calls whose own value
is the network's: its hidden units, its probabilities, its loss, to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.answered import mean_gradients, mean_loss
from compare.examine.starter.chain import Ran, Started, shown_arrays
from compare.examine.starter.networks import matrices_in_rows, point, values_of
from compare.examine.starter.readings import Sizes
from compare.examine.starter.used import Functions, used_in
from compare.examine.starter.whole import Whole
from compare.guard.guard import Guard

SAME = 1e-12
"""Relative to the largest entry: above the rounding of one forward pass in float64."""


def compared_in(
    whole: Whole, module: ModuleType, names: Sequence[str], guard: Guard, sizes: Sizes, seed: int
) -> frozenset[str]:
    """The functions that the result came from; `names` is what the last one calls its values."""
    parameters, x, targets = point(sizes, seed)

    def ran(functions: Functions) -> Ran:
        def start(widths: tuple[int, ...], values: Any) -> Started:
            started = whole.chain.start(widths, values)
            given = {name: instead(one, functions) for name, one in started.functions.items()}
            return replace(started, functions=given)

        return replace(whole.chain, start=start).run(dict(parameters), x, targets)

    def numbers(functions: Functions) -> list[Array]:
        found = ran(functions)
        gradients = mean_gradients(found, whole.final, names, parameters)
        loss = mean_loss(found)
        return [*gradients.values(), np.array(np.nan if loss is None else loss)]

    used = used_in(module, numbers, guard)
    calls: Ran = guard.run(lambda: ran({}), "", None)
    shown = {one.name for one in whole.chain.calls if is_stage(whole, calls, one.name, sizes, seed)}
    return used | shown | {whole.final}


def instead(function: Any, functions: Functions) -> Any:
    """The function that stands for another one, if one does."""
    others = (one for one in functions.values() if getattr(one, "__wrapped__", None) is function)
    return next(others, function)


def is_stage(whole: Whole, ran: Ran, name: str, sizes: Sizes, seed: int) -> bool:
    """Whether what one call returned is a stage or the loss of the network, to rounding."""
    alone = replace(ran, answers=tuple({name: one[name]} for one in ran.answers))
    due = values_of(whole.told.network, sizes, seed)
    loss, rows = mean_loss(alone), len(due.p)
    if loss is not None:
        return bool(abs(loss - due.loss) <= SAME * abs(due.loss))
    shown = [one for one in matrices_in_rows(shown_arrays(alone), rows) if np.isfinite(one).all()]
    return any(
        one.shape == array.shape and np.abs(one - array).max() <= SAME * np.abs(array).max()
        for one in shown
        for array in (*due.hidden, due.p)
    )
