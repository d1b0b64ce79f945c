"""The points at which a layer is judged: the arrays that were given, or some drawn with power.

Drawn points have three sizes of their entries, in both formats, a mean that is not zero, and biases
like everything else. One more, in float64, has zeros and ties, for what happens at kinks. Entries
are held in float64 and are numbers of the judged format; a manual side gets them in that format, as
NumPy arrays, or as torch tensors where tensors were given (bfloat16 has no other way). A last one,
in float32, has entries just beside 0, for thresholds that are not quite there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from compare.contracts.arrays import Arrays
from compare.contracts.errors import BadInput
from compare.layers.formats import FORMATS

SCALES = (1.0, 1 / 32, 16.0)
DRAWN_FORMATS = ("float32", "float64")
MEAN = 0.25
"""The mean of drawn entries, in units of their scale."""
TIED, BESIDE = "ties", "beside 0"
BESIDE_ZERO = (1e-6, 1e-3)
"""The sizes of entries just beside 0, all equally likely in their logarithms.

Not so small that the usual guards of a division count, 1e-8 and less.
"""
TIES = 3
"""So many zeros, and so many pairs of equal neighbours, in every tensor of the point with ties."""


@dataclass(frozen=True)
class Point:
    """Inputs and dy by name, float64 or whole numbers; `format` is the judged one.

    `dy` is None for a scalar loss, and until it is drawn. `note` says which point it is; `special`
    says why it is one that was not drawn to show every error.
    """

    inputs: Arrays
    dy: Arrays | None
    format: str
    note: str
    tensors: bool = False
    special: str = ""

    def handed(self, values: Arrays, form: str | None = None) -> dict[str, Any]:
        """Return copies in the judged format, or in another one."""
        form = form or self.format
        return {name: self.cast(value, form) for name, value in values.items()}

    def takes(self, form: str) -> bool:
        """Return whether the inputs can be handed in a format: tensors end with float64."""
        return not self.tensors or hasattr(torch, form)

    def cast(self, value: NDArray[Any], form: str) -> Any:
        """Return a copy of one array in a format, as the manual side takes it."""
        if self.tensors:
            tensor = torch.from_numpy(np.array(value))
            return tensor.to(getattr(torch, form)) if tensor.is_floating_point() else tensor
        return np.array(value, dtype=form if value.dtype.kind == "f" else value.dtype, order="C")


def rounded(values: NDArray[np.float64], form: str) -> NDArray[np.float64]:
    """Return the nearest numbers of a format, in float64."""
    exact: NDArray[np.float64] = (
        torch.from_numpy(values).to(getattr(torch, form)).to(torch.float64).numpy()
    )
    return exact


def is_shape(value: Any) -> bool:
    """Return whether an input is given by its shape: a tuple of whole numbers."""
    return isinstance(value, tuple | torch.Size) and all(
        isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in value
    )


def read(name: str, value: Any) -> NDArray[Any]:
    """Return an input or dy as an array: float64 if its entries are floating, else as it is."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = (value.to(torch.float64) if value.is_floating_point() else value).numpy()
    array = np.asarray(value)
    if array.dtype.kind not in "fiub" or (array.dtype.kind == "f" and array.dtype.itemsize > 8):
        raise BadInput(f"{name} is {array.dtype}; give real numbers, at most float64")
    return np.array(array, dtype=np.float64 if array.dtype.kind == "f" else None, order="C")


def format_of(name: str, value: Any) -> str | None:
    """Return the format of floating values; None of whole numbers and masks."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype).removeprefix("torch.") if value.is_floating_point() else None
    kind = np.asarray(value).dtype
    return str(kind) if kind.kind == "f" else None


def judged_format(values: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the least precise of the formats that were given, and a note if there are several."""
    found = {form for name, value in values.items() if (form := format_of(name, value))}
    unknown = sorted(found - FORMATS.keys())
    if unknown:
        raise BadInput(f"the inputs are {', '.join(unknown)}; give {', '.join(FORMATS)}")
    if not found:
        return "float64", None
    judged = max(found, key=lambda form: FORMATS[form].unit)
    if len(found) == 1:
        return judged, None
    return judged, f"the inputs are {' and '.join(sorted(found))}; they are judged as {judged}"


