"""Weak points: where a check could not have failed, or not seen an error worth seeing, and why.

A verdict is worth as much as the error it would have noticed. For every gradient the smallest
scale error that the same-point check could have detected is known from the allowance; the points
where it exceeds the promised size are weak. Beside that, some points hide whole families of
mistakes whatever their allowance: a batch of one hides a missing 1/N, square weights a missing
transposition, zero biases a missing bias.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compare.allowance import Allowances
from compare.allowance.squares import length
from compare.checks.comparison import BLOCK, HONEST
from compare.contracts.arrays import Values
from compare.contracts.result import Weak

PROMISED = {"float64": 1e-12, "float32": 1e-4}
"""The relative scale error that must be detected on every point not called weak."""
PROMISED_OF_ANY_SHAPE = 1e-3
"""The same for an error of any shape (a row, an entry, a sample), relative to the gradient."""
UNIFORM = 1e-3
"""Probabilities all this close to 1/K, relatively, tell softmax from little else."""


def smallest_scale_error(
    name: str, reference: NDArray[np.floating], allowances: Allowances
) -> float:
    """Return the smallest relative scale error of gradient `name` that cannot be missed here.

    It moves every entry in proportion: the entry with the smallest allowance for its size sees it
    first, or the projection of the whole gradient. Of a gradient of zeros there is none: infinity.
    """
    entries, allowed = reference.reshape(-1), allowances.gradients[name].reshape(-1)
    smallest = allowances.projections[name]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for start in range(0, entries.size, BLOCK):
            part = slice(start, start + BLOCK)
            relative = np.abs(entries[part], dtype=np.float64)
            np.divide(allowed[part], relative, out=relative)  # of a zero: infinity, or NaN
            smallest = float(np.fmin.reduce(relative, initial=smallest))
    return np.inf if np.isnan(smallest) else (1 + HONEST) * smallest


def smallest_error(name: str, reference: NDArray[np.floating], allowances: Allowances) -> float:
    """Return the smallest relative error of any shape, ||error|| / ||gradient||, that is seen here.

    An error within every allowance is no longer than they are together: a longer one is seen.
    """
    size, allowed = length(reference), allowances.lengths[name]
    return np.inf if size == 0.0 or np.isnan(allowed) else (1 + HONEST) * allowed / size


UNBOUNDED = "its allowance is not finite"
HIDDEN = "rounding may be as large as all of it"


def why_not_compared(
    name: str, manual: NDArray[np.floating], reference: NDArray[np.floating], allowances: Allowances
) -> str | None:
    """Return why gradient `name` was in truth not compared here, or None if it was.

    Any number passes under an allowance that is not finite, and any sign and size under one that no
    entry and no projection exceeds. Equal tensors are equal, whatever was allowed.
    """
    if np.array_equal(manual, reference):
        return None
    if not np.isfinite(allowances.lengths[name]):
        return UNBOUNDED
    seen = smallest_scale_error(name, reference, allowances)
    return HIDDEN if seen >= 1 + HONEST and reference.any() else None


def reasons_at(
    parameters: Values,
    gradients: Values,
    rows: int,
    distinct: int,
    p: Iterable[NDArray[np.floating]] | None,
) -> Iterator[tuple[str, str | None]]:
    """Yield what is weak at a point, whatever the allowance: `(reason, parameter)`.

    `rows` is the batch size, `distinct` how many of its rows differ, `p` the probabilities, (N, K)
    block by block of rows, if it is softmax that makes them.
    """
    depth = sum(name[0] == "w" for name in parameters)
    if rows == 1:
        yield "a batch of one cannot tell a mean from a sum", None
    elif distinct < rows:
        yield f"{rows - distinct} of {rows} samples repeat another one", None
    for layer in range(1, depth + 1):
        w, b = parameters[f"w{layer}"], parameters.get(f"b{layer}")
        if w.shape[0] == w.shape[1] > 1:
            yield f"w{layer} is square, so a missing transposition keeps its shape", f"w{layer}"
        if rows > 1 and rows in w.shape:
            yield f"the batch has as many samples as w{layer} has rows or columns", f"w{layer}"
        if b is not None and b.size > 1 and (b == b[0]).all():
            kind = "zero" if b[0] == 0 else "equal"
            yield f"b{layer} is {kind} everywhere, so a wrong use of it may not show", f"b{layer}"
        dead = gradients[f"w{layer}"].any(axis=0) == 0
        if layer < depth and dead.any():
            which = "all units" if dead.all() else "some units"
            yield (
                f"no gradient passes through {which} of layer {layer} at any sample of the batch",
                f"w{layer}",
            )
    if p is not None and (reason := weakness_of(p)) is not None:
        yield reason, None


def weakness_of(p: Iterable[NDArray[np.floating]]) -> str | None:
    """Return what is weak about the probabilities of a batch, or None."""
    uniform = saturated = True
    for block in p:
        classes = block.shape[1]
        uniform &= classes > 1 and bool(np.abs(block * classes - 1).max() < UNIFORM)
        saturated &= classes > 1 and bool((block.max(axis=1) == 1).all())
        if not uniform and not saturated:
            return None
    if uniform:
        return "all classes are equally probable, so softmax is hardly used"
    return "softmax is saturated for every sample"


@dataclass
class Occurrence:
    """A reason for weakness: at how many points, and where first."""

    points: int
    epoch: int
    update: int


@dataclass
class Power:
    """Counts, per gradient, the points with power, and keeps the worst of the others."""

    dtype: str
    points: int = 0
    powerful: dict[str, int] = field(default_factory=dict)
    weakest: dict[str, tuple[float, int, int]] = field(default_factory=dict)
    reasons: dict[tuple[str, str | None], Occurrence] = field(default_factory=dict)

    def see(self, reference: Values, allowances: Allowances, epoch: int, update: int) -> None:
        """Measure one point."""
        self.points += 1
        for name, tensor in reference.items():
            size = smallest_scale_error(name, tensor, allowances)
            seen = size <= PROMISED[self.dtype] and (
                smallest_error(name, tensor, allowances) <= PROMISED_OF_ANY_SHAPE
            )
            self.powerful[name] = self.powerful.get(name, 0) + seen
            if size > self.weakest.get(name, (0.0, 0, 0))[0]:
                self.weakest[name] = size, epoch, update

    def because(self, reasons: Iterator[tuple[str, str | None]], epoch: int, update: int) -> None:
        """Count reasons that do not depend on the allowance."""
        for reason in reasons:
            self.reasons.setdefault(reason, Occurrence(0, epoch, update)).points += 1

    def powerless(self) -> list[str]:
        """Return the gradients that had no point with power at all."""
        return [name for name, count in self.powerful.items() if count == 0]

    def weak(self) -> list[Weak]:
        """Return one entry per gradient with weak points and one per reason, with their counts."""
        found = []
        for name, count in self.powerful.items():
            if count < self.points:
                size, epoch, update = self.weakest[name]
                reason = self._reason(name, count, size)
                found.append(Weak("same_point", reason, name, epoch, update, size))
        for (reason, parameter), seen in self.reasons.items():
            where = f"at {seen.points} of {self.points} points: {reason}"
            found.append(Weak("same_point", where, parameter, seen.epoch, seen.update))
        return found

    def _reason(self, name: str, count: int, size: float) -> str:
        weak, promised = self.points - count, PROMISED[self.dtype]
        points = f"at {weak} of {self.points} points"
        if np.isinf(size):
            return f"{points} d{name} was zero everywhere, or within what rounding may do"
        if size > promised:
            return f"{points} a scale error of {promised:g} in d{name} could have been missed"
        any_shape = f"{PROMISED_OF_ANY_SHAPE:g}"
        return (
            f"{points} an error of {any_shape} of d{name} could have been missed, if no scale error"
        )
