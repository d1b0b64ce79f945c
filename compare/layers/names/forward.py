"""Wrong derivatives: the forward pass with one step changed, and differentiated again.

A path cut or multiplied, a slope left out, put in twice or taken from another function, an operand
exchanged, turned or flipped, an operation left out of both passes. What the changed program gives
must be the manual side's numbers, all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from compare.layers.names.tape import Step, Tape, run_forward
from compare.layers.program import Program, Tensors

Apply = Callable[[int, Step, Any, Any], Any]
SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "1 - y²": lambda y: 1 - y * y,
    "1 - y": lambda y: 1 - y,
    "y (1 - y)": lambda y: y * (1 - y),
    "y": lambda y: y,
    "y > 0": lambda y: (y > 0).to(y.dtype),
    "1/y": lambda y: 1 / y,
}
"""What people multiply a gradient by once too often, or in place of the right slope."""
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh(√(2/π) (x + 0.044715 x³))": lambda z: torch.tanh(
        math.sqrt(2 / math.pi) * (math.sqrt(2) * z + 0.044715 * (math.sqrt(2) * z) ** 3)
    ),
    "2 σ(1.702 x) - 1": lambda z: 2 * torch.sigmoid(1.702 * math.sqrt(2) * z) - 1,
}
"""What people take for erf(x / √2)."""
FARTHEST, MOST_ANCESTORS = 6, 4
"""How many steps back a value is looked for that a gradient is passed to, and how many of them."""
TURNS = frozenset("t transpose permute".split())
"""Steps that exchange axes: where they are forgotten, a reshape may hide it."""


@dataclass(frozen=True)
class Change:
    """One changed step: `kind`, of the argument at `argument`, with `other` (a value or a word).

    `also`: steps of a loop that are changed with it; `steps` says which.
    """

    at: int
    kind: str
    argument: int = 0
    other: int | str | Step | None = None
    linear: bool = False
    axes: tuple[int, ...] = ()
    factor: float = 1.0
    also: tuple[int, ...] = ()
    steps: str = ""

    def __call__(self, values: dict[int, Any], step: Step, args: Any, kwargs: Any) -> Any:
        """Return what the changed step computes."""
        given = args[self.argument] if isinstance(args[self.argument], Tensor) else None
        run: Callable[..., Any] = step.func
        if self.kind == "edge":
            return run(*replaced(args, self.argument, args[self.argument].detach()), **kwargs)
        if self.kind == "cut":
            return detached(run(*args, **kwargs))
        if self.kind == "part":
            outs = run(*args, **kwargs)
            return tuple(o.detach() if n == self.other else o for n, o in enumerate(outs))
        if self.kind == "scalar":
            return run(*replaced(args, self.argument, self.factor), **kwargs)
        if self.kind == "exchanged":
            return exchanged_gradients(run(*args, **kwargs), *self.axes)
        if self.kind == "parts":
            outs, (one, other) = list(run(*args, **kwargs)), self.axes
            outs[one], outs[other] = outs[other], outs[one]
            return tuple(outs)
        if self.kind in ("sibling", "sibling parts"):
            assert isinstance(self.other, Step)
            here = run(*args, **kwargs).detach()
            there = self.other.func(args[0], *self.other.args[1:], **self.other.kwargs)
            return there if "parts" in self.kind else here + (there - there.detach())
        if self.kind in ("correction", "scaled"):
            return rescaled(run(*args, **kwargs), self.factor)
        if self.kind == "axes":
            return run(args[0], list(self.axes), *args[2:], **kwargs)
        if self.kind == "times":
            out = run(*args, **kwargs)
            slope = SLOPES[str(self.other)](out.detach())
            return out.detach() + slope * (out - out.detach())
        assert given is not None
        if self.kind == "omitted" and step.name in TURNS:
            return given.reshape(run(*args, **kwargs).shape)
        if self.kind == "through" and step.name in TURNS:
            out = run(*args, **kwargs).detach()
            return out + (given - given.detach()).reshape(out.shape)
        if self.kind == "omitted":
            return given
        if self.kind == "diagonal":
            return diagonal(args[0], args[1])
        if self.kind == "softmax":
            return of_logarithm(args[0], run(*args, **kwargs))
        if self.kind == "row sum":
            out = run(*args, **kwargs)
            return of_logarithm(args[0], out, out.detach())
        if self.kind == "function":
            return FUNCTIONS[str(self.other)](given)
        if self.kind == "swapped":
            a, b = (argument.detach() for argument in args[:2])
            return (a * b) + a * (args[0] - a) + b * (args[1] - b)
        if self.kind == "bare":
            whole = run(*replaced(args, self.argument, given.detach()), **kwargs)
            return whole + (given - given.detach())
        if self.kind == "through":
            return run(*args, **kwargs).detach() + (given - given.detach())
        if self.kind == "slope":
            out = run(*args, **kwargs).detach()
            return out + SLOPES[str(self.other)](out) * (given - given.detach())
        if self.kind == "slope at":
            out = run(*args, **kwargs).detach()
            return out + SLOPES[str(self.other)](given.detach()) * (given - given.detach())
        return self.elsewhere(values, run, args, kwargs)

    def elsewhere(self, values: dict[int, Any], run: Any, args: Any, kwargs: Any) -> Any:
        """Differentiate with another value in the place of one argument."""
        given = args[self.argument].detach()
        if self.other == "transposed":
            taken = given.transpose(-1, -2)
        elif self.other == "flipped":
            taken = given.flip(-1, -2) if given.dim() > 3 else given.flip(-1)
        else:
            assert isinstance(self.other, int)
            taken = values[self.other].detach()
        here = tuple(a.detach() if isinstance(a, Tensor) else a for a in args)
        out = run(*here, **kwargs)
        if sum(isinstance(a, Tensor) for a in args) == 1:  # f'(w) in place of f'(a)
            leaf = taken.clone().requires_grad_()
            with torch.enable_grad():
                moved = run(*replaced(here, self.argument, leaf), **kwargs)
                (slope,) = torch.autograd.grad(moved.sum(), leaf)
            return out + slope * (args[self.argument] - given)
        only = run(*replaced(here, self.argument, args[self.argument]), **kwargs)
        rest = run(*replaced(args, self.argument, taken), **kwargs)
        return only + (rest - rest.detach())


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


def exchanged_gradients(outs: Any, one: int, other: int) -> Any:
    """Return several results, of which two get each other's gradient."""
    a, b = outs[one], outs[other]
    new = {one: a.detach() + (b - b.detach()), other: b.detach() + (a - a.detach())}
    return tuple(new.get(number, out) for number, out in enumerate(outs))


