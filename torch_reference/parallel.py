"""The learning loop on several ranks: torch's `DistributedDataParallel` over the rows of each.

Every rank differentiates the sum over its own rows, divided by the rows of the whole batch, so the
gradients of all ranks add up to the gradient of the batch, however uneven the shards are. (Left
alone, DDP averages over ranks, which is right only for the mean over shards of one size.) The
process group must be there already.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel

from torch_reference.blocks import Term, rows_of
from torch_reference.criterion import Criterion
from torch_reference.layout import Array, to_tensor
from torch_reference.optimiser import load_optimiser
from torch_reference.records import Record
from torch_reference.reference import Reference
from torch_reference.trainer import ContextOf, Momentum, Rows, Run, records, with_zeros


def train_in_parallel(
    reference: Reference,
    parameters: Mapping[str, Array],
    state: Mapping[str, Array] | None,
    training: tuple[Array, Array],
    validation: tuple[Array, Array],
    order: Sequence[Sequence[Rows]],
    *,
    mine: slice,
    total: int,
    learning_rate: float,
    momentum: float,
    form: str = "velocity",
    context_of: ContextOf | None = None,
) -> Iterator[Record]:
    """Yield the records of `train`, the same ones on every rank.

    Softmax cross-entropy only, without a penalty and without batch normalisation, whose rows depend
    on those of other ranks.

    Parameters:
        reference: the network that is trained, in a copy of its own on every rank.
        parameters: where training starts, w1, b1, ...
        state: the optimiser's state there, v_w1, v_b1, ...; None for zeros.
        training: this rank's rows, x (n, F) and targets (n, K).
        validation: this rank's rows.
        order: epoch by epoch, the row numbers of each batch, of the rows of all ranks.
        mine: which of all training rows are this rank's.
        total: how many training rows all ranks have.
        learning_rate: of `torch.optim.SGD`.
        momentum: of `torch.optim.SGD`.
        form: the form of `state`, "velocity" or "buffer".
        context_of: (update, rows) -> the masks of that update, of this rank's rows of its batch.

    Returns:
        The records, one by one, the same ones on every rank.

    Raises:
        ValueError: arrays of wrong names, shapes or dtype, or an unknown form.

    Example:
        >>> import numpy as np
        >>> from tempfile import TemporaryDirectory
        >>> at = {"w1": np.eye(2), "b1": np.zeros(2)}
        >>> data = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
        >>> with TemporaryDirectory() as folder:
        ...     distributed.init_process_group(
        ...         "gloo", init_method=f"file://{folder}/ranks", rank=0, world_size=1
        ...     )
        ...     walk = train_in_parallel(
        ...         Reference((2, 2)), at, None, data, data, [[np.arange(1)]],
        ...         mine=slice(0, 1), total=1, learning_rate=1.0, momentum=0,
        ...     )
        ...     losses = [round(record.loss, 3) for record in walk]
        ...     distributed.destroy_process_group()
        >>> losses
        [1.313, 0.136]
    """
    network = reference.new_network()
    network.load(parameters)
    optimiser = load_optimiser(
        network.named, state, learning_rate=learning_rate, momentum=momentum, form=form
    )
    wrapped = DistributedDataParallel(network)
    wrapped.register_comm_hook(None, added_up)

    def masks_of(update: int, rows: int) -> dict[str, Tensor]:
        return reference.masks(context_of(update, rows)) if context_of else {}

    run = ParallelRun(
        network=network,
        terms=partial(sums_over_rows, reference),
        optimiser=optimiser,
        training=(to_tensor(training[0]), to_tensor(training[1])),
        validation=(to_tensor(validation[0]), to_tensor(validation[1])),
        wrapped=wrapped,
        mine=mine,
        mean=reference.criterion.reduction == "mean",
        masks_of=masks_of,
    )
    first = with_zeros(parameters, state)
    yield from records(run, first, order, total, Momentum(optimiser, network, form))


def sums_over_rows(reference: Reference, targets: Tensor) -> list[tuple[slice, Term]]:
    """The blocks of this rank's rows, each with the sum of its losses."""
    summed = Criterion(reduction="sum").to(reference.device)
    return [(rows, summed) for rows in reference.row_blocks(len(targets))]


def added_up(
    _: None,
    bucket: distributed.GradBucket,  # type: ignore[name-defined]  # DDP asks for it; mypy misses it
) -> torch.futures.Future[Tensor]:
    """Add the gradients of all ranks up, without DDP's division by their number."""
    work = distributed.all_reduce(bucket.buffer(), async_op=True)
    done: torch.futures.Future[Tensor] = work.get_future().then(lambda sums: sums.value()[0])
    return done


@dataclass(frozen=True)
class ParallelRun(Run):
    """A run of which this rank holds the rows `mine`; its `terms` are sums over rows."""

    wrapped: DistributedDataParallel
    mine: slice
    mean: bool

    def differentiate(self, batch: Rows, update: int = 0) -> tuple[float, None]:
        """Differentiate this rank's part of the batch's loss; the loss is that of all ranks."""
        here = batch[(batch >= self.mine.start) & (batch < self.mine.stop)] - self.mine.start
        x, targets = self.rows(here)
        masks = self.masks_of(update, len(x))
        self.network.train()
        blocks = list(self.terms(targets))
        loss = 0.0
        for rows, term in blocks:
            # DDP adds the ranks up as soon as it may: at the last block, when all are in.
            with nullcontext() if rows is blocks[-1][0] else self.wrapped.no_sync():
                logits = self.wrapped(x[rows], rows_of(masks, rows))
                part = term(logits, targets[rows]) / (len(batch) if self.mean else 1)
                part.backward()  # type: ignore[no-untyped-call]
            loss += part.item()
        return totals(loss)[0], None

    def measure(self, x: Tensor, targets: Tensor) -> tuple[float, float]:
        """Loss and accuracy over the rows of all ranks."""
        loss, hits, rows = totals(*self.sums(x, targets), len(x))
        return loss / (rows if self.mean else 1), hits / rows


def totals(*numbers: float) -> list[float]:
    """The sums over all ranks of a few numbers, in float64."""
    tensor = torch.tensor(numbers, dtype=torch.float64)
    distributed.all_reduce(tensor)
    found: list[float] = tensor.tolist()
    return found
