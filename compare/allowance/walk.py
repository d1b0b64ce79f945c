"""One pass over a network with allowances in place of values, forward and backward.

It mirrors the network of the design layer by layer: it reads the reference's values (`z1`, `h1`,
..., `logits`, `dlogits`, `dh1`, `dz1`, ...), applies one rule per operation and carries squared
allowances on. With A for an allowance and `own` for what a sum itself rounds (see `sums`),

    A(z)**2  = own(h @ w) + A(h)**2 @ w**2
    A(h)**2  = f'**2 A(z)**2 + unit**2 h**2
    A(dh)**2 = own(dz @ w.T) + A(dz)**2 @ w.T**2
    A(dz)**2 = (f'**2 + A(f')**2) A(dh)**2 + dh**2 A(f')**2

with A(f') as in `rules`, and the gradients' as in `gradients`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Generic, NamedTuple, Self, TypeVar

import numpy as np

from compare.allowance.arithmetic import Arithmetic
from compare.allowance.batch import Batch
from compare.allowance.dense import Dense, widened
from compare.allowance.found import Allowances, ForwardAllowances
from compare.allowance.gradients import (
    Factors,
    Found,
    batch_sums,
    bias_rounding,
    gradient_allowances,
)
from compare.allowance.head import Head, Top
from compare.allowance.inner import usual
from compare.allowance.operands import INNER, Operand, Right
from compare.allowance.outputs import Output
from compare.allowance.propagated import Propagated
from compare.allowance.rules import ActivationRule
from compare.allowance.spread import Product, Slope, Spread
from compare.allowance.sums import additions, worst_factors
from compare.contracts.arrays import Float, Real, Values
from compare.contracts.records import depth

S = TypeVar("S", bound=Spread)

DEEP = 3
"""From so many layers on errors can be shared before they are multiplied by weights."""
SMALLEST_PEAK = 2.0**-200
"""Backward passes whose largest dlogits is below this are scaled up, or their squares vanish."""
LARGEST_SCALE = 1000
"""A denormal is not brought to order 1 in one factor: the power of two would be infinite."""


class Layer(NamedTuple, Generic[S]):
    """One layer's operands, and what the pass forward has learnt about them."""

    number: int
    w: Right  # (fan_in, fan_out)
    h: Operand  # (N, fan_in), the layer's input
    h_spread: S | None  # None: the input is exact
    z: S
    unit_weights: Float | None  # how often each output unit occurs among its equals


class Step(NamedTuple, Generic[S]):
    """One layer on the way back: dz of its outputs, and their squared allowances.

    `dh`: those of dh, None at the logits.
    """

    layer: Layer[S]
    dz: Operand
    spread: S
    dh: S | None


@dataclass
class Learnt:
    """What the sums over units round and share, by the name of the product, and the weights.

    Found in one pass; once it is `complete`, others over other rows of the same batch go by it.
    """

    rounding: dict[str, tuple[Float, float, float]] = field(default_factory=dict)
    widening: dict[str, Float] = field(default_factory=dict)
    weights: dict[int, Right] = field(default_factory=dict)
    complete: bool = False


