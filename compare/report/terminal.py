"""What the command prints when it is done: one table, one line per fact, the verdict last.

One screen high and 80 columns wide, unless everything is asked for (`verbose`). `rich` colours
only on a terminal, and nowhere when NO_COLOR is set.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from compare.contracts.measured import Worst
from compare.contracts.result import Result, Verdict
from compare.contracts.visible import visible
from compare.report import words

if TYPE_CHECKING:
    from compare.report.baseline import BaselineReport

ROWS = 20
"""A table of more tensors than this shows the worst ones only."""

COLUMNS_OF_TEXT = 80
WIDE = 100
"""So many columns have room for every digit of two values."""
NARROW = 66
"""Columns of a terminal below which the table keeps the names and leaves out the values."""
ENDLESS = 100_000
FACTS = 3
"""So many findings, and as many weak points, are listed; the others are only counted."""

COLUMNS: dict[str, Literal["left", "right"]] = {
    "worst of": "left",
    "error": "right",
    "× allowance": "right",
    "at": "left",
    "manual": "right",
    "reference": "right",
}

STYLES = {
    Verdict.AGREES: "bold green",
    Verdict.DISAGREES: "bold red",
    Verdict.UNDECIDABLE: "bold yellow",
}


class Terminal(Console):
    """A console that prints text as it stands, and for which no reader changes the exit code.

    A reader like `head` closes the pipe early; rich would then exit with 1, which means
    *disagrees* here.
    """

    def __init__(self, file: TextIO | None = None, *, width: int | None = None) -> None:
        super().__init__(
            file=file,
            width=width,
            highlight=False,
            markup=False,
            emoji=False,
            force_jupyter=False,  # in a notebook rich would show what belongs into the text
        )

    def render_str(self, text: str, **options: Any) -> Text:
        """Render text of ours or of others; a terminal must not obey what others wrote."""
        return super().render_str(visible(text), **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich does; into a file or a pipe without the spaces that fill its columns."""
        if self.is_terminal:
            super().print(*objects, **options)
            return
        with self.capture() as filled:
            super().print(*objects, **options)
        lines = [line.rstrip(" ") for line in filled.get().split("\n")]
        super().print(Text("\n".join(lines), end=""), soft_wrap=True, end="")

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def show(result: Result, console: Console, *, verbose: bool = False) -> None:
    """Print settings, table, facts and verdict of `result`."""
    console.print(shown_text(words.settings_line(result.settings), "dim"))
    shown = dict(result.worst) if verbose else tensors(result.worst)
    if shown:
        console.print()
        console.print(table(shown, len(shown) if verbose else ROWS, console.width))
        console.print()
    console.print(facts(result, None if verbose else FACTS))
    console.print(verdict(result))


def terminal_text(result: Result) -> str:
    """Return what `show` prints, as plain text of 80 columns."""
    text = io.StringIO()
    show(result, Terminal(text, width=COLUMNS_OF_TEXT))
    return text.getvalue().removesuffix("\n")


def show_verdict(result: Result, console: Console) -> None:
    """Print the verdict on one line however long, for `grep` and the like, and nothing else."""
    console.print(verdict(result), soft_wrap=True)


def verdict(result: Result) -> Text:
    """Return the verdict in its colour; a judge that does not work is an error."""
    judged = Verdict.DISAGREES if result.control_failed else result.verdict
    return shown_text(words.verdict_line(result), STYLES[judged])


def shown_text(line: str, style: str = "") -> Text:
    """Return a line as text that a terminal only shows, never obeys."""
    return Text(visible(line, ENDLESS), style=style)


def show_baseline(found: BaselineReport, console: Console, *, quiet: bool = False) -> None:
    """Print what moved against the baseline, `quiet` only the line that sums it up."""
    *lines, last = found.lines()
    for line in () if quiet else lines:
        console.print(shown_text(line), soft_wrap=True)
    console.print(shown_text(last, STYLES[found.verdict]), soft_wrap=True)


