"""An L2 term that a loop writes with numbers: `+ 0.01 * W` in its gradients, beside its loss.

    loss = ... + 0.005 * np.sum(W1**2)          dW1 = X.T @ dz + 0.01 * W1

Of a strength that has a name the term is 0 (`cut`). One of numbers is seen in the gradients: they
are torch's and c times the weights. It is then added to both sides, and the loss beside the
gradients has to show the same c (`loss_beside`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.expected import Expected
from compare.examine.starter.gradient_calls import Call
from compare.examine.starter.gradient_check import CALLS, GradientCheck
from compare.examine.starter.gradient_functions import GradientFunction, meanings_of
from compare.examine.starter.readings import UNEQUAL
from compare.guard.copies import OnCopies
from compare.guard.guard import Guard
from manual_mlp import Penalty


def with_its_term(
    check: GradientCheck, function: Callable[..., Any], how: GradientFunction
) -> GradientCheck | None:
    """The check that adds the L2 term of a function to what is due; None where it has none with
    which it is right."""
    quiet = OnCopies(function, Guard(timeout=check.guard.timeout))
    for activation in check.activations:
        alone = replace(check, activations=(activation,))
        for meaning in islice(meanings_of(how, check.layouts), CALLS // 10):
            call = alone.attempt(quiet, how, meaning, UNEQUAL.of_layers(how.layers))
            if call.hung:
                return None
            for penalty in terms_in(alone, call):
                if replace(alone, penalty=penalty).agrees(call):
                    return replace(check, penalty=penalty)
    return None


def terms_in(check: GradientCheck, call: Call) -> Iterator[Penalty]:
    """The L2 terms that the gradients of a call may have beside torch's, averaged or summed."""
    for reduction in ("mean", "sum"):
        c = strength_in(call, check.due(call.sizes, reduction))
        if c > 0:
            yield Penalty(l2=c)


def strength_in(call: Call, due: Expected) -> float:
    """How many times the weights the weights' gradients are off; 0 where there are none."""
    weights = due.point.parameters
    seen: list[tuple[Array, Array]] = []
    for (name, *_), array in call.parts:
        if name[:2] == "dw":
            seen.append((array - due.gradients[name], weights[name[1:]]))
    along = sum(float((off * weight).sum()) for off, weight in seen)
    square = sum(float(np.square(weight).sum()) for _, weight in seen)
    return along / square if square else 0.0
