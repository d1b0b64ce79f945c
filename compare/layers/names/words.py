"""What a change of the forward pass is, in the words of the field: one sentence for each kind."""

from __future__ import annotations

from collections.abc import Callable

from compare.layers.names.arrangement_words import (
    axes,
    axes_of_derivative,
    exchanged_lengths,
    factors,
    joined,
    operand,
    permuted,
    split,
    terms_of_derivative,
    triangle,
)
from compare.layers.names.called import readers
from compare.layers.names.change import Change
from compare.layers.names.forward import ancestors
from compare.layers.names.friendly import MASKS, NOUNS, Names
from compare.layers.names.kinds import TURNS
from compare.layers.names.path_words import ONLY_DY, OVERWRITTEN, cut, edge, part
from compare.layers.names.tape import Ref, Step, Tape
from compare.layers.names.trial import ALONE

LONG = 45
"""Letters from which on a noun is said less exactly."""
GATES = ("sigmoid", "silu", "gelu", "tanh", "relu", "neg")
"""What a gate goes through first; SiLU taken apart begins with a sigmoid or a minus sign."""


def sentence(tape: Tape, names: Names, change: Change) -> str:
    """Say what a change is, at which steps of a loop, and from which line of the reference."""
    step = tape.steps[change.also[-1] if change.steps else change.at]
    said = KINDS[change.kind](names, step, change)
    steps = "" if said.endswith(OVERWRITTEN) else change.steps
    return f"{said}{steps}{names.place(step)}"


def result(names: Names, step: Step) -> str:
    """Return what a step makes."""
    return names.noun(step.outs[0])


def given(names: Names, step: Step, change: Change) -> str:
    """Return the argument that a change is about."""
    return names.given(step, change.argument)


def scaled(names: Names, step: Step, change: Change) -> str:
    """A result times a size."""
    return f"{result(names, step)} is {change.other} once too often"


def swapped(names: Names, step: Step, change: Change) -> str:
    """A product whose factors were exchanged."""
    return f"the backward pass of {result(names, step)} exchanges its two factors"


def exchanged(names: Names, step: Step, change: Change) -> str:
    """Two parts of a value with each other's gradient."""
    return f"in the backward pass {parts(names, step, change)}"


def sibling(names: Names, step: Step, change: Change) -> str:
    """Two slices of a value with each other's gradient."""
    of = names.noun(step.refs()[0].number)
    return f"in the backward pass two parts of {of}, {cuts(names, step, change)}, are exchanged"


def parts(names: Names, step: Step, change: Change) -> str:
    """Two parts of a value, each taken for the other."""
    one, other = change.axes
    outs = step.outs[one], step.outs[other]
    of = names.noun(step.refs()[0].number)
    of = of if len(of) < LONG else names.noun(step.refs()[0].number, 1)
    return f"parts {one + 1} and {other + 1} of {of}{gated(names, outs)} are exchanged"


def sibling_parts(names: Names, step: Step, change: Change) -> str:
    """Two slices of a value, each taken for the other."""
    assert isinstance(change.other, Step)
    of = names.noun(step.refs()[0].number)
    roles = gated(names, (step.outs[0], change.other.outs[0])) or ","
    return f"two parts of {of}, {cuts(names, step, change)}{roles} are exchanged"


def cuts(names: Names, step: Step, change: Change) -> str:
    """Return the indices of two slices of a value: [:, 0:4] and [:, 4:8]."""
    assert isinstance(change.other, Step)
    whole = names.tape.values[step.refs()[0].number]
    return " and ".join(index_of(each, tuple(whole.shape)) for each in (step, change.other))


def index_of(step: Step, shape: tuple[int, ...]) -> str:
    """Return the index by which a slice is taken out of a value."""
    axis, first, *rest = step.args[1:]
    at = f"{first}"
    if step.name != "select":
        last = first + rest[0] if step.name == "narrow" else rest[0]
        at += f":{min(last, shape[axis])}"
    return "[" + ", ".join([":"] * (axis % len(shape)) + [at]) + "]"


