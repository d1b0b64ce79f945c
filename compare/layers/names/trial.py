"""A changed program held against the manual numbers: reproduced, in which tensors, by which factor.

People derive one gradient at a time, so a change may show in one of them and leave the others
right: each tensor is then the changed program's or the reference's, and which is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from compare.layers.names.match import Match
from compare.layers.program import Tensors

IN_BACKWARD = "in the backward pass "
ALONE = f"{IN_BACKWARD}alone "


@dataclass(frozen=True)
class Found:
    """A changed program that gives the manual numbers; `rank`: what it needs besides the change."""

    kind: str
    sentence: str
    results: Tensors
    rank: int = 0


def tried(match: Match, kind: str, text: str | Callable[[], str], results: Tensors) -> Found | None:
    """Return what a changed program explains: all numbers, or all that are wrong."""
    if not match.fits(results) or match.changes_nothing(results):
        return None
    mixed = where_wrong(match, results)
    if mixed is None and not match.reproduces(results):
        return None
    text = text if isinstance(text, str) else text()
    if mixed is None or match.reproduces(results):
        return Found(kind, text, results)
    names = [name for name in mixed if mixed[name] is not match.right[name]]
    where = " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"
    if set(names) == set(match.outputs):
        return Found(kind, f"in the forward pass alone {text}", mixed)
    text = text.removeprefix(IN_BACKWARD).removeprefix("alone ")
    return Found(kind, f"in {where} alone, {text}", mixed, 1)


def where_wrong(match: Match, results: Mapping[str, Tensor]) -> Tensors | None:
    """Return the changed numbers in the tensors that are wrong, if they are right there."""
    mixed, outputs = {}, set(match.outputs)
    for name, right in match.right.items():
        manual = match.manual[name]
        if match.near(name, manual, right):
            if name in outputs and not match.near(name, results[name], right):
                return None
            mixed[name] = right
        elif match.given_by(name, results[name]):
            mixed[name] = results[name]
        else:
            return None
    return mixed


def share(match: Match, cut: Mapping[str, Tensor], full: Mapping[str, Tensor]) -> float | None:
    """Return the c for which `cut + c (full - cut)` is closest to the wrong tensors.

    With `full` the right gradients and `cut` those without a path, c times the path gives that.
    """
    above = below = 0.0
    for name in match.wrong:
        if match.manual[name].shape != full[name].shape or cut[name].shape != full[name].shape:
            return None
        path = full[name] - cut[name]
        a = match.allowances[name]
        weight = 1 / a.clamp_min(1e-3 * float(a.max()) + 1e-300) ** 2
        above += float(((match.manual[name] - cut[name]) * path * weight).sum())
        below += float((path**2 * weight).sum())
    return above / below if below > 0 else None


def between(cut: Mapping[str, Tensor], full: Mapping[str, Tensor], c: float) -> Tensors:
    """Return `cut + c (full - cut)`."""
    return {name: cut[name] + c * (full[name] - cut[name]) for name in full}


class Budget:
    """So many evaluations: counted, because a clock gives other names on a busy machine."""

    WORK = 150_000
    """Steps of the tape that are run, in one search; a large tensor counts as several steps."""
    ENTRIES = 25_000
    FURTHER = 0.2
    """The part that is looked at beyond a name: for those that no number tells apart from it."""

    def __init__(self, steps: int, entries: int) -> None:
        self.left = max(60, round(self.WORK / (steps + entries / self.ENTRIES)))
        self.further = max(20, round(self.left * self.FURTHER))

    def spend(self) -> bool:
        """Return whether one more evaluation is allowed."""
        self.left -= 1
        return self.left >= 0

    def found(self) -> None:
        """Do not look much further."""
        self.left = min(self.left, self.further)
