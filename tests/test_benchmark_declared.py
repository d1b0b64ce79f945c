"""The honest code of the measurement stays within half its allowance, a slip of it does not."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.declared.__main__ import main, parse
from benchmarks.declared.formulas import WAYS, network
from benchmarks.declared.measures import ENTRIES, ratios, scaled
from benchmarks.declared.named import named
from compare.contracts.experiment import Experiment
from compare.examine.sides import build_reference
from compare.judge.point import PointJudge
from compare.mistakes.declared import DECLARED
from compare.points.probe import draw_probes


@pytest.mark.rounding
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_written_in_every_way_stays_below_half(name: str, dtype: str) -> None:
    found = [one for seed in range(len(WAYS)) for one in ratios(ENTRIES[name], dtype, seed)]
    assert np.nanmax(found) <= 0.5


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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["penalty-sign", "silu-first-term-only"])
def test_a_mistake_of_what_is_declared_is_planted_and_named(name: str) -> None:
    found = named(next(one for one in DECLARED if one.name == name), 4, 0)
    assert found == {"named": 4, "planted": 4}


def test_a_round_that_was_kept_is_not_measured_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["1", "--mistakes", "0", "--entries", "tanh", "--json", str(tmp_path / "kept")]
    assert main(given) == 0
    lines, said = (tmp_path / "kept").read_text(encoding="utf-8"), capsys.readouterr().out
    assert len(lines.splitlines()) == 2 and "accused 0 of 2" in said
    (tmp_path / "kept").write_text(lines.replace("[0.", "[7."), encoding="utf-8")
    assert main(given) == 1
    assert "not reached: tanh" in capsys.readouterr().out


def test_the_command_says_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    assert "--entries" in capsys.readouterr().out
