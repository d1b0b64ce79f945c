"""Where there are very many pairs of mistakes the likeliest are tried, and it is said that some
were not; a search that finds nothing has a bounded number of comparisons."""

from __future__ import annotations

import numpy as np
import pytest

from compare.contracts.arrays import Array, Arrays
from compare.diagnosis import match, pairing
from compare.diagnosis.answer import Answer
from compare.diagnosis.gradients import diagnose, diagnosed
from compare.handbook.planting import bare, plant
from compare.textbook import Pass
from tests.test_diagnosis import SIZES, faulty, only

MOST_COMPARED = 16_000
"""Tensors under a mistake or two: at half a millisecond each eight seconds of a processor; 12,148
are made."""


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few pairs be tried."""
    monkeypatch.setattr(pairing, "MOST_PAIRS", 300)
    monkeypatch.setattr(pairing, "MOST_FITTED", 100)


def odd(parameters: Arrays, x: Array, y: Array) -> tuple[float, Arrays]:
    """Return a loss of no known kind with gradients that no mistake of the catalogue gives."""
    loss, g = bare(plant())(parameters, x, y)
    bent = {name: g[name] * (1 + 0.1 * np.tanh(parameters[name])) for name in ("w1", "w2")}
    return loss * (1 + 0.1 * np.tanh(loss)), g | bent


def unexplained() -> Answer:
    """Return what is said of that."""
    return diagnosed(
        odd, sizes=SIZES, activation="relu", reduction="mean", dtype=np.dtype("float64"), seed=0
    )


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_what_was_not_tried_is_said_where_nothing_is_found() -> None:
    found = unexplained()
    assert found.diagnosis == () and "pairs of mistakes were not tried" in " ".join(found.notes)


@pytest.mark.slow
def test_a_search_that_finds_nothing_ends_after_a_bounded_number_of_comparisons(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared, compare = [0], match.Case._compared

    def counted(case: match.Case, name: str, net: Pass) -> float:
        compared[0] += 1
        return compare(case, name, net)

    monkeypatch.setattr(match.Case, "_compared", counted)
    assert unexplained().diagnosis == ()
    assert pairing.MOST_PAIRS < compared[0] < MOST_COMPARED


@pytest.mark.usefixtures("few")
def test_a_pair_of_which_one_shows_alone_is_among_the_likeliest() -> None:
    found = only(diagnose(faulty("l2-in-gradient-only", "bias-averaged"), sizes=SIZES))
    assert {"l2-in-gradient-only", "bias-averaged"} == set(found.mistake.split(" + "))
