"""The reference written down, one step after another: what was computed, from which earlier values.

Forward and backward pass are one list of aten operations, taken apart as far as people write them
(a layer norm into mean, variance, root, product), each with the line of the reference it came from.
A changed program is this list, run again with one step changed.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._decomp import decomposition_table
from torch.utils._python_dispatch import TorchDispatchMode

from compare.guard.blame import is_foreign
from compare.layers.decompositions import NARROW, plain, vector_norm
from compare.layers.names.written_out import WrittenOut
from compare.layers.program import Program, Tensors, as_written, flat_outputs
from compare.layers.rules import aten, packets
from compare.layers.walk import name_of, widened


def addmm(b: Tensor, x: Tensor, w: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """`b + x w`, without factors of 1."""
    product = x @ w if alpha == 1 else alpha * (x @ w)
    return (b if beta == 1 else beta * b) + product


APART = packets(
    "native_layer_norm native_batch_norm _native_batch_norm_legit native_group_norm "
    "_native_batch_norm_legit_functional _fused_rms_norm rms_norm "
    "_softmax _safe_softmax _log_softmax logsumexp "
    "gelu silu mish softplus elu addmm log_sigmoid_forward mse_loss smooth_l1_loss huber_loss "
    "binary_cross_entropy binary_cross_entropy_with_logits nll_loss_forward "
    "native_layer_norm_backward native_batch_norm_backward native_group_norm_backward "
    "_softmax_backward_data _log_softmax_backward_data _fused_rms_norm_backward gelu_backward "
    "silu_backward mish_backward softplus_backward elu_backward tanh_backward sigmoid_backward "
    "mse_loss_backward nll_loss_backward threshold_backward log_sigmoid_backward "
    "glu glu_backward _prelu_kernel _prelu_kernel_backward pixel_shuffle pixel_unshuffle "
    "hardswish hardsigmoid hardswish_backward hardsigmoid_backward selu celu hardtanh "
    "hardtanh_backward leaky_relu leaky_relu_backward huber_loss_backward "
    "smooth_l1_loss_backward binary_cross_entropy_backward soft_margin_loss "
    "soft_margin_loss_backward addcmul addcdiv lerp baddbmm addmv logit logit_backward "
    "linalg_vector_norm norm dist"
)
OURS = NARROW | {aten.addmm: addmm, aten.linalg_vector_norm: vector_norm}
EXTREMES = packets("amax amin")
CALLER = inspect.getfile(Program)
"""From here the reference is called: what lies beyond is none of its lines."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A value of the tape, by its number."""

    number: int


