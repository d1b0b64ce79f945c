"""Schedules, clipping and early stopping of a training, on both sides; and slips in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from compare import Experiment
from compare.command.parser import parser
from compare.contracts.errors import BadInput
from compare.contracts.records import Record
from compare.contracts.result import ExitCode, Result
from compare.examine.sides import our_manual
from manual_mlp.schedules import clipped_by_norm, cosine, stops
from tests.faults import SMALL, side_by_side

pytestmark = pytest.mark.rounding
FORMATS = ("float64", "float32")
SCHEDULES = ("step:2:0.5", "cosine", "cosine:0.1", "warm_up:3", "warm_up:4:0.5")
OPTIMISERS: dict[str, dict[str, Any]] = {
    "velocity": {},
    "buffer": {"momentum_form": "buffer", "weight_decay": 0.1},
    "negative velocity": {"momentum_form": "negative_velocity", "nesterov": True},
    "adam": {"optimiser": "adam", "learning_rate": 0.01},
}


def trained(**settings: Any) -> Result:
    return side_by_side(replace(SMALL, **settings))


@pytest.mark.parametrize(
    ("schedule", "name", "dtype"),
    [
        (schedule, name, FORMATS[(i + j) % 2])
        for i, schedule in enumerate(SCHEDULES)
        for j, name in enumerate(OPTIMISERS)
    ],
)
def test_a_schedule_is_followed_by_both_sides(schedule: str, name: str, dtype: str) -> None:
    result = trained(schedule=schedule, dtype=dtype, **OPTIMISERS[name])
    assert result.exit_code == ExitCode.AGREES, result
    assert result.worst["learning rate"].ratio <= 0.5
    assert max(worst.ratio for worst in result.worst.values()) <= 0.5


def test_another_schedule_than_the_declared_one_is_found_where_the_rates_part() -> None:
    asked = replace(SMALL, schedule="step:2:0.5")
    result = side_by_side(asked, torch_trains=replace(asked, schedule="step:2:0.6"))
    first = result.findings[0]
    assert (result.kind, first.stage, first.update) == ("update", "learning rate", 2)


def test_a_step_that_ignores_the_schedule_is_found() -> None:
    asked = replace(SMALL, schedule="step:2:0.5")
    ours = our_manual(asked)

    def constant(w: Any, g: Any, state: Any, *, learning_rate: float, momentum: float) -> Any:
        return ours.step(w, g, state, learning_rate=SMALL.learning_rate, momentum=momentum)

    result = side_by_side(asked, manual=replace(ours, step=constant))
    assert (result.kind, result.findings[0].update) == ("update", 2)


def clipping_each_alone(asked: Experiment) -> Any:
    free = our_manual(replace(asked, clip_norm=None, weight_decay=1e-30)).step

    def step(w: Any, g: Any, state: Any, **rates: float) -> Any:
        alone = {k: clipped_by_norm({k: a}, asked.clip_norm or 1.0)[k] for k, a in g.items()}
        return free(w, alone, state, **rates)

    return step


@pytest.mark.slow
def test_clipping_every_tensor_by_itself_is_no_clipping_of_all_together() -> None:
    asked = replace(SMALL, clip_norm=0.1)
    result = side_by_side(asked, manual=replace(our_manual(asked), step=clipping_each_alone(asked)))
    assert (result.kind, result.findings[0].check) == ("update", "step")


@pytest.mark.parametrize("clip", [{"clip_norm": 1e9}, {"clip_value": 1e9}])
def test_clipping_that_is_never_reached_changes_nothing(clip: dict[str, float]) -> None:
    result = trained(**clip)
    assert result.exit_code == ExitCode.AGREES
    free = trained()
    for one, other in zip(result.epochs, free.epochs, strict=True):
        assert one.manual.train_loss == pytest.approx(other.manual.train_loss, rel=1e-12)


EARLY: dict[str, Any] = {"learning_rate": 1.0, "epochs": 40}


@pytest.mark.parametrize("batch_size", [None, 6])
@pytest.mark.parametrize("patience", [0, 2])
def test_early_stopping_ends_both_sides_at_the_same_epoch(
    patience: int, batch_size: int | None
) -> None:
    result = trained(patience=patience, batch_size=batch_size, **EARLY)
    assert result.exit_code == ExitCode.AGREES, result
    losses = [row.manual.validation_loss for row in result.epochs]
    assert len(losses) < 41
    assert len(losses) - 1 - int(np.argmin(losses)) == patience + 1
    assert any(f"stopped early at epoch {len(losses) - 1}" in note for note in result.notes)


@pytest.mark.parametrize(("manual", "reference", "side"), [(2, 1, "reference"), (1, 2, "manual")])
def test_a_side_that_ends_without_a_reason_in_its_losses_is_accused(
    manual: int, reference: int, side: str
) -> None:
    asked = replace(SMALL, patience=2, **EARLY)
    records = partial(cut_off, patience=manual)
    torch = replace(asked, patience=reference)
    result = side_by_side(asked, manual_side=records, torch_trains=torch)
    assert [(one.stage, one.side) for one in result.findings] == [("batch order", side)]
    assert "no validation loss says so" in result.sentence


def cut_off(records: Iterator[Record], patience: int) -> Iterator[Record]:
    losses: list[float] = []
    for record in records:
        assert record.evaluation is not None
        losses.append(record.evaluation.validation_loss)
        yield record
        if stops(losses, patience):
            return


def nudged(records: Iterator[Record], at: int, factor: float) -> Iterator[Record]:
    for record in records:
        seen = record.evaluation
        assert seen is not None
        if record.epoch == at:
            changed = replace(seen, validation_loss=seen.validation_loss * factor)  # type: ignore[type-var]  # a dataclass
            record = replace(record, evaluation=changed)  # type: ignore[type-var]  # a dataclass
        yield record


def test_losses_that_only_rounding_tells_apart_end_the_sides_apart_and_nobody_is_accused() -> None:
    """The weights do not move, so all losses are equal, but for one that is rounded up."""
    asked = replace(SMALL, patience=2, epochs=6, learning_rate=1e-300)
    records = partial(nudged, at=1, factor=1 - 2**-52)
    result = side_by_side(asked, manual_side=records)
    assert result.findings == (), result
    assert any("What came later was not compared" in note for note in result.notes)


@pytest.mark.parametrize(
    "words", ["step", "step:0:0.5", "step:2", "cosine:1", "warm_up:0", "warm_up:2:0", "linear:3"]
)
def test_a_schedule_that_is_none_is_refused(words: str) -> None:
    with pytest.raises(BadInput, match="schedule: must be step:EVERY:FACTOR"):
        Experiment(schedule=words)


def test_two_ways_of_clipping_are_refused() -> None:
    with pytest.raises(BadInput, match="give one of the two"):
        Experiment(clip_norm=1.0, clip_value=1.0)


def test_the_help_says_when_the_cosine_reaches_0_and_when_a_training_stops() -> None:
    said = " ".join(parser().format_help().split())
    updates = 8
    assert cosine(updates - 1, updates) > 0.01 and abs(cosine(updates, updates)) < 1e-15
    assert "it would reach one update after the last" in said
    assert not stops([1.0, 2.0], patience=1) and stops([1.0, 2.0, 3.0], patience=1)
    assert "after more than N epochs without a new smallest validation loss" in said
