"""The two trainers, started from the same inputs: two iterators of records, nothing shared.

`Manual` is the side under judgement, by default ours; anybody's functions can take its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import manual_mlp
from compare.contracts.arrays import Arrays
from compare.contracts.between import running
from compare.contracts.errors import BadInput
from compare.contracts.experiment import Experiment
from compare.contracts.records import Manual, Record
from compare.examine.handed_on import HandingOn
from compare.examine.optimisers import our_schedule, our_step, torch_recipe
from compare.points.batches import updates_of
from compare.points.inputs import Inputs

if TYPE_CHECKING:
    from torch_reference import Reference


def our_manual(experiment: Experiment) -> Manual:
    """`manual_mlp` with the activation, objective and momentum form of the experiment.

    Every pass shows its logits: a full batch's training accuracy then needs no second pass.
    """
    wanted = experiment.objective
    options: dict[str, Any] = {
        "activation": experiment.activation,
        "criterion": manual_mlp.Criterion(
            wanted.loss, wanted.output, wanted.reduction, wanted.loss_factor,
            wanted.label_smoothing, wanted.class_weights, wanted.ignore_index,
        ),
        "penalty": manual_mlp.Penalty(wanted.l2, wanted.l1, wanted.penalise, wanted.penalty_over),
        "between": manual_mlp.Between(experiment.normalisation, experiment.dropout),
    }  # fmt: skip
    shown: Any = manual_mlp.loss_and_gradients
    if experiment.between.together:
        shown = partial(with_statistics, shown, intermediates=True, **options)
    else:
        shown = partial(shown, intermediates=("logits",), **options)
    return Manual(
        loss_and_gradients=shown,
        evaluate=partial(manual_mlp.evaluate, **options),
        step=our_step(experiment),
    )


ContextOf = Callable[[int, int], Arrays]
"""(update, rows) -> what that update shares besides parameters and rows."""


def manual_records(
    experiment: Experiment, inputs: Inputs, manual: Manual, context: ContextOf | None = None
) -> Iterator[Record]:
    """Train the manual side; `context` in the place of that of the inputs."""
    function: Any = manual.loss_and_gradients
    if experiment.between.together:
        function = HandingOn(function, our_manual(experiment).loss_and_gradients)
    return manual_mlp.train(
        inputs.parameters,
        inputs.state,
        inputs.training,
        inputs.validation,
        inputs.order,
        loss_and_gradients=function,
        evaluate=manual.evaluate,
        step=manual.step,
        learning_rate=experiment.learning_rate,
        momentum=experiment.momentum,
        context_of=context_of(experiment, context or inputs.context),
        schedule=our_schedule(experiment, updates_of(inputs.order)),
        patience=experiment.patience,
    )


def with_statistics(function: Any, *point: Any, **options: Any) -> tuple[float, Arrays, Arrays]:
    """Return what a function does, of its intermediates the logits and the running statistics."""
    loss, gradients, shown = function(*point, **options)
    return loss, gradients, running(shown) | {"logits": shown["logits"]}


def context_of(experiment: Experiment, context: ContextOf) -> ContextOf | None:
    """Return what gives every update its masks; None where an update is like an evaluation."""
    return None if experiment.between.as_in_evaluation else context


def reference_records(
    experiment: Experiment, inputs: Inputs, reference: Reference
) -> Iterator[Record]:
    """Train the torch side."""
    from torch_reference import train

    recipe = torch_recipe(experiment, updates_of(inputs.order))
    return train(
        reference,
        inputs.parameters,
        inputs.state,
        inputs.training,
        inputs.validation,
        inputs.order,
        learning_rate=experiment.learning_rate,
        momentum=experiment.momentum,
        form=experiment.momentum_form,
        recipe=None if experiment.plain_momentum else recipe,
        patience=experiment.patience,
        context_of=context_of(experiment, inputs.context),
    )


def build_reference(experiment: Experiment, sizes: tuple[int, ...]) -> Reference:
    """The torch network of the experiment; `BadInput` for a device torch cannot compute on."""
    from torch_reference import Criterion, Penalty, Reference

    wanted = experiment.objective
    if wanted.class_weights is not None and len(wanted.class_weights) != sizes[-1]:
        raise BadInput(
            f"class_weights has {len(wanted.class_weights)} numbers; there are {sizes[-1]} classes."
        )
    try:
        return Reference(
            sizes,
            activation=experiment.activation,
            criterion=Criterion(
                wanted.loss, wanted.output, wanted.reduction, wanted.loss_factor,
                wanted.label_smoothing, wanted.class_weights, wanted.ignore_index,
            ),
            penalty=Penalty(wanted.l2, wanted.l1, wanted.penalise, wanted.penalty_over),
            bias=experiment.bias,
            normalisation=experiment.normalisation,
            dropout=experiment.dropout,
            affine=experiment.affine,
            dtype=experiment.dtype,
            device=experiment.device,
        )  # fmt: skip
    except ValueError as problem:
        raise BadInput(str(problem)) from problem


@contextmanager
def differentiating() -> Iterator[None]:
    """Let torch differentiate, also inside the caller's `torch.no_grad()` or `inference_mode()`."""
    import torch

    with torch.inference_mode(False), torch.enable_grad():
        yield


def numbers_of(experiment: Experiment, inputs: Inputs) -> dict[str, Any]:
    """The settings of a run and the sizes that the data decided, for reports."""
    return experiment.as_settings() | {
        "data": inputs.data_name,
        "data_source": inputs.data_source,
        "targets": "numbers" if inputs.numbers else "classes",
        "sizes": list(inputs.sizes),
        "training_samples": len(inputs.training[0]),
        "validation_samples": len(inputs.validation[0]),
        "test_samples": len(inputs.test[0]),
        "updates": updates_of(inputs.order),
    }
