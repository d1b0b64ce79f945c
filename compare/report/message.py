"""A Result in one line, and on one screen of plain text: the failure message of tests.

At most 24 lines of 100 columns, the first wrong thing first; everything else is in report.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from compare.contracts.result import ExitCode, Finding, Result
from compare.report import words

LINES, COLUMNS = 24, 100
LABEL = 12
ENDED = (ExitCode.AGREES, ExitCode.DISAGREES, ExitCode.UNDECIDABLE)
"""The exit codes that say no more than the verdict does."""


def one_line(result: Result) -> str:
    """Return what a Result is at a glance: `<Result agrees: 4 points, worst 0.1 × allowance>`."""
    made = [f"{check.made} {words.name_of(check.check)}" for check in result.checks if check.made]
    worst = max((entry.ratio for entry in result.worst.values()), default=None)
    kind = f" ({result.kind})" if result.kind else ""
    parts = [*made, f"worst {words.times_allowance(worst)}" if worst is not None else ""]
    if result.exit_code not in ENDED:
        parts.append(f"exit code {int(result.exit_code)}")
    said = words.listing(parts)
    return f"<Result {result.verdict}{kind}{': ' if said else ''}{said}>"


def one_screen(result: Result) -> str:
    """Return the verdict, the first finding in full, the named mistake and what proved nothing."""
    lines = wrap(words.verdict_line(result), COLUMNS)
    for label, text in facts(result):
        lines += labelled(label, text)
    return "\n".join(clipped(lines))


def facts(result: Result) -> Iterator[tuple[str, str]]:
    """Yield label and text of everything worth a line, most important first."""
    if result.findings:
        yield from finding_facts(result, result.findings[0])
    yield "who", words.who(result)
    yield "referee", words.referee_line(result.referee)
    for diagnosis in result.diagnosis:
        yield "mistake", words.diagnosis_line(diagnosis)
    for finding in words.untold(result):
        yield "finding", words.finding_line(finding)
    yield "kinks", words.kinks_line(result)
    for weak in words.weak_lines(result):
        yield "weak", weak


def finding_facts(result: Result, finding: Finding) -> Iterator[tuple[str, str]]:
    """Yield the place, both values and the error of one finding."""
    place = words.moment(result, finding)
    yield "check", words.listing((words.name_of(finding.check), place))
    yield "stage", f"{finding.stage} ({finding.side} side)"
    yield "parameter", f"{finding.parameter or ''}{words.where(finding.index)}"
    if finding.manual is not None or finding.reference is not None:
        manual, reference = words.values(finding.manual, finding.reference)
        yield "manual", manual
        yield "reference", reference
    yield "error", words.times_allowance(finding.ratio, finding.reference)


def labelled(label: str, text: str) -> list[str]:
    """Return the lines of one fact, indented behind its label; none for an empty text."""
    margin = " " * LABEL
    return wrap(text, COLUMNS, initial_indent=f"  {label:{LABEL - 2}}", subsequent_indent=margin)


def clipped(lines: list[str]) -> list[str]:
    """Return as many lines as fit on a screen, the last saying how many do not."""
    if len(lines) <= LINES:
        return lines
    return [*lines[: LINES - 1], f"  and {len(lines) - LINES + 1} more lines of findings"]
