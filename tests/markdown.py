"""What the documents consist of: fenced blocks, commands, links and headings, with line numbers.

Only what GitHub's Markdown needs and these documents use. A block of output is marked by its
fence, ```text output, and belongs to the ```python block before it.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

FENCE = re.compile(
    r"^(?P<fence>`{3,}|~{3,})(?P<info>[^`\n]*)\n(?P<text>.*?)^(?P=fence)[ ]*$", re.M | re.S
)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(\s*<?([^()\s>]+)>?(?:\s[^()]*)?\)")
SOURCE = re.compile(r"""<(?:img|source|a)\b[^>]*?\b(?:src|srcset|href)=["']([^"']+)["']""")
HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?$", re.M)
SHELLS = ("sh", "bash", "shell", "console")
ENDS_A_COMMAND = {"&&", "||", ";", "|", "&", ">", ">>", "<", "(", ")"}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the line its text begins at, the words after its fence, its text."""

    line: int
    info: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Example:
    """A Python block and the output that the document shows for it, if it shows any."""

    line: int
    code: str
    output: str | None


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a document in order."""
    return [
        Block(text.count("\n", 0, m.start("text")) + 1, tuple(m["info"].split()), m["text"])
        for m in FENCE.finditer(text)
    ]


def examples(text: str) -> list[Example]:
    """Return the Python blocks, each with the output block that follows it."""
    found: list[Example] = []
    for block in blocks(text):
        if block.info[:1] == ("python",):
            found.append(Example(block.line, block.text, None))
        elif block.info == ("text", "output"):
            if not found or found[-1].output is not None:
                raise ValueError(f"line {block.line}: output that no python block precedes")
            found[-1] = replace(found[-1], output=block.text)
    return found


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of every command in a shell block or between single backquotes."""
    for block in blocks(text):
        if block.info and block.info[0] in SHELLS:
            lines = block.text.replace("\\\n", " ").splitlines()
            prompted = [line[2:] for line in lines if line.startswith("$ ")]
            for line in prompted if block.info[0] == "console" else lines:
                yield from split(line)
    for code in INLINE.findall(FENCE.sub("", text)):
        if re.search(r"\bpython3? -m ", code):
            yield from split(code)


def split(line: str) -> Iterator[list[str]]:
    """Yield the words of each simple command of a shell line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    command: list[str] = []
    for word in [*lexer, ";"]:
        if word not in ENDS_A_COMMAND:
            command.append(word)
        elif command:
            yield command
            command = []


def links(text: str) -> list[str]:
    """Return the targets of links and images outside code."""
    prose = INLINE.sub("", FENCE.sub("", text))
    return [*LINK.findall(prose), *SOURCE.findall(prose)]


def anchors(path: Path) -> set[str]:
    """Return the anchors GitHub gives the headings of a document."""
    seen: dict[str, int] = {}
    found = set()
    for title in HEADING.findall(FENCE.sub("", path.read_text(encoding="utf-8"))):
        words = re.sub(r"[`*]|\]\([^)]*\)|!?\[", "", title.strip().lower())
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        count = seen[slug] = seen.get(slug, -1) + 1
        found.add(f"{slug}-{count}" if count else slug)
    return found
