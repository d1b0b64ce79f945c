"""The sections of `benchmarks.speed`: what is measured, which ratios count, how they print."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from benchmarks import checked, footprint, numpy_contenders, torch_contenders
from benchmarks.machine import machine, warning
from benchmarks.problem import SHAPES, Problem, draw, label
from benchmarks.timing import Timing, Turn, count_by, in_turns, interleave, one_turn
from compare.examine.threads import given_threads, worthwhile_threads

DTYPES = ("float32", "float64")
COMPILED = "torch compiled"
Row = dict[str, Any]


def measure(arguments: argparse.Namespace) -> Row:
    """Measure and print the section that is asked for."""
    quick, section = arguments.quick, arguments.section
    arguments.shapes = SHAPES[:1] + SHAPES[2:4] if quick else SHAPES
    arguments.turn, arguments.epochs = (0.01, 4) if quick else (0.1, 8)
    arguments.rounds = 2 if quick else arguments.rounds
    count_by(arguments.clock)
    torch.set_num_threads(arguments.threads)
    with threadpool_limits(arguments.threads):
        conditions = machine(arguments.threads) | {"clock": arguments.clock}
        print(f"\n== {section}\n{json.dumps(conditions)}", flush=True)
        if (said := warning()) is not None:
            print(said, file=sys.stderr, flush=True)
        found = {"gradients": gradient_rows, "checks": check_rows, "memory": memory}[section](
            arguments
        )
    return {section: {"machine": conditions, "found": found}}


def gradient_rows(arguments: argparse.Namespace) -> list[Row]:
    """The manual gradient and step beside torch's and the floor."""
    rows = table(gradients, arguments)
    print_rows("ratios of medians", rows, "ratios")
    print_rows("ratios of minima", rows, "ratios of minima")
    return rows


def gradients(problem: Problem, arguments: argparse.Namespace) -> Row:
    """One row of that."""
    contenders = {"floor": numpy_contenders.floor(problem)} | numpy_contenders.manual(problem)
    eager = torch_contenders.gradients(problem)
    contenders |= {f"torch {name}": call for name, call in eager.items()}
    contenders["torch step"] = torch_contenders.step(problem)
    if arguments.compile:
        contenders[COMPILED] = torch_contenders.compiled(problem)
    timings = interleave(contenders, rounds=arguments.rounds, turn=arguments.turn)
    return {
        "timings": as_milliseconds(timings),
        "ratios": ratios({name: timing.median for name, timing in timings.items()}),
        "ratios of minima": ratios({name: timing.fastest for name, timing in timings.items()}),
    }


def ratios(seconds: dict[str, float]) -> dict[str, float]:
    """Manual against the floor, and against torch eager in its fastest form."""
    eager = min(value for name, value in seconds.items() if name.endswith("targets"))
    manual = seconds["manual gradient"]
    found = {
        "gradient/torch": manual / eager,
        "gradient/floor": manual / seconds["floor"],
        "floor/torch": seconds["floor"] / eager,
        "step/torch step": seconds["manual step"] / seconds["torch step"],
    }
    if COMPILED in seconds:
        found["gradient/compiled"] = manual / seconds[COMPILED]
    return found


def check_rows(arguments: argparse.Namespace) -> list[Row]:
    """The checked epoch beside what it cannot do without, and single checks beside gradcheck."""
    rows = table(checks, arguments)
    print_rows("ratios of medians", rows, "ratios")
    return rows


def checks(problem: Problem, arguments: argparse.Namespace) -> Row:
    """One row of that, all of it on as many threads as a run of this size takes."""
    threads = worthwhile_threads(len(problem.x), problem.sizes) or arguments.threads
    with given_threads(threads):
        return {"threads": threads} | checked_row(problem, arguments)


def checked_row(problem: Problem, arguments: argparse.Namespace) -> Row:
    """The times, and their ratios; a check of one gradient is told in reference gradients.

    Epochs take turns with what they need: a machine that is slower for a minute slows both.
    """
    turns: dict[str, Turn] = {
        name: partial(one_turn, call, arguments.turn)
        for name, call in checked.necessary(problem).items()
    }
    turns["checked epoch"] = partial(checked.checked_epochs, problem, epochs=12)
    timings = in_turns(turns, rounds=max(1, arguments.rounds // 3))
    single = interleave(checked.single_checks(problem), rounds=2, turn=arguments.turn)
    gradient = timings["reference gradient"].median
    return {
        "timings": as_milliseconds(timings | single),
        "ratios": {"epoch/gradients": timings["checked epoch"].median / needed(timings)}
        | {f"{name}/gradient": timing.median / gradient for name, timing in single.items()},
    }


def needed(timings: dict[str, Timing]) -> float:
    """Seconds of an epoch's gradients and evaluations: the manual side's, twice the reference's."""
    times = {"manual": 1, "reference": 2}
    return sum(
        times[side] * timings[f"{side} {what}"].median
        for side in times
        for what in ("gradient", "validation")
    )


def memory(arguments: argparse.Namespace) -> Row:
    """Peak memory of runs on the report's network in both formats, and two start-up times."""
    rows, sizes = SHAPES[2 if arguments.quick else 4]
    found = {
        "network": label(rows, sizes),
        **{dtype: peaks(rows, sizes, dtype, arguments) for dtype in DTYPES},
        "seconds of --help": footprint.start_up("-m", "compare.run", "--help", repetitions=5),
        "seconds of a usage error": footprint.start_up("-m", "compare.run", "--no", repetitions=5),
    }
    print(json.dumps(found, indent=1))
    return found


def peaks(rows: int, sizes: tuple[int, ...], dtype: str, arguments: argparse.Namespace) -> Row:
    """Peak memory beyond the data of a short run, of one with more epochs, and with more rows.

    Beside them what is accounted for: four copies of the parameters on either side, and 64 MB.
    """
    few = arguments.epochs // 2
    runs = {"short": (rows, few), "3 × epochs": (rows, 3 * few), "4 × rows": (4 * rows, few)}
    return {"accounted": footprint.accounted_memory(sizes, dtype)} | {
        name: footprint.peak_memory(
            count, sizes, dtype, epochs=epochs, threads=arguments.threads
        )
        for name, (count, epochs) in runs.items()
    }  # fmt: skip


def table(
    measure_one: Callable[[Problem, argparse.Namespace], Row], arguments: argparse.Namespace
) -> list[Row]:
    """One row for every shape and dtype."""
    return [
        {"shape": label(count, sizes), "dtype": dtype}
        | measure_one(draw(count, sizes, dtype), arguments)
        for dtype in DTYPES
        for count, sizes in arguments.shapes
    ]


def print_rows(title: str, rows: list[Row], section: str) -> None:
    """One line per shape and dtype, one column per ratio."""
    columns = list(dict.fromkeys(name for row in rows for name in row[section]))
    print(f"\n{title:34}" + "".join(f"{name:>31}" for name in columns))
    for row in rows:
        cells = (format(row[section][n], ".2f") if n in row[section] else "-" for n in columns)
        line = f"{row['shape']:26}{row['dtype']:8}" + "".join(f"{cell:>31}" for cell in cells)
        print(line, flush=True)


def as_milliseconds(timings: dict[str, Timing]) -> dict[str, dict[str, float]]:
    """Timings as plain values, for JSON."""
    return {
        name: {
            key: value if key == "calls" else 1e3 * value for key, value in asdict(timing).items()
        }
        for name, timing in timings.items()
    }
