"""The command: list the catalogue, or show one mistake and run it live."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill

from compare.contracts.errors import BadInput
from compare.handbook.wording import convention, seen, write_pages
from compare.mistakes.as_diff import changes
from compare.mistakes.catalogue import FAMILIES, in_words, named, titled
from compare.mistakes.mistake import Mistake

WIDTH = 96


def parser() -> argparse.ArgumentParser:
    """Return the command's arguments."""
    made = argparse.ArgumentParser(
        prog="python -m compare.mistakes",
        description="The mistakes the diagnosis knows: all names, or one of them run live.",
    )
    made.add_argument("name", nargs="?", help="the mistake to show; without it all are listed")
    made.add_argument(
        "--markdown",
        type=Path,
        metavar="DOCS",
        help="write DOCS/mistakes.md and a page for each mistake in DOCS/mistakes/",
    )
    return made


def listing() -> Iterator[str]:
    """Yield every name with where it shows, by family."""
    for family, mistakes in FAMILIES.items():
        yield f"{family}"
        for mistake in mistakes:
            yield f"  {mistake.name:38} {', '.join(mistake.observable)}"
        yield ""
    yield "python -m compare.mistakes NAME shows one and runs it."


def shown(mistake: Mistake) -> Iterator[str]:
    """Yield one mistake: sentence, equations, the line to change, and a live run."""
    from compare.handbook.live import run

    yield f"{mistake.name}: {titled(mistake)}"
    yield fill(in_words(mistake), WIDTH, initial_indent="  ", subsequent_indent="  ")
    yield ""
    yield from changes(mistake, mistake.example)
    yield ""
    yield f"{convention(mistake)}{seen(mistake)}Shows in: {', '.join(mistake.observable)}."
    yield f"When: {mistake.trigger}."
    yield ""
    yield from run(mistake)


def main(arguments: list[str] | None = None) -> int:
    """Print what was asked for; 2 for a name that does not exist."""
    asked = parser().parse_args(arguments)
    if asked.markdown:
        write_pages(asked.markdown)
        return 0
    try:
        print(*(shown(named(asked.name)) if asked.name else listing()), sep="\n")
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    return 0
