"""Gradients that are clipped: every entry at a bound, one tensor or all of them at a norm."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from compare.layers.names.match import Match

FEW = 2
"""Digits of a norm that somebody writes down."""
GUARD = 2e-6
"""What is added to a norm before it divides, `1e-6` in torch, moves a norm of 1 by less."""


def clipped(match: Match, name: str, manual: Tensor, right: Tensor) -> Iterator[str]:
    """Yield the bound that entries of a gradient do not exceed, the others being right.

    One entry that is too small looks like that as well, and so do entries of one size that are all
    scaled down: two of different sizes have to be at the bound, and one below it be left as it is.
    """
    if name in match.outputs or not right.numel():
        return
    bound, sizes = float(manual.abs().max()), right.abs()
    below = (sizes > 0) & (sizes < bound * (1 - GUARD))
    if bool(below.any()) and of_two_sizes(sizes[sizes > bound * (1 + GUARD)]):
        if match.near(name, manual, right.clamp(-bound, bound)):
            yield f"{name} is clipped at ±{bound:.6g}"


def clipped_at_points(matches: Sequence[Match]) -> list[str]:
    """Say of every wrong gradient at which bound it is clipped; none if one of them is not.

    At one point a single entry may be all that a bound reaches: the same bound at several is no
    chance.
    """
    wrong = dict.fromkeys(name for match in matches for name in match.wrong)
    bounds = {name: common_bound([m for m in matches if name in m.wrong], name) for name in wrong}
    if any(bound is None for bound in bounds.values()):
        return []
    return [f"{name} is clipped at ±{bound:.6g}" for name, bound in bounds.items()]


def common_bound(matches: Sequence[Match], name: str) -> float | None:
    """Return the bound that a gradient does not exceed at any point; None if there is none."""
    manual, right = ([getattr(m, of)[name] for m in matches] for of in ("manual", "right"))
    if name in matches[0].outputs or len(matches) < 2 or not all(m.numel() for m in manual):
        return None
    bound = float(manual[0].abs().max())
    sizes = torch.cat([r.abs().flatten() for r in right])
    below = (sizes > 0) & (sizes < bound * (1 - GUARD))
    if not bool(below.any()) or not of_two_sizes(sizes[sizes > bound * (1 + GUARD)]):
        return None
    fits = all(m.near(name, m.manual[name], m.right[name].clamp(-bound, bound)) for m in matches)
    return bound if fits else None


def clipped_at_norm(match: Match, name: str, factor: float) -> Iterator[str]:
    """Yield the norm that a gradient was brought down to, or all gradients together.

    Entries of one size have a short norm wherever the factor is a short number.
    """
    if not 0 < factor < 1 or name in match.outputs:
        return
    gradients = [each for each in match.right if each not in match.outputs]
    if not any(of_two_sizes(match.right[each].abs()) for each in gradients):
        return
    factors = [match.coefficient(each, match.right[each]) for each in gradients]
    norms = {each: float(match.manual[each].square().sum()) for each in gradients}
    own, whole = math.sqrt(norms[name]), math.sqrt(sum(norms.values()))
    alike = all(f is not None and abs(f - factor) <= 1e-4 * factor for f in factors)
    if len(gradients) > 1 and alike and is_short(whole, GUARD):
        yield f"{name} is scaled down, so that all gradients together have the norm {whole:.3g}"
    elif is_short(own, GUARD) and of_two_sizes(match.right[name].abs()):
        yield f"{name} is scaled down to the norm {own:.3g}"


def of_two_sizes(sizes: Tensor) -> bool:
    """Return whether entries have two sizes, 0 left aside."""
    sizes = sizes[sizes > 0]
    return bool(sizes.numel()) and float(sizes.min()) < float(sizes.max()) * (1 - GUARD)


def is_short(value: float, doubt: float) -> bool:
    """Return whether a number has no more than two digits."""
    return value > 0 and abs(float(f"{value:.{FEW}g}") - value) <= doubt * value