def gated(names: Names, numbers: tuple[int, ...]) -> str:
    """Return what two parts are: of what each goes through, or the gate of the other."""
    if all(number in names.called for number in numbers):
        return f", {' and '.join(names.called[number] for number in numbers)},"
    through = [activation_of(names, number) for number in numbers]
    if None not in through:
        one, other = through
        return f", which go through {one if one == other else f'{one} and {other}'},"
    return ", the gate and the value," if through != [None, None] else ""


def activation_of(names: Names, number: int) -> str | None:
    """Return the activation that is taken of a value, or of a copy of it."""
    gates = (step for step in readers(names.tape, number) if step.name in GATES)
    first = next(gates, None)
    return None if first is None else NOUNS.get(first.name, "an activation")


def through(names: Names, step: Step, change: Change) -> str:
    """A derivative that is left out."""
    scalar = names.scalar(step)
    if scalar is not None:
        return f"{scalar} is left out of the backward pass"
    if names.taken_off(step):
        return ONLY_DY
    if is_mask(names, step):
        return "the mask is left out of the backward pass"
    if step.name in TURNS:
        return f"in the backward pass {turn(names, step)} is not undone"
    if result(names, step) == NOUNS["where"]:
        kept = given(names, step, change)
        return f"{ALONE}{kept} is taken everywhere, whatever the condition says"
    factor = second_factor(names, step, change)
    if factor is not None:
        return f"{factor} is missing in the backward pass"
    return f"the derivative of {result(names, step)} is left out of the backward pass"


def omitted(names: Names, step: Step, change: Change) -> str:
    """A step that is left out of both passes."""
    scalar = names.scalar(step)
    if scalar is not None:
        return f"{scalar} is left out"
    if is_mask(names, step):
        return "the mask is left out"
    if step.name in TURNS:
        return f"{turn(names, step)} is left out"
    factor = second_factor(names, step, change)
    if factor is not None:
        return f"{factor} is left out"
    kept, made = given(names, step, change), result(names, step)
    if made == NOUNS["where"]:
        return f"{kept} is taken everywhere, whatever the condition says"
    bound = only_bound(names, step)
    if bound is not None:
        return f"{bound} of {kept} is left out"
    return f"{made} is left out" + (f": {kept} stands in its place" if kept != made else "")


def second_factor(names: Names, step: Step, change: Change) -> str | None:
    """Return by what a step multiplies or divides an argument, if that is all it does."""
    if step.name not in ("mul", "div") or len(step.refs()) != 2 or step.args[0] == step.args[1]:
        return None
    if step.name == "div" and change.argument:
        return None
    other = names.noun(step.args[1 - change.argument].number)
    times = "the multiplication by" if other.startswith("the ") else "the factor"
    return f"{times if step.name == 'mul' else 'the division by'} {other}"


def unbounded(names: Names, step: Step, change: Change) -> str:
    """A bound that is left out."""
    which = "lower" if change.argument == 1 else "upper"
    bound = names.part(step.args[change.argument], 0)
    return f"the {which} bound {bound} of {result(names, step)} is left out"


def only_bound(names: Names, step: Step) -> str | None:
    """Return the one bound that a step clamps at; None of other steps."""
    lower, upper = (*step.args[1:3], None, None)[:2]
    if step.name == "clamp_max":
        lower, upper = None, lower
    if not step.name.startswith("clamp") or (lower is None) == (upper is None):
        return None
    which, value = ("lower", lower) if upper is None else ("upper", upper)
    return f"the {which} bound {names.part(value, 0)}"


def skip(names: Names, step: Step, change: Change) -> str:
    """A rotation that passes its gradient on unchanged."""
    before = names.noun(ancestors(names.tape, step)[change.axes[0]])
    return f"the rotation of {before} is left out of the backward pass"


def times(names: Names, step: Step, change: Change) -> str:
    """A slope once too often."""
    made = result(names, step)
    if change.other == "y":
        return f"the gradient of {made} is multiplied by {made} itself once too often"
    if change.other == "1/y":
        return f"the gradient of {made} is divided by {made} itself once too often"
    return f"the gradient of y = {made} is multiplied by {change.other} once too often"


def slope(names: Names, step: Step, change: Change) -> str:
    """Another slope, as a function of the result."""
    made = result(names, step)
    if made == "the softmax" and change.other == "y":
        return row_sum(names, step, change)
    if made == "the softmax" and change.other == "y (1 - y)":
        return diagonal(names, step, change)
    return f"the derivative of y = {made} is taken to be {change.other}"


