"""The allowance of every number of one forward and backward pass, layer by layer.

The pass mirrors the network of the design: it reads the reference's values (`z1`, `h1`, ...,
`logits`, `dlogits`, `dz1`, ...), applies one rule per operation, and carries squared allowances
forward to the loss and back to every gradient. With A for an allowance and `n = fan_in + 1`,

    A(z)**2  = n unit**2 (||h_i||**2 ||w_j||**2 + b_j**2) + A(h)**2 @ w**2
    A(h)**2  = f'**2 A(z)**2 + unit**2 h**2
    A(dw)**2 = N unit**2 ||h_f||**2 ||dz_j||**2 + A(h)**2.T @ dz**2 + h**2.T @ A(dz)**2
    A(db)**2 = N unit**2 (sum |dz_j|)**2 + sum_n A(dz)**2
    A(dh)**2 = n unit**2 ||dz_i||**2 ||w_j||**2 + A(dz)**2 @ w.T**2
    A(dz)**2 = f'**2 A(dh)**2 + dh**2 A(f')**2 + unit**2 dz**2
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compare.allowance.alike import multiplicities, row_weights
from compare.allowance.arithmetic import Arithmetic
from compare.allowance.rules import (
    ACTIVATION_RULES,
    ActivationRule,
    ambiguous_samples,
    sample_loss_allowance,
    softmax_allowance,
    softmax_rows,
    total_allowance,
)
from compare.allowance.spread import Dense, LowRank, SpreadType
from compare.allowance.squares import column_squares_and_sums, row_squares

Float = NDArray[np.float64]
Values = Mapping[str, NDArray[np.floating]]
Spread = Dense | LowRank

quiet = np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore")
"""An allowance may overflow to infinity, which means that nothing can be told there."""
DENSE_ENTRIES = 1 << 15
"""Up to this many entries in the widest activation matrix the pass keeps every entry."""
SMALLEST_PEAK = 2.0**-200
"""Backward passes whose largest dlogits is below this are scaled up, or their squares vanish."""
LARGEST_SCALE = 1000
"""A denormal is not brought to order 1 in one factor: the power of two would be infinite."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer's operands, and what the pass has learnt about its input."""

    number: int
    w: NDArray[np.floating]  # (fan_in, fan_out)
    h: NDArray[np.floating]  # (N, fan_in), the layer's input
    h_spread: Spread | None  # None: the input is exact
    unit_weights: Float | float  # how often each output unit occurs among its equals


@dataclass(frozen=True, slots=True)
class ForwardAllowances:
    """Allowances of a loss and of everything on the way to it.

    `ambiguous` counts the samples whose predicted class rounding may change, so two accuracies may
    differ by `ambiguous / N`. `z` holds squared allowances per layer, `logits` and `p` plain ones,
    (N, K). `probabilities` is softmax of the reference's logits in float64.
    """

    loss: float
    ambiguous: int
    logits: Float
    p: Float
    probabilities: Float
    row_weights: Float
    z: dict[int, Spread]
    layers: list[_Layer]


@dataclass(frozen=True, slots=True)
class Allowances:
    """Allowances of one evaluation with its gradients.

    `gradients` is keyed by parameter (`w1`, ...) and has its shapes. `projections` allows for
    `<manual - reference, reference> / <reference, reference>`, one number per parameter. `dz` holds
    squared allowances per layer of numbers multiplied by `scale`.
    """

    forward: ForwardAllowances
    dlogits: Float
    gradients: dict[str, Float]
    projections: dict[str, float]
    dz: dict[int, Spread]
    scale: float

    def intermediate(self, name: str) -> Float | None:
        """Return the allowance of the intermediate `name` (`z1`, `dz1`, `logits`, ...), or None."""
        forward = self.forward
        plain = {"logits": forward.logits, "p": forward.p, "dlogits": self.dlogits}
        if name in plain:
            return plain[name]
        for prefix, table, scale in (("dz", self.dz, self.scale), ("z", forward.z, 1.0)):
            layer = name.removeprefix(prefix)
            if layer.isdigit() and int(layer) in table:
                return np.sqrt(table[int(layer)].entries()) / scale
        return None


