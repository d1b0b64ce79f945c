"""The two questions the judge asks: what may rounding explain of a loss, and of its gradients?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from compare.allowance.arithmetic import Arithmetic, quiet
from compare.allowance.batch import Batch
from compare.allowance.between import Inside
from compare.allowance.dense import Dense
from compare.allowance.found import Allowances, ForwardAllowances
from compare.allowance.head import Top, cross_entropy_top
from compare.allowance.lowrank import LowRank
from compare.allowance.normalised import NormalisedPass
from compare.allowance.rules import ACTIVATION_RULES, ActivationRule
from compare.allowance.swept import SEEN, Sweep, learnt_from, looked_at
from compare.allowance.walk import Pass
from compare.contracts.arrays import Values

Form = type[Dense] | type[LowRank]

DENSE = 1 << 13
"""Up to this many entries in the widest activation matrix the pass keeps every entry."""
DENSE_IF_DEEP_OR_BENT = 1 << 17
"""The same where factors of rank one are too wide: with several hidden layers, or a slope that
varies."""


@quiet
def forward_allowances(
    arithmetic: Arithmetic,
    parameters: Values,
    batch: Batch,
    values: Values,
    *,
    activation: str,
    reduction: str = "mean",
    top: Top | None = None,
    form: Form | None = None,
    inside: Mapping[int, Inside] | None = None,
) -> ForwardAllowances:
    """Return the allowances of the loss whose reference values are `values` (`z1`, ..., `logits`).

    `top`: what stands above the logits, softmax cross-entropy by default. `form`: how squared
    allowances are kept, `preferred_form` by default. `inside`: what hidden layers do besides.
    """
    rule, rows = ACTIVATION_RULES[activation], len(batch.x)
    parameters = with_biases(parameters)
    above = top or cross_entropy_top(rows, reduction)
    if inside:
        return normalised(arithmetic, parameters, batch, values, rule, above, inside).forward()
    chosen = form or preferred_form(rows, parameters, rule)
    return Pass.over(arithmetic, parameters, batch, values, rule, above, chosen).forward()


@quiet
def network_allowances(
    arithmetic: Arithmetic,
    parameters: Values,
    batch: Batch,
    values: Values,
    gradients: Values,
    *,
    activation: str,
    reduction: str = "mean",
    top: Top | None = None,
    form: Form | None = None,
    inside: Mapping[int, Inside] | None = None,
) -> Allowances:
    """Return the allowances of loss and gradients; arguments as in `forward_allowances`.

    `values` must also hold `dlogits`, every `dh` and every `dz`; `gradients` is the reference's.
    """
    rule, rows = ACTIVATION_RULES[activation], len(batch.x)
    parameters = with_biases(parameters)
    above = top or cross_entropy_top(rows, reduction)
    if inside:
        one = normalised(arithmetic, parameters, batch, values, rule, above, inside)
        return one.backward(gradients)
    chosen = form or preferred_form(rows, parameters, rule)
    made = Pass.over(arithmetic, parameters, batch, values, rule, above, chosen)
    return made.backward(gradients)


def sweep_over(
    arithmetic: Arithmetic,
    parameters: Values,
    batch: Batch,
    few: Values,
    *,
    activation: str,
    reduction: str = "mean",
    backward: bool = True,
) -> Sweep[Any]:
    """Return what takes the values of a batch block by block, under softmax cross-entropy.

    `few`: the values of the rows that are `looked_at`.
    """
    rule, samples = ACTIVATION_RULES[activation], len(batch.x)
    parameters = with_biases(parameters)
    form = preferred_form(samples, parameters, rule)
    rows = looked_at(batch)
    top = cross_entropy_top(samples, reduction)
    learning = learnt_from(batch)
    first: Pass[Any] = Pass.over(
        arithmetic, parameters, batch.part(rows[learning], form),
        {name: value[learning] for name, value in few.items()}, rule, top, form, samples=samples,
    )  # fmt: skip
    factors = [name for name in few if name.startswith(("h", "dz", "dlogits"))]
    seen = {name: few[name][SEEN].copy() for name in factors}
    return Sweep(first, batch, {"x": batch.x[rows[SEEN]], **seen}, backward)


def normalised(
    arithmetic: Arithmetic, parameters: Values, batch: Batch, values: Values,
    rule: ActivationRule, top: Top, inside: Mapping[int, Inside],
) -> NormalisedPass:  # fmt: skip
    """Return the pass over a network with normalisation or dropout."""
    made = NormalisedPass.over(arithmetic, parameters, batch, values, rule, top, Dense)
    return made.with_insides(inside)


def with_biases(arrays: Values) -> Values:
    """Return the parameters, or gradients, with zeros for the biases that a network leaves out."""
    missing = {
        f"b{name[1:]}": np.zeros(w.shape[1], w.dtype)
        for name, w in arrays.items()
        if name[0] == "w" and f"b{name[1:]}" not in arrays
    }
    return {**arrays, **missing}


def preferred_form(rows: int, parameters: Values, rule: ActivationRule) -> Form:
    """`Dense` for small networks; `LowRank`, not below it, where entries would cost too much.

    With about as many classes as hidden units, `LowRank` would save nothing.
    """
    widths = [len(b) for name, b in parameters.items() if name[0] == "b"]
    if rule.entrywise:
        return Dense
    shallow = len(widths) <= 2 and rule.bend is None
    largest = DENSE if shallow else DENSE_IF_DEEP_OR_BENT
    return Dense if rows * max(widths) <= largest or 4 * widths[-1] > max(widths) else LowRank
