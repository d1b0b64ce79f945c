"""The words of one mistake, for the terminal and for docs/mistakes.md."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import indent

from compare.mistakes.catalogue import FAMILIES, in_words, titled
from compare.mistakes.mistake import Mistake

HEAD = """# Mistakes

This page is written by `python -m compare.mistakes --markdown` from the catalogue the diagnosis
searches. `python -m compare.mistakes NAME` shows one of them and runs it live.

Each mistake is code written in place of a line (`-`, the right one is `+`). It is named only if
computing with it reproduces the numbers seen to within its own allowance and computing rightly does
not. Letters: N batch, F inputs, H hidden units, K classes, L layers; M is N for the averaged loss
and 1 for the summed one. In the update, `inside` and `outside` are the learning rate and 1 if the
rate stands inside the velocity, 1 and the learning rate if it stands outside. A *convention* is no
error in itself: loss and gradient still belong together, but they are not the ones declared.

The lines are those of the plain programs `compare/textbook/plain.py` and `plain_step.py`, in which
the tests plant each mistake; lines about batches, curves and initial weights stand for code of your
own.
"""


def changes(mistake: Mistake) -> Iterator[str]:
    """Yield the lines to change as a diff: what is written, what should be."""
    for line, slip in mistake.changes(mistake.example):
        yield indent(unindented(slip), "- ", lambda _: True)
        yield indent(unindented(line), "+ ", lambda _: True)


def unindented(code: str) -> str:
    """Return code whose later lines stand as far left as the first."""
    first, *others = code.split("\n")
    depth = min((len(line) - len(line.lstrip()) for line in others), default=0)
    return "\n".join([first, *(line[depth:] for line in others)])


def seen(mistake: Mistake) -> str:
    """Return how common the mistake is, if that is known."""
    return (
        f"Seen, with its variants, in {mistake.seen} of 70 hand-written networks. "
        if mistake.seen
        else ""
    )


def convention(mistake: Mistake) -> str:
    """Return whether this is a convention, in words."""
    return "A convention. " if mistake.convention else ""


def markdown() -> str:
    """Return docs/mistakes.md."""
    parts = [HEAD]
    for family, mistakes in FAMILIES.items():
        parts.append(f"## {family[0].upper()}{family[1:]}\n")
        parts += [section(mistake) for mistake in mistakes]
    return "\n".join(parts)


def section(mistake: Mistake) -> str:
    """Return one mistake in Markdown."""
    diff = "\n".join(changes(mistake))
    return (
        f"### {mistake.name}\n\n"
        f"*{titled(mistake)}.* {in_words(mistake)}\n\n"
        f"```diff\n{diff}\n```\n\n"
        f"{convention(mistake)}{seen(mistake)}"
        f"Shows in: {', '.join(mistake.observable)}. When: {mistake.trigger}.\n"
    )
