"""The learning loop on several ranks: torch's `DistributedDataParallel` over the rows of each.

Every rank differentiates the sum over its own rows, divided by the rows of the whole batch, so the
gradients of all ranks add up to the gradient of the batch, however uneven the shards are. (Left
alone, DDP averages over ranks, which is right only for the mean over shards of one size.) The
process group must be there already.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel

from torch_reference.criterion import Criterion
from torch_reference.layout import Array, to_tensor
from torch_reference.optimiser import load_optimiser
from torch_reference.records import Record
from torch_reference.reference import Reference
from torch_reference.trainer import Rows, Run, records


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
) -> Iterator[Record]:
    """Yield the records of `train`, the same ones on every rank.

    `training` and `validation` are this rank's rows; `mine` says which of the `total` training rows
    its are. `order` numbers the rows of all ranks. Softmax cross-entropy only, without a penalty.
    """
    network = reference.new_network()
    network.load(parameters)
    optimiser = load_optimiser(
        network.named, state, learning_rate=learning_rate, momentum=momentum, form=form
    )
    wrapped = DistributedDataParallel(network)
    wrapped.register_comm_hook(None, added_up)
    run = ParallelRun(
        network=network,
        loss_of=Criterion(reduction="sum").to(reference.device),
        optimiser=optimiser,
        training=(to_tensor(training[0]), to_tensor(training[1])),
        validation=(to_tensor(validation[0]), to_tensor(validation[1])),
        wrapped=wrapped,
        mine=mine,
        mean=reference.criterion.reduction == "mean",
    )
    yield from records(run, parameters, state, order, total, form)


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
    """A run of which this rank holds the rows `mine`; `loss_of` is the sum over rows."""

    wrapped: DistributedDataParallel
    mine: slice
    mean: bool

    def differentiate(self, batch: Rows) -> tuple[float, None]:
        """Differentiate this rank's part of the batch's loss; the loss is that of all ranks."""
        here = batch[(batch >= self.mine.start) & (batch < self.mine.stop)] - self.mine.start
        x, targets = self.rows(here)
        part = self.loss_of(self.wrapped(x), targets) / (len(batch) if self.mean else 1)
        part.backward()  # type: ignore[no-untyped-call]
        return totals(part.item())[0], None

    @torch.no_grad()
    def measure(self, x: Tensor, targets: Tensor) -> tuple[float, float]:
        """Loss and accuracy over the rows of all ranks."""
        logits = self.network(x)
        right = (logits.argmax(dim=1) == targets.argmax(dim=1)).sum().item()
        loss, hits, rows = totals(self.loss_of(logits, targets).item(), right, len(x))
        return loss / (rows if self.mean else 1), hits / rows


def totals(*numbers: float) -> list[float]:
    """The sums over all ranks of a few numbers, in float64."""
    tensor = torch.tensor(numbers, dtype=torch.float64)
    distributed.all_reduce(tensor)
    found: list[float] = tensor.tolist()
    return found
