"""Cut a file into its top-level blocks by looking at lines only, so that a broken one stays alone.

Python's own parser gives up on the whole file at the first error. A line in the first column
begins a new block unless it lies in a string or in brackets, or continues the last one; a `def`
there begins one even in brackets, because somebody forgot to close them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from compare.examine.starter.cells import Cell

TOKEN = re.compile(
    r"""#.*|\"{3}|'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[\[({]|[\])}]""",
)
FIRM = re.compile(r"(def|class|async\s+def|import|from|@|if\s+__name__)\b|@")
GOES_ON = re.compile(r"(else|elif|except|finally)\b|[\])}]")


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive lines that belong together; `line` is the number of the first."""

    file: str
    line: int
    text: str


@dataclass(slots=True)
class Scan:
    """Where in brackets and strings the scan stands at the end of a line.

    `trusting`: believe that a triple-quoted string goes on until it is closed. Only in a file
    where they all are closed.
    """

    trusting: bool
    depth: int = 0
    quote: str = ""
    joined: bool = False
    decorated: bool = False

    def begins_block(self, line: str) -> bool:
        """True if this line begins a block, seen from the end of the line before."""
        if not line or line[0].isspace() or line[0] == "#":
            return False
        firm = FIRM.match(line) is not None
        if self.quote:
            return firm and not self.trusting
        if self.joined or self.decorated or GOES_ON.match(line):
            return False
        return firm or self.depth == 0

    def read(self, line: str) -> None:
        """Move to the end of the line."""
        position = 0
        while position < len(line):
            if self.quote:
                position = self.leave_string(line, position)
            else:
                position = self.next_token(line, position)
        self.joined = not self.quote and line.endswith("\\")

    def leave_string(self, line: str, position: int) -> int:
        """Return where the open string ends, or the end of the line."""
        end = re.compile(rf"(?:\\.|(?!{self.quote}).)*").match(line, position)
        assert end is not None
        if line.startswith(self.quote, end.end()):
            self.quote = ""
            return end.end() + 3
        return len(line)

    def next_token(self, line: str, position: int) -> int:
        """Return where the next bracket, string or comment ends."""
        found = TOKEN.search(line, position)
        if found is None:
            return len(line)
        token = found[0]
        if token in ('"""', "'''"):
            self.quote = token
        elif token in "[({":
            self.depth += 1
        elif token in "])}":
            self.depth = max(0, self.depth - 1)
        return found.end()


def starts_of(lines: Sequence[str], *, trusting: bool) -> tuple[list[int], bool]:
    """Return the indices of the lines that begin a block, and whether a string stays open."""
    scan, starts = Scan(trusting), []
    for index, line in enumerate(lines):
        if scan.begins_block(line):
            starts.append(index)
            scan.depth, scan.quote = 0, ""
        scan.read(line)
        if line and not line[0].isspace() and line[0] != "#":
            scan.decorated = line[0] == "@" and not scan.quote
    return starts, bool(scan.quote)


def blocks_of(cell: Cell) -> list[Block]:
    """Cut a cell into blocks; lines before the first one are comments, or broken."""
    starts, open_string = starts_of(cell.lines, trusting=True)
    if open_string:
        starts, _ = starts_of(cell.lines, trusting=False)
    return cut(cell.file, 1, cell.lines, starts)


def pieces_of(block: Block) -> list[Block]:
    """Cut a block that cannot be read once more, wherever a line begins in the first column."""
    lines = block.text.splitlines()
    own = [i for i, line in enumerate(lines) if line[:1].strip(" \t#") and not GOES_ON.match(line)]
    starts = [i for i in own if i == 0 or not lines[i - 1].startswith("@")]
    return cut(block.file, block.line, lines, starts)


def cut(file: str, first: int, lines: Sequence[str], starts: Sequence[int]) -> list[Block]:
    """Return the blocks that begin at these indices; `first` is the number of the first line."""
    return [
        Block(file, first + start, "\n".join(lines[start:end]).rstrip() + "\n")
        for start, end in pairwise([*starts, len(lines)])
    ]
