"""The manual side, in every form in which people write a layer.

A function `manual(inputs, dy) -> (y, {name: gradient})`; a pair `(forward, backward)`; an object
with `forward` (or `__call__`) and `backward`; a `torch.autograd.Function`. Whatever it is, one call
of `Manual` gives the outputs and gradients by name, as arrays, and one sentence says what is wrong
with its form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray

from compare.contracts.arrays import Arrays
from compare.guard.blame import name_of
from compare.guard.contract import kind
from compare.guard.guard import Guard
from compare.layers.calling import (
    WRITES,
    Call,
    Shape,
    Values,
    flattened,
    form_of,
    refuse,
    unchanged,
)
from compare.layers.objects import is_object, main_function, thing
from compare.layers.points import Point
from compare.layers.recorded import Recorded
from compare.layers.spelling import gradient_key


class Manual:
    """Calls `what` under a guard; `notes` gathers what is odd and harmless about its answers."""

    def __init__(self, what: Any, timeout: float | None) -> None:
        self.timeout = timeout
        self.guard = Guard(timeout=timeout)
        self.call_twice: Call | None = None
        if is_object(what):
            self.call, self.function = thing(what, self.guard), main_function(what)
            self.call_twice = thing(what, self.guard, times=2)
        else:
            self.call, self.function = form_of(what, self.guard)
        self.repeatable = not isinstance(what, Recorded)

    @property
    def notes(self) -> tuple[str, ...]:
        """What their code did so far besides returning."""
        return self.guard.notes.sentences()

    def __call__(
        self,
        point: Point,
        shape: Shape,
        *,
        form: str | None = None,
        dy: Arrays | None = None,
        twice: bool = False,
    ) -> Arrays:
        """Return outputs `y` and gradients `dx` by name, at a point, in its format or another.

        A gradient that is missing is left out. `twice`: of the second call on one object. Errors:
        `UserCodeError` in one sentence.
        """
        seeds = point.dy if dy is None else dy
        inputs = point.handed(point.inputs, form)
        handed = None if seeds is None else point.handed(seeds, form)
        kept = point.handed(point.inputs, form)
        kept_dy = None if seeds is None else point.handed(seeds, form)
        call = self.call_twice if twice and self.call_twice is not None else self.call
        returned, gradients = call(inputs, handed, shape)
        outputs = self.outputs(returned, shape)
        found = outputs | self.gradients(gradients, shape)
        self.look_at(inputs, kept, "")
        if handed is not None and kept_dy is not None:
            self.look_at(handed, kept_dy, "d")
        self.look_at_formats(found, form or point.format)
        return {name: self.array(name, value, shape) for name, value in found.items()}

    def outputs(self, value: Any, shape: Shape) -> Values:
        """Return the outputs by name."""
        if isinstance(value, Mapping):
            missing = [name for name in shape.outputs if name not in value]
            if missing:
                self.refuse(f"returned outputs without {', '.join(missing)}")
            return {name: value[name] for name in shape.outputs}
        leaves = flattened(value)
        if len(leaves) != len(shape.outputs):
            self.refuse(f"returned {len(leaves)} outputs; the reference has {len(shape.outputs)}")
        return dict(zip(shape.outputs, leaves, strict=True))

    def gradients(self, value: Any, shape: Shape) -> Values:
        """Return the gradients that are there, as `dx` by the inputs' names."""
        if isinstance(value, Mapping):
            keys = {name: gradient_key(value, name) for name in shape.wrt}
            return {
                f"d{name}": value[key]
                for name, key in keys.items()
                if key is not None and value[key] is not None
            }
        if not isinstance(value, tuple | list):
            value = (value,)
        names = list(shape.wrt)
        if len(value) == len(shape.inputs) != len(names):
            names = list(shape.inputs)
        if len(value) != len(names):
            self.refuse(
                f"returned {len(value)} gradients, and there are {len(names)} to compare "
                f"({', '.join(names)}); return a dictionary, or name them with wrt="
            )
        found = zip(names, value, strict=True)
        return {f"d{name}": g for name, g in found if g is not None and name in shape.wrt}

    def array(self, name: str, value: Any, shape: Shape) -> NDArray[Any]:
        """Return one output or gradient as a copy; a leading axis of length 1 is taken off."""
        if isinstance(value, torch.Tensor):
            value = value.detach().cpu()
            value = (value.to(torch.float64) if value.is_floating_point() else value).numpy()
        array = np.array(value)
        if array.dtype.kind not in "fiub":
            self.refuse(f"returned {kind(value)} as {name}; it must be real numbers")
        array = array if array.dtype.kind == "f" else array.astype(np.float64)
        due = shape.outputs.get(name, shape.inputs.get(name[1:], ()))
        if array.shape == (1, *due) or (due == () and array.size == 1 and array.shape):
            who = name_of(self.function)
            self.guard.notes.add(f"{who} returns {name} of shape {array.shape}; read as {due}")
            return array.reshape(due)
        return array

    def look_at(self, handed: Values, kept: Values, prefix: str) -> None:
        """Note an argument that was written to; it was a copy."""
        for name, value in kept.items():
            if name not in handed or not unchanged(handed[name], value):
                said = WRITES.format(f"{prefix}{name}")
                if not any(said in note for note in self.notes):  # of the forward pass
                    self.guard.notes.add(f"{name_of(self.function)} {said}")

    def look_at_formats(self, found: Values, form: str) -> None:
        """Note a result in another format than its arguments."""
        for name, value in found.items():
            given = getattr(value, "dtype", None)
            if isinstance(value, np.ndarray) and value.dtype.kind == "f" and given != form:
                said = "float128" if form == "longdouble" else form
                if str(given) != said:
                    who = name_of(self.function)
                    note = f"{who} returns {name} as {given}; its arguments are {form}"
                    self.guard.notes.add(note, about=f"{name} {given}")

    def refuse(self, what: str) -> NoReturn:
        """Raise the one sentence: where, who, what."""
        refuse(self.function, what)
