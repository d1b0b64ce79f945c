"""What the first three lines of a case say: truth, expected verdict, expected cause and command."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LINES = ("# truth: ", "# expected verdict: ", "# expected cause: ")
CODE = re.compile(r"\((\d)\)|exit (\d)|exits (\d)")
BARE = re.compile(r"\b(?:or|and) (\d)\b")
COMMAND = re.compile(r"--(?:manual|starter) FILE(?::\w+)?(?: --[a-z-]+(?: [\w.,]+)?)*")
CALL = re.compile(r"compare\.check\((?:module\.)?(\w+)(?:, ([^)]*\)?))?\)")


@dataclass(frozen=True)
class Header:
    """The three lines in words, and how the case is run."""

    truth: str
    verdict: str
    cause: str
    run: str

    @property
    def codes(self) -> frozenset[int]:
        """Return the exit codes that the expected verdict names, but those that are never right."""
        clauses = re.split(r"[;.] ", self.verdict)
        stated = "; ".join(clause.partition("never")[0] for clause in clauses)
        found = {int(digit) for match in CODE.findall(stated) for digit in match if digit}
        return frozenset(found | {int(digit) for digit in BARE.findall(stated)})

    @property
    def commands(self) -> tuple[str, ...]:
        """Return the options of every command line that is named."""
        return tuple(dict.fromkeys(match.group() for match in COMMAND.finditer(self.run)))

    @property
    def call(self) -> dict[str, Any] | None:
        """Return the options of the call of `compare.check` that is named, None without one."""
        found = CALL.search(self.run)
        if found is None:
            return None
        options = ast.parse(f"f({found.group(2) or ''})", mode="eval").body
        assert isinstance(options, ast.Call)
        return {one.arg: ast.literal_eval(one.value) for one in options.keywords if one.arg}


def read(path: Path) -> Header | None:
    """Return the header of a file; None for a file without one."""
    lines = path.read_text(encoding="utf-8").splitlines()[: len(LINES)]
    if len(lines) < len(LINES) or not all(map(str.startswith, lines, LINES)):
        return None
    truth, verdict, rest = (line[len(start) :] for line, start in zip(lines, LINES, strict=True))
    cause, _, run = rest.partition("Run: ")
    return Header(truth, verdict, cause.strip().rstrip("."), run)
