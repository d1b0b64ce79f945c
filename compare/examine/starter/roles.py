"""The functions of the assignment under all the names people give them, and their arguments.

A name counts without its underscores and in any case, so `computeLayer` is `compute_layer`; a name
that is nearly one of them counts too, since `rellu` was meant to be checked. What a parameter
stands for is read off its name only where the usual spellings leave no doubt.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from itertools import permutations

ROLES: dict[str, str] = {
    spelling: role
    for role, spellings in {
        "relu": "relu rectifier",
        "softmax": "softmax stablesoftmax softmaxbatch batchsoftmax softmaxfunction",
        "compute_layer": "computelayer compute linear linearlayer affine denselayer",
        "average_ce": "averagece ce avgce meance crossentropy celoss crossentropyloss averageloss",
        "grad_ce": "gradce cegrad gradientce cegradient dce gradcrossentropy crossentropygrad "
        "gradsoftmaxce",
    }.items()
    for spelling in spellings.split()
}
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "relu": ("x",),
    "softmax": ("x",),
    "compute_layer": ("x", "w", "b"),
    "average_ce": ("target", "scores"),
    "grad_ce": ("target", "scores"),
    "relu_derivative": ("x",),
}
"""What each parameter stands for, in the order of the assignment; scores are p or logits."""

OTHERS = frozenset(
    "elu selu gelu celu silu crelu prelu rrelu relu6 leakyrelu relun softmin logsoftmax softsign "
    "softplus hardmax sparsemax bce dense".split()
)
"""Names of other functions, however near they are to a name above."""

DERIVATIVE = re.compile(
    r"(?:d|der|diff|grad|gradient|deriv|derivative|backward|backprop|prime?)(?:of)?_?relu"
    r"|relu_?(?:d|der|diff|grad|gradient|deriv|derivative|backward|backprop|prime?)"
)
"""Names of the derivative of relu, without underscores."""

SPELLINGS: dict[str, str] = {
    spelling: argument
    for argument, spellings in {
        "x": "x input inputs data h a features",
        "w": "w weight weights",
        "b": "b bias biases",
        "target": "target targets t y label labels truth onehot actual traintarget traintargets "
        "newtrain newtarget ytrain trainy groundtruth",
        "scores": "prediction predictions pred preds p prob probs probability probabilities yhat "
        "ypred logits logit z o scores softmax output outputs",
    }.items()
    for spelling in spellings.split()
}
PARTS = (
    ("scores", ("pred", "prob", "logit", "softmax", "hat", "guess")),
    ("target", ("target", "label", "true", "truth")),
)
"""Parts of longer names that leave no doubt either; the first that is found counts."""

LOGITS = frozenset({"logits", "logit", "z", "scores"})
"""Parameter names that promise logits."""


def plain(name: str) -> str:
    """A name without case and underscores."""
    return name.replace("_", "").lower()


def role_of(name: str) -> str | None:
    """Which function of the assignment a name stands for, if any."""
    key = plain(name)
    if DERIVATIVE.fullmatch(key):
        return "relu_derivative"
    shorter = key.rstrip("12")
    if key in OTHERS or shorter in OTHERS:
        return None
    if key in ROLES or shorter in ROLES:
        return ROLES.get(key) or ROLES[shorter]
    alike = [one for one in ROLES if len(one) > 3 and abs(len(one) - len(key)) < 2]
    near = difflib.get_close_matches(key, alike, 1, cutoff=0.85)
    return ROLES[near[0]] if near else None


def argument_named(name: str) -> str:
    """What a parameter stands for, or an empty string where its name leaves doubt."""
    key = plain(name)
    if key in SPELLINGS:
        return SPELLINGS[key]
    found = (argument for argument, parts in PARTS if any(part in key for part in parts))
    return next(found, "")


def orders_of(role: str, parameters: Sequence[str]) -> list[tuple[str, ...]]:
    """The possible orders of the arguments, the likeliest first.

    One parameter whose name leaves no doubt holds its place in all of them: a flipped sign must
    not pass as an argument order. Without any such name the order of the assignment is followed
    by its reverse, where two matrices of one shape are passed.
    """
    wanted = ARGUMENTS[role]
    named = [argument_named(name) for name in parameters[: len(wanted)]]
    held = {place: name for place, name in enumerate(named) if named.count(name) == 1}
    held = {place: name for place, name in held.items() if name in wanted}
    if not held:
        return [wanted, wanted[::-1]] if "scores" in wanted else [wanted]
    return [
        order
        for order in permutations(wanted)
        if all(order[place] == name for place, name in held.items())
    ]


def promises_logits(parameters: Sequence[str]) -> bool:
    """True if a parameter is named like logits."""
    return any(plain(name) in LOGITS for name in parameters)
