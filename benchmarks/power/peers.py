"""The rules people use today, with the numbers they use: `(manual, reference) -> accepts`.

Each sees the same two dictionaries of gradients as this project's judge. `gradcheck` needs no
reference: it differentiates the hand-written loss numerically.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.autograd.function import FunctionCtx
from torch.autograd.gradcheck import GradcheckError

import manual_mlp
from benchmarks.power.case import Array, Arrays, Case, norm

Rule = Callable[[Arrays, Arrays], bool]


def every(accepts: Callable[[Array, Array], bool]) -> Rule:
    """Return the rule that accepts gradients if `accepts` holds for each tensor."""

    def rule(manual: Arrays, reference: Arrays) -> bool:
        return all(accepts(manual[name], reference[name]) for name in reference)

    return rule


def asserts(assertion: Callable[[Any, Any], None]) -> Rule:
    """Return the rule that accepts gradients if an assertion passes on each tensor."""

    def accepts(manual: Array, reference: Array) -> bool:
        try:
            assertion(manual, reference)
        except AssertionError:
            return False
        return True

    return every(accepts)


def torch_assert_close(manual: Array, reference: Array) -> None:
    """`torch.testing.assert_close`: rtol 1e-7, atol 1e-7; in float32 1.3e-6 and 1e-5."""
    torch.testing.assert_close(torch.from_numpy(manual), torch.from_numpy(reference))


def relative_error(most: float) -> Callable[[Array, Array], bool]:
    """CS231n's relative error: max |a - b| / max(|a|, |b|) <= `most`, and 0 for two zeros."""

    def accepts(manual: Array, reference: Array) -> bool:
        larger = np.maximum(np.abs(manual), np.abs(reference))
        apart = np.abs(manual - reference)
        relative = np.divide(apart, larger, out=np.zeros_like(apart), where=larger > 0)
        return bool(relative.max() <= most)

    return accepts


def mean_difference(manual: Array, reference: Array) -> bool:
    """reprod_log's rule: the mean absolute difference is below 1e-6."""
    return bool(np.abs(manual - reference).mean() < 1e-6)


def frobenius(manual: Arrays, reference: Arrays) -> bool:
    """Megatron-LM's bound: ||a - b||_F / ||b||_F <= 4 * 1.03^(L + 1 - l) * eps in layer l of L."""
    depth = len(reference) // 2
    for name, tensor in reference.items():
        bound = 4 * 1.03 ** (depth + 1 - int(name[1:])) * float(np.finfo(tensor.dtype).eps)
        if not norm(manual[name] - tensor) <= bound * norm(tensor):
            return False
    return True


RULES: dict[str, Rule] = {
    "torch.testing.assert_close": asserts(torch_assert_close),
    "numpy.testing.assert_allclose": asserts(np.testing.assert_allclose),
    "np.allclose": every(lambda manual, reference: bool(np.allclose(manual, reference))),
    "CS231n relative error, 1e-7": every(relative_error(1e-7)),
    "CS231n relative error, 1e-4": every(relative_error(1e-4)),
    "reprod_log, mean difference 1e-6": every(mean_difference),
    "Megatron-LM, Frobenius bound": frobenius,
}
GRADCHECK = "torch.autograd.gradcheck"


def gradcheck(case: Case, gradients: Arrays) -> bool:
    """`torch.autograd.gradcheck` with its defaults, of a Function whose backward is hand-written.

    Its forward is the manual loss, its backward returns `gradients`. In float32, for which it is
    not meant, it warns; here it is shown as it is and its warning silenced.
    """
    names = list(case.parameters)

    class Loss(torch.autograd.Function):
        @staticmethod
        def forward(ctx: FunctionCtx, *tensors: torch.Tensor) -> torch.Tensor:
            parameters = {n: t.detach().numpy() for n, t in zip(names, tensors, strict=True)}
            loss, _ = manual_mlp.evaluate(
                parameters, case.x, case.targets,
                activation=case.activation, reduction=case.reduction,
            )  # fmt: skip
            return tensors[0].new_tensor(loss)

        @staticmethod
        def backward(ctx: FunctionCtx, *upstream: torch.Tensor) -> Any:
            return tuple(upstream[0] * torch.from_numpy(gradients[name]) for name in names)

    inputs = tuple(torch.from_numpy(w.copy()).requires_grad_() for w in case.parameters.values())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*double precision floating point")
        try:
            return bool(torch.autograd.gradcheck(Loss.apply, inputs))
        except GradcheckError:
            return False
