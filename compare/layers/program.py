"""The reference as a program of named tensors: outputs, and gradients of `sum dy * y`.

A module's parameters are inputs by their torch names, a function's inputs its keywords. Everything
runs on the CPU, in float64, with fused attention replaced by its mathematical kernel: what is fused
differentiates otherwise than it computes, and no analysis could follow.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from compare.contracts.errors import BadInput

Tensors = dict[str, Tensor]
Forward = Callable[[Tensors], Any]


@contextmanager
def as_written() -> Iterator[None]:
    """Compute in float64 by default and by mathematical kernels, in this block."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    default, fast = torch.get_default_dtype(), torch.backends.mha.get_fastpath_enabled()
    torch.set_default_dtype(torch.float64)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        torch.set_default_dtype(default)


def flat_outputs(value: Any, name: str = "y") -> Tensors:
    """Return the floating outputs by name: `y`; `y1, y2, ...` of several; a dictionary's own."""
    if isinstance(value, Mapping):
        return {k: t for key, item in value.items() for k, t in flat_outputs(item, key).items()}
    leaves = [t for t in leaves_of(value) if t.is_floating_point()]
    if len(leaves) == 1:
        return {name: leaves[0]}
    return {f"{name}{number}": leaf for number, leaf in enumerate(leaves, 1)}


def leaves_of(value: Any) -> list[Tensor]:
    """Return the tensors in nested tuples and lists, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, tuple | list):
        return [leaf for item in value for leaf in leaves_of(item)]
    return []


@dataclass(frozen=True)
class Reference:
    """A torch module or function. `parameters`: those of the module, float64, by torch's names."""

    what: Any
    parameters: Tensors = field(default_factory=dict)
    buffers: Tensors = field(default_factory=dict)

    @classmethod
    def of(cls, what: Any) -> Reference:
        """Take a module (a copy of it, on the CPU, in float64) or a function as it is."""
        if not isinstance(what, nn.Module):
            if not callable(what):
                kind = type(what).__name__
                raise BadInput(f"reference is a {kind}; give a torch module or a function")
            return cls(what)
        module = copy.deepcopy(what).to("cpu", torch.float64)
        return cls(
            module,
            {name: p.detach() for name, p in module.named_parameters()},
            {name: b.detach() for name, b in module.named_buffers()},
        )

    @property
    def is_module(self) -> bool:
        """Whether the reference has parameters of its own."""
        return isinstance(self.what, nn.Module)

    def names(self) -> list[str] | None:
        """Return what its inputs may be called, None if anything goes."""
        found = by_keywords(self.what.forward if self.is_module else self.what)
        return None if found is None else [*self.parameters, *sorted(found)]

    def __call__(self, tensors: Tensors) -> Any:
        """Return what the reference returns for inputs by name."""
        if not self.is_module:
            return called_by_name(self.what, tensors)
        own = self.parameters | {name: b.clone() for name, b in self.buffers.items()}
        state = {name: tensors.get(name, value) for name, value in own.items()}
        inputs = {name: t for name, t in tensors.items() if name not in own}
        return called_by_name(
            lambda *args, **kwargs: torch.func.functional_call(self.what, state, args, kwargs),
            inputs,
            self.what.forward,
        )


def by_keywords(function: Callable[..., Any]) -> set[str] | None:
    """Return the names a function can be given values by; None if it takes any, or does not say."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return None if any(p.kind not in named for p in found) else {p.name for p in found}


def called_by_name(
    function: Callable[..., Any], inputs: Tensors, described: Callable[..., Any] | None = None
) -> Any:
    """Call with the inputs as keywords, or in their order where the names are not its own."""
    try:
        inspect.signature(described or function).bind(**inputs)
    except TypeError:
        return function(*inputs.values())
    except ValueError:  # a compiled function does not say what it takes
        try:
            return function(**inputs)
        except TypeError:
            return function(*inputs.values())
    return function(**inputs)


@dataclass(frozen=True)
class Program:
    """`forward(inputs)` differentiated with respect to `wrt`; `dy` by the names of the outputs.

    For `L = sum_k sum(dy_k * y_k)` the gradient of input x is dL/dx, called `dx`. Without `dy`
    there is one output, a scalar loss, and L is that.
    """

    forward: Forward
    wrt: Sequence[str]

    def run(self, inputs: Tensors, dy: Tensors | None) -> Tensors:
        """Return every output and every gradient by name, detached."""
        leaves = {name: inputs[name].detach().requires_grad_() for name in self.wrt}
        with torch.enable_grad():
            outputs = flat_outputs(self.forward(inputs | leaves))
        found = {name: y.detach() for name, y in outputs.items()}
        return found | self.gradients(leaves, outputs, dy)

    def unreached(self, inputs: Tensors) -> list[str]:
        """Return the names of `wrt` on which no output depends: left out, or cut off the graph."""
        leaves = {name: inputs[name].detach().requires_grad_() for name in self.wrt}
        with torch.enable_grad():
            outputs = flat_outputs(self.forward(inputs | leaves))
        tied = [y.sum() for y in outputs.values() if y.requires_grad]
        if not tied:
            return list(self.wrt)
        found = torch.autograd.grad(tied, list(leaves.values()), allow_unused=True)
        return [name for name, d in zip(leaves, found, strict=True) if d is None]

    def gradients(self, leaves: Tensors, outputs: Tensors, dy: Tensors | None) -> Tensors:
        """Return the gradients of the leaves; zeros for one that no output depends on."""
        tied = {name: y for name, y in outputs.items() if y.requires_grad}
        if not tied:
            return {f"d{name}": torch.zeros_like(leaf) for name, leaf in leaves.items()}
        seeds = [torch.ones_like(y) if dy is None else dy[name] for name, y in tied.items()]
        found = torch.autograd.grad(
            list(tied.values()), list(leaves.values()), seeds, allow_unused=True
        )
        return {
            f"d{name}": torch.zeros_like(leaf) if d is None else d
            for (name, leaf), d in zip(leaves.items(), found, strict=True)
        }
