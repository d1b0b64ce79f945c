"""What a logistic regression may mean with numbers that are not those of the declared loss.

It may have a penalty, labels -1 and 1, or a likelihood that is to grow: where its gradient is that
of the loss that it shows, nobody is accused. What it shows is its loss where its name or a
logarithm says so: an accuracy is none.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.examine.starter.binding import plain
from compare.examine.starter.recipe import LOSS
from compare.examine.starter.source import Source

Gradients = Callable[[Arrays, Array, Array], tuple[float, Arrays]]
LOGARITHM = re.compile(r"\blog(1p|2|10|addexp|sumexp)?\(")
NO_LOSS = re.compile(r".*(acc|correct).*")
STEP = 1e-5
CLOSE = 1e-6
"""To what a difference quotient of this step is exact."""


def doubt(one: Gradients, parameters: Arrays, x: Array, targets: Array) -> str:
    """Why gradients that are not those declared may be right; empty where nothing says so."""
    for labels, words in ((targets, ""), (2 * targets - 1, " of labels -1 and 1")):
        loss, found = one(dict(parameters), x, labels)
        if np.isnan(loss):
            if is_usual(found, parameters, x, targets):
                return (
                    f"not compared: its gradient is that of a usual loss{words}, but none is shown"
                )
            continue
        own = slopes(one, parameters, x, labels)
        if is_near(found, own):
            return (
                f"not compared: its gradient is that of its own loss{words}, another than declared"
            )
        if is_near(found, {name: -slope for name, slope in own.items()}):
            return f"not compared: its gradient is that of minus its own loss{words}, to be added"
    return ""


def is_usual(found: Arrays, parameters: Arrays, x: Array, targets: Array) -> bool:
    """Whether gradients are a mean's or a sum's, of either sign, with a multiple of the weights."""
    due = usual(parameters, x, targets)
    for sign, rows in product((1, -1), (1, len(x))):
        added = {name: found[name] - sign * rows * one for name, one in due.items()}
        w = parameters["w1"]
        penalty = {"w1": np.vdot(w, added["w1"]) / np.vdot(w, w) * w, "b1": 0 * parameters["b1"]}
        if is_near(found, {name: sign * rows * one + penalty[name] for name, one in due.items()}):
            return True
    return False


def usual(parameters: Arrays, x: Array, targets: Array) -> Arrays:
    """The gradients of the mean cross-entropy."""
    miss = 1 / (1 + np.exp(-(x @ parameters["w1"] + parameters["b1"]))) - targets
    return {"w1": x.T @ miss / len(x), "b1": miss.mean(axis=0)}


def slopes(one: Gradients, parameters: Arrays, x: Array, targets: Array) -> Arrays:
    """The gradients of the loss that a function shows, by difference quotients."""
    found = {}
    for name, value in parameters.items():
        found[name] = np.zeros(value.shape)
        for at in np.ndindex(value.shape):
            step = np.zeros(value.shape)
            step[at] = STEP
            ahead, behind = (one({**parameters, name: value + way * step}, x, targets)[0]
                             for way in (1, -1))  # fmt: skip
            found[name][at] = (ahead - behind) / (2 * STEP)
    return found


def is_near(found: Arrays, due: Arrays) -> bool:
    """Whether gradients are the same to the digits of a difference quotient."""
    return all(
        np.allclose(found[name], one, rtol=CLOSE, atol=CLOSE * float(abs(one).max()))
        for name, one in due.items()
    )


def says_loss(source: Source, node: ast.FunctionDef, name: str) -> bool:
    """Whether the name of what is returned, or a logarithm that it comes from, says it is a loss;
    no name is what is returned without one. What has another name and is made of a loss is none."""
    if NO_LOSS.fullmatch(plain(name)):
        return False
    if is_loss(name):
        return True
    seen: set[str] = set()
    new = {name}
    while new:
        seen |= new
        values = [value for one in new for value in values_of(node, one)]
        if any(takes_logarithm(source, value) for value in values):
            return True
        parts = {part.id for value in values for part in ast.walk(value)
                 if isinstance(part, ast.Name)}  # fmt: skip
        new = {one for one in parts - seen if not (name and is_loss(one))}
    return False


def is_loss(name: str) -> bool:
    """Whether a name is that of a loss."""
    return plain(name) == "j" or bool(LOSS.fullmatch(plain(name)))


def values_of(node: ast.FunctionDef, name: str) -> Iterator[ast.expr]:
    """Yield what a name or key is given in a function, or what is returned without a name."""
    for one in ast.walk(node):
        if isinstance(one, ast.Assign | ast.AugAssign):
            targets = one.targets if isinstance(one, ast.Assign) else [one.target]
            if any(ast.unparse(target) == name for target in targets):
                yield one.value
        elif isinstance(one, ast.Dict):
            yield from (value for key, value in zip(one.keys, one.values, strict=True)
                        if isinstance(key, ast.Constant) and key.value == name)  # fmt: skip
        elif isinstance(one, ast.Return) and one.value is not None and not name:
            parts = one.value.elts if isinstance(one.value, ast.Tuple | ast.List) else [one.value]
            yield from (part for part in parts if not isinstance(part, ast.Name | ast.Dict))


def takes_logarithm(source: Source, value: ast.expr) -> bool:
    """Whether a logarithm is taken in an expression, or in a function that it calls."""
    known = set(source.definitions)
    called = {part.id for part in ast.walk(value) if isinstance(part, ast.Name)} & known
    texts = [ast.unparse(source.definitions[one].node) for one in source.closure(called) & known]
    return any(LOGARITHM.search(text) for text in (ast.unparse(value), *texts))
