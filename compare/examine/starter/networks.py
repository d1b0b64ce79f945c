"""Which network a file computes: its hidden units, its output and its loss, told by its numbers.

What a file's own forward pass returned is held against every network of the table that its text
may mean. Nothing is accused here: this only tells what the code has to be held against.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np

from compare.contracts.arrays import Array, Arrays
from compare.contracts.experiment import ACTIVATION_NAMES
from compare.contracts.objective import OVER_ROWS
from compare.examine.starter.readings import Sizes
from compare.points.probe import draw_probes

NEAR = 1e-6
"""How far, relative to the largest entry, a number may be off and still tell a network: more than
any guard in a logarithm, less than any mistake."""
SQUARES = re.compile(r"mse|squared|quadratic|\*\*\s*2|power|square", re.IGNORECASE)
EXPONENTIAL = re.compile(r"exp\(\s*-|sigmoid|logistic|expit", re.IGNORECASE)
SLOPE = re.compile(r"\b0?\.\d+\b|\b1e-\d\b")
"""A number that may be the slope of a leaky ReLU."""
LEAST_SLOPE, MOST_SLOPE, SLOPES = 0.001, 0.5, 6
"""Such slopes are tried, and so many."""
OTHER_LOSSES = {
    "hinge": re.compile(r"hinge|margin|svm", re.IGNORECASE),
    "huber": re.compile(r"huber|smooth_?l1", re.IGNORECASE),
    "l1": re.compile(r"mae|absolute|l1_?loss", re.IGNORECASE),
}
"""What the text of a file shows of a loss that is neither a cross-entropy nor a squared error."""
CORNER = re.compile(r"relu|maximum|[<>]=?\s*0|where|clip|heaviside|rectif", re.IGNORECASE)
"""What the text of a file shows of a ReLU."""
WRITTEN = {
    "tanh": re.compile(r"tanh", re.IGNORECASE),
    "sigmoid": EXPONENTIAL,
    "leaky_relu": re.compile(r"leak|0\.\d*1\b|alpha", re.IGNORECASE),
    "elu": re.compile(r"(?<![a-z])elu", re.IGNORECASE),
    "softplus": re.compile(r"softplus|log1p|logaddexp|log\(1", re.IGNORECASE),
    "silu": re.compile(r"silu|swish", re.IGNORECASE),
    "gelu": re.compile(r"gelu", re.IGNORECASE),
    "gelu_tanh": re.compile(r"gelu", re.IGNORECASE),
    "relu": re.compile(r""),
}
"""What the text of a file shows of an activation; of relu it may be a mask alone. The identity is
tried only where it is declared: without it a missing mask would pass."""


def shows_squares_alone(text: str) -> bool:
    """Whether the text of a file shows a squared error, and nothing of a cross-entropy."""
    logarithmic = re.search(r"log|softmax|entropy", text, re.IGNORECASE)
    return bool(SQUARES.search(text)) and not logarithmic


@dataclass(frozen=True)
class Network:
    """What is declared of both sides: see `compare.contracts.experiment`."""

    activation: str = "relu"
    output: str = "identity"
    loss: str = "cross_entropy"
    reduction: str = "mean"
    loss_factor: float = 1.0

    def declared(self) -> dict[str, Any]:
        """The keywords of `check`."""
        return asdict(self)

    def words(self, asked: Network) -> Iterator[str]:
        """What of it was not declared, in words."""
        if self.activation != asked.activation:
            yield f"your hidden units are {self.activation}"
        ends = (self.output, self.loss, self.reduction, self.loss_factor)
        if ends != (asked.output, asked.loss, asked.reduction, asked.loss_factor):
            after = "" if self.output == "identity" else f" of the {self.output} of the last layer"
            factor = "" if self.loss_factor == 1 else f", times {self.loss_factor:g}"
            yield f"your loss is {self.loss}{after}, {self.reduction}{factor}"


@dataclass(frozen=True)
class Values:
    """What a network gives at one point."""

    hidden: tuple[Array, ...]
    logits: Array
    p: Array
    loss: float
    gradients: Arrays

    @property
    def log_p(self) -> Array:
        """The logarithm of its probabilities; of other values NaN, which nothing is near."""
        with np.errstate(all="ignore"):
            logarithm: Array = np.log(self.p)
        return logarithm


def candidates(text: str, asked: Network, given: Sequence[str]) -> Iterator[Network]:
    """The networks a text may mean; what was `given` is not changed.

    What was asked for comes first, but with relu as nobody declared it those of relu's kind are
    last where nothing in the text has a corner.
    """
    hidden = [asked.activation]
    if "activation" not in given:
        shown = [one for one in ACTIVATION_NAMES if one in WRITTEN and WRITTEN[one].search(text)]
        slopes = [f"leaky_relu:{one}" for one in slopes_in(text) if "leaky_relu" in shown]
        hidden = list(dict.fromkeys([asked.activation, *shown, *slopes]))
        if asked.activation == "relu" and not CORNER.search(text):  # nothing there has a corner
            hidden = sorted(hidden, key=lambda one: "relu" in one)
    ends = [(asked.output, asked.loss, asked.reduction, asked.loss_factor)]
    if not {"output", "loss"} & set(given):
        kept = asked.reduction
        ends += [(asked.output, asked.loss, one, asked.loss_factor) for one in ("mean", "sum")]
        if EXPONENTIAL.search(text):
            ends += [("identity", "bce", one, 1.0) for one in ("batch_mean", "mean", "sum")]
        if SQUARES.search(text) or "log" not in text:
            outputs = [one for one in ("sigmoid", "tanh") if WRITTEN[one].search(text)]
            ends += [
                (output, "mse", reduction, factor)
                for output in (*outputs, "softmax", "identity")
                for reduction, factor in product(("batch_mean", "mean", "sum"), (0.5, 1.0))
            ]
        for loss, shown_by in OTHER_LOSSES.items():
            if shown_by.search(text):
                ends += [("identity", loss, one, 1.0) for one in ("batch_mean", "mean", "sum")]
        if "reduction" in given:
            ends = [one for one in ends if one[2] == kept]
    for end, activation in product(dict.fromkeys(ends), hidden):
        yield Network(activation, *end)


def slopes_in(text: str) -> list[str]:
    """The numbers in a text that may be the slope of a leaky ReLU: the first of those people take,
    which no momentum and no epsilon is among."""
    numbers = {float(one): one for one in reversed(SLOPE.findall(text))}
    first = sorted(numbers, key=lambda one: text.index(numbers[one]))
    return [numbers[one] for one in first if LEAST_SLOPE <= one <= MOST_SLOPE][:SLOPES]


@cache
def point(sizes: Sizes, seed: int) -> tuple[Arrays, Array, Array]:
    """Parameters, inputs and targets at which networks are told apart."""
    if not sizes.biases:
        parameters, x, targets = point(replace(sizes, biases=True), seed)
        return {name: one for name, one in parameters.items() if one.ndim > 1}, x, targets
    if sizes.K == 1:
        (drawn,) = draw_probes((*sizes.widths[:-1], 2), activation="tanh", dtype="float64",
                               seed=seed)[:1]  # fmt: skip
        last = {f"{kind}{sizes.layers}": drawn.parameters[f"{kind}{sizes.layers}"][..., :1]
                for kind in "wb"}  # fmt: skip
        return {**drawn.parameters, **last}, drawn.x, drawn.targets[:, :1]
    probe = draw_probes(sizes.widths, activation="relu", dtype="float64", seed=seed)
    return dict(probe[0].parameters), probe[0].x, probe[0].targets


@cache
def values_of(network: Network, sizes: Sizes, seed: int) -> Values:
    """What torch gives for a network at `point`; of one that differs from another in the scale of
    its loss alone it is the same, times a number."""
    summed = replace(network, reduction="sum", loss_factor=1.0)
    if network != summed:
        base, times = values_of(summed, sizes, seed), scale_of(network, point(sizes, seed)[2])
        gradients = {name: times * one for name, one in base.gradients.items()}
        return replace(base, loss=times * base.loss, gradients=gradients)
    return evaluated(network, sizes, seed)


def scale_of(network: Network, targets: Array) -> float:
    """How many times the sum over all entries the loss of a network is."""
    rows, entries = len(targets), targets.size
    by_rows = network.reduction == "batch_mean" or network.loss in OVER_ROWS
    over = 1 if network.reduction == "sum" else rows if by_rows else entries
    return network.loss_factor / over


def evaluated(network: Network, sizes: Sizes, seed: int) -> Values:
    """What torch itself gives."""
    from torch_reference import Criterion, Reference

    parameters, x, targets = point(sizes, seed)
    reference = Reference(
        sizes.widths,
        activation=network.activation,
        bias=sizes.biases,
        criterion=Criterion(network.loss, network.output, network.reduction, network.loss_factor),
    )
    loss, gradients, stages = reference.loss_and_gradients(
        parameters, x, targets, intermediates=True
    )
    shown = probabilities(stages["logits"], network)
    hidden = tuple(stages[f"h{layer}"] for layer in range(1, sizes.layers))
    return Values(hidden, stages["logits"], shown, float(loss), gradients)


def probabilities(logits: Array, network: Network) -> Array:
    """What stands behind the last layer."""
    if network.loss == "cross_entropy" or network.output == "softmax":
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        soft: Array = powers / powers.sum(axis=1, keepdims=True)
        return soft
    if network.loss == "bce" or network.output == "sigmoid":
        logistic: Array = 1 / (1 + np.exp(-logits))
        return logistic
    return np.tanh(logits) if network.output == "tanh" else logits


@dataclass(frozen=True, order=True)
class Fit:
    """How much of what was shown is a network's: gradients, the loss, values on the way."""

    right: int = 0
    loss: bool = False
    h: bool = False
    p: bool = False

    @property
    def score(self) -> int:
        """All of it."""
        return self.right + self.loss + 2 * (self.h + self.p)

    @property
    def ahead(self) -> bool:
        """Whether its forward pass is a network's: what it ends in, or its loss."""
        return self.p or self.loss

    @property
    def place(self) -> tuple[bool, int]:
        """Its rank: a loss says what a network is for, and decides before the gradients."""
        return self.loss, self.score


