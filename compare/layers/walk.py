"""One walk through a torch program, operation by operation, forward and backward.

A `TorchDispatchMode` sees every aten operation below autograd, so the backward pass is met as the
forward pass is. Here stands what every walk has in common: operations are taken apart until a rule
fits, in-place ones are done as functions, and every discrete result (a comparison, the place of a
maximum) is a numbered *decision*. What is done at each operation is for those that derive from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from compare.layers.decompositions import decomposition
from compare.layers.rules import COMPARISONS, POOLS, QUIET, RANDOM, aten, packets
from compare.layers.trees import floats

SIGNS = packets("sign sgn")
PICKS = packets("max min median nanmedian kthvalue mode")
ORDERS = packets("sort topk")
EQUALITIES = packets("eq ne")
"""They choose among equals, as the gradient of `amax` does, one for each of its results."""
SOFT = packets("_softmax _log_softmax logsumexp")
"""Here the maximum is a shift that cancels, so its error does not count."""
NARROW = (torch.float32, torch.float16, torch.bfloat16)


def name_of(packet: Any) -> str:
    """Return the name of an aten operation, `relu`."""
    return str(packet._qualified_op_name).split("::")[1]


class Walk(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's __init_subclass__
    """Derived classes say in `decide` what becomes of a decision and in `carry` of a result."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing is compiled here; torch would otherwise import its compiler, for 2 seconds."""
        return False

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own has no types
        self.met = 0
        self.rectified: dict[int, tuple[Tensor, Tensor]] = {}
        self.random: set[str] = set()
        self.shifting = 0

    def decide(self, kind: str, found: Tensor, operands: tuple[Any, ...]) -> Tensor:
        """Return the discrete result `found` of an operation on `operands`, or another one."""
        raise NotImplementedError

    def carry(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """Take note of the result of an operation that has a rule, or none at all."""

    def copied(self, target: Tensor, source: Any) -> None:
        """Take note that `source` was written over `target`."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        packet = func.overloadpacket
        name = name_of(packet)
        if packet in RANDOM:
            self.random.add(name)
        kwargs = widened(packet, args, kwargs)
        if func.is_view or packet in QUIET or packet in RANDOM:
            return func(*args, **kwargs)
        if packet is aten.copy_:
            func(*args, **kwargs)
            self.copied(args[0], args[1])
            return args[0]
        if name.endswith("_") and not name.startswith("_") and hasattr(aten, name[:-1]):
            return self.in_place(func, name, types, args, kwargs)
        if packet is aten.relu and floats(args[0]):
            return self.rectify(func, args[0])
        if packet is aten.threshold_backward and args[2] == 0 and self.was_rectified(args[1]):
            on = self.rectified[pointer(args[1])][0].view_as(args[0])
            return self.__torch_dispatch__(
                aten.where.self, types, (on, args[0], torch.zeros_like(args[0]))
            )
        how = decomposition(func)
        if how is not None:
            out = self.apart(packet, how, args, kwargs)
            if out is not NotImplemented:
                return out
        return self.primitive(func, packet, name, args, kwargs)

    def in_place(self, func: Any, name: str, types: Any, args: Any, kwargs: Any) -> Any:
        """Do `name_` as `name`, and write its result over the first argument."""
        packet = getattr(aten, name[:-1])
        if any(getattr(packet, each).is_view for each in packet.overloads()):
            return func(*args, **kwargs)  # `unsqueeze_` and its kin write nothing
        functional = getattr(packet, func._overloadname)
        out = self.__torch_dispatch__(functional, types, args, kwargs)
        args[0].copy_(out)
        self.copied(args[0], out)
        if pointer(out) in self.rectified:
            self.rectified[pointer(args[0])] = self.rectified[pointer(out)][0], args[0]
        return args[0]

    def rectify(self, func: Any, z: Tensor) -> Tensor:
        """ReLU: one decision for both directions, taken in z.

        The backward pass of torch reads the result, where every unit that is off is exactly 0.
        """
        on = self.decide("relu", z > 0, (z,))
        out: Tensor = self.__torch_dispatch__(aten.where.self, (), (on, z, torch.zeros_like(z)))
        self.rectified[pointer(out)] = on, out
        return out

    def was_rectified(self, result: Tensor) -> bool:
        """Return whether this is the result of a ReLU, as it left it."""
        held = self.rectified.get(pointer(result))
        return held is not None and held[0].numel() == result.numel()

    def apart(self, packet: Any, how: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Run a decomposition under this same walk."""
        self.shifting += packet in SOFT
        try:
            with self:
                return how(*args, **kwargs)
        finally:
            self.shifting -= packet in SOFT

    def primitive(self, func: Any, packet: Any, name: str, args: Any, kwargs: Any) -> Any:
        """Run an operation that is not taken apart, and replace what is discrete in its result."""
        out = func(*args, **kwargs)
        if isinstance(out, Tensor) and packet in COMPARISONS and floats(args[0]):
            kind = "equal" if packet in EQUALITIES else "compare"
            return self.decide(kind, out, args[:2])
        if isinstance(out, Tensor) and packet in SIGNS and floats(args[0]):
            return self.decide("sign", out, args[:1])
        if packet in POOLS:
            kind = "max_pool" if packet is aten.max_pool2d_with_indices else "adaptive_max_pool"
            index = self.decide(kind, out[1], args)
            value = args[0].flatten(-2).gather(-1, index.flatten(-2)).view_as(out[0])
            out = value, index
        elif packet in PICKS and isinstance(out, tuple):
            out = self.pick(packet, name, args, kwargs, out)
        elif packet in ORDERS and floats(args[0]) and args[0].dim():
            axis = axis_of(packet, args, kwargs) % args[0].dim()
            index = self.decide("order", out[1], (args[0], axis))
            out = args[0].gather(axis, index), index
        self.carry(func, args, kwargs, out)
        return out

    def pick(
        self, packet: Any, name: str, args: Any, kwargs: Any, out: Any
    ) -> tuple[Tensor, Tensor]:
        """The place of a maximum, a median and the like along an axis is a decision."""
        if not floats(args[0]) or args[0].dim() == 0:
            return out[0], out[1]
        axis = axis_of(packet, args, kwargs) % args[0].dim()
        keep = out[1].dim() == args[0].dim()
        index = self.decide(name, out[1], (args[0], axis, keep))
        wide = index if keep else index.unsqueeze(axis)
        value = args[0].gather(axis, wide)
        return value if keep else value.squeeze(axis), index


class KeptWide(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's __init_subclass__
    """A program as it is, except that nothing is converted to a format shorter than float64."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        return func(*args, **widened(func.overloadpacket, args, kwargs))


def widened(packet: Any, args: Any, kwargs: Any) -> Any:
    """Return keywords that leave a float64 tensor as precise as it is."""
    if packet is aten._to_copy and kwargs.get("dtype") in NARROW and floats(args[0]):
        return kwargs | {"dtype": torch.float64}
    return kwargs


def axis_of(packet: Any, args: Any, kwargs: Any) -> int:
    """Return the axis along which a selection selects."""
    at = 2 if packet in packets("topk kthvalue") else 1
    if "dim" in kwargs:
        return int(kwargs["dim"])
    return int(args[at]) if len(args) > at and not isinstance(args[at], bool) else -1


def pointer(tensor: Tensor) -> int:
    """Return the address of a tensor's memory; 0 where it has none."""
    return 0 if tensor._is_zerotensor() else tensor.untyped_storage().data_ptr()
