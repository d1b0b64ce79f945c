"""How a class is made to compute gradients: built, given weights, and its methods called in order.

Found by trial at one point, then used at every other: `Recipe.run` is contract 1.
"""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from math import inf, isfinite
from typing import Any

import numpy as np

import manual_mlp
from compare.contracts.arrays import Array, Arrays
from compare.examine.starter.binding import CERTAIN, plain
from compare.examine.starter.chain import widths_of
from compare.examine.starter.construct import drawn_alike
from compare.examine.starter.expected import known_quantities
from compare.examine.starter.meanings import LAYOUTS, Layout, meanings
from compare.examine.starter.returned import parts_of
from compare.examine.starter.slots import (
    RATE,
    Slot,
    fits,
    gradient_slots,
    is_without_biases,
    laid_like,
    put_everywhere,
    set_rate,
    set_strength,
    strengths_of,
    weight_slots,
)
from compare.examine.starter.zeroing import ZEROES, is_zeroing
from compare.textbook import Point

STEP = 2.0**40
"""A learning rate so large that the weights before a step are below the last digit after it: the
step is the gradient, to rounding."""
OWN_RATE = 2.0**20
"""A step below it is none of rate `STEP`: gradients of this network are far above 2^-20."""
USUAL_RATE, ONE_STEP = 0.125, 1e-2
"""A rate at which a few steps stay near, and as how much of it two gradients may differ that are
one: in float32 a step of this rate has four digits."""
LOSSES = 12
"""How many meanings of the parameters of a method that gives the loss are tried."""
MEANINGS = 60
"""How many meanings of a method's parameters are tried."""

FORWARD = re.compile(
    r"forward\w*|fwd\w*|feed\w*|fprop|propagate|predict\w*|call|scores|forwardprop\w*|fp"
)
BACKWARD = re.compile(r".*back.*|.*grad.*|bprop|bp|lossand\w*")
LOSS = re.compile(
    r".*(loss|cost|entropy|objective).*|ce|averagece|nll|mse|sse|bce"
    r"|(mean)?squareerror|(mean|sumof|sum)?squarederrors?"
    r"|mae|(mean)?absoluteerrors?|(pseudo)?huber|smoothl1|logcosh|hinge"
)
TRAIN = re.compile(r"(fit|train|learn)\w*|(train|sgd|gradientdescent)?step|update\w*|optimi\w*")
COUNTS = {"epochs": 1, "epoch": 1, "nepochs": 1, "numepochs": 1, "iterations": 1, "iters": 1,
          "numiters": 1, "niter": 1, "maxiter": 1, "steps": 1, "batches": 1}  # fmt: skip


Before = Callable[[Any], None]


class DoesNotFit(Exception):
    """This way of calling a class gives no gradients of its weights."""


class NoBiases(DoesNotFit):
    """This object has a place for every weight, and none for any bias."""


@dataclass(frozen=True)
class Method:
    """One method and what is passed for its parameters, in their order."""

    name: str
    passed: tuple[tuple[str, str], ...]

    def call(self, thing: Any, values: Mapping[str, Any]) -> Any:
        """Call it on an object with the arguments of this point."""
        return getattr(thing, self.name)(*(values[meaning] for _, meaning in self.passed))

    def __str__(self) -> str:
        return f"{self.name}({', '.join(meaning for _, meaning in self.passed)})"