def preferred_form(rows: int, widest: int) -> SpreadType:
    """`Dense` for small networks; `LowRank`, never below it, where entries would cost too much."""
    return Dense if rows * widest <= DENSE_ENTRIES else LowRank


@quiet
def forward_allowances(
    arithmetic: Arithmetic,
    parameters: Values,
    x: NDArray[np.floating],
    targets: NDArray[np.floating],
    values: Values,
    *,
    activation: str,
    reduction: str = "mean",
    identities: NDArray[np.int64] | None = None,
    form: SpreadType | None = None,
) -> ForwardAllowances:
    """Return the allowances of the loss whose reference values are `values` (`h1`, ..., `logits`).

    `x`: (N, F), `targets`: (N, K), rows that sum to 1. `identities`: one number per row of `x`,
    equal for equal rows. `form`: how squared allowances are kept, `preferred_form` by default.
    """
    rule = ACTIVATION_RULES[activation]
    depth = sum(name.startswith("w") for name in parameters)
    if form is None:
        form = preferred_form(len(x), max(parameters[f"b{i}"].size for i in range(1, depth + 1)))
    layers, z = _walk_forward(arithmetic, parameters, x, values, rule, depth, form)
    logits = values["logits"].astype(np.float64)  # (N, K)
    weights = row_weights(identities, logits)  # (N,)
    z_allowance = np.sqrt(z[depth].entries())
    p, shifted = softmax_rows(logits)
    losses = np.log(np.exp(shifted).sum(axis=1)) - (targets * shifted).sum(axis=1)  # (N,)
    terms = sample_loss_allowance(logits, p, targets, z_allowance, arithmetic.unit)
    total = float(total_allowance(losses, terms, weights, arithmetic))
    total += arithmetic.unit * float(np.abs(losses).sum())
    return ForwardAllowances(
        loss=total / len(x) if reduction == "mean" else total,
        ambiguous=ambiguous_samples(logits, z_allowance),
        logits=z_allowance,
        p=softmax_allowance(p, shifted, z_allowance, arithmetic.unit)
        + p.shape[1] * arithmetic.tiny,
        probabilities=p,
        row_weights=weights,
        z=z,
        layers=layers,
    )


@quiet
def network_allowances(
    arithmetic: Arithmetic,
    parameters: Values,
    x: NDArray[np.floating],
    targets: NDArray[np.floating],
    values: Values,
    gradients: Values,
    *,
    activation: str,
    reduction: str = "mean",
    identities: NDArray[np.int64] | None = None,
    form: SpreadType | None = None,
) -> Allowances:
    """Return the allowances of loss and gradients; arguments as in `forward_allowances`.

    `values` must also hold `dlogits` and every `dz`, and `gradients` is the reference's.
    """
    forward = forward_allowances(
        arithmetic, parameters, x, targets, values,
        activation=activation, reduction=reduction, identities=identities, form=form,
    )  # fmt: skip
    share = 1 / len(x) if reduction == "mean" else 1.0
    rounding = 2 * arithmetic.unit * np.abs(forward.probabilities - targets)
    dlogits = share * (forward.p + rounding) + arithmetic.tiny
    return _walk_backward(
        arithmetic, values, gradients, ACTIVATION_RULES[activation], forward, dlogits
    )


def _walk_forward(
    arithmetic: Arithmetic,
    parameters: Values,
    x: NDArray[np.floating],
    values: Values,
    rule: ActivationRule,
    depth: int,
    form: SpreadType,
) -> tuple[list[_Layer], dict[int, Spread]]:
    layers: list[_Layer] = []
    z: dict[int, Spread] = {}
    h, h_spread = x, None
    input_weights: Float | float = 1.0
    for number in range(1, depth + 1):
        w = parameters[f"w{number}"]
        b = parameters[f"b{number}"].astype(np.float64)
        z[number], unit_weights = _product(arithmetic, h, h_spread, w, b, input_weights, form)
        layers.append(_Layer(number, w, h, h_spread, unit_weights))
        if number < depth:
            h = values[f"h{number}"]
            h_spread = _activated(arithmetic, h, z[number], rule)
            input_weights = unit_weights
    return layers, z


