"""What was seen at one point, under the names every part of the project uses.

loss, dw1, db1, ..., and whatever intermediates were shown: z1, h1, logits, p, dlogits, dz1, ...
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compare.contracts.arrays import Array
from compare.points.diagnostic import SPECIAL
from compare.textbook import Point
from compare.textbook.network import BACK, FORWARD


@dataclass(frozen=True)
class Observation:
    """Numbers of the manual side at `point`; `label` says in words what kind of point it is."""

    point: Point
    seen: Mapping[str, Array]
    label: str = "the recorded point"
    order: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Order what was seen: the cheapest to recompute first, the first gradient last."""
        early = ("logits", "p", "dlogits")
        given = [name for name in (*early, *self.point.names) if name in self.seen]
        rest = [name for name in self.seen if name not in given]
        object.__setattr__(self, "order", (*given, *rest))

    @property
    def special(self) -> bool:
        """Return whether the point is of a kind that code may not be made for."""
        return self.label in SPECIAL


def observe(
    point: Point,
    loss: float | None,
    gradients: Mapping[str, Array],
    intermediates: Mapping[str, Array] | None = None,
    label: str = "the recorded point",
) -> Observation:
    """Return the observation of one evaluation; `gradients` are keyed by parameter.

    A bias gradient of shape (1, H) is taken as (H,), as contract 1 allows. Intermediates the
    textbook has no name for are left out.
    """
    seen: dict[str, NDArray[Any]] = {} if loss is None else {"loss": np.asarray(loss)}
    for name, gradient in gradients.items():
        seen[f"d{name}"] = flat(np.asarray(gradient)) if name[0] == "b" else np.asarray(gradient)
    for name, value in (intermediates or {}).items():
        if known(name, point.depth):
            seen[name] = np.asarray(value)
    return Observation(point, seen, label)


def flat(bias: NDArray[Any]) -> NDArray[Any]:
    """Return a bias gradient of shape (1, H) as (H,), anything else as it is."""
    return bias[0] if bias.ndim == 2 and len(bias) == 1 else bias


def known(name: str, depth: int) -> bool:
    """Return whether `name` is an intermediate of the textbook pass."""
    if name in ("logits", "p", "dlogits"):
        return True
    kind = name.rstrip("0123456789")
    layer = name[len(kind) :]
    return kind in (*FORWARD, *BACK) and layer.isdigit() and 1 <= int(layer) < depth
