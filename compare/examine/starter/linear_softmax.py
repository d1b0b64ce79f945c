"""A softmax classifier without hidden layer: loss and gradient of one matrix of weights.

    def softmax_loss(W, X, y, reg):
        probs = softmax(X @ W)
        loss = -mean(log(probs[range(n), y])) + reg * sum(W * W)
        dW = X.T @ (probs - onehot(y)) / n + 2 * reg * W
        return loss, dW

It is a network of one layer, and is checked as such: first at a strength of 0, then with what the
strength adds to the loss. A hinge looks the same: nobody is accused without a known mistake where
neither loss nor gradients are right.
"""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from compare.checks.referee import each_belongs
from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.contracts.result import Result, Verdict
from compare.examine.starter.binding import CERTAIN, plain
from compare.examine.starter.function_verdict import FunctionVerdict
from compare.examine.starter.gradient_check import GradientCheck
from compare.examine.starter.gradient_functions import GradientFunction, read_function
from compare.examine.starter.meanings import LAYOUTS, Layout
from compare.examine.starter.networks import EXPONENTIAL
from compare.examine.starter.one_layer import checked_as_network
from compare.examine.starter.own_loss import smoothing_of
from compare.examine.starter.readings import UNEQUAL
from compare.examine.starter.recipe import number_in
from compare.examine.starter.returned import parts_of
from compare.examine.starter.slots import PENALTY
from compare.examine.starter.source import Source
from compare.examine.starter.strengths import OURS, Added, Strength, at_strength, forms
from compare.examine.starter.whole_check import in_words, without_our_labels
from compare.guard.guard import Guard
from compare.judge.naming import nothing_named
from compare.points.probe import draw_probes

WEIGHT = re.compile(r"w|weights?|theta")
BIAS = re.compile(r"b|bias")
SMOOTHS = re.compile(r"smooth|eps|alpha", re.IGNORECASE)
"""In the name of a function or of a parameter, without underscores, that smooths the targets."""
PARTED = (
    "its gradient is not the gradient of its loss (p - t is, only where every row of the smoothed"
    " targets t adds up to 1)"
)
SIZES = (UNEQUAL.F, UNEQUAL.K)


