"""Names of mistakes in layers: planted ones are named by their cause, corruptions never."""

from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.layers.catalogue import LAYERS
from benchmarks.layers.layer import in_format
from benchmarks.layers.mistakes import MISTAKES
from benchmarks.layers.planted import CORRUPTED
from compare.contracts.result import Result, Verdict
from compare.layers.analysed import as_tensors
from compare.layers.check import check_layer
from compare.layers.names.forms import factor_named
from compare.layers.names.friendly import Names
from compare.layers.names.match import Match
from compare.layers.names.tape import record, rerun
from compare.layers.program import Program, Reference

pytestmark = pytest.mark.slow

BY_NAME = {layer.name: layer for layer in LAYERS}
SAID = {
    ("layer norm", "mean term missing"): "does not flow through the mean",
    ("layer norm", "variance term missing"): "does not flow through the variance",
    ("layer norm", "sum in place of mean"): "multiplied by 12, the length of axis 1 of x",
    ("layer norm", "gamma missing in dx"): "the factor `weight` is missing",
    ("layer norm", "dgamma with x in place of the normalised"): "uses `x` in place of",
    ("layer norm", "dbeta averaged"): "dbias is divided by 6",
    ("batch norm", "variance term doubled"): "the variance is doubled",
    ("linear", "db not summed"): "not summed over axis 0",
    ("linear", "dw transposed"): "dw is transposed",
    ("linear", "minus sign"): "dx has the wrong sign",
    ("attention", "row sum of the softmax missing"): "the row sum is missing",
    ("attention", "row sum over the wrong axis"): "runs over axis 1 in place of 2",
    ("attention", "softmax not differentiated"): "the derivative of the softmax is left out",
    ("conv2d", "kernel not flipped in dx"): "flipped",
    ("conv2d", "dw flipped"): "flipped along axis 2, 3",
    ("lstm cell", "slope of tanh(c) missing"): "the derivative of tanh is left out",
    ("lstm cell", "tanh with the slope of a sigmoid"): "taken to be y (1 - y)",
    ("lstm cell", "new state in place of the old one"): "stands in place of `c`",
    ("tanh", "slope twice"): "the slope of tanh at `x` once too often",
    ("dropout", "mask missing"): "the factor `mask` is missing",
    ("embedding", "overwritten in place of added"): "overwritten in place of added",
    ("swiglu", "gate and value exchanged"): "dw is dv; dv is dw",
    ("cross entropy", "not divided by N"): "multiplied by 6, the length of axis 0 of z",
    ("mse", "factor 2 missing"): "dp is halved",
    ("bce", "extra slope of the sigmoid"): "σ(1 - σ) of a sigmoid at `z` once too often",
    ("mlp", "mask missing"): "the derivative of ReLU is left out",
}


def checked(layer: str, manual: Any, form: str = "float64") -> Result:
    made = BY_NAME[layer]
    inputs = in_format(made.draw(np.random.default_rng(3), 6, 1.0), form)
    return check_layer(manual, made.reference, inputs, wrt=made.wrt)


@pytest.mark.parametrize(
    "layer, what, manual", MISTAKES, ids=[f"{layer}-{what}" for layer, what, _ in MISTAKES]
)
def test_every_planted_mistake_is_seen_and_the_usual_ones_are_named(
    layer: str, what: str, manual: Any
) -> None:
    result = checked(layer, manual)
    assert result.verdict is Verdict.DISAGREES
    if (layer, what) in SAID:
        (found,) = result.diagnosis
        assert any(SAID[layer, what] in said for said in (found.sentence, *found.also))
        assert found.sentence in result.sentence


def test_a_name_shows_its_own_numbers_beside_the_observed_ones() -> None:
    wrong = next(
        m for layer, what, m in MISTAKES if (layer, what) == ("layer norm", "mean term missing")
    )
    result = checked("layer norm", wrong)
    assert result.prediction is not None and result.heatmap is not None
    np.testing.assert_allclose(result.prediction[1], result.heatmap[1], rtol=1e-9)


@pytest.mark.parametrize("layer", ["layer norm", "attention", "mlp", "cross entropy"])
@pytest.mark.parametrize("how", CORRUPTED)
def test_a_corruption_has_no_name(layer: str, how: str) -> None:
    made = BY_NAME[layer]
    honest, first = next(iter(made.honest.values())), made.wrt[0]

    def corrupted(inputs: Any, dy: Any) -> Any:
        y, gradients = honest(inputs, dy)
        spoilt = CORRUPTED[how](np.random.default_rng(1), gradients[first], 0.0)
        return y, gradients | {first: spoilt}

    result = checked(layer, corrupted)
    assert result.verdict is Verdict.DISAGREES and result.diagnosis == ()


@pytest.mark.parametrize(
    "c, said",
    [
        (2.0, "doubled"),
        (-1.0, "of the wrong sign"),
        (1 / 6, "divided by 6, the length of axis 0 of x"),
        (4 / 5, "multiplied by (5 - 1)/5, where 5 is the length of axis 1 of x"),
        (5**-0.5, "divided by √5, the root of the length of axis 1 of x"),
        (30.0, "multiplied by 30, the number of entries of x along axes (0, 1)"),
        (0.9137, None),
        (1.0, None),
    ],
)
def test_a_factor_is_named_where_it_has_a_name(c: float, said: str | None) -> None:
    assert factor_named(c, {"x": (6, 5)}, 1e-9) == said


def test_the_tape_runs_again_to_the_same_numbers() -> None:
    made = BY_NAME["layer norm"]
    inputs = as_tensors(made.draw(np.random.default_rng(0), 5, 1.0))
    dy = {"y": torch.ones(5, 12, dtype=torch.float64)}
    program = Program(Reference.of(made.reference), made.wrt)
    tape = record(program, inputs, dy)
    due = program.run(inputs, dy)
    moved = rerun(tape, 0, {tape.inputs["x"]: inputs["x"]}, -1)
    for name, number in tape.results.items():
        torch.testing.assert_close(moved.get(number, tape.values[number]).detach(), due[name])
    assert Names(tape).noun(tape.inputs["x"]) == "`x`"


def test_numbers_that_are_not_finite_reproduce_nothing() -> None:
    right = {"dx": torch.tensor([1.0, 2.0])}
    match = Match(right, right, {"dx": torch.tensor([1e-15, 1e-15])}, 2.0**-53, {}, {})
    assert match.near("dx", right["dx"], right["dx"])
    assert not match.near("dx", right["dx"], torch.tensor([float("inf"), 0.0]))
