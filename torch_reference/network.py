"""The network as torch's users write it: `nn.Linear` layers with an activation between them,
and `nn.BatchNorm1d` or `nn.LayerNorm` before it, dropout behind it, where they are asked for.

Letters: N batch, F inputs, H hidden, K classes, L layers; `sizes = (F, H, ..., K)`. The last layer
has no activation, because what follows it belongs to the criterion: `nn.CrossEntropyLoss` takes
logits; a softmax in front of it would be applied twice.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn

from torch_reference.activations import activation_module
from torch_reference.layout import (
    Array,
    Arrays,
    closed,
    numpy_dtype,
    owned,
    require,
    require_names,
    to_tensor,
    transposed,
)

NORMALISATIONS: dict[str, type[nn.BatchNorm1d] | type[nn.LayerNorm]] = {
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
}
AFFINE = {"batch": "affine", "layer": "elementwise_affine"}
STATISTICS = ("running_mean", "running_var")


class Network(nn.Module):
    """An MLP `x -> logits` whose parameters are called `w1, b1, ..., wL, bL` at the edge.

    Without `bias` there are only `w1, ..., wL`. With `normalisation` every hidden layer also has
    `gamma1, beta1, ...`, torch's weight and bias of its module, unless it is not `affine`.
    `dropout` multiplies by a mask that is handed in: `nn.Dropout` would draw its own.

    Building it draws nothing from torch's random generator; the parameters are zero until `load`
    fills them.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str,
        dtype: torch.dtype,
        device: torch.device,
        *,
        bias: bool = True,
        normalisation: str = "none",
        dropout: float = 0.0,
        affine: bool = True,
    ) -> None:
        super().__init__()
        self.dtype = numpy_dtype(dtype)
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(
                f"sizes is {tuple(sizes)}; it needs inputs and classes, all at least 1."
            )
        self.layers = nn.ModuleList(
            linear(*fans, dtype, device, bias=bias) for fans in pairwise(sizes)
        )
        self.activation = activation_module(activation)
        if normalisation not in ("none", *NORMALISATIONS):
            names = ", ".join(("none", *NORMALISATIONS))
            raise ValueError(f"There is no normalisation {normalisation!r}; there are {names}.")
        self.dropout = dropout
        self.norms = nn.ModuleList()
        if normalisation != "none":
            module = NORMALISATIONS[normalisation]
            made: dict[str, Any] = {AFFINE[normalisation]: affine, "dtype": dtype, "device": device}
            self.norms.extend(module(width, **made) for width in sizes[1:-1])
        self.whole_batch = normalisation == "batch"
        self.named: dict[str, nn.Parameter] = {}
        for number, layer in enumerate(self.layers, start=1):
            for kind, parameter in layer.named_parameters():  # the weight, and the bias if any
                self.named[f"{kind[0]}{number}"] = parameter
            if number <= len(self.norms):
                norm = dict(self.norms[number - 1].named_parameters())
                of = {"weight": f"gamma{number}", "bias": f"beta{number}"}
                self.named |= {of[kind]: parameter for kind, parameter in norm.items()}

    @property
    def as_in_evaluation(self) -> bool:
        """Whether training and evaluation compute the same."""
        return not self.whole_batch and not self.dropout

    def trace(self, x: Tensor, masks: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Every stage of the forward pass by name: `z1, h1, ..., logits`.

        With normalisation `n1` is what the activation takes; with dropout `a1` is what it gives,
        and `mask1`, ... are the units of these rows that stay.
        """
        stages: dict[str, Tensor] = {}
        h = x  # (N, F)
        for number, layer in enumerate(self.layers, start=1):
            z = layer(h)  # (N, fan_out)
            if number == len(self.layers):
                stages["logits"] = z
            else:
                stages[f"z{number}"] = n = z
                if len(self.norms):
                    stages[f"n{number}"] = n = self.norms[number - 1](z)
                h = self.activation(n)
                if self.dropout and self.training:
                    stages[f"a{number}"] = h
                    h = h * given(masks, number) / (1 - self.dropout)
                stages[f"h{number}"] = h
        return stages

    def train(self, mode: bool = True) -> Self:
        """Go into training or evaluation; where it is already, torch would walk through it all."""
        return self if mode is self.training else super().train(mode)

    def forward(self, x: Tensor, masks: Mapping[str, Tensor] | None = None) -> Tensor:
        return self.trace(x, masks)["logits"]

    @torch.no_grad()
    def load(self, parameters: Mapping[str, Array]) -> None:
        """Copy the arrays in; ValueError for a wrong name, shape or dtype."""
        require_names("parameters", parameters, set(self.named))
        for name, parameter in self.named.items():
            target = transposed(parameter)
            require(name, parameters[name], tuple(target.shape), self.dtype)
            target.copy_(to_tensor(parameters[name]))

    def look_at(self, parameters: Mapping[str, Array]) -> None:
        """Let the parameters be these arrays, on the CPU the very same memory: not to be trained.

        ValueError for a wrong name, shape or dtype.
        """
        require_names("parameters", parameters, set(self.named))
        for name, parameter in self.named.items():
            shape = tuple(transposed(parameter).shape)
            require(name, parameters[name], shape, self.dtype)
            parameter.data = transposed(to_tensor(parameters[name])).to(parameter.device)

    @torch.no_grad()
    def load_statistics(self, arrays: Mapping[str, Any]) -> None:
        """Copy running statistics in, `running_mean1, running_var1, ...`, as far as they are there.

        ValueError in evaluation, which cannot do without.
        """
        for name, buffer in self.statistics.items():
            if name in arrays:
                buffer.copy_(to_tensor(arrays[name]))
            elif not self.training:
                raise ValueError(f"Batch normalisation in evaluation needs {name} in the context.")

    @property
    def statistics(self) -> dict[str, Tensor]:
        """The running statistics of batch normalisation, by name."""
        norms = self.norms if self.whole_batch else ()
        return {
            f"{kind}{number}": getattr(norm, kind)
            for number, norm in enumerate(norms, start=1)
            for kind in STATISTICS
        }

    def read_statistics(self) -> Arrays:
        """The running statistics as arrays of their own."""
        return {name: owned(buffer) for name, buffer in self.statistics.items()}

    def read(self) -> Arrays:
        """The parameters in the layout `(fan_in, fan_out)`, closed for writing, without a copy."""
        return {name: closed(parameter) for name, parameter in self.named.items()}

    def renew(self) -> None:
        """Give the parameters other memory: what was `read` of them stays as it is.

        The gradients stay too: no optimiser of torch writes to them, and what clips them asks for
        copies.
        """
        for parameter in self.named.values():
            parameter.data = parameter.data.clone()


def given(masks: Mapping[str, Tensor] | None, layer: int) -> Tensor:
    """The mask of a layer; ValueError if it was not handed in."""
    if masks is None or f"mask{layer}" not in masks:
        raise ValueError(f"Dropout needs mask{layer} in the context.")
    return masks[f"mask{layer}"]


def linear(
    fan_in: int, fan_out: int, dtype: torch.dtype, device: torch.device, *, bias: bool = True
) -> nn.Linear:
    """An `nn.Linear` whose zero weight `(out, in)` lies in memory as `(fan_in, fan_out)`.

    Built on `meta`, where torch's own initialisation has nothing to fill and draws no numbers.
    """
    layer = nn.Linear(fan_in, fan_out, bias=bias, device="meta")
    weight = torch.zeros(fan_in, fan_out, dtype=dtype, device=device)
    layer.weight = nn.Parameter(transposed(weight))
    if bias:
        layer.bias = nn.Parameter(torch.zeros(fan_out, dtype=dtype, device=device))
    return layer
