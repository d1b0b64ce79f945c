"""torch's own sample inputs for its modules, computed by ours: those that both have.

Where torch takes more axes than two, the samples are laid out as rows: (N, units).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from manual_mlp.activations import find
from manual_mlp.criterion import Criterion
from manual_mlp.normalise import scale_gradients, scaled, standardise, standardise_backward

pytest.importorskip("expecttest", reason="torch's sample inputs need it")
pytestmark = pytest.mark.rounding
ACTIVATIONS: dict[str, Callable[[Any], str]] = {
    "ReLU": lambda module: "relu",
    "LeakyReLU": lambda module: f"leaky_relu:{module.negative_slope}",
    "ELU": lambda module: f"elu:{module.alpha}",
    "SELU": lambda module: "selu",
    "Softplus": lambda module: "softplus" if (module.beta, module.threshold) == (1, 20) else "",
    "SiLU": lambda module: "silu",
    "GELU": lambda module: {"none": "gelu", "tanh": "gelu_tanh"}[str(module.approximate)],
    "ReLU6": lambda module: "relu6",
    "Hardtanh": lambda module: "hardtanh",
    "Tanh": lambda module: "tanh",
    "Sigmoid": lambda module: "sigmoid",
}
LOSSES = {
    "CrossEntropyLoss": "cross_entropy", "BCEWithLogitsLoss": "bce", "MSELoss": "mse",
    "L1Loss": "l1", "HuberLoss": "huber", "MultiMarginLoss": "hinge",
}  # fmt: skip
NORMALISATIONS = {"BatchNorm1d": "batch", "LayerNorm": "layer"}


def built(names: Any) -> Iterator[tuple[str, str, torch.nn.Module, list[Any]]]:
    """Every sample of these modules: label, name, module, inputs."""
    from torch.testing._internal.common_modules import module_db

    torch.manual_seed(0)
    made: dict[str, int] = {}
    for info in module_db:
        name = info.name.removeprefix("nn.")
        if name not in names:
            continue
        wanted: Any = {
            "device": torch.device("cpu"), "dtype": torch.float64, "requires_grad": True,
            "training": True,
        }  # fmt: skip
        for sample in info.module_inputs_func(info, **wanted):
            given = sample.constructor_input
            module = info.module_cls(*given.args, **given.kwargs).double()
            made[name] = made.get(name, 0) + 1
            yield f"{name}-{made[name]}", name, module, list(sample.forward_input.args)


def activations() -> Iterator[Any]:
    for label, name, module, (z,) in built(ACTIVATIONS):
        ours = ACTIVATIONS[name](module)
        if ours:
            yield pytest.param(ours, module, z, id=label)


def losses() -> Iterator[Any]:
    for label, name, module, (o, y) in built(LOSSES):
        settings = criterion(name, module)
        classes = name in ("CrossEntropyLoss", "MultiMarginLoss")
        special = settings is not None and (settings.weighs and y.is_floating_point())
        if settings is not None and not special and (o.dim() == 2 or not classes):
            yield pytest.param(settings, module, o, y, id=label)


def criterion(name: str, module: Any) -> Criterion | None:
    """What declares a torch loss here; None where there is no such setting."""
    weight = getattr(module, "weight", None)
    usual = getattr(module, "p", 1) == 1 and getattr(module, "margin", 1.0) == 1.0
    usual = usual and getattr(module, "delta", 1.0) == 1.0
    if module.reduction == "none" or not usual or (weight is not None and name[:5] != "Cross"):
        return None
    ignored = getattr(module, "ignore_index", -100)
    return Criterion(
        LOSSES[name], reduction=module.reduction,
        label_smoothing=getattr(module, "label_smoothing", 0.0),
        class_weights=None if weight is None else tuple(weight.tolist()),
        ignore_index=None if ignored < 0 else ignored,
    )  # fmt: skip


def normalisations() -> Iterator[Any]:
    for label, name, module, (z,) in built(NORMALISATIONS):
        single = name == "BatchNorm1d" or len(module.normalized_shape) == 1  # type: ignore[arg-type]  # a tuple, by torch's stubs a module
        if single and z.shape[0] > 1:
            yield pytest.param(NORMALISATIONS[name], module, z, id=label)


def compared(ours: Any, theirs: torch.Tensor) -> None:
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-11, atol=1e-13)


def test_every_module_of_ours_has_samples() -> None:
    found = {param.id.partition("-")[0] for param in (*activations(), *losses(), *normalisations())}
    assert found == {*ACTIVATIONS, *LOSSES, *NORMALISATIONS}


@pytest.mark.parametrize(("name", "module", "z"), list(activations()))
def test_an_activation_is_torchs_on_its_own_sample(name: str, module: Any, z: Any) -> None:
    act, h = find(name), module(z)
    (slope,) = torch.autograd.grad(h.sum(), z)
    at = z.detach().numpy()
    value = act.value(at)
    exact: dict[str, float] = {"softplus": 3e-9}  # torch leaves out exp(-z) from z = 20 on
    rtol = exact.get(name, 1e-12)
    np.testing.assert_allclose(value, h.detach().numpy(), rtol=rtol, atol=1e-14)
    np.testing.assert_allclose(act.derivative(at, value), slope.numpy(), rtol=rtol, atol=1e-14)


@pytest.mark.parametrize(("settings", "module", "o", "y"), list(losses()))
def test_a_loss_is_torchs_on_its_own_sample(
    settings: Criterion, module: Any, o: Any, y: Any
) -> None:
    loss = module(o, y)
    (slope,) = torch.autograd.grad(loss, o)
    logits, targets = (as_rows(tensor) for tensor in (o, y))
    if not y.is_floating_point():
        targets = np.eye(logits.shape[1])[y.numpy()]
    summed = settings.loss == "hinge" and settings.reduction == "sum"
    times = logits.shape[1] if summed else 1  # torch's divides by the classes, summed as well
    compared(settings.loss_at(logits, targets), loss * times)
    compared(settings.gradient_at(logits, targets), torch.as_tensor(as_rows(slope)) * times)


def as_rows(tensor: Any) -> Any:
    array = tensor.detach().numpy()
    return array.reshape(-1, array.shape[-1] if array.ndim else 1)


@pytest.mark.parametrize(("kind", "module", "z"), list(normalisations()))
def test_a_normalisation_is_torchs_on_its_own_sample(kind: str, module: Any, z: Any) -> None:
    n = module(z)
    dn = torch.as_tensor(np.random.default_rng(0).normal(size=n.shape))
    gamma, beta = module.weight, getattr(module, "bias", None)
    wanted = [tensor for tensor in (z, gamma, beta) if tensor is not None]
    theirs = torch.autograd.grad(n, wanted, dn)
    units = z.shape[1] if kind == "batch" else z.shape[-1]

    def rows(tensor: Any) -> Any:
        array = tensor.detach().numpy()
        if kind == "batch" and array.ndim == 3:
            array = array.transpose(0, 2, 1)
        return array.reshape(-1, units)

    ones, zeros = np.ones(units), np.zeros(units)
    by = ones if gamma is None else gamma.detach().numpy()
    found = standardise(rows(z), kind, module.eps)
    compared(scaled(found.s, by, zeros if beta is None else beta.detach().numpy()),
             torch.as_tensor(rows(n)))  # fmt: skip
    compared(standardise_backward(rows(dn) * by, found), torch.as_tensor(rows(theirs[0])))
    for ours, tensor in zip(scale_gradients(rows(dn), found.s), theirs[1:], strict=False):
        compared(ours, tensor)
