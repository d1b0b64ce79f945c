"""The line that moves while both sides train: epoch, both losses, worst × allowance.

It is drawn on a terminal and under the cell of a notebook only, a few times a second and from the
training loop itself: a thread of its own would take turns with the arithmetic.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from compare.report.words import ratio

if TYPE_CHECKING:
    from compare.examine.training import Progress

PAUSE = 0.1
"""Seconds between two redraws; the eye reads no more than ten numbers a second."""


@contextmanager
def progress_line(console: Console) -> Iterator[Callable[[Progress], None]]:
    """Yield what to call after every update; the line is gone when the block ends."""
    if not console.is_terminal:
        yield lambda _: None
        return
    with bar(console) as drawn:
        task = drawn.add_task("", epochs="preparing", losses="", worst="")
        last = -PAUSE

        def on_update(now: Progress) -> None:
            nonlocal last
            if time.monotonic() - last < PAUSE and now.update < now.updates:
                return
            last = time.monotonic()
            drawn.update(
                task,
                completed=now.update,
                total=now.updates,
                epochs=epoch_of(now),
                losses=losses_of(now),
                worst=f"{ratio(now.worst_ratio)} × allowance",
            )
            drawn.refresh()

        yield on_update


def epoch_of(now: Progress) -> str:
    """Return how far the run is: `epoch  4/100`."""
    return f"epoch {now.epoch:{len(str(now.epochs))}}/{now.epochs}"


def losses_of(now: Progress) -> str:
    """Return both losses and whose they are."""
    return f"manual {now.manual_loss:#.4g} | reference {now.reference_loss:#.4g}"


@contextmanager
def notebook_line() -> Iterator[Callable[[Progress], None] | None]:
    """Yield what to call after every update of a run in a notebook, None anywhere else.

    The line stands under the cell, and is empty when the block ends.
    """
    display = notebook_display()
    if display is None:
        yield None
        return
    handle = display({"text/plain": "preparing"}, raw=True, display_id=True)
    last = -PAUSE

    def on_update(now: Progress) -> None:
        nonlocal last
        if time.monotonic() - last < PAUSE:
            return
        last = time.monotonic()
        said = f"{epoch_of(now)}  loss {losses_of(now)}  {ratio(now.worst_ratio)} × allowance"
        handle.update({"text/plain": said}, raw=True)

    try:
        yield on_update
    finally:
        handle.update({"text/plain": ""}, raw=True)


def notebook_display() -> Any:
    """Return IPython's `display` in the kernel of a notebook, None elsewhere; imports nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return sys.modules["IPython.display"].display


def bar(console: Console) -> Bar:
    """Return the line's layout, which fits 80 columns."""
    return Bar(
        TextColumn("{task.fields[epochs]}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[losses]}"),
        TextColumn("{task.fields[worst]}"),
        TimeRemainingColumn(compact=True),
        console=console,
        auto_refresh=False,
        transient=True,
        expand=True,
    )
