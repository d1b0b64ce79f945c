"""The hand-derived activations, losses, outputs and penalties: closed form, differences, torch."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from manual_mlp import rectifiers, smooth
from manual_mlp.criterion import Criterion
from manual_mlp.losses import LOSSES
from manual_mlp.outputs import OUTPUTS
from manual_mlp.penalty import Penalty

Array = NDArray[Any]
Function = Callable[[Array], Array]

FUNCTIONS: dict[str, tuple[Function, Function, nn.Module]] = {
    "leaky_relu": (
        rectifiers.leaky_relu,
        rectifiers.leaky_relu_derivative,
        nn.LeakyReLU(),
    ),
    "elu": (rectifiers.elu, rectifiers.elu_derivative, nn.ELU()),
    "elu with alpha 0.3": (
        lambda z: rectifiers.elu(z, 0.3),
        lambda z: rectifiers.elu_derivative(z, 0.3),
        nn.ELU(0.3),
    ),
    "selu": (rectifiers.selu, rectifiers.selu_derivative, nn.SELU()),
    "relu6": (rectifiers.relu6, rectifiers.relu6_derivative, nn.ReLU6()),
    "hardtanh": (rectifiers.hardtanh, rectifiers.hardtanh_derivative, nn.Hardtanh()),
    "softplus": (smooth.softplus, smooth.softplus_derivative, nn.Softplus(threshold=40)),
    "silu": (smooth.silu, smooth.silu_derivative, nn.SiLU()),
    "gelu": (smooth.gelu, smooth.gelu_derivative, nn.GELU()),
    "gelu_tanh": (smooth.gelu_tanh, smooth.gelu_tanh_derivative, nn.GELU(approximate="tanh")),
}
EPS = float(np.finfo(np.float64).eps)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_and_derivative_are_torchs_also_on_the_kinks(name: str) -> None:
    value, derivative, module = FUNCTIONS[name]
    z = np.concatenate([np.linspace(-30, 30, 1201), [0.0, -1.0, 1.0, 6.0, 1e-9, -1e-9]])
    tensor = torch.tensor(z, requires_grad=True)
    h = module(tensor)
    (slope,) = torch.autograd.grad(h.sum(), tensor)
    allowed = 8 * EPS * (1 + np.abs(z))
    assert (np.abs(value(z) - h.detach().numpy()) <= allowed).all()
    assert (np.abs(derivative(z) - slope.numpy()) <= allowed).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivative_is_the_limit_of_differences(name: str) -> None:
    value, derivative, _ = FUNCTIONS[name]
    z = np.array([-7.3, -2.2, -0.6, -0.1, 0.1, 0.7, 2.2, 5.5, 7.7])
    step = 1e-5
    difference = (value(z + step) - value(z - step)) / (2 * step)
    np.testing.assert_allclose(derivative(z), difference, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_value_and_derivative_are_finite_over_the_whole_range(name: str, dtype: str) -> None:
    value, derivative, _ = FUNCTIONS[name]
    largest = np.finfo(dtype).max
    z = np.array([-largest, -1e30, -800, -90, -1e-38, 0, 1e-38, 90, 800, 1e30, largest], dtype)
    z[[0, -1]] /= 4
    h, slope = value(z), derivative(z)
    assert h.dtype == slope.dtype == dtype
    assert np.isfinite(h).all() and np.isfinite(slope).all()
    assert (np.abs(slope) <= 1.8).all()
    assert np.isnan(value(np.array([np.nan], dtype)))


def test_left_tails_keep_their_digits() -> None:
    # closed forms: gelu(z) = z erfc(-z/sqrt 2)/2, softplus(z) = log1p(exp(z))
    z = np.array([-20.0])
    assert smooth.gelu(z)[0] == pytest.approx(-20 * math.erfc(20 / math.sqrt(2)) / 2, rel=1e-14)
    assert smooth.softplus(z)[0] == pytest.approx(math.log1p(math.exp(-20)), rel=1e-15)
    assert rectifiers.elu(np.array([-1e-12]))[0] == pytest.approx(-1e-12, rel=1e-11)


def one_hot_batch(rows: int = 9, classes: int = 4) -> tuple[Array, Array]:
    generator = np.random.default_rng(3)
    logits = generator.normal(size=(rows, classes)) * 2
    return logits, np.eye(classes)[generator.integers(0, classes, rows)]


TORCH_LOSSES: dict[str, Callable[..., nn.Module]] = {
    "cross_entropy": nn.CrossEntropyLoss,
    "bce": nn.BCEWithLogitsLoss,
    "mse": nn.MSELoss,
    "l1": nn.L1Loss,
    "huber": nn.HuberLoss,
    "hinge": nn.MultiMarginLoss,
}
OUTPUT_FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "identity": lambda z: z,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "softmax": lambda z: torch.softmax(z, dim=1),
}


def torch_says(logits: Array, y: Array, loss: str, output: str, **how: Any) -> tuple[float, Array]:
    z = torch.tensor(logits, requires_grad=True)
    target = torch.tensor(y.argmax(axis=1)) if loss in ("hinge", "numbers") else torch.tensor(y)
    value = TORCH_LOSSES[loss](**how)(OUTPUT_FUNCTIONS[output](z), target)
    return value.item(), torch.autograd.grad(value, z)[0].numpy()


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_behind_every_output_is_torchs(loss: str, output: str) -> None:
    if (output, loss) in (("softmax", "cross_entropy"), ("sigmoid", "bce")):
        with pytest.raises(ValueError, match="applied twice"):
            Criterion(loss, output)
        return
    logits, y = one_hot_batch()
    criterion = Criterion(loss, output)
    expected, slope = torch_says(logits, y, loss, output)
    assert criterion.loss_at(logits, y) == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(criterion.gradient_at(logits, y), slope, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_gradient_is_the_limit_of_differences_of_its_loss(loss: str, output: str) -> None:
    if (output, loss) in (("softmax", "cross_entropy"), ("sigmoid", "bce")):
        return
    logits, y = one_hot_batch()
    criterion = Criterion(loss, output, reduction="batch_mean", loss_factor=0.5)
    along = np.random.default_rng(1).normal(size=logits.shape)
    h = 1e-6
    difference = criterion.loss_at(logits + h * along, y) - criterion.loss_at(logits - h * along, y)
    slope = float(np.vdot(criterion.gradient_at(logits, y), along))
    assert slope == pytest.approx(difference / (2 * h), rel=1e-7)


@pytest.mark.parametrize("loss", LOSSES)
def test_reductions_differ_by_what_they_count(loss: str) -> None:
    logits, y = one_hot_batch(9, 4)
    total = Criterion(loss, reduction="sum").loss_at(logits, y)
    mean = Criterion(loss).loss_at(logits, y)
    of_rows = Criterion(loss, reduction="batch_mean").loss_at(logits, y)
    assert of_rows == pytest.approx(total / 9, rel=1e-15)
    assert mean == pytest.approx(total / (9 if loss == "cross_entropy" else 36), rel=1e-15)


def test_blocks_of_rows_add_up_to_the_batch() -> None:
    logits, y = one_hot_batch(9, 4)
    criterion = Criterion("mse", "sigmoid", loss_factor=0.5)
    whole = criterion.divisor(y)
    parts = [criterion.loss_at(logits[s], y[s], whole) for s in (slice(0, 5), slice(5, 9))]
    assert sum(parts) == pytest.approx(criterion.loss_at(logits, y), rel=1e-15)


@pytest.mark.parametrize(
    "how",
    [
        {"label_smoothing": 0.1},
        {"class_weights": (0.5, 1.0, 2.0, 0.25)},
        {"ignore_index": 2},
        {"label_smoothing": 0.2, "class_weights": (0.5, 1.0, 2.0, 0.25), "ignore_index": 1},
    ],
)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_smoothing_weights_and_ignored_rows_are_those_of_torch_for_class_numbers(
    how: dict[str, Any], reduction: str
) -> None:
    logits, y = one_hot_batch()
    theirs = dict(how)
    if "class_weights" in theirs:
        theirs["weight"] = torch.tensor(theirs.pop("class_weights"), dtype=torch.float64)
    z = torch.tensor(logits, requires_grad=True)
    value = nn.CrossEntropyLoss(reduction=reduction, **theirs)(z, torch.tensor(y.argmax(axis=1)))
    (slope,) = torch.autograd.grad(value, z)
    criterion = Criterion(reduction=reduction, **how)
    assert criterion.loss_at(logits, y) == pytest.approx(value.item(), rel=1e-14)
    np.testing.assert_allclose(criterion.gradient_at(logits, y), slope, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ["cross_entropy", "bce"])
def test_losses_on_logits_are_finite_where_probabilities_are_0_and_1(loss: str, dtype: str) -> None:
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype)
    y = np.array([[0, 1], [0, 1]], dtype)
    criterion = Criterion(loss, reduction="sum")
    assert criterion.loss_at(logits, y) == 2e4
    assert np.isfinite(criterion.gradient_at(logits, y)).all()


def test_settings_that_belong_to_cross_entropy_are_refused_elsewhere() -> None:
    with pytest.raises(ValueError, match="belong to cross_entropy, not to mse"):
        Criterion("mse", label_smoothing=0.1)


@pytest.mark.parametrize("penalise", ["weights", "linear", "all"])
@pytest.mark.parametrize("penalty_over", ["1", "rows"])
def test_penalties_are_torchs_gradient_of_their_closed_form(
    penalise: str, penalty_over: str
) -> None:
    generator = np.random.default_rng(0)
    parameters = {"w1": generator.normal(size=(3, 2)), "b1": generator.normal(size=2)}
    parameters |= {"gamma1": generator.normal(size=2), "beta1": generator.normal(size=2)}
    parameters["w1"][0, 0] = 0.0  # the kink of |w|
    penalty = Penalty(0.03, 0.01, penalise, penalty_over)
    tensors = {k: torch.tensor(v, requires_grad=True) for k, v in parameters.items()}
    of = {"weights": ["w1"], "linear": ["w1", "b1"], "all": [*tensors]}[penalise]
    counted = [tensors[name] for name in of]
    total = sum((0.015 * t.square().sum() + 0.01 * t.abs().sum() for t in counted), torch.zeros(()))
    total = total / (7 if penalty_over == "rows" else 1)
    assert penalty.loss_at(parameters, 7) == pytest.approx(total.item(), rel=1e-14)
    slopes = torch.autograd.grad(total, counted)
    made = penalty.gradients_at(parameters, 7)
    for (name, ours), slope in zip(made.items(), slopes, strict=True):
        assert penalty.penalised(name)
        np.testing.assert_allclose(ours, slope.numpy(), rtol=1e-14)