def show_files(files: Sequence[Path], folder: Path, console: Console) -> None:
    """Print which files were written, and where in the user's words."""
    names = ", ".join(path.name for path in files)
    console.print(shown_text(f"written to {folder}: {names}", "dim"))


def tensors(worst: Mapping[str, Worst]) -> dict[str, Worst]:
    """Return what is a tensor, and no curve or projection."""
    return {name: entry for name, entry in worst.items() if words.is_tensor(name)}


def table(worst: Mapping[str, Worst], rows: int, width: int) -> Table:
    """Return one row per entry of `worst`, for the `rows` worst ones if there are more.

    A narrow one keeps what says which tensor is how wrong.
    """
    titles = list(COLUMNS) if width >= NARROW else ["worst of", "× allowance"]
    shown = list(worst) if len(worst) <= rows else words.by_ratio(worst)[:rows]
    left = len(worst) - len(shown)
    caption = f"and {left} more tensors, none of them worse" if left else None
    grid = Table(box=None, pad_edge=False, caption=caption, caption_justify="left")
    for title, side in COLUMNS.items():
        if title in titles:
            grid.add_column(
                title,
                justify=side,
                no_wrap=title != "worst of",
                overflow="fold",  # a long name goes on below, whole
                header_style="dim",
            )
    for name in shown:
        row = dict(zip(COLUMNS, cells(name, worst[name], width >= WIDE), strict=True))
        kept = [row[title] for title in titles]
        grid.add_row(*kept, style=None if worst[name].ratio <= 1 else "red")
    return grid


def cells(name: str, worst: Worst, wide: bool = False) -> tuple[str, ...]:
    """Return one row of the table; exponents make the two values line up digit by digit.

    A wide one has room for the digits in which wrong values differ; beside others stands the error.
    """
    return (
        name,
        f"{worst.error:.1e}",
        words.ratio(worst.ratio, worst.reference),
        words.where(worst.index),
        *(words.both(worst, "e") if wide else (f"{worst.manual:.7e}", f"{worst.reference:.7e}")),
    )


def facts(result: Result, limit: int | None) -> Table:
    """Return one line per check, finding, mistake, kink, weak point and note."""
    grid = Table.grid(padding=(0, 2))
    for check in result.checks:
        name = Text(words.name_of(check.check), style=STYLES[check.verdict])
        grid.add_row(name, check.sentence)
    add_rows(grid, "entries", filter(None, [words.two_entries(result)]), limit)
    if limit is not None:
        others = {name: entry for name, entry in result.worst.items() if not words.is_tensor(name)}
        add_rows(grid, "others", filter(None, [words.worst_line(others)]), limit)
    referee = filter(None, [words.referee_line(result.referee)])
    kinks = filter(None, [words.kinks_line(result)])
    add_rows(grid, "finding", map(words.finding_line, words.untold(result)), limit)
    add_rows(grid, "referee", referee, limit)
    add_rows(grid, "mistake", map(words.diagnosis_line, result.diagnosis), limit)
    add_rows(grid, "kinks", kinks, limit)
    add_rows(grid, "weak", words.weak_lines(result), limit)
    if result.weak:
        grid.add_row("", f"({words.WEAK})")
    add_rows(grid, "note", result.notes, limit)
    return grid


def add_rows(grid: Table, label: str, lines: Iterable[str], limit: int | None) -> None:
    """Add the first `limit` lines behind their label, and how many there are besides."""
    for line in shortened(list(lines), limit):
        grid.add_row(Text(label, style="bold"), line)


def shortened(lines: list[str], limit: int | None) -> Iterator[str]:
    """Yield all lines, or the first `limit` and a line that counts the others."""
    yield from lines[:limit]
    left = 0 if limit is None else len(lines[limit:])
    if left:
        yield f"and {left} more, all of them in report.json"
