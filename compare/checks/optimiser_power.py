"""An update of any optimiser as a whole: projections of it, and what it could have shown.

    <manual - reference, d> / <d, d>        d: the change of a parameter, or one of its buffers

Entries are rounded on their own, so in this mean they shrink like the root of their number; the
constants of the update, which all entries share, do not. A relative error of the promised size in
the change, in what is kept of a buffer or in what is added to it shows in an entry or in a
projection, or the update is weak for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from compare.allowance.arithmetic import quiet
from compare.checks.comparison import BLOCK, HONEST, Comparison
from compare.checks.optimiser_step import CONSTANTS, OptimiserStep, ReplayedState, done
from compare.checks.step_projection import Projection
from compare.contracts.arrays import Array, Arrays, Float
from compare.textbook.pair import arithmetic_of


@dataclass(frozen=True)
class Tensor:
    """A parameter or a buffer after an update: due, its allowances, and the direction d."""

    name: str
    due: Array
    allowed: Float
    direction: Float
    operands: tuple[Array, Array, Array]
    shared: float

    @property
    def parts(self) -> list[slice]:
        """The entries piece by piece."""
        return [slice(start, start + BLOCK) for start in range(0, self.due.size, BLOCK)]

    @cached_property
    @quiet
    def projection(self) -> Projection:
        """Return the projection; its allowance is infinite where there is no direction."""
        d, a = self.direction.reshape(-1), self.allowed.reshape(-1)
        norm, weighed = float(np.vdot(d, d)), np.where(d == 0, 0.0, a * d)
        flat = tuple(operand.reshape(-1) for operand in self.operands)
        squares = float(np.vdot(weighed, weighed))
        return Projection(
            self.due.reshape(-1), d.__getitem__, flat, norm, squares, self.shared * norm  # type: ignore[arg-type]  # three of them
        )  # fmt: skip

    def compare(self, manual: Array) -> Comparison | None:
        """Hold the tensor as a whole against what is due."""
        return self.projection.compare(f"{self.name} projection", manual.reshape(-1), self.parts)

    @quiet
    def smallest(self, term: Float) -> float:
        """Return the smallest relative error of `term` that cannot be missed."""
        moved = abs(float(np.vdot(term.reshape(-1), self.direction.reshape(-1))))
        entry = float(np.fmin.reduce((self.allowed / np.abs(term)).reshape(-1), initial=np.inf))
        projection = self.projection
        whole = (
            projection.allowance(projection.alike) * projection.norm / moved if moved else np.inf
        )
        return (1 + HONEST) * float(np.fmin(entry, whole)) if np.any(term) else np.inf


@dataclass(frozen=True)
class ReplayedUpdate:
    """One update, replayed: `start` is the state before it, `after` the reference's."""

    step: OptimiserStep
    parameters: Arrays
    gradients: Arrays
    start: ReplayedState
    expected: Arrays
    allowed: Mapping[str, Float]
    after: ReplayedState

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """Return every parameter and every buffer, `w1`, `m_w1`, ..."""
        found: dict[str, Tensor] = {}
        for name, w in self.parameters.items():
            unit = arithmetic_of(w.dtype).unit
            shared = CONSTANTS * unit + self.clipped
            dw = self.gradients[name]
            change = np.subtract(self.expected[name], w, dtype=np.float64)
            operands = dw, w, dw
            due, allowed = self.expected[name], self.allowed[name]
            found[name] = Tensor(name, due, allowed, change, operands, shared)
            for key in self.keys_of(name):
                kept = self.after.values[key]
                operands = kept, dw, kept
                wide = kept.astype(np.float64)
                allowed = self.after.allowances[key]
                found[key] = Tensor(key, kept, allowed, wide, operands, 2 * shared)
        return found

    @cached_property
    def clipped(self) -> float:
        """The relative allowance of clipping by norm, which all entries share."""
        clipping = self.step.clipping
        return 0.0 if clipping.norm is None else clipping.shortened(self.gradients)[1]

    def keys_of(self, name: str) -> list[str]:
        """Return the buffers of a parameter."""
        return [key for key in self.after.allowances if key.partition("_")[2] == name]

    def projections(self, after: Arrays) -> Iterator[Comparison]:
        """Yield what each tensor of a side is as a whole; the parameters, and its own buffers."""
        for key, tensor in self.tensors.items():
            compared = tensor.compare(after[key]) if key in after else None
            if compared is not None:
                yield compared

    @quiet
    def smallest_errors(self, name: str, buffers: bool) -> Iterator[tuple[str, float]]:
        """Yield every factor of one parameter's update with the smallest error it shows."""
        yield "change", self.tensors[name].smallest(self.tensors[name].direction)
        if not buffers:
            return
        for key, added in self.added(name).items():
            tensor, prefix = self.tensors[key], key.partition("_")[0]
            yield f"fed {prefix}", tensor.smallest(added)
            yield f"carried {prefix}", tensor.smallest(tensor.direction - added)

    def added(self, name: str) -> dict[str, Any]:
        """Return what an update adds to the buffers: what they are if they were zero before."""
        w, step = self.parameters[name].astype(np.float64), self.step
        dw = step.clipping.pairs(self.gradients)[name].value
        prefixes = [key.partition("_")[0] for key in self.keys_of(name)]
        zeros = {p: np.zeros_like(w) for p in prefixes} if done(self.start) else {}
        made = step.rule(w, dw, zeros, done(self.start) + 1, step.settings_of(name))[1]
        return {f"{p}_{name}": made[p] * step.scale for p in prefixes}
