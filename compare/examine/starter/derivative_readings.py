"""The readings of relu's derivative: alone, or times the gradient that flows back through it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from compare.contracts.arrays import Array
from compare.examine.starter.readings import UNEQUAL, Due, Reading, Sizes, Weight, drawn
from compare.textbook import exact

AT_ZERO = (0.0, 1.0, 0.5)
"""Slopes at exactly 0 that people choose; torch's comes first."""


def derivative_readings(
    parameters: Sequence[str], reduction: str, sizes: Sizes = UNEQUAL
) -> Iterator[Reading]:
    """relu'(z) of one argument, dh * relu'(z) of two; handed z, or the value h = relu(z).

    relu'(z) is 1 for z > 0 and 0 for z < 0; at 0 there is none, and each of `AT_ZERO` is right.
    Handed h, a unit that is off shows 0 and its derivative is 0.
    """
    z, _ = drawn(sizes)
    z[1, 1] = 0.0
    dh = np.random.default_rng(2).normal(size=z.shape)
    h = np.maximum(z, 0)
    for at_zero, (given, words) in product(AT_ZERO, ((z, ""), (h, "it is handed relu(z)"))):
        slope = np.where(z == 0, at_zero, z > 0)
        for arguments in passed(given, dh, len(parameters)):
            value: Array = slope * dh if "dh" in arguments else slope
            allowed = exact(value, z.dtype)
            due = Due(value, allowed.allowance + allowed.arithmetic.unit * np.abs(value))
            reading = Reading(arguments=arguments, due=due, logits=z)
            if words:
                reading = reading.differing(Weight.INTERFACE, words)
            if at_zero:
                kink = f"at exactly 0 its slope is {at_zero:g}, where torch takes 0"
                reading = reading.differing(Weight.INTERFACE, kink)
            yield reading


def passed(given: Array, dh: Array, parameters: int) -> Iterator[dict[str, Array]]:
    """What to pass to a function of one or of two parameters, in either order."""
    if parameters == 1:
        yield {"x": given}
    else:
        yield {"dh": dh, "x": given}
        yield {"x": given, "dh": dh}
