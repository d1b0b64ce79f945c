"""The documents do what they say: code runs, output is what is shown, commands and links exist.

The ```python blocks of a document are one program, run in order in an empty folder. Where a
```text output block follows, it is what the block before it prints; `...` stands for anything, as
in doctest.
"""

import contextlib
import doctest
import importlib.util
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.markdown import anchors, blocks, commands, examples, links

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
"""Not the pages of the mistakes, which are written by a program and have tests of their own."""
OURS = {path.name for path in ROOT.iterdir() if (path / "__init__.py").is_file()}
REFUSED_BY_GITHUB = ("operatorname", "mbox", "phantom", "newcommand", "def", "require", "href")
every_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)
LONGEST = ROOT / "docs" / "verdict.md"
"""Its program trains, and looks for what nobody can name."""
every_program = pytest.mark.parametrize(
    "document",
    [
        pytest.param(
            path, id=str(path.relative_to(ROOT)), marks=[pytest.mark.slow] * (path == LONGEST)
        )
        for path in DOCUMENTS
    ],
)


def wrong_output(document: Path) -> Iterator[str]:
    """Run the program of a document and yield where it prints something else than it shows."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    checker = doctest.OutputChecker()
    for example in examples(document.read_text(encoding="utf-8")):
        lead = "\n" * (example.line - 1)  # so that a traceback names the line of the document
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(lead + example.code, str(document), "exec"), namespace)
        shown, got = example.output, printed.getvalue()
        if shown is not None and not checker.check_output(shown, got, doctest.ELLIPSIS):
            yield f"{document.name}:{example.line} shows\n{shown}but prints\n{got}"


def wrong_commands(document: Path) -> Iterator[str]:
    """Yield every `python -m` whose module or option does not exist."""
    for words in commands(document.read_text(encoding="utf-8")):
        called = re.fullmatch(r"(?:.*/)?python3?", words[0]) and words[1:2] == ["-m"]
        if not called or len(words) < 3:
            continue
        module = words[2]
        if not exists(module):
            yield f"{document.name}: no module {module} in `{' '.join(words)}`"
        elif module.partition(".")[0] in OURS:
            for option in (word.partition("=")[0] for word in words[3:] if word[:1] == "-"):
                if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", usage(module)):
                    yield f"{document.name}: {module} has no option {option}"


def exists(module: str) -> bool:
    """Whether `python -m module` would find something to run."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@cache
def usage(module: str) -> str:
    """What `python -m module --help` prints."""
    return subprocess.run(
        [sys.executable, "-m", module, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def broken_links(document: Path) -> Iterator[str]:
    """Yield every link inside the repository whose file or heading is not there."""
    for link in links(document.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists():
            yield f"{document.name}: {link} leads to no file"
        elif anchor and anchor not in anchors(target):
            yield f"{document.name}: {link} leads to no heading"


@pytest.fixture
def note(tmp_path: Path) -> Path:
    return tmp_path / "note.md"


@every_program
def test_python_blocks_run_and_print_what_is_shown(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not list(wrong_output(document))


@every_document
def test_commands_name_modules_and_options_that_exist(document: Path) -> None:
    assert not list(wrong_commands(document))


@every_document
def test_links_and_images_lead_somewhere(document: Path) -> None:
    assert not list(broken_links(document))


@every_document
def test_formulas_use_no_macro_that_github_refuses(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    formulas = "".join(block.text for block in blocks(text) if block.info == ("math",))
    assert not [macro for macro in REFUSED_BY_GITHUB if re.search(rf"\\{macro}\b", formulas)]


def test_the_blocks_of_a_document_are_one_program(note: Path) -> None:
    note.write_text(
        "```python\na = 1\n```\n\n```python\nprint(a + 1)\n```\n\n```text output\n2\n```\n"
    )
    assert not list(wrong_output(note))


def test_an_output_that_is_no_longer_printed_is_shown_with_its_line(note: Path) -> None:
    note.write_text("# A\n\n```python\nprint(3)\n```\n\n```text output\n2\n```\n")
    assert list(wrong_output(note)) == ["note.md:4 shows\n2\nbut prints\n3\n"]


def test_three_dots_stand_for_anything(note: Path) -> None:
    note.write_text("```python\nprint('took 17 ms')\n```\n\n```text output\ntook ... ms\n```\n")
    assert not list(wrong_output(note))


def test_an_error_in_a_block_names_the_line_of_the_document(note: Path) -> None:
    note.write_text("# A\n\n```python\na = 1\na / 0\n```\n")
    with pytest.raises(ZeroDivisionError) as raised:
        list(wrong_output(note))
    assert raised.traceback[-1].lineno == 5 - 1  # pytest counts from 0


def test_an_output_without_a_program_is_refused(note: Path) -> None:
    note.write_text("```text output\n2\n```\n")
    with pytest.raises(ValueError, match="line 2: output that no python block precedes"):
        list(wrong_output(note))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "```sh\npython -m compare.walk\n```",
            "no module compare.walk in `python -m compare.walk`",
        ),
        (
            "```sh\ncd a && python3 -m nowhere.run\n```",
            "no module nowhere.run in `python3 -m nowhere.run`",
        ),
        (
            "```console\n$ .venv/bin/python -m compare.run --sead 1\n```",
            "compare.run has no option --sead",
        ),
        (
            "```sh\npython -m compare.run \\\n  --epochs=3 --plot pdf\n```",
            "compare.run has no option --plot",
        ),
        ("see `python -m compare.run --sead 1`", "compare.run has no option --sead"),
    ],
)
def test_a_command_that_does_not_exist_is_named(note: Path, text: str, complaint: str) -> None:
    note.write_text(f"{text}\n")
    assert list(wrong_commands(note)) == [f"note.md: {complaint}"]


def test_commands_that_exist_pass(note: Path) -> None:
    note.write_text(
        "```sh\npython -m compare.run --epochs 3 --seed=1 # 3\npython -m pip install -e .\n```\n"
    )
    assert not list(wrong_commands(note))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[a](gone.md)", "gone.md leads to no file"),
        ("![a](gone.png 'title')", "gone.png leads to no file"),
        ('<img alt="a" src="gone.png">', "gone.png leads to no file"),
        ("[![a](gone.png)](note.md)", "gone.png leads to no file"),
        ("[a](#c)", "#c leads to no heading"),
        ("[a](note.md#c)", "note.md#c leads to no heading"),
    ],
)
def test_a_link_that_leads_nowhere_is_named(note: Path, text: str, complaint: str) -> None:
    note.write_text(f"# A `b`\n\n{text}\n")
    assert list(broken_links(note)) == [f"note.md: {complaint}"]


@pytest.mark.parametrize(
    "text",
    [
        "[a](note.md)",
        "[a](#4-why-p---y)",
        "[a](#twice-1)",
        "[a](https://a.org/b)",
        "`[a](b)`",
        "```\n[a](b)\n```",
    ],
)
def test_links_that_lead_somewhere_pass(note: Path, text: str) -> None:
    note.write_text(f"# 4. Why `p - y`?\n\n## Twice\n\n## Twice\n\n{text}\n")
    assert not list(broken_links(note))
