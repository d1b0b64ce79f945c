"""Logistic regression: loss and gradient of one column of weights; its bias may be a number.

    def propagate(w, b, X, Y):                       w (F, 1), b = 0.0, X (F, N), Y (1, N)
        A = sigmoid(w.T @ X + b)
        return {"dw": X @ (A - Y).T / m, "db": np.sum(A - Y) / m}, cost

It is a network of one layer and one output unit, and is called with what its parameters may be, in
every form that people take. It is accused only where names say what they are, and where its
gradient is not that of another loss that it shows (`logistic_doubts`).
"""

from __future__ import annotations

import ast
import contextlib
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Result, Verdict
from compare.examine.starter.binding import plain
from compare.examine.starter.entropy_readings import AVERAGES, SUMS
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.gradient_functions import read_function, returned_names
from compare.examine.starter.linear_softmax import roles_of
from compare.examine.starter.logistic_doubts import doubt, is_usual, says_loss
from compare.examine.starter.networks import EXPONENTIAL, point
from compare.examine.starter.one_layer import checked_as_network
from compare.examine.starter.readings import UNEQUAL
from compare.examine.starter.source import Source
from compare.examine.starter.update_words import of_gradient
from compare.examine.starter.whole_check import in_words
from compare.guard.guard import Guard

SIZES = replace(UNEQUAL, K=1)
FORMS = ("columns", "rows", "vectors")
READ = {
    "columns": "samples are columns", "rows": "", "vectors": "weights and targets are vectors",
}  # fmt: skip
MEAN: Mapping[str, Any] = {"reduction": "mean"}
OF_LOSS = ("reduction", "loss_factor", "l2", "l1", "penalise", "penalty_over")
"""What of the declaration is handed on."""
OPTION = re.compile(r"it agrees with `[^`]*`( \([^)]*\))?")
NO_LOSS_SHOWN = "what it returns beside its gradients was not compared: nothing says it is its loss"
ROLES = ("w1", "b1", "x", "y")
Named = tuple[str, Any]


