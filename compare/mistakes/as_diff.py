"""A mistake as a diff: the line that makes it, and the line that is right.

For the pages of the catalogue, and for a page that somebody has without the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import indent

from compare.mistakes.mistake import Mistake

READ = "The line with `-` is the mistake, the one with `+` is right."


def as_diff(mistake: Mistake, constant: float | None) -> str:
    """Return the lines of a mistake and the right ones, with its constant filled in."""
    return "\n".join(changes(mistake, constant))


def changes(mistake: Mistake, constant: float | None) -> Iterator[str]:
    """Yield the lines to change: what is written, what should be."""
    for line, slip in mistake.changes(constant):
        yield indent(unindented(slip), "- ", lambda _: True)
        yield indent(unindented(line), "+ ", lambda _: True)


def unindented(code: str) -> str:
    """Return code whose later lines stand as far left as the first."""
    first, *others = code.split("\n")
    depth = min((len(line) - len(line.lstrip()) for line in others), default=0)
    return "\n".join([first, *(line[depth:] for line in others)])
