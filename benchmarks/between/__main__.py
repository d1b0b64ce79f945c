"""How far honest code comes from torch, and which planted mistakes are named.

python -m benchmarks.between [networks per network kind] [networks per mistake]
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from benchmarks.between import planted
from benchmarks.between.ways import WAYS, network
from compare import check
from compare.contracts.experiment import Experiment
from compare.examine.sides import build_reference
from compare.judge.point import PointJudge
from compare.mistakes.dropout import DROPOUT
from compare.mistakes.mistake import Mistake
from compare.mistakes.normalisation import NORMALISATION
from compare.points.probe import draw_probes

KINDS = (("layer", 0.0), ("batch", 0.0), ("none", 0.4), ("layer", 0.3), ("batch", 0.3))
DTYPES = ("float64", "float32")


def drawn(rng: Any) -> tuple[int, ...]:
    """Widths of a network."""
    hidden = (int(rng.integers(3, 40)) for _ in range(rng.integers(1, 4)))
    return (int(rng.integers(3, 40)), *hidden, int(rng.integers(2, 8)))


def honest(kind: str, rate: float, dtype: str, networks: int) -> tuple[int, int, float]:
    """Return comparisons, how many were accused, and the worst ratio."""
    made = accused = 0
    worst = 0.0
    for seed in range(networks):
        rng = np.random.default_rng(seed)
        sizes, act = drawn(rng), ("relu", "tanh", "sigmoid")[seed % 3]
        asked = Experiment(
            hidden=sizes[1:-1], activation=act, normalisation=kind, dropout=rate, dtype=dtype
        )
        judge = PointJudge(experiment=asked, reference=build_reference(asked, sizes), mode="check")
        probes = draw_probes(sizes, activation=act, dtype=dtype, seed=seed, between=asked.between)
        for way in WAYS:
            for probe in probes:
                at = probe.parameters, probe.x, probe.targets
                loss, gradients = network(way, kind, rate, act)(*at, probe.context)
                found = judge.same_point(*at, loss, gradients, context=probe.context)
                made, accused = made + 1, accused + (not found.agrees)
                worst = max(worst, found.worst_ratio)
    return made, accused, worst


def networks_with(mistake: Mistake) -> tuple[str, ...]:
    """Return the normalisations with which the mistake can be made."""
    if mistake in DROPOUT:
        return ("none", "layer", "batch")
    running = mistake.name in (
        "normalisation-running-in-training", "normalisation-batch-in-evaluation"
    )  # fmt: skip
    return ("batch",) if running else ("layer", "batch")


def named(networks: int) -> tuple[int, list[str]]:
    """Return how many mistakes were planted, and which were not named first."""
    count, failed = 0, []
    for mistake in (*DROPOUT, *NORMALISATION):
        for seed in range(networks):
            rng = np.random.default_rng(seed)
            of = networks_with(mistake)
            kind, sizes = of[seed % len(of)], drawn(rng)
            rate = float(rng.choice([0.2, 0.3, 0.4])) if mistake in DROPOUT else 0.0
            for dtype in DTYPES:
                found = check(
                    planted.network(kind, rate, mistake.name), hidden=sizes[1:-1],
                    inputs=sizes[0], classes=sizes[-1], activation="tanh", normalisation=kind,
                    dropout=rate, dtype=dtype, seed=seed,
                ).diagnosis  # fmt: skip
                count += 1
                if not found or found[0].mistake != mistake.name:
                    said = found[0].mistake if found else "nothing"
                    failed.append(f"{mistake.name} {kind} {dtype} seed {seed}: {said}")
    return count, failed


def main() -> None:
    """Print both tables."""
    networks, each = (int(word) for word in (*sys.argv[1:], "30", "30")[:2])
    for kind, rate in KINDS:
        for dtype in DTYPES:
            made, accused, worst = honest(kind, rate, dtype, networks)
            print(f"{kind:6} dropout {rate} {dtype}: {made} honest, {accused} accused, {worst:.2f}")
    count, failed = named(each)
    print(f"{count - len(failed)} of {count} planted mistakes named")
    print("\n".join(failed))


if __name__ == "__main__":
    main()