@dataclass(frozen=True)
class Shown:
    """What a file's functions gave at `point`: the loss if any, gradients, and matrices on the way,
    samples in rows."""

    loss: float | None
    gradients: Arrays
    arrays: tuple[Array, ...] = ()

    def fits(self, values: Values) -> Fit:
        """How well this fits a network."""
        right = sum(close(array, values.gradients[name]) for name, array in self.gradients.items())
        h = any(close(array, one) for array in self.arrays for one in values.hidden)
        said = self.loss is not None and close(np.array(self.loss), np.array(values.loss))
        return Fit(right, said, h, self.ends_in(values))

    def ends_in(self, values: Values) -> bool:
        """Whether p of a network is among the values; its logits are enough where nothing else of
        their form is: a wrong softmax may stand beside them."""
        if any(close(array, one) for array in self.arrays for one in (values.p, values.log_p)):
            return True
        alike = [array for array in self.arrays if array.shape == values.p.shape]
        return bool(alike) and all(close(array, values.logits) for array in alike)


@dataclass(frozen=True)
class Told:
    """A network, how well it fits, and how many gradients are right of whatever network."""

    network: Network
    fit: Fit
    right: int


def told(shown: Shown, networks: Iterable[Network], sizes: Sizes, seed: int) -> Told:
    """The network that what was shown belongs to, the first of several; the asked cross-entropy in
    another reduction only by its loss, since the gradients of it may lack a 1/N."""
    every = list(networks)
    fits = [(shown.fits(values_of(one, sizes, seed)), one) for one in every]
    fits = [(fit, one) for fit, one in fits if fit.loss or not reduced_otherwise(one, every[0])]
    fit, network = max(fits, key=lambda one: one[0].place)
    return Told(network, fit, max(one.right for one, _ in fits))


def averaged(networks: Sequence[Network]) -> Sequence[Network]:
    """Those whose loss is a mean, if any is: what was handed over sample by sample was averaged."""
    return [one for one in networks if one.reduction != "sum"] or networks


def reduced_otherwise(network: Network, asked: Network) -> bool:
    """Whether a network is one of those asked for, but for what its cross-entropy is divided by."""
    alike = network.loss == asked.loss == "cross_entropy"
    return alike and network.reduction != asked.reduction


def close(array: Array, wanted: Array) -> bool:
    """Whether two arrays are the same but for rounding and guards."""
    if array.shape != wanted.shape or not np.isfinite(array).all():
        return False
    return bool(np.abs(array - wanted).max() <= NEAR * np.abs(wanted).max())


def matrices_in_rows(arrays: Iterable[Array], rows: int) -> Iterator[Array]:
    """The matrices with a row for each sample, turned round where it is a column."""
    for array in arrays:
        if array.ndim == 2 and rows in array.shape and array.dtype.kind == "f":
            yield array if array.shape[0] == rows else array.T
