"""The network as a function of its parameters: its loss, its gradients, its accuracy.

Each is a sum over rows, so it is added up over blocks of them (see `rows.py`).
"""

from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple, overload

import numpy as np

from manual_mlp.arrays import Array, Arrays, entry
from manual_mlp.loss import (
    correct,
    cross_entropy_gradient,
    cross_entropy_of_rows,
    divisor,
)
from manual_mlp.network import backward, forward
from manual_mlp.rows import row_blocks


class Pass(NamedTuple):
    """What one pass finds: the loss summed over its rows, the gradients, and the values kept."""

    loss: float
    gradients: Arrays
    kept: Arrays


@overload
def loss_and_gradients(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    *,
    activation: str = ...,
    reduction: str = ...,
    intermediates: Literal[False] = ...,
) -> tuple[float, Arrays]: ...


@overload
def loss_and_gradients(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    *,
    activation: str = ...,
    reduction: str = ...,
    intermediates: Literal[True] | Collection[str],
) -> tuple[float, Arrays, Arrays]: ...


@np.errstate(over="ignore", invalid="ignore")  # a run that diverges says so in its numbers
def loss_and_gradients(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    *,
    activation: str = "relu",
    reduction: str = "mean",
    intermediates: bool | Collection[str] = False,
) -> tuple[float, Arrays] | tuple[float, Arrays, Arrays]:
    """Loss at the parameters and its gradient with respect to each of them.

        (parameters, x (N, F), targets (N, K)) -> (loss, {w1, b1, ..., wL, bL})

    Both are sums over the rows, so they are added up over blocks B of rows:

        loss = (1/N) sum_B loss_B        dw = sum_B dw_B        with 1/N inside every dlogits_B

    Infinities and NaN come out as what they are.

    Parameters:
        parameters: w1 (F, H), b1 (H,), ..., wL (H, K), bL (K,).
        x: (N, F).
        targets: (N, K), one-hot or soft.
        activation: a name in `ACTIVATIONS`.
        reduction: "mean" or "sum".
        intermediates: True for everything on the way, z1, h1, ..., logits, p, dlogits, dh1, dz1,
            ...; a collection of such names for only those.

    Returns:
        The loss as a Python float, gradients with the keys, shapes and dtype of the parameters, and
        the intermediates if they were asked for. All arrays belong to the caller.

    Raises:
        ValueError: an unknown name, or shapes that do not fit.

    Example:
        >>> import manual_mlp
        >>> draw = np.random.default_rng(0)
        >>> parameters = manual_mlp.initial_parameters((4, 3, 2), draw)
        >>> x, targets = draw.normal(size=(5, 4)), np.eye(2)[[0, 1, 1, 0, 1]]
        >>> loss, gradients = loss_and_gradients(parameters, x, targets)
        >>> gradients["w1"].shape
        (4, 3)
    """
    scale = divisor(reduction, len(x))
    total, gradients = 0.0, Arrays()
    kept: list[Arrays] = []
    for rows in row_blocks(len(x), parameters):
        block = textbook_pass(
            parameters, x[rows], targets[rows], scale,
            activation=activation, intermediates=intermediates,
        )  # fmt: skip
        total += block.loss
        gradients = added(gradients, block.gradients)
        kept.append(block.kept)
    if intermediates is False:
        return total / scale, gradients
    return total / scale, gradients, joined(kept)


def textbook_pass(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    scale: float,
    *,
    activation: str,
    intermediates: bool | Collection[str],
) -> Pass:
    """Forward, loss and backward over the rows given, as one writes them on paper."""
    values = forward(parameters, x, activation=activation)
    total, p = cross_entropy_of_rows(values["logits"], targets)
    dlogits = cross_entropy_gradient(p, targets) / scale  # (N, K)
    gradients, below = backward(parameters, x, values, dlogits, activation=activation)
    values |= {"p": p, "dlogits": dlogits} | below
    return Pass(total, gradients, wanted(values, intermediates))


def wanted(values: Arrays, intermediates: bool | Collection[str]) -> Arrays:
    """All values, none, or those of the names given, as the caller asked for."""
    if isinstance(intermediates, bool):
        return values if intermediates else {}
    return {name: entry(values, name, "intermediate") for name in intermediates}


def added(total: Arrays, block: Arrays) -> Arrays:
    """The total and one block's gradients; the first block's are the total so far."""
    if not total:
        return block
    for name, gradient in total.items():
        gradient += block[name]
    return total


def joined(blocks: list[Arrays]) -> Arrays:
    """The rows of all blocks, each value in one array."""
    if len(blocks) == 1:
        return blocks[0]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


@np.errstate(over="ignore", invalid="ignore")
def evaluate(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    *,
    activation: str = "relu",
    reduction: str = "mean",
) -> tuple[float, float]:
    """Loss and accuracy at the parameters, without a gradient.

    Parameters:
        parameters: as in `loss_and_gradients`.
        x: (N, F).
        targets: (N, K).
        activation: a name in `ACTIVATIONS`.
        reduction: "mean" or "sum", for the loss.

    Returns:
        The loss, and the share of rows whose largest logit is at their largest target.

    Raises:
        ValueError: an unknown name, or shapes that do not fit.

    Example:
        >>> evaluate({"w1": np.eye(2), "b1": np.zeros(2)}, np.eye(2) * 1000, np.eye(2))
        (0.0, 1.0)
    """
    total, hits = 0.0, 0
    for rows in row_blocks(len(x), parameters):
        logits = forward(parameters, x[rows], activation=activation)["logits"]  # (N, K)
        total += cross_entropy_of_rows(logits, targets[rows])[0]
        hits += correct(logits, targets[rows])
    return total / divisor(reduction, len(x)), hits / len(x)
