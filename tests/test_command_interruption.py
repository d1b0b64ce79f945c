"""Ctrl-C: noted first, met between two updates; the second does not wait, writing is never cut."""

import os
import signal

import pytest

from compare.interruption import Interruption


def press() -> None:
    """Send this process what Ctrl-C sends."""
    os.kill(os.getpid(), signal.SIGINT)


def test_the_first_is_noted_and_met_later() -> None:
    with Interruption() as interruption:
        press()
        assert interruption.requested
        with pytest.raises(KeyboardInterrupt):
            interruption.meet()


def test_nothing_is_met_when_nothing_was_pressed() -> None:
    with Interruption() as interruption:
        interruption.meet()
        assert not interruption.requested


def test_the_second_does_not_wait() -> None:
    with Interruption():
        press()
        with pytest.raises(KeyboardInterrupt):
            press()


def test_none_of_many_disturbs_what_is_held() -> None:
    with Interruption() as interruption:
        with interruption.held():
            press()
            press()
            press()
        assert interruption.requested


def test_the_first_is_raised_where_work_may_be_lost() -> None:
    with Interruption() as interruption, interruption.at_once():
        with pytest.raises(KeyboardInterrupt):
            press()
    assert interruption.requested


def test_the_handler_of_before_comes_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruption():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
