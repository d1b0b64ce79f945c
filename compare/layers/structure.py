"""What any backward pass is, whatever it computes: a function, and linear in dy.

Called twice it gives the same, of one object too; with dy = 0 it gives 0; with 2 dy it gives twice
as much, with -dy the same of the other sign. What fails here and agrees at the points themselves
keeps something between calls, or adds something. Of a large layer, whose calls take long, the last
two are asked alone while nothing is odd.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.arrays import Arrays
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Finding
from compare.layers.calling import Shape
from compare.layers.judged import Judged, same_error
from compare.layers.manual import Manual

NOT_LINEAR = "it is not linear in dy"
LARGE = 100_000
"""More entries of the inputs than this make a layer a large one."""


def structure(manual: Manual, shape: Shape, judged: Judged) -> Iterator[Finding]:
    """Yield what is wrong with the form of the backward pass."""
    if is_large(judged) and is_linear(manual, shape, judged):
        yield from growing(manual, shape, judged)
        return
    point, allowances = judged.point, judged.surveyed.analysed.allowances
    again = manual(point, shape)
    for name in differing(judged.manual, again, allowances):
        yield finding(name, f"{name} is another one when called a second time with the same inputs")
        return
    yield from growing(manual, shape, judged)
    if point.dy is None or not all(np.isfinite(a).all() for a in judged.manual.values()):
        return
    zero = manual(point, shape, dy={name: np.zeros_like(dy) for name, dy in point.dy.items()})
    nothing = {
        name: np.zeros_like(a) for name, a in judged.manual.items() if name in gradients(shape)
    }
    for name in differing(nothing, zero, allowances):
        if not np.isfinite(zero.get(name, np.nan)).all():
            break  # divided by dy: the other probes say more
        yield finding(
            name, f"{name} is not 0 where dy is 0: something is added that has no dy in it"
        )
        return
    wide = {name: 4 * allowance for name, allowance in allowances.items()}
    for factor, said in (
        (2, "does not double when dy doubles"),
        (-1, "keeps a sign that dy changes"),
    ):
        again = manual(point, shape, dy={name: factor * dy for name, dy in point.dy.items()})
        due = {name: factor * judged.manual[name] for name in nothing}
        for name in differing(due, again, wide):
            yield finding(name, f"{name} {said}: {NOT_LINEAR}")
            return


def is_large(judged: Judged) -> bool:
    """Return whether a call takes longer than what it shows is worth."""
    return sum(np.size(a) for a in judged.point.inputs.values()) > LARGE


def is_linear(manual: Manual, shape: Shape, judged: Judged) -> bool:
    """Return whether calls with 2 dy and with -dy show nothing odd.

    What is kept between calls, added, squared, cut or made positive changes these numbers too.
    """
    dys, allowances = judged.point.dy, judged.surveyed.analysed.allowances
    if dys is None or not all(np.isfinite(a).all() for a in judged.manual.values()):
        return False
    for factor in (2.0, -1.0):
        try:
            again = manual(judged.point, shape, dy={name: factor * dy for name, dy in dys.items()})
        except UserCodeError:
            return False
        times = {name: factor if name in gradients(shape) else 1.0 for name in judged.manual}
        due = {name: times[name] * a for name, a in judged.manual.items()}
        allowed = {name: abs(times.get(name, 1.0)) * a for name, a in allowances.items()}
        if list(differing(due, again, allowed)):
            return False
    return True


def growing(manual: Manual, shape: Shape, judged: Judged) -> Iterator[Finding]:
    """Yield a gradient that is another one when the same object is called a second time.

    Where the outputs change as well, the object is meant to go on from call to call.
    """
    if manual.call_twice is None:
        return
    try:
        again = manual(judged.point, shape, twice=True)
    except UserCodeError:
        return
    allowances = judged.surveyed.analysed.allowances
    changed = list(differing(judged.manual, again, allowances))
    if changed and not any(name in shape.outputs for name in changed):
        name = changed[0]
        twice = again[name].shape == judged.manual[name].shape and same_error(
            name, again, {name: 2 * judged.manual[name]}, 4 * allowances[name]
        )
        grows = ": twice as much, what it keeps adds up" if twice else ""
        yield finding(
            name, f"{name} is another one when backward is called again on the same object{grows}"
        )


def gradients(shape: Shape) -> set[str]:
    """Return the names of the gradients."""
    return {f"d{name}" for name in shape.wrt}


def differing(one: Arrays, other: Arrays, allowances: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    """Yield the tensors in which two answers differ by more than rounding."""
    for name, values in one.items():
        if values.size == 0 or name not in allowances:
            continue
        if values.shape != allowances[name].shape or not np.isfinite(values).all():
            continue
        if name not in other or not same_error(name, one, other, allowances[name]):
            yield name


def finding(name: str, message: str) -> Finding:
    """Return the finding of a structural probe."""
    return Finding(check="structure", stage=name, message=message)
