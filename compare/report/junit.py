"""JUnit XML for build servers: one test case per check and compared tensor, and the verdict.

A disagreement is a failure; what could not be decided, an interrupted run and a judge that failed
its control are errors; a check that was never made is skipped. So nothing looks green that did not
agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from compare.contracts.records import PARAMETER
from compare.contracts.result import CheckSummary, Finding, Result, Verdict
from compare.report import words
from compare.report.report_json import encode, plain, write_atomically

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even escaped."""
STEP = re.compile(rf"([vmsra]_)?{PARAMETER}|running_(mean|var)\d+|t")
"""The tensors of the step check; every other one is compared at the same point."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test case; `outcome` is the XML element of anything but success."""

    check: str
    name: str
    outcome: str = ""
    message: str = ""
    text: str = ""


def write(result: Result, path: Path) -> Path:
    """Write the result as JUnit XML and return the path."""
    write_atomically(path, render(result))
    return path


def write_failure(sentence: str, path: Path) -> Path:
    """Write that nothing was judged, and why, as one test case in error; return the path."""
    write_atomically(path, document([Case("verdict", "verdict", "error", sentence)]))
    return path


def render(result: Result) -> str:
    """Return the result as JUnit XML."""
    cases = [*tensor_cases(result), *finding_cases(result), *check_cases(result)]
    return document([*cases, verdict_case(result)], result)


def document(cases: list[Case], result: Result | None = None) -> str:
    """Return test cases, a suite for each check, as JUnit XML; the settings are the verdict's."""
    root = ElementTree.Element("testsuites", {"name": "compare"} | counts(cases))
    for check in dict.fromkeys(case.check for case in cases):
        suite = [case for case in cases if case.check == check]
        element = ElementTree.SubElement(root, "testsuite", {"name": check} | counts(suite))
        if check == "verdict" and result is not None:
            add_properties(element, result)
        for case in suite:
            add_case(element, case)
    ElementTree.indent(root)
    return f"<?xml version='1.0' encoding='UTF-8'?>\n{ElementTree.tostring(root, 'unicode')}\n"


def tensor_cases(result: Result) -> Iterator[Case]:
    """Yield one case per compared tensor; its worst entry decides."""
    for name, worst in result.worst.items():
        check = "step" if STEP.fullmatch(name) else "same_point"
        check = "curves" if result.settings.get("mode") == "curves" else check
        if worst.ratio <= 1:
            yield Case(check, name)
            continue
        message = f"{name}{words.where(worst.index)} is {words.times_allowance(worst.ratio)} away"
        values = f"manual {worst.manual!r}, reference {worst.reference!r}"
        yield Case(check, name, "failure", message, values)


def finding_cases(result: Result) -> Iterator[Case]:
    """Yield one case per finding: the first of its kind, with its place."""
    for finding in result.findings:
        text = f"manual {finding.manual!r}, reference {finding.reference!r}"
        yield Case(finding.check, found_in(result, finding), "failure", finding.message, text)


def found_in(result: Result, finding: Finding) -> str:
    """Return the name of a finding's case: side, tensor and stage, and where it was found."""
    place = words.moment(result, finding)
    parts = (f"{finding.side} {finding.parameter or ''}".strip(), f"stage {finding.stage}", place)
    return words.listing(("first finding", *parts))


def check_cases(result: Result) -> Iterator[Case]:
    """Yield one case per kind of check."""
    for check in result.checks:
        yield Case(check.check, f"all {check.made} of them", outcome_of(check), check.sentence)


def outcome_of(check: CheckSummary) -> str:
    """Return the element of a check's outcome, empty for success."""
    if not check.made:
        return "skipped"
    return {Verdict.DISAGREES: "failure", Verdict.UNDECIDABLE: "error"}.get(check.verdict, "")


def verdict_case(result: Result) -> Case:
    """Return the case of the run as a whole, which succeeds where the exit code is 0."""
    outcome = "failure" if result.verdict is Verdict.DISAGREES else "error"
    if result.control_failed or result.interrupted:
        outcome = "error"
    if result.exit_code == 0:
        outcome = ""
    lines = [
        *map(words.diagnosis_line, result.diagnosis),
        words.kinks_line(result),
        *words.weak_lines(result),
        *result.notes,
    ]
    text = "\n".join(filter(None, lines))
    return Case("verdict", "verdict", outcome, words.verdict_line(result), text)


def counts(cases: list[Case]) -> dict[str, str]:
    """Return the totals that JUnit wants as attributes."""
    outcomes = [case.outcome for case in cases]
    return {
        "tests": str(len(cases)),
        "failures": str(outcomes.count("failure")),
        "errors": str(outcomes.count("error")),
        "skipped": str(outcomes.count("skipped")),
    }


def add_properties(suite: ElementTree.Element, result: Result) -> None:
    """Add the settings, so that the file says what was run."""
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in result.settings.items():
        said = {"name": legal(name), "value": legal(encode(plain(value)))}
        ElementTree.SubElement(properties, "property", said)


def add_case(suite: ElementTree.Element, case: Case) -> None:
    """Add one test case; what a successful one has to say goes to its output."""
    names = {"classname": legal(f"compare.{case.check}"), "name": legal(case.name)}
    element = ElementTree.SubElement(suite, "testcase", names)
    if case.outcome:
        said = {"message": legal(case.message), "type": case.outcome}
        ElementTree.SubElement(element, case.outcome, said).text = legal(case.text) or None
    elif case.message:
        text = "\n".join(filter(None, (case.message, case.text)))
        ElementTree.SubElement(element, "system-out").text = legal(text)


def legal(text: str) -> str:
    """Return `text` with every character that XML cannot hold written as its code: `\\x1b`."""
    return FORBIDDEN.sub(lambda found: found.group().encode("unicode_escape").decode(), text)
