"""The stated population: random points, drawn so that everything a judge could stumble over occurs.

`ordinary` ones: depth 1-5, widths 4-512, batches 1-2,048, all activations, mean (4 in 5) and sum,
one-hot and soft targets, with and without biases. `narrow`: layers of 1 to 3 units. `training`:
along honest runs to convergence. `scales`: inputs and weights from 1e-6 to 1e6. `alike`: samples or
units that repeat. `hard`: batches of 1, zeros, denormals, saturation, weights of rank one. Twenty
`families` beside them, each of another kind. Both formats alternate, and every draw depends on its
seed and number alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.power.alike import alike
from benchmarks.power.case import Case, Setting, Sketch, as_case
from benchmarks.power.families import FAMILIES
from benchmarks.power.hard import hard
from benchmarks.power.networks import Generator, narrow, ordinary
from benchmarks.power.scales import scales
from benchmarks.power.training import along_a_run

ACTIVATIONS = ("relu", "tanh", "sigmoid", "identity")
KINDS: dict[str, tuple[Callable[[Generator, Setting], Sketch], float]] = {
    "training": (along_a_run, 0.08),
    "ordinary": (lambda generator, _: ordinary(generator), 0.59),
    "narrow": (lambda generator, _: narrow(generator), 0.02),
    "scales": (scales, 0.04),
    "alike": (lambda generator, _: alike(generator), 0.05),
    "hard": (hard, 0.02),
    **{name: (family, 0.2 / len(FAMILIES)) for name, family in FAMILIES.items()},
}
"""How each kind is drawn, and how often."""


def draw(seed: int, number: int) -> Case:
    """Draw case `number` of the population that `seed` stands for; formats alternate."""
    generator = np.random.default_rng((seed, number))
    dtype = np.dtype((np.float64, np.float32)[number % 2])
    kind = str(generator.choice(list(KINDS), p=[share for _, share in KINDS.values()]))
    activation = str(generator.choice(ACTIVATIONS))
    setting = Setting(activation, "sum" if generator.random() < 0.2 else "mean", dtype)
    with np.errstate(all="ignore"):  # a scale of 1e12 need not fit
        return as_case(kind, KINDS[kind][0](generator, setting), setting)
