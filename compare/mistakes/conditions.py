"""In which networks a mistake can be made at all."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from compare.allowance.rules import ACTIVATION_RULES
from compare.textbook import Point


def averaged(point: Point) -> bool:
    """Return whether the loss is declared to be averaged over the batch."""
    return point.reduction == "mean"


def summed(point: Point) -> bool:
    """Return whether the loss is declared to be summed over the batch."""
    return point.reduction == "sum"


def hidden(point: Point) -> bool:
    """Return whether there is a hidden layer."""
    return point.depth > 1


def bent(point: Point) -> bool:
    """Return whether the activation has a derivative other than 1."""
    return not ACTIVATION_RULES[point.activation].straight


def curved(point: Point) -> bool:
    """Return whether a hidden layer has an activation with a derivative other than 1."""
    return bent(point) and hidden(point)


def relu(point: Point) -> bool:
    """Return whether masks are what the derivative is about."""
    return masked(point.activation) and hidden(point)


def smooth(point: Point) -> bool:
    """Return whether the derivative is written in the value, and no piece of it is constant."""
    rule = ACTIVATION_RULES[point.activation]
    bent = rule.bend is not None and not rule.of_z and not rule.kinks
    return bent and hidden(point)


def masked(activation: str) -> bool:
    """Return whether a unit of this activation is either on or off."""
    rule = ACTIVATION_RULES[activation]
    return rule.bend is None and (0.0, 1.0) in rule.kinks.values()


def square(point: Point) -> bool:
    """Return whether some weight matrix is square: elsewhere the missing transpose raises."""
    shapes = (point.parameters[f"w{layer}"].shape for layer in range(1, point.depth + 1))
    return any(rows == columns for rows, columns in shapes)


def square_behind(point: Point) -> bool:
    """Return whether a weight matrix that the backward pass goes through is square."""
    shapes = (point.parameters[f"w{layer}"].shape for layer in range(2, point.depth + 1))
    return any(rows == columns for rows, columns in shapes)


def alike(point: Point) -> bool:
    """Return whether two weight matrices have the same shape."""
    shapes = [point.parameters[f"w{layer}"].shape for layer in range(1, point.depth + 1)]
    return len(set(shapes)) < len(shapes)


def own_weights_fit(point: Point) -> bool:
    """Return whether dz_{l+1} @ w_l is defined somewhere: the widths around layer l are equal."""
    shapes = [point.parameters[f"w{layer}"].shape for layer in range(1, point.depth + 1)]
    return any(below[0] == above[1] for below, above in pairwise(shapes))


def hidden_alike(point: Point) -> bool:
    """Return whether two of several hidden layers are of equal width and have a derivative."""
    widths = [point.parameters[f"w{layer}"].shape[1] for layer in range(1, point.depth)]
    return bent(point) and len(set(widths)) < len(widths)


def several_alike(point: Point) -> bool:
    """Return whether there are more than two hidden layers, two of them of equal width: of two
    the other one is the neighbour."""
    return hidden_alike(point) and point.depth > 3


def of(activation: str) -> Callable[[Point], bool]:
    """Return the condition that a hidden layer has this activation."""
    return lambda point: point.activation == activation and hidden(point)


def alike_outputs(point: Point) -> bool:
    """Return whether two neighbouring layers are of equal width, the first of them hidden."""
    widths = [point.parameters[f"w{layer}"].shape[1] for layer in range(1, point.depth + 1)]
    return any(below == above for below, above in pairwise(widths[1:]))


def dropping(point: Point) -> bool:
    """Return whether units are left out."""
    return point.between.dropout > 0 and point.depth > 1


def normalised(point: Point) -> bool:
    """Return whether hidden layers are normalised."""
    return point.between.normalisation != "none" and point.depth > 1


def over_the_batch(point: Point) -> bool:
    """Return whether they are normalised over the rows of the batch."""
    return point.between.together and point.depth > 1


def with_running_statistics(point: Point) -> bool:
    """Statistics of the batch, beside running ones: code that was given no context has none."""
    return over_the_batch(point) and "running_mean1" in point.context


def in_evaluation(condition: Callable[[Point], bool]) -> Callable[[Point], bool]:
    """Return the condition for a network that is evaluated, not trained."""
    return lambda point: condition(point) and not point.training
