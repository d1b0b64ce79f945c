"""Seconds of the processor pass while a call computes, not while a machine does something else."""

import time

import pytest

from compare.contracts.errors import UserCodeError
from compare.guard import deadline
from compare.guard.guard import Guard


def wait(seconds: float) -> str:
    """Take time without computing, as a process does that others keep waiting."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.01)
    return "done"


def compute_for_ever() -> None:
    while True:
        pass


def test_a_call_that_is_kept_waiting_is_not_stopped() -> None:
    assert Guard(timeout=0.2, of_processor=True).call(wait, 0.6) == "done"
    with pytest.raises(UserCodeError, match="did not return"):
        Guard(timeout=0.2).call(wait, 0.6)


def test_a_call_that_computes_is_stopped() -> None:
    began = time.process_time()
    with pytest.raises(UserCodeError, match="did not return"):
        Guard(timeout=0.2, of_processor=True).call(compute_for_ever)
    assert time.process_time() - began >= 0.2


def test_a_call_that_waits_for_ever_is_stopped_by_the_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deadline, "SLACK", 2.0)
    with pytest.raises(UserCodeError, match="did not return"):
        Guard(timeout=0.1, of_processor=True).call(wait, 60)
