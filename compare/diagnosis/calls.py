"""Diagnosis of what calls leave behind: the same function called a few times in a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.arrays import Arrays
from compare.contracts.result import Diagnosis
from compare.diagnosis.alternatives import Tried, reproducing
from compare.diagnosis.match import ratios
from compare.diagnosis.observation import flat
from compare.mistakes.calls import CALLS, Call, CallMistake, right_argument, right_result
from compare.mistakes.fits import rounded
from compare.textbook import Pair, Pass, Point, exact


@dataclass(frozen=True)
class Made:
    """One call: what it returned, and its arguments afterwards, by name."""

    point: Point
    returned: Arrays
    arguments: Arrays


@dataclass(frozen=True)
class CallsInARow:
    """Calls in a row, and whether the first result was still the same after the last call."""

    calls: tuple[Made, ...]
    kept: bool


def make(implementation: Callable[..., tuple[Any, ...]], points: Sequence[Point]) -> CallsInARow:
    """Call the implementation at each point, in this order."""
    made: list[Made] = []
    first: Arrays = {}
    kept = True
    for point in points:
        parameters = {name: array.copy() for name, array in point.parameters.items()}
        x, y = point.x.copy(), point.targets.copy()
        with np.errstate(all="ignore"):
            loss, gradients, *_ = implementation(parameters, x, y, **point.how)
        first = first or gradients
        returned = {"loss": np.asarray(loss), **flattened(gradients)}
        made.append(Made(point, copied(returned), {**parameters, "x": x, "y": y}))
        kept = kept and unchanged(flattened(first), made[0].returned)
    return CallsInARow(tuple(made), kept)


def repeated(
    implementation: Callable[..., tuple[Any, ...]], points: Sequence[Point]
) -> CallsInARow | None:
    """Call the implementation at each point; None if it raises.

    Tried twice: the first call may meet what a batch of another size left behind, and leaves
    something of the right size behind itself.
    """
    for _ in range(2):
        try:
            return make(implementation, points)
        except Exception:  # the user's code: it was made for other calls than these
            continue
    return None


def flattened(gradients: Arrays) -> Arrays:
    """Return the arrays themselves as dw1, db1, ..., biases as (H,)."""
    arrays = {name: np.asarray(gradient) for name, gradient in gradients.items()}
    return {f"d{name}": flat(g) if name[0] == "b" else g for name, g in arrays.items()}


def copied(arrays: Arrays) -> Arrays:
    """Return arrays of our own."""
    return {name: np.array(array) for name, array in arrays.items()}


def unchanged(now: Arrays, then: Arrays) -> bool:
    """Return whether arrays still hold what they held."""
    return all(np.array_equal(array, then[name], equal_nan=True) for name, array in now.items())


def diagnose_calls(
    implementation: Callable[..., tuple[Any, ...]], points: Sequence[Point]
) -> tuple[Diagnosis, ...]:
    """Return the mistake that reproduces what calls at these points leave behind.

    The first point should come again after another one, and once more after itself: what the call
    before left behind differs between these two, whatever came before the first. Empty: nothing
    was left behind, or no known mistake reproduces it, or the implementation cannot be called
    again.
    """
    row = repeated(implementation, points)
    if row is None or not suspicious(row):
        return ()
    passes = [Pass(point) for point in points]
    before = worst(row, passes, None, 0.0)
    return reproducing(tried(row, passes), before)


def suspicious(row: CallsInARow) -> bool:
    """Return whether anything was left behind: in arguments, kept results or a call at the same
    point."""
    again = ((one, two) for one, two in combinations(row.calls, 2) if one.point is two.point)
    return (
        not row.kept
        or any(not unchanged(one.returned, two.returned) for one, two in again)
        or not all(unchanged(call.arguments, handed(call.point)) for call in row.calls)
    )


def handed(point: Point) -> Arrays:
    """Return the arguments of a call at this point, by name."""
    return {**point.parameters, "x": point.x, "y": point.targets}


def tried(row: CallsInARow, passes: Sequence[Pass]) -> Iterator[Tried]:
    """Yield every mistake with each of its constants."""
    for mistake in CALLS:
        for c in constants(mistake, row, passes):
            shown = None if mistake.example is None else c
            yield mistake, shown, worst(row, passes, mistake, c)


def worst(
    row: CallsInARow, passes: Sequence[Pass], mistake: CallMistake | None, constant: float
) -> float:
    """Return the worst ratio over results, arguments and kept arrays of all calls but the first.

    What was left behind before the first call is not known, so its result is not judged.
    """
    result = right_result if mistake is None else mistake.result
    argument = right_argument if mistake is None else mistake.argument
    if row.kept != (mistake is None or mistake.keeps):
        return np.inf
    found = [0.0]
    for call, made in calls(row, passes):
        found += [far(made.returned[name], result(call, name)) for name in made.returned]
        found += [far(made.arguments[n], argument(call, n, constant)) for n in made.arguments]
    return max(found)


def calls(row: CallsInARow, passes: Sequence[Pass]) -> Iterator[tuple[Call, Made]]:
    """Yield every call after the first with what it returned and left behind."""
    for index in range(1, len(row.calls)):
        before = row.calls[index - 1]
        returned = {name: exact(a, before.point.dtype) for name, a in before.returned.items()}
        yield Call(passes[index], passes[index - 1], returned), row.calls[index]


def far(seen: NDArray[Any], expected: Pair) -> float:
    """Return the worst ratio of one tensor."""
    return float(ratios(seen, expected).max(initial=0.0))


def constants(mistake: CallMistake, row: CallsInARow, passes: Sequence[Pass]) -> Iterator[float]:
    """Yield the constants to try; a step size is read off the first parameter that moved."""
    yield from mistake.constants or (() if mistake.example is not None else (0.0,))
    if mistake.example is None:
        return
    call, made = next(calls(row, passes))
    gradient = call.now.named("dw1").value
    moved = right_argument(call, "w1", 0.0).value - made.arguments["w1"]
    with np.errstate(all="ignore"):
        step = float((moved * gradient).sum() / (gradient * gradient).sum())
    if step and np.isfinite(step):
        yield from rounded(step)
