"""A call that may never return: stopped from within where the system can, left behind where not.

On the main thread of a system with interval timers the call runs right here and the timer's
signal raises `TimedOut` in it, at the line it has reached. One long call into compiled code is
interrupted when it returns. Anywhere else (another thread, Windows) the call runs on a thread of
its own, which is abandoned when the time is up: it cannot be stopped, only no longer waited for.
"""

from __future__ import annotations

import contextvars
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from compare.bring.blame import Place, places_of_frame

Value = TypeVar("Value")
AGAIN = 0.05
"""Seconds between two signals: code that swallows the first one meets the next."""


class TimedOut(BaseException):
    """The time is up; `stack` is where the call was. No `except Exception` catches it."""

    def __init__(self, stack: tuple[Place, ...]) -> None:
        super().__init__("time is up")
        self.stack = stack


def within(seconds: float | None, call: Callable[[], Value]) -> Value:
    """Return `call()`, or raise `TimedOut` after `seconds`; None waits for ever."""
    if seconds is None:
        return call()
    if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
        with alarm(seconds):
            return call()
    return on_a_thread(seconds, call)


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise `TimedOut` inside the block; a timer that was running before goes on afterwards."""
    armed = True

    def ring(_: int, frame: FrameType | None) -> None:
        if armed:
            raise TimedOut(tuple(places_of_frame(frame)))

    began = time.monotonic()
    handler = signal.signal(signal.SIGALRM, ring)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            left = max(left - (time.monotonic() - began), AGAIN)
            signal.setitimer(signal.ITIMER_REAL, left, interval)


def on_a_thread(seconds: float, call: Callable[[], Value]) -> Value:
    """Run the call on a daemon thread, in our context, and wait so long for its outcome."""
    values: list[Value] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            values.append(call())
        except BaseException as error:
            errors.append(error)

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(work,), daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if values:
        return values[0]
    frame = sys._current_frames().get(thread.ident or 0)
    raise TimedOut(tuple(places_of_frame(frame)))
