"""What a name of the plain programs means where a line of one is run on the pairs of a pass."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from compare.allowance.between import EPS
from compare.textbook import plain, plain_between
from compare.textbook.functions import activate, log_softmax, slope, softmax
from compare.textbook.pair import Pair

Net = Any
"""A `network.Pass`, which is made of these lines and therefore unknown here."""

BETWEEN = ("mu", "v", "r", "s", "n", "a", "da", "dn", "dgamma", "dbeta", "ds")
"""What normalisation and dropout compute besides."""
LAYERED = ("z", "h", "dw", "db", "dh", "dz", *BETWEEN)
SINGLE = ("logits", "p", "log_p", "terms", "loss", "error", "dlogits")
INPUTS = ("x", "y")
GIVEN = ("w", "b", "gamma", "beta", "mask", "running_mean", "running_var")
"""What a layer is handed."""
OF_LAYERS, OF_NETWORK = frozenset((*LAYERED, *GIVEN)), frozenset((*SINGLE, *INPUTS))
"""Names that are asked for some 10,000 times in a diagnosis, so kept in sets."""


@dataclass(frozen=True)
class Layers:
    """A dictionary of the program, from layer to value: `dw`, `h`, `w`."""

    name: str
    net: Net
    sources: Mapping[str, Net]
    all: range

    def __getitem__(self, layer: int) -> Pair:
        source = "x" if self.name in "zhna" and layer == 0 else self.name
        found: Pair = self.sources.get(source, self.net).at(self.name, layer)
        return found

    def __contains__(self, layer: int) -> bool:
        return layer in self.all

    def __iter__(self) -> Iterator[int]:
        return iter(self.all)


@dataclass(frozen=True)
class Scope:
    """What a name of the plain program means in a pass; its own stage is the right one."""

    net: Net
    sources: Mapping[str, Net]
    own: str
    i: int
    c: float | None

    def __getitem__(self, name: str) -> Any:
        net = self.net
        if name in OF_LAYERS:
            first = 0 if name in "zhna" else 1
            last = net.depth - 1 if name == "dh" else net.depth
            return Layers(name, net, self.sources, range(first, last + 1))
        if name in OF_NETWORK:
            right = name == self.own
            return net.right(name, 0) if right else self.sources.get(name, net).get(name)
        if name in SETTINGS:
            return SETTINGS[name](net)
        if name in ("i", "c"):
            return self.i if name == "i" else whole(self.c)
        return np if name == "np" else getattr(builtins, name, None)


def whole(c: float | None) -> float | int | None:
    """Return a constant as people type it: 3 for 3.0, a row or a layer."""
    return int(c) if c is not None and np.isfinite(c) and c == int(c) else c


VALUES = {name: partial(activate, activation=name) for name in plain.VALUES}
SLOPES = {name: partial(slope, activation=name) for name in plain.SLOPES}
SETTINGS: dict[str, Callable[[Net], Any]] = {
    "L": lambda net: net.depth,
    "N": lambda net: net.rows,
    "K": lambda net: net.classes,
    "F": lambda net: net.point.x.shape[1],
    "H": lambda net: net.w(net.depth).shape[0],
    "M": lambda net: net.divisor,
    "f": lambda net: partial(activate, activation=net.activation),
    "slope": lambda net: partial(slope, activation=net.activation),
    "activation": lambda net: net.activation,
    "reduction": lambda net: net.point.reduction,
    "VALUES": lambda net: VALUES,
    "SLOPES": lambda net: SLOPES,
    "normalisation": lambda net: net.point.between.normalisation,
    "normalises": lambda net: net.point.between.normalisation != "none",
    "axis": lambda net: 1 if net.point.between.normalisation == "layer" else 0,
    "eps": lambda net: EPS,
    "P": lambda net: net.point.between.dropout,
    "drops": lambda net: net.point.between.dropout > 0 and net.point.training,
    "given": lambda net: net.point.between.together and not net.point.training,
    "mean": lambda net: (
        plain_between.average
        if net.point.between.normalisation != "none" and not SETTINGS["given"](net)
        else plain_between.nothing
    ),
    "average": lambda net: plain_between.average,
    "nothing": lambda net: plain_between.nothing,
    "softmax": lambda net: softmax,
    "log_softmax": lambda net: log_softmax,
}
"""What else a line may read."""
