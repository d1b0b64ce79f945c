"""Seconds from disagreement to diagnosis on the report's network, 784-1000-10."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.diagnosis.measures import Score, names, timed
from benchmarks.diagnosis.networks import Implementation, Network
from compare.diagnosis.prediction import BY_NAME
from compare.handbook.planting import bare, plant

REPORT = Network((784, 1000, 10), "relu", "mean", "float64", 0)
EXAMPLES = (
    "gradient-summed",
    "diagonal-jacobian",
    "mask-missing",
    "epsilon-in-log",
    "l2-in-gradient-only",
    "gradient-summed + mask-missing",
)


def of_one_size(implementation: Implementation) -> Implementation:
    """Return the implementation as one that insists on the report's widths."""

    def fixed(parameters: Any, *data: Any) -> tuple[Any, ...]:
        if parameters["w1"].shape != REPORT.sizes[:2]:
            raise ValueError("this network is 784-1000-10")
        return implementation(parameters, *data)

    return fixed


def seconds() -> Iterator[Score]:
    """Diagnose code that takes any widths, then code that takes the report's only."""
    for what, wrapped in (("any widths", lambda f: f), ("784-1000-10 only", of_one_size)):
        score = Score(f"784-1000-10, code for {what}")
        for example in EXAMPLES:
            faulty = bare(plant(*(BY_NAME[n] for n in example.split(" + "))))
            found, took = timed(wrapped(faulty), REPORT)
            told = names(found)
            score.add(example in told, bool(told) and told[0] == example, took, f"{told}")
        yield score
