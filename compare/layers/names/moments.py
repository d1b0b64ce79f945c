"""Variances over n or over n - 1, and a normalised value whose means run over other axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compare.layers.names.friendly import Names
from compare.layers.names.tape import Ref, Step, Tape

VARIANCES = ("var", "var_mean")


def other_correction(tape: Tape, names: Names, step: Step) -> tuple[float, str] | None:
    """Return what turns a variance over n into one over n - 1, or back, and what that is called."""
    if not step.args or not isinstance(step.args[0], Ref):
        return None
    x, out = tape.values[step.args[0].number], tape.values[step.outs[0]]
    square = step.name == "mean" and names.is_square(step.args[0].number)
    if not (step.name in VARIANCES or square) or not out.numel():
        return None
    n = x.numel() // out.numel()
    if n < 2:
        return None
    if step.name in VARIANCES and not is_biased(step, x, out):
        return (n - 1) / n, f"the variance is divided by {n} in place of {n} - 1"
    return n / (n - 1), f"{names.noun(step.outs[0])} is divided by {n} - 1 in place of {n}"


def is_biased(step: Step, x: torch.Tensor, out: torch.Tensor) -> bool:
    """Return whether a variance was taken over n, from its numbers."""
    dims = step.args[1] if len(step.args) > 1 and isinstance(step.args[1], list) else []
    due = torch.var(x, list(dims) or None, correction=0).reshape(out.shape)
    return torch.allclose(out, due, rtol=1e-9, atol=0.0)


@dataclass(frozen=True)
class Terms:
    """Of `dx = (dh - mean dh - h mean(dh h)) / s`: over which axes each mean runs, and what it has.

    `centred`: whether there is a first mean; `before`, `within`: whether h stands before the second
    one and in it.
    """

    mean: tuple[int, ...]
    along: tuple[int, ...]
    centred: bool = True
    before: bool = True
    within: bool = True


class Normalised(torch.autograd.Function):
    """A normalised x, given as it is, with other terms in its backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, h: Tensor, inverse: Tensor, terms: Terms) -> Tensor:
        ctx.save_for_backward(h, inverse)
        ctx.terms = terms
        return h.clone()

    @staticmethod
    def backward(ctx: Any, dh: Tensor) -> Any:
        (h, inverse), terms = ctx.saved_tensors, ctx.terms
        mean = dh.mean(terms.mean, keepdim=True) if terms.centred else 0.0
        along = (dh * h if terms.within else dh).mean(terms.along, keepdim=True)
        return inverse * (dh - mean - (h * along if terms.before else along)), None, None, None
