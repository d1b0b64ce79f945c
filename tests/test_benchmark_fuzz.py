"""The attempts to break the product, a few of each, and the tally that must see what breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fuzz import inputs
from benchmarks.fuzz.__main__ import main
from benchmarks.fuzz.kept import Attempt, Clock, Tally, forked


@pytest.mark.parametrize("part", ["dumps", "files"])
def test_a_few_mutated_inputs_break_nothing(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--part", part, "--count", "12", "--seed", "3"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == [part, "12"]


@pytest.mark.parametrize(
    ("attempt", "fault"),
    [
        (Attempt(0, "", True, 0.1), "false greens"),
        (Attempt(2, "Traceback (most recent call last)", True, 0.1), "tracebacks"),
        (Attempt(4, "", True, 0.1), "tracebacks"),
        (Attempt(None, "", True, 11.0), "hangs"),
        (Attempt(77, "", True, 0.1), "strange exit codes"),
        (Attempt(1, "", False, 0.1), "lost reports"),
    ],
)
def test_the_tally_sees_every_kind_of_fault(attempt: Attempt, fault: str) -> None:
    tally = Tally()
    tally.add("it", attempt, wrong=True)
    assert tally.broken[fault] == 1 and tally.examples[0].startswith(fault)


def test_a_right_refusal_is_no_fault() -> None:
    tally = Tally()
    tally.add("it", Attempt(2, "error: no", True, 0.1), wrong=True)
    assert not tally.broken


def test_a_child_that_raises_is_a_traceback_and_one_that_returns_is_not(tmp_path: Path) -> None:
    def raising() -> int:
        raise ValueError("on purpose")

    assert "Traceback: ValueError: on purpose" in forked(raising, tmp_path).error
    assert forked(lambda: 3, tmp_path).code == 3


def test_a_part_whose_time_is_over_stops() -> None:
    assert inputs.dumps(10, 0, Clock(0.0)).attempts == 0
