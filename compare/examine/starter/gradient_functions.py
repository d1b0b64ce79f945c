"""A student's own gradient functions: bound by name where that leaves no doubt, then checked.

They are handed the right quantities of a network with one hidden layer (x, y, z1, h1, logits, p,
w1, ...), so that each is judged for what it computes itself.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import manual_mlp
from compare.checks.comparison import Comparison, compare_entries
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.diagnosis.gradients import diagnose_gradients
from compare.diagnosis.observation import Observation
from compare.examine.starter.binding import bind, gradients_named
from compare.examine.starter.entropy_readings import AVERAGES, SUMS
from compare.examine.starter.function_check import as_array
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.readings import F, H, K
from compare.examine.starter.source import Source
from compare.guard.copies import OnCopies
from compare.guard.guard import Guard
from compare.points.probe import draw_probes
from compare.textbook import Pass, Point

Array = NDArray[Any]
GRADIENT = re.compile(r"grad|back|deriv|^d_?[lwb]|delta", re.IGNORECASE)
WEIGHTS = ("w1", "b1", "w2", "b2")


@dataclass(frozen=True, slots=True)
class GradientFunction:
    """One function that looks like it returns gradients, and how its names can be read.

    `bound` maps parameters to quantities, `doubtful` are those in doubt; `returns` names the
    gradients it returns, None if its names do not say.
    """

    name: str
    parameters: tuple[str, ...]
    bound: dict[str, str]
    doubtful: tuple[str, ...]
    returned: tuple[str, ...]
    returns: tuple[str, ...] | None

    def in_words(self) -> str:
        """Say how parameters and values were bound."""
        given = ", ".join(f"{name} = {self.bound[name]}" for name in self.parameters)
        if self.returns is None:
            return f"read with {given}; returned values by their shapes"
        named = zip(self.returned or self.returns, self.returns, strict=True)
        got = ", ".join(f"{name or self.name} = d{quantity}" for name, quantity in named)
        return f"read with {given}; {got}"


def gradient_functions(source: Source, taken: set[str]) -> list[GradientFunction]:
    """Return the functions of a file that look like gradients, without those already `taken`."""
    found = []
    for name, one in source.definitions.items():
        parameters = source.signature(name)
        if name in taken or not GRADIENT.search(name) or not parameters:
            continue
        bound, doubtful = bind(parameters)
        returned = returned_names(one.node)
        returns = gradients_named(returned, name)
        found.append(GradientFunction(name, tuple(parameters), bound, doubtful, returned, returns))
    return found


def returned_names(node: ast.AST) -> tuple[str, ...]:
    """Return the names in the only `return` of a function; empty strings for what has no name."""
    returns = [one for one in ast.walk(node) if isinstance(one, ast.Return) and one.value]
    if len(returns) != 1:
        return ()
    value = returns[0].value
    if isinstance(value, ast.Dict):
        return tuple(str(key.value) if isinstance(key, ast.Constant) else "" for key in value.keys)
    parts = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
    return tuple(part.id if isinstance(part, ast.Name) else "" for part in parts)


@dataclass(frozen=True)
class GradientCheck:
    """Checks gradient functions of one file at one point of a network with one hidden layer."""

    guard: Guard
    reduction: str = "mean"
    seed: int = 0

    def point(self, reduction: str) -> Point:
        """Return where they are evaluated: non-zero biases, no two dimensions equal."""
        probe = draw_probes((F, H, K), activation="relu", dtype="float64", seed=self.seed)[0]
        return Point(probe.parameters, probe.x, probe.targets, reduction=reduction)

    def __call__(self, function: Callable[..., Any], how: GradientFunction) -> FunctionVerdict:
        """Return the verdict on one function whose parameters are all bound."""
        point = self.point(self.reduction)
        about = FunctionVerdict(
            how.name, "gradient", None, Verdict.UNDECIDABLE, "", conventions=(how.in_words(),)
        )
        quantities = known_quantities(point)
        arguments = {name: quantities[how.bound[name]] for name in how.parameters}
        call = OnCopies(function, self.guard)
        try:
            value = call(arguments)
        except UserCodeError as error:
            return replace(about, sentence=f"could not be called: {error}")
        gradients = named_values(value, how)
        if isinstance(gradients, str):
            return replace(about, sentence=gradients)
        return self.judged(about, gradients)

    def judged(self, about: FunctionVerdict, gradients: Mapping[str, Array]) -> FunctionVerdict:
        """Hold the gradients against both reductions, the declared one first."""
        other = "sum" if self.reduction == "mean" else "mean"
        declared, swapped = (
            compared_at(self.point(reduction), gradients) for reduction in (self.reduction, other)
        )
        wrong = worst_of(declared)
        if wrong.agrees:
            return replace(
                about, verdict=Verdict.AGREES, sentence="agrees", reduction=self.reduction,
                worst=wrong.worst,
            )  # fmt: skip
        if worst_of(swapped).agrees:
            sentence = SUMS if other == "sum" else AVERAGES
            return replace(about.wrong("convention", sentence, wrong.worst), reduction=other)
        right = [one.name for one in declared if one.agrees]
        sentence = (
            f"{wrong.name}{list(wrong.worst.index)} is {wrong.worst.manual:.10g}, where"
            f" {wrong.worst.reference:.10g} is right ({wrong.worst.ratio:.3g} × allowance)"
        ) + (f"; {', '.join(right)} right" if right else "")
        seen = {f"d{name}": array for name, array in gradients.items()}
        observation = Observation(self.point(self.reduction), seen, f"one call of {about.name}")
        found = diagnose_gradients(observation)
        return replace(about.wrong("value", sentence, wrong.worst), diagnosis=found)


def known_quantities(point: Point) -> dict[str, Array]:
    """Return everything a gradient function may ask for, by its name; biases are (1, H)."""
    shown = manual_mlp.loss_and_gradients(
        dict(point.parameters), point.x, point.targets, reduction=point.reduction,
        intermediates=True,
    )[2]  # fmt: skip
    biases = {name: point.parameters[name][None, :] for name in ("b1", "b2")}
    return {**shown, **point.parameters, **biases, "x": point.x, "y": point.targets}


def named_values(value: Any, how: GradientFunction) -> dict[str, Array] | str:
    """Return the gradients by parameter, or the sentence why they cannot be told."""
    values = list(value.values()) if isinstance(value, Mapping) else value
    parts = list(values) if isinstance(values, tuple | list) else [values]
    due = {"w1": (F, H), "b1": (H,), "w2": (H, K), "b2": (K,)}
    names = how.returns or by_shape(parts, due)
    if names is None or len(names) != len(parts):
        return f"returns {len(parts)} values that neither names nor shapes tell apart"
    gradients: dict[str, Array] = {}
    for name, part in zip(names, parts, strict=True):
        array = as_array(part, due[name])
        if array is None or array.shape != due[name]:
            return f"returns {shape_of(part)} as d{name}; {due[name]} is due"
        gradients[name] = array
    return gradients


def by_shape(parts: Sequence[Any], due: Mapping[str, tuple[int, ...]]) -> tuple[str, ...] | None:
    """Return the gradients that arrays must be by their shapes alone, or None."""
    shapes = {shape: name for name, shape in due.items()}
    shapes |= {(1, *shape): name for name, shape in due.items() if len(shape) == 1}
    named = [shapes.get(np.shape(part)) for part in parts]
    return tuple(name for name in named if name) if all(named) else None


def shape_of(part: Any) -> str:
    """Say the shape of what came back."""
    return f"a value of shape {np.shape(part)}"


def compared_at(point: Point, gradients: Mapping[str, Array]) -> list[Comparison]:
    """Compare each gradient with torch's, within the allowance of the textbook."""
    from torch_reference import Reference

    reference = Reference((F, H, K), reduction=point.reduction)
    _, expected = reference.loss_and_gradients(point.parameters, point.x, point.targets)
    right = Pass(point)
    return [
        compare_entries(f"d{name}", array, expected[name], right.named(f"d{name}").allowance)
        for name, array in gradients.items()
    ]


def worst_of(compared: Sequence[Comparison]) -> Comparison:
    """Return the comparison with the largest ratio."""
    return max(compared, key=lambda one: one.worst.ratio)
