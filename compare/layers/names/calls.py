"""Other arguments of torch's functions: another number of groups, statistics taken for the batch's.

The reference is run again with one kind of call changed, forward and backward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from compare.layers.names.case import IMPOSSIBLE, Case
from compare.layers.names.trial import IN_BACKWARD, Found, tried
from compare.layers.program import Tensors, as_written

Given = dict[str, Any]
Other = Callable[[Given], Tensor]
NAMES: Mapping[Any, tuple[str, ...]] = {
    F.group_norm: ("input", "num_groups", "weight", "bias", "eps"),
    F.batch_norm: (
        "input",
        "running_mean",
        "running_var",
        "weight",
        "bias",
        "training",
        "momentum",
        "eps",
    ),
}
"""The functions whose calls are changed, with the names of their arguments in order."""


class Calls(TorchFunctionMode):
    """In this block, another function is called in the place of one; `met` are its arguments."""

    def __init__(self, function: Any, change: Other) -> None:
        super().__init__()
        self.function, self.change = function, change
        self.met: list[Given] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is not self.function:
            return func(*args, **kwargs)
        given = dict(zip(NAMES[func], args, strict=False)) | kwargs
        self.met.append(given)
        return self.change(given)


def in_calls(case: Case) -> Iterator[Found]:
    """Yield the changed calls that give the manual numbers: in both passes, or in one."""
    for function, changes in ((F.group_norm, other_groups), (F.batch_norm, of_the_batch)):
        _, met = run(case, function, partial(as_given, function))
        for said, change in changes(met) if met else ():
            try:
                results, _ = run(case, function, change)
            except IMPOSSIBLE:
                continue
            yield from readings(case, said, results)


def run(case: Case, function: Any, change: Other) -> tuple[Tensors, list[Given]]:
    """Run the reference with changed calls of a function."""
    with as_written(), Calls(function, change) as calls:
        return case.program.run(case.inputs, case.dy), calls.met


def readings(case: Case, said: str, results: Tensors) -> Iterator[Found]:
    """Yield what changed calls explain in both passes, in the second, in the first."""
    match, outputs = case.match, case.match.outputs
    if not match.fits(results):
        return
    forward = {name: results[name] for name in outputs}
    right = {name: match.right[name] for name in outputs}
    for changed, lead in ((results, ""), (results | right, IN_BACKWARD),
                          (match.right | forward, "in the forward pass alone ")):  # fmt: skip
        found = tried(match, "call", lead + said, changed)
        if found is not None:
            yield found
            return


def other_groups(met: list[Given]) -> Iterator[tuple[str, Other]]:
    """Yield every other number of groups that the channels can be divided into."""
    due, channels = met[0]["num_groups"], met[0]["input"].shape[1]
    for groups in range(1, channels + 1):
        if channels % groups or groups == due:
            continue
        what = "every channel is a group of its own" if groups == channels else (
            "all channels are one group" if groups == 1 else "the channels are in other groups"
        )  # fmt: skip
        yield f"{what}: {groups} in place of {due}", partial(in_groups, groups)


def as_given(function: Any, given: Given) -> Tensor:
    """Call a function as it was called."""
    out: Tensor = function(**given)
    return out


def in_groups(groups: int, given: Given) -> Tensor:
    """Return a group norm of another number of groups."""
    return F.group_norm(**(given | {"num_groups": groups}))


def of_the_batch(met: list[Given]) -> Iterator[tuple[str, Other]]:
    """Yield given statistics with the derivatives of those of a batch."""
    if any(given.get("training") or given.get("running_mean") is None for given in met):
        return
    said = "the given mean and variance are differentiated as though they were the batch's"
    yield f"{IN_BACKWARD}{said}", with_derivatives


def with_derivatives(given: Given) -> Tensor:
    """Return a batch norm whose given statistics depend on the batch, by their slope."""
    x = given["input"]
    axes = [axis for axis in range(x.dim()) if axis != 1]
    shape = [-1 if axis == 1 else 1 for axis in range(x.dim())]
    mean, var = given["running_mean"].view(shape), given["running_var"].view(shape)
    var = var + without_value(torch.mean((x - mean) ** 2, axes, keepdim=True))
    mean = mean + without_value(torch.mean(x, axes, keepdim=True))
    h = (x - mean) * torch.rsqrt(var + given.get("eps", 1e-5))
    weight, bias = given.get("weight"), given.get("bias")
    h = h if weight is None else h * weight.view(shape)
    out: Tensor = h if bias is None else h + bias.view(shape)
    return out


def without_value(x: Tensor) -> Tensor:
    """Return zeros with the derivative of a value."""
    return x - x.detach()
