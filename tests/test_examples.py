"""Every ```console block of these documents is run, prints what is shown and ends as it says.

A line `$ COMMAND  # exit code N` is a command, the lines up to the next one its output on stdout;
`...` stands for anything, and spaces at the ends of lines do not count.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from compare.run import main
from tests.markdown import blocks

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
BRING = ROOT / "docs" / "bring-your-own.md"
DUMP = ROOT / "docs" / "dump-format.md"
CURVES = ROOT / "docs" / "curves.md"
COMPILER = shutil.which("cc")
PROMPT = "$ "
CODE = re.compile(r"\s+# exit code (\d+)$")


@dataclass(frozen=True)
class Session:
    """One block: commands with what they print and how they end."""

    line: int
    commands: tuple[tuple[str, int, str], ...]


def sessions(document: Path) -> list[Session]:
    """Return the console blocks of a document."""
    found = []
    for block in blocks(document.read_text(encoding="utf-8")):
        if block.info == ("console",):
            parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
            split = (part.partition("\n") for part in parts)
            commands = tuple(
                (CODE.sub("", line), int(code[1]) if (code := CODE.search(line)) else 0, output)
                for line, _, output in split
            )
            found.append(Session(block.line, commands))
    return found


def run(command: str) -> tuple[int, str]:
    """Run one command, ours in this process, because importing torch again takes longest."""
    words = shlex.split(command)
    if words[:3] == ["python", "-m", "compare.run"]:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            code = main(words[3:])
        return code, printed.getvalue()
    words[0] = sys.executable if words[0] == "python" else words[0]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.returncode, done.stdout


def stripped(text: str) -> str:
    """Return the text without spaces at the ends of its lines."""
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the examples in it, as a reader of the document has."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def check(session: Session) -> None:
    """Run a session and hold it against what is shown."""
    checker = doctest.OutputChecker()
    for command, code, shown in session.commands:
        got = run(command)
        assert got[0] == code, f"{command} ends with {got[0]}:\n{got[1]}"
        if shown:
            same = checker.check_output(shown, stripped(got[1]), doctest.ELLIPSIS)
            assert same, f"{command} shows\n{shown}but prints\n{stripped(got[1])}"


@pytest.mark.parametrize("session", sessions(BRING), ids=lambda session: f"line {session.line}")
def test_the_walk_through_prints_what_it_shows(session: Session, checkout: Path) -> None:
    if COMPILER is None and any(command.startswith("cc ") for command, _, _ in session.commands):
        pytest.skip("there is no C compiler called cc")
    check(session)


@pytest.mark.parametrize("document", [DUMP, CURVES], ids=lambda path: path.stem)
def test_what_a_program_of_the_page_writes_is_checked_as_shown(
    document: Path, checkout: Path
) -> None:
    program = [
        block.text
        for block in blocks(document.read_text(encoding="utf-8"))
        if block.info == ("python",)
    ]
    exec("\n".join(program), {})
    (session,) = sessions(document)
    check(session)


@pytest.mark.parametrize(
    ("document", "language", "example"),
    [
        (DUMP, "c", "dump_writer.c"),
        (BRING, "py", "wrapped_class.py"),
        (BRING, "py", "test_my_gradient.py"),
    ],
)
def test_code_that_is_shown_stands_in_the_example(
    document: Path, language: str, example: str
) -> None:
    code = (ROOT / "examples" / example).read_text(encoding="utf-8")
    shown = [b.text for b in blocks(document.read_text(encoding="utf-8")) if b.info == (language,)]
    assert any(text in code for text in shown)


def test_the_c_example_compiles_without_a_warning(checkout: Path) -> None:
    if COMPILER is None:
        pytest.skip("there is no C compiler called cc")
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-o", "a.out"]
    subprocess.run([COMPILER, *flags, "examples/dump_writer.c", "-lm"], check=True)


@pytest.mark.parametrize(
    ("interpreter", "writer"),
    [
        (("node",), "dump_writer.mjs"),
        (("octave", "--quiet"), "dump_writer.m"),
        (("julia",), "dump_writer.jl"),
    ],
)
def test_the_dump_of_another_language_is_right_and_checked(
    interpreter: tuple[str, ...], writer: str, checkout: Path
) -> None:
    if shutil.which(interpreter[0]) is None:
        pytest.skip(f"there is no {interpreter[0]} here to run examples/{writer}")
    subprocess.run([*interpreter, f"examples/{writer}", "theirs"], check=True)
    code, printed = run("python -m compare.run --dump theirs --no-plots")
    assert code == 0
    assert "3 step checks" in printed
    weights = Path("theirs", "step_00001", "dw1.npy")
    wrong = np.load(weights)
    np.save(weights, 2 * wrong)
    assert run("python -m compare.run --dump theirs --no-plots")[0] == 1


def test_an_output_that_differs_is_noticed() -> None:
    session = Session(1, (("python -c print(3)", 0, "2\n"),))
    with pytest.raises(AssertionError, match=r"shows\s+2\s+but prints\s+3"):
        check(session)


def test_an_exit_code_that_differs_is_noticed() -> None:
    session = Session(1, (("python -c raise\\ SystemExit(3)", 0, ""),))
    with pytest.raises(AssertionError, match="ends with 3"):
        check(session)