@dataclass(frozen=True)
class Linear:
    """What the parameters of a function are: x, y, w1, b1 or strength, by their names; class
    numbers or rows for y; and the layout."""

    function: Callable[..., Any]
    roles: Mapping[str, str]
    labels: bool = True
    layout: Layout = LAYOUTS[0]
    strength: float = 0.0

    @property
    def bias(self) -> bool:
        """Whether there is one."""
        return "b1" in self.roles.values() or self.of_scores

    def __call__(self, parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        """Loss and gradients, as a function of contract 1; the loss is NaN where none is shown."""
        if self.of_scores:
            return self.behind_a_layer(parameters, x, targets)
        values: dict[str, Any] = {
            **{name: self.layout.lay(name, one) for name, one in parameters.items()},
            "x": self.layout.lay("x", x), "strength": self.strength,
            "y": targets.argmax(axis=1) if self.labels else self.layout.lay("y", targets),
        }  # fmt: skip
        answer = self.function(**{name: values[role] for name, role in self.roles.items()})
        arrays = [one for one in parts_of(answer) if np.ndim(one)]
        gradients = {name: self.found(arrays, name, one) for name, one in parameters.items()}
        loss = number_in(answer)
        return np.nan if loss is None else loss, gradients

    @property
    def of_scores(self) -> bool:
        """Whether it is handed scores, not the inputs of a layer."""
        return "w1" not in self.roles.values()

    def behind_a_layer(self, parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        """Loss and gradients of a layer in front of it: dw1 = x.T @ ds of what it returns."""
        scores = x @ parameters["w1"] + parameters["b1"]
        loss, ds = self.slope_at(scores, targets)
        return loss, {"w1": x.T @ ds, "b1": ds.sum(axis=0)}

    def slope_at(self, scores: Array, targets: Array) -> tuple[float, Array]:
        """Loss and gradient of the scores, as rows."""
        labels = targets.argmax(axis=1) if self.labels else self.layout.lay("y", targets)
        values = {"x": self.layout.lay("x", scores), "y": labels}
        answer = self.function(**{name: values[role] for name, role in self.roles.items()})
        arrays = [one for one in map(np.asarray, parts_of(answer)) if one.ndim == 2]
        loss = number_in(answer)
        slope = next((one for one in arrays if one.shape == values["x"].shape), None)
        if slope is None or loss is None:
            raise ValueError("no loss and gradient of the scores came back")
        return loss, slope if slope.shape == scores.shape else slope.T

    def found(self, arrays: Sequence[Any], name: str, parameter: Array) -> Array:
        """The gradient of one parameter among what came back."""
        due = self.layout.lay(name, parameter)
        for one in map(np.asarray, arrays):
            if name == "b1" and one.size == due.size:
                return np.array(one.reshape(parameter.shape))
            if name == "w1" and one.shape == due.shape:
                return np.array(one if due.shape == parameter.shape else one.T, order="C")
        raise ValueError(f"no array of the shape of {name} came back")


def linear_functions(source: Source) -> Iterator[GradientFunction]:
    """The functions of a file that may be softmax classifiers, by their parameters and text."""
    for name, one in source.definitions.items():
        if isinstance(one.node, ast.FunctionDef):
            how = read_function(source, name, one.node)
            if may_be_one(source, how):
                yield how


def may_be_one(source: Source, how: GradientFunction) -> bool:
    """Whether a function takes one matrix of weights, and exponentials that are no sigmoid's."""
    text = "".join(ast.unparse(source.definitions[one].node)
                   for one in source.closure([how.name]) & set(source.definitions))  # fmt: skip
    softmax = "exp(" in text and not EXPONENTIAL.search(text)
    return softmax and "return" in text and roles_of(source, how) is not None


def linear_softmaxes(
    source: Source, done: Set[str], asked: GradientCheck
) -> Iterator[FunctionVerdict]:
    """The verdicts on the functions of a file that are softmax classifiers, without those done."""
    for how in linear_functions(source):
        with contextlib.suppress(UserCodeError):
            function = source.load([how.name]).get(how.name)
            found = None if how.name in done else linear_checked(source, how, function, asked)
            if found is not None:
                yield replace(found, place=source.where(how.name))


def linear_checked(
    source: Source, how: GradientFunction, function: Callable[..., Any], asked: GradientCheck
) -> FunctionVerdict | None:
    """The verdict on a function that may be a softmax classifier; None where it is none."""
    roles = roles_of(source, how)
    if roles is None or not may_be_one(source, how):
        return None
    guard, reduction, seed = Guard(timeout=source.guard.timeout), asked.reduction, asked.seed
    ways = [Linear(function, roles, labels, layout)
            for layout, labels in product(LAYOUTS, (True, False))]  # fmt: skip
    ways = [one for one in ways if shown(one, guard, seed)]
    with nothing_named():
        results = all_compared(ways, reduction, seed, guard)
    best = next((one for one in results if one[1].verdict is Verdict.AGREES), None)
    if best is None:
        results = all_compared(ways, reduction, seed, guard)
        told = (one for one in results if one[1].diagnosis or half_right(one[1], one[0], seed))
        best = next(told, None)
    smooths = smooths_targets(source, how.name)
    if best is None:
        return parted(how.name, results, guard, seed) if smooths else None
    if smooths and (verdict := smoothed(how.name, *best, reduction, seed, guard)):
        return verdict
    return with_strength(how.name, *best, reduction, seed, guard)


def all_compared(
    ways: Sequence[Linear], reduction: str, seed: int, guard: Guard
) -> list[tuple[Linear, Result]]:
    """The ways in which the function can be compared, and what is said of it then."""
    every = ((one, compared(one, {"reduction": reduction}, seed, guard)) for one in ways)
    return [(one, result) for one, result in every if result is not None]


def smooths_targets(source: Source, name: str) -> bool:
    """Whether a function says by its name, or by that of a parameter, that it smooths targets."""
    every = (name, *parameters_in(source, name))
    return any(SMOOTHS.search(one.replace("_", "")) for one in every)


def parameters_in(source: Source, name: str) -> list[str]:
    """All parameters of a function, also those that may be left out."""
    node = source.definitions[name].node
    every = ast.walk(node.args) if isinstance(node, ast.FunctionDef) else ()
    return [one.arg for one in every if isinstance(one, ast.arg)]


def smoothed(
    name: str, linear: Linear, result: Result, reduction: str, seed: int, guard: Guard
) -> FunctionVerdict | None:
    """The verdict on a loss that smooths its targets as it says, if it agrees with that."""
    options = smoothing_of(result)
    again = options and compared(linear, {"reduction": reduction, **options}, seed, guard)
    if not again or again.verdict is not Verdict.AGREES:
        return None
    words = (*in_short(linear), *Strength(declared=options).words(), *again.notes)
    return in_words(name, role_in(again), again, words)


def parted(
    name: str, results: Sequence[tuple[Linear, Result]], guard: Guard, seed: int
) -> FunctionVerdict | None:
    """The verdict on a loss of scores that is not known here, if its gradient is not that of it;
    nothing is said of what may be no gradient, its probabilities or their logarithms."""
    for linear, result in results:
        if linear.of_scores and not belongs(linear, guard, seed):
            return replace(in_words(name, "gradient", result, in_short(linear)), sentence=PARTED)
    return None


def belongs(linear: Linear, guard: Guard, seed: int) -> bool:
    """Whether the gradients of a function are those of its loss, as far as it returns gradients:
    they have both signs."""
    parameters, x, targets = given = drawn(linear, seed)
    scores = x @ parameters["w1"] + parameters["b1"]
    asked = partial(each_belongs, linear, *given)
    try:
        slope = guard.run(lambda: linear.slope_at(scores, targets)[1], "", None)
        gradients = guard.run(lambda: linear(*given)[1], "", None)
        found = guard.run(lambda: asked(gradients=gradients), "", None)
    except UserCodeError:
        return True
    return bool(found) or not ((slope > 0).any() and (slope < 0).any())


def half_right(result: Result, linear: Linear, seed: int) -> bool:
    """Whether the loss that it shows is right or all gradients are: it is a softmax, no hinge."""
    ratios = {name: worst.ratio for name, worst in result.worst.items()}
    loss = ratios.pop("loss", np.inf)
    shows = not np.isnan(linear(*drawn(linear, seed))[0])
    return (shows and loss <= 1) or max(ratios.values(), default=np.inf) <= 1


def roles_of(source: Source, how: GradientFunction) -> dict[str, str] | None:
    """What the parameters are that a function has to be handed; None where one has another name,
    or where there are not one x, or scores in its place, one y and at most one matrix."""
    given = {"x": "x", "y": "y", "labels": "y", "logits": "x"}
    roles: dict[str, str] = {}
    for name in how.parameters:
        key = plain(name)
        role = given.get(CERTAIN.get(key, ""), "")
        role = role or ("w1" if WEIGHT.fullmatch(key) else "b1" if BIAS.fullmatch(key) else "")
        role = role or ("strength" if PENALTY.fullmatch(key) else "")
        if role:
            roles[name] = role
        elif name not in defaults_of(source, how.name):
            return None
    found = sorted(role for role in roles.values() if role != "strength")
    of_scores = found == ["x", "y"] and "strength" not in roles.values()
    return roles if of_scores or found in (["w1", "x", "y"], ["b1", "w1", "x", "y"]) else None


def defaults_of(source: Source, name: str) -> set[str]:
    """The parameters of a function that may be left out."""
    node = source.definitions[name].node
    if not isinstance(node, ast.FunctionDef) or not node.args.defaults:
        return set()
    return {one.arg for one in node.args.args[-len(node.args.defaults) :]}


def drawn(linear: Linear, seed: int) -> tuple[Arrays, Array, Array]:
    """Parameters, inputs and targets at one point."""
    probe = draw_probes(SIZES, activation="relu", dtype="float64", seed=seed, bias=linear.bias)[0]
    return dict(probe.parameters), probe.x, probe.targets


def shown(linear: Linear, guard: Guard, seed: int) -> bool:
    """Whether a function, called so, returns gradients of all its parameters."""
    try:
        guard.run(lambda: linear(*drawn(linear, seed)), "", None)
    except UserCodeError:
        return False
    return True


def compared(linear: Linear, settings: Mapping[str, Any], seed: int, guard: Guard) -> Result | None:
    """The function as a network of one layer against torch; None where that cannot be done."""
    asked = {**settings, "hidden": (), "bias": linear.bias, "seed": seed}
    result = checked_as_network(
        linear, linear.function, inputs=SIZES[0], classes=SIZES[1], timeout=guard.timeout, **asked
    )
    return None if result is None else without_our_labels(result, linear.labels)


def with_strength(
    name: str, linear: Linear, result: Result, reduction: str, seed: int, guard: Guard
) -> FunctionVerdict:
    """The verdict at a strength of 0, or where that agrees with what the strength adds."""
    words = tuple(in_short(linear))
    if "strength" not in linear.roles.values() or result.verdict is not Verdict.AGREES:
        return in_words(name, role_in(result), result, (*words, *result.notes))
    parameters, x, targets = drawn(linear, seed)
    own = replace(linear, strength=OURS)
    without, given = (one(dict(parameters), x, targets) for one in (linear, own))
    loss = None if np.isnan(given[0]) else given[0] - without[0]
    added = Added(loss, {one: array - without[1][one] for one, array in given[1].items()})
    form = next((form for form in forms()
                 if added.is_of(at_strength(form, OURS), parameters, len(x))), None)  # fmt: skip
    verdict = in_words(name, role_in(result), result, (*words, *result.notes))
    if added.nothing:
        return verdict
    (strength,) = (one for one, role in linear.roles.items() if role == "strength")
    if form is None or loss == 0:
        return verdict.undecided(f"what {strength} adds was not compared: it is no usual term")
    (key,) = {"l2", "l1"} & set(form)
    again = compared(own, {"reduction": reduction, **form, key: form[key] * OURS}, seed, guard)
    if again is None:
        return verdict.undecided(f"what {strength} adds was not compared")
    said = f"your loss has an {key} term of {form[key]:g} × {strength}"
    return in_words(name, role_in(again), again, (*words, said, *again.notes))


def role_in(result: Result) -> str:
    """What of a function is wrong, if anything: its loss or its gradients."""
    return "loss" if result.kind == "loss" else "gradient"


def in_short(linear: Linear) -> Iterator[str]:
    """How the function was read."""
    if linear.of_scores:
        y = "class numbers" if linear.labels else "y"
        names = {role: name for name, role in linear.roles.items()}
        yield f"read as the loss of scores: {names['x']} = scores, {names['y']} = {y}"
        return
    given = {"w1": "w1", "b1": "b1", "x": "x", "strength": "the strength of its penalty",
             "y": "class numbers" if linear.labels else "y"}  # fmt: skip
    listed = ", ".join(f"{name} = {given[role]}" for name, role in linear.roles.items())
    yield f"read as a softmax of one layer, without hidden units: {listed}"
    if words := linear.layout.words():
        yield words
