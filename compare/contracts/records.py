"""What `compare` knows of a trainer: the shape of its records, which both sides share.

The two record classes live in packages that import nothing from each other; this protocol is
where they meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

from numpy.typing import NDArray

from compare.contracts.arrays import Arrays

PARAMETER = r"(?:w|b|gamma|beta)[1-9]\d*"
"""The names of parameters, as a regular expression: w1, b1, gamma1, beta1, ..."""


def depth(parameters: Mapping[str, NDArray[Any]]) -> int:
    """Return the number of layers L: every layer has one weight matrix, and perhaps a bias."""
    return sum(name[0] == "w" for name in parameters)


class Evaluation(Protocol):
    """Training and validation loss and accuracy at one set of weights."""

    @property
    def train_loss(self) -> float: ...
    @property
    def train_accuracy(self) -> float: ...
    @property
    def validation_loss(self) -> float: ...
    @property
    def validation_accuracy(self) -> float: ...


class Record(Protocol):
    """One update before it is applied, or the end of training; see the two trainers."""

    @property
    def update(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def batch(self) -> NDArray[Any]: ...
    @property
    def loss(self) -> float: ...
    @property
    def gradients(self) -> Arrays: ...
    @property
    def parameters(self) -> Arrays: ...
    @property
    def state(self) -> Arrays: ...
    @property
    def evaluation(self) -> Evaluation | None: ...
    @property
    def learning_rate(self) -> float | None: ...


class Implementation(Protocol):
    """Contract 1: `(parameters, x, targets)` to `(loss, gradients)`, or with intermediates."""

    def __call__(
        self, parameters: Arrays, x: NDArray[Any], targets: NDArray[Any], /
    ) -> tuple[Any, ...]: ...


class Update(Protocol):
    """Contract 9: `(parameters, x, targets)` to new parameters, for code without a gradient."""

    def __call__(
        self, parameters: Arrays, x: NDArray[Any], targets: NDArray[Any], /, *, learning_rate: float
    ) -> Arrays: ...


class Rates(TypedDict):
    """The keywords of contract 2, for functions that hand them on."""

    learning_rate: float
    momentum: float


class Optimiser(Protocol):
    """Contract 2: one update, pure."""

    def __call__(
        self,
        parameters: Arrays,
        gradients: Arrays,
        state: Arrays,
        /,
        *,
        learning_rate: float,
        momentum: float,
    ) -> tuple[Arrays, Arrays]: ...


Records = Iterator[Record]
Gradients = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Manual:
    """The manual side's three functions, options already bound.

    Parameters:
        loss_and_gradients: `(parameters, x, targets) -> (loss, gradients)`.
        evaluate: `(parameters, x, targets) -> (loss, accuracy)`.
        step: `(parameters, gradients, state, *, learning_rate, momentum)` to new parameters and
            new state.
        name: what messages call it.
        shows_state: False where the records hold no state of theirs.

    Example:
        >>> import manual_mlp
        >>> from compare import Manual
        >>> ours = Manual(
        ...     manual_mlp.loss_and_gradients, manual_mlp.evaluate, manual_mlp.velocity_step
        ... )
        >>> ours.name
        'manual_mlp'
    """

    loss_and_gradients: Implementation
    evaluate: Callable[..., tuple[float, float]]
    step: Optimiser
    name: str = "manual_mlp"
    shows_state: bool = True
