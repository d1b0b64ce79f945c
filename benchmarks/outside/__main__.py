"""Measure on code that nobody here wrote: `python -m benchmarks.outside --cases FOLDER`.

Prints a line for every case and fails where a verdict or too many causes are not right.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.outside.cases import Outcome, found, outcomes
from benchmarks.outside.generated import Group, measured
from benchmarks.workers import processes

QUICK = 60
CAUSES = 0.95
"""The part of the causes that must be right."""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outside", description=__doc__)
    parser.add_argument("--cases", type=Path, metavar="FOLDER", help="where the cases lie")
    parser.add_argument("--handins", type=int, default=3000, help="so many are generated")
    parser.add_argument("--quick", action="store_true", help="generate 60 hand-ins only")
    parser.add_argument("--seed", type=int, default=0, help="of the hand-ins (default: 0)")
    parser.add_argument("--only", default="", metavar="PATTERN", help="only cases named so")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every answer to FILE")
    return parser.parse_args(arguments)


def case_answers(arguments: argparse.Namespace) -> list[Outcome]:
    """Run the cases and print a line for each; none where the folder is missing."""
    folder: Path | None = arguments.cases
    if folder is None or not folder.is_dir():
        print(f"cases: skipped, {folder or 'no --cases FOLDER'} is not there")
        return []
    answers: list[Outcome] = []
    with processes(arguments.jobs) as mapped:
        for some in mapped(outcomes, found(folder.resolve(), arguments.only)):
            for one in some:
                print(one.line, flush=True)
            answers += some
    return answers


def generated_groups(arguments: argparse.Namespace) -> list[Group]:
    """Judge the generated hand-ins and print a line for each group."""
    count = QUICK if arguments.quick else arguments.handins
    if count == 0:
        return []
    with processes(arguments.jobs) as mapped:
        return measured(count, arguments.seed, mapped)


def missed(answers: Sequence[Outcome]) -> list[str]:
    """Return what falls short: a wrong verdict, or more wrong causes than allowed."""
    short = [f"{one.case}: exit {one.code}" for one in answers if not one.verdict]
    asked = [one for one in answers if one.cause is not None]
    right = sum(bool(one.cause) for one in asked)
    if asked:
        print(f"verdicts {len(answers) - len(short)}/{len(answers)}, causes {right}/{len(asked)}")
    if right < CAUSES * len(asked):
        short.append(f"causes: {right} of {len(asked)}")
    return short


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 if a figure is missed."""
    options = parse(arguments)
    answers = case_answers(options)
    groups = generated_groups(options)
    for miss in (miss for group in groups for miss in group.misses):
        print(f"missed: {miss}")
    short = missed(answers) + [f"hand-ins: {one.line}" for one in groups if not one.reached]
    for one in short:
        print(f"not reached: {one}")
    if options.json:
        text = json.dumps([asdict(one) for one in answers], indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
