"""The network as torch's users write it: `nn.Linear` layers with an activation between them.

Letters: N batch, F inputs, H hidden, K classes, L layers; `sizes = (F, H, ..., K)`. The last layer
has no activation, because what follows it belongs to the criterion: `nn.CrossEntropyLoss` takes
logits; a softmax in front of it would be applied twice.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from torch_reference.activations import activation_module
from torch_reference.layout import (
    Array,
    Arrays,
    numpy_dtype,
    owned,
    require,
    require_names,
    to_tensor,
    transposed,
)


class Network(nn.Module):
    """An MLP `x -> logits` whose parameters are called `w1, b1, ..., wL, bL` at the edge.

    Without `bias` there are only `w1, ..., wL`.

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
        self.named: dict[str, nn.Parameter] = {}
        for number, layer in enumerate(self.layers, start=1):
            for kind, parameter in layer.named_parameters():  # the weight, and the bias if any
                self.named[f"{kind[0]}{number}"] = parameter

    def trace(self, x: Tensor) -> dict[str, Tensor]:
        """Every stage of the forward pass by name: `z1, h1, ..., logits`."""
        stages: dict[str, Tensor] = {}
        h = x  # (N, F)
        for number, layer in enumerate(self.layers, start=1):
            z = layer(h)  # (N, fan_out)
            if number == len(self.layers):
                stages["logits"] = z
            else:
                h = self.activation(z)
                stages[f"z{number}"], stages[f"h{number}"] = z, h
        return stages

    def forward(self, x: Tensor) -> Tensor:
        return self.trace(x)["logits"]

    @torch.no_grad()
    def load(self, parameters: Mapping[str, Array]) -> None:
        """Copy the arrays in; ValueError for a wrong name, shape or dtype."""
        require_names("parameters", parameters, set(self.named))
        for name, parameter in self.named.items():
            target = transposed(parameter)
            require(name, parameters[name], tuple(target.shape), self.dtype)
            target.copy_(to_tensor(parameters[name]))

    def read(self) -> Arrays:
        """The parameters as arrays of their own, in the layout `(fan_in, fan_out)`."""
        return {name: owned(parameter) for name, parameter in self.named.items()}


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
