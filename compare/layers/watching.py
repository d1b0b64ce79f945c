"""A notebook's own torch lines as the reference: watched while they run, compared tensor by tensor.

    with compare.watch(x, w) as seen:          # float64 tensors; the inputs
        y = torch.tanh(x @ w)
        y.sum().backward()
    compare.same(my_dw, w.grad)

The pass of `analysis` goes along with the lines as they are executed, forward and backward, so that
every tensor they make has an allowance afterwards.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from compare.checks.comparison import Comparison, compare_entries
from compare.contracts.arrays import Array
from compare.contracts.digits import two_values
from compare.contracts.errors import BadInput
from compare.contracts.result import CheckSummary, Finding, Result, Verdict
from compare.examine.environment import environment
from compare.guard.contract import kind
from compare.layers.analysis import Analysis
from compare.layers.formats import FORMATS, LAMBDA
from compare.layers.walk import pointer
from compare.report.words import times_allowance, where


class Watch:
    """A block of torch lines, analysed for code that computes in `dtype`; `inputs` as entered."""

    last: Watch | None = None

    def __init__(self, *inputs: Tensor, dtype: str = "float64") -> None:
        if dtype not in FORMATS:
            raise BadInput(f"dtype {dtype!r}: choose one of {', '.join(FORMATS)}")
        for tensor in inputs:
            if not isinstance(tensor, Tensor) or tensor.dtype is not torch.float64:
                raise BadInput("watch takes float64 tensors: torch must be the precise side")
        self.dtype = dtype
        self.analysis = Analysis(FORMATS[dtype])
        for tensor in inputs:
            self.analysis.leaf(tensor.detach())

    def __enter__(self) -> Watch:
        self.analysis.__enter__()  # type: ignore[no-untyped-call]  # torch's own has no types
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.analysis.__exit__(kind, error, trace)  # type: ignore[no-untyped-call]  # the same
        Watch.last = self

    def same(self, manual: Any, tensor: Tensor) -> Result:
        """Hold an array against a tensor that was made in this block, within its allowance.

        Parameters:
            manual: the array, as it was computed by hand.
            tensor: a tensor of the block, or the `grad` of one.

        Returns:
            The verdict on every entry.

        Raises:
            BadInput: the block did not make the tensor, or it has another shape.
        """
        array, right = self.given(manual, tensor)
        scale = LAMBDA * FORMATS[self.dtype].sides ** 0.5
        allowance = (scale * self.analysis.sigma(tensor.detach())).numpy()
        found = compare_entries("tensor", array.astype(np.float64), right, allowance)
        unruled = ", ".join(sorted(self.analysis.unruled))
        verdict = Verdict.AGREES if found.agrees else Verdict.DISAGREES
        if not found.decidable or (unruled and not found.agrees):
            verdict = Verdict.UNDECIDABLE
        doubt = f"no rule for {unruled}" if unruled else "the reference is not finite"
        return self.result(found, verdict, doubt, right.shape)

    def given(self, manual: Any, tensor: Any) -> tuple[Array, Array]:
        """Return both sides as arrays of one shape; raises `BadInput`."""
        if not isinstance(tensor, Tensor):
            raise BadInput(
                f"the second argument is {kind(tensor)}; give a tensor of the watched block. The "
                "grad of one that others were computed into is None unless retain_grad() was "
                "called on it before backward()"
            )
        if pointer(tensor) not in self.analysis.held:
            raise BadInput("this tensor was not made in the watched block; run its lines there")
        array = np.asarray(manual.detach().cpu() if isinstance(manual, Tensor) else manual)
        if array.dtype.kind not in "fiub":
            raise BadInput(f"the first argument is {kind(manual)}; give the array computed by hand")
        right = tensor.detach().numpy()
        if array.shape != right.shape:
            raise BadInput(f"manual has shape {array.shape}; the tensor has {tuple(right.shape)}")
        return array, right

    def result(
        self, found: Comparison, verdict: Verdict, doubt: str, shape: tuple[int, ...]
    ) -> Result:
        """Return the verdict on a comparison as a result; `doubt`: why it is undecidable, if so."""
        worst = found.worst
        mine, due = two_values(worst.manual, worst.reference)
        message = (
            f"the entry {where(worst.index)} is {mine}; the reference has {due} "
            f"({times_allowance(worst.ratio)})"
        )
        finding = Finding.at(worst, "same_point", "tensor", message)
        return Result(
            verdict=verdict,
            kind="derivative" if verdict is Verdict.DISAGREES else None,
            settings={"mode": "layer", "reference": "tensor", "dtype": self.dtype, "seed": 0,
                      "inputs": {"tensor": list(shape)}},
            environment=environment(),
            sentence=f"{verdict}: {doubt if verdict is Verdict.UNDECIDABLE else message}",
            findings=(finding,) if verdict is Verdict.DISAGREES else (),
            checks=(CheckSummary("tensor", verdict, 1, worst.ratio, message),),
            worst={"tensor": worst},
        )  # fmt: skip


def watch(*inputs: Tensor, dtype: str = "float64") -> Watch:
    """Watch the torch lines of a `with` block, for numbers of code that computes in `dtype`.

    Parameters:
        inputs: the tensors the lines begin with, float64.
        dtype: the format of the numbers that will be held against them.

    Returns:
        What `with` enters.

    Raises:
        BadInput: an input that is no float64 tensor, or a format that is not known.

    Example:
        >>> import compare, numpy as np, torch
        >>> x = torch.linspace(-1.0, 1.0, 5, dtype=torch.float64, requires_grad=True)
        >>> with compare.watch(x):
        ...     torch.tanh(x).sum().backward()
        >>> bool(compare.same(1 - np.tanh(x.detach().numpy()) ** 2, x.grad))
        True
    """
    return Watch(*inputs, dtype=dtype)


def same(manual: Any, tensor: Tensor) -> Result:
    """Hold an array against a tensor made in the last `watch` block, within its allowance.

    Parameters:
        manual: the array, as it was computed by hand.
        tensor: a tensor of the block, or the `grad` of one.

    Returns:
        The verdict on every entry.

    Raises:
        BadInput: there was no block, it did not make the tensor, or that has another shape.

    Example:
        >>> import compare, numpy as np, torch
        >>> x = torch.ones(3, 2, dtype=torch.float64)
        >>> with compare.watch(x):
        ...     y = x.sum(0)
        >>> compare.same(np.array([3.0, 3.1]), y).verdict.value
        'disagrees'
    """
    if Watch.last is None:
        raise BadInput("run the torch lines in a block `with compare.watch(inputs...):` first")
    return Watch.last.same(manual, tensor)
