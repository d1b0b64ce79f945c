"""A picture that code under test would save while it is called on rows that are not its own.

It would lie in the reader's folder, over one that shows their own training.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from compare.guard.blame import Place


@contextmanager
def no_pictures(who: str, home: Place | None, note: Callable[..., None]) -> Iterator[None]:
    """Let matplotlib save nothing meanwhile, and note what it would have saved."""
    figure: Any = getattr(sys.modules.get("matplotlib.figure"), "Figure", None)
    if figure is None:
        yield
        return
    kept = figure.savefig

    def savefig(self: Any, fname: Any = "", *given: Any, **named: Any) -> None:
        if not isinstance(fname, str | os.PathLike):
            kept(self, fname, *given, **named)  # to memory, which harms nobody
            return
        note(f"{who} saves {str(fname)!r} ({home}); the picture was left out", about=f"{who} saves")

    figure.savefig = savefig
    try:
        yield
    finally:
        figure.savefig = kept
