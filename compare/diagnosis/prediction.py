"""The numbers a mistake would give at a point: what stands beside manual - reference in a plot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compare.diagnosis.explanation import NOTHING, Part
from compare.errors import BadInput
from compare.mistakes.catalogue import NETWORK
from compare.mistakes.mistake import NetworkMistake
from compare.textbook import Pass, Point

Float = NDArray[np.float64]
BY_NAME = {mistake.name: mistake for mistake in NETWORK}


def prediction(name: str, point: Point, *, constant: float | None = None) -> dict[str, Float]:
    """Return loss and gradients (`loss`, `w1`, `b1`, ...) as the mistake `name` computes them.

    `name` is that of a `Diagnosis`: one mistake, or two joined by " + ". `constant` belongs to the
    one that has a free constant; without it the catalogue's example is taken. Float64, of whatever
    shape the mistake gives. Raises `BadInput` for a name the catalogue does not hold.
    """
    overrides = NOTHING
    for mistake in map(known, name.split(" + ")):
        c = mistake.example if constant is None else constant
        overrides |= Part(mistake, c if mistake.fit else None).overrides
    net = Pass(point, overrides)
    values = {key: net.named(key).value for key in point.names}
    return {key if key == "loss" else key[1:]: value for key, value in values.items()}


def known(name: str) -> NetworkMistake:
    """Return the mistake of loss or gradient with this name."""
    if name not in BY_NAME:
        raise BadInput(
            f"There is no mistake {name!r} in loss or gradient: "
            "`python -m compare.mistakes` lists those there are."
        )
    return BY_NAME[name]
