"""The textbook pass: one evaluation of the network as named stages that a mistake can override.

Each stage is one line of the plain program, run on pairs. A value is computed when it is first
asked for, and a pass with overrides shares with the right one everything its overrides cannot
reach: to reject a mistake usually takes one small tensor.

    z_l = h_{l-1} @ w_l + b_l      h_l = f(z_l)            logits = z_L
    p = softmax(logits)            log_p = log softmax(logits)
    terms = -y log_p               loss = sum terms / N
    error = p - y                  dlogits = error / N     dz_L = dlogits
    dw_l = h_{l-1}.T @ dz_l        db_l = sum_n dz_l
    dh_l = dz_{l+1} @ w_{l+1}.T    dz_l = dh_l * f'(z_l)

With normalisation or dropout the lines are those of `plain_between`: more of them between z and h.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from numpy.typing import DTypeLike, NDArray

from compare.contracts.arrays import Array
from compare.contracts.objective import Objective
from compare.textbook import losses
from compare.textbook.functions import log
from compare.textbook.pair import Pair, exact
from compare.textbook.point import Point
from compare.textbook.program import INSIDE_LINES, RIGHT_LINES, right_line

Stage = Callable[["Pass", int], Pair]

INPUTS = ("x", "y")
FORWARD = ("z", "mu", "v", "r", "s", "n", "a", "h")
OUTPUT = ("logits", "p", "log_p", "terms", "loss", "error", "dlogits")
BACK = ("dh", "da", "dn", "ds", "dz")
BACKWARD = ("dw", "db", "dgamma", "dbeta", *BACK)
GRADIENTS = ("loss", "dw", "db", "dgamma", "dbeta")
"""What nothing else is computed from."""

FEEDS: dict[str, frozenset[str]] = {
    "y": frozenset({"terms", "loss", "error", "dlogits"}),
    "logits": frozenset({"p", "log_p", "terms", "loss", "error", "dlogits"}),
    "p": frozenset({"log_p", "terms", "loss", "error", "dlogits"}),
    "log_p": frozenset({"terms", "loss"}),
    "terms": frozenset({"loss"}),
    "loss": frozenset(),
    "error": frozenset({"dlogits"}),
    "dlogits": frozenset(),
}
"""What a stage of the output reaches there; from `dlogits` on it reaches the backward pass."""


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

    def reaches(self, stage: str, layer: int) -> bool:
        """Return whether `stage` of `layer` can come out different because of this override."""
        return reaches(self.stage, self.layer, stage, layer)


@cache
def reaches(source: str, own: int | None, stage: str, layer: int) -> bool:
    """Return whether another value of `source` in layer `own`, or in every layer, changes `stage`
    of `layer`."""
    if source in GRADIENTS or stage == source:
        here = stage == source and own in (None, layer)
        return here or through_layers(source, own, stage, layer)
    if source == "x":
        return stage != "y"
    if source in FORWARD:
        return stage not in (*INPUTS, *FORWARD) or through_layers(source, own, stage, layer)
    if source in OUTPUT or source == "y":
        fed = stage in FEEDS[source]
        return fed or (stage in BACKWARD and source not in ("log_p", "terms"))
    return through_layers(source, own, stage, layer)


def through_layers(source: str, own: int | None, stage: str, layer: int) -> bool:
    """Forward a layer reaches those above it, backward those below."""
    if source in FORWARD and stage in FORWARD:
        behind = FORWARD.index(source) <= FORWARD.index(stage)
        return own is None or layer > own or (layer == own and behind)
    if source in BACK and stage in BACKWARD:
        if layer == own and stage in ("dgamma", "dbeta"):
            return BACK.index(source) <= BACK.index("dn")
        return own is None or layer <= own
    return False


@cache
def stage_and_layer(name: str) -> tuple[str, int]:
    """Return (stage, layer) of `name`; stages without a layer have layer 0."""
    stage = name.rstrip("0123456789")
    return stage, int(name[len(stage) :] or 0)


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
        self._settle()

    def _settle(self) -> None:
        """Keep what the point says; a relative at the same point takes it over."""
        self.depth = self.point.depth
        self.rows: int = self.point.targets.shape[0]
        self.classes: int = self.point.targets.shape[1]
        self.activation = self.point.activation
        self.objective = self.point.minimised
        self.averages = self.objective.reduction == "mean"
        self.plain = self.objective.plain
        self.inside = not self.point.between.plain
        self.lines = inside_stages() if self.inside else RIGHT
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
            found = Pass.__new__(Pass)
            found.__dict__ |= self.__dict__
            found.overrides, found.known = overrides, {}
            self.family[overrides] = found
        return found

    def relevant(self, stage: str, layer: int) -> frozenset[Override]:
        """Return the overrides that can change `stage` of `layer`."""
        if len(self.overrides) <= 1:
            return frozenset(o for o in self.overrides if o.reaches(stage, layer))
        reaching = {o for o in self.overrides if o.reaches(stage, layer)}
        if len(reaching) == len(self.overrides):
            return self.overrides
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
            right = self.lines[stage]
            found = overriding[0].compute(self, layer) if overriding else right(self, layer)
            return penalised(self, stage, layer, found)

    def forget(self, stage: str, layer: int) -> None:
        """Drop a value that nobody will ask for again."""
        self.known.pop((stage, layer), None)
        relevant = self.relevant(stage, layer)
        if relevant != self.overrides:
            self.having(relevant).forget(stage, layer)

    def named(self, name: str) -> Pair:
        """Return the value called `name` in contracts and reports: `dw1`, `logits`, `loss`, ..."""
        return self.get(*self.stage_of(name))

    stage_of = staticmethod(stage_and_layer)

    def right(self, stage: str, layer: int) -> Pair:
        """Return a stage as it should be, from what this pass has for the others."""
        return self.lines[stage](self, layer)

    def at(self, name: str, layer: int) -> Pair:
        """Return `name` of a layer: a parameter, or a stage; z_0 and h_0 are x, dz_L is dlogits."""
        if name in ("n", "a") and not layer:
            return self.get("x")
        if name in ("gamma", "beta"):
            return self.of_units(name, layer, float(name == "gamma"))
        if name in ("mask", "running_mean", "running_var"):
            return exact(self.point.context[f"{name}{layer}"], self.point.dtype)
        if name in ("w", "b", "z", "h", "dz"):
            found: Pair = getattr(self, name)(layer)
            return found
        return self.get(name, layer)

    def w(self, layer: int) -> Pair:
        """Return w_l, exact, (fan_in, fan_out)."""
        return exact(self.point.parameters[f"w{layer}"], self.point.dtype)

    def b(self, layer: int) -> Pair:
        """Return b_l, exact, (fan_out,)."""
        return self.of_units("b", layer, 0.0)

    def of_units(self, kind: str, layer: int, absent: float) -> Pair:
        """Return a parameter of every unit, exact, (fan_out,); `absent` where there is none."""
        found: Array | None = self.point.parameters.get(f"{kind}{layer}")
        if found is None:
            found = np.full(self.point.parameters[f"w{layer}"].shape[1], absent)
        return exact(np.ravel(found), self.point.dtype)

    def z(self, layer: int) -> Pair:
        """Return z_l, (N, fan_out); z_0 is x."""
        return self.get("z", layer) if layer else self.get("x")

    def h(self, layer: int) -> Pair:
        """Return h_l, (N, fan_out); h_0 is x."""
        return self.get("h", layer) if layer else self.get("x")

    def dh(self, layer: int) -> Pair:
        """Return dh_l, (N, fan_out)."""
        return self.get("dh", layer)

    def dz(self, layer: int) -> Pair:
        """Return dz_l, (N, fan_out); dz_L is dlogits."""
        return self.get("dz", layer) if layer < self.depth else self.get("dlogits")

    @property
    def logits(self) -> Pair:
        """Return z_L, (N, K)."""
        return self.get("logits")


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


def log_probabilities(net: Pass, layer: int) -> Pair:
    """Return log p: of the logits in one go, or of whatever a mistake put in place of p."""
    mistaken = any(override.stage == "p" for override in net.overrides)
    return log(net.get("p")) if mistaken else right_line("log_p", net.inside)(net, layer)


def penalised(net: Pass, stage: str, layer: int, value: Pair) -> Pair:
    """Return loss or gradient with what the declared penalty adds to it, right or mistaken."""
    objective = net.objective
    if not objective.penalises or stage not in GRADIENTS:
        return value
    if stage == "loss":
        given = net.point.parameters, net.rows, objective, net.point.dtype
        return value + losses.penalty(*given)
    parameter, name = net.at(stage[1:], layer), f"{stage[1:]}{layer}"
    if name not in objective.penalised({name: parameter.value}) or value.shape != parameter.shape:
        return value
    return value + losses.penalty_slope(parameter, net.rows, objective)


def declared(stage: str, by: Callable[[Pair, Pair, Objective], Pair]) -> Stage:
    """Return the program's line of a stage, or what another loss that is declared has there."""

    def found(net: Pass, layer: int) -> Pair:
        if net.plain:
            return right_line(stage, net.inside)(net, layer)
        return by(net.logits, net.get("y"), net.objective)

    return found


ABOVE: dict[str, Stage] = {
    "x": lambda net, _: exact(net.point.x, net.point.dtype),
    "y": lambda net, _: exact(net.point.targets, net.point.dtype),
    "log_p": log_probabilities,
    "p": declared("p", lambda z, _, objective: losses.prediction(z, objective)),
    "terms": declared("terms", losses.terms),
    "error": declared("error", losses.derivative),
}
RIGHT: dict[str, Stage] = {**{stage: right_line(stage) for stage in RIGHT_LINES}, **ABOVE}
"""Every stage as it should be: `stage(pass, layer)`, without a declared penalty."""


@cache
def inside_stages() -> dict[str, Stage]:
    """Return the same of a network with normalisation or dropout."""
    return {**{stage: right_line(stage, True) for stage in INSIDE_LINES}, **ABOVE}
