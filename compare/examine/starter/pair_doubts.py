"""What a backward pass may mean with numbers that are not its layer's: then nobody is accused.

Its gradients may have a penalty of the weights in them, the sign of an error that is the target
less the output, or a dy that belongs to another place of the layer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.binding import plain
from compare.examine.starter.pair_kinds import ACTIVATIONS, LINEAR, Kind, Passed, affine, linear
from compare.examine.starter.pair_orders import Backward, compared
from compare.examine.starter.readings import N

ERROR = re.compile(r".*(err|error|residual|diff|miss).*")
"""What target less output may be called."""
CLOSE = 1e-9


def doubt(backward: Backward, passed: Passed) -> str:
    """Why a backward pass that has other numbers may be right; empty where nothing says so."""
    if any(is_right(backward, passed, kept) for kept in other_kept(passed)):
        return "not compared: it is right if handed another value than what its forward pass keeps"
    if passed.kind.shapes == LINEAR and is_right(backward, before_activation(passed), passed.kept):
        return "not compared: it is right if it is handed the gradient before the activation"
    for answer in backward.answers(passed, passed.kept):
        if why := of_convention(backward, answer, passed):
            return why
    return ""


def is_right(backward: Backward, passed: Passed, kept: Any) -> bool:
    """Whether everything is right, handed that."""
    return any(all(each.agrees for each in said) for said in compared(backward, passed, kept))


def other_kept(passed: Passed) -> Iterator[tuple[Array]]:
    """x or y of an activation, where its forward pass keeps one array."""
    if passed.kind.words in ACTIVATIONS and len(passed.kept) == 1:
        yield (passed.inputs["x"],)
        yield (passed.due["y"].answer,)


def before_activation(passed: Passed) -> Passed:
    """The same call as one of a linear layer, of which dy is."""
    kind = Kind("a linear layer", LINEAR, affine, linear)
    return replace(passed, kind=kind, due=kind.due(passed.inputs))


def of_convention(backward: Backward, answer: Mapping[str, Array], passed: Passed) -> str:
    """Why gradients may be right that are the right ones but for a sign or a penalty."""
    weights = [name for name in answer if name != "x"]
    due = {name: passed.due[name].answer for name in answer}
    for sign, rows in product((1, -1), (1, N)):
        parts = {name: answer[name] - sign * due[name] / rows for name in weights}
        x_fits = any(is_near(answer["x"], one * due["x"]) for one in {1 / rows, sign / rows, 1})
        if x_fits and all(is_penalty(one, passed.inputs[name], due[name])
                          for name, one in parts.items()):  # fmt: skip
            if weights and sign == 1:
                return "not compared: its weights' gradients have a multiple of the weights added"
            if weights or any(ERROR.fullmatch(plain(one)) for one in backward.parameters):
                return "not compared: it is right if it is handed the target less the output"
    return ""


def is_near(seen: Array, due: Array) -> bool:
    """Whether numbers are the same but for rounding."""
    return bool(np.allclose(seen, due, rtol=CLOSE, atol=CLOSE * float(abs(due).max())))


def is_penalty(added: Array, weights: Array, due: Array) -> bool:
    """Whether what is added to a gradient is a multiple of the weights, such as none."""
    share = float(np.vdot(weights, added) / np.vdot(weights, weights))
    return is_near(added + due, share * weights + due)
