"""The line that moves while both sides train: epoch, both losses, worst × allowance.

It is drawn on a terminal only, a few times a second and from the training loop itself: a thread
of its own would take turns with the arithmetic.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

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
                epochs=f"epoch {now.epoch:{len(str(now.epochs))}}/{now.epochs}",
                losses=f"loss {now.manual_loss:#.4g} | {now.reference_loss:#.4g}",
                worst=f"worst {ratio(now.worst_ratio)} × allowance",
            )
            drawn.refresh()

        yield on_update


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
