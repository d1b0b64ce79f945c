"""The optimisers beside plain momentum, each as one writes it in an evening: w, dw and buffers.

Run on pairs, the lines give what rounding may do to every buffer and to the parameter. The
conventions are those of torch.optim: epsilon outside of the root and after the correction, averages
corrected for their start at zero by adam alone, the first velocity undamped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class OptimiserSettings:
    """What an update depends on besides w, dw and its buffers; `t` = 1, 2, ... counts updates.

    w is the `place`th of `places` weights: nothing depends on that, but a slip may.
    """

    learning_rate: float
    momentum: float
    nesterov: bool
    dampening: float
    weight_decay: float
    decoupled: bool
    betas: tuple[float, float]
    eps: float
    alpha: float
    centred: bool
    place: int = 1
    places: int = 1


Buffers = Mapping[str, Any]
Stepped = tuple[Any, dict[str, Any]]
Rule = Callable[[Any, Any, Buffers, int, OptimiserSettings], Stepped]


def sgd(w: Any, dw: Any, old: Buffers, t: int, of: OptimiserSettings) -> Stepped:
    """Momentum with torch's buffer, dampening, decay and Nesterov's look ahead."""
    w, dw = decayed(w, dw, of)
    if of.momentum == 0:
        return w - of.learning_rate * dw, {}
    share = 1 - of.dampening if "v" in old else 1
    v = of.momentum * kept(old, "v", dw) + share * dw
    direction = dw + of.momentum * v if of.nesterov else v
    w = w - of.learning_rate * direction
    return w, {"v": v}


def decayed(w: Any, dw: Any, of: OptimiserSettings) -> tuple[Any, Any]:
    """Weight decay: part of the gradient, or, decoupled, off the weight times the learning rate."""
    if of.weight_decay and of.decoupled:
        w = w * (1 - of.learning_rate * of.weight_decay)
    if of.weight_decay and not of.decoupled:
        dw = dw + of.weight_decay * w
    return w, dw


def adam(w: Any, dw: Any, old: Buffers, t: int, of: OptimiserSettings) -> Stepped:
    """Adam, its decay part of the gradient unless it is decoupled."""
    return adaptive(w, dw, old, t, of)


def adamw(w: Any, dw: Any, old: Buffers, t: int, of: OptimiserSettings) -> Stepped:
    """Adam, its decay taken off the weight beforehand, times the learning rate."""
    return adaptive(w, dw, old, t, replace(of, decoupled=True))


def amsgrad(w: Any, dw: Any, old: Buffers, t: int, of: OptimiserSettings) -> Stepped:
    """Adam over the largest mean square so far."""
    return adaptive(w, dw, old, t, of, largest=True)


def adaptive(
    w: Any, dw: Any, old: Buffers, t: int, of: OptimiserSettings, largest: bool = False
) -> Stepped:
    """What the three have in common; Kingma & Ba 2015, algorithm 1."""
    w, dw = decayed(w, dw, of)
    beta1, beta2 = of.betas
    m = beta1 * kept(old, "m", dw) + (1 - beta1) * dw
    s = beta2 * kept(old, "s", dw) + (1 - beta2) * (dw * dw)
    after, root = {"m": m, "s": s}, s
    if largest:
        after["r"] = root = larger(kept(old, "r", dw), s)
    first, second = 1 - beta1**t, 1 - beta2**t
    divisor = np.sqrt(root) / second**0.5 + of.eps
    w = w - of.learning_rate / first * (m / divisor)
    return w, after


def rmsprop(w: Any, dw: Any, old: Buffers, t: int, of: OptimiserSettings) -> Stepped:
    """The gradient over the root of its mean square; about its mean if centred."""
    w, dw = decayed(w, dw, of)
    s = of.alpha * kept(old, "s", dw) + (1 - of.alpha) * (dw * dw)
    after, spread = {"s": s}, s
    if of.centred:
        a = after["a"] = of.alpha * kept(old, "a", dw) + (1 - of.alpha) * dw
        spread = s - a * a
    divisor = np.sqrt(spread) + of.eps
    v = dw / divisor
    if of.momentum:
        v = after["v"] = of.momentum * kept(old, "v", dw) + v
    w = w - of.learning_rate * v
    return w, after


def adagrad(w: Any, dw: Any, old: Buffers, t: int, of: OptimiserSettings) -> Stepped:
    """The gradient over the root of the sum of all its squares."""
    w, dw = decayed(w, dw, of)
    s = kept(old, "s", dw) + dw * dw
    divisor = np.sqrt(s) + of.eps
    w = w - of.learning_rate * (dw / divisor)
    return w, {"s": s}


def kept(old: Buffers, name: str, like: Any) -> Any:
    """Return a buffer; before the first update it is zero."""
    return old[name] if name in old else np.zeros_like(like)


def larger(a: Any, b: Any) -> Any:
    """Return the larger of two entries, as (a + b + |a - b|) / 2: of pairs as of arrays."""
    return 0.5 * (a + b + np.abs(a - b))


RULES: dict[str, Rule] = {
    "sgd": sgd, "adam": adam, "adamw": adamw, "amsgrad": amsgrad, "rmsprop": rmsprop,
    "adagrad": adagrad,
}  # fmt: skip
