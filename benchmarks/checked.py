"""What checking costs: a side-by-side epoch against its gradients, one check against gradcheck.

An epoch of a full-batch run needs the gradients and validation evaluations of both sides, and those
of the reference once more, at the manual side's weights. What is left is allowances, kinks, step
checks and records.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

import manual_mlp
from benchmarks.problem import RATES, Problem
from benchmarks.timing import Call, now
from compare import check, run_training
from compare.contracts.experiment import Experiment
from compare.data import DataSet, Split
from torch_reference import Reference

WARM_UP = 3
"""Updates of a run in which what is known of the data is found and memory is fetched."""
SLOW_LIMIT, FAST_LIMIT = 5_000, 1_000_000  # parameters up to which gradcheck ends in a minute


def reference_of(problem: Problem) -> Reference:
    """The reference of the comparison, as a run builds it."""
    return Reference(problem.sizes, dtype=problem.x.dtype)


def necessary(problem: Problem) -> dict[str, Call]:
    """The gradients and evaluations that a checked epoch cannot do without."""
    parameters, x, targets = problem.parameters, problem.x, problem.targets
    rows = len(x) // 8
    validation = parameters, x[:rows].copy(), targets[:rows].copy()
    reference = reference_of(problem)
    return {
        "manual gradient": partial(manual_mlp.loss_and_gradients, parameters, x, targets),
        "reference gradient": partial(reference.loss_and_gradients, parameters, x, targets),
        "manual validation": partial(manual_mlp.evaluate, *validation),
        "reference validation": partial(reference.evaluate, *validation),
    }


def checked_epochs(problem: Problem, epochs: int, data: DataSet | None = None) -> list[float]:
    """Seconds from update to update of a full-batch side-by-side run with all its checks."""
    experiment = Experiment(
        hidden=tuple(problem.sizes[1:-1]),
        epochs=epochs,
        learning_rate=RATES["learning_rate"],
        momentum=RATES["momentum"],
        dtype=str(problem.x.dtype),
    )
    moments: list[float] = []
    data = data_set(problem) if data is None else data
    run_training(experiment, data=data, on_update=lambda _: moments.append(now()))
    seconds: list[float] = np.diff(moments[WARM_UP:]).tolist()
    return seconds


def data_set(problem: Problem) -> DataSet:
    """The problem's rows as a data set; an eighth of them once more for validation."""
    labels = problem.targets.argmax(axis=1)
    split = Split(problem.x.astype(np.float64, copy=False), labels)
    eighth = len(labels) // 8
    part = replace(split, x=split.x[:eighth], labels=labels[:eighth])
    return DataSet("random rows", "benchmark", problem.sizes[-1], split, part, part)


def single_checks(problem: Problem) -> dict[str, Call]:
    """Ways to check one gradient: ours, complete, and torch's gradcheck where it can finish."""
    parameters, x, targets = problem.parameters, problem.x, problem.targets
    calls: dict[str, Call] = {
        "complete check": partial(
            check, manual_mlp.loss_and_gradients, parameters=parameters, x=x, targets=targets
        )
    }
    size = sum(array.size for array in parameters.values())
    if problem.x.dtype == np.float64 and size <= FAST_LIMIT:
        calls["gradcheck, fast mode"] = partial(gradcheck, problem, fast_mode=True)
    if problem.x.dtype == np.float64 and size <= SLOW_LIMIT:
        calls["gradcheck, slow mode"] = partial(gradcheck, problem, fast_mode=False)
    return calls


def gradcheck(problem: Problem, *, fast_mode: bool) -> bool:
    """`torch.autograd.gradcheck` of the manual gradient, made known to autograd."""
    names, x, targets = list(problem.parameters), problem.x, problem.targets

    class Manual(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors: Tensor) -> Tensor:
            arrays = dict(zip(names, (tensor.detach().numpy() for tensor in tensors), strict=True))
            loss, gradients = manual_mlp.loss_and_gradients(arrays, x, targets)
            ctx.save_for_backward(*(torch.from_numpy(gradients[name]) for name in names))
            return torch.tensor(loss, dtype=torch.float64)

        @staticmethod
        def backward(ctx: Any, *dloss: Tensor) -> tuple[Tensor, ...]:
            return tuple(dloss[0] * gradient for gradient in ctx.saved_tensors)

    leaves = [torch.from_numpy(a).clone().requires_grad_() for a in problem.parameters.values()]
    # Within a step of a kink its differences are wrong, not the gradient; only the time counts.
    return torch.autograd.gradcheck(
        Manual.apply, leaves, fast_mode=fast_mode, raise_exception=False
    )
