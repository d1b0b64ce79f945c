"""Wrong derivatives: the forward pass with one step changed, and differentiated again.

A path cut or multiplied, a slope left out, put in twice or taken from another function, an operand
exchanged, turned or flipped, an operation left out of both passes. What the changed program gives
must be the manual side's numbers, all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from compare.layers.names.change import Change, Here
from compare.layers.names.kinds import KINDS
from compare.layers.names.tape import Step, Tape, run_forward
from compare.layers.program import Program, Tensors

Apply = Callable[[int, Step, Any, Any], Any]
FARTHEST, MOST_ANCESTORS = 6, 4
"""How many steps back a value is looked for that a gradient is passed to, and how many of them."""


def ancestors(tape: Tape, step: Step) -> list[int]:
    """Return the values of a step's shape that it is made of, the nearest first, not its own."""
    made, shape = tape.maker, tape.values[step.outs[0]].shape
    own = {ref.number for ref in step.refs()}
    found: list[int] = []
    seen, layer = set(own), sorted(own)
    for _ in range(FARTHEST):
        makers = [tape.steps[made[number]] for number in layer if number in made]
        layer = sorted({ref.number for one in makers for ref in one.refs()} - seen)
        seen.update(layer)
        found += [n for n in layer if tape.values[n].shape == shape
                  and tape.values[n].is_floating_point()]  # fmt: skip
    return found[:MOST_ANCESTORS]


def changed_program(
    program: Program,
    tape: Tape,
    change: Change,
    inputs: Tensors,
    dy: Tensors | None,
    worth: Callable[[Tensors], bool] | None = None,
) -> Tensors | None:
    """Return outputs and gradients of the forward pass with one step changed.

    None where what it returns is not `worth` a derivative.
    """
    live: dict[int, Any] = {}

    def apply(number: int, step: Step, args: Any, kwargs: Any) -> Any:
        if number != change.at and number not in change.also:
            return None
        if change.kind == "skip":
            before = live[ancestors(tape, step)[change.axes[0]]]
            return step.func(*args, **kwargs).detach() + (before - before.detach())
        mine = change
        if isinstance(change.other, Step) and number != change.at:
            mine = replace(change, other=tape.steps[change.at])
        return KINDS[change.kind](mine, Here(step, args, kwargs, tape.values, live))

    return rerun_program(program, tape, apply, inputs, dy, live, worth=worth)


def rerun_program(
    program: Program,
    tape: Tape,
    apply: Apply | None,
    inputs: Tensors,
    dy: Tensors | None,
    live: dict[int, Any] | None = None,
    given: Callable[[Tensors], Tensors] = lambda inputs: inputs,
    worth: Callable[[Tensors], bool] | None = None,
) -> Tensors | None:
    """Return outputs and gradients of the forward pass, some of whose steps `apply` runs.

    `live` is filled with the values as they are made; `given`: what stands for the inputs. None
    where the outputs are not `worth` a derivative.
    """
    leaves = {name: inputs[name].detach().requires_grad_() for name in program.wrt}
    with torch.enable_grad():
        values = run_forward(tape, given(inputs | leaves), apply, live)
    outputs = {
        name: values[number] for name, number in tape.results.items()
        if not (name.startswith("d") and name[1:] in leaves)
    }  # fmt: skip
    if worth is not None and not worth(outputs):
        return None
    found = {name: y.detach() for name, y in outputs.items()}
    return found | program.gradients(leaves, outputs, dy)


def size_of_window(step: Step) -> int | None:
    """Return how many entries each window of a mean-pooling has; None of other steps."""
    if not step.name.startswith("avg_pool"):
        return None
    kernel, axes = list(step.args[1]), int(step.name[len("avg_pool")])
    return int(math.prod(kernel * axes if len(kernel) == 1 else kernel))