def replaced(args: Any, at: int, value: Any) -> Any:
    """Return arguments with one of them replaced."""
    return tuple(value if number == at else argument for number, argument in enumerate(args))


def diagonal(e: Tensor, total: Tensor) -> Tensor:
    """Return p = e / total with the derivative p (1 - p) with respect to the logarithm of e."""
    p, here = (e / total).detach(), e.detach()
    slope = torch.where(here > 0, p * (1 - p) / here, 0.0)
    return p + slope * (e - here)


def of_logarithm(e: Tensor, out: Tensor, slope: Tensor | float = 1.0) -> Tensor:
    """Return a softmax with another derivative with respect to the logarithm of e."""
    here = e.detach()
    return out.detach() + torch.where(here > 0, slope / here, 0.0) * (e - here)


def rescaled(out: Any, factor: float) -> Any:
    """Return a result, or the first of several, times a factor."""
    return out * factor if isinstance(out, Tensor) else (out[0] * factor, *out[1:])


def detached(out: Any) -> Any:
    """Return a result that no gradient flows through."""
    return out.detach() if isinstance(out, Tensor) else type(out)(o.detach() for o in out)


def changed_program(
    program: Program, tape: Tape, change: Change, inputs: Tensors, dy: Tensors | None
) -> Tensors:
    """Return outputs and gradients of the forward pass with one step changed."""
    whole = isinstance(change.other, int) and change.kind == "elsewhere"
    made: dict[int, Any] = dict(enumerate(tape.values)) if whole else {}
    live: dict[int, Any] = {}

    def apply(number: int, step: Step, args: Any, kwargs: Any) -> Any:
        if number != change.at and number not in change.also:
            return None
        if isinstance(change.other, Step) and number != change.at:
            back = replace(change, other=tape.steps[change.at])
            return back(made, step, args, kwargs)
        if change.kind == "skip":
            before = live[ancestors(tape, step)[change.axes[0]]]
            return step.func(*args, **kwargs).detach() + (before - before.detach())
        return change(made, step, args, kwargs)

    return rerun_program(program, tape, apply, inputs, dy, live)


def rerun_program(
    program: Program,
    tape: Tape,
    apply: Apply,
    inputs: Tensors,
    dy: Tensors | None,
    live: dict[int, Any] | None = None,
) -> Tensors:
    """Return outputs and gradients of the forward pass, some of whose steps `apply` runs.

    `live` is filled with the values as they are made.
    """
    leaves = {name: inputs[name].detach().requires_grad_() for name in program.wrt}
    with torch.enable_grad():
        values = run_forward(tape, inputs | leaves, apply, live)
    outputs = {
        name: values[number] for name, number in tape.results.items()
        if not (name.startswith("d") and name[1:] in leaves)
    }  # fmt: skip
    found = {name: y.detach() for name, y in outputs.items()}
    return found | program.gradients(leaves, outputs, dy)
