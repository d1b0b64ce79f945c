"""Planted errors: a kind gives a direction D, a relative size says how much of it is added.

    planted = right + size * ||right|| / ||D|| * D        rounded to the format

`right` is what an honest variant computed, D is wrong - right for one slip of the named kind in
one tensor. `scale` adds `size * right` itself. A kind that makes no difference to a tensor (a
transposed vector, the mask of a unit that is always active) does not apply to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import manual_mlp
from benchmarks.power.case import Array, Arrays, Case, Float, norm

Generator = np.random.Generator
SIZES = tuple(float(f"1e-{k}") for k in range(14))
"""Relative sizes ||planted - right|| / ||right||, from 1 down; the promised ones are among them."""


@dataclass(frozen=True, slots=True)
class Pass:
    """The right gradients in the case's format, and one pass in float64 to make slips in."""

    case: Case
    gradients: Arrays
    wide: Case
    values: Arrays  # z1, h1, ..., logits, dlogits, dh1, dz1, ...

    @classmethod
    def of(cls, case: Case, gradients: Arrays) -> Pass:
        """Evaluate `case` in float64."""
        wide = case.of_format(np.float64)
        _, _, shown = manual_mlp.loss_and_gradients(
            wide.parameters, wide.x, wide.targets,
            activation=case.activation, reduction=case.reduction, intermediates=True,
        )  # fmt: skip
        return cls(case, gradients, wide, shown)

    def without(self, dlogits: Array, tensor: str) -> Float:
        """D of `tensor` where a part `dlogits` (N, K) of the gradient is lost: linear in it."""
        lost, _ = manual_mlp.backward(
            self.wide.parameters, self.wide.x, self.values, dlogits,
            activation=self.case.activation,
        )  # fmt: skip
        return np.asarray(-lost[tensor], dtype=np.float64)


Direction = Callable[[Pass, str, Generator], Float | None]


def scale(point: Pass, tensor: str, generator: Generator) -> Float:
    """Everything times one factor."""
    return point.gradients[tensor].astype(np.float64)


def sign(point: Pass, tensor: str, generator: Generator) -> Float:
    """Half of the entries, drawn at random, with the other sign."""
    right = point.gradients[tensor].astype(np.float64)
    flipped = generator.permutation(right.size) < (right.size + 1) // 2
    return np.asarray(-2 * right * flipped.reshape(right.shape))


def transpose(point: Pass, tensor: str, generator: Generator) -> Float | None:
    """Rows taken for columns, which keeps the shape of a square matrix."""
    right = point.gradients[tensor].astype(np.float64)
    return right.T - right if right.ndim == 2 and len(right) == right.shape[1] else None


def one_row(point: Pass, tensor: str, generator: Generator) -> Float | None:
    """One row of several left zero."""
    right = point.gradients[tensor]
    return _only(right, 0, generator) if right.ndim == 2 else None


def one_column(point: Pass, tensor: str, generator: Generator) -> Float | None:
    """One column of several left zero."""
    right = point.gradients[tensor]
    return _only(right, 1, generator) if right.ndim == 2 else None


def _only(right: NDArray[np.floating], axis: int, generator: Generator) -> Float | None:
    """Minus one row (axis 0) or column (axis 1) that is not zero, and zeros elsewhere."""
    filled = np.flatnonzero((right != 0).any(axis=1 - axis))
    if right.shape[axis] == 1 or len(filled) == 0:
        return None
    where = (slice(None),) * axis + (int(generator.choice(filled)),)
    direction = np.zeros(right.shape)
    direction[where] = -right[where].astype(np.float64)
    return direction


def one_entry(point: Pass, tensor: str, generator: Generator) -> Float | None:
    """One entry of several, one above the tensor's root mean square."""
    right = point.gradients[tensor].astype(np.float64)
    peak = np.abs(right).max(initial=0.0)
    if right.size == 1 or peak == 0:
        return None
    large = np.flatnonzero(np.abs(right) >= norm(right) / np.sqrt(right.size))
    direction = np.zeros(right.shape)
    at = int(generator.choice(large)) if len(large) else int(np.abs(right).argmax())
    direction.flat[at] = -right.flat[at]
    return direction


def missing_mask(point: Pass, tensor: str, generator: Generator) -> Float | None:
    """dz of one hidden unit without its mask: dh also where the unit is off, not only where on."""
    layer = int(tensor[1:])
    if point.case.activation != "relu" or layer == point.case.depth:
        return None
    off = point.values[f"z{layer}"] < 0  # (N, H)
    dz = np.where(off, point.values[f"dh{layer}"], 0.0)  # (N, H), what the mask removes
    h = point.wide.x if layer == 1 else point.values[f"h{layer - 1}"]
    every = np.asarray(h.T @ dz if tensor[0] == "w" else dz.sum(axis=0), dtype=np.float64)
    units = np.flatnonzero((every != 0).any(axis=0) if every.ndim == 2 else every != 0)
    if len(units) == 0:
        return None
    unit = int(generator.choice(units))
    direction = np.zeros(every.shape)
    direction[..., unit] = every[..., unit]
    return direction


def one_sample(point: Pass, tensor: str, generator: Generator) -> Float | None:
    """One sample of several left out of the sums, the 1/N unchanged."""
    rows = len(point.values["dlogits"])
    if rows == 1:
        return None
    lost = np.zeros_like(point.values["dlogits"])
    row = int(generator.integers(rows))
    lost[row] = point.values["dlogits"][row]
    return point.without(lost, tensor)


def one_class(point: Pass, tensor: str, generator: Generator) -> Float | None:
    """One class of several without its share of dlogits."""
    classes = point.values["dlogits"].shape[1]
    if classes == 1:
        return None
    lost = np.zeros_like(point.values["dlogits"])
    column = int(generator.integers(classes))
    lost[:, column] = point.values["dlogits"][:, column]
    return point.without(lost, tensor)


KINDS: dict[str, Direction] = {
    "scale": scale,
    "sign": sign,
    "transpose": transpose,
    "one row": one_row,
    "one column": one_column,
    "one entry": one_entry,
    "missing mask": missing_mask,
    "one sample": one_sample,
    "one class": one_class,
}


@dataclass(frozen=True, slots=True)
class Planting:
    """One kind of error in one tensor of one case; `direction` has norm 1."""

    kind: str
    tensor: str
    right: Arrays
    direction: Float

    def error(self, size: float) -> Float:
        """What is added to the right tensor: its norm is `size` times that tensor's."""
        return size * norm(self.right[self.tensor]) * self.direction

    def planted(self, size: float) -> Arrays:
        """The gradients with an error of relative `size` in one of them."""
        right = self.right[self.tensor]
        wrong = right.astype(np.float64) + self.error(size)
        return {**self.right, self.tensor: wrong.astype(right.dtype)}


def plantings(case: Case, gradients: Arrays, generator: Generator) -> Iterator[Planting]:
    """Yield one planting of every kind that applies, each in a tensor drawn from those it fits."""
    point = Pass.of(case, gradients)
    for kind, direction_of in KINDS.items():
        for tensor in generator.permutation(list(gradients)):
            direction = direction_of(point, tensor, generator)
            length = 0.0 if direction is None else norm(direction)
            if direction is not None and 0 < length < np.inf and norm(gradients[tensor]) > 0:
                peak = np.abs(direction).max()
                unit = direction / peak
                yield Planting(kind, str(tensor), gradients, unit / np.linalg.norm(unit))
                break
