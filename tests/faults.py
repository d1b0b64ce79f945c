"""Planting tools: small data, and side-by-side runs with one thing wrong in them.

A fault goes into a function of the manual side (`wrong_loss`, `wrong_gradient`, `with_step`), into
the records that either side shows (`wrong_record`, `wrong_report`), or into the torch side's own
training (`HookedReference`). `at` is the one update at which it shows; None is every update.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

import manual_mlp
from compare import Experiment, Manual, Result
from compare.contracts.arrays import Arrays
from compare.contracts.records import Record
from compare.contracts.result import ExitCode
from compare.data import DataSet, Split
from compare.examine.sides import build_reference, manual_records, our_manual, reference_records
from compare.examine.threads import given_threads
from compare.examine.training import Run, watch
from compare.judge.naming import Named
from compare.judge.run import Judge
from compare.points.inputs import Inputs, draw_inputs
from torch_reference import Reference
from torch_reference.network import Network

Array = NDArray[Any]
Change = Callable[[Array], Array]
Wrap = Callable[[Iterator[Record]], Iterator[Record]]
Given = Callable[[Inputs], Inputs]
Function = Callable[..., Any]

NAMING = "compare.judge.conclusion.name_mistake"

SMALL = Experiment(hidden=(5,), epochs=6, learning_rate=0.2, threads=1)
"""With `small_data`: 23 samples, 7 inputs, 5 hidden units, 3 classes; 6 updates, 7 points."""


def small_data(rows: int = 23, features: int = 7, classes: int = 3, seed: int = 5) -> DataSet:
    """Normal rows in three splits with every class in each of them."""
    generator = np.random.default_rng(seed)

    def split(n: int) -> Split:
        labels = np.arange(n, dtype=np.int64) % classes
        return Split(generator.normal(size=(n, features)), generator.permutation(labels))

    return DataSet("small", "drawn by a test", classes, split(rows), split(11), split(4))


def side_by_side(
    experiment: Experiment = SMALL,
    data: DataSet | None = None,
    *,
    manual: Manual | None = None,
    manual_side: Wrap = iter,
    reference_side: Wrap = iter,
    manual_given: Given = lambda inputs: inputs,
    torch_given: Given = lambda inputs: inputs,
    torch_trains: Experiment | Reference | None = None,
    torch_judges: Reference | None = None,
) -> Result:
    """Run both sides before a judge that has the right inputs and, normally, the right reference.

    `manual_side` and `reference_side` wrap the records, `manual_given` and `torch_given` change
    what is handed to a side, and `torch_trains` lets the torch side train with other settings, or
    another network, than the judge knows of. The search for the mistake's name is left out: it
    takes seconds, and has tests of its own.
    """
    inputs = draw_inputs(experiment, data or small_data())
    manual = manual or our_manual(experiment)
    reference = torch_judges or build_reference(experiment, inputs.sizes)
    settings = torch_trains if isinstance(torch_trains, Experiment) else experiment
    training = torch_trains if isinstance(torch_trains, Reference) else None
    training = training or build_reference(settings, inputs.sizes)
    with given_threads(experiment.threads), patch(NAMING, return_value=Named()):
        run = Run(experiment, inputs, manual)
        run.judge = Judge(experiment=experiment, reference=reference, inputs=inputs)
        return watch(
            run,
            manual_side(manual_records(experiment, manual_given(inputs), manual)),
            reference_side(reference_records(settings, torch_given(inputs), training)),
        )


def only_at(at: int | None, wrong: Function, right: Function) -> Function:
    """`right`, but `wrong` at call number `at`, or at every call."""
    calls = count()

    def either(*arguments: Any, **options: Any) -> Any:
        chosen = wrong if at in (None, next(calls)) else right
        return chosen(*arguments, **options)

    return either


def with_function(manual: Manual, wrong: Function, at: int | None = None) -> Manual:
    """`manual` with another `loss_and_gradients`; the trainer calls it once per update."""
    return replace(manual, loss_and_gradients=only_at(at, wrong, manual.loss_and_gradients))


def wrong_loss(manual: Manual, change: Callable[[float], float], at: int | None = None) -> Manual:
    """`manual` with its loss changed."""

    def wrong(*arguments: Any) -> tuple[float, Arrays]:
        loss, gradients, *_ = manual.loss_and_gradients(*arguments)
        return change(loss), gradients

    return with_function(manual, wrong, at)


def wrong_gradient(manual: Manual, name: str, change: Change, at: int | None = None) -> Manual:
    """`manual` with one of its gradients changed, in its own dtype."""

    def wrong(*arguments: Any) -> tuple[float, Arrays]:
        loss, gradients, *_ = manual.loss_and_gradients(*arguments)
        dtype = gradients[name].dtype
        return loss, gradients | {name: change(gradients[name].copy()).astype(dtype)}

    return with_function(manual, wrong, at)


def with_step(manual: Manual, wrong: Function, at: int | None = None) -> Manual:
    """`manual` with another optimiser step."""
    return replace(manual, step=only_at(at, wrong, manual.step))


def wrong_record(at: int | None, **changes: Callable[[Any], Any]) -> Wrap:
    """Records with fields changed, at one update or at all."""

    def wrapped(records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            if at in (None, record.update):
                fields = {name: change(getattr(record, name)) for name, change in changes.items()}
                record = replace(record, **fields)  # type: ignore[type-var]
            yield record

    return wrapped


def wrong_report(at: int | None, **changes: Callable[[float], float]) -> Wrap:
    """Records with numbers of their evaluation changed."""

    def reported(evaluation: Any) -> Any:
        if evaluation is None:
            return None
        fields = {name: change(getattr(evaluation, name)) for name, change in changes.items()}
        return replace(evaluation, **fields)

    return wrong_record(at, evaluation=reported)


class HookedReference(Reference):
    """A torch network whose gradient of `name` is changed by a hook at the `at`-th backward pass.

    The change is seen by the optimiser and by the records alike, as a wrong derivative would be.
    """

    def __init__(self, *arguments: Any, hook: Function, name: str, at: int | None, **options: Any):
        self.hook, self.name, self.at = hook, name, at
        super().__init__(*arguments, **options)

    def new_network(self) -> Network:
        """The network with the hook registered."""
        network = super().new_network()
        hook = only_at(self.at, self.hook, lambda gradient: gradient)
        network.named[self.name].register_hook(hook)  # type: ignore[no-untyped-call]
        return network


def hooked(
    experiment: Experiment, name: str, hook: Callable[[Tensor], Tensor], at: int | None = None
) -> HookedReference:
    """A wrong torch side for `experiment` on `small_data`."""
    return HookedReference(
        (7, *experiment.hidden, 3), activation=experiment.activation,
        reduction=experiment.reduction, dtype=experiment.dtype, hook=hook, name=name, at=at,
    )  # fmt: skip


def derived(backward: Function) -> Function:
    """An implementation with our loss and somebody's `backward(parameters, x, values, dlogits)`."""

    def implementation(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        values = manual_mlp.forward(parameters, x)
        logits = values["logits"]
        loss = manual_mlp.cross_entropy(logits, targets)
        return loss, backward(parameters, x, values, manual_mlp.grad_ce(targets, logits))

    return implementation


def require_blame(
    result: Result,
    kind: str,
    stage: str,
    parameter: str | None = None,
    *,
    update: int = 0,
    epoch: int | None = None,
    side: str = "manual",
    alone: bool = True,
) -> None:
    """The run disagrees, and its first finding, or its only one, names exactly this.

    Without `epoch` there is one update in every epoch.
    """
    first = result.findings[0] if result.findings else None
    assert result.exit_code == ExitCode.DISAGREES and first is not None, result.sentence
    found = first.stage, first.parameter, first.side, first.update, first.epoch
    wanted = stage, parameter, side, update, update if epoch is None else epoch
    assert (result.kind, *found) == (kind, *wanted), result.sentence
    assert len(result.findings) == 1 or not alone, [one.message for one in result.findings]
    assert kind in result.sentence and first.message in result.sentence
