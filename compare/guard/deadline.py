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
from types import FrameType
from typing import Any, TypeVar

from compare.guard.blame import Place, places_of_frame

Value = TypeVar("Value")
AGAIN = 0.05
"""Seconds between two signals, for code that swallows the first."""
REACH = 7
"""How many lines after a swallowed signal the next one may strike."""
SLACK = 5.0
"""How many times as long a call may take by the clock where its seconds are of processor time."""


class TimedOut(BaseException):
    """The time is up; `stack` is where the call was. No `except Exception` catches it."""

    def __init__(self, stack: tuple[Place, ...]) -> None:
        super().__init__("time is up")
        self.stack = stack


def within(
    seconds: float | None, call: Callable[[], Value], *, of_processor: bool = False
) -> Value:
    """Return `call()`, or raise `TimedOut` after `seconds`; None waits for ever.

    Seconds `of_processor` pass only while the call computes, up to `SLACK` times as many by the
    clock: what is concluded must not depend on what else a machine has to do. Where there is no
    interval timer, or on another thread, they are seconds of the clock.
    """
    if seconds is None:
        return call()
    if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
        return under_an_alarm(seconds, call, SLACK if of_processor else 1.0)
    return on_a_thread(seconds, call)


def under_an_alarm(seconds: float, call: Callable[[], Value], slack: float) -> Value:
    """Return `call()`; a timer that was running before goes on afterwards."""
    alarm = Alarm(seconds, slack)
    began = time.monotonic()
    trace, handler = sys.gettrace(), signal.signal(signal.SIGALRM, alarm.ring)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        return alarm.enter(call)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if sys.gettrace() is not trace:
            sys.settrace(trace)
        alarm.inside = None  # a frame that is kept keeps everything it saw
        if left:
            left = max(left - (time.monotonic() - began), AGAIN)
            signal.setitimer(signal.ITIMER_REAL, left, interval)


class Alarm:
    """Raises `TimedOut` in the call it entered, and in nothing that clears up after it."""

    def __init__(self, seconds: float, slack: float) -> None:
        self.inside: FrameType | None = None
        self.rings = 0
        self.computed_until = time.thread_time() + seconds
        self.latest = time.monotonic() + slack * seconds

    @property
    def is_up(self) -> bool:
        """Whether the seconds were computed, or the clock says that it is enough."""
        computed = time.thread_time() >= self.computed_until
        return computed or time.monotonic() >= self.latest

    def enter(self, call: Callable[[], Value]) -> Value:
        """Make the call from a frame that `ring` can look for."""
        self.inside = sys._getframe()
        return call()

    def ring(self, _: int, frame: FrameType | None) -> None:
        """Stop the call here; if that was tried before, also a few lines further on.

        `while True: try: ... except: pass` swallows whatever is raised between `try` and `except`.
        Every ring strikes one line later than the last, so that one of them strikes outside.
        """
        stack = list(frames_to(frame))
        if self.inside not in stack or not (self.rings or self.is_up):
            return
        self.rings += 1
        error = TimedOut(tuple(places_of_frame(frame)))
        if self.rings > 1:
            self.trace_lines(stack[: stack.index(self.inside)], self.rings % REACH)
        raise error

    def trace_lines(self, theirs: list[FrameType], lines: int) -> None:
        """Raise `TimedOut` once more when so many lines have been executed."""

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal lines
            lines -= event == "line"
            if lines < 0 and self.inside in list(frames_to(frame)):
                raise TimedOut(tuple(places_of_frame(frame)))
            return trace

        for frame in theirs:
            frame.f_trace, frame.f_trace_lines = trace, True  # whoever followed it had his own way
        sys.settrace(trace)


def frames_to(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame and those that called it."""
    while frame is not None:
        yield frame
        frame = frame.f_back


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
