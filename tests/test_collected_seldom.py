"""The collector of cycles comes round less often while a search runs, and as before afterwards."""

import gc
import threading
from collections.abc import Iterator

import pytest

from compare.diagnosis.collected_seldom import SELDOM, collected_seldom


@pytest.fixture(autouse=True)
def threshold() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def test_it_is_put_back_after_searches_within_searches_and_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), collected_seldom():
        with collected_seldom():
            assert gc.get_threshold() == (SELDOM, 10, 10)
        assert gc.get_threshold() == (SELDOM, 10, 10)
        1 / 0  # noqa: B018
    assert gc.get_threshold() == (700, 10, 10)


def test_it_is_put_back_by_the_last_of_two_threads_that_leave_in_the_order_they_came() -> None:
    first, second = threading.Event(), threading.Event()

    def outlasting() -> None:
        with collected_seldom():
            first.set()
            second.wait(5)

    with collected_seldom():
        other = threading.Thread(target=outlasting)
        other.start()
        first.wait(5)
    assert gc.get_threshold()[0] == SELDOM
    second.set()
    other.join()
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("often", [0, 10 * SELDOM])
def test_who_collects_never_or_less_often_is_left_alone(often: int) -> None:
    gc.set_threshold(often, 10, 10)
    with collected_seldom():
        assert gc.get_threshold()[0] == often
    assert gc.get_threshold()[0] == often