@dataclass(frozen=True)
class Recipe:
    """Builds an object of a class, calls `methods` in order and finds the gradients afterwards."""

    build: Callable[[tuple[int, ...], Mapping[str, Any]], Any]
    methods: tuple[Method, ...]
    layout: Layout = LAYOUTS[0]
    online: bool = False
    """Whether the weights move after every sample: each is then called alone."""
    strength: float | None = 0.0
    """Of the penalty, where the object keeps it; None where what is named so stays as it was built:
    SELU has its lambda."""
    only: str = ""
    """The one strength of an object that is not 0; empty for all of them."""

    def outcome(
        self, parameters: Arrays, x: Array, targets: Array, before: Before | None = None
    ) -> tuple[float | None, Arrays]:
        """The loss, None if the class shows none, and the gradients of its weights.

        `before` is handed the object between its weights and its calls.
        """
        if self.online:
            return self.averaged(parameters, x, targets, before)
        thing, slots, values = self.prepared(parameters, x, targets, STEP)
        if before is not None:
            before(thing)
        shapes = {name: slot.array.shape for name, slot in slots.items()}
        answers = [method.call(thing, values) for method in self.methods]
        found = self.gradients(thing, answers, slots, parameters, shapes)
        gradients = {name: laid_like(found[name], one.shape) for name, one in parameters.items()}
        loss = next(filter(None, map(number_in, answers)), None)
        if loss is None and not moved(slots, parameters):
            loss = self.loss(thing, values)
        elif loss is None:
            loss = self.loss_in_place(parameters, x, targets, before)
        if moved(slots, parameters) and not self.steps_once(parameters, x, targets, gradients):
            raise DoesNotFit("it moves its weights more than once, as often as is written into it")
        return loss, gradients

    def steps_once(self, parameters: Arrays, x: Array, targets: Array, found: Arrays) -> bool:
        """Whether a step at an ordinary rate is made of the same gradient for any of the weights:
        of several steps each is made of another one."""
        after = self.after(parameters, x, targets, USUAL_RATE)
        steps = {name: (one - after[name]) / USUAL_RATE for name, one in parameters.items()}
        return any(
            np.abs(steps[name] - one).max() <= ONE_STEP * np.abs(one).max()
            for name, one in found.items()
        )

    def loss_in_place(
        self, parameters: Arrays, x: Array, targets: Array, before: Before | None
    ) -> float | None:
        """The loss of a class whose methods move its weights: that of our weights, which the same
        calls at a rate of 0 leave; None where they do not."""
        thing, slots, values = self.prepared(parameters, x, targets, 0.0)
        if before is not None:
            before(thing)
        for method in self.methods:
            method.call(thing, values)
        return None if moved(slots, parameters) else self.loss(thing, values)

    def averaged(
        self, parameters: Arrays, x: Array, targets: Array, before: Before | None = None
    ) -> tuple[float | None, Arrays]:
        """The same of single samples, averaged over the batch."""
        alone = replace(self, online=False)
        rows = [
            alone.outcome(parameters, x[n : n + 1], targets[n : n + 1], before)
            for n in range(len(x))
        ]
        losses = [loss for loss, _ in rows if loss is not None]
        mean = float(np.mean(losses)) if len(losses) == len(rows) else None
        found = {name: np.mean([one[name] for _, one in rows], axis=0) for name in parameters}
        return mean, {name: np.asarray(one, x.dtype) for name, one in found.items()}

    def after(self, parameters: Arrays, x: Array, targets: Array, rate: float) -> Arrays:
        """The weights after the calls, laid like ours."""
        thing, slots, values = self.prepared(parameters, x, targets, rate)
        for method in self.methods:
            method.call(thing, values)
        return {name: laid_like(slots[name].array, one.shape) for name, one in parameters.items()}

    def prepared(
        self, parameters: Arrays, x: Array, targets: Array, rate: float
    ) -> tuple[Any, dict[str, Slot], dict[str, Any]]:
        """An object with our weights, where they are in it, and what its methods are passed."""
        values = self.values(parameters, x, targets) | {"STEP": rate}
        with drawn_alike():  # weights that are not found among ours are the same in every object
            thing = self.build(widths_of(parameters), values)
        set_rate(thing, rate)
        if self.strength is not None:
            set_strength(thing, self.strength, self.only)
        slots = weight_slots(thing, parameters)
        if set(slots) != set(parameters):
            missing = [name for name in parameters if name not in slots]
            why = f"no attribute of {type(thing).__name__} has the shape of {', '.join(missing)}"
            raise (NoBiases if is_without_biases(thing, missing, parameters) else DoesNotFit)(why)
        shapes = {name: slot.array.shape for name, slot in slots.items()}
        laid = {name: laid_like(one, shapes[name]) for name, one in parameters.items()}
        put_everywhere(thing, slots, {name: one.astype(x.dtype, copy=True)
                                      for name, one in laid.items()})  # fmt: skip
        return thing, slots, values

    def strengths(self, point: Point) -> dict[str, float]:
        """The strengths that an object keeps as it was built."""
        values = self.values(dict(point.parameters), point.x, point.targets)
        return strengths_of(self.build(widths_of(point.parameters), values))

    def values(self, parameters: Arrays, x: Array, targets: Array) -> dict[str, Any]:
        """Everything that may be passed to a method, laid as the class keeps it."""
        point = Point(parameters, x, targets)
        laid = {
            name: self.layout.lay(name, array) for name, array in known_quantities(point).items()
        }
        loss = manual_mlp.loss_and_gradients(parameters, x, targets)[0]
        return {**laid, "N": len(x), "2N": 2 * len(x), "1": 1, "2": 2, "loss": loss}

    def gradients(
        self,
        thing: Any,
        answers: Sequence[Any],
        slots: Mapping[str, Slot],
        parameters: Arrays,
        shapes: Mapping[str, tuple[int, ...]],
    ) -> Arrays:
        """The gradients as they lie there: returned, left in attributes, or read off a step of the
        weights."""
        for found in (
            *(returned(answer, parameters) for answer in reversed(answers)),
            {n: one.array for n, one in gradient_slots(thing, parameters, slots).items()},
            stepped(slots, parameters, shapes),
        ):
            if set(found) == set(parameters):
                return found
        raise DoesNotFit("its methods leave no gradients of all weights behind")

    def loss(self, thing: Any, values: Mapping[str, Any]) -> float | None:
        """What a method named like a loss says afterwards, if there is one.

        Of what its arguments may mean, that counts with which it comes nearest to the right loss.
        """
        said: list[float] = []
        for name, parameters in methods_of(type(thing), LOSS):
            for method in islice(calls_of(name, parameters, self.layout), LOSSES):
                with contextlib.suppress(Exception):
                    value = number_in(method.call(thing, values))
                    said += [] if value is None else [value]
        right = values["loss"]
        return min(said, key=lambda one: abs(one - right) if isfinite(one) else inf, default=None)

    def __str__(self) -> str:
        layout = f"; {self.layout.words()}" if self.layout.words() else ""
        single = "; its weights move after every sample" if self.online else ""
        return ", then ".join(map(str, self.methods)) + layout + single