def _product(
    arithmetic: Arithmetic,
    h: NDArray[np.floating],
    h_spread: Spread | None,
    w: NDArray[np.floating],
    b: Float,
    input_weights: Float | float,
    form: SpreadType,
) -> tuple[Spread, Float | float]:
    """A(z)**2 for `z = h @ w + b`, and how often each unit occurs among its equals."""
    weight_square = np.square(w, dtype=np.float64)  # (fan_in, fan_out)
    terms = len(w) + 1
    rounding = terms * arithmetic.unit**2
    w_columns = weight_square.sum(axis=0)
    bias = rounding * b * b + (terms * arithmetic.floor()) ** 2
    spread = form.outer([row_squares(h), np.ones(len(h))], [rounding * w_columns, bias])
    if h_spread is not None:
        weighted = weight_square * np.reshape(input_weights, (-1, 1))
        spread = h_spread.through(weighted).plus(spread)  # type: ignore[arg-type]
    unit_weights = multiplicities(w_columns)
    return spread, 1.0 if unit_weights is None else unit_weights


def _activated(
    arithmetic: Arithmetic, h: NDArray[np.floating], z_spread: Spread, rule: ActivationRule
) -> Spread:
    """A(h) for `h = f(z)`."""
    steepest = rule.steepest(h)
    spread = z_spread.times(
        lambda: np.square(rule.slope(h), dtype=np.float64), 1.0, np.square(steepest)
    )
    if rule.value == 0.0:
        return spread
    rounding = (rule.value * arithmetic.unit) ** 2
    return spread.plus_entries(
        lambda: rounding * np.square(h, dtype=np.float64),
        np.ones(len(h)),
        np.full(h.shape[1], rounding),  # |h| <= 1 wherever f is not exact
    )


def _walk_backward(
    arithmetic: Arithmetic,
    values: Values,
    reference: Values,
    rule: ActivationRule,
    forward: ForwardAllowances,
    dlogits: Float,
) -> Allowances:
    """A(dw), A(db) and their projections of every layer, and A(dz) squared."""
    layers, form = forward.layers, type(forward.z[1])
    scale = _scale_of(values["dlogits"])
    floor = arithmetic.floor(scale)
    spread: Spread = form.of(np.square(dlogits * scale))
    gradients: dict[str, Float] = {}
    projections: dict[str, float] = {}
    dz_spreads: dict[int, Spread] = {}
    for layer in reversed(layers):
        dz_spreads[layer.number] = spread
        name = "dlogits" if layer is layers[-1] else f"dz{layer.number}"
        dz = values[name] if scale == 1.0 else values[name].astype(np.float64) * scale
        parts = _parameter_gradients(arithmetic, layer, dz, spread, forward.row_weights)
        for kind, part in zip("wb", parts, strict=True):
            key = f"{kind}{layer.number}"
            gradients[key] = (np.sqrt(part.square) + len(dz) * floor) / scale
            projections[key] = part.projection(reference[key], scale)
        if layer.number > 1:
            spread = _through_layer(arithmetic, layer, dz, spread, rule, floor, form)
    return Allowances(forward, dlogits, gradients, projections, dz_spreads, scale)


def _scale_of(dlogits: NDArray[np.floating]) -> float:
    """A power of two that brings the largest |dlogits| to order 1, or 1 if it need not be moved."""
    peak = float(np.abs(dlogits).max())
    if not 0 < peak < SMALLEST_PEAK:
        return 1.0
    return float(2.0 ** min(-int(np.frexp(peak)[1]), LARGEST_SCALE))


@dataclass(frozen=True, slots=True)
class _GradientSpread:
    """A(gradient)**2 with its two sources apart: `rows x columns`, the rounding of the sum itself,
    independent from entry to entry, and what was carried in, which entries share."""

    square: Float
    rows: Float
    columns: Float
    likeness: float  # how often the most frequent row or column of the gradient occurs

    def projection(self, reference: NDArray[np.floating], scale: float) -> float:
        """A(<d, g> / <g, g>): independent errors add in squares, shared ones by Cauchy-Schwarz."""
        g = np.reshape(reference, (len(self.rows), -1)).astype(np.float64) * scale
        norm = float(np.vdot(g, g))
        if norm == 0.0:
            return np.inf
        own = np.multiply.outer(self.rows, self.columns)
        shared = float((self.square - own.reshape(self.square.shape)).sum())
        independent = float(self.rows @ np.square(g) @ self.columns) * self.likeness
        return float(np.sqrt(max(shared, 0.0) / norm + independent / norm / norm))


