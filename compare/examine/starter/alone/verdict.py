"""The verdict on a layer whose gradients are held against the slopes of its own forward pass.

It is right where all of them are the slopes, and wrong where some are and others are far from it
and not theirs with a penalty. Gradients of parameters that are all one number times the slopes may
be means over rows, as some have it. Where none is right, nobody knows what is handed to its
backward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from compare.contracts.arrays import Array
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Verdict
from compare.examine.starter.alone import ALONE
from compare.examine.starter.alone.making import ways
from compare.examine.starter.alone.passes import INPUT, Called, Layer, NoLayer
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.slots import strengths_of, unlike
from compare.examine.starter.source import Source
from compare.guard.guard import Guard

DIRECTIONS, SURE, CLOSE, CLEAR = 4, 4.0, 1e-6, 0.02
"""How many times as far off as a slope may be, and as much of it, a gradient may be; from which
share of the larger of the two on it is wrong."""


@dataclass(frozen=True)
class Told:
    """What is told of one gradient: whether it is the slopes, or clearly is not."""

    name: str
    right: bool
    wrong: bool
    multiple: bool
    seen: float
    slope: float


def layer_alone(
    cls: type, source: Source, name: str, guard: Guard, about: FunctionVerdict
) -> FunctionVerdict | None:
    """The verdict on a class that is a layer; None where it is none, or its own forward pass tells
    nothing."""
    for way in ways(cls, source, name):
        try:
            found: FunctionVerdict | None = guard.run(partial(judged, Layer(way), about), "", None)
        except UserCodeError:
            continue
        return found
    return None


def judged(layer: Layer, about: FunctionVerdict) -> FunctionVerdict | None:
    """The verdict on a layer that can be called so; raises `NoLayer` where it gives no gradients
    of its input."""
    called = layer.called()
    found = gradients_in(layer, called)
    same = np.array_equal(called.output, layer.output(layer.x, layer.parameters))
    if INPUT not in found or not same:
        raise NoLayer
    if called.moved or any(strengths_of(layer.made({})).values()):
        return None
    every = [told(layer, name, array) for name, array in found.items()]
    right = [one for one in every if one.right]
    alone = all(one.name == INPUT for one in right)  # then the others may be means over rows
    wrong = [one for one in every if one.wrong and not (one.multiple and alone)]
    if right and wrong:
        return disagreeing(about, right, wrong)
    lacking = [name for name in layer.parameters if name not in found]
    if len(right) < len(every) or (lacking and len(every) == 1):
        return None
    return agreeing(about, right, lacking)


def gradients_in(layer: Layer, called: Called) -> dict[str, Array]:
    """The gradients that a backward pass gave: of the input, returned, and of the parameters, left
    behind or returned beside it."""
    found: dict[str, Array] = {}
    back = [one for one in called.returned if one.dtype.kind == "f"]
    if back and back[0].shape == layer.x.shape:
        found[INPUT] = back[0]
    own = {slot.way: slot for slot in called.slots}
    for name, array in layer.parameters.items():
        weight = own.get(tuple(name.split(".")))
        left = [slot for slot in called.slots
                if slot.of_gradients and slot.array.shape == array.shape]  # fmt: skip
        beside = [one for one in back[1:] if one.shape == array.shape]
        if left:
            found[name] = min(left, key=partial(unlike, weight=weight)).array
        elif len(beside) == 1:
            found[name] = beside[0]
    return found


def told(layer: Layer, name: str, gradient: Array) -> Told:
    """Hold one gradient against the slopes."""
    pairs, off = [], []
    for number in range(DIRECTIONS):
        slope = layer.slope(name, number)
        pairs.append((float((gradient * layer.direction(name, number)).sum()), slope.value))
        off.append(SURE * slope.off + CLOSE * abs(slope.value))
    seen, due = np.array(pairs).T
    far = np.abs(seen - due)
    right = bool((far <= off).all() and (np.abs(due) > np.array(off)).any())
    worst = int(np.argmax(far - np.array(off)))
    clear = bool(far.max() > CLEAR * max(np.abs(seen).max(), np.abs(due).max()))
    known = bool((np.array(off) < CLEAR * np.abs(due).max()).all())
    own = None if name == INPUT else [
        float((layer.parameters[name] * layer.direction(name, n)).sum()) for n in range(DIRECTIONS)
    ]  # fmt: skip
    meant = own is not None and is_multiple(seen - due, np.array(own))  # a penalty
    values = float(seen[worst]), float(due[worst])
    return Told(name, right, clear and known and not meant, is_multiple(seen, due), *values)


def is_multiple(seen: Array, due: Array) -> bool:
    """Whether one thing is a number times another one."""
    factor = float(seen @ due) / float(due @ due) if due.any() else 0.0
    return bool(factor and np.abs(seen - factor * due).max() <= 1e-4 * np.abs(seen).max())


def agreeing(
    about: FunctionVerdict, right: Sequence[Told], lacking: Sequence[str]
) -> FunctionVerdict:
    """The verdict on a layer whose gradients are the slopes."""
    words = f"{ALONE}: the gradients of {listed(right)} are its slopes (central differences along"
    words = f"{words} {DIRECTIONS} directions of each)"
    found = FunctionVerdict(
        about.name, about.role, about.place, Verdict.AGREES, "agrees", conventions=(words,)
    )
    if lacking:
        return found.undecided(f"no gradient of {' and '.join(lacking)} was found")
    return found


def disagreeing(
    about: FunctionVerdict, right: Sequence[Told], wrong: Sequence[Told]
) -> FunctionVerdict:
    """The verdict on a layer of which some gradients are the slopes and others are not."""
    first = wrong[0]
    return about.wrong(
        "value",
        f"{ALONE}, the gradients of {listed(right)} are its slopes, and those of {listed(wrong)}"
        f" are not: along one direction of {first.name} the slope is {first.slope:.6g}, its"
        f" gradient says {first.seen:.6g}",
    )


def listed(every: Sequence[Told]) -> str:
    """The names of what was told."""
    return " and ".join(one.name for one in every)
