"""After a call that never returned the others of the same check are not waited for as long."""

import pytest

from compare import BadInput, check
from compare.contracts.arrays import Array, Arrays
from compare.contracts.errors import UserCodeError
from compare.guard.guard import Guard
from compare.guard.patience import one_check, seconds_left


def hang() -> None:
    while True:
        pass


def hung(guard: Guard) -> str:
    with pytest.raises(UserCodeError) as caught:
        guard.call(hang)
    return str(caught.value)


def test_the_first_call_has_all_of_the_time_and_the_others_a_tenth_of_what_is_left() -> None:
    with one_check():
        assert seconds_left(60.0) == 60.0
        assert "did not return within 0.1 s;" in hung(Guard(timeout=0.1))
        assert seconds_left(60.0) == 6.0
        hung(Guard(timeout=0.1))
        assert seconds_left(60.0) == 1.0 and seconds_left(0.5) == 0.5
        assert seconds_left(None) is None
    assert seconds_left(60.0) == 60.0


def test_a_check_within_a_check_does_not_begin_anew() -> None:
    with one_check():
        hung(Guard(timeout=0.1))
        with one_check():
            assert seconds_left(60.0) == 6.0


def test_a_later_call_says_both_limits() -> None:
    with one_check():
        hung(Guard(timeout=0.1))
        said = hung(Guard(timeout=2.0))
    assert "did not return within 1 s, nor another call within 2 s; a longer timeout waits" in said


def test_a_function_that_hangs_everywhere_is_said_to() -> None:
    def loss_and_gradients(parameters: Arrays, x: Array, targets: Array) -> tuple[float, Arrays]:
        hang()
        return 0.0, {}

    with pytest.raises((BadInput, UserCodeError), match="did not return"):
        check(loss_and_gradients, timeout=1.0)