def _parameter_gradients(
    arithmetic: Arithmetic,
    layer: _Layer,
    dz: NDArray[np.floating],
    spread: Spread,
    weights: Float,
) -> tuple[_GradientSpread, _GradientSpread]:
    """A(dw)**2, (fan_in, fan_out), and A(db)**2, (fan_out,)."""
    rounding = float(weights.sum()) * arithmetic.unit**2
    dz_squares, dz_sums = column_squares_and_sums(dz)  # (fan_out,), (fan_out,)
    carried, h_squares = spread.gathered(layer.h, weights)
    if layer.h_spread is not None:
        carried += layer.h_spread.collected(np.square(dz, dtype=np.float64) * weights[:, None])
    outputs = _largest_multiplicity(dz_squares)
    inputs = _largest_multiplicity(h_squares)
    rows = rounding * h_squares
    carried += np.multiply.outer(rows, dz_squares)
    one, total = np.array([rounding]), dz_sums**2
    return (
        _GradientSpread(carried, rows, dz_squares, inputs * outputs),
        _GradientSpread(one * total + spread.totals(weights), one, total, outputs),
    )


def _largest_multiplicity(squares: Float) -> float:
    """How often the most frequent non-zero column occurs; equal columns have equal norms."""
    times = multiplicities(squares[squares > 0])
    return 1.0 if times is None else float(times.max())


def _through_layer(
    arithmetic: Arithmetic,
    layer: _Layer,
    dz: NDArray[np.floating],
    spread: Spread,
    rule: ActivationRule,
    floor: float,
    form: SpreadType,
) -> Spread:
    """A(dz)**2 of the layer below, for `dh = dz @ w.T` and `dz_below = dh * f'(z_below)`."""
    h, h_spread = layer.h, layer.h_spread
    assert h_spread is not None
    weight_square = np.square(layer.w, dtype=np.float64)  # (fan_in, fan_out)
    dz_rows, w_rows = row_squares(dz), weight_square.sum(axis=1)
    terms = layer.w.shape[1] + 1
    flushed = np.full(len(h), (terms * floor) ** 2)
    rounding = form.outer(
        [dz_rows, flushed], [terms * arithmetic.unit**2 * w_rows, np.ones(len(w_rows))]
    )
    weighted = (weight_square * layer.unit_weights).T
    dh_spread = spread.through(weighted).plus(rounding)  # type: ignore[arg-type]
    steepest = np.square(rule.steepest(h))
    below = dh_spread.times(lambda: np.square(rule.slope(h), dtype=np.float64), 1.0, steepest)
    if rule.bend is None:
        return below
    return below.plus(_bent(arithmetic, layer, dz, dz_rows, w_rows, rule))  # type: ignore[arg-type]


def _bent(
    arithmetic: Arithmetic,
    layer: _Layer,
    dz: NDArray[np.floating],
    dz_rows: Float,
    w_rows: Float,
    rule: ActivationRule,
) -> Spread:
    """The part `dh**2 A(f')**2 + unit**2 dz**2`: errors of the slope itself.

    `A(f') = |df'/dh| A(h) + slope_rounding unit`; without it correct tanh gradients look wrong.
    """
    h, h_spread, bend = layer.h, layer.h_spread, rule.bend
    assert h_spread is not None and bend is not None
    slope_error = h_spread.times(
        lambda: 2 * np.square(bend(h), dtype=np.float64), 1.0, 2 * rule.steepest_bend**2
    )
    own = 2 * ((1 + rule.slope_rounding) * arithmetic.unit) ** 2
    slope_error = slope_error.plus_entries(
        lambda: np.full(h.shape, own), np.ones(len(h)), np.full(h.shape[1], own)
    )
    return slope_error.times(lambda: np.square(dz @ layer.w.T, dtype=np.float64), dz_rows, w_rows)
