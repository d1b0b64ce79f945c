"""Optimisers, schedules, clipping, per-sample and second derivatives against torch's own."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from manual_mlp import loss_and_gradients
from manual_mlp.optimisers import SGD, Adagrad, Adam, RMSprop, Rule, update
from manual_mlp.per_sample import hessian_vector_product, per_sample_gradients
from manual_mlp.schedules import (
    clipped_by_norm,
    clipped_by_value,
    cosine,
    step_decay,
    stops,
    warm_up,
)

Array = NDArray[Any]
PAIRS: dict[str, tuple[Rule, Any, dict[str, str]]] = {
    "sgd": (SGD(0.1), lambda p: torch.optim.SGD(p, lr=0.1), {}),
    "momentum": (
        SGD(0.1, 0.9), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        {"v": "momentum_buffer"},
    ),
    "dampened, the first step undamped": (
        SGD(0.1, 0.9, dampening=0.5),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.5),
        {"v": "momentum_buffer"},
    ),
    "nesterov with decay": (
        SGD(0.1, 0.9, nesterov=True, weight_decay=0.01),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        {"v": "momentum_buffer"},
    ),
    "adam": (
        Adam(0.01), lambda p: torch.optim.Adam(p, lr=0.01), {"m": "exp_avg", "s": "exp_avg_sq"}
    ),
    "adam with decay": (
        Adam(0.01, weight_decay=0.1), lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
        {"m": "exp_avg", "s": "exp_avg_sq"},
    ),
    "adamw": (
        Adam(0.01, weight_decay=0.1, decoupled=True),
        lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
        {"m": "exp_avg", "s": "exp_avg_sq"},
    ),
    "amsgrad": (
        Adam(0.01, amsgrad=True), lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
        {"m": "exp_avg", "s": "exp_avg_sq", "r": "max_exp_avg_sq"},
    ),
    "rmsprop": (
        RMSprop(0.01), lambda p: torch.optim.RMSprop(p, lr=0.01), {"s": "square_avg"}
    ),
    "rmsprop, centred, with momentum and decay": (
        RMSprop(0.01, momentum=0.9, centred=True, weight_decay=0.1),
        lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.9, centered=True, weight_decay=0.1),
        {"s": "square_avg", "a": "grad_avg", "v": "momentum_buffer"},
    ),
    "adagrad": (
        Adagrad(0.1, rate_decay=0.1), lambda p: torch.optim.Adagrad(p, lr=0.1, lr_decay=0.1),
        {"s": "sum"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_every_step_and_every_buffer_is_torchs(name: str) -> None:
    rule, made, buffers = PAIRS[name]
    generator = np.random.default_rng(0)
    now = {"w1": generator.normal(size=(3, 2)), "b1": generator.normal(size=2)}
    tensors = {k: torch.tensor(w, requires_grad=True) for k, w in now.items()}
    optimiser = made(list(tensors.values()))
    state: dict[str, Array] = {}
    for _ in range(6):
        gradients = {k: generator.normal(size=w.shape) for k, w in now.items()}
        for k, tensor in tensors.items():
            tensor.grad = torch.tensor(gradients[k])
        optimiser.step()
        now, state = update(rule, now, gradients, state)
        for k, tensor in tensors.items():
            np.testing.assert_allclose(now[k], tensor.detach().numpy(), rtol=1e-13, atol=1e-15)
            for ours, theirs in buffers.items():
                kept = optimiser.state[tensor][theirs].numpy()
                np.testing.assert_allclose(state[f"{ours}_{k}"], kept, rtol=1e-13, atol=1e-16)
    assert int(state["t"]) == 6


@pytest.mark.parametrize("form", ["velocity", "negative_velocity"])
@pytest.mark.parametrize("nesterov", [False, True])
def test_velocity_forms_walk_the_path_of_the_buffer(form: str, nesterov: bool) -> None:
    generator = np.random.default_rng(0)
    one = two = {"w1": generator.normal(size=(3, 2))}
    left: dict[str, Array] = {}
    right: dict[str, Array] = {}
    for _ in range(5):
        g = {"w1": generator.normal(size=(3, 2))}
        one, left = update(SGD(0.1, 0.9, form, nesterov), one, g, left)
        two, right = update(SGD(0.1, 0.9, "buffer", nesterov), two, g, right)
    np.testing.assert_allclose(one["w1"], two["w1"], rtol=1e-13)
    sign = -1 if form == "negative_velocity" else 1
    np.testing.assert_allclose(left["v_w1"], sign * 0.1 * right["v_w1"], rtol=1e-13)


def test_decay_that_is_decoupled_shrinks_the_weight_by_the_rate() -> None:
    rule = SGD(0.1, weight_decay=0.5, decoupled=True)
    after, _ = update(rule, {"w1": np.ones((1, 1))}, {"w1": np.zeros((1, 1))}, {})
    assert after["w1"][0, 0] == pytest.approx(0.95)


def test_schedules_are_torchs() -> None:
    from torch.optim import lr_scheduler

    def rates(make: Any) -> list[float]:
        optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        scheduler = make(optimiser)
        found = []
        for _ in range(9):
            found.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            scheduler.step()
        return found

    def ours(share: Any) -> Any:
        return pytest.approx([share(t) for t in range(9)], rel=1e-12)

    assert rates(lambda o: lr_scheduler.StepLR(o, 3, 0.5)) == ours(lambda t: step_decay(t, 3, 0.5))
    assert rates(lambda o: lr_scheduler.CosineAnnealingLR(o, 12, 0.1)) == ours(
        lambda t: cosine(t, 12, 0.1)
    )
    assert rates(lambda o: lr_scheduler.LinearLR(o, 1 / 3, total_iters=5)) == ours(
        lambda t: warm_up(t, 5)
    )


def test_clipping_is_torchs_by_norm_and_by_value() -> None:
    generator = np.random.default_rng(0)
    gradients = {"w1": generator.normal(size=(3, 2)), "b1": generator.normal(size=2)}
    for clip, largest, theirs in (
        (clipped_by_norm, 0.7, torch.nn.utils.clip_grad_norm_),
        (clipped_by_norm, 70.0, torch.nn.utils.clip_grad_norm_),
        (clipped_by_value, 0.7, torch.nn.utils.clip_grad_value_),
    ):
        ours = clip(gradients, largest)
        tensors = [torch.zeros(g.shape, dtype=torch.float64) for g in gradients.values()]
        for tensor, g in zip(tensors, gradients.values(), strict=True):
            tensor.grad = torch.tensor(g)
        theirs(tensors, largest)
        for name, tensor in zip(gradients, tensors, strict=True):
            assert tensor.grad is not None
            np.testing.assert_allclose(ours[name], tensor.grad.numpy(), rtol=1e-13)


def test_early_stopping_counts_epochs_since_the_best() -> None:
    assert not stops([], 2)
    assert not stops([3.0, 2.0, 2.5, 2.6], 2)
    assert stops([3.0, 2.0, 2.5, 2.6, 2.7], 2)


def network() -> tuple[dict[str, Array], Array, Array]:
    generator = np.random.default_rng(0)
    shapes = {"w1": (5, 4), "b1": (4,), "w2": (4, 6), "b2": (6,), "w3": (6, 3), "b3": (3,)}
    parameters = {name: generator.normal(size=shape) for name, shape in shapes.items()}
    return parameters, generator.normal(size=(7, 5)), np.eye(3)[generator.integers(0, 3, 7)]


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "identity": lambda z: z
}  # fmt: skip


def torch_loss(parameters: dict[str, Tensor], x: Tensor, y: Tensor, activation: str) -> Tensor:
    h = FUNCTIONS[activation](x @ parameters["w1"] + parameters["b1"])
    h = FUNCTIONS[activation](h @ parameters["w2"] + parameters["b2"])
    logits = h @ parameters["w3"] + parameters["b3"]
    return torch.nn.functional.cross_entropy(logits, y)


@pytest.mark.parametrize("activation", FUNCTIONS)
def test_per_sample_gradients_are_those_of_vmap_and_add_up(activation: str) -> None:
    parameters, x, y = network()
    tensors = {name: torch.tensor(array) for name, array in parameters.items()}

    def of_one(p: dict[str, Tensor], row: Tensor, target: Tensor) -> Tensor:
        return torch_loss(p, row[None], target[None], activation)

    each = torch.func.vmap(torch.func.grad(of_one), in_dims=(None, 0, 0))
    expected: dict[str, Tensor] = each(tensors, torch.tensor(x), torch.tensor(y))
    found = per_sample_gradients(parameters, x, y, activation=activation)
    _, summed = loss_and_gradients(parameters, x, y, activation=activation, reduction="sum")
    for name, array in found.items():
        np.testing.assert_allclose(array, expected[name].numpy(), rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(array.sum(axis=0), summed[name], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("activation", FUNCTIONS)
def test_the_hessian_times_a_vector_is_that_of_torch_func(activation: str) -> None:
    parameters, x, y = network()
    generator = np.random.default_rng(1)
    vector = {name: generator.normal(size=array.shape) for name, array in parameters.items()}
    tensors = {name: torch.tensor(array) for name, array in parameters.items()}
    tangents = {name: torch.tensor(array) for name, array in vector.items()}

    def loss(p: dict[str, Tensor]) -> Tensor:
        return torch_loss(p, torch.tensor(x), torch.tensor(y), activation)

    _, pull, *_ = torch.func.vjp(torch.func.grad(loss), tensors)
    (expected,) = pull(tangents)  # the Hessian is symmetric
    found = hessian_vector_product(parameters, x, y, vector, activation=activation)
    for name, array in found.items():
        np.testing.assert_allclose(array, expected[name].numpy(), rtol=1e-9, atol=1e-13)


def test_the_hessian_times_a_vector_is_the_limit_of_differences_of_gradients() -> None:
    parameters, x, y = network()
    vector = {name: np.ones_like(array) for name, array in parameters.items()}
    h = 1e-6
    ends = [
        loss_and_gradients({k: w + s * h for k, w in parameters.items()}, x, y, activation="tanh")
        for s in (1, -1)
    ]
    found = hessian_vector_product(parameters, x, y, vector, activation="tanh")
    for name, array in found.items():
        difference = (ends[0][1][name] - ends[1][1][name]) / (2 * h)
        np.testing.assert_allclose(array, difference, rtol=1e-6, atol=1e-8)
