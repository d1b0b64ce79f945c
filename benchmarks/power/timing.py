"""The time of a whole check on three networks, in reference gradients, on one thread.

A check that compares needs the reference's gradient first, so its time is one reference gradient
plus the rule's own; this project's includes its allowances, which are also timed alone; gradcheck
needs no reference at all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np

import manual_mlp
from benchmarks.power import peers
from benchmarks.power.case import Case
from benchmarks.power.measures import MOST_EVALUATED, MOST_GRADCHECKED, OURS
from benchmarks.power.ours import same_point
from benchmarks.timing import interleave
from compare.allowance.alike import row_identities
from compare.checks.same_point import SamePoint

ALLOWANCES = "this project's allowances alone"
NETWORKS = (((16, 32, 10), 64), ((64, 48, 10), 1437), ((784, 1000, 10), 10_000))
"""Small, the default data's, and the report's: `(F, H, K)` and N."""


def network(sizes: tuple[int, ...], rows: int, dtype: str) -> Case:
    """Return a relu network at its initial weights, with grey values and one-hot targets."""
    generator = np.random.default_rng(0)
    parameters = manual_mlp.initial_parameters(sizes, generator, dtype=np.dtype(dtype))
    x = generator.random((rows, sizes[0])).astype(dtype)
    targets = np.eye(sizes[-1], dtype=dtype)[generator.integers(0, sizes[-1], rows)]
    return Case("timed", parameters, x, targets, "relu", "mean")


def seconds(case: Case, *, rounds: int, turn: float) -> dict[str, float]:
    """Return the median seconds of a reference gradient, and of every rule's whole check."""
    check = same_point(case)
    point = case.parameters, case.x, case.targets
    manual = manual_mlp.loss_and_gradients(
        *point, activation=case.activation, reduction=case.reduction
    )
    _, gradients = check.reference.loss_and_gradients(*point)
    calls: dict[str, Callable[[], object]] = {
        "reference": partial(check.reference.loss_and_gradients, *point),
        OURS: partial(check, *point, *manual, row_identities(case.x)),
        ALLOWANCES: allowances(check, case),
    }
    calls |= {name: partial(rule, manual[1], gradients) for name, rule in peers.RULES.items()}
    if case.entries <= MOST_GRADCHECKED and case.operations <= MOST_EVALUATED:
        calls[peers.GRADCHECK] = partial(peers.gradcheck, case, manual[1])
    timed = interleave(calls, rounds=rounds, turn=turn)
    took = {name: timing.median for name, timing in timed.items()}
    return took | {name: took[name] + took["reference"] for name in peers.RULES}


def allowances(check: SamePoint, case: Case) -> Callable[[], object]:
    """Return what makes the allowances alone, at a point already evaluated."""
    point = case.parameters, case.x, case.targets
    expected = check.expect(*point, row_identities(case.x))
    return partial(expected.allow, expected.point.values, expected.gradients)


def in_reference_gradients(*, quick: bool) -> dict[str, dict[str, float]]:
    """Return the time of every whole check per network and format."""
    found = {}
    chosen = NETWORKS[:2] if quick else NETWORKS
    for (sizes, rows), dtype in product(chosen, ("float64", "float32")):
        took = seconds(network(sizes, rows, dtype), rounds=1 if quick else 3, turn=0.1)
        title = f"{'-'.join(map(str, sizes))}, N = {rows:,}, {dtype}"
        found[title] = {rule: one / took["reference"] for rule, one in took.items()}
    return found
