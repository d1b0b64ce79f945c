"""A training that stops with an error in its first turn, on all rows that it may want.

The rows are ours, and what stops may be right on others: it is said where and why, and accused of
nothing. What stops in the first statement of a turn has most likely got rows of another shape than
its own, and nothing is said of it; what is used before it is set has nothing to do with rows.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Mapping

from compare.examine.starter.source import Source
from compare.examine.starter.training.program import Program
from compare.examine.starter.training.stepping import Loop, loops_at, steps_in
from compare.examine.starter.training.supply import supplies
from compare.examine.starter.training.trained import with_sizes
from compare.examine.starter.training.watch import Recorder

SECONDS = 3.0
LONG = 90
"""Letters of a message."""
Stop = tuple[int, int, str]
"""The line of a loop that was come to, the loop, and why it stops there."""


def stops(source: Source, program: Program) -> tuple[int, str] | None:
    """The loop that stops and why; None if none steps, or one came to its second turn."""
    until = time.process_time() + SECONDS
    loops, own = dict(stepping(source, program)), set(supplies(program.text))
    found: list[Stop] = []
    for supply, recorder in with_sizes(program, until) if loops else ():
        if found and supply not in own:
            break  # of other sizes those may be alike that it mixes up
        if any(len(run) > 1 for loop in loops for run in recorder.runs.get(loop, [])):
            return None
        found += stopped_in(loops, recorder)
    _, loop, why = max(found, default=(0, -1, ""))
    return (loop, why) if why else None


def stepping(source: Source, program: Program) -> Iterator[tuple[int, Loop]]:
    """The loops that step, by their number."""
    for loop, (file, line) in program.places.items():
        if steps_in(source, file, line):
            yield from ((loop, one) for one in loops_at(source, file, line))


def stopped_in(loops: Mapping[int, Loop], recorder: Recorder) -> Iterator[Stop]:
    """The loops that were entered and left with an error."""
    for error in recorder.failures:
        if isinstance(error, NameError) and not isinstance(error, UnboundLocalError):
            continue  # a part of a program: what it needs is elsewhere
        frames = traceback.extract_tb(error.__traceback__)
        unset = isinstance(error, AttributeError | UnboundLocalError)
        for loop, node in loops.items():
            start = node.lineno if unset else node.body[0].end_lineno or node.lineno
            end = node.end_lineno or node.lineno
            lines = [one.lineno for one in frames if one.lineno and start < one.lineno <= end]
            if lines and recorder.runs.get(loop):
                yield max(lines), loop, f"{type(error).__name__}: {error}"[:LONG]
