"""The network as a function of its parameters: its loss, its gradients, its accuracy."""

from collections.abc import Collection, Mapping
from typing import Literal, overload

import numpy as np

from manual_mlp.arrays import Array, Arrays, entry
from manual_mlp.loss import accuracy, cross_entropy, exponentials, grad_ce, softmax
from manual_mlp.memory import Memory, Workspace
from manual_mlp.network import backward, forward


@overload
def loss_and_gradients(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    *,
    activation: str = ...,
    reduction: str = ...,
    intermediates: Literal[False] = ...,
    workspace: Workspace | None = ...,
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
    workspace: Workspace | None = ...,
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
    workspace: Workspace | None = None,
) -> tuple[float, Arrays] | tuple[float, Arrays, Arrays]:
    """Loss at the parameters and its gradient with respect to each of them.

        (parameters, x (N, F), targets (N, K)) -> (loss, {w1, b1, ..., wL, bL})

    The loss is a Python float; gradients have the keys, shapes and dtype of the parameters and
    belong to the caller. With `intermediates=True` a third value names everything on the way: z1,
    h1, ..., logits, p, dlogits, dh1, dz1, ...; with a collection of such names, only those, and
    they too belong to the caller. Infinities and NaN come out as what they are.

    A `workspace` saves a caller who asks again and again from allocating again and again; it
    changes no number.
    """
    everything = intermediates is True
    kept = intermediates if isinstance(intermediates, Collection) else ()
    memory = Memory(None if everything else workspace or Workspace(), kept)
    values = forward(parameters, x, activation=activation, memory=memory)
    loss, top = loss_and_dlogits(values["logits"], targets, reduction, memory)
    gradients, below = backward(
        parameters, x, values, top["dlogits"], activation=activation, memory=memory
    )
    if intermediates is False:
        return loss, gradients
    shown = values | top | below
    return (
        loss,
        gradients,
        shown if everything else {name: entry(shown, name, "intermediate") for name in kept},
    )


def loss_and_dlogits(
    logits: Array, targets: Array, reduction: str, memory: Memory
) -> tuple[float, Arrays]:
    """The loss, and p and dlogits where the backward pass begins; one exponential serves all."""

    def array(name: str, slot: str) -> Array:
        return memory.array(name, slot, logits.shape, logits.dtype, "F")  # (N, K)

    p = array("p", "p")
    shared = exponentials(logits, shifted=array("shifted", "logits"), e=p)
    loss = cross_entropy(logits, targets, reduction=reduction, shared=shared)
    softmax(logits, shared=shared, out=p)
    dlogits = grad_ce(targets, logits, reduction=reduction, p=p, out=array("dlogits", "p"))
    return loss, {"p": p, "dlogits": dlogits}


@np.errstate(over="ignore", invalid="ignore")
def evaluate(
    parameters: Mapping[str, Array],
    x: Array,
    targets: Array,
    *,
    activation: str = "relu",
    reduction: str = "mean",
    workspace: Workspace | None = None,
) -> tuple[float, float]:
    """Loss and accuracy at the parameters, without a gradient."""
    memory = Memory(workspace or Workspace())
    logits = forward(parameters, x, activation=activation, memory=memory)["logits"]  # (N, K)
    return cross_entropy(logits, targets, reduction=reduction), accuracy(logits, targets)
