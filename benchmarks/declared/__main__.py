"""How far honest code comes from torch, in allowances, for everything that can be declared.

Each network is drawn at random (depth, widths, batch, scale) and written in one of five ways, with
its own formulas, at an ordinary point and at an edge; scale errors are planted at the ordinary one.
Then every mistake of what is declared is planted where it shows. It goes in rounds, a few networks
of everything in each: a FILE holds those that were done, which are not measured again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.declared.measures import ENTRIES, measured
from benchmarks.declared.named import named
from benchmarks.workers import processes
from compare.checks.weak import PROMISED
from compare.mistakes.declared import DECLARED

Found = tuple[float, Counter[str]]
EACH, EACH_MISTAKE = 20, 5
"""Networks of a round."""
MOST = 0.5
"""Of the allowance, for honest code."""
MISTAKES = {mistake.name: mistake for mistake in DECLARED}


class Task(NamedTuple):
    """One round of an entry in a format, or of a mistake; its networks from `first` on."""

    what: str
    dtype: str
    first: int
    networks: int

    def done(self) -> Found:
        """Return the worst ratio and the counts."""
        if self.what in MISTAKES:
            return 0.0, named(MISTAKES[self.what], self.networks, self.first)
        seeds = range(self.first, self.first + self.networks)
        return measured(ENTRIES[self.what], self.dtype, seeds)


def parse(given: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.declared", description=__doc__)
    made.add_argument(
        "networks",
        type=int,
        nargs="?",
        default=250,
        help="per entry and format, two points of each (default: 250)",
    )
    made.add_argument(
        "--mistakes", type=int, default=30, metavar="NETWORKS",
        help="networks per mistake, 0 for none (default: 30)",
    )  # fmt: skip
    made.add_argument(
        "--entries", nargs="+", choices=ENTRIES, default=list(ENTRIES), metavar="ENTRY",
        help=f"some of: {', '.join(ENTRIES)}",
    )  # fmt: skip
    made.add_argument("--jobs", type=int, default=1, help="processes (default: 1)")
    made.add_argument("--json", type=Path, metavar="FILE", help="keep every round in FILE")
    return made.parse_args(given)


def tasks(given: argparse.Namespace) -> Iterator[Task]:
    """Yield the rounds, all entries and then all mistakes."""
    for first in range(0, given.networks, EACH):
        for what in given.entries:
            for dtype in PROMISED:
                yield Task(what, dtype, first, min(EACH, given.networks - first))
    for first in range(0, given.mistakes, EACH_MISTAKE):
        for what in MISTAKES:
            yield Task(what, "", first, min(EACH_MISTAKE, given.mistakes - first))


def kept(file: Path | None) -> dict[Task, Found]:
    """Return what was measured before."""
    if file is None or not file.exists():
        return {}
    lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return {Task(*task): (worst, Counter(counts)) for task, (worst, counts) in lines}


def together(found: dict[Task, Found]) -> dict[tuple[str, str], Found]:
    """Return the rounds of every entry and mistake put together."""
    total: dict[tuple[str, str], Found] = defaultdict(lambda: (0.0, Counter()))
    for task, (worst, counts) in found.items():
        before, so_far = total[task.what, task.dtype]
        total[task.what, task.dtype] = max(before, worst), so_far + counts
    return total


def line(what: str, dtype: str, found: Found) -> str:
    """Return what was measured in words."""
    worst, counts = found
    if what in MISTAKES:
        others = {k: n for k, n in counts.items() if k not in ("named", "planted")}
        return f"{what}: named {counts['named']} of {counts['planted']}" + "".join(
            f"\n    {n} x {text}" for text, n in others.items()
        )
    lost = f", {counts['infinite']} not finite" * (counts["infinite"] > 0)
    return (
        f"{what:32} {dtype} accused {counts['accused']} of {counts['compared']}, worst {worst:.3f}"
        f"{lost}; scale errors of {PROMISED[dtype]:g}: {counts['missed']} missed, "
        f"{counts['seen']} seen, {counts['weak']} weak"
    )


def short(what: str, found: Found) -> bool:
    """Return whether a figure that must be reached is missed."""
    worst, counts = found
    if what in MISTAKES:
        return counts["named"] < counts["planted"] or not counts["planted"]
    return bool(counts["accused"] or counts["missed"] or worst > MOST)


def main(given: Sequence[str] | None = None) -> int:
    """Measure, write, print; 1 if a figure is missed."""
    arguments = parse(given)
    before = kept(arguments.json)
    asked = list(tasks(arguments))
    found = {task: before[task] for task in asked if task in before}
    left = [task for task in asked if task not in before]
    with processes(arguments.jobs) as mapped:
        for task, one in zip(left, mapped(Task.done, left), strict=True):
            found[task] = one
            if arguments.json:
                with arguments.json.open("a", encoding="utf-8") as out:
                    out.write(json.dumps([task, one]) + "\n")
    failed = 0
    for (what, dtype), total in together(found).items():
        failed += short(what, total)
        print(("not reached: " if short(what, total) else "") + line(what, dtype, total))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
