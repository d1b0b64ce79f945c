"""Many reports as one table: `index.html` to look at and `results.csv` to compute with.

Each row is read from the report.json of its file, so the table can say nothing else than that.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from compare.contracts.result import Verdict
from compare.report.page import pages
from compare.report.report_json import write_atomically

PAGE = "index.html"
TABLE = "results.csv"
ORDER = (*map(str, Verdict), "not checked")
COLUMNS = (
    "file", "function", "verdict", "kind", "mistake", "sentence", "exit_code", "seconds",
    "taken_for",
)  # fmt: skip
MARKS = {"agrees": "✓", "disagrees": "✗", "undecidable": "?", "not checked": "–"}


@dataclass(frozen=True, slots=True)
class Row:
    """One file: `function` are those at fault, or those compared where none is.

    `taken_for` says what it was checked as. `mistake` has the names to look up, `title` what they
    mean: the page shows both, the table has the title at the head of its sentence.
    """

    file: str
    function: str
    verdict: str
    kind: str
    mistake: str
    sentence: str
    exit_code: int
    seconds: float
    taken_for: str = ""
    title: str = ""
    link: str = ""
    name: str = ""

    @property
    def said(self) -> str:
        """The sentence under the file's short name, without the verdict that stands beside it."""
        sentence = self.sentence.replace(self.file, self.name or self.file)
        return re.sub(rf"^{self.verdict}( \([^)]*\))?: ", "", sentence)

    @staticmethod
    def link_to(folder: str, file: str) -> str:
        """Return the address of a file in the folder of a row."""
        return f"{quote(folder)}/{file}"

    @classmethod
    def read(cls, file: str, name: str, folder: Path, code: int, ended: str, seconds: float) -> Row:
        """Read the row of one file off its report, or say why there is none."""
        try:
            report: dict[str, Any] = json.loads((folder / "report.json").read_text("utf-8"))
        except (OSError, ValueError):
            sentence = ended or last_line(folder / "log.txt")
            return cls(file, "", ORDER[-1], "", "", sentence, code or 2, round(seconds, 2))
        # Once each: three functions that share a softmax share its mistake.
        mistakes = dict.fromkeys(one["mistake"] for one in report["diagnosis"])
        titles = dict.fromkeys(one["title"] for one in report["diagnosis"])
        shown = "report.html" if (folder / "report.html").exists() else "report.json"
        return cls(
            file, ", ".join(functions(report)), report["verdict"], report["kind"] or "",
            ", ".join(mistakes), with_reason(report), code, round(seconds, 2),
            title="; ".join(titles), link=cls.link_to(name, shown),
        )  # fmt: skip


OF_A_LINE = re.compile(r"^[^\s,]+, line \d+: ")


def with_reason(report: dict[str, Any]) -> str:
    """The sentence of a report, and of one that is undecidable why the first check was not made."""
    sentence = str(report["sentence"])
    undecided = (one for one in report.get("checks", []) if one["verdict"] == "undecidable")
    first = next(undecided, None) if report["verdict"] == "undecidable" else None
    if first is None or not first["sentence"]:
        return sentence
    reason = OF_A_LINE.sub("", first["sentence"])
    return sentence if reason in sentence else f"{sentence} ({first['check']}: {reason})"


def write_reason(row: Row, folder: Path) -> None:
    """Write the page of a file that nothing could be said of, with the reason."""
    template = pages().get_template("reason.html.j2")
    write_atomically(folder / "report.html", template.render(row=row, mark=MARKS[row.verdict]))


def functions(report: dict[str, Any]) -> list[str]:
    """The functions that a report is about."""
    settings = report["settings"]
    at_fault = list(dict.fromkeys(one["parameter"] for one in report["findings"]))
    if settings.get("mode") == "starter":
        return at_fault or list(settings.get("functions", []))
    return [str(settings["function"])] if "function" in settings else []


def last_line(log: Path) -> str:
    """What a child said last before it ended."""
    try:
        lines = log.read_text("utf-8").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1].removeprefix("error: ") if lines else "it ended without a word"


def counted(rows: Sequence[Row]) -> str:
    """Return in words how many files came to what: `7 agree, 1 disagrees`."""
    counts = {word: sum(row.verdict == word for row in rows) for word in ORDER}
    said = {word: word.removesuffix("s") if count > 1 else word for word, count in counts.items()}
    return ", ".join(f"{count} {said[word]}" for word, count in counts.items() if count)


def write(rows: Sequence[Row], folder: Path) -> None:
    """Write the page and the table."""
    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(astuple(row)[: len(COLUMNS)] for row in rows)
    write_atomically(folder / TABLE, text.getvalue())
    template = pages().get_template("index.html.j2")
    page = template.render(
        rows=rows, counted=counted(rows), columns=COLUMNS[:-1], marks=MARKS,
        ways=sorted({row.taken_for for row in rows} - {""}),
    )  # fmt: skip
    write_atomically(folder / PAGE, page)
