"""The learning loop as torch's users write it, with a record taken before every `optimiser.step()`.

`zero_grad`, `backward`, record, `step`. The batches are drawn elsewhere and handed in, as are the
first weights.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import SGD, Optimizer

from torch_reference.blocks import Terms, rows_of
from torch_reference.layout import Array, Arrays, closed, to_tensor
from torch_reference.network import Network
from torch_reference.optimiser import gradient_of, load_optimiser, read_state
from torch_reference.optimisers import Advance, Recipe
from torch_reference.records import Evaluation, Record
from torch_reference.reference import Context, Reference, correct

Rows = NDArray[np.int64]
ContextOf = Callable[[int, int], Context]


def train(
    reference: Reference,
    parameters: Mapping[str, Array],
    state: Mapping[str, Array] | None,
    training: tuple[Array, Array],
    validation: tuple[Array, Array],
    order: Sequence[Sequence[Rows]],
    *,
    learning_rate: float,
    momentum: float,
    form: str = "velocity",
    recipe: Recipe | None = None,
    patience: int | None = None,
    context_of: ContextOf | None = None,
) -> Iterator[Record]:
    """Yield one record per update, before it is applied, and a last one without an update.

    The first record of every epoch, and the last, carry the evaluation at their own weights. The
    last belongs to epoch `len(order)` and to the whole training set. The network is the run's own,
    so `reference` may be called between two records.

    Parameters:
        reference: the network that is trained, in a copy of its own.
        parameters: where training starts, w1, b1, ...
        state: the optimiser's state there, v_w1, v_b1, ...; None for zeros.
        training: x (N, F) and targets (N, K).
        validation: the same, never trained on.
        order: epoch by epoch, the row numbers of each batch.
        learning_rate: of `torch.optim.SGD`.
        momentum: of `torch.optim.SGD`.
        form: the form of `state`, "velocity" or "buffer".
        recipe: another optimiser than momentum; then the three before it do not count.
        patience: epochs without a new smallest validation loss that are waited; None for ever.
        context_of: (update, rows) -> the masks of that update; the running statistics are torch's
            own, from those of `state` on.

    Returns:
        The records, one by one.

    Raises:
        ValueError: arrays of wrong names, shapes or dtype, or an unknown form.

    Example:
        >>> at = {"w1": np.eye(2), "b1": np.zeros(2)}
        >>> data = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
        >>> order = [[np.arange(1)], [np.arange(1)]]
        >>> walk = train(
        ...     Reference((2, 2)), at, None, data, data, order, learning_rate=1.0, momentum=0
        ... )
        >>> [round(record.loss, 3) for record in walk]
        [1.313, 0.136, 0.084]
    """
    network = reference.new_network()
    network.load(parameters)
    buffers = {k: v for k, v in (state or {}).items() if k not in network.statistics}
    if recipe is None:
        sgd = load_optimiser(
            network.named, buffers, learning_rate=learning_rate, momentum=momentum, form=form
        )
        advance: Momentum | Advance = Momentum(sgd, network, form)
    else:
        advance = Advance(recipe, network.named, buffers)
    network.load_statistics(state or {})

    def masks_of(update: int, rows: int) -> dict[str, Tensor]:
        return reference.masks(context_of(update, rows)) if context_of else {}

    run = Run(
        network,
        partial(reference.terms, network),
        advance.optimiser,
        reference.tensors(*training),
        reference.tensors(*validation),
        masks_of=masks_of,
    )
    first = dict(state or {}) if recipe else with_zeros(parameters, state)
    yield from records(run, first, order, len(training[0]), advance, patience)


def with_zeros(parameters: Mapping[str, Array], state: Mapping[str, Array] | None) -> Arrays:
    """The first velocities as given, zeros where absent: not torch's own, which may be rounded."""
    zeros = {f"v_{name}": np.zeros_like(array) for name, array in parameters.items()}
    return zeros | dict(state or {})


class Advancing(Protocol):
    """Makes an update; returns the state after it. `rate` is that of the next one."""

    @property
    def rate(self) -> float: ...
    def __call__(self) -> Arrays: ...


@dataclass(frozen=True)
class Momentum:
    """Updates by momentum, the state in one of its forms."""

    optimiser: SGD
    network: Network
    form: str

    @property
    def rate(self) -> float:
        """The learning rate."""
        return float(self.optimiser.param_groups[0]["lr"])

    def __call__(self) -> Arrays:
        self.optimiser.step()
        return read_state(self.optimiser, self.network.named, self.form)


