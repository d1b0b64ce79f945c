"""Which functions of a file may return gradients, and which are called before them (`whole`)."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from compare.examine.starter.binding import (
    GIVEN,
    MOST_LAYERS,
    certain,
    is_gradient_name,
    plain,
)
from compare.examine.starter.flow import Code, Flow
from compare.examine.starter.gradient_functions import TRAINING, returned_names
from compare.examine.starter.missed import multiplies_by_transpose
from compare.examine.starter.numbers_returned import may_be_loss
from compare.examine.starter.recipe import FORWARD, LOSS
from compare.examine.starter.uncompared import OF_LOSS, named_values
from compare.examine.starter.update_targets import multiplies
from compare.examine.starter.zeroing import is_zeroing

BACKWARD = re.compile(r".*(back|grad|deriv|delta).*|bprop|bp|bwd")


def finals_of(flow: Flow) -> list[str]:
    """The functions that look like they return gradients, those that no other calls first."""
    found = [name for name, node in flow.functions.items() if returns_gradients(name, node)]
    inner = {one for name in found for one in flow.calls(name)}
    return sorted(found, key=lambda name: name in inner)[:4]


def returns_gradients(name: str, node: Code) -> bool:
    """Whether a function is named like a gradient, or returns or computes what looks like one."""
    returns = any(isinstance(one, ast.Return) and one.value is not None for one in ast.walk(node))
    of_object = bool(node.args.args) and node.args.args[0].arg == "self"
    returns = of_object or (returns and len(node.args.args) > 0)  # or they are left in attributes
    if not returns or TRAINING.search(plain(name)) or is_zeroing(name):
        return False
    gradients = any(is_gradient_name(one) for one in returned_names(node))
    ahead = FORWARD.fullmatch(plain(name)) or (LOSS.fullmatch(plain(name)) and names_none(node))
    computed = any(map(multiplies_by_transpose, ast.walk(node))) and not ahead
    return bool(BACKWARD.fullmatch(plain(name))) or gradients or computed


def names_none(node: Code) -> bool:
    """Whether a function returns one value, and no line gives anything the name of a gradient:
    `x @ theta.T` is no backward pass."""
    several = any(isinstance(one, ast.Return) and isinstance(one.value, ast.Tuple | ast.List)
                  for one in ast.walk(node))  # fmt: skip
    return not several and not any(OF_LOSS.fullmatch(plain(name)) for name, _ in named_values(node))


def makers(flow: Flow, finals: Sequence[str]) -> list[str]:
    """The functions whose values the gradients may be handed, in the order of their need: forward
    passes, then losses."""
    wanted: list[str] = []
    queue = list(finals)
    while queue:
        name = queue.pop()
        for parameter in flow.parameters(name):
            for value in flow.handed.get((name, parameter.arg), ()):
                base = value.split(".")[0]
                if base not in wanted and base not in finals:
                    wanted.append(base)
                    queue.append(base)
    inner = {one for final in finals for one in flow.calls(final)}
    named_so = [
        one for one in flow.functions
        if FORWARD.fullmatch(plain(one)) and ("predict" not in one or one in inner)
    ]  # fmt: skip
    named_so += [one for one in flow.functions if one in inner and of_layers(flow.functions[one])]
    named_so += [one for one in flow.functions if returns_what_is_asked(flow, one, finals)]
    losses = [one for one, node in flow.functions.items() if may_be_loss(one, node)]
    losses = sorted(losses, key=lambda one: LOSS.fullmatch(plain(one)) is None)
    between = [one for loss in losses for one in handed_to(flow, loss) if one not in losses]
    zeroing = [one for one in flow.functions if is_zeroing(one) and not flow.parameters(one)]
    ordered = [*zeroing[:1], *reversed(wanted), *named_so, *between, *losses]
    kept = [one for one in dict.fromkeys(ordered) if one in flow.functions and one not in finals]
    kept = [one for one in kept if not flow.calls(one) & set(finals)]  # that one trains
    return [one for one in kept if not TRAINING.search(plain(one))]


def handed_to(flow: Flow, name: str) -> list[str]:
    """The functions whose values the file hands to one: a softmax between scores and a loss."""
    given = [flow.handed.get((name, one.arg), ()) for one in flow.parameters(name)]
    return [value.split(".")[0] for values in given for value in values]


LAYERS = 2
"""Products of matrices in a forward pass, not in one layer of it."""


def of_layers(node: Code) -> bool:
    """Whether a function multiplies matrices layer after layer, none of them turned."""
    products = [one for one in ast.walk(node) if multiplies(one)]
    return len(products) >= LAYERS and not any(map(multiplies_by_transpose, ast.walk(node)))


def returns_what_is_asked(flow: Flow, name: str, finals: Sequence[str]) -> bool:
    """Whether a function returns, under their names, several values that the gradients ask for."""
    asked = {plain(one.arg) for final in finals for one in flow.parameters(final)}
    asked = {key for key in asked if not {certain(key), certain(key, MOST_LAYERS)} & GIVEN}
    returned = {plain(called) for _, called in flow.values(name)}
    return name not in finals and len(asked & returned) > 1