def moved(slots: Mapping[str, Slot], parameters: Arrays) -> bool:
    """Whether an object has other weights than ours."""
    return any(
        not np.array_equal(
            laid_like(slots[name].array, one.shape), one.astype(slots[name].array.dtype)
        )
        for name, one in parameters.items()
    )


def number_in(answer: Any) -> float | None:
    """The loss in what a method returned: a number, alone or first of several values."""
    first = parts_of(answer)[:1] if not isinstance(answer, Mapping) else []
    if first and np.ndim(first[0]) == 0 and isinstance(first[0], float | int | np.number):
        return float(first[0])
    if first and isinstance(first[0], np.ndarray) and first[0].size == 1:
        return float(first[0].item())
    return None


def returned(answer: Any, parameters: Arrays) -> Arrays:
    """The gradients in what a method returned, told by their shapes."""
    found: Arrays = {}
    for part in leaves(answer):
        for name, array in parameters.items():
            if name not in found and part.ndim and fits(part, array.shape):
                found[name] = part
    return found


def leaves(answer: Any, depth: int = 0) -> Iterator[Array]:
    """The arrays in a value, through tuples, lists and dictionaries."""
    if isinstance(answer, np.ndarray):
        yield answer
    elif isinstance(answer, Mapping | tuple | list) and depth < 3:
        for part in parts_of(answer):
            yield from leaves(part, depth + 1)


