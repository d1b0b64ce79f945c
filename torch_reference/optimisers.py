"""Updates by any class of `torch.optim` that this project knows, with what torch puts before them.

`optimiser.py` is for momentum, which every training run needs; here stands everything else. State
is a flat dictionary: `t`, the number of updates done, and a buffer for each parameter. What is
absent does not exist yet, as before the first update.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, StepLR

from torch_reference.eager import eager
from torch_reference.layout import Array, Arrays, owned, to_array, to_tensor, transposed

BUFFERS: dict[str, dict[str, str]] = {
    "sgd": {"v": "momentum_buffer"},
    "adam": {"m": "exp_avg", "s": "exp_avg_sq"},
    "adamw": {"m": "exp_avg", "s": "exp_avg_sq"},
    "amsgrad": {"m": "exp_avg", "s": "exp_avg_sq", "r": "max_exp_avg_sq"},
    "rmsprop": {"s": "square_avg", "a": "grad_avg", "v": "momentum_buffer"},
    "adagrad": {"s": "sum"},
}
"""The buffers of an optimiser: our prefix, and the key torch keeps it under."""


CLIP_GUARD = 1e-6
"""What clip_grad_norm_ adds to the norm."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """An optimiser with its settings, as torch's classes have them.

    Parameters:
        name: sgd, adam, adamw, amsgrad, rmsprop or adagrad.
        learning_rate: above 0.
        momentum: of sgd and rmsprop.
        form: how the state of sgd is handed over: velocity, buffer or negative_velocity.
        nesterov: of sgd.
        dampening: of sgd.
        weight_decay: added to the gradient times the weight.
        decoupled: taken off the weight instead, times the learning rate.
        decay_of: all, or weights: then the biases are a parameter group without decay.
        betas: of adam, adamw and amsgrad.
        eps: added to the root.
        alpha: of rmsprop.
        centred: of rmsprop.
        clip_norm: to which all gradients together are shortened before the step.
        clip_value: at which every entry is cut off before the step.
        clip_guard: what is added to the norm of all gradients; torch's is 1e-6.
        schedule: a kind and its two numbers, see `scheduler`.

    Example:
        >>> Recipe("adam", 0.001).built({"w1": torch.zeros(2)}).defaults["betas"]
        (0.9, 0.999)
    """

    name: str
    learning_rate: float
    momentum: float = 0.0
    form: str = "buffer"
    nesterov: bool = False
    dampening: float = 0.0
    weight_decay: float = 0.0
    decoupled: bool = False
    decay_of: str = "all"
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    alpha: float = 0.99
    centred: bool = False
    clip_norm: float | None = None
    clip_value: float | None = None
    clip_guard: float = CLIP_GUARD
    schedule: tuple[str, tuple[float, ...]] | None = None

    def built(self, parameters: Mapping[str, Tensor]) -> Optimizer:
        """The optimiser of these parameters."""
        weights = [tensor for name, tensor in parameters.items() if name[0] == "w"]
        biases = [tensor for name, tensor in parameters.items() if name[0] != "w"]
        decay = 0.0 if self.decoupled and not self.decays_itself else self.weight_decay
        groups = [{"params": weights, "weight_decay": decay}] if weights else []
        if biases:
            groups.append({"params": biases, "weight_decay": decay if self.decays("b") else 0.0})
        return self._class(groups)

    @property
    def decays_itself(self) -> bool:
        """Whether torch's class has decoupled decay."""
        return self.name in ("adam", "adamw", "amsgrad")

    def decays(self, name: str) -> bool:
        """Whether a parameter decays."""
        return self.decay_of == "all" or name[0] == "w"

    def _class(self, groups: list[dict[str, Any]]) -> Optimizer:
        lr, momentum, eps = self.learning_rate, self.momentum, self.eps
        if self.name == "sgd":
            return eager(SGD)(
                groups, lr=lr, momentum=momentum, dampening=self.dampening,
                nesterov=self.nesterov, foreach=False,
            )  # fmt: skip
        if self.name == "rmsprop":
            return eager(RMSprop)(
                groups, lr=lr, alpha=self.alpha, eps=eps, momentum=momentum,
                centered=self.centred, foreach=False,
            )  # fmt: skip
        if self.name == "adagrad":
            return eager(Adagrad)(groups, lr=lr, eps=eps, foreach=False)
        if self.name == "adamw":
            return eager(AdamW)(groups, lr=lr, betas=self.betas, eps=eps, foreach=False)
        return eager(Adam)(
            groups, lr=lr, betas=self.betas, eps=eps, amsgrad=self.name == "amsgrad",
            foreach=False, decoupled_weight_decay=self.decoupled,
        )  # fmt: skip

    def clip(self, parameters: Sequence[Tensor]) -> None:
        """Hold the gradients in check, in copies: those that were recorded stay as they were."""
        if self.clip_norm is None and self.clip_value is None:
            return
        for tensor in parameters:
            tensor.grad = None if tensor.grad is None else tensor.grad.clone()
        if self.clip_norm is not None and self.clip_guard == CLIP_GUARD:
            clip_grad_norm_(parameters, self.clip_norm, foreach=False)
        elif self.clip_norm is not None:
            norm = clip_grad_norm_(parameters, float("inf"), foreach=False)  # only measures it
            share = (self.clip_norm / (norm + self.clip_guard)).clamp(max=1.0)
            for tensor in parameters:
                if tensor.grad is not None:
                    tensor.grad.mul_(share)
        if self.clip_value is not None:
            clip_grad_value_(parameters, self.clip_value, foreach=False)

    @torch.no_grad()
    def shrink(self, parameters: Mapping[str, Tensor], learning_rate: float) -> None:
        """Decoupled decay of the classes that have none: before the step, times the rate."""
        if self.decoupled and not self.decays_itself:
            for name, tensor in parameters.items():
                if self.decays(name):
                    tensor.mul_(1 - learning_rate * self.weight_decay)

    def kept(self) -> list[str]:
        """The buffers, under torch's names, that this optimiser keeps with these settings."""
        used = {"momentum_buffer": bool(self.momentum), "grad_avg": self.centred}
        return [theirs for theirs in BUFFERS[self.name].values() if used.get(theirs, True)]

    def scale(self, learning_rate: float) -> float:
        """The factor from torch's buffer of sgd to the state in `form`."""
        if self.name != "sgd" or self.form == "buffer":
            return 1.0
        return learning_rate if self.form == "velocity" else -learning_rate


