"""Every mistake of what is declared, planted in networks where it shows: how often it is named.

The wrong numbers are those of the textbook pass with the mistake's stages in it, which the search
shares. What is measured is that no other explanation stands in front, whatever is declared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from compare.contracts.between import NOTHING, PLAIN, Between
from compare.contracts.errors import BadInput
from compare.contracts.objective import LOSS_NAMES, OUTPUT_NAMES, Objective
from compare.diagnosis.asking import observations
from compare.diagnosis.candidates import possible
from compare.diagnosis.gradients import diagnosed, probes
from compare.diagnosis.match import Case
from compare.mistakes.declared import DECLARED
from compare.mistakes.declared_activations import OTHERS
from compare.mistakes.inside import inside_of
from compare.mistakes.mistake import NetworkMistake
from compare.textbook import Pass, Point

ATTEMPTS = 300
"""So many times as many networks are drawn at most, for those in which a mistake shows."""
BETWEENS = (PLAIN, PLAIN, PLAIN, Between("layer"), Between("batch"), Between(dropout=0.3))


@dataclass(frozen=True)
class Network:
    """One network of the population, by the options that a diagnosis takes."""

    sizes: tuple[int, ...]
    activation: str
    dtype: str
    seed: int
    objective: Objective
    between: Between

    @property
    def options(self) -> dict[str, Any]:
        """Return the arguments a diagnosis takes."""
        return {
            "sizes": self.sizes, "activation": self.activation, "dtype": np.dtype(self.dtype),
            "seed": self.seed, "objective": self.objective,
            "reduction": self.objective.reduction, "between": self.between,
        }  # fmt: skip


def draw(generator: np.random.Generator) -> Network:
    """Return a random network with something declared in it."""
    hidden = generator.integers(5, 25, int(generator.integers(1, 3)))
    sizes = (int(generator.integers(5, 25)), *map(int, hidden), int(generator.integers(3, 8)))
    return Network(
        sizes, str(generator.choice(["tanh", "relu", *OTHERS])),
        str(generator.choice(["float64", "float32"])), int(generator.integers(1 << 30)),
        objective_of(generator, sizes[-1]), BETWEENS[int(generator.integers(len(BETWEENS)))],
    )  # fmt: skip


def objective_of(generator: np.random.Generator, classes: int) -> Objective:
    """Return a random loss: of another kind, behind an output, weighted, smoothed or penalised."""
    kinds: list[dict[str, Any]] = [
        {"loss": str(generator.choice(LOSS_NAMES)), "output": str(generator.choice(OUTPUT_NAMES))},
        {"loss": str(generator.choice(LOSS_NAMES))},
        {"label_smoothing": 0.1},
        {"class_weights": tuple(generator.random(classes) + 0.3)},
        {"ignore_index": int(generator.integers(classes))},
    ]
    penalties: list[dict[str, Any]] = [
        {}, {}, {"l2": 0.1}, {"l1": 0.1}, {"l2": 0.1, "penalise": "all"},
        {"l2": 0.1, "penalty_over": "rows"},
    ]  # fmt: skip
    chosen = kinds[int(generator.integers(len(kinds)))]
    beside = penalties[int(generator.integers(len(penalties)))]
    reduction = str(generator.choice(["mean", "mean", "batch_mean", "sum"]))
    try:
        return Objective(**chosen, **beside, reduction=reduction)
    except BadInput:  # two that do not go together
        return Objective(reduction=reduction)


def written(mistake: NetworkMistake, network: Network) -> Callable[..., tuple[float, Any]]:
    """Return a program with this mistake in it."""

    def implementation(
        parameters: Any, x: Any, targets: Any, context: Any = NOTHING
    ) -> tuple[float, Any]:
        at = Point(
            parameters, x, targets, network.activation, network.objective.reduction,
            network.dtype, network.objective, network.between, context,
        )  # fmt: skip
        net = Pass(at).having(made_in(network, mistake).overrides(mistake.example))
        gradients = {name: net.named(f"d{name}").value.astype(x.dtype) for name in parameters}
        return float(net.named("loss").value), gradients

    return implementation


def made_in(network: Network, mistake: NetworkMistake) -> NetworkMistake:
    """Return the mistake as it is made there: the derivative of an activation is of n, not of z."""
    return mistake if network.between.plain else inside_of(mistake)


def shows(mistake: NetworkMistake, network: Network) -> bool:
    """Whether the mistake can be made in a network and is seen in it."""
    points = probes(**network.options)
    if not possible(made_in(network, mistake), points[0][1]):
        return False
    seen = observations(written(mistake, network), points)
    return any(Case(one).disagrees for one in seen if not one.special)


def named(mistake: NetworkMistake, networks: int, seed: int) -> Counter[str]:
    """Return in how many of so many networks it was named, and what was said where it was not."""
    generator = np.random.default_rng([DECLARED.index(mistake), seed])
    found = Counter({"named": 0, "planted": 0})
    for network in those_with(mistake, generator, networks):
        answer = diagnosed(written(mistake, network), **network.options).diagnosis
        told = [name for one in answer for name in (one.mistake, *one.also)]
        found["planted"] += 1
        found["named" if mistake.name in told else f"{network}: {told or 'nothing'}"] += 1
    return found


def those_with(
    mistake: NetworkMistake, generator: np.random.Generator, networks: int
) -> Iterator[Network]:
    """Yield networks in which a mistake shows, so many if there are."""
    with np.errstate(all="ignore"):
        drawn = (draw(generator) for _ in range(ATTEMPTS * networks))
        yield from islice((one for one in drawn if shows(mistake, one)), networks)