def slope_at(names: Names, step: Step, change: Change) -> str:
    """Another slope, as a function of the argument."""
    if (result(names, step), change.other) == ("softplus", "1/y"):
        return "the derivative of softplus, a sigmoid, is left out of the backward pass"
    other = str(change.other).replace("y", "x")
    at = given(names, step, change)
    return f"the derivative of {result(names, step)} at x = {at} is taken to be {other}"


def unweighted(names: Names, step: Step, change: Change) -> str:
    """A softmax whose derivative sums dy alone."""
    return "in the derivative of the softmax, p (dy - Σ dy p), the factor p is missing in the sum"


def unscaled(names: Names, step: Step, change: Change) -> str:
    """A softmax whose derivative lacks its own factor."""
    return "in the derivative of the softmax, p (dy - Σ dy p), the first factor p is missing"


def diagonal(names: Names, step: Step, change: Change) -> str:
    """The softmax's Jacobian without its other entries."""
    return "of the softmax's derivative only the diagonal p (1 - p) is taken"


def bare(names: Names, step: Step, change: Change) -> str:
    """A product one of whose factors is missing in the gradient of the other."""
    other = names.part(step.args[1 - change.argument], 1)
    due = given(names, step, change)
    return f"in the backward pass the factor {other} is missing in the gradient of {due}"


def softmax(names: Names, step: Step, change: Change) -> str:
    """The softmax passed its gradient on unchanged."""
    return "the derivative of the softmax is left out of the backward pass"


def row_sum(names: Names, step: Step, change: Change) -> str:
    """The softmax's Jacobian without the term of its row."""
    return "the row sum is missing in the derivative of the softmax"


def function(names: Names, step: Step, change: Change) -> str:
    """Another function in the place of one."""
    return f"{change.other} is taken for {result(names, step)} of x/√2"


def elsewhere(names: Names, step: Step, change: Change) -> str:
    """An operand that is turned, or another value in its place."""
    made = result(names, step)
    if isinstance(change.other, str):
        return f"the backward pass of {made} uses {given(names, step, change)} {change.other}"
    argument = step.args[change.argument]
    assert isinstance(change.other, int)
    assert isinstance(argument, Ref)
    other, due = names.apart(change.other, argument.number)
    if other == due:
        return f"the backward pass of {made} uses {due} turned otherwise than it must be"
    return f"the backward pass of {made} uses {other} in place of {due}"


def turn(names: Names, step: Step) -> str:
    """Return an exchange of axes as a noun: of a matrix, of the last two axes, of several."""
    of = names.noun(step.refs()[0].number)
    dimensions = names.tape.values[step.outs[0]].dim()
    if dimensions == 2:
        return f"the transposition of {of}"
    if step.name == "permute":
        return f"the permutation of the axes of {of}"
    one, other = sorted(axis % dimensions for axis in step.args[1:3])
    return f"the exchange of axes {one} and {other} of {of}"


def is_mask(names: Names, step: Step) -> bool:
    """Return whether a step replaces entries by a constant."""
    return step.name in MASKS and names.masked(step, 1) is not None


KINDS: dict[str, Callable[[Names, Step, Change], str]] = {
    "cut": cut, "part": part, "edge": edge, "correction": lambda n, s, change: str(change.other),
    "scaled": scaled, "swapped": swapped, "exchanged": exchanged, "sibling": sibling,
    "parts": parts, "skip": skip, "unbounded": unbounded, "sibling parts": sibling_parts,
    "axes": axes, "through": through, "omitted": omitted, "times": times, "slope": slope,
    "slope at": slope_at, "diagonal": diagonal, "elsewhere": elsewhere,
    "axes of the derivative": axes_of_derivative, "terms of the derivative": terms_of_derivative,
    "split": split,
    "lengths": exchanged_lengths, "joined": joined,
    "permuted": permuted, "triangle": triangle, "operand": operand, "factors": factors,
    "softmax": softmax, "unweighted": unweighted, "unscaled": unscaled,
    "bare": bare, "row sum": row_sum,
    "function": function,
    "log row sum": row_sum,
}  # fmt: skip
