"""The pass over a network whose hidden layers normalise or drop units: `walk` with one rule more.

Squared allowances are kept entry by entry, because means over a row or a column are of no low rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import numpy as np

from compare.allowance.between import Inside
from compare.allowance.dense import Dense, widened
from compare.allowance.found import Allowances, ForwardAllowances
from compare.allowance.gradients import (
    Factors,
    Found,
    batch_sums,
    bias_rounding,
    gradient_allowances,
    projection_allowance,
)
from compare.allowance.operands import Operand, Right
from compare.allowance.spread import Gathered, Slope
from compare.allowance.totals import total_allowance
from compare.allowance.walk import Layer, Learnt, Pass, scale_of
from compare.contracts.arrays import Float, Values


@dataclass(frozen=True)
class Between:
    """What the pass forward knows of a hidden layer: squared allowances, (N, H)."""

    z: Float
    s: Float
    n: Dense
    a: Dense
    h: Dense


@dataclass(frozen=True)
class NormalisedPass(Pass[Dense]):
    """One pass over one evaluation of such a network."""

    inside: Mapping[int, Inside] = None  # type: ignore[assignment]  # given by `with_insides`

    def with_insides(self, inside: Mapping[int, Inside]) -> Self:
        """The same pass with what stands in the hidden layers."""
        return replace(self, inside=inside)

    def unordered(self) -> NormalisedPass:
        """The same pass with the worst order in every sum."""
        return replace(self, measure=False, learnt=Learnt())

    def forward(self) -> ForwardAllowances:
        """The allowances of the loss and of everything on the way to it."""
        layers, between = self._walked()
        return self._found(layers, between)

    def _found(self, layers: list[Layer[Dense]], between: dict[int, Between]) -> ForwardAllowances:
        shown: dict[str, Dense] = {}
        for i, one in between.items():
            shown |= {f"z{i}": Dense(one.z), f"s{i}": Dense(one.s), f"n{i}": one.n, f"a{i}": one.a}
        return replace(self._head(layers), shown=shown)

    def _walked(self) -> tuple[list[Layer[Dense]], dict[int, Between]]:
        """Layer by layer forward; `Layer.z` is the allowance of what the activation takes."""
        layers: list[Layer[Dense]] = []
        between: dict[int, Between] = {}
        operand, spread = self.batch.operand(Dense), None
        depth, alike = len(self.inside) + 1, None
        for i in range(1, depth + 1):
            right = Right(self.parameters[f"w{i}"])
            name = f"z{i}" if i < depth else "logits"
            z = Dense.product(spread, self._product(operand, right, alike, self.values[name], i))
            alike = right.often
            if i == depth:
                layers.append(Layer(i, right, operand, spread, z, alike))
                return layers, between
            between[i] = self._through_layer(i, z)
            layers.append(Layer(i, right, operand, spread, between[i].n, alike))
            spread, operand = between[i].h, Dense.read(self.values[f"h{i}"], bias=True)
        raise AssertionError("the last layer returns")

    def _through_layer(self, i: int, z: Dense) -> Between:
        inside, arithmetic = self.inside[i], self.arithmetic
        s = n = z.square
        if inside.gamma is not None:
            s = inside.standardised(z.square, arithmetic)
            n = inside.normalised(s, self._taken(i), arithmetic)
        taken, given = self._taken(i), self._given(i)
        a = Dense(n).activated(self.rule, taken, given, arithmetic)
        h = Dense(inside.dropped(a.square, given, arithmetic, arithmetic.floor()))
        return Between(z.square, s, Dense(n), a, h)

    def _taken(self, i: int) -> Float:
        """What the activation takes, n or z."""
        return widened(self.values[f"n{i}" if f"n{i}" in self.values else f"z{i}"])

    def _given(self, i: int) -> Float:
        """What the activation gives, a or h."""
        return widened(self.values[f"a{i}" if f"a{i}" in self.values else f"h{i}"])

    def backward(self, gradients: Values) -> Allowances:
        """A of every gradient, from the top down, in numbers that `scale` keeps from underflow."""
        layers, between = self._walked()
        forward = self._found(layers, between)
        gradients = Dense.taken(gradients)
        peak = float(np.abs(self.values["dlogits"]).max())
        scale, weights = scale_of(peak), forward.head.weights
        operand = Dense.read(self._scaled("dlogits", scale))
        sums = batch_sums(self.arithmetic, len(self.batch.x), weights)
        dz, dh = {len(layers): self._dlogits(forward.head, scale)}, dict[int, Dense]()
        found, shown = Found({}, {}), dict[str, Dense]()
        for layer in reversed(layers):
            i = layer.number
            dw, db = found.of_layer(gradients, i, scale)
            bias = bias_rounding(sums, self.batch, operand, db) if self.measure else None
            carried = dz[i].carried(layer.h, layer.h_spread, operand, weights)
            gathered = carried.gathered(operand.columns, sums.of_terms, bias)
            gathered = self._with_shared(i, gathered, layer.h, operand, between, scale)
            factors = Factors.of(layer.h, operand, weights)
            found.put(i, gradient_allowances(sums, self.batch, factors, gathered, dw, db, scale))
            if i == 1:
                break
            dh[i - 1] = self._through(layer, operand, dz[i], None, scale)
            dn = self._to_n(i - 1, dh[i - 1], layer.h, between[i - 1], scale)
            shown[f"dn{i - 1}"] = dn
            dz[i - 1] = self._to_z(i - 1, dn, between[i - 1], scale)
            self._scales(i - 1, dn, between[i - 1], weights, scale, found)
            operand = Dense.read(self._scaled(f"dz{i - 1}", scale))
        entries, projections = found.ordered(gradients)
        again = partial(self._backward_unordered, gradients)
        return Allowances(forward, entries, projections, dh, dz, scale, again, shown)

    def _with_shared(
        self, i: int, carried: Gathered, h: Operand, dz: Operand, between: Mapping[int, Between],
        scale: float,
    ) -> Gathered:  # fmt: skip
        """Add what the rows of a batch share by its statistics: such errors add up, not in squares.

        On the way forward those of mu and r below this layer, on the way back those of its means.
        """
        rows, width = len(dz.entries), dz.entries.shape[1]
        more = np.zeros((h.entries.shape[1] + 1, width))
        below, here = self.inside.get(i - 1), self.inside.get(i)
        if below is not None and below.axis == 0:
            assert below.gamma is not None
            through = self._taken(i - 1) if self.rule.of_z else self._given(i - 1)
            slope = self.rule.slope(through) * below.gamma
            slope = slope if below.q is None else slope * below.q
            of_mu, of_root = below.shared_forward(self.arithmetic)
            more[:-1] += of_mu.T * np.square((slope * below.r).T @ dz.entries)
            more[:-1] += of_root.T * np.square((slope * below.s).T @ dz.entries)
        if here is not None and here.axis == 0:
            one = between[i]
            dn = widened(self._scaled(f"dn{i}", scale))
            shared = here.shared_back(dn, one.z, one.s, self.arithmetic)
            left = np.hstack([h.entries, np.ones((rows, 1))])
            more += here.r**2 * shared.mean * np.square(left.sum(axis=0))[:, None]
            more += here.r**2 * shared.slope * np.square(left.T @ here.s)
            more += shared.root * np.square(left.T @ dz.entries)
        square = carried.square
        square += more
        total, of_bias = float(more[:-1].sum()), float(more[-1].sum())
        return carried._replace(
            shared=carried.shared + total, bias_shared=carried.bias_shared + of_bias
        )

    def _to_n(self, i: int, dh: Dense, h: Operand, between: Between, scale: float) -> Dense:
        """A(dn)**2, for da = q dh and dn = da f'."""
        inside, floor = self.inside[i], self.arithmetic.floor(scale)
        value = self._scaled(f"dh{i}", scale)
        da = Dense(inside.dropped(dh.square, widened(value), self.arithmetic, floor))
        if inside.q is not None:
            value = self._scaled(f"da{i}", scale)
            h = Dense.read(self._given(i), bias=True)
        below = self._taken(i) if self.rule.of_z else None
        spread = between.n if self.rule.of_z else None
        slope = Slope(self.rule, self.samples, h, between.a, value, floor, below, spread)
        return da.sloped(slope, self.arithmetic)

    def _to_z(self, i: int, dn: Dense, between: Between, scale: float) -> Dense:
        inside = self.inside[i]
        if inside.gamma is None:
            return dn
        value, floor = widened(self._scaled(f"dn{i}", scale)), self.arithmetic.floor(scale)
        return Dense(inside.sloped(dn.square, value, between.z, between.s, self.arithmetic, floor))

    def _scales(
        self, i: int, dn: Dense, between: Between, weights: Float | None, scale: float,
        found: Found,
    ) -> None:  # fmt: skip
        """A(dgamma) = A(sum dn s) and A(dbeta) = A(sum dn)."""
        inside = self.inside[i]
        if f"gamma{i}" not in self.parameters:
            return
        value, often = widened(self._scaled(f"dn{i}", scale)), np.ones(len(self.batch.x))
        often = often if weights is None else weights
        product = np.sqrt(dn.square * inside.s**2 + value**2 * between.s)
        for name, terms, allowed in (
            (f"gamma{i}", value * inside.s, product),
            (f"beta{i}", value, np.sqrt(dn.square)),
        ):
            allowance = total_allowance(terms, allowed, often, self.arithmetic)
            total = terms.sum(axis=0)
            shared = float(np.square(allowance).sum())
            norm = float(np.vdot(total, total))
            found.entries[name] = allowance / scale
            found.projections[name] = projection_allowance(shared, 0.0, norm)