@dataclass(frozen=True)
class Logistic:
    """A function, what its parameters are, and the form of what it is handed."""

    function: Callable[..., Any]
    roles: Mapping[str, str]
    form: str
    number: bool
    names: tuple[str, ...]
    first: bool = True
    """Whether the loss comes before the gradient of the bias, where neither says what it is."""
    blind: bool = False
    """Whether what is returned beside the gradients is no loss, and is not compared."""

    def __call__(self, parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        """Loss and gradients, as a function of contract 1; the loss is NaN where none is shown."""
        shown, gradients = self.read(parameters, x, targets)
        return (np.nan if shown is None or self.blind else shown[1]), gradients

    def read(
        self, parameters: Arrays, x: Array, targets: Array
    ) -> tuple[tuple[str, float] | None, Arrays]:
        """What is returned beside the gradients, if anything, with its name, and the gradients."""
        answer = self.function(**self.arguments(parameters, x, targets))
        named = list(parts_named(answer, self.names))
        arrays = [one for _, one in named if np.size(one) == x.shape[1]]
        scalars = [(name, float(np.asarray(one).item())) for name, one in named if is_number(one)]
        biases = [one for one in scalars if of_gradient(plain(one[0]))]
        losses = [one for one in scalars if not of_gradient(plain(one[0]))]
        if not biases and scalars:
            values = scalars if self.first else scalars[::-1]
            losses, biases = values[:-1], values[-1:]
        if len(arrays) != 1 or len(biases) != 1 or len(losses) > 1:
            raise ValueError("no gradients of a column of weights and of one bias came back")
        weight = np.asarray(arrays[0], float).reshape(-1, 1)
        return (losses[0] if losses else None), {"w1": weight, "b1": np.array([biases[0][1]])}

    def arguments(self, parameters: Arrays, x: Array, targets: Array) -> dict[str, Any]:
        """What it is handed."""
        bias = parameters["b1"]
        values = {
            "w1": parameters["w1"].ravel() if self.form == "vectors" else parameters["w1"],
            "b1": float(bias[0]) if self.number else bias.reshape(1, 1),
            "x": x.T if self.form == "columns" else x,
            "y": {"columns": targets.T, "rows": targets, "vectors": targets.ravel()}[self.form],
        }
        return {name: np.array(values[role], order="C") if role != "b1" else values[role]
                for name, role in self.roles.items()}  # fmt: skip


def is_number(value: Any) -> bool:
    """Whether a value is one number."""
    return np.size(value) == 1 and np.asarray(value).dtype.kind == "f"


def parts_named(answer: Any, names: Sequence[str]) -> Iterator[Named]:
    """Yield the values of what came back, with their keys or the names they are returned under."""
    values = list(answer) if isinstance(answer, tuple | list) else [answer]
    known = names if len(names) == len(values) else [""] * len(values)
    for name, value in zip(known, values, strict=True):
        if isinstance(value, Mapping):
            yield from ((str(key), one) for key, one in value.items())
        else:
            yield name, value


def logistic_regressions(
    source: Source,
    done: Set[str],
    timeout: float | None,
    seed: int,
    declared: Mapping[str, Any] = MEAN,
) -> Iterator[FunctionVerdict]:
    """The verdicts on the functions of a file that are logistic regressions, without those done."""
    for name, one in source.definitions.items():
        if name in done or not isinstance(one.node, ast.FunctionDef) or not shows_one(source, name):
            continue
        with contextlib.suppress(UserCodeError):
            found = judged(source, name, one.node, Guard(timeout=timeout), seed, declared)
            if found is not None:
                yield replace(found, place=source.where(name))


def text_of(source: Source, name: str) -> str:
    """The text of a function and of those it calls."""
    called = source.closure([name]) & set(source.definitions)
    return "".join(ast.unparse(source.definitions[one].node) for one in called)


def shows_one(source: Source, name: str) -> bool:
    """Whether a function takes a sigmoid and a product."""
    text = text_of(source, name)
    return bool(EXPONENTIAL.search(text)) and ("dot(" in text or "@" in text)


def takes_logarithms(source: Source, name: str) -> bool:
    """Whether the loss in a function is one of logarithms: a squared error is none."""
    return "log(" in text_of(source, name)


def is_told(result: Result) -> bool:
    """Whether a mistake is known, or only the loss or only the gradients are wrong."""
    ratios = {name: worst.ratio for name, worst in result.worst.items()}
    loss = ratios.pop("loss", np.inf)
    return bool(result.diagnosis) or loss <= 1 or max(ratios.values(), default=np.inf) <= 1


def judged(
    source: Source,
    name: str,
    node: ast.FunctionDef,
    guard: Guard,
    seed: int,
    declared: Mapping[str, Any] = MEAN,
) -> FunctionVerdict | None:
    """The verdict on one of them: of roles that its names say, else of such as make it right."""
    function = source.load([name]).get(name)
    needed = len(node.args.args) - len(node.args.defaults)
    parameters = [one.arg for one in node.args.args[:needed]]
    if len(parameters) != len(ROLES):
        return None
    roles = roles_of(source, read_function(source, name, node))
    certain = roles is not None and sorted(roles.values()) == sorted(ROLES)
    meant = [roles] if certain and roles is not None else [
        dict(zip(parameters, order, strict=True)) for order in permutations(ROLES)
    ]  # fmt: skip
    asked = {one: declared[one] for one in OF_LOSS if one in declared}
    tried: list[tuple[Logistic, Result]] = []
    for way in distinct(ways(function, meant, returned_names(node)), guard, seed):
        result = compared(way, guard, seed, asked) if certain or fits(way, seed) else None
        if result is None:
            continue
        if result.verdict is Verdict.AGREES:
            return said(name, way, result)
        tried.append((way, result))
    if not (certain and tried and takes_logarithms(source, name)):
        return None
    seen = [seen_again(source, node, *one, guard, seed, asked) for one in tried]
    found = (undecided(name, *one, guard, seed, asked) for one in seen)
    if open_ := next(filter(None, found), None):
        return open_
    return said(name, *seen[0]) if is_told(seen[0][1]) else None


def seen_again(
    source: Source,
    node: ast.FunctionDef,
    way: Logistic,
    result: Result,
    guard: Guard,
    seed: int,
    asked: Mapping[str, Any],
) -> tuple[Logistic, Result]:
    """A reading and its result, without what it shows where nothing says that it is a loss."""
    shown, _ = way.read(*at_one_point(seed))
    if shown is None or says_loss(source, node, shown[0]):
        return way, result
    blind = replace(way, blind=True)
    return blind, compared(blind, guard, seed, asked) or result


def undecided(
    name: str, way: Logistic, result: Result, guard: Guard, seed: int, asked: Mapping[str, Any]
) -> FunctionVerdict | None:
    """The verdict on what may be right though it is not as declared: a sum, or another loss."""
    if result.verdict is Verdict.AGREES:
        return said(name, way, result).undecided(NO_LOSS_SHOWN)
    other = "mean" if asked.get("reduction") == "sum" else "sum"
    summed = compared(way, guard, seed, {**asked, "reduction": other})
    if summed is not None and summed.verdict is Verdict.AGREES:
        sentence = SUMS if other == "sum" else AVERAGES
        about = said(name, way, summed)
        if way.blind:
            return about.undecided(f"{sentence}; {NO_LOSS_SHOWN}")
        return about.wrong("convention", sentence, said(name, way, result).worst)
    why = ""
    with contextlib.suppress(UserCodeError):
        why = guard.run(functools.partial(doubt, way, *at_one_point(seed)), "", None)
    if not why:
        return None
    option = OPTION.search(result.sentence)
    more = f"; {option[0]}" if option else ""
    about = FunctionVerdict(name, "gradient", None, Verdict.UNDECIDABLE, why + more)
    return replace(about, conventions=tuple(in_short(way)))


def distinct(every: Iterable[Logistic], guard: Guard, seed: int) -> Iterator[Logistic]:
    """The readings in which a function gives gradients, without those that give the same."""
    known: set[str] = set()
    for one in every:
        with contextlib.suppress(UserCodeError):
            loss, found = guard.run(functools.partial(one, *at_one_point(seed)), "", None)
            numbers = np.array([loss, *found["w1"].ravel(), *found["b1"]])
            key = str([f"{number:.9g}" for number in numbers])
            if key not in known:
                known.add(key)
                yield one


def ways(
    function: Callable[..., Any], meant: Sequence[Mapping[str, str]], names: tuple[str, ...]
) -> Iterator[Logistic]:
    """Yield what a function may be called with."""
    for roles in meant:
        for form in FORMS:
            for number in (True, False):
                for first in (True, False):
                    yield Logistic(function, roles, form, number, names, first)


def fits(one: Logistic, seed: int) -> bool:
    """Whether the gradients are usual ones at one point, to some digits."""
    parameters, x, targets = at_one_point(seed)
    return is_usual(one(dict(parameters), x, targets)[1], parameters, x, targets)


def compared(one: Logistic, guard: Guard, seed: int, declared: Mapping[str, Any]) -> Result | None:
    """The function as a network of one layer and one output; None where that cannot be done."""
    asked: dict[str, Any] = {**MEAN, **declared, "loss": "bce", "hidden": (), "seed": seed}
    return checked_as_network(
        one, one.function, inputs=SIZES.F, classes=1, timeout=guard.timeout, **asked
    )


def at_one_point(seed: int) -> tuple[Arrays, Array, Array]:
    """Parameters of one layer, inputs and targets of one output unit."""
    _, x, targets = point(SIZES, seed)
    generator = np.random.default_rng(seed)
    weights = {"w1": generator.normal(size=(x.shape[1], 1)), "b1": generator.normal(size=1)}
    return {name: one.astype(x.dtype) for name, one in weights.items()}, x, targets


def said(name: str, way: Logistic, result: Result) -> FunctionVerdict:
    """The verdict, with how the function was read."""
    return in_words(name, "gradient", result, (*in_short(way), *result.notes))


def in_short(way: Logistic) -> Iterator[str]:
    """How the function was read."""
    listed = ", ".join(f"{one} = {role}" for one, role in way.roles.items())
    yield f"read as logistic regression: {listed}"
    yield from filter(None, [READ[way.form]])
