"""Another number in the forward pass, with the backward pass as derived: ε, a mask, n - 1.

One forward step gives another value, and every step that reads it runs again, backward ones too.
Three things can come of it: both passes use the value, the forward pass alone, or the backward pass
alone, as where it computes anew what the forward pass had.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from compare.layers.names.friendly import Names, is_epsilon
from compare.layers.names.moments import other_correction
from compare.layers.names.tape import Ref, Step, Tape, rerun
from compare.layers.program import Tensors

EPSILONS = (1e-3, 1e-5, 1e-6, 1e-7, 1e-8, 1e-12)


@dataclass(frozen=True)
class Other:
    """A forward step's other value, with what it is, in a clause and its opposite."""

    at: int
    number: int
    value: Tensor
    clause: str


def others(tape: Tape, names: Names) -> Iterator[Other]:
    """Yield the other values that forward steps are given by mistake."""
    for at, step in enumerate(tape.steps[: tape.boundary]):
        if not step.outs or step.outs[0] < 0 or not tape.values[step.outs[0]].is_floating_point():
            continue
        for value, clause in of_step(tape, names, step):
            if value.shape == tape.values[step.outs[0]].shape:
                yield Other(at, step.outs[0], value, f"{clause}{names.place(step)}")


def of_step(tape: Tape, names: Names, step: Step) -> Iterator[tuple[Tensor, str]]:
    """Yield the other values of one step."""
    out = tape.values[step.outs[0]]
    corrected = other_correction(tape, names, step)
    if corrected is not None:
        yield out * corrected[0], corrected[1]
    if step.name == "add" and is_epsilon(step.args[1]):
        yield from epsilons(tape, names, step)
    elif step.name in ("sqrt", "rsqrt"):
        yield from epsilon_outside(tape, names, step)
    elif step.name in ("masked_fill", "where"):
        yield from masks(tape, names, step)


def epsilons(tape: Tape, names: Names, step: Step) -> Iterator[tuple[Tensor, str]]:
    """The small number under a root: left out, or another one."""
    x, due = tape.values[step.args[0].number], float(step.args[1])
    noun = names.noun(step.args[0].number)
    yield x, f"{due:g} is not added to {noun}"
    for taken in EPSILONS:
        if taken != due:
            yield x + taken, f"{taken:g} is added to {noun} in place of {due:g}"


def epsilon_outside(tape: Tape, names: Names, step: Step) -> Iterator[tuple[Tensor, str]]:
    """The small number added to the root in place of under it."""
    made = names.step_of(step.args[0].number)
    if made is None or made.name != "add" or not is_epsilon(made.args[1]):
        return
    x, epsilon = tape.values[made.args[0].number], float(made.args[1])
    root = torch.sqrt(x) + epsilon
    noun = names.noun(made.args[0].number)
    said = f"{epsilon:g} is added to the root of {noun}, and not under it"
    yield (1 / root if step.name == "rsqrt" else root), said


def masks(tape: Tape, names: Names, step: Step) -> Iterator[tuple[Tensor, str]]:
    """A mask: left out, or with 0 in the place of what is excluded."""
    out = tape.values[step.outs[0]]
    branches = [step.args[0]] if step.name == "masked_fill" else list(step.args[1:])
    kept = [a for a in branches if isinstance(a, Ref) and not names.is_constant(a.number)]
    if len(kept) == 1:
        yield tape.values[kept[0].number].expand_as(out), "the mask is left out"
    excluded = ~torch.isfinite(out) | (out <= -1e4)
    if bool(excluded.any()):
        yield torch.where(excluded, 0.0, out), "what the mask excludes is set to 0 in place of -∞"


def readings(tape: Tape, other: Other) -> Iterator[tuple[Tensors, str]]:
    """Yield what comes of another value: in both passes, in one, in the other."""
    changed = rerun(tape, other.at + 1, {other.number: other.value}, other.at)
    due = {name: tape.values[number].detach() for name, number in tape.results.items()}
    new = {name: changed.get(number, tape.values[number]).detach()
           for name, number in tape.results.items()}  # fmt: skip
    forward = [name for name, number in tape.results.items() if number in made_forward(tape)]
    yield new, other.clause
    yield new | {name: due[name] for name in forward}, f"in the backward pass {other.clause}"
    yield due | {name: new[name] for name in forward}, f"in the forward pass alone {other.clause}"


def made_forward(tape: Tape) -> set[int]:
    """Return the values that the forward pass made."""
    return {out for step in tape.steps[: tape.boundary] for out in step.outs}
