"""The torch twin of a declared network: losses, outputs, reductions, penalties, no biases."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from manual_mlp import criterion as by_hand
from manual_mlp.losses import LOSSES
from manual_mlp.outputs import OUTPUTS
from torch_reference import Criterion, Penalty, Reference, criterion, train
from torch_reference.activations import activation_module

Array = NDArray[Any]
SIZES = (4, 3, 5)


def batch() -> tuple[dict[str, Array], Array, Array]:
    generator = np.random.default_rng(0)
    parameters = {"w1": generator.normal(size=(4, 3)), "w2": generator.normal(size=(3, 5))}
    x = generator.normal(size=(7, 4))
    return parameters, x, np.eye(5)[generator.integers(0, 5, 7)]


def test_both_sides_have_the_same_losses_and_outputs() -> None:
    assert set(criterion.LOSSES) == set(LOSSES)
    assert set(criterion.OUTPUTS) == set(OUTPUTS)


@pytest.mark.parametrize("reduction", criterion.REDUCTIONS)
@pytest.mark.parametrize(("loss", "output"), list(product(LOSSES, OUTPUTS)))
def test_twin_and_derivation_say_the_same_of_every_loss(
    loss: str, output: str, reduction: str
) -> None:
    if (output, loss) in by_hand.INSIDE:
        return
    generator = np.random.default_rng(1)
    z, y = generator.normal(size=(7, 5)), np.eye(5)[generator.integers(0, 5, 7)]
    ours = by_hand.Criterion(loss, output, reduction, loss_factor=0.5)
    tensor = torch.tensor(z, requires_grad=True)
    theirs = Criterion(loss, output, reduction, loss_factor=0.5)(tensor, torch.tensor(y))
    (slope,) = torch.autograd.grad(theirs, tensor)
    assert ours.loss_at(z, y) == pytest.approx(theirs.item(), rel=1e-14)
    np.testing.assert_allclose(ours.gradient_at(z, y), slope, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("reduction", criterion.REDUCTIONS)
def test_weights_and_ignored_rows_reach_torch_as_class_numbers(reduction: str) -> None:
    generator = np.random.default_rng(1)
    z, y = generator.normal(size=(7, 5)), np.eye(5)[generator.integers(0, 5, 7)]
    how: dict[str, Any] = {"class_weights": (1.0, 2, 3, 4, 0.5), "ignore_index": int(y[0].argmax())}
    how |= {"label_smoothing": 0.1, "reduction": reduction}
    theirs = Criterion(**how).double()(torch.tensor(z), torch.tensor(y))
    assert by_hand.Criterion(**how).loss_at(z, y) == pytest.approx(theirs.item(), rel=1e-14)


def test_a_network_without_biases_has_weights_only() -> None:
    parameters, x, targets = batch()
    reference = Reference(SIZES, bias=False, criterion=Criterion("mse"))
    loss, gradients, shown = reference.loss_and_gradients(
        parameters, x, targets, intermediates=True
    )
    assert list(gradients) == ["w1", "w2"]
    h = np.maximum(x @ parameters["w1"], 0)
    d = 2 * (h @ parameters["w2"] - targets) / targets.size
    assert loss == pytest.approx(((h @ parameters["w2"] - targets) ** 2).mean(), rel=1e-14)
    np.testing.assert_allclose(gradients["w2"], h.T @ d, rtol=1e-13)
    np.testing.assert_array_equal(shown["p"], shown["logits"])  # what it predicts


@pytest.mark.parametrize("penalise", ["weights", "linear", "all"])
def test_penalty_is_in_loss_gradient_and_evaluation(penalise: str) -> None:
    parameters, x, targets = batch()
    parameters = {
        "w1": parameters["w1"], "b1": np.ones(3), "w2": parameters["w2"], "b2": np.ones(5)
    }  # fmt: skip
    plain = Reference(SIZES).loss_and_gradients(parameters, x, targets)
    penalty = Penalty(l2=0.3, l1=0.1, penalise=penalise, penalty_over="rows")
    reference = Reference(SIZES, penalty=penalty)
    loss, gradients = reference.loss_and_gradients(parameters, x, targets)
    counted = [k for k in parameters if penalise != "weights" or k[0] == "w"]
    added = sum(0.15 * (parameters[k] ** 2).sum() + 0.1 * abs(parameters[k]).sum() for k in counted)
    assert loss - plain[0] == pytest.approx(added / 7, rel=1e-12)
    assert reference.evaluate(parameters, x, targets)[0] == pytest.approx(loss, rel=1e-14)
    for name, gradient in gradients.items():
        extra = (0.3 * parameters[name] + 0.1 * np.sign(parameters[name])) / 7
        extra = extra if name in counted else np.zeros_like(extra)
        np.testing.assert_allclose(gradient - plain[1][name], extra, rtol=1e-10, atol=1e-15)


def test_trainer_minimises_the_declared_loss() -> None:
    parameters, x, targets = batch()
    reference = Reference(
        SIZES, activation="gelu", bias=False, criterion=Criterion("mse", "sigmoid")
    )
    records = train(
        reference, parameters, None, (x, targets), (x, targets), [[np.arange(7)]] * 30,
        learning_rate=1.0, momentum=0.9,
    )  # fmt: skip
    losses = [record.loss for record in records]
    assert losses[-1] < losses[0] / 2
    assert losses[0] == reference.loss_and_gradients(parameters, x, targets)[0]


def test_a_number_behind_an_activation_is_its_parameter() -> None:
    z = torch.tensor([-2.0, 3.0])
    assert activation_module("leaky_relu:0.2")(z).tolist() == pytest.approx([-0.4, 3.0])
    assert activation_module("leaky_relu")(z).tolist() == pytest.approx([-0.02, 3.0])
    with pytest.raises(ValueError, match=r"leaky_relu takes a number, such as leaky_relu:0\.2"):
        activation_module("leaky_relu:steep")


@pytest.mark.parametrize("how", [{"loss": "mae"}, {"output": "relu6"}, {"reduction": "none"}])
def test_unknown_names_are_refused_with_those_there_are(how: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"There is no \w+ '\w+'; there are \w+"):
        Criterion(**how)  # type: ignore[arg-type]  # a dict of names is what is wrong here