@dataclass(frozen=True)
class Step:
    """One operation. `outs` are the numbers of its results, `line` the reference's line.

    `origin`: the function of torch it was taken out of, with the numbers that was given.
    """

    func: Any
    args: Any
    kwargs: Any
    outs: tuple[int, ...]
    several: bool
    line: str | None
    origin: tuple[str, tuple[float, ...]] | None = None

    @property
    def name(self) -> str:
        """The name of the operation, `mul`."""
        return name_of(self.func.overloadpacket)

    def refs(self) -> list[Ref]:
        """Return the values it reads, in order."""
        return self.read

    def run(self, value: Callable[[int], Any]) -> Any:
        """Run the operation on values by number."""
        if self.plain is None:
            return self.func(*resolved(self.args, value), **resolved(self.kwargs, value))
        args = list(self.args)
        for place, number in self.plain:
            args[place] = value(number)
        return self.func(*args, **self.kwargs)

    @cached_property
    def plain(self) -> tuple[tuple[int, int], ...] | None:
        """Which arguments are values, and of which numbers; None if some are within others."""
        found = tuple((n, a.number) for n, a in enumerate(self.args) if isinstance(a, Ref))
        return found if len(found) == len(self.read) else None

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the values it reads."""
        return tuple(ref.number for ref in self.read)

    @cached_property
    def read(self) -> list[Ref]:
        """The values it reads, in order."""
        return list(refs_in((self.args, self.kwargs)))


@dataclass
class Tape:
    """Values by number with the inputs first; `boundary` is where the backward pass begins.

    `inputs` and `results` give the numbers of inputs, dy included, and of outputs and gradients.
    """

    steps: list[Step] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)
    inputs: dict[str, int] = field(default_factory=dict)
    results: dict[str, int] = field(default_factory=dict)
    boundary: int = 0

    @cached_property
    def maker(self) -> dict[int, int]:
        """The step that made a value, once the tape is complete."""
        return self.made_by()

    def made_by(self) -> dict[int, int]:
        """Return, by value, the step that made it."""
        return {out: number for number, step in enumerate(self.steps) for out in step.outs}


def refs_in(tree: Any) -> Iterator[Ref]:
    """Yield the references in nested arguments."""
    if isinstance(tree, Ref):
        yield tree
    elif isinstance(tree, list | tuple):
        for item in tree:
            yield from refs_in(item)
    elif isinstance(tree, dict):
        yield from refs_in(list(tree.values()))


def resolved(tree: Any, values: Callable[[int], Any]) -> Any:
    """Return nested arguments with every reference replaced by its value."""
    if isinstance(tree, Ref):
        return values(tree.number)
    if isinstance(tree, list | tuple):
        return type(tree)(resolved(item, values) for item in tree)
    if isinstance(tree, dict):
        return {key: resolved(item, values) for key, item in tree.items()}
    return tree


def place_of(tensor: Tensor) -> tuple[Any, ...]:
    """Return where a tensor lies: one that was saved and unpacked is another object there."""
    at = 0 if tensor._is_zerotensor() else tensor.data_ptr()
    return at, tensor.dtype, tuple(tensor.shape), tuple(tensor.stride())


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's __init_subclass__
    """Writes the operations down as they are met."""

    def __init__(self, tape: Tape) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own has no types
        self.tape = tape
        self.known: dict[int, int] = {}
        self.places: dict[tuple[Any, ...], int] = {}
        self.origin: tuple[str, tuple[float, ...]] | None = None

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def enter(self, tensor: Tensor) -> int:
        """Give a tensor its number."""
        number = len(self.tape.values)
        self.tape.values.append(tensor)
        self.known[id(tensor)] = number
        self.places[place_of(tensor)] = number
        return number

    def number(self, tensor: Tensor) -> int:
        """Return the number of a tensor; one that nobody made is a constant of the program."""
        found = self.known.get(id(tensor), self.places.get(place_of(tensor)))
        return self.enter(tensor) if found is None else found

    def referred(self, tree: Any) -> Any:
        """Return nested arguments with every tensor replaced by a reference."""
        if isinstance(tree, Tensor):
            return Ref(self.number(tree))
        if isinstance(tree, list | tuple):
            return type(tree)(self.referred(item) for item in tree)
        if isinstance(tree, dict):
            return {key: self.referred(item) for key, item in tree.items()}
        return tree

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = widened(func.overloadpacket, args, kwargs or {})
        name = name_of(func.overloadpacket)
        if name.endswith("_") and not name.startswith("_") and hasattr(aten, name[:-1]):
            functional = functional_of(func, getattr(aten, name[:-1]))
            out = self.__torch_dispatch__(functional, types, args, kwargs)
            if functional.is_view:
                func(*args, **kwargs)
            else:
                args[0].copy_(out)
            self.known[id(args[0])] = self.places[place_of(args[0])] = self.number(out)
            return args[0]
        if func.overloadpacket in APART:
            apart = OURS.get(func.overloadpacket) or decomposition_table.get(func)
            if apart is not None:
                return self.apart(name, plain(apart), args, kwargs)
        given = self.referred(args), self.referred(kwargs)
        out = func(*args, **kwargs)
        outs = (
            [out] if isinstance(out, Tensor) else list(out) if isinstance(out, tuple | list) else []
        )
        numbers = tuple(self.enter(o) if isinstance(o, Tensor) else -1 for o in outs)
        if not numbers:
            return out  # a number that the reference read off decides nothing on the tape
        several = not isinstance(out, Tensor)
        step = Step(func, *given, numbers, several, line_of_reference(), self.origin)
        self.tape.steps.append(step)
        return out

    def apart(self, name: str, how: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Write an operation down as its parts."""
        before = self.origin
        given = tuple(a for a in (*args, *kwargs.values()) if isinstance(a, float))
        self.origin = before or (name, given)
        try:
            with self:
                return how(*args, **kwargs)
        finally:
            self.origin = before


def functional_of(func: Any, packet: Any) -> Any:
    """Return the operation that does the same as one in place, by another overload if need be."""
    if hasattr(packet, func._overloadname):
        return getattr(packet, func._overloadname)
    types = [str(argument.type) for argument in func._schema.arguments]
    overloads = [getattr(packet, name) for name in packet.overloads()]
    return next(o for o in overloads if [str(a.type) for a in o._schema.arguments] == types)


