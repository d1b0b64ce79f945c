"""What was measured: the worst entry of a tensor, the rows of every curve, the kinks.

Numbers without a judgement; `result` says what follows from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Index = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Worst:
    """The entry of one tensor with the largest `ratio = |manual - reference| / allowance`."""

    error: float
    allowance: float
    ratio: float
    index: Index
    manual: float
    reference: float


@dataclass(frozen=True, slots=True)
class Kink:
    """A unit on a point without a derivative, where the two sides took different slopes."""

    update: int
    epoch: int
    sample: int
    layer: int
    unit: int
    z: float
    slope: float  # the manual side's slope there; the reference took its own


@dataclass(frozen=True, slots=True)
class LayerKink:
    """A decision of a layer within its allowance of a tie, where the manual side took another way.

    `operation`: relu, compare, max_pool, ...; `index`: where in its result; `margin`: how far
    from the tie; `slope`: 0 is the reference's way, 1 the other one, between them is shared.
    """

    operation: str
    index: Index
    margin: float
    slope: float


@dataclass(frozen=True, slots=True)
class Curves:
    """Training and validation loss and accuracy of one side, all at the same weights."""

    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True, slots=True)
class Band:
    """What rounding may explain of the free-run differences at one epoch.

    `train_loss`, `validation_loss`: allowance of `manual - reference` of the two free runs.
    `drift`: allowance of the distance of the two parameter vectors, same units as the drift.
    """

    train_loss: float
    validation_loss: float
    drift: float


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One point of every curve; `worst`: per parameter, its gradient over the epoch's updates.

    `norms`: the 2-norm of each of the manual side's parameters, by which a baseline tells which
    of them moved.
    """

    epoch: int
    manual: Curves
    reference: Curves
    drift: float
    band: Band
    worst: Mapping[str, Worst]
    norms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PointRow:
    """One drawn point: the loss of both sides, the norms of the manual gradient, and their bands.

    `allowance` is that of the loss, `bands` are the norms of the gradients' allowances: the norms
    of two gradients differ by no more than the norm of their difference. `digest` tells the point.
    """

    point: int
    digest: str
    manual: float
    reference: float
    allowance: float
    norms: Mapping[str, float]
    bands: Mapping[str, float]
