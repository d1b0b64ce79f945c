"""Hand-ins as tests write them: a text, what is said of it, and its twin with one line wrong."""

from __future__ import annotations

from pathlib import Path

from compare.contracts.result import Result, Verdict
from compare.examine.starter.starter import check_starter
from compare.examine.starter.starter_result import starter_result


def checked(folder: Path, text: str, **declared: object) -> Result:
    """Return what is said of a file with this text, with these settings declared."""
    path = folder / "mine.py"
    path.write_text(text, "utf-8")
    return starter_result(check_starter(path, timeout=20.0, declared=declared))


def of_wrong_twin(folder: Path, text: str, old: str, new: str) -> Result:
    """Return what is said of the text with `new` for `old`, after it agreed without."""
    right = checked(folder, text)
    assert right.verdict is Verdict.AGREES, right.sentence
    assert old in text, old
    wrong = checked(folder, text.replace(old, new))
    assert wrong.verdict is Verdict.DISAGREES, wrong.sentence
    return wrong
