"""What moments are called: only a training has epochs, whatever records and JSON number them by."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import manual_mlp
from compare import Result, check
from compare.contracts.between import Between
from compare.contracts.moments import ORDINALS, moment
from compare.judge.naming import Named
from compare.points.edges import edge_probes
from compare.points.probe import SOFT, draw_probes
from compare.report import junit, message, page, report_json, summary, terminal
from compare.report.terminal import Terminal

Array = NDArray[Any]
Arrays = dict[str, Array]


@pytest.fixture(autouse=True)
def undiagnosed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the search for a mistake, which takes longest where there is none to find."""
    monkeypatch.setattr("compare.judge.conclusion.name_mistake", lambda *_: Named())


def wrong_at_the_second_point(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
    """Our gradient, of a wrong size where a logit is large."""
    loss, gradients = manual_mlp.loss_and_gradients(parameters, x, targets)
    confident = np.abs(manual_mlp.forward(parameters, x)["logits"]).max() > 9
    return loss, {
        name: gradient * (1.5 if confident else 1) for name, gradient in gradients.items()
    }


def wrong_step(parameters: Arrays, gradients: Arrays, state: Arrays, **options: float) -> Any:
    """Our step with another learning rate."""
    rate = 2 * options.pop("learning_rate")
    step = manual_mlp.OPTIMISERS["velocity"]
    return step(parameters, gradients, state, learning_rate=rate, momentum=options["momentum"])


def one_hot_only(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
    """Our gradient where the targets are one-hot, with the slope 1 of relu exactly at 0."""
    if not np.isin(targets, (0, 1)).all():
        raise ValueError("one-hot rows, please")
    values = manual_mlp.forward(parameters, x)
    loss, gradients = manual_mlp.loss_and_gradients(parameters, x, targets)
    dh1 = manual_mlp.grad_ce(targets, values["logits"]) @ parameters["w2"].T
    dz1 = dh1 * (values["z1"] >= 0)
    return loss, {**gradients, "w1": x.T @ dz1, "b1": dz1.sum(axis=0)}


def screen(result: Result) -> str:
    """Return what the command prints."""
    file = StringIO()
    terminal.show(result, Terminal(file, width=80), verbose=True)
    return file.getvalue()


READERS: list[Callable[[Result], str]] = [
    screen,
    message.one_screen,
    junit.render,
    summary.markdown,
    page.render,
]


def test_a_check_names_its_points_by_their_order() -> None:
    result = check(wrong_at_the_second_point)
    assert result.findings[0].message.endswith("at the second point")
    assert (result.findings[0].epoch, result.findings[0].update) == (0, 1)


@pytest.mark.slow
def test_a_check_names_the_updates_of_a_step_by_their_order() -> None:
    result = check(manual_mlp.loss_and_gradients, step=wrong_step)
    assert result.findings[0].message.endswith("at the first update")


def test_points_are_counted_without_those_that_were_left_out() -> None:
    result = check(one_hot_only)
    (kink,) = result.kinks
    assert result.checks[0].made == 8 and kink.update == 2
    assert "1 kink, the first at the third point" in " ".join(screen(result).split())


@pytest.mark.slow
@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@pytest.mark.parametrize("function", [wrong_at_the_second_point, one_hot_only])
def test_no_reader_of_a_check_is_told_of_an_epoch(
    function: Callable[..., Any], read: Callable[[Result], str]
) -> None:
    assert "epoch" not in read(check(function, step=wrong_step))


def test_a_weak_point_of_a_check_is_named_by_its_order() -> None:
    parameters = {"w1": np.eye(3), "b1": np.zeros(3)}
    x, targets = np.arange(12.0).reshape(4, 3), np.eye(3)[[0, 1, 2, 0]]
    function = manual_mlp.loss_and_gradients
    result = check(function, parameters=parameters, x=x, targets=targets)
    assert "weak same point, w1, the first point: " in " ".join(screen(result).split())


def test_report_json_numbers_points_as_before(tmp_path: Path) -> None:
    path = report_json.write_json(check(wrong_at_the_second_point), tmp_path / "report.json")
    assert '"update": 1' in path.read_text(encoding="utf-8")


def test_every_point_that_is_drawn_has_its_ordinal() -> None:
    for between in (Between(), Between("batch", 0.3), Between(dropout=0.3)):
        options: dict[str, Any] = {
            "activation": "relu", "dtype": "float64", "seed": 0, "between": between,
        }  # fmt: skip
        probes = draw_probes((5, 4, 3), **options)
        assert SOFT in [probe.note for probe in probes]
        assert len(probes) + len(edge_probes((5, 4, 3), **options)) <= len(ORDINALS)


@pytest.mark.parametrize(
    ("mode", "check_name", "named"),
    [
        (None, "same_point", "epoch 3, update 21"),
        (None, "step", "epoch 3, update 21"),
        ("dump", "same_point", "step 21"),
        ("dump", "step", "step 21"),
    ],
)
def test_a_training_has_epochs_and_a_dump_has_steps(
    mode: str | None, check_name: str, named: str
) -> None:
    assert moment(mode, check_name, 3, 21) == named


@pytest.mark.parametrize("mode", [None, "check", "dump"])
def test_what_has_no_moment_is_given_none(mode: str | None) -> None:
    assert moment(mode, "step", None, None) == ""
