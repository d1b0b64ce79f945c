"""Updates of a dump that records no buffers: checked where the weights show them, else named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import manual_mlp
from compare.contracts.result import ExitCode, Result
from compare.examine.dump.dump import check_dump

Arrays = dict[str, NDArray[Any]]
SIZES, ROWS, RATE, MOMENTUM = (4, 6, 3), 9, 0.05, 0.8
ALL = range(6)


def training(
    form: str = "velocity",
    sign: float = 1.0,
    share: float = 1.0,
    momentum: float = MOMENTUM,
    dtype: str = "float64",
    dampening: float = 0.0,
    first: float = 1.0,
) -> list[Arrays]:
    """Train with momentum; `sign` -1 climbs the gradient, `share` is that of the rate.

    `first`: what the first gradient is weighted with, those after it with 1 - `dampening`; with a
    dampening the velocities are recorded.
    """
    r = np.random.default_rng(3)
    x = r.normal(size=(ROWS, SIZES[0])).astype(dtype)
    targets = np.eye(SIZES[-1], dtype=dtype)[r.integers(SIZES[-1], size=ROWS)]
    w: Arrays = {}
    for layer, (a, b) in enumerate(pairwise(SIZES), start=1):
        w |= {f"w{layer}": r.normal(size=(a, b)), f"b{layer}": r.normal(size=b)}
    w = {name: array.astype(dtype) for name, array in w.items()}
    v, steps = {name: np.zeros_like(array) for name, array in w.items()}, []
    rate = np.dtype(dtype).type(RATE * share)
    inside, outside = (rate, 1) if form == "velocity" else (1, rate)
    for number in ALL:
        loss, dw, *_ = manual_mlp.loss_and_gradients(w, x, targets)
        step = {"loss": np.asarray(loss), "x": x, "targets": targets, **w}
        step |= {f"v_{name}": array for name, array in v.items()} if dampening else {}
        steps.append(step | {f"d{name}": array for name, array in dw.items()})
        into = inside * (1 - dampening if number else first)
        v = {k: np.dtype(dtype).type(momentum) * v[k] + into * dw[k] for k in w}
        w = {k: (w[k] - sign * outside * v[k]).astype(dtype) for k in w}
    return steps


def adam() -> list[Arrays]:
    """Train with Adam, which keeps its buffers to itself."""
    steps = training()[:1]
    m: Arrays = {}
    s: Arrays = {}
    for t in range(1, len(ALL)):
        w, x, targets = steps[-1], steps[-1]["x"], steps[-1]["targets"]
        names = [name[1:] for name in w if name[0] == "d"]
        m = {k: 0.9 * m.get(k, 0) + 0.1 * w[f"d{k}"] for k in names}
        s = {k: 0.999 * s.get(k, 0) + 0.001 * w[f"d{k}"] ** 2 for k in names}
        by = {k: m[k] / (1 - 0.9**t) / (np.sqrt(s[k] / (1 - 0.999**t)) + 1e-8) for k in names}
        after = {k: w[k] - RATE * by[k] for k in names}
        loss, dw, *_ = manual_mlp.loss_and_gradients(after, x, targets)
        step = {"loss": np.asarray(loss), "x": x, "targets": targets, **after}
        steps.append(step | {f"d{name}": array for name, array in dw.items()})
    return steps


def checked(folder: Path, steps: Sequence[Arrays], kept: Sequence[int] = ALL, **run: Any) -> Result:
    """Record these steps of a training and check them; without `run` nothing declares it."""
    folder.mkdir(exist_ok=True)
    for number in kept:
        np.savez(folder / f"step_{number:05d}.npz", allow_pickle=True, **steps[number])
    declared = {"format": 1, "activation": "relu", "reduction": "mean", **run}
    if run:
        (folder / "run.json").write_text(json.dumps(declared))
    return check_dump(folder)


def momentum(form: str = "velocity", **changes: Any) -> dict[str, Any]:
    """Declare the training."""
    return {"learning_rate": RATE, "momentum": MOMENTUM, "form": form, **changes}


def step_line(result: Result) -> str:
    """Return what is said of the step check."""
    (line,) = [check.sentence for check in result.checks if check.check == "step"]
    return line


@pytest.mark.parametrize("form", ["velocity", "buffer"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("kept", "made"), [(ALL, 5), (ALL[2:], 2), ((0, 1, 3, 4, 5), 2)], ids=["all", "late", "gap"]
)
def test_right_updates_without_recorded_velocities_agree(
    tmp_path: Path, form: str, dtype: str, kept: Sequence[int], made: int
) -> None:
    result = checked(tmp_path, training(form, dtype=dtype), kept, **momentum(form))
    assert result.exit_code is ExitCode.AGREES, result.sentence
    assert step_line(result).startswith(f"{made} step checks")
    assert max(one.ratio for one in result.worst.values()) <= 0.5


@pytest.mark.parametrize("form", ["velocity", "buffer"])
@pytest.mark.parametrize(
    ("wrong", "name"),
    [({"sign": -1.0}, "gradient-ascent"), ({"share": 0.5}, "another-learning-rate")],
    ids=["ascent", "half the rate"],
)
def test_wrong_updates_without_recorded_velocities_are_named(
    tmp_path: Path, form: str, wrong: dict[str, Any], name: str
) -> None:
    result = checked(tmp_path, training(form, **wrong), **momentum(form))
    assert result.exit_code is ExitCode.DISAGREES and result.kind == "update"
    assert [one.mistake for one in result.diagnosis] == [name]


@pytest.mark.parametrize(
    "wrong", [{"sign": -1.0}, {"share": 0.5}, {"momentum": 0.7}], ids=["ascent", "rate", "momentum"]
)
def test_the_first_update_of_a_late_record_shows_the_velocity_that_the_others_are_checked_with(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    result = checked(tmp_path, training(**wrong), ALL[3:], **momentum())
    assert result.exit_code is ExitCode.DISAGREES and result.kind == "update"


@pytest.mark.slow
def test_a_resumed_training_says_by_t_that_updates_came_before(tmp_path: Path) -> None:
    steps = [step | {"t": np.asarray(2 + n)} for n, step in enumerate(training()[2:])]
    result = checked(tmp_path / "t", steps, range(4), **momentum())
    assert result.exit_code is ExitCode.AGREES, result.sentence
    without = [{k: array for k, array in step.items() if k != "t"} for step in steps]
    result = checked(tmp_path / "none", without, range(4), **momentum())
    assert result.exit_code is ExitCode.DISAGREES


def test_a_count_of_updates_is_no_velocity(tmp_path: Path) -> None:
    steps = [step | {"t": np.asarray(n)} for n, step in enumerate(training(momentum=0.0))]
    result = checked(tmp_path, steps, **momentum(momentum=0.0))
    assert result.exit_code is ExitCode.AGREES, result.sentence


@pytest.mark.parametrize(("first", "names"), [(1.0, []), (0.7, ["first-step-dampened"])])
def test_a_first_step_that_is_dampened_is_named_beside_its_recorded_velocities(
    tmp_path: Path, first: float, names: list[str]
) -> None:
    steps = training("buffer", dampening=0.3, first=first)
    result = checked(tmp_path, steps, **momentum("buffer", dampening=0.3))
    assert [one.mistake for one in result.diagnosis] == names and bool(result) == (not names)


def test_adam_is_not_carried_over_a_gap(tmp_path: Path) -> None:
    run: dict[str, Any] = {"learning_rate": RATE, "optimiser": "adam"}
    result = checked(tmp_path / "whole", adam(), **run)
    assert result.exit_code is ExitCode.AGREES, result.sentence
    result = checked(tmp_path / "gap", adam(), (0, 1, 2, 4, 5), **run)
    assert result.exit_code is ExitCode.UNDECIDABLE
    assert "1 of 3 updates were not checked: no state of adam is recorded" in result.sentence


UNCHECKED: dict[str, tuple[Sequence[int], dict[str, Any], str]] = {
    "no run.json": (ALL, {}, "no update was checked: there is no run.json"),
    "no rate": (ALL, {"momentum": 0.8}, "no update was checked: run.json does not say learning_r"),
    "no momentum": (ALL, {"learning_rate": 0.05}, "no update was checked: run.json does not say m"),
    "gaps": ((0, 2, 4), momentum(), "no update was checked: no two steps have consecutive"),
    "one late update": (ALL[4:], momentum(), "no update was checked: no velocity is recorded"),
    "adam late": (
        ALL[3:],
        {"learning_rate": 0.05, "optimiser": "adam"},
        "no update was checked: no state of adam is recorded",
    ),
}


@pytest.mark.parametrize(("kept", "run", "words"), UNCHECKED.values(), ids=UNCHECKED)
def test_updates_that_nothing_checks_are_named_and_nothing_is_green(
    tmp_path: Path, kept: Sequence[int], run: dict[str, Any], words: str
) -> None:
    result = checked(tmp_path, training(sign=-1.0), kept, **run)
    assert result.exit_code is ExitCode.UNDECIDABLE
    assert words in result.sentence


@pytest.mark.parametrize("kept", [[3], ALL], ids=["one step", "the same weights"])
def test_without_an_update_there_is_none_to_check(tmp_path: Path, kept: Sequence[int]) -> None:
    result = checked(tmp_path, [training()[0]] * len(ALL), kept)
    assert result.exit_code is ExitCode.AGREES, result.sentence
