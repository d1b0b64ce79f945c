"""What torch.func differentiates beside the gradient: samples one by one, and twice along a vector.

Both take the network as a function of its parameters (`functional_call`), with the same names and
layout at the edge as everything else here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from torch_reference.layout import Array, to_array, to_tensor, transposed
from torch_reference.reference import Reference

Tensors = dict[str, Tensor]


def per_sample_gradients(
    reference: Reference, parameters: Mapping[str, Array], x: Array, targets: Array
) -> dict[str, Array]:
    """Gradients of the loss of every row by itself, (N, ...), by `vmap` over `grad`.

    Without batch normalisation and dropout; with a penalty each row has all of it.
    """
    loss, w = loss_of(reference, parameters)
    rows = reference.tensors(x, targets)

    def of_one(w: Tensors, row: Tensor, target: Tensor) -> Tensor:
        return loss(w, row[None], target[None])

    each = torch.func.vmap(torch.func.grad(of_one), in_dims=(None, 0, 0))(w, *rows)
    return {name: to_array(g.mT if name[0] == "w" else g) for name, g in each.items()}


def hessian_vector_product(
    reference: Reference,
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    direction: Mapping[str, Array],
) -> dict[str, Array]:
    """H v, the gradient's derivative along `direction`: `vjp` over `grad`, as H is symmetric."""
    loss, w = loss_of(reference, parameters, twice=True)
    batch = reference.tensors(x, targets)
    v = {name: as_torch(name, array) for name, array in direction.items()}
    slope = torch.func.grad(lambda w: loss(w, *batch))
    _, pull, *_ = torch.func.vjp(slope, w)
    moved: Tensors = pull({name: v[name] for name in w})[0]
    return {name: to_array(transposed(g) if name[0] == "w" else g) for name, g in moved.items()}


def loss_of(
    reference: Reference, parameters: Mapping[str, Array], *, twice: bool = False
) -> tuple[Callable[[Tensors, Tensor, Tensor], Tensor], Tensors]:
    """The loss as a function of (parameters by our names, x, targets), and the parameters.

    `twice`: it can be differentiated twice, as torch's own hinge loss cannot.
    """
    network, criterion = reference.new_network(), reference.criterion
    if twice and criterion.margins:
        criterion = copy.deepcopy(criterion)
        criterion.loss = Margins(vars(criterion.loss)["reduction"])
    theirs = {id(parameter): name for name, parameter in network.named_parameters()}
    named = {theirs[id(parameter)]: name for name, parameter in network.named.items()}

    def loss(w: Tensors, x: Tensor, targets: Tensor) -> Tensor:
        given: dict[str, Any] = {name: w[ours] for name, ours in named.items()}
        logits = torch.func.functional_call(network, given, (x,))
        found: Tensor = criterion(logits, targets)
        return found + reference.penalty(w, len(x)) if reference.penalty else found

    return loss, {name: as_torch(name, array) for name, array in parameters.items()}


class Margins(nn.Module):
    """`nn.MultiMarginLoss` written out: torch has no derivative of its derivative."""

    def __init__(self, reduction: str) -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, logits: Tensor, numbers: Tensor) -> Tensor:
        own = nn.functional.one_hot(numbers, logits.shape[1]).bool()
        margins = 1 - logits.gather(1, numbers[:, None]) + logits  # (N, K)
        rows = margins.clamp_min(0).masked_fill(own, 0.0).mean(1)
        return rows.mean() if self.reduction == "mean" else rows.sum()


def as_torch(name: str, array: Array) -> Tensor:
    """A parameter in torch's layout: weights are (out, in)."""
    tensor = to_tensor(array)
    return tensor.T.contiguous() if name[0] == "w" else tensor