def scheduler(
    optimiser: Optimizer, schedule: tuple[str, tuple[float, ...]] | None
) -> LRScheduler | None:
    """torch's scheduler: step (every, factor), cosine (total, least) or warm_up (length, first).

    It counts updates, and `least` is a share of the learning rate.
    """
    if schedule is None:
        return None
    kind, (one, other) = schedule
    if kind == "step":
        return StepLR(optimiser, int(one), other)
    if kind == "cosine":
        least = other * float(optimiser.param_groups[0]["lr"])
        return CosineAnnealingLR(optimiser, int(one), least)
    return LinearLR(optimiser, other, total_iters=int(one))


def optimiser_step(
    recipe: Recipe,
    parameters: Mapping[str, Array],
    gradients: Mapping[str, Array],
    state: Mapping[str, Array],
) -> tuple[Arrays, Arrays]:
    """The parameters and the state after one update; the arguments are left as they were.

    Parameters:
        recipe: the optimiser; its schedule is not followed.
        parameters: w1, b1, ...
        gradients: of the same names and shapes.
        state: `t`, and `m_w1`, `s_w1`, ... of `BUFFERS`; empty before the first update.

    Returns:
        The parameters and the buffers, sgd's in torch's form.

    Example:
        >>> after, state = optimiser_step(
        ...     Recipe("adam", 0.1), {"w1": np.ones((1, 1))}, {"w1": np.ones((1, 1))}, {}
        ... )
        >>> round(float(after["w1"][0, 0]), 6), sorted(state)
        (0.9, ['m_w1', 's_w1'])
    """
    used = {key: to_tensor(w).clone().requires_grad_() for key, w in parameters.items()}
    optimiser = recipe.built(used)
    for key, tensor in used.items():
        tensor.grad = to_tensor(gradients[key])  # nobody writes to it: see `clip`
    load(recipe, optimiser, used, state, recipe.learning_rate)
    recipe.clip(list(used.values()))
    recipe.shrink(used, recipe.learning_rate)
    optimiser.step()
    after = read(recipe, optimiser, used, recipe.learning_rate)
    return {key: to_array(tensor.detach()) for key, tensor in used.items()}, after


