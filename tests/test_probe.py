"""The points where functions are asked: alive, and on a kink only where that is wanted."""

from __future__ import annotations

import numpy as np
import pytest

import manual_mlp
from compare.points.probe import draw_probes

SIZES = (30, 200, 5)


@pytest.mark.parametrize("seed", range(3))
def test_units_woken_from_the_dead_are_on_for_some_samples_and_on_a_kink_for_none(
    seed: int,
) -> None:
    rows = np.abs(np.random.default_rng(seed).normal(size=(50, SIZES[0])))  # no sign, many dead
    for probe in draw_probes(SIZES, activation="relu", dtype=np.float64, seed=seed, rows=rows)[:3]:
        z = manual_mlp.forward(probe.parameters, probe.x)["z1"]
        assert (z > 0).any(axis=0).all()
        assert np.abs(z).min() > 1e-9


def test_a_probe_on_a_kink_has_one_unit_at_exactly_zero() -> None:
    probe = draw_probes(SIZES, activation="relu", dtype=np.float64, seed=0)[-1]
    z = manual_mlp.forward(probe.parameters, probe.x)["z1"]
    assert z[0, 0] == 0
