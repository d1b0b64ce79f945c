"""The command: measure, print Markdown, write JSON if asked, fail if a figure is missed."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.layers.catalogue import LAYERS
from benchmarks.layers.gradchecked import Asked, gradchecked, told
from benchmarks.layers.measures import FORMATS, Tally, measured, rows
from benchmarks.layers.modules import Outcome, outcomes
from benchmarks.layers.named import Case, corruptions, mistakes
from benchmarks.layers.norms import layer_norm
from benchmarks.layers.operators import Entry, entries
from benchmarks.layers.structures import attention, attention_reference
from benchmarks.machine import machine
from benchmarks.workers import processes
from compare.contracts.result import Result
from compare.layers.check import check_layer

POINTS, QUICK = 120, 1
WORST = {"float32": 0.5, "float64": 0.6}
WEAK, NAMED = 0.02, 0.85
COVERED, JUDGED = 90, 64
LEAST = {"honest tensors": 20_000, "mistakes": 45, "corruptions": 66}
"""So many are asked of the whole run: a measurement of fewer says less than it seems to."""
SECONDS = {"layer norm 8×64": 0.3, "attention 16×128×64": 3.0}


def parse(given: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.layers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke test of at most 20 seconds")
    parser.add_argument("--seed", type=int, default=0, help="of all points (default: 0)")
    parser.add_argument("--points", type=int, help=f"per layer and format (default: {POINTS})")
    parser.add_argument("--jobs", type=int, help="processes (default: 2, --quick 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measures to FILE")
    return parser.parse_args(given)


def tallied(seed: int, points: int, jobs: int) -> dict[tuple[str, str], Tally]:
    """Measure every layer in both formats."""
    keys = [(layer.name, form) for layer in LAYERS for form in FORMATS]
    with processes(jobs) as mapped:
        found = list(mapped(partial(measured, seed, points), range(len(keys))))
    return dict(zip(keys, found, strict=True))


def times() -> dict[str, float]:
    """Return seconds from call to verdict, for two right layers: the median of five calls."""
    g = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return g.normal(size=shape).astype(np.float32)

    norm = {"x": draw(8, 64), "weight": draw(64), "bias": draw(64)}
    norm_reference: Any = torch.nn.LayerNorm(64)
    heads = {name: draw(16, 128, 64) for name in "qkv"}
    calls: dict[str, Callable[[], Result]] = {
        "layer norm 8×64": lambda: check_layer(layer_norm, norm_reference, norm),
        "attention 16×128×64": lambda: check_layer(attention, attention_reference, heads),
    }
    found = {}
    for name, call in calls.items():
        assert call().verdict == "agrees"
        spent = []
        for _ in range(5):
            began = time.perf_counter()
            call()
            spent.append(time.perf_counter() - began)
        found[name] = float(np.median(spent))
    return found


def failures(
    tallies: Mapping[tuple[str, str], Tally],
    wrong: Sequence[Case],
    spoilt: Sequence[Case],
    modules: Sequence[Outcome],
    operators: Sequence[Entry],
    *,
    whole: bool,
) -> Iterator[str]:
    """Yield every figure that was not reached; shares are only asked of the whole run."""
    for (layer, form), t in tallies.items():
        if t.accused or t.worst > WORST[form]:
            yield f"{layer}, {form}: {t.accused} accused, worst {t.worst:.2f} ({t.worst_at})"
        for kind, count in t.missed.items():
            yield f"{layer}, {form}: {count} errors missed ({kind})"
    weak = sum(t.weak for t in tallies.values())
    tensors = sum(t.planted.get("tensors", 0) for t in tallies.values())
    if whole and weak > WEAK * tensors:
        yield f"{weak} of {tensors} gradients are weak"
    yield from (f"not seen: {c.layer}, {c.what}" for c in (*wrong, *spoilt) if not c.seen)
    yield from (f"named a corruption: {c.layer}, {c.what}: {c.name}" for c in spoilt if c.name)
    named = sum(c.name is not None for c in wrong)
    if whole and named < NAMED * len(wrong):
        yield f"{named} of {len(wrong)} mistakes named"
    yield from (f"accused: {m.name} ({m.worst:.2f})" for m in modules if m.accused)
    if modules and sum(m.failed is None for m in modules) < JUDGED:
        yield f"{sum(m.failed is None for m in modules)} of {len(modules)} modules judged"
    if operators and sum(e.covered for e in operators) < COVERED:
        yield f"{sum(e.covered for e in operators)} of {len(operators)} operators covered"
    yield from (f"crashed: {e.name}" for e in operators if e.crashed)
    tried = {
        "honest tensors": sum(t.tensors for t in tallies.values()),
        "mistakes": len(wrong),
        "corruptions": len(spoilt),
    }
    for what, least in LEAST.items() if whole else ():
        if tried[what] < least:
            yield f"{tried[what]:,} {what}, fewer than {least:,}"


def slow(spent: Mapping[str, float]) -> Iterator[str]:
    """Yield which answers took longer than they may; the machine has a part in that."""
    for what, seconds in spent.items():
        if seconds > SECONDS[what]:
            yield f"{what}: {seconds:.2f} s, more than {SECONDS[what]:g} s"


def show(
    tallies: Mapping[tuple[str, str], Tally], wrong: Sequence[Case], spoilt: Sequence[Case],
    modules: Sequence[Outcome], operators: Sequence[Entry], asked: Sequence[Asked],
    spent: Mapping[str, float],
) -> None:  # fmt: skip
    """Print what was measured."""
    about, whole = machine(1), Tally()
    for tally in tallies.values():
        whole.add(tally)
    print(f"NumPy {about['numpy']}, torch {about['torch']}, {about['processor']}.\n")
    print(*rows(tallies), sep="\n")
    planted = sum(n for kind, n in whole.planted.items() if kind != "tensors")
    print(
        f"\n{whole.tensors:,} honest tensors, {whole.accused} accused, worst {whole.worst:.2f} "
        f"({whole.worst_at}); {whole.weak} of {whole.planted.get('tensors', 0):,} gradients weak; "
        f"{planted:,} errors planted, {sum(whole.missed.values())} missed."
    )
    for rule in sorted({*whole.rejected, *whole.excused}):
        print(
            f"{rule} rejects {whole.rejected.get(rule, 0):,} of the same honest tensors and "
            f"excuses {whole.excused.get(rule, 0):,} of the same errors."
        )
    print("", *told(list(asked)), sep="\n")
    named = sum(case.name is not None for case in wrong)
    print(
        f"\n{len(wrong)} mistakes: {sum(c.seen for c in wrong)} seen, {named} named; "
        f"{len(spoilt)} corruptions: {sum(c.seen for c in spoilt)} seen, "
        f"{sum(c.name is not None for c in spoilt)} named.\n"
    )
    for case in wrong:
        print(f"- {case.layer}, {case.what}: {case.name or 'no name'} ({case.seconds:.1f} s)")
    if modules:
        judged = sum(m.failed is None for m in modules)
        print(f"\n{judged} of {len(modules)} torch modules judged, "
              f"{sum(m.accused for m in modules)} accused.")  # fmt: skip
    if operators:
        print(
            f"{sum(e.covered for e in operators)} of {len(operators)} entries of nn.functional "
            f"have a rule for every operation, {sum(e.crashed for e in operators)} crashed."
        )
    for name, seconds in spent.items():
        print(f"{name}: {seconds:.2f} s from call to verdict")


def main(given: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 if a figure but a time is missed."""
    arguments = parse(given)
    torch.set_num_threads(1)
    quick = arguments.quick
    tallies = tallied(
        arguments.seed, arguments.points or (QUICK if quick else POINTS), arguments.jobs
    )
    wrong = list(mistakes(arguments.seed, every=12 if quick else 1))
    spoilt = list(corruptions(arguments.seed, every=40 if quick else 1))
    modules = [] if quick else list(outcomes())
    operators = [] if quick else list(entries())
    spent = {} if quick else times()
    asked = list(gradchecked(arguments.seed, every=80 if quick else 3))
    show(tallies, wrong, spoilt, modules, operators, asked, spent)
    missed = list(failures(tallies, wrong, spoilt, modules, operators, whole=not quick))
    for failure in missed:
        print(f"not reached: {failure}")
    for answer in slow(spent):
        print(f"slow: {answer}")
    if arguments.json:
        document = {
            "machine": machine(1),
            "layers": {f"{layer}, {form}": asdict(t) for (layer, form), t in tallies.items()},
            "mistakes": [asdict(case) for case in wrong],
            "corruptions": [asdict(case) for case in spoilt],
            "modules": [asdict(m) for m in modules],
            "operators": [asdict(e) for e in operators],
            "gradcheck": [asdict(a) for a in asked],
            "seconds": spent,
        }
        arguments.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
