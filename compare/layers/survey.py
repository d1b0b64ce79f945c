"""What the reference says at every point: its outputs, a dy for them, right numbers and allowances.

All of it is computed in one child process, before the manual side is called.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from compare.contracts.arrays import Arrays
from compare.contracts.errors import BadInput
from compare.layers.analysed import Analysed, analyse, as_tensors
from compare.layers.points import Asked, Point, draw, repeated, rounded
from compare.layers.program import Program, Reference, as_written, flat_outputs

DY_SEED = 1000


@dataclass(frozen=True)
class Surveyed:
    """A point with its dy, and its analysis. `outputs`: names and shapes of what is returned.

    `container` says how several outputs come: "one", "tuple" or "dict".
    """

    point: Point
    analysed: Analysed
    outputs: Mapping[str, tuple[int, ...]]
    container: str


def survey(
    reference: Reference,
    points: Sequence[Point],
    wrt: Sequence[str],
    dy: Any,
    seed: int,
    asked: Asked,
    timeout: float | None = None,
) -> list[Surveyed]:
    """Analyse every point; one where the reference is not finite is drawn anew, with entries > 0.

    A drawn point that is not finite then either is left out, and so is a special one that is not,
    or at which the reference raises, and what there is no time for: one in each format comes first.
    """
    clock = Clock(timeout)
    why = clock.hopeless(reference, points[0], wrt, dy, seed)
    if why is not None:
        return [unanalysed(reference, points[0], wrt, dy, seed, why)]
    found: dict[int, Surveyed] = {}
    for number in in_order(points):
        point = points[number]
        if not clock.allows():
            break
        try:
            one = examined(reference, point, wrt, dy, seed + DY_SEED + number)
        except BadInput:
            if point.special:
                continue
            raise
        drawn = bool(asked.shapes)
        if not_finite(one) and drawn and not point.special:
            one = examined(
                reference, repeated(point, asked, seed + number), wrt, dy, seed + DY_SEED + number
            )
        if not (not_finite(one) and drawn):
            found[number] = one
    if not found:
        raise BadInput("the reference is not finite at any drawn point; give arrays as inputs")
    return [found[number] for number in sorted(found)]


def in_order(points: Sequence[Point]) -> list[int]:
    """Return the numbers of the points, the first in each format before all others."""
    formats = [point.format for point in points]
    first = [formats.index(form) for form in dict.fromkeys(formats)]
    return [*first, *(number for number in range(len(points)) if number not in first)]


class Clock:
    """Counts the seconds that the points take, and says before they are spent if they do not do.

    One pass costs `LEAST` plain gradients at least, so a reference that is slow enough is given up
    at once.
    """

    LEAST = 15.0
    LARGE = 1_000_000
    PART = 0.9

    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout
        self.began = self.last = time.monotonic()
        self.longest = 0.0

    def allows(self) -> bool:
        """Return whether there is time for one more point like the slowest."""
        now = time.monotonic()
        self.longest, self.last = max(self.longest, now - self.last), now
        spent = now - self.began
        return self.timeout is None or spent + self.longest <= self.PART * self.timeout

    def hopeless(
        self, reference: Reference, point: Point, wrt: Sequence[str], dy: Any, seed: int
    ) -> str | None:
        """Return why not even one point can be finished, from the time of a plain gradient."""
        size = sum(np.size(value) for value in point.inputs.values())
        if self.timeout is None or size < self.LARGE:
            return None
        began = time.process_time()  # a busy machine makes nothing hopeless
        unanalysed(reference, point, wrt, dy, seed, "")
        needed = self.LEAST * (time.process_time() - began)
        self.last = self.began = time.monotonic()
        if needed <= self.timeout:
            return None
        return (
            f"it would take {needed:.0f} s or more, of {self.timeout:g} s; "
            "mistakes show at smaller shapes as well, or give timeout="
        )


def not_finite(one: Surveyed) -> bool:
    """Return whether the reference has no numbers at this point."""
    return one.analysed.doubt is not None and "not finite" in one.analysed.doubt


def examined(
    reference: Reference, point: Point, wrt: Sequence[str], dy: Any, seed: int
) -> Surveyed:
    """Analyse one point, with a dy for every output."""
    inputs = as_tensors(point.inputs)
    try:
        with torch.no_grad(), as_written():
            returned = reference(inputs)
    except BadInput:
        raise
    except Exception as error:
        shapes = ", ".join(f"{name} {tuple(a.shape)}" for name, a in point.inputs.items())
        first = str(error).strip().partition("\n")[0]
        raise BadInput(
            f"reference raised {type(error).__name__}: {first} (its inputs were {shapes})"
        ) from error
    outputs = {name: tuple(y.shape) for name, y in flat_outputs(returned).items()}
    if not outputs:
        raise BadInput("reference returned no floating tensor; it must return its output")
    point = replace(point, dy=seeds_for(outputs, dy, point.format, seed))
    seeds = None if point.dy is None else as_tensors(point.dy)
    program = Program(reference, wrt)
    try:
        analysed = analyse(program, inputs, seeds, point.format)
    except BadInput:
        raise
    except MemoryError as error:
        analysed = failed(program, inputs, seeds, str(error))
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        analysed = failed(program, inputs, seeds, f"{type(error).__name__}: {first}")
    return Surveyed(point, analysed, outputs, container_of(returned, outputs))


def unanalysed(
    reference: Reference, point: Point, wrt: Sequence[str], dy: Any, seed: int, why: str
) -> Surveyed:
    """Return a point of a reference that the analysis cannot be run on."""
    inputs = as_tensors(point.inputs)
    with torch.no_grad(), as_written():
        returned = reference(inputs)
    outputs = {name: tuple(y.shape) for name, y in flat_outputs(returned).items()}
    point = replace(point, dy=seeds_for(outputs, dy, point.format, seed + DY_SEED))
    seeds = None if point.dy is None else as_tensors(point.dy)
    analysed = failed(Program(reference, wrt), inputs, seeds, why)
    return Surveyed(point, analysed, outputs, container_of(returned, outputs))


def failed(program: Program, inputs: Any, seeds: Any, why: str) -> Analysed:
    """The analysis broke down: the plain reference's numbers, and no word about rounding."""
    try:
        with as_written():
            plain = program.run(inputs, seeds)
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        raise BadInput(f"reference cannot be differentiated: {first}") from error
    reference = {name: t.numpy() for name, t in plain.items()}
    nothing = {name: np.full(a.shape, np.inf) for name, a in reference.items()}
    return Analysed(reference, nothing, f"the analysis failed at this reference ({why})")