def stepped(
    slots: Mapping[str, Slot], parameters: Arrays, shapes: Mapping[str, tuple[int, ...]]
) -> Arrays:
    """The gradients read off one step of size `STEP`; nothing if the weights did not move.

    Raises `DoesNotFit` where they moved as weights of size 1 do at a rate of their own.
    """
    found: Arrays = {}
    for name, slot in slots.items():
        before = laid_like(parameters[name], shapes[name])
        after = slot.array
        if after.shape != before.shape or not (after != before).any():
            return {}
        found[name] = (before - after) / STEP
    if found and max(np.abs(one).max() for one in found.values()) * STEP < OWN_RATE:
        raise DoesNotFit("its learning rate is written into it and cannot be handed over")
    return found


def recipes(cls: type, build: Callable[..., Any]) -> Iterator[Recipe]:
    """Every order of calls that may leave gradients behind, the likeliest first."""
    forward = methods_of(cls, FORWARD)
    backward = [one for one in methods_of(cls, BACKWARD)
                if not FORWARD.fullmatch(plain(one[0])) and not is_zeroing(one[0])]  # fmt: skip
    losses = [one for one in methods_of(cls, LOSS) if one not in backward]
    train = methods_of(cls, TRAIN)
    for layout in (LAYOUTS[0], LAYOUTS[1]):
        before = [*called(forward, layout, 2), ()]
        between = [(), *called(losses, layout, 4)]
        for (method,) in called((*backward, *losses, *train), layout, MEANINGS):
            for ahead, loss, clear in product(before, between, (*cleared(cls), ())):
                yield Recipe(build, (*clear, *ahead, *loss, method), layout)


def cleared(cls: type) -> list[tuple[Method]]:
    """The calls of a class that set its gradients to 0 before they are added up anew."""
    asked = [(name, given) for name, given in methods_of(cls, ZEROES) if not required(given)]
    return [(Method(name, ()),) for name, _ in asked[:1]]


def required(parameters: Iterable[inspect.Parameter]) -> list[inspect.Parameter]:
    """The parameters that have to be handed over."""
    open_ends = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [one for one in parameters if one.default is one.empty and one.kind not in open_ends]


def called(
    methods: Iterable[tuple[str, list[inspect.Parameter]]], layout: Layout, most: int
) -> Iterator[tuple[Method]]:
    """The first `most` calls of each method."""
    for name, given in methods:
        yield from ((method,) for method in islice(calls_of(name, given, layout), most))


def methods_of(cls: type, named: re.Pattern[str]) -> list[tuple[str, list[inspect.Parameter]]]:
    """The methods whose names fit, with their parameters; public ones before private ones."""
    found = []
    for name, function in inspect.getmembers(cls, inspect.isfunction):
        if not name.startswith("__") and named.fullmatch(plain(name)):
            found.append((name, list(inspect.signature(function).parameters.values())[1:]))
    return sorted(found, key=lambda one: one[0].startswith("_"))


def calls_of(
    name: str, parameters: Sequence[inspect.Parameter], layout: Layout
) -> Iterator[Method]:
    """The calls of one method: settings by their names, the rest with every meaning it may have."""
    asked = [one for one in parameters if one.default is one.empty or plain(one.name) in CERTAIN]
    asked += [one for one in parameters if one not in asked and setting(one.name)]
    asked = [one for one in parameters if one in asked and one.kind is one.POSITIONAL_OR_KEYWORD]
    open_ = [one.name for one in asked if not setting(one.name)]
    for meaning in meanings(open_, (layout,)):
        bound = {one: str(what) for one, what in meaning.bound.items()}
        passed = ((one.name, bound.get(one.name) or setting(one.name)) for one in asked)
        yield Method(name, tuple(passed))


def setting(name: str) -> str:
    """What is passed for a parameter that is no array: one epoch, a large step, all rows."""
    key = plain(name)
    if RATE.fullmatch(key):
        return "STEP"
    if key in COUNTS:
        return "1"
    return "N" if "batch" in key else ""