def load(
    recipe: Recipe,
    optimiser: Optimizer,
    named: Mapping[str, Tensor],
    state: Mapping[str, Array],
    rate: float,
    *,
    seen: bool = False,
) -> None:
    """Put a state into the optimiser. `seen`: the tensors are in torch's layout."""
    done, scale = int(state.get("t", 0)), recipe.scale(rate)
    for key, tensor in named.items():
        stored: dict[str, Tensor] = {}
        for ours, theirs in BUFFERS[recipe.name].items():
            if f"{ours}_{key}" in state:
                buffer = to_tensor(state[f"{ours}_{key}"]).clone() / scale
                stored[theirs] = (transposed(buffer) if seen else buffer).to(tensor.device)
        if recipe.name != "sgd" and (done or stored):  # torch looks for all of them then
            stored = {theirs: torch.zeros_like(tensor) for theirs in recipe.kept()} | stored
            stored["step"] = torch.tensor(float(done))
        optimiser.state[tensor].update(stored)


def read(
    recipe: Recipe,
    optimiser: Optimizer,
    named: Mapping[str, Tensor],
    rate: float,
    *,
    seen: bool = False,
) -> Arrays:
    """The buffers after an update, as arrays of their own in the outside layout."""
    found: Arrays = {}
    for key, tensor in named.items():
        kept = optimiser.state[tensor]
        for ours, theirs in BUFFERS[recipe.name].items():
            if isinstance(kept.get(theirs), Tensor):
                buffer = kept[theirs] * recipe.scale(rate)
                found[f"{ours}_{key}"] = owned(buffer) if seen else to_array(buffer)
    return found


class Advance:
    """What a training does between two records: clip, step, and move the learning rate on."""

    def __init__(
        self, recipe: Recipe, named: Mapping[str, nn.Parameter], state: Mapping[str, Array]
    ) -> None:
        self.recipe, self.named, self.done = recipe, named, int(state.get("t", 0))
        self.optimiser = recipe.built(named)
        self.scheduler = scheduler(self.optimiser, recipe.schedule)
        load(recipe, self.optimiser, named, state, self.rate, seen=True)

    @property
    def rate(self) -> float:
        """The learning rate of the next update."""
        return float(self.optimiser.param_groups[0]["lr"])

    def __call__(self) -> Arrays:
        """Make one update; return the state after it."""
        rate = self.rate
        self.recipe.clip(list(self.named.values()))
        self.recipe.shrink(self.named, rate)
        self.optimiser.step()
        self.done += 1
        state = read(self.recipe, self.optimiser, self.named, rate, seen=True)
        if self.scheduler is not None:
            self.scheduler.step()
            self._rescale(rate)
        return state | {"t": np.asarray(self.done)}

    @torch.no_grad()
    def _rescale(self, before: float) -> None:
        """Keep a velocity when the rate changes, where torch alone would keep its buffer."""
        if not self.rate or self.recipe.scale(before) == self.recipe.scale(self.rate):
            return
        factor = self.recipe.scale(before) / self.recipe.scale(self.rate)
        for tensor in self.named.values():
            buffer = self.optimiser.state[tensor].get("momentum_buffer")
            if buffer is not None:
                buffer.mul_(factor)