@dataclass(frozen=True)
class Pass(Generic[S]):
    """One pass over one evaluation. `measure`: whether to look at the order of sums at all.

    `samples`: of the whole batch, of which these may be some rows.
    """

    arithmetic: Arithmetic
    parameters: Values
    batch: Batch
    values: Values
    rule: ActivationRule
    top: Top
    form: type[S]
    samples: int
    measure: bool = True
    learnt: Learnt = field(default_factory=Learnt)

    @classmethod
    def over(
        cls, arithmetic: Arithmetic, parameters: Values, batch: Batch, values: Values,
        rule: ActivationRule, top: Top, form: type[S], *,
        samples: int | None = None, measure: bool = True,
    ) -> Self:  # fmt: skip
        """Return a pass over these numbers, as its form takes them."""
        parameters, values = form.taken(parameters), form.taken(values)
        count = len(batch.x) if samples is None else samples
        return cls(arithmetic, parameters, batch, values, rule, top, form, count, measure)

    def of_rows(self, batch: Batch, values: Values) -> Self:
        """Return the pass over other rows of the same batch, by what this one has learnt."""
        return replace(self, batch=batch, values=self.form.taken(values))

    def unordered(self) -> Pass[Dense]:
        """Return the same pass entry by entry, with the worst order in every sum."""
        return Pass.over(
            self.arithmetic, self.parameters, self.batch, self.values, self.rule, self.top,
            Dense, measure=False,
        )  # fmt: skip

    def forward(self) -> ForwardAllowances:
        """Return the allowances of the loss and of everything on the way to it."""
        return self._head(self.layers()[0])

    def backward(self, gradients: Values) -> Allowances:
        """Return A(dw), A(db) and their projections of every layer; `gradients` as the reference's.

        In numbers that `scale` keeps away from underflow.
        """
        layers, errors = self.layers()
        forward = self._head(layers)
        gradients = self.form.taken(gradients)
        peak = float(np.abs(self.values["dlogits"]).max())
        scale, weights = scale_of(peak), forward.head.weights
        sums = batch_sums(self.arithmetic, len(self.batch.x), weights)
        dh: dict[int, S] = {}
        dz: dict[int, S] = {}
        found = Found({}, {})
        for layer, operand, spread, above in self.downwards(layers, errors, forward.head, scale):
            i = layer.number
            dz[i] = spread
            if above is not None:
                dh[i] = above
            dw, db = found.of_layer(gradients, i, scale)
            bias = bias_rounding(sums, self.batch, operand, db) if self.measure else None
            carried = spread.carried(layer.h, layer.h_spread, operand, weights)
            gathered = carried.gathered(operand.columns, sums.of_terms, bias)
            factors = Factors.of(layer.h, operand, weights)
            found.put(i, gradient_allowances(sums, self.batch, factors, gathered, dw, db, scale))
        entries, projections = found.ordered(gradients)
        again = partial(self._backward_unordered, gradients)
        return Allowances(forward, entries, projections, dh, dz, scale, again)

    def downwards(
        self, layers: list[Layer[S]], errors: Propagated | None, head: Head, scale: float
    ) -> Iterator[Step[S]]:
        """Go through the layers from the top down."""
        operand, dh = self.form.read(self._scaled("dlogits", scale)), None
        spread = self._dlogits(head, scale)
        if errors is not None:
            self._from_the_top(errors, head, spread.some_rows(errors.rows))
        for layer in reversed(layers):
            yield Step(layer, operand, spread, dh)
            below = layer.number - 1
            if below:
                dh = self._through(layer, operand, spread, errors, scale)
                spread = self._sloped(layer, layers[below - 1].z, dh, errors, scale)
                operand = self.form.read(self._scaled(f"dz{below}", scale))

    def _forward_unordered(self) -> ForwardAllowances:
        return self.unordered().forward()

    def _backward_unordered(self, gradients: Values) -> Allowances:
        return self.unordered().backward(gradients)

    def _from_the_top(self, errors: Propagated, head: Head, square: Float) -> None:
        """Go on from errors of the logits to those of dlogits, whose squared allowance is given.

        Those of a softmax have the signs that its derivative gives them, and sum to 0 in each
        sample. What p itself is rounded by does not: each has an error of its own, and one that all
        p of a sample share.
        """
        rows, logits = errors.rows, errors.entries
        errors.start(square)
        if head.softmax and logits is not None and errors.entries is not None:
            p = head.probabilities.T[rows]  # (S, K)
            moved = p * (logits - (p * logits).sum(axis=2, keepdims=True))  # (R, S, K)
            size = np.sqrt(np.square(moved).mean(axis=0))
            moved *= np.divide(np.sqrt(square), size, out=np.zeros(size.shape), where=size > 0)
            own, shared = head.own(rows, self.batch.y, self.arithmetic.unit)  # (S, K)
            moved *= np.sqrt(np.maximum(1 - own - shared, 0.0))
            moved += np.sqrt(own) * errors.entries
            moved += np.sqrt(shared * square) * errors.random.standard_normal((*moved.shape[:2], 1))
            errors.entries = np.where(size > 0, moved, errors.entries)

    def layers(self) -> tuple[list[Layer[S]], Propagated | None]:
        """Return what the pass forward finds, layer by layer, and errors at the logits."""
        layers: list[Layer[S]] = []
        operand, spread = self.batch.operand(self.form), None
        deep = depth(self.parameters)
        alike: Float | None = None
        every = not self.measure  # intermediates are held against single entries
        shares = deep >= DEEP and not self.learnt.complete
        errors = None
        if shares:
            errors = Propagated.of(len(self.batch.x), every=every, weights=self._shares())
        for number in range(1, deep + 1):
            right = self.learnt.weights.setdefault(number, Right(self.parameters[f"w{number}"]))
            name = f"z{number}" if number < deep else "logits"
            product = self._product(operand, right, alike, self.values[name], number)
            z = self._shared(name, self.form.product(spread, product), product, errors)
            alike = right.often
            layers.append(Layer(number, right, operand, spread, z, alike))
            if number < deep:
                h = self.values[f"h{number}"]
                spread = z.activated(self.rule, self.values[name], h, self.arithmetic)
                operand = self.form.read(h, bias=True)
                if errors is not None:
                    z_rows = self.values[name][errors.rows]
                    errors.activated(self.rule, z_rows, h[errors.rows], number)
        return layers, errors

    def _shares(self) -> Float | None:
        """Return how large a part of any layer's dz each row has, (N,); None if there is no dz."""
        found = []
        for name in ("dlogits", *(f"dz{i}" for i in range(1, depth(self.parameters)))):
            if name in self.values:
                largest = np.abs(self.values[name]).max(axis=1).astype(np.float64)
                found.append(largest / (largest.max() or 1.0))
        return np.maximum.reduce(found) if found else None

    def _shared(self, name: str, spread: S, product: Product, errors: Propagated | None) -> S:
        """Return a product's squared allowances, not below what errors that units share come to."""
        if errors is not None:
            own, rule = product.rounding(errors.rows), spread.some_rows(errors.rows)
            through = errors.through(product.right.entries, own, rule)
            self.learnt.widening[name] = through
        widening = self.learnt.widening.get(name)
        return spread if widening is None else spread.widened(widening)

    def _product(self, h: Operand, w: Right, alike: Float | None, z: Real, number: int) -> Product:
        """What `z = h @ w + b` rounds; the bias may come first and be in every partial sum."""
        terms = len(w.entries) + 1
        bias = widened(self.parameters[f"b{number}"])
        own, of_value, of_bias = self._own(f"z{number}", h, w, terms, z, bias)
        b = bias * bias
        b *= of_bias
        b += (terms * self.arithmetic.floor()) ** 2
        return Product(h.rows, w, own, of_value, alike, z, b)

    def _own(
        self, name: str, left: Operand, right: Right, terms: int, value: Real,
        constant: Float | float,
    ) -> tuple[Float, float, float]:  # fmt: skip
        """What the sums of `left @ right`, `value - constant`, round, squared.

        Per squared norm of a row of `left`, (H,), per squared value and per squared constant.
        """
        if self.learnt.complete:
            return self.learnt.rounding[name]
        unit_square = self.arithmetic.unit**2
        of_terms, of_sum = worst_factors(additions(terms), unit_square)
        found = right.columns * of_terms, of_sum, of_sum
        if self.measure and len(right.entries) >= INNER:
            measured = usual(left, right, value, constant, self.arithmetic.roundoff)
            found = measured * unit_square, 0.0, of_sum
        self.learnt.rounding[name] = found
        return found

    def head(self, layers: list[Layer[S]]) -> Head:
        """From the last layer's logits on."""
        spread = layers[-1].z.entries().T
        return self.top.head(self.arithmetic, self.values["logits"], self.batch, spread)

    def _head(self, layers: list[Layer[S]]) -> ForwardAllowances:
        """The loss, from the last layer's logits."""
        head = self.head(layers)
        return ForwardAllowances(
            head.loss * self.top.share,
            head,
            partial(iter, [Output.of(self.values["logits"], head)]),
            {layer.number: layer.z for layer in layers},
            {layer.number - 1: layer.h_spread for layer in layers if layer.h_spread is not None},
            self.arithmetic.tiny,
            self._forward_unordered,
        )

    def _dlogits(self, head: Head, scale: float) -> S:
        """A(dlogits)**2, of numbers multiplied by `scale`."""
        scaled = head.dlogits * (self.top.share * scale) + self.arithmetic.floor(scale)
        return self.form.of(np.square(scaled))

    def _through(
        self, layer: Layer[S], dz: Operand, spread: S, errors: Propagated | None, scale: float
    ) -> S:
        """A(dh)**2 of the layer below, for `dh = dz @ w.T`."""
        right = layer.w.transposed
        terms = len(right.entries)
        value = self._scaled(f"dh{layer.number - 1}", scale)
        name = f"dh{layer.number - 1}"
        own, of_value, _ = self._own(name, dz, right, terms, value, 0.0)
        flushed = np.full(right.entries.shape[1], (terms * self.arithmetic.floor(scale)) ** 2)
        product = Product(dz.rows, right, own, of_value, layer.unit_weights, value, flushed)
        return self._shared(name, self.form.product(spread, product), product, errors)

    def _sloped(
        self, layer: Layer[S], z_spread: S, dh: S, errors: Propagated | None, scale: float
    ) -> S:
        """A(dz)**2 for `dz = dh * f'(z)`; without A(f') correct tanh gradients look wrong."""
        assert layer.h_spread is not None
        number = layer.number - 1
        value = self._scaled(f"dh{number}", scale)
        if errors is not None:
            rows, through = errors.rows, self.values[f"{self.rule.through}{number}"]
            errors.sloped(self.rule, through[rows], value[rows], self.arithmetic.unit, number)
        below = self.values[f"z{number}"] if self.rule.of_z else None
        slope = Slope(
            self.rule, self.samples, layer.h, layer.h_spread, value,
            self.arithmetic.floor(scale), below, z_spread if self.rule.of_z else None,
        )  # fmt: skip
        return dh.sloped(slope, self.arithmetic)

    def _scaled(self, name: str, scale: float) -> Real:
        return scaled(self.values[name], scale)


def scaled(values: Real, scale: float) -> Real:
    """Return the values multiplied by `scale`."""
    return values if scale == 1.0 else values.astype(np.float64) * scale


def scale_of(peak: float) -> float:
    """A power of two that brings the largest |dlogits| to order 1, or 1 if it need not be moved."""
    if not 0 < peak < SMALLEST_PEAK:
        return 1.0
    return float(2.0 ** min(-int(np.frexp(peak)[1]), LARGEST_SCALE))
