"""Ctrl-C: noted, and met between two updates; where it is raised at once is said beforehand."""

import os
import signal

import pytest

from compare.command.interruption import Interruption


def press() -> None:
    """Send this process what Ctrl-C sends."""
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_interrupt_is_raised_where_the_code_asks_for_it() -> None:
    with Interruption() as interruption:
        press()
        assert interruption.requested
        with pytest.raises(KeyboardInterrupt):
            interruption.meet()


def test_nothing_is_met_when_nothing_was_pressed() -> None:
    with Interruption() as interruption:
        interruption.meet()
        assert not interruption.requested


def test_many_interrupts_do_not_stop_code_that_never_asks() -> None:
    with Interruption() as interruption:
        press()
        press()
        press()
        assert interruption.requested


def test_the_second_does_not_wait_where_the_first_is_met() -> None:
    with Interruption() as interruption, interruption.raised_at(2):
        press()
        with pytest.raises(KeyboardInterrupt):
            press()


def test_what_was_stopped_concludes_undisturbed() -> None:
    with Interruption() as interruption, interruption.raised_at(2):
        press()
        with pytest.raises(KeyboardInterrupt):
            interruption.meet()
        press()
        press()


def test_the_next_is_raised_where_half_done_work_costs_nothing() -> None:
    with Interruption() as interruption:
        press()
        with interruption.raised_at(1), pytest.raises(KeyboardInterrupt):
            press()
        press()


def test_the_handler_of_before_comes_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruption():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
