"""Networks with normalisation and dropout: by hand against torch, and against differences."""

from functools import partial
from typing import Any

import numpy as np
import pytest

import manual_mlp
import torch_reference
from manual_mlp.between import Between
from torch_reference import Reference

SIZES = (6, 5, 4, 3)
KINDS = [("layer", 0.0), ("batch", 0.0), ("none", 0.4), ("layer", 0.4), ("batch", 0.4)]


def draw(normalisation: str, dtype: Any = np.float64, rows: int = 9) -> tuple[Any, ...]:
    """Parameters, x, targets, and a context with masks and running statistics."""
    rng = np.random.default_rng(3)
    parameters = manual_mlp.initial_parameters(SIZES, rng)
    context: dict[str, Any] = {}
    for layer, width in enumerate(SIZES[1:-1], start=1):
        parameters[f"b{layer}"] = rng.normal(size=width)
        if normalisation != "none":
            parameters |= {f"gamma{layer}": rng.normal(size=width) + 1}
            parameters |= {f"beta{layer}": rng.normal(size=width)}
        context[f"mask{layer}"] = rng.random((rows, width)) > 0.4
        if normalisation == "batch":
            context[f"running_mean{layer}"] = rng.normal(size=width).astype(dtype)
            context[f"running_var{layer}"] = (1 + rng.random(width)).astype(dtype)
    parameters = {name: a.astype(dtype) for name, a in parameters.items()}
    x = rng.normal(size=(rows, SIZES[0])).astype(dtype)
    return parameters, x, np.eye(SIZES[-1], dtype=dtype)[rng.integers(3, size=rows)], context


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("kind", "rate"), KINDS)
def test_loss_gradients_and_values_are_those_of_torch(
    kind: str, rate: float, training: bool, dtype: Any
) -> None:
    parameters, x, y, context = draw(kind, dtype)
    context["training"] = training
    reference = Reference(SIZES, activation="tanh", dtype=dtype, normalisation=kind, dropout=rate)
    loss, gradients, shown = manual_mlp.loss_and_gradients(
        parameters, x, y, activation="tanh", between=Between(kind, rate), context=context,
        intermediates=True,
    )  # fmt: skip
    theirs = reference.loss_and_gradients(parameters, x, y, context=context, intermediates=True)
    near = {"rtol": 0, "atol": 100 * np.finfo(dtype).eps}
    assert abs(loss - theirs[0]) < near["atol"]
    assert gradients.keys() == theirs[1].keys() == parameters.keys()
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, theirs[1][name], **near)
    for name in shown.keys() & theirs[2].keys():
        np.testing.assert_allclose(shown[name], theirs[2][name], **near)
    assert {"z1", "h1", "dh2", "dz1"} <= shown.keys() & theirs[2].keys()


@pytest.mark.parametrize(("kind", "rate"), KINDS)
def test_gradients_are_the_slopes_of_the_loss(kind: str, rate: float) -> None:
    parameters, x, y, context = draw(kind)
    how: dict[str, Any] = {"activation": "tanh", "between": Between(kind, rate)}
    _, gradients = manual_mlp.loss_and_gradients(parameters, x, y, context=context, **how)
    rng = np.random.default_rng(0)
    way = {name: rng.normal(size=a.shape) for name, a in parameters.items()}
    losses = []
    for h in (1e-5, -1e-5):
        moved = {name: a + h * way[name] for name, a in parameters.items()}
        losses.append(manual_mlp.loss_and_gradients(moved, x, y, context=context, **how)[0])
    slope = sum(float(np.vdot(gradients[name], way[name])) for name in way)
    assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(slope, rel=1e-8)


@pytest.mark.parametrize("kind", ["layer", "batch"])
def test_evaluation_knows_no_dropout_and_takes_running_statistics(kind: str) -> None:
    parameters, x, y, context = draw(kind)
    found = manual_mlp.evaluate(parameters, x, y, between=Between(kind, 0.4), context=context)
    theirs = Reference(SIZES, normalisation=kind, dropout=0.4).evaluate(
        parameters, x, y, context=context
    )
    assert found == pytest.approx(theirs, rel=1e-13)


def test_batch_normalisation_takes_all_rows_as_one_block_and_layer_normalisation_any() -> None:
    parameters, x, y, _ = draw("batch", rows=1200)
    for kind in ("batch", "layer"):
        loss, gradients = manual_mlp.loss_and_gradients(parameters, x, y, between=Between(kind))
        theirs = Reference(SIZES, normalisation=kind).loss_and_gradients(parameters, x, y)
        assert loss == pytest.approx(theirs[0], rel=1e-13)
        np.testing.assert_allclose(gradients["w1"], theirs[1]["w1"], atol=1e-15)


def test_what_is_missing_in_the_context_is_named() -> None:
    parameters, x, y, _ = draw("batch")
    with pytest.raises(ValueError, match="running_mean1"):
        Reference(SIZES, normalisation="batch").evaluate(parameters, x, y)
    with pytest.raises(ValueError, match="mask1"):
        Reference(SIZES, normalisation="batch", dropout=0.5).loss_and_gradients(parameters, x, y)
    with pytest.raises(ValueError, match="one of none, layer, batch"):
        Between("group")
    with pytest.raises(ValueError, match="from 0 to below 1"):
        Between(dropout=1.0)


@pytest.mark.parametrize(("kind", "rate"), KINDS)
def test_both_trainers_walk_the_same_way_with_the_masks_they_are_given(
    kind: str, rate: float
) -> None:
    parameters, x, y, context = draw(kind, rows=12)
    state = {name: a for name, a in context.items() if name.startswith("running")}
    order = [[np.arange(12)[i::2] for i in range(2)] for _ in range(2)]

    def masks(update: int, rows: int) -> dict[str, Any]:
        rng = np.random.default_rng(update)
        return {f"mask{i}": rng.random((rows, SIZES[i])) > 0.4 for i in (1, 2)}

    between, (evaluated_x, evaluated_y) = Between(kind, rate), (x[:5], y[:5])
    ours = manual_mlp.train(
        parameters, state, (x, y), (evaluated_x, evaluated_y), order,
        loss_and_gradients=partial(
            manual_mlp.loss_and_gradients, between=between, intermediates=True
        ),
        evaluate=partial(manual_mlp.evaluate, between=between),
        step=manual_mlp.velocity_step, learning_rate=0.1, momentum=0.5, context_of=masks,
    )  # fmt: skip
    theirs = torch_reference.train(
        Reference(SIZES, normalisation=kind, dropout=rate), parameters, state, (x, y),
        (evaluated_x, evaluated_y), order, learning_rate=0.1, momentum=0.5, context_of=masks,
    )  # fmt: skip
    for one, other in zip(ours, theirs, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-12)
        assert other.state.keys() >= state.keys()
        for name in state:
            np.testing.assert_allclose(one.state[name], other.state[name], rtol=1e-12)
        for name in parameters:
            np.testing.assert_allclose(one.parameters[name], other.parameters[name], atol=1e-12)
        if one.evaluation and other.evaluation:
            assert one.evaluation.train_loss == pytest.approx(other.evaluation.train_loss)
            assert one.evaluation.validation_loss == pytest.approx(other.evaluation.validation_loss)
