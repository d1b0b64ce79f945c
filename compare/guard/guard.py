"""One call of somebody else's function, after which we are as we were before.

Whatever goes wrong inside becomes one sentence that begins with the line in their file; whatever
else it does is noted and undone. Ctrl-C still is Ctrl-C.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from compare.contracts.errors import BadInput, Raised, UserCodeError
from compare.guard.blame import (
    Place,
    first_line,
    home_of,
    last_place,
    name_of,
    places_of_traceback,
)
from compare.guard.deadline import TimedOut, within
from compare.guard.effects import Notes, contained
from compare.guard.patience import count_one_that_hung, seconds_left

TIMEOUT = 60.0
"""Seconds one call may take unless the user says otherwise."""
A_FEW_ROWS = 15.0
"""The same where a call has a few dozen rows at most, as in a student's file: milliseconds are
usual, and of thirty hand-ins one that never returns must not take longer than all others."""


class Guard:
    """Calls functions of the user; `notes` gathers what they do besides returning.

    `timeout` is in seconds per call, `of_processor` if that is said; None waits for ever.
    """

    def __init__(
        self, *, timeout: float | None = TIMEOUT, notes: Notes | None = None,
        of_processor: bool = False,
    ) -> None:  # fmt: skip
        self.timeout = timeout
        self.of_processor = of_processor
        self.notes = Notes() if notes is None else notes

    def call(self, function: Callable[..., Any], *args: Any, hint: str = "", **kwargs: Any) -> Any:
        """Return `function(*args, **kwargs)`; raises `UserCodeError` with one sentence.

        `hint` says how it is called, and is added where a key, an index or an attribute was missed,
        or shapes do not fit: a layer their code does not read shows only in the keys there are.
        """
        who, home = name_of(function), home_of(function)
        return self.run(lambda: function(*args, **kwargs), who, home, hint)

    def run(self, call: Callable[[], Any], who: str, home: Place | None, hint: str = "") -> Any:
        """Return `call()`, which is known to the user as `who` and begins at `home`."""
        process, seconds = os.getpid(), seconds_left(self.timeout)
        try:
            with contained(who, home, self.notes):
                return within(seconds, call, of_processor=self.of_processor)
        except (KeyboardInterrupt, BadInput):  # the latter is a sentence already
            raise
        except BaseException as error:
            missed = isinstance(error, LookupError | ValueError | AttributeError)
            if isinstance(error, TimedOut):
                count_one_that_hung()
            waited = limits(self.timeout, seconds)
            raise sentence(error, who, home, hint if missed else "", waited) from error
        finally:
            if os.getpid() != process:  # a copy that their code forked, and did not end
                os._exit(0)


def sentence(
    error: BaseException, who: str, home: Place | None, hint: str, waited: str
) -> UserCodeError:
    """Say what happened, at which line of theirs."""
    if isinstance(error, TimedOut):
        return UserCodeError(f"{who} did not return within {waited}; {interrupted(error, home)}")
    if isinstance(error, SystemExit):
        place = last_place(places_of_traceback(error.__traceback__), home)
        what = f"{who} called sys.exit({error.code!r}); a gradient has to return"
    else:
        place = last_place(places_of_traceback(error.__traceback__), home)
        what = f"{who} raised {first_line(error)}{hint and f'; {hint}'}"
        return Raised(f"{place.quoted()}: {what}" if place else what)
    return UserCodeError(f"{place.quoted()}: {what}" if place else what)


def interrupted(error: TimedOut, home: Place | None) -> str:
    """Say at which line the time was up: where the call happened to be, not what keeps it."""
    place = last_place(iter(error.stack), home)
    return f"a longer timeout waits{f'; it was interrupted at {place.quoted()}' if place else ''}"


def limits(timeout: float | None, seconds: float | None) -> str:
    """Say how long a call was waited for, and how long another that hung before it."""
    said = f"{seconds or 0.0:g} s"
    return said if seconds == timeout else f"{said}, nor another call within {timeout or 0.0:g} s"
