"""One slip made at all like steps of the backward pass: keys and values, every step of a loop.

People write a loop's body once, and the backward passes of keys and values by copying one. So the
same change is made at every step that does the same with tensors of as many axes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from compare.layers.names.backward import is_single, of_step
from compare.layers.names.friendly import Names
from compare.layers.names.reach import Reach
from compare.layers.names.tape import Ref, Step, Tape, rerun_changing
from compare.layers.names.values import with_gradients
from compare.layers.program import Tensors

IMPOSSIBLE = (RuntimeError, IndexError, ValueError, TypeError)
Value = Callable[[int], Any]


def repeated(tape: Tape, names: Names, reach: Reach) -> Iterator[tuple[Tensors, str]]:
    """Yield the gradients with one slip made at all like steps, with what it is."""
    for group in alike(tape):
        if not reach.by_value(tape.steps[at].outs[0] for at in group):
            continue
        first = tape.steps[group[0]]
        place = names.place(first)
        for number, (_, said) in enumerate(of_step(names, first, tape.values.__getitem__)):
            ways = {at: partial(slipped, names, tape.steps[at], number) for at in group}
            try:
                changed = rerun_changing(tape, ways)
            except IMPOSSIBLE:
                continue
            times = "both" if len(group) == 2 else f"all {len(group)}"
            clause = f"in the backward pass {said}, at {times} such steps{place}"
            yield with_gradients(tape, changed), clause


def alike(tape: Tape) -> list[list[int]]:
    """Return the steps of the backward pass that do the same, where they are several."""
    groups: dict[Any, list[int]] = {}
    for number in range(tape.boundary, len(tape.steps)):
        step = tape.steps[number]
        if is_single(tape, step):
            axes = tuple(tape.values[ref.number].dim() for ref in step.refs())
            plain = repr([a for a in step.args if not isinstance(a, Ref)])
            groups.setdefault((step.func, axes, plain), []).append(number)
    return [group for group in groups.values() if len(group) > 1]


def slipped(names: Names, step: Step, number: int, value: Value) -> Any:
    """Return the result of a step with the slip of a number."""
    found = next(itertools.islice(of_step(names, step, value), number, None), None)
    if found is None or found[0] is None:
        raise ValueError("this step has no such slip")
    return found[0]