def container_of(returned: Any, outputs: Mapping[str, Any]) -> str:
    """Return how the outputs come."""
    if isinstance(returned, Mapping):
        return "dict"
    return "one" if len(outputs) == 1 else "tuple"


def seeds_for(
    outputs: Mapping[str, tuple[int, ...]], dy: Any, form: str, seed: int
) -> Arrays | None:
    """Return dy by output: what was given, or drawn; None for one scalar loss."""
    if dy is None and list(outputs.values()) == [()]:
        return None
    if dy is None:
        generator = np.random.default_rng(seed)
        drawn = {name: draw(generator, shape, 1.0) for name, shape in outputs.items()}
        return {name: rounded(values, form) for name, values in drawn.items()}
    return {name: rounded(value, form) for name, value in matched(outputs, dy).items()}


def matched(outputs: Mapping[str, tuple[int, ...]], dy: Mapping[str, NDArray[Any]]) -> Arrays:
    """Return the given dy by output, with the shape of each; `BadInput` if they do not fit."""
    given = list(dy.values())
    if set(dy) != set(outputs):
        if len(given) != len(outputs):
            raise BadInput(f"dy has {len(given)} arrays, and the reference {len(outputs)} outputs")
        dy = dict(zip(outputs, given, strict=True))
    for name, shape in outputs.items():
        if dy[name].shape != shape:
            raise BadInput(f"dy has shape {dy[name].shape}, and output {name} is {shape}")
    return {name: np.array(dy[name], dtype=np.float64) for name in outputs}
