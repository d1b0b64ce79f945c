"""The words of the mistakes, for the terminal and for the pages in docs/mistakes."""

from __future__ import annotations

from pathlib import Path

from compare.handbook.beside import table
from compare.mistakes.as_diff import READ, as_diff
from compare.mistakes.catalogue import CATALOGUE, FAMILIES, in_words, titled
from compare.mistakes.mistake import Mistake

HEAD = """# Mistakes

This page and those it leads to are written by `python -m compare.mistakes --markdown docs` from the
catalogue the diagnosis searches. `python -m compare.mistakes NAME` shows one of them and runs it
live.

Each mistake is code written in place of a line, shown on its page. It is named only if
computing with it reproduces the numbers seen to within its own allowance and computing rightly does
not. Letters: N batch, F inputs, H hidden units, K classes, L layers; M is N for the averaged loss
and 1 for the summed one. In the update, `inside` and `outside` are the learning rate and 1 if the
rate stands inside the velocity, 1 and the learning rate if it stands outside. A *convention* is no
error in itself: loss and gradient still belong together, but they are not the ones declared.

The lines are those of the plain programs `compare/textbook/plain.py`, `plain_between.py` (with
normalisation and dropout; mistakes of the plain network are looked for there as well),
`plain_step.py` and `plain_optimisers.py`, in which the tests plant each mistake; lines about
batches, curves and initial weights stand for code of your own.
"""


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


def pages() -> dict[str, str]:
    """Return the Markdown files of the catalogue by their path: a list, and a page a mistake."""
    each = {f"mistakes/{mistake.name}.md": page(mistake) for mistake in CATALOGUE}
    return {"mistakes.md": listing(), **each}


def listing() -> str:
    """Return the list: of every family a table with a link to each page."""
    parts = [HEAD]
    for family, mistakes in FAMILIES.items():
        rows = "\n".join(
            f"| [{mistake.name}](mistakes/{mistake.name}.md) | {titled(mistake)} "
            f"| {', '.join(mistake.observable)} |"
            for mistake in mistakes
        )
        parts.append(
            f"## {capitalised(family)}\n\n| name | in short | shows in |\n|---|---|---|\n{rows}\n"
        )
    return "\n".join([*parts, table()])


def page(mistake: Mistake) -> str:
    """Return the page of one mistake."""
    diff = as_diff(mistake, mistake.example)
    family = next(family for family, members in FAMILIES.items() if mistake in members)
    return (
        f"# {titled(mistake)}\n\n"
        f"`{mistake.name}`, of the family [{family}](../mistakes.md#{family.replace(' ', '-')})\n\n"
        f"{in_words(mistake)}\n\n"
        f"```diff\n{diff}\n```\n\n"
        f"{READ}\n\n"
        f"{convention(mistake)}{seen(mistake)}"
        f"Shows in: {', '.join(mistake.observable)}. When: {mistake.trigger}.\n\n"
        f"`python -m compare.mistakes {mistake.name}` plants it in a program, runs it, and shows "
        "what the diagnosis says.\n"
    )


def capitalised(words: str) -> str:
    """Return words that begin a line."""
    return f"{words[0].upper()}{words[1:]}"


def write_pages(docs: Path) -> None:
    """Write the pages into a folder of documents, and take away those of mistakes that are gone."""
    written = pages()
    for old in (docs / "mistakes").glob("*.md"):
        if f"mistakes/{old.name}" not in written:
            old.unlink()
    (docs / "mistakes").mkdir(parents=True, exist_ok=True)
    for path, text in written.items():
        (docs / path).write_text(text, encoding="utf-8")
