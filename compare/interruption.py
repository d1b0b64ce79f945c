"""Ctrl-C as a request: noted at once, met where nothing can be lost by it.

A KeyboardInterrupt may strike between any two bytecodes, also where a result has just been
computed and not yet been stored. So the command only notes the signal and looks at it after every
update, when the books are in order.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType


class Interruption:
    """Handles SIGINT while its `with` block lasts.

    The first Ctrl-C is noted in `requested` and raised by the next `meet()`; a second one is
    raised on the spot, for whoever does not want to wait for the end of an update.
    """

    def __init__(self) -> None:
        self.requested = False
        self._patient = True
        self._deaf = False

    def __enter__(self) -> Interruption:
        self._previous = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGINT, self._previous)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        wait = self._deaf or (self._patient and not self.requested)
        self.requested = True
        if not wait:
            raise KeyboardInterrupt

    def meet(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed since the block began."""
        if self.requested:
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """Raise nothing while a file is written, however often Ctrl-C is pressed."""
        self._deaf = True
        try:
            yield
        finally:
            self._deaf = False

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Raise at the first Ctrl-C, where half-done work costs nothing."""
        self._patient = False
        try:
            yield
        finally:
            self._patient = True