def draw(generator: np.random.Generator, shape: tuple[int, ...], scale: float) -> NDArray[Any]:
    """Draw entries with a mean that is not zero."""
    return np.asarray(scale * (generator.normal(size=shape) + MEAN), dtype=np.float64)


def with_ties(generator: np.random.Generator, values: NDArray[Any]) -> NDArray[Any]:
    """Put zeros and pairs of equal neighbours into an array."""
    flat = values.reshape(-1).copy()
    if flat.size > 2 * TIES:
        pairs = generator.choice(flat.size - 1, size=TIES, replace=False)
        flat[pairs + 1] = flat[pairs] = 3.0
        flat[generator.choice(flat.size, size=TIES, replace=False)] = 0.0
    return flat.reshape(values.shape)


def beside_zero(generator: np.random.Generator, shape: tuple[int, ...]) -> NDArray[Any]:
    """Draw entries just beside 0, of both signs."""
    low, high = np.log(BESIDE_ZERO)
    sizes = np.exp(generator.uniform(low, high, size=shape))
    return np.asarray(generator.choice((-1.0, 1.0), size=shape) * sizes, dtype=np.float64)


@dataclass(frozen=True)
class Asked:
    """What the caller gave: arrays and shapes by name, of which some belong to the module.

    `own` are the shapes of the module's parameters that were not given.
    """

    arrays: Arrays
    shapes: Mapping[str, tuple[int, ...]]
    order: tuple[str, ...]
    own: frozenset[str]
    tensors: bool

    def ordered(self, values: Arrays) -> Arrays:
        """Return the inputs in the order in which they were given."""
        return {name: values[name] for name in self.order}

    def at_scale(
        self, form: str, scale: float, seed: int, *, ties: bool = False, positive: bool = False
    ) -> Arrays:
        """Draw what is given by its shape. A module's own parameters keep their scale of 1."""
        generator = np.random.default_rng(seed)
        values = dict(self.arrays)
        for name, shape in self.shapes.items():
            fan = math.sqrt(shape[-1]) if name in self.own and len(shape) > 1 else 1.0
            size = 1.0 / fan if name in self.own else scale
            drawn = draw(generator, shape, size)
            drawn = np.abs(drawn) if positive else drawn
            values[name] = with_ties(generator, drawn) if ties and name not in self.own else drawn
        cast = {k: rounded(v, form) if v.dtype.kind == "f" else v for k, v in values.items()}
        return self.ordered(cast)

    def beside_zero(self, form: str, seed: int) -> Arrays:
        """Draw what is given by its shape just beside 0, but for a module's own parameters."""
        generator = np.random.default_rng(seed)
        values = self.at_scale(form, 1.0, seed)
        for name in (n for n in self.shapes if n not in self.own):
            values[name] = rounded(beside_zero(generator, self.shapes[name]), form)
        return values


def drawn_points(asked: Asked, seed: int) -> list[Point]:
    """Return the points of a layer given by shapes: three scales, both formats, ties, beside 0."""
    points = [
        Point(asked.at_scale(form, scale, seed + number), None, form, f"scale {scale:g}, {form}",
              tensors=asked.tensors)
        for form in DRAWN_FORMATS
        for number, scale in enumerate(SCALES)
    ]  # fmt: skip
    tied = asked.at_scale("float64", 1.0, seed + len(SCALES), ties=True)
    near = asked.beside_zero("float32", seed + len(SCALES) + 1)
    return [
        *points,
        Point(tied, None, "float64", "zeros and ties, float64", asked.tensors, special=TIED),
        Point(near, None, "float32", "just beside 0, float32", asked.tensors, special=BESIDE),
    ]


def repeated(point: Point, asked: Asked, seed: int) -> Point:
    """Return the point with positive entries where they were drawn: a domain may end at 0."""
    scale = next((s for s in SCALES if f"scale {s:g}," in point.note), 1.0)
    inputs = asked.at_scale(point.format, scale, seed, ties=False, positive=True)
    return replace(point, inputs=inputs, note=f"{point.note}, positive")
