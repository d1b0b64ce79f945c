"""The reference rounded at random: what its own arithmetic does to its numbers, taken together.

Squares of errors add as if every entry's error were its own. Where a program feeds its results
back, as an unrolled recurrence does, the entries of one step share the errors of all steps before,
which a matrix that is used a hundred times lets grow together: right code is then further off than
the rules say. So the program is run a few times with every operation moved by what it rounds
itself, its decisions kept, and the spread of its results is allowed for as well. No manual number
enters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from compare.layers.analysis import Analysis
from compare.layers.formats import FORMATS, LAMBDA, Format
from compare.layers.program import Program, Tensors, as_written
from compare.layers.trees import tensors

DRAWS = 8
"""So many runs give the spread of an entry; the rules' allowance stays where it is larger."""
HOPELESS = 100.0
"""A difference so many times too large after two runs is not brought back by further ones."""


class Shaken(Analysis):  # type: ignore[no-untyped-call]  # torch's __init_subclass__
    """A pass in which nothing is carried on: every result is moved by its own rounding, at once."""

    def __init__(self, judged: Format, script: Sequence[Tensor], seed: int) -> None:
        super().__init__(judged)
        self.script = script
        self.generator = torch.Generator().manual_seed(seed)

    def decide(self, kind: str, found: Tensor, operands: tuple[Any, ...]) -> Tensor:
        self.met += 1
        return self.script[self.met - 1]

    def leaf(self, x: Tensor) -> Tensor:
        x = super().leaf(x.clone())
        self.shake(x)
        return x

    def copied(self, target: Tensor, source: Any) -> None:
        """What is copied was moved already."""

    def apart(self, packet: Any, how: Any, args: Any, kwargs: Any) -> Any:
        """Move also by what torch's own formula leaves out."""
        out = super().apart(packet, how, args, kwargs)
        self.shake(out)
        return out

    def carry(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        super().carry(func, args, kwargs, out)
        self.shake(out)

    def shake(self, out: Any) -> None:
        """Move results by their variances, and forget these: their arguments are exact again."""
        for x in tensors(out):
            variance = self.variance(x)
            if variance is not None:
                noise = torch.randn(x.shape, generator=self.generator, dtype=x.dtype)
                x += torch.sqrt(variance) * noise
        self.held.clear()
        self.bytes = 0


def shaken(
    program: Program,
    inputs: Tensors,
    dy: Tensors | None,
    judged: str,
    script: Sequence[Tensor],
    found: Tensors,
) -> Iterator[Tensors]:
    """Yield what the spread allows, by tensor, from more and more runs; `found`: without noise."""
    form = FORMATS[judged]
    squares = {name: torch.zeros_like(t) for name, t in found.items()}
    for number in range(1, DRAWS + 1):
        moved = one_run(program, inputs, dy, Shaken(form, script, number))
        for name, t in moved.items():
            squares[name] += (t - found[name]).square().nan_to_num(0.0)
        scale = LAMBDA * (form.sides / number) ** 0.5
        yield {name: scale * torch.sqrt(square) for name, square in squares.items()}


def one_run(program: Program, inputs: Tensors, dy: Tensors | None, pass_: Shaken) -> Tensors:
    """Run the program once, rounded at random."""
    with as_written():
        given = {k: pass_.leaf(t) if t.dtype is torch.float64 else t for k, t in inputs.items()}
        seeds = None if dy is None else {k: pass_.leaf(t) for k, t in dy.items()}
        with pass_, pass_.functions:
            return program.run(given, seeds)


def spread_as_a_whole(
    program: Program,
    inputs: Tensors,
    dy: Tensors | None,
    judged: str,
    script: Sequence[Tensor],
    found: Tensors,
) -> dict[str, float]:
    """Return by tensor t how large `<e, t> / <t, t>` may be: of all runs, and of one rounding more.

    That one is of a number that all entries share.
    """
    form = FORMATS[judged]
    squares = {name: form.unit**2 for name in found}
    for number in range(1, DRAWS + 1):
        moved = one_run(program, inputs, dy, Shaken(form, script, number))
        for name, t in found.items():
            size = float((t * t).sum())
            whole = float(((moved[name] - t) * t).sum()) / size if size > 0 else torch.inf
            squares[name] += whole**2 / DRAWS
    return {name: LAMBDA * square**0.5 for name, square in squares.items()}


def with_spread(
    program: Program,
    inputs: Tensors,
    dy: Tensors | None,
    judged: str,
    walk: tuple[Analysis, Tensors, Tensors],
    observed: Tensors,
) -> Tensors:
    """Return the allowances of a pass with the spread; as they are if that cannot do."""
    analysis, found, allowances = walk
    script = [decision.found for decision in analysis.decisions]
    wider = allowances
    for number, spread in enumerate(shaken(program, inputs, dy, judged, script, found), 1):
        wider = {n: torch.maximum(allowances[n], spread[n]) for n in allowances}
        if number == 2 and worst(observed, found, wider) > HOPELESS:
            return allowances
    return wider


def worst(observed: Tensors, found: Tensors, allowances: Tensors) -> float:
    """Return the largest difference, in allowances."""
    ratios = [
        float(((observed[n] - found[n]).abs() / allowances[n]).nan_to_num(0.0).max())
        for n in allowances
        if n in observed and observed[n].shape == found[n].shape and found[n].numel()
    ]
    return max(ratios, default=0.0)
