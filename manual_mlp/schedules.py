"""How the learning rate and the gradient are held in check from update to update.

A schedule is the rate of update t = 0, 1, ... as a share of the first; clipping changes gradients
before the optimiser sees them; early stopping says when no epoch has been better for a while.
"""

from collections.abc import Mapping, Sequence
from math import cos, pi, sqrt

import numpy as np

from manual_mlp.arrays import Array, Arrays


def step_decay(t: int, every: int, factor: float) -> float:
    """factor^(t // every): the rate is multiplied by `factor` every so many updates."""
    return float(factor ** (t // every))


def cosine(t: int, total: int, least: float = 0.0) -> float:
    """least + (1 - least) (1 + cos(pi t / total)) / 2, from 1 at t = 0 to `least` at t = total.

    Source: Loshchilov & Hutter 2017, SGDR, ICLR, equation 5.
    """
    return least + (1 - least) * (1 + cos(pi * t / total)) / 2


def warm_up(t: int, length: int, first: float = 1 / 3) -> float:
    """From `first` to 1 along a straight line in `length` updates, then 1."""
    return first + (1 - first) * min(t, length) / length


def clipped_by_value(gradients: Mapping[str, Array], largest: float) -> Arrays:
    """Every entry held between -largest and largest."""
    return {name: np.clip(g, -largest, largest) for name, g in gradients.items()}


def clipped_by_norm(gradients: Mapping[str, Array], largest: float) -> Arrays:
    """All gradients multiplied by min(1, largest / (||g|| + 1e-6)), ||g|| the norm of all together.

    The 1e-6 is torch's, so a gradient of exactly the largest norm is shortened too.

    Source: Pascanu, Mikolov & Bengio 2013, ICML, algorithm 1.
    """
    norm = sqrt(sum(float(np.vdot(g, g)) for g in gradients.values()))
    share = min(1.0, largest / (norm + 1e-6))
    return {name: g * g.dtype.type(share) for name, g in gradients.items()}


def stops(losses: Sequence[float], patience: int) -> bool:
    """Whether the smallest of the validation losses is more than `patience` epochs ago."""
    return len(losses) > 0 and len(losses) - 1 - int(np.argmin(losses)) > patience
