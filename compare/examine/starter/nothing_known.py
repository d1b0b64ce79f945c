"""What is said of a file that holds nothing which can be checked."""

from __future__ import annotations

from compare.examine.starter.source import Source
from compare.guard.blame import Place

WANTED = "relu, softmax, compute_layer, average_ce or grad_ce"


def nothing_known(source: Source) -> str:
    """Say that a file holds nothing that can be checked, what it holds, and what to do."""
    there = ", ".join(source.definitions) or "no function"
    if source.broken:
        first = source.broken[0]
        return (
            f"{source.path} holds nothing that Python can read: {first.reason} at"
            f" {Place(first.file, first.line).quoted()}; mend it and run the same command again"
        )
    return (
        f"{source.path} defines none of {WANTED}, in any spelling, no gradient function and no"
        f" class with a backward pass; it defines {there}. Give it loss_and_gradients(parameters,"
        f" x, targets) and run: python -m compare.run --manual {source.path.name}"
    )
