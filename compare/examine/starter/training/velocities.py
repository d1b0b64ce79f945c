"""The first step of a training whose velocities are not 0 before it.

It is a share of them and a rate times the gradient; the share is one for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.training.shares import shares_in
from compare.examine.starter.training.steps import Fit, Step, laid_beside, multiple

TOLD_BY = 3
"""So many entries at least tell a share and a rate."""


def without_velocity(step: Step, due: Mapping[str, Array]) -> Fit:
    """What a step takes off the weights beside a share of arrays that lay beside them: the share
    with which all of them move by their gradients, if there is one."""
    found = Fit({name: np.nan for name in due})
    for share in sorted({share for name, one in due.items() for share in shares(step, name, one)}):
        rest = {name: left_over(step, name, one, share) for name, one in due.items()}
        fit = Fit({name: multiple(rest[name], one, step.near) for name, one in due.items()},
                  rest=rest)  # fmt: skip
        if fit.whole or not found.right:
            found = fit
        if fit.whole:
            break
    return found


def shares(step: Step, name: str, due: Array) -> Iterator[float]:
    """Yield the shares of an array with which a parameter moves by its gradient."""
    for laid in lying_beside(step, due) if due.size > TOLD_BY else ():
        found = shares_in(step.taken[name], laid, due, step.near)
        if found is not None and 0 < abs(found[0]) < 1 and found[1] > 0:
            yield found[0]


def left_over(step: Step, name: str, due: Array, share: float) -> Array:
    """What a parameter is moved by beside a share of that array which leaves the gradient."""
    taken = step.taken[name]
    rests = [taken - share * laid for laid in lying_beside(step, due)]
    return max(rests, key=lambda rest: multiple(rest, due, step.near) > 0, default=taken)


def lying_beside(step: Step, like: Array) -> Iterator[Array]:
    """Yield the arrays before a step that are as large as a parameter, but for the weights."""
    own = {*step.chain.weights, *step.chain.biases}
    before = Step(step.chain, step.after, step.before)
    for way, array in step.before.items():
        if way not in own and array.size == like.size and array.ndim and array.dtype.kind == "f":
            yield laid_beside(before, way, like)
