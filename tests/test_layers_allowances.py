"""Two derivations of one allowance: the runs' own, made by hand, and the pass over torch's graph.

Neither knows of the other, so each is a test of the other: at random points of every network that
can be declared, every activation and every loss, output, reduction and penalty, the median of an
allowance of one over that of the other stays within a factor of 3.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compare.contracts.experiment import ACTIVATION_NAMES, Experiment
from compare.examine.sides import build_reference
from compare.judge.point import PointJudge
from compare.layers.analysed import Analysed, analyse, as_tensors
from compare.layers.program import Program
from compare.points.probe import draw_probes
from tests.allowed import DTYPES, network
from tests.test_declared import DECLARED
from torch_reference import Criterion, Penalty
from torch_reference.activations import activation_module

FACTOR = 3.0
POINTS = (((7, 9, 5), 6), ((13, 24, 4), 33), ((5, 8, 6, 3), 20))
Arrays = dict[str, NDArray[Any]]
Point = tuple[Arrays, NDArray[Any], NDArray[Any]]


def analysed(experiment: Experiment, point: Point) -> Analysed:
    """The pass over the network as torch's users write it."""
    parameters, x, targets = point
    wanted = experiment.objective
    bend = activation_module(experiment.activation)
    criterion = Criterion(
        wanted.loss, wanted.output, wanted.reduction, wanted.loss_factor,
        wanted.label_smoothing, wanted.class_weights, wanted.ignore_index,
    )  # fmt: skip
    penalty = Penalty(wanted.l2, wanted.l1, wanted.penalise, wanted.penalty_over)
    layers = sum(name[0] == "w" for name in parameters)

    def loss(inputs: Any) -> Any:
        h = inputs["x"]
        for layer in range(1, layers + 1):
            z = h @ inputs[f"w{layer}"]
            z = z + inputs[f"b{layer}"] if f"b{layer}" in inputs else z
            h = bend(z)
        named = {name: inputs[name] for name in parameters}
        found = criterion(z, inputs["targets"])
        return found + penalty(named, len(z)) if penalty else found

    inputs = as_tensors(parameters | {"x": x, "targets": targets})
    return analyse(Program(loss, tuple(parameters)), inputs, None, x.dtype.name)


def ratios(
    experiment: Experiment, sizes: tuple[int, ...], points: Sequence[Point]
) -> Mapping[str, float]:
    """The median, over the entries at some points, of the pass's allowance over that by hand."""
    judge = PointJudge(experiment=experiment, reference=build_reference(experiment, sizes))
    found: dict[str, list[NDArray[Any]]] = {}
    for point in points:
        reference = judge.reference.loss_and_gradients(*point)
        by_hand = judge.same_point(*point, *reference).allowances.gradients
        generic = analysed(experiment, point)
        assert generic.doubt is None and generic.unruled == ()
        for name, allowance in by_hand.items():
            some = allowance > 0
            each = generic.allowances[f"d{name}"][some] / allowance[some]
            found.setdefault(name, []).append(each)
    return {name: float(np.median(np.concatenate(each))) for name, each in found.items()}


def agree(found: Mapping[str, float]) -> bool:
    return all(1 / FACTOR <= ratio <= FACTOR for ratio in found.values())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
@pytest.mark.parametrize("sizes, rows", POINTS, ids=str)
def test_both_derivations_allow_about_the_same_for_every_activation(
    sizes: tuple[int, ...], rows: int, activation: str, dtype: str
) -> None:
    point = network(sizes, rows, seed=rows, dtype=dtype)
    found = ratios(Experiment(activation=activation, dtype=dtype), sizes, [point])
    assert agree(found), found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("declared", DECLARED.values(), ids=DECLARED)
def test_both_derivations_allow_about_the_same_for_every_objective(
    declared: dict[str, Any], dtype: str
) -> None:
    sizes = (6, 7, 3)
    experiment = Experiment(hidden=(7,), dtype=dtype, activation="tanh", **declared)
    probes = draw_probes(
        sizes, activation="tanh", dtype=dtype, seed=0, objective=experiment.objective,
        bias=experiment.bias,
    )  # fmt: skip
    points = [(probe.parameters, probe.x, probe.targets) for probe in probes]
    found = ratios(experiment, sizes, points)
    assert agree(found), found
