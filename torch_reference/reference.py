"""The reference at one point: loss, gradients and intermediates, all of them autograd's.

Built once, called at every update; between two calls only the parameters change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import cached_property, partial
from typing import Any, Literal, overload

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from torch_reference.blocks import (
    Term,
    add_block,
    arrays_of,
    joined,
    row_blocks,
    rows_of,
    stages_of,
)
from torch_reference.criterion import Criterion, Penalty
from torch_reference.device import find_device
from torch_reference.layout import (
    Array,
    Arrays,
    require,
    to_array,
    to_tensor,
    torch_dtype,
    transposed,
)
from torch_reference.network import Network

Context = Mapping[str, Any]
Rows = slice | NDArray[np.int64]
Watch = Callable[[slice, Arrays], None]
"""Takes a block of rows and its intermediates."""
REMEMBERED = 4  # x and targets, of training and of validation


class Reference:
    """`(parameters, x, targets) -> (loss, gradients)` by torch's losses and autograd.

        loss = -(1/N) sum_n sum_k targets_nk log softmax(logits)_nk        reduction="mean"
        loss = -      sum_n sum_k targets_nk log softmax(logits)_nk        reduction="sum"

    unless `criterion` is another one; `penalty` is added to it.

    Conventions: `targets` are rows `(N, K)` of the same dtype as `x (N, F)`, for cross-entropy
    one-hot or soft ones, and its mean divides by N, not by N·K (an integer target would select
    another code path of torch). Parameters and gradients are `w (fan_in, fan_out)` and
    `b (fan_out,)`, the latter only with `bias`, C-contiguous NumPy arrays of `dtype`.

    Traps: on the CPU the network looks at the parameters that it is called with, without a copy.
    On a device other than the CPU `x` and `targets` are recognised by identity and sent once: do
    not change them in place.

    Parameters:
        sizes: (F, H, ..., K).
        activation: a name in `torch_reference.network`'s table.
        reduction: "mean" or "sum", of the cross-entropy.
        dtype: "float64" or "float32".
        device: where torch computes.
        criterion: another loss.
        penalty: added to the loss.
        bias: whether the layers have biases.
        normalisation: "none", "batch" or "layer", between z and the activation.
        dropout: the share of units that masks leave out.
        affine: whether the normalisation has gamma and beta.

    Raises:
        ValueError: an unknown activation, reduction, dtype or device; arrays of wrong names,
            shapes or dtype.

    Example:
        >>> reference = Reference((2, 2))
        >>> at = {"w1": np.eye(2), "b1": np.zeros(2)}
        >>> x, targets = np.zeros((1, 2)), np.array([[0.0, 1.0]])
        >>> loss, gradients = reference.loss_and_gradients(at, x, targets)
        >>> gradients["b1"]
        array([ 0.5, -0.5])
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activation: str = "relu",
        reduction: str = "mean",
        dtype: DTypeLike = np.float64,
        device: str = "cpu",
        criterion: Criterion | None = None,
        penalty: Penalty | None = None,
        bias: bool = True,
        normalisation: str = "none",
        dropout: float = 0.0,
        affine: bool = True,
    ) -> None:
        self.sizes = tuple(sizes)
        self.activation = activation
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.device = find_device(device, torch_dtype(dtype))
        chosen = Criterion(reduction=reduction) if criterion is None else criterion
        self.criterion = chosen.to(self.device, torch_dtype(dtype))
        self.penalty = penalty or Penalty()
        self.bias = bias
        self.normalisation, self.dropout, self.affine = normalisation, dropout, affine
        self._network = self.new_network()
        self._sent: dict[int, tuple[NDArray[Any], Tensor]] = {}

    def in_format(self, dtype: DTypeLike) -> Reference:
        """The same reference in another dtype."""
        return Reference(
            self.sizes, activation=self.activation, dtype=dtype, device=str(self.device),
            criterion=deepcopy(self.criterion), penalty=self.penalty, bias=self.bias,
            normalisation=self.normalisation, dropout=self.dropout, affine=self.affine,
        )  # fmt: skip

    def new_network(self) -> Network:
        """Another network of this kind, for a trainer to own: ours is overwritten at every call."""
        return Network(
            self.sizes, self.activation, torch_dtype(self.dtype), self.device, bias=self.bias,
            normalisation=self.normalisation, dropout=self.dropout, affine=self.affine,
        )  # fmt: skip

    def row_blocks(self, rows: int) -> list[slice]:
        """Blocks of rows whose widest value has about one size for every network."""
        return row_blocks(rows, max(self.sizes) * self.dtype.itemsize)

    def terms(self, network: Network, targets: Tensor) -> Iterator[tuple[slice, Term]]:
        """The blocks of rows of a batch, and what each adds to the loss of `network`.

        A single block is torch's own mean or sum, and batch normalisation in training has no other:
        there every row depends on the whole batch. Each of several is a sum over its rows, divided
        by what the whole batch is divided by. The penalty, no sum over rows, is in the first.
        """
        together = network.whole_batch and network.training
        blocks = [slice(0, len(targets))] if together else self.row_blocks(len(targets))
        term: Term = self.criterion
        if len(blocks) > 1:
            term = self._of_rows(targets)
        if self.penalty:
            yield blocks.pop(0), partial(self._penalised, term, network, len(targets))
        for rows in blocks:
            yield rows, term

    def _of_rows(self, targets: Tensor) -> Term:
        """What some rows of the batch with these targets add to its loss."""
        return part_of(self._summed, self.criterion.divisor(targets))

    @cached_property
    def _summed(self) -> Criterion:
        """The criterion as a sum over rows; to copy a module takes as long as a small gradient."""
        return self.criterion.summed()

    def _penalised(
        self, term: Term, network: Network, total: int, logits: Tensor, targets: Tensor
    ) -> Tensor:
        return term(logits, targets) + self.penalty(network.named, total)

    def tensors(self, x: Array, targets: Array) -> tuple[Tensor, Tensor]:
        """`x (N, F)` and `targets (N, K)` on the device; on the CPU they share memory with both."""
        rows = len(x)
        if rows == 0:
            raise ValueError("x has no rows; the mean over an empty batch is not a number.")
        require("x", x, (rows, self.sizes[0]), self.dtype)
        require("targets", targets, (rows, self.sizes[-1]), self.dtype)
        return self._send(x), self._send(targets)

    @overload
    def loss_and_gradients(
        self,
        parameters: Mapping[str, Array],
        x: Array,
        targets: Array,
        *,
        context: Context | None = None,
        intermediates: Literal[False] = False,
        watch: Watch | None = None,
    ) -> tuple[float, Arrays]: ...

    @overload
    def loss_and_gradients(
        self,
        parameters: Mapping[str, Array],
        x: Array,
        targets: Array,
        *,
        context: Context | None = None,
        intermediates: Literal[True],
    ) -> tuple[float, Arrays, Arrays]: ...

    def loss_and_gradients(
        self,
        parameters: Mapping[str, Array],
        x: Array,
        targets: Array,
        *,
        context: Context | None = None,
        intermediates: bool = False,
        watch: Watch | None = None,
    ) -> tuple[float, Arrays] | tuple[float, Arrays, Arrays]:
        """The loss and its gradients `{"w1": ..., "b1": ...}`, pure.

        With `intermediates` also every stage and the loss's gradient with respect to it: `z1, h1,
        ..., logits, p` and `dz1, dh1, ..., dlogits`, all `(N, width)`. With the identity as
        activation `z1` and `h1` are one array. `context` holds what normalisation and dropout take
        besides: `training` (True where it is absent), `mask1`, ..., `running_mean1`, ...; the
        running statistics after the batch are then among the intermediates. `watch` is shown the
        same but for p block by block of rows, and nothing of it is kept.
        """
        masks = self._in_context(parameters, context or {})
        x_tensor, target_tensor = self.tensors(x, targets)
        loss, gradients = 0.0, dict[str, Tensor]()
        shown: list[dict[str, Tensor]] = []

        def see(rows: slice, stages: dict[str, Tensor]) -> None:
            if watch:
                watch(rows, arrays_of(stages))
            if intermediates:
                shown.append(stages)

        looking = see if intermediates or watch else None
        for rows, term in self.terms(self._network, target_tensor):
            part = term, x_tensor[rows], target_tensor[rows], rows_of(masks, rows)
            loss += add_block(gradients, self._network, *part, looking and partial(looking, rows))
        arrays = {name: to_array(transposed(slope)) for name, slope in gradients.items()}
        if not intermediates:
            return loss, arrays
        whole = joined(shown)
        whole["p"] = self.criterion.predict(whole["logits"])
        shown_arrays = {name: to_array(stage) for name, stage in whole.items()}
        return loss, arrays, shown_arrays | self._network.read_statistics()

    @overload
    def evaluate(
        self,
        parameters: Mapping[str, Array],
        x: Array,
        targets: Array,
        *,
        context: Context | None = None,
        intermediates: Literal[False] = False,
        watch: Watch | None = None,
    ) -> tuple[float, float]: ...

    @overload
    def evaluate(
        self,
        parameters: Mapping[str, Array],
        x: Array,
        targets: Array,
        *,
        context: Context | None = None,
        intermediates: Literal[True],
    ) -> tuple[float, float, Arrays]: ...

    @torch.no_grad()
    def evaluate(
        self,
        parameters: Mapping[str, Array],
        x: Array,
        targets: Array,
        *,
        context: Context | None = None,
        intermediates: bool = False,
        watch: Watch | None = None,
    ) -> tuple[float, float] | tuple[float, float, Arrays]:
        """Loss, and the share of rows whose largest logit is where the largest target is.

        As in evaluation: without dropout, and batch normalisation with the running statistics of
        `context`. With `intermediates` also `z1, h1, ..., logits`, all `(N, width)`; `watch` is
        shown the same block by block of rows.
        """
        self._in_context(parameters, {**(context or {}), "training": False})
        x_tensor, target_tensor = self.tensors(x, targets)
        loss, hits = 0.0, 0
        shown: list[dict[str, Tensor]] = []
        stages: dict[str, Tensor] = {}
        for rows, term in self.terms(self._network, target_tensor):
            stages.clear()  # one block's at a time
            stages = self._network.trace(x_tensor[rows])
            loss += term(stages["logits"], target_tensor[rows]).item()
            hits += correct(stages["logits"], target_tensor[rows])
            if watch:
                watch(rows, arrays_of(stages))
            if intermediates:
                shown.append(dict(stages))
        if not intermediates:
            return loss, hits / len(x)
        arrays = {name: to_array(stage) for name, stage in joined(shown).items()}
        return loss, hits / len(x), arrays

    def _in_context(self, parameters: Mapping[str, Array], context: Context) -> dict[str, Tensor]:
        """Make the network what it is at these parameters in this context; return the masks."""
        self._network.look_at(parameters)
        self._network.train(bool(context.get("training", True)))
        self._network.load_statistics(context)
        return self.masks(context)

    def masks(self, context: Context) -> dict[str, Tensor]:
        """The masks of a context as tensors of zeros and ones, (N, H)."""
        return {
            name: self._send(np.asarray(array, dtype=self.dtype))
            for name, array in context.items()
            if name.startswith("mask")
        }

    def stages(
        self,
        parameters: Mapping[str, Array],
        x: Array,
        targets: Array,
        rows: Rows,
        *,
        backward: bool = True,
    ) -> Arrays:
        """The intermediates of some rows of a batch, in the order of `rows`, but for p.

        Without `backward` only those of the forward pass.
        """
        self._network.look_at(parameters)
        x_tensor, target_tensor = self.tensors(x, targets)
        at = rows if isinstance(rows, slice) else torch.from_numpy(rows).to(self.device)
        if not backward:
            return arrays_of(self._network.trace(x_tensor[at]))
        return stages_of(
            self._network, self._of_rows(target_tensor), x_tensor[at], target_tensor[at]
        )

    def _send(self, array: NDArray[Any]) -> Tensor:
        if self.device.type == "cpu":
            return to_tensor(array)
        if id(array) not in self._sent:
            if len(self._sent) == REMEMBERED:
                del self._sent[next(iter(self._sent))]
            # The array is kept beside its copy: while it lives, nobody else can have its id.
            self._sent[id(array)] = array, to_tensor(array).to(self.device)
        return self._sent[id(array)][1]


def part_of(summed: Criterion, divisor: float) -> Term:
    """The part of a batch's loss that some of its rows make up."""
    return lambda logits, targets: summed(logits, targets) / divisor


def correct(logits: Tensor, targets: Tensor) -> int:
    """How many rows have the maximum in the same column of both `(N, K)`; ties: the first."""
    return int((logits.argmax(dim=1) == targets.argmax(dim=1)).sum())
