"""The textbook pass: one evaluation of the network as named stages that a mistake can override.

Each stage is one equation of the derivation. A value is computed when it is first asked for, and
a pass with overrides shares with the right one everything its overrides cannot reach: to reject a
mistake usually takes one small tensor.

    z_l = h_{l-1} @ w_l + b_l      h_l = f(z_l)            logits = z_L
    p = softmax(logits)            log_p = log softmax(logits)
    terms = -y log_p               loss = sum terms / N
    error = p - y                  dlogits = error / N     dz_L = dlogits
    dw_l = h_{l-1}.T @ dz_l        db_l = sum_n dz_l
    dh_l = dz_{l+1} @ w_{l+1}.T    dz_l = dh_l * slope_l   slope_l = f'(z_l)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from compare.allowance.rules import ACTIVATION_RULES
from compare.contracts.objective import Objective
from compare.textbook import losses
from compare.textbook.functions import activate, log, log_softmax, slope, softmax
from compare.textbook.pair import Pair, exact

Stage = Callable[["Pass", int], Pair]

INPUTS = ("x", "y")
FORWARD = ("z", "h")
OUTPUT = ("p", "log_p", "terms", "loss", "error", "dlogits")
BACKWARD = ("dw", "db", "dh", "slope", "dz")

FEEDS: dict[str, frozenset[str]] = {
    "y": frozenset({"terms", "loss", "error", "dlogits"}),
    "p": frozenset({"log_p", "terms", "loss", "error", "dlogits"}),
    "log_p": frozenset({"terms", "loss"}),
    "terms": frozenset({"loss"}),
    "loss": frozenset(),
    "error": frozenset({"dlogits"}),
    "dlogits": frozenset(),
}
"""What a stage of the output reaches there; from `dlogits` on it reaches the backward pass."""


@dataclass(frozen=True)
class Point:
    """Where the network is evaluated: parameters, batch and the settings both sides share."""

    parameters: Mapping[str, NDArray[Any]]
    x: NDArray[Any]  # (N, F)
    targets: NDArray[Any]  # (N, K)
    activation: str = "relu"
    reduction: str = "mean"
    dtype: DTypeLike = np.float64
    objective: Objective | None = None  # None: softmax cross-entropy with that reduction

    @property
    def minimised(self) -> Objective:
        """Return what is minimised."""
        return self.objective or Objective(reduction=self.reduction)

    @property
    def depth(self) -> int:
        """Return the number of layers L."""
        return sum(name[0] == "w" for name in self.parameters)

    @property
    def names(self) -> tuple[str, ...]:
        """Return what every implementation shows, the cheapest to compute first."""
        layers = range(self.depth, 0, -1)
        found = (f"{kind}{layer}" for layer in layers for kind in "bw")
        return ("loss", *(f"d{name}" for name in found if name in self.parameters))


@dataclass(frozen=True, slots=True)
class Override:
    """`stage` is computed by `function` instead, in every layer or in `layer` only.

    `reads`: stages that the function reads and that do not reach it in the right computation.
    """

    stage: str
    function: Callable[..., Pair]
    layer: int | None = None
    constant: float | None = None
    reads: tuple[str, ...] = ()

    def compute(self, net: Pass, layer: int) -> Pair:
        """Return the mistaken value; a function with a free constant takes it third."""
        if self.constant is None:
            return self.function(net, layer)
        return self.function(net, layer, self.constant)

    def at(self, stage: str, layer: int) -> bool:
        """Return whether this override computes `stage` of `layer`."""
        return stage == self.stage and self.layer in (None, layer)

    def reaches(self, stage: str, layer: int, depth: int) -> bool:
        """Return whether `stage` of `layer` can come out different because of this override."""
        if stage == "penalty":
            return False
        if self.stage in ("loss", "dw", "db") or stage == self.stage:
            return self.at(stage, layer) or self._through_layers(stage, layer)
        if self.stage == "x":
            return stage != "y"
        if self.stage in FORWARD:
            return stage not in (*INPUTS, *FORWARD) or self._through_layers(stage, layer)
        if self.stage in OUTPUT or self.stage == "y":
            backward = stage in BACKWARD and stage != "slope"
            fed = stage in FEEDS[self.stage]
            return fed or (backward and self.stage not in ("log_p", "terms"))
        return self._through_layers(stage, layer)

    def _through_layers(self, stage: str, layer: int) -> bool:
        """Forward a layer reaches those above it, backward those below."""
        if self.stage in FORWARD and stage in FORWARD:
            above = self.layer is None or layer > self.layer
            return above or (layer == self.layer and (self.stage == "z" or stage == "h"))
        if self.stage in ("dh", "slope", "dz") and stage in ("dw", "db", "dh", "dz"):
            return self.layer is None or layer <= self.layer
        return False


@dataclass(eq=False)
class Pass:
    """One evaluation at `point`, right or with `overrides`; values by stage and layer.

    Layers count from 1; stages without a layer have layer 0. `share` is 1/N for the mean, else 1.
    """

    point: Point
    overrides: frozenset[Override] = frozenset()
    family: dict[frozenset[Override], Pass] = field(default_factory=dict)
    formats: dict[str, Pass] = field(default_factory=dict)
    known: dict[tuple[str, int], Pair] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.family[self.overrides] = self
        self.depth = self.point.depth
        self.rows: int = self.point.targets.shape[0]
        self.classes: int = self.point.targets.shape[1]
        self.activation = self.point.activation
        self.averages = self.point.reduction == "mean"
        self.objective = self.point.minimised
        self.plain = self.objective.plain
        self.share = self.objective.share(self.point.targets)
        self.divisor: float = 1 / self.share
        if self.plain:
            self.divisor = self.rows if self.averages else 1

    def in_format(self, dtype: DTypeLike) -> Pass:
        """Return the right pass for the same point computed in another dtype."""
        key = np.dtype(dtype).name
        if key not in self.formats:
            self.formats[key] = Pass(replace(self.point, dtype=dtype))
        return self.formats[key]

    def having(self, overrides: frozenset[Override]) -> Pass:
        """Return the pass at the same point with exactly `overrides`."""
        found = self.family.get(overrides)
        if found is None:
            found = Pass(self.point, overrides, self.family, self.formats)
        return found

    def relevant(self, stage: str, layer: int) -> frozenset[Override]:
        """Return the overrides that can change `stage` of `layer`."""
        reaching = {o for o in self.overrides if o.reaches(stage, layer, self.depth)}
        read = {name for o in reaching for name in o.reads}
        reaching |= {o for o in self.overrides if o.stage in read}
        return self.overrides if len(reaching) == len(self.overrides) else frozenset(reaching)

    def get(self, stage: str, layer: int = 0) -> Pair:
        """Return a value, computed by the pass that has only the overrides which matter to it."""
        key = (stage, layer)
        if key not in self.known:
            relevant = self.relevant(stage, layer)
            if relevant == self.overrides:
                self.known[key] = self._computed(stage, layer)
            else:
                self.known[key] = self.having(relevant).get(stage, layer)
        return self.known[key]

    def _computed(self, stage: str, layer: int) -> Pair:
        overriding = [o for o in self.overrides if o.at(stage, layer)]
        with np.errstate(all="ignore"):
            return overriding[0].compute(self, layer) if overriding else RIGHT[stage](self, layer)

    def forget(self, stage: str, layer: int) -> None:
        """Drop a value that nobody will ask for again."""
        self.known.pop((stage, layer), None)
        relevant = self.relevant(stage, layer)
        if relevant != self.overrides:
            self.having(relevant).forget(stage, layer)

    def named(self, name: str) -> Pair:
        """Return the value called `name` in contracts and reports: `dw1`, `logits`, `loss`, ..."""
        return self.get(*self.stage_of(name))

    def stage_of(self, name: str) -> tuple[str, int]:
        """Return (stage, layer) of `name`; `logits` is z_L and `dlogits` is dz_L."""
        if name == "logits":
            return "z", self.depth
        stage = name.rstrip("0123456789")
        return stage, int(name[len(stage) :] or 0)

    def w(self, layer: int) -> Pair:
        """Return w_l, exact, (fan_in, fan_out)."""
        return exact(self.point.parameters[f"w{layer}"], self.point.dtype)

    def b(self, layer: int) -> Pair:
        """Return b_l, exact, (fan_out,)."""
        b = self.point.parameters.get(f"b{layer}")
        if b is None:
            b = np.zeros(self.point.parameters[f"w{layer}"].shape[1])
        return exact(np.ravel(b), self.point.dtype)

    def z(self, layer: int) -> Pair:
        """Return z_l, (N, fan_out)."""
        return self.get("z", layer)

    def h(self, layer: int) -> Pair:
        """Return h_l, (N, fan_out); h_0 is x."""
        return self.get("h", layer) if layer else self.get("x")

    def carrier(self, layer: int) -> Pair:
        """Return the value that the slope of the activation is written in, h_l or z_l."""
        return self.z(layer) if ACTIVATION_RULES[self.activation].of_z else self.h(layer)

    def dh(self, layer: int) -> Pair:
        """Return dh_l, (N, fan_out)."""
        return self.get("dh", layer)

    def dz(self, layer: int) -> Pair:
        """Return dz_l, (N, fan_out); dz_L is dlogits."""
        return self.get("dz", layer) if layer < self.depth else self.get("dlogits")

    @property
    def x(self) -> Pair:
        """Return x, (N, F)."""
        return self.get("x")

    @property
    def y(self) -> Pair:
        """Return the targets, (N, K)."""
        return self.get("y")

    @property
    def logits(self) -> Pair:
        """Return z_L, (N, K)."""
        return self.get("z", self.depth)

    @property
    def p(self) -> Pair:
        """Return the probabilities, (N, K)."""
        return self.get("p")

    @property
    def log_p(self) -> Pair:
        """Return their logarithms, (N, K)."""
        return self.get("log_p")

    @property
    def terms(self) -> Pair:
        """Return what the loss adds up, (N, K)."""
        return self.get("terms")

    @property
    def error(self) -> Pair:
        """Return p - y, (N, K)."""
        return self.get("error")


class Window(Pass):
    """A pass that looks at `features` of the inputs only, when it computes dw_1.

    Everything else is taken from the pass it looks through. Of a wide first layer this is enough
    to reject a mistake.
    """

    def __init__(self, full: Pass, features: NDArray[np.intp]) -> None:
        super().__init__(full.point, full.overrides)
        self.full, self.features = full, features

    def get(self, stage: str, layer: int = 0) -> Pair:
        """Return dw_1 and x of the chosen features, any other value in full."""
        if (stage, layer) == ("dw", 1):
            return self._computed(stage, layer)
        value = self.full.get(stage, layer)
        return value[:, self.features] if stage == "x" else value

    def w(self, layer: int) -> Pair:
        """Return w_l, of w_1 the rows of the chosen features."""
        value = self.full.w(layer)
        return value[self.features] if layer == 1 else value

    def in_format(self, dtype: DTypeLike) -> Pass:
        """Return the right pass in another dtype, through the same window."""
        return Window(self.full.in_format(dtype), self.features)


def log_probabilities(net: Pass, _: int = 0) -> Pair:
    """Return log p: of the logits in one go, or of whatever a mistake put in place of p."""
    mistaken = any(override.stage == "p" for override in net.overrides)
    return log(net.p) if mistaken else log_softmax(net.logits)


def penalty(net: Pass) -> Pair:
    """Return sum_l sum_ij w_ij**2: no part of the loss, but many people add it."""
    total = exact(0.0, net.point.dtype)
    for layer in range(1, net.depth + 1):
        total = total + (net.w(layer) * net.w(layer)).sum()
    return total


def predicted(net: Pass) -> Pair:
    """Return what the network predicts: the softmax, or what was declared in its place."""
    return softmax(net.logits) if net.plain else losses.prediction(net.logits, net.objective)


def loss_terms(net: Pass) -> Pair:
    """Return what the loss adds up."""
    if net.plain:
        return -(net.y * net.log_p)
    return losses.terms(net.logits, net.y, net.objective)


def loss(net: Pass) -> Pair:
    """Return the loss, with the penalty that was declared."""
    total = net.terms.sum() / net.divisor
    if not net.objective.penalises:
        return total
    given = net.point.parameters, net.rows, net.objective, net.point.dtype
    return total + losses.penalty(*given)


def error(net: Pass) -> Pair:
    """Return the derivative of the sum of all terms at the logits."""
    return net.p - net.y if net.plain else losses.derivative(net.logits, net.y, net.objective)


def penalised(net: Pass, gradient: Pair, parameter: Pair, name: str) -> Pair:
    """Return the gradient with what the declared penalty adds to it."""
    if not net.objective.penalises or name not in net.objective.penalised({name: parameter.value}):
        return gradient
    return gradient + losses.penalty_slope(parameter, net.rows, net.objective)


def layer_product(net: Pass, layer: int) -> Pair:
    """Return z_l = h_{l-1} @ w_l + b_l, (N, fan_out)."""
    return net.h(layer - 1) @ net.w(layer) + net.b(layer)


RIGHT: dict[str, Stage] = {
    "x": lambda net, _: exact(net.point.x, net.point.dtype),
    "y": lambda net, _: exact(net.point.targets, net.point.dtype),
    "z": layer_product,
    "h": lambda net, i: activate(net.z(i), net.activation),
    "p": lambda net, _: predicted(net),
    "log_p": log_probabilities,
    "terms": lambda net, _: loss_terms(net),
    "loss": lambda net, _: loss(net),
    "penalty": lambda net, _: penalty(net),
    "error": lambda net, _: error(net),
    "dlogits": lambda net, _: net.error / net.divisor,
    "dw": lambda net, i: penalised(net, net.h(i - 1).T @ net.dz(i), net.w(i), f"w{i}"),
    "db": lambda net, i: penalised(net, net.dz(i).sum(0), net.b(i), f"b{i}"),
    "dh": lambda net, i: net.dz(i + 1) @ net.w(i + 1).T,
    "slope": lambda net, i: slope(net.carrier(i), net.activation),
    "dz": lambda net, i: net.dh(i) * net.get("slope", i),
}
"""Every stage as it should be: `stage(pass, layer)`."""
