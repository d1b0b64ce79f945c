"""The command: measure, print a table, write JSON if asked, fail if a figure is missed.

Seconds are told, and told again when they are too many, but fail nothing: on a busy machine
they measure the machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.diagnosis import measures, timing, training
from benchmarks.diagnosis.measures import Score
from benchmarks.workers import Mapped, processes
from compare.mistakes.catalogue import NETWORK

QUICK = {"networks": 1, "every": 9, "pairs": 2, "honest": 6, "corruptions": 2}
FULL = {"networks": 30, "every": 1, "pairs": 300, "honest": 300, "corruptions": 300}
"""`every`: of the mistakes in loss and gradient, the most; the tests plant each of them."""
BLOCK = 20
"""So many answers are measured one after the other; blocks share the processes."""
PAIRS_NAMED = 0.97
SECONDS = 5.0


def parse() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.diagnosis", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one network, for some of the mistakes; no times"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the population (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every score to FILE")
    return parser.parse_args()


def measured(arguments: argparse.Namespace, mapped: Mapped) -> Iterator[tuple[str, list[Score]]]:
    """Yield the groups of the table, each as soon as it is measured."""
    count = QUICK if arguments.quick else FULL
    networks, seed = count["networks"], arguments.seed
    each = partial(measures.single, networks, seed)
    yield "loss and gradient", shown(mapped(each, range(0, len(NETWORK), count["every"])))
    yield "update", shown(training.steps(max(2, networks), seed))
    yield "batches and order", shown(training.orders(networks, seed))
    yield "repeated calls", shown(training.calls(networks, seed))
    yield "curves", shown(training.curves(networks, seed))
    yield "initial weights", shown(training.starts(max(2, networks), seed))
    for group, measure, tried in (
        ("two at once", measures.pairs, count["pairs"]),
        ("nothing to name", measures.honest_runs, count["honest"]),
        ("nothing known", measures.corruptions, count["corruptions"]),
    ):
        yield group, shown([in_blocks(measure, tried, seed, mapped)])
    if not arguments.quick:
        yield "time", shown(timing.seconds())


def in_blocks(
    measure: Callable[[int, int, int], Score], count: int, seed: int, mapped: Mapped
) -> Score:
    """Measure `count` answers in blocks of their own draws, and put them together."""
    blocks = -(-count // BLOCK)
    total, *others = mapped(partial(measure, -(-count // blocks), seed), range(blocks))
    for score in others:
        total.extend(score)
    return total


def shown(scores: Iterable[Score]) -> list[Score]:
    """Print each score as it comes and return them all."""
    kept = []
    for score in scores:
        print(line(score), flush=True)
        kept.append(score)
    return kept


def line(score: Score) -> str:
    """Return one line of the table."""
    took = f"{median(score.seconds):6.2f} {max(score.seconds):6.2f}" if score.seconds else ""
    return f"{score.what:44} {score.tried:5} {score.right:5} {score.first:5}  {took}"


def failures(groups: dict[str, list[Score]]) -> Iterator[str]:
    """Yield what falls short of the figures that must be reached."""
    for group, scores in groups.items():
        for score in scores:
            needed = PAIRS_NAMED if group == "two at once" else 1.0
            if score.tried == 0:
                yield f"{score.what} was observable nowhere"
            elif score.right < needed * score.tried:
                yield f"{score.what}: {score.right} of {score.tried}"


def slow(scores: Iterable[Score]) -> Iterator[str]:
    """Yield which answers took longer than they may; the machine has a part in that."""
    for score in scores:
        if max(score.seconds) > SECONDS:
            yield f"{score.what}: {max(score.seconds):.1f} s, more than {SECONDS:g} s"


def as_json(groups: dict[str, list[Score]]) -> dict[str, Any]:
    """Return every score with its misses."""
    return {
        group: [
            {
                "what": score.what,
                "tried": score.tried,
                "right": score.right,
                "first": score.first,
                "seconds": score.seconds,
                "misses": score.misses,
            }
            for score in scores
        ]
        for group, scores in groups.items()
    }


def main() -> int:
    """Measure, print, write; 1 if a figure but a time is missed."""
    arguments = parse()
    print(f"{'':44} tried right first  median    max s")
    with processes(arguments.jobs) as mapped:
        groups = dict(measured(arguments, mapped))
    total = [score for scores in groups.values() for score in scores]
    missed = list(failures(groups))
    for score in total:
        for miss in score.misses:
            print(f"missed {score.what}: {miss}")
    for failure in missed:
        print(f"not reached: {failure}")
    for answer in slow(groups.get("time", [])):
        print(f"slow: {answer}")
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(groups), indent=1) + "\n", encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