def line_of_reference() -> str | None:
    """Return the line of the reference that is being executed, if it is not torch's own."""
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if file == CALLER:
            return None
        if not file.startswith("<") and not is_foreign(file):
            return f"line {frame.f_lineno} of the reference, {Path(file).name}"
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return None


def record(
    program: Program, inputs: Tensors, dy: Tensors | None, *, written_out: bool = True
) -> Tape:
    """Write the reference down at one point, forward and backward.

    `written_out`: with what torch fuses as people write it.
    """
    tape = Tape()
    recorder = Recorder(tape)
    with as_written():
        leaves = {name: inputs[name].detach().requires_grad_() for name in program.wrt}
        tape.inputs = {name: recorder.enter(t) for name, t in (inputs | leaves).items()}
        seeds = {f"dy of {name}": recorder.enter(t) for name, t in (dy or {}).items()}
        tape.inputs |= seeds
        with recorder:
            with torch.enable_grad(), WrittenOut() if written_out else nullcontext():
                outputs = flat_outputs(program.forward(inputs | leaves))
            tape.boundary = len(tape.steps)
            gradients = program.gradients(leaves, outputs, dy)
        named = outputs | gradients
        tape.results = {name: recorder.number(t) for name, t in named.items()}
    return tape


def run_forward(
    tape: Tape,
    inputs: Tensors,
    change: Callable[[int, Step, Any, Any], Any] | None = None,
    values: dict[int, Any] | None = None,
) -> dict[int, Any]:
    """Run the forward steps again, under autograd; `change` may run a step in its own way.

    `values`: where to keep them, for a change that reads them.
    """
    values = {} if values is None else values
    values |= {
        number: tensor.detach() for number, tensor in enumerate(tape.values)
        if number not in tape.inputs.values()
    }  # fmt: skip
    values |= {tape.inputs[name]: tensor for name, tensor in inputs.items()}
    for number, step in enumerate(tape.steps[: tape.boundary]):
        args = resolved(step.args, values.__getitem__)
        kwargs = resolved(step.kwargs, values.__getitem__)
        out = None if change is None else change(number, step, args, kwargs)
        if out is None:
            out = step.func(*args, **kwargs)
            if step.func.overloadpacket in EXTREMES:
                out = out.detach()  # a shift by the maximum: its gradients cancel
        for at, result in zip(step.outs, [out] if not step.several else list(out), strict=True):
            values[at] = result
    return values


def rerun(tape: Tape, first: int, values: dict[int, Any], skip: int) -> dict[int, Any]:
    """Run every step after `first` that depends on a changed value; return all changed ones."""
    changed = dict(values)
    for number in range(first, len(tape.steps)):
        step = tape.steps[number]
        if number == skip or changed.keys().isdisjoint(step.numbers):
            continue

        def value(at: int) -> Any:
            return changed.get(at, tape.values[at])

        out = step.run(value)
        for at, result in zip(step.outs, [out] if not step.several else list(out), strict=True):
            changed[at] = result
    return changed


def rerun_changing(
    tape: Tape, ways: Mapping[int, Callable[[Callable[[int], Any]], Any]]
) -> dict[int, Any]:
    """Run what follows from some steps with one result each that are done in another way.

    A way gets the values as they are by then, and returns the step's result.
    """
    changed: dict[int, Any] = {}

    def value(at: int) -> Any:
        return changed.get(at, tape.values[at])

    for number in range(min(ways), len(tape.steps)):
        step = tape.steps[number]
        if number in ways:
            changed[step.outs[0]] = ways[number](value)
        elif not changed.keys().isdisjoint(step.numbers):
            out = step.run(value)
            results = [out] if not step.several else list(out)
            changed.update(zip(step.outs, results, strict=True))
    return changed


def same_shapes(tape: Tape, shape: Sequence[int], before: int) -> list[int]:
    """Return the values of a shape that are there before a step, zeros left aside."""
    made = tape.made_by()
    return [
        number for number, tensor in enumerate(tape.values)
        if tuple(tensor.shape) == tuple(shape) and tensor.is_floating_point()
        and made.get(number, -1) < before and bool(tensor.any())
    ]  # fmt: skip
