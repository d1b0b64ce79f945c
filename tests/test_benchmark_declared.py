"""The honest code of the measurement stays within half its allowance, a slip of it does not."""

import numpy as np
import pytest

from benchmarks.declared import ENTRIES, WAYS, network, scaled, worst
from compare.contracts.experiment import Experiment
from compare.examine.sides import build_reference
from compare.judge.point import PointJudge
from compare.points.probe import draw_probes


@pytest.mark.rounding
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_written_in_every_way_stays_below_half(name: str, dtype: str) -> None:
    assert max(worst(ENTRIES[name], dtype, seed) for seed in range(len(WAYS))) <= 0.5


def test_the_measurement_notices_a_wrong_gradient() -> None:
    asked = Experiment(hidden=(7,), loss="mse")
    judge = PointJudge(experiment=asked, reference=build_reference(asked, (6, 7, 3)))
    probe = draw_probes(
        (6, 7, 3), activation="relu", dtype="float64", seed=0, objective=asked.objective
    )[0]
    point = dict(probe.parameters), probe.x, probe.targets
    loss, gradients = network(*point, asked, "plain")
    assert judge.same_point(*point, loss, gradients).agrees
    wrong = gradients | {"w1": gradients["w1"] * np.float64(1 + 1e-9)}
    assert not judge.same_point(*point, loss, wrong).agrees


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_scale_error_of_the_promised_size_is_seen_where_a_tensor_is_not_weak(dtype: str) -> None:
    found = scaled(ENTRIES["gelu"], dtype, 0)
    assert found["seen"] > 3 and not found["missed"]
