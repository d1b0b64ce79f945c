"""The network as a function of its parameters: its loss, its gradients, its accuracy.

Each is a sum over rows, so it is added up over blocks of them (see `rows.py`).
"""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any, Literal, overload

import numpy as np

from manual_mlp.arrays import Array, Arrays, entry
from manual_mlp.between import PLAIN, Between, Context, rows_of
from manual_mlp.criterion import Criterion
from manual_mlp.loss import correct
from manual_mlp.network import NO_CONTEXT, backward, forward
from manual_mlp.penalty import Penalty
from manual_mlp.rows import row_blocks

NO_PENALTY = Penalty()


@cache
def cross_entropy(reduction: str) -> Criterion:
    """Softmax cross-entropy by itself."""
    return Criterion(reduction=reduction)


@overload
def loss_and_gradients(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    *,
    activation: str = ...,
    reduction: str = ...,
    criterion: Criterion | None = ...,
    penalty: Penalty = ...,
    between: Between = ...,
    context: Context = ...,
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
    criterion: Criterion | None = ...,
    penalty: Penalty = ...,
    between: Between = ...,
    context: Context = ...,
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
    criterion: Criterion | None = None,
    penalty: Penalty = NO_PENALTY,
    between: Between = PLAIN,
    context: Context = NO_CONTEXT,
    intermediates: bool | Collection[str] = False,
) -> tuple[float, Arrays] | tuple[float, Arrays, Arrays]:
    """Loss at the parameters and its gradient with respect to each of them.

        (parameters, x (N, F), targets (N, K)) -> (loss, {w1, b1, ..., wL, bL})

    Both are sums over the rows, so they are added up over blocks B of rows:

        loss = (1/N) sum_B loss_B        dw = sum_B dw_B        with 1/N inside every dlogits_B

    A penalty is no sum over rows and is added once. Infinities and NaN come out as what they are.

    Parameters:
        parameters: w1 (F, H), b1 (H,), ..., wL (H, K), bL (K,).
        x: (N, F).
        targets: (N, K), one-hot or soft.
        activation: a name in `ACTIVATIONS`.
        reduction: "mean" or "sum".
        criterion: what stands above the logits; by default softmax cross-entropy with `reduction`.
        penalty: what the loss gains for large weights.
        between: normalisation and dropout; batch normalisation takes all rows as one block.
        context: what they need besides: see `between.py`.
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
    criterion = criterion or cross_entropy(reduction)
    divisor = criterion.divisor(targets)

    def of_block(rows: slice, before: Arrays) -> tuple[float, Arrays, Arrays]:
        how: dict[str, Any] = {"activation": activation, "between": between}
        how["context"] = rows_of(context, rows)
        values = forward(parameters, x[rows], **how)
        part, top = criterion.at(values["logits"], targets[rows], divisor)
        gradients, below = backward(parameters, x[rows], values, top["dlogits"], **how)
        return part, added(before, gradients), wanted(intermediates, values, top, below)

    loss, gradients = penalty.loss_at(parameters, len(x)), Arrays()
    kept: list[Arrays] = []
    for rows in blocks_of(x, parameters, between):
        part, gradients, shown = of_block(rows, gradients)  # a block's values end with the call
        loss += part
        kept.append(shown)
    for name, more in penalty.gradients_at(parameters, len(x)).items():
        gradients[name] = gradients[name] + more
    if intermediates is False:
        return loss, gradients
    return loss, gradients, joined(kept)


def blocks_of(x: Array, parameters: Mapping[str, Array], between: Between) -> list[slice]:
    """Blocks of rows; a single one where every row depends on the others."""
    return [slice(0, len(x))] if between.whole_batch else row_blocks(len(x), parameters)


def wanted(intermediates: bool | Collection[str], *shown: Arrays) -> Arrays:
    """All values, none, or those of the names given, as the caller asked for."""
    if intermediates is False:
        return {}
    values = {name: value for arrays in shown for name, value in arrays.items()}
    if intermediates is True:
        return values
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
    criterion: Criterion | None = None,
    penalty: Penalty = NO_PENALTY,
    between: Between = PLAIN,
    context: Context = NO_CONTEXT,
) -> tuple[float, float]:
    """Loss and accuracy at the parameters, without a gradient.

    Parameters:
        parameters: as in `loss_and_gradients`.
        x: (N, F).
        targets: (N, K).
        activation: a name in `ACTIVATIONS`.
        reduction: "mean" or "sum", for the loss.
        criterion: as in `loss_and_gradients`.
        penalty: as in `loss_and_gradients`.
        between: as in `loss_and_gradients`, as it is in evaluation.
        context: running statistics, for batch normalisation.

    Returns:
        The loss, and the share of rows whose largest logit is at their largest target.

    Raises:
        ValueError: an unknown name, or shapes that do not fit.

    Example:
        >>> evaluate({"w1": np.eye(2), "b1": np.zeros(2)}, np.eye(2) * 1000, np.eye(2))
        (0.0, 1.0)
    """
    criterion = criterion or cross_entropy(reduction)
    divisor = criterion.divisor(targets)
    loss, hits = penalty.loss_at(parameters, len(x)), 0
    at = {**context, "training": False}
    for rows in row_blocks(len(x), parameters):
        values = forward(parameters, x[rows], activation=activation, between=between, context=at)
        logits = values["logits"]  # (N, K)
        loss += criterion.loss_at(logits, targets[rows], divisor)
        hits += correct(logits, targets[rows])
    return loss, hits / len(x)
