"""Ctrl-C as a request: noted at once, met where nothing can be lost by it.

SIGTERM and SIGHUP, with which build servers and closed terminals stop a job, do not wait for the
next update: whoever sends them kills soon after. They leave the same report.

A KeyboardInterrupt may strike between any two bytecodes, also where a result has just been
computed and not yet been stored. So the command only notes the signal and looks at it after every
update, when the books are in order. Importing, printing and writing are never cut in two.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

HEARD = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Interruption:
    """Notes signals in `requested` while its `with` block lasts; `meet()` raises it."""

    def __init__(self) -> None:
        self.requested = False
        self._presses_left: int | None = None

    def __enter__(self) -> Interruption:
        self._previous = {number: signal.signal(number, self._note) for number in HEARD}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self.requested = True
        if self._presses_left is not None:
            self._presses_left -= 1
            if self._presses_left == 0 or signum != signal.SIGINT:
                self._stop()

    def meet(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed since the `with` block began."""
        if self.requested:
            self._stop()

    def _stop(self) -> None:
        self._presses_left = None  # what was stopped concludes undisturbed
        raise KeyboardInterrupt

    @contextmanager
    def raised_at(self, press: int) -> Iterator[None]:
        """Raise KeyboardInterrupt on the spot at the `press`-th Ctrl-C within this block.

        1 is for work that nobody misses half done; 2 for work that looks at `meet()` itself, so
        that whoever does not want to wait presses again.
        """
        self._presses_left = press
        try:
            yield
        finally:
            self._presses_left = None
