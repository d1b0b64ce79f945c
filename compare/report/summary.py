"""A Markdown summary for the page of a GitHub workflow run, appended to $GITHUB_STEP_SUMMARY."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from compare.contracts.errors import BadInput
from compare.contracts.result import Result, Verdict
from compare.report import words

VARIABLE = "GITHUB_STEP_SUMMARY"
MARKS = {Verdict.AGREES: "✅", Verdict.DISAGREES: "❌", Verdict.UNDECIDABLE: "❔"}
LONGEST = 20
"""As many rows and findings are shown; GitHub drops a summary beyond a megabyte."""
SPECIAL = "\\`*_{}[]<>()#+!|~&"


def append(result: Result, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Append the summary to the file the variable names; return its path, None if it is not set."""
    named = environ.get(VARIABLE)
    if not named:
        return None
    path = Path(named)
    try:
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(markdown(result))
    except OSError as problem:
        raise BadInput(f"${VARIABLE}: {path} cannot be written ({problem.strerror}).") from None
    return path


def markdown(result: Result) -> str:
    """Return the summary: verdict, checks, findings, the worst tensors."""
    mark = "⚠️" if result.control_failed or result.interrupted else MARKS[result.verdict]
    lines = [
        f"## {mark} {text(words.verdict_line(result))}",
        text(words.settings_line(result.settings)),
        *items("finding", map(words.finding_line, result.findings)),
        *items("mistake", map(words.diagnosis_line, result.diagnosis)),
        *items("weak", words.weak_lines(result)),
        *items("kinks", filter(None, [words.kinks_line(result)])),
        "\n".join(checks(result)),
        "\n".join(worst(result)),
        *items("entries", filter(None, [words.two_entries(result)])),
    ]
    return "\n\n".join(filter(None, lines)) + "\n\n"


def items(label: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield the first lines as a list, and how many there are besides."""
    every = [f"- **{label}**: {text(line)}" for line in lines]
    left = len(every) - LONGEST
    if every:
        yield "\n".join(every[:LONGEST] + [f"- and {left} more"] * (left > 0))


def checks(result: Result) -> Iterator[str]:
    """Yield the table of the checks."""
    if result.checks:
        yield "| check | verdict | made | worst, × allowance |"
        yield "| --- | --- | ---: | ---: |"
    for check in result.checks:
        name = text(words.name_of(check.check))
        yield f"| {name} | {check.verdict} | {check.made} | {words.ratio(check.worst_ratio)} |"


def worst(result: Result) -> Iterator[str]:
    """Yield the table of the tensors, worst first."""
    if result.worst:
        yield "| tensor | × allowance | at | manual | reference |"
        yield "| --- | ---: | --- | ---: | ---: |"
    for name in words.by_ratio(result.worst)[:LONGEST]:
        one = result.worst[name]
        place = text(words.where(one.index))
        values = f"{one.manual!r} | {one.reference!r}"
        yield f"| {text(name)} | {words.ratio(one.ratio, one.reference)} | {place} | {values} |"


def text(line: str) -> str:
    """Return `line` as plain text in Markdown: no markup of its own, no line of its own."""
    single = " ".join(line.split())
    return "".join(f"\\{c}" if c in SPECIAL else c for c in single if c.isprintable())
