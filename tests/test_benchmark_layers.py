"""The measurement of the judge of layers: its layers are honest, its errors are what they say."""

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmarks.layers import __main__ as command
from benchmarks.layers.__main__ import failures, main
from benchmarks.layers.catalogue import LAYERS
from benchmarks.layers.gradchecked import accepted, spoilt
from benchmarks.layers.measures import Tally
from benchmarks.layers.mistakes import MISTAKES
from benchmarks.layers.modules import Outcome
from benchmarks.layers.named import Case
from benchmarks.layers.planted import CORRUPTED, PLANTED, root_mean_square

pytestmark = pytest.mark.slow


def test_there_are_enough_layers_ways_and_mistakes() -> None:
    assert len(LAYERS) >= 15
    assert all(len(layer.honest) >= 3 for layer in LAYERS)
    assert len({(layer, what) for layer, what, _ in MISTAKES}) == len(MISTAKES) >= 45


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_error_has_the_size_it_says(kind: str) -> None:
    a = np.random.default_rng(0).normal(size=(7, 5))
    error = PLANTED[kind](np.random.default_rng(1), a, 1e-3) - a
    assert root_mean_square(error) / root_mean_square(a) == pytest.approx(1e-3, rel=1e-6)


@pytest.mark.parametrize("how", CORRUPTED)
def test_a_corruption_changes_something(how: str) -> None:
    a = np.random.default_rng(0).normal(size=(7, 5))
    assert not np.allclose(CORRUPTED[how](np.random.default_rng(1), a, 0.0), a)


def test_every_missed_figure_is_told() -> None:
    bad = Tally(tensors=10, accused=1, worst=1.2, missed={"scale": 2})
    wrong = [Case("mse", "sign", seen=False, name=None, seconds=0.0)]
    spoilt = [Case("mse", "noise", seen=True, name="a name", seconds=0.0)]
    modules = [Outcome("GELU", 1.3, (), None)]
    told = list(failures({("mse", "float32"): bad}, wrong, spoilt, modules, [], whole=True))
    assert len(told) == 7 + len(command.LEAST)


def test_a_time_that_is_missed_is_told_and_is_no_failure() -> None:
    assert list(command.slow({"layer norm 8×64": 0.1, "attention 16×128×64": 4.0})) == [
        "attention 16×128×64: 4.00 s, more than 3 s"
    ]


def test_gradcheck_is_run_on_the_judged_pair_itself() -> None:
    layer = next(layer for layer in LAYERS if layer.name == "tanh")
    inputs = layer.draw(np.random.default_rng(0), 3, 1.0)
    assert accepted(layer, next(iter(layer.honest.values())), inputs)
    assert not accepted(layer, spoilt(layer, "scale", 0.1), inputs)
    assert accepted(layer, spoilt(layer, "scale", 1e-6), inputs)


def test_a_run_over_two_layers_reaches_its_figures_and_writes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quick run over all of them is a step of CI of its own."""
    monkeypatch.setattr(command, "LAYERS", LAYERS[:2])
    for name in ("mistakes", "corruptions", "gradchecked"):
        whole = getattr(command, name)
        monkeypatch.setattr(
            command, name, lambda *given, _of=whole, **more: islice(_of(*given, **more), 1)
        )
    assert main(["--quick", "--json", str(tmp_path / "found.json")]) == 0
    assert "0 accused" in capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())
    assert len(found["layers"]) == 4
    assert [len(found[what]) for what in ("mistakes", "corruptions", "gradcheck")] == [1, 1, 1]
