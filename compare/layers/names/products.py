"""A value of the forward pass that a gradient has once too often, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from compare.layers.names.case import Case
from compare.layers.names.forms import factor_named
from compare.layers.names.match import Match
from compare.layers.names.trial import Found
from compare.layers.program import Tensors

FEWEST = 3
"""A tensor with fewer entries has some such factor by chance."""


def in_tensors(case: Case) -> Iterator[Found]:
    """Yield the values that every wrong gradient is multiplied or divided by, entry by entry."""
    tape, match = case.tape, case.match
    if any(match.manual[name].shape != match.right[name].shape for name in match.wrong):
        return
    if any(match.right[name].numel() < FEWEST for name in match.wrong):
        return
    values = {out: tape.values[out] for step in tape.steps[: tape.boundary] for out in step.outs
              if out >= 0 and tape.values[out].is_floating_point()}  # fmt: skip
    for number, value in values.items():
        if value.numel() < 2 or not bool(torch.isfinite(value).all()):
            continue
        for said, power in (("{} is multiplied by {} once too often", 1),
                            ("in {} the factor {} is missing", -1)):  # fmt: skip
            results = multiplied(match, value, power)
            if results is None:
                continue
            noun = case.names.noun(number)
            text = "; ".join(said.format(name, noun) for name in match.wrong)
            if match.reproduces(results):
                yield Found("tensor", text, results)
            elif (found := with_factor(match, text, results)) is not None:
                yield found


def multiplied(match: Match, value: Tensor, power: int) -> Tensors | None:
    """Return the right gradients with the wrong ones times a power of a value; None if unfit."""
    results = dict(match.right)
    for name in match.wrong:
        factor = spread(value, match.right[name])
        if factor is None or not bool(factor.all()):
            return None
        if int((factor != 1).sum()) < factor.numel() / 2 or bool(
            (factor == factor.flatten()[0]).all()
        ):
            return None  # one entry that is off has some such factor by chance
        results[name] = match.right[name] * factor**power
    return results


def with_factor(match: Match, text: str, results: Tensors) -> Found | None:
    """Return the same with one constant besides, if that has a form."""
    factors = [match.coefficient(name, results[name]) for name in match.wrong]
    c = factors[0] if factors else None
    if c is None or any(f is None or abs(f - c) > 1e-6 * abs(c) for f in factors):
        return None
    said = factor_named(c, match.shapes, match.doubt(match.wrong[0], results[match.wrong[0]]))
    if said is None:
        return None
    scaled = results | {name: c * results[name] for name in match.wrong}
    return Found("tensor", f"{text}, and {said}", scaled, 1)


def spread(value: Tensor, onto: Tensor) -> Tensor | None:
    """Return a value spread over a tensor's shape: by broadcasting, or over its leading axes."""
    try:
        return value.expand(onto.shape)
    except RuntimeError:
        pass
    if value.numel() and onto.numel() % value.numel() == 0:
        return value.reshape(-1, 1).expand(-1, onto.numel() // value.numel()).reshape(onto.shape)
    return None
