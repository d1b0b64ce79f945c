"""Where there are very many pairs of mistakes the likeliest are tried, and it is said that some
were not."""

from __future__ import annotations

import numpy as np
import pytest

from compare.contracts.arrays import Array, Arrays
from compare.diagnosis import pairing
from compare.diagnosis.gradients import diagnose, diagnosed
from compare.handbook.planting import bare, plant
from tests.test_diagnosis import SIZES, faulty, only


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few pairs be tried."""
    monkeypatch.setattr(pairing, "MOST_PAIRS", 300)
    monkeypatch.setattr(pairing, "MOST_FITTED", 100)


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_what_was_not_tried_is_said_where_nothing_is_found() -> None:
    def odd(parameters: Arrays, x: Array, y: Array) -> tuple[float, Arrays]:
        loss, g = bare(plant())(parameters, x, y)
        bent = {name: g[name] * (1 + 0.1 * np.tanh(parameters[name])) for name in ("w1", "w2")}
        return loss, g | bent

    found = diagnosed(
        odd, sizes=SIZES, activation="relu", reduction="mean", dtype=np.dtype("float64"), seed=0
    )
    assert found.diagnosis == () and "pairs of mistakes were not tried" in " ".join(found.notes)


@pytest.mark.usefixtures("few")
def test_a_pair_of_which_one_shows_alone_is_among_the_likeliest() -> None:
    found = only(diagnose(faulty("l2-in-gradient-only", "bias-averaged"), sizes=SIZES))
    assert {"l2-in-gradient-only", "bias-averaged"} == set(found.mistake.split(" + "))
