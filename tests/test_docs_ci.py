"""docs/ci.md followed in order by hand: its files, its commands, its workflow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.markdown import blocks, commands

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parent.parent / "docs" / "ci.md").read_text(encoding="utf-8")
FILES = ("mine.py", "test_mine.py", "test_baseline.py")
STARTS = {"manual-mlp": ["-m", "compare"], "python": []}


def steps(text: str) -> list[list[str]]:
    """Return the commands of our own that the shell blocks of a page show, in their order."""
    shells = "".join(f"```sh\n{block.text}```\n" for block in blocks(text) if block.info == ("sh",))
    return [words for words in commands(shells) if words[0] in STARTS]


def in_order(text: str, folder: Path) -> list[int]:
    """Write the files of a page, follow its commands and return their exit codes."""
    shown = [block.text for block in blocks(text) if block.info == ("py",)]
    for name, content in zip(FILES, shown, strict=True):
        (folder / name).write_text(content, encoding="utf-8")
    return [
        subprocess.run(
            [sys.executable, *STARTS[words[0]], *words[1:]], cwd=folder, capture_output=True
        ).returncode
        for words in steps(text)
    ]


def test_the_page_followed_in_order_agrees_everywhere(tmp_path: Path) -> None:
    assert in_order(PAGE, tmp_path) == [0] * len(steps(PAGE))


def test_the_workflow_declares_what_the_commands_of_the_page_declare() -> None:
    (workflow,) = [block.text for block in blocks(PAGE) if block.info == ("yaml",)]
    (line,) = [line for line in workflow.splitlines() if "manual-mlp check" in line]
    command = line.partition("run: ")[2].removesuffix(" --junit gradients.xml").split()
    assert command in steps(PAGE)
    assert [*command[:-2], "--save-baseline", command[-1]] in steps(PAGE)