def records(
    run: "Run",
    state: Arrays | Mapping[str, Array],
    order: Sequence[Sequence[Rows]],
    total: int,
    advance: Advancing,
    patience: int | None = None,
) -> Iterator[Record]:
    """Walk along `order`, and show every update of a run over `total` rows before it is applied."""
    current = {name: array.copy() for name, array in state.items()}
    update, losses, whole = 0, list[float](), np.arange(total)
    for epoch, batches in enumerate([*order, [whole]]):
        for position, batch in enumerate(batches):
            evaluated, over = position == 0, epoch == len(order)
            record = run.record(update, epoch, batch, current, advance.rate, evaluated=evaluated)
            if record.evaluation is not None:
                losses.append(record.evaluation.validation_loss)
                if not over and ended(losses, patience):
                    over = True
                    record = run.record(update, epoch, whole, current, advance.rate, evaluated=True)
            yield record
            if over:
                return
            run.network.renew()
            current = advance() | run.network.read_statistics()
            update += 1


def ended(losses: Sequence[float], patience: int | None) -> bool:
    """Whether the smallest validation loss is more than `patience` epochs ago."""
    since_best = len(losses) - 1 - min(range(len(losses)), key=losses.__getitem__)
    return patience is not None and since_best > patience


@dataclass(frozen=True)
class Run:
    """What stays the same from update to update."""

    network: Network
    terms: Terms
    optimiser: Optimizer
    training: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    masks_of: Callable[[int, int], Mapping[str, Tensor]] = field(
        default=lambda update, rows: {}, kw_only=True
    )

    def record(
        self,
        update: int,
        epoch: int,
        batch: Rows,
        state: Arrays,
        rate: float,
        *,
        evaluated: bool,
    ) -> Record:
        """Differentiate at the present weights and write everything down.

        Weights and gradients are the network's own, closed for writing, since they are used after
        the record is handed over. The update is made in other memory.
        """
        self.optimiser.zero_grad(set_to_none=True)
        same = self.network.as_in_evaluation
        evaluation = self.evaluation(None) if evaluated and not same else None
        loss, whole = self.differentiate(batch, update)
        if evaluated and same:
            evaluation = self.evaluation(whole)
        return Record(
            update=update,
            epoch=epoch,
            batch=np.array(batch),
            loss=loss,
            gradients={name: closed(gradient_of(p)) for name, p in self.network.named.items()},
            parameters=self.network.read(),
            state=state,
            evaluation=evaluation,
            learning_rate=rate,
        )

    def differentiate(
        self, batch: Rows, update: int = 0
    ) -> tuple[float, tuple[float, float] | None]:
        """Leave the gradients in the network; the loss, and both measures if it is all rows."""
        x, targets = self.rows(batch)
        loss, hits = 0.0, 0
        masks = self.masks_of(update, len(x))
        self.network.train()
        for rows, term in self.terms(targets):
            logits = self.network.trace(x[rows], rows_of(masks, rows))["logits"]
            part = term(logits, targets[rows])
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.item()
            hits += correct(logits, targets[rows])
        return loss, (loss, hits / len(x)) if x is self.training[0] else None

    def rows(self, batch: Rows) -> tuple[Tensor, Tensor]:
        """The batch's rows; the training set itself if the batch is all of it in its own order."""
        x, targets = self.training
        if np.array_equal(batch, np.arange(len(x))):
            return x, targets
        index = to_tensor(batch).to(x.device)
        return x[index], targets[index]

    def evaluation(self, whole: tuple[float, float] | None) -> Evaluation:
        """Both sets at the present weights; `whole` is the training set's measure if known."""
        return Evaluation(*(whole or self.measure(*self.training)), *self.measure(*self.validation))

    def measure(self, x: Tensor, targets: Tensor) -> tuple[float, float]:
        """Loss and accuracy."""
        loss, hits = self.sums(x, targets)
        return loss, hits / len(x)

    @torch.no_grad()
    def sums(self, x: Tensor, targets: Tensor) -> tuple[float, int]:
        """The terms of the loss and the right rows, added up without a graph."""
        loss, hits = 0.0, 0
        self.network.eval()
        for rows, term in self.terms(targets):
            logits = self.network(x[rows])
            loss += term(logits, targets[rows]).item()
            hits += correct(logits, targets[rows])
        return loss, hits
